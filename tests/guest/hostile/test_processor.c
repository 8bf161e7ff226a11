/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest does to its own processors: start-up messages to those that are there and those that
 * are not, registers and CPUID leaves at random. Linux gives its second processor away for it and
 * takes it back. Names begin with the row of the catalogue.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "real.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define MSRS   "/dev/cpu/0/msr" /* of the kernel's module msr */

#define LAPIC_COMMAND 0x300u
#define LAPIC_TARGET  0x310u
#define COMMAND_INIT  0x4500u
#define COMMAND_DEASS 0x8500u
#define COMMAND_START 0x4600u
#define ALL_BUT_SELF  0xc0000u

#define CODE_PAGE  0x40000u /* below 1 MiB, of nobody */
#define CODE_BYTES 3u

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void all_good(struct machine *m)
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_good(m, i);
	machine_rest_good(m);
}

static void send(struct machine *m, uint32_t target, uint32_t command)
{
	fake_mmio_write(m->host, REAL_LAPIC + LAPIC_TARGET, 4, target << 24);
	fake_mmio_write(m->host, REAL_LAPIC + LAPIC_COMMAND, 4, command);
}

static void v8_storms_of_start_up_messages_end_with_a_processor_that_starts(void **state)
{
	static const uint8_t halt[CODE_BYTES] = {0xf4, 0xeb, 0xfd}; /* hlt; jmp back */
	struct machine *m = *state;
	uint8_t before[CODE_BYTES];

	put_file(ONLINE, "0");
	for (uint32_t i = 0; i < CODE_BYTES; i++) {
		before[i] = (uint8_t)fake_mmio_read(m->host, CODE_PAGE + i, 1);
		fake_mmio_write(m->host, CODE_PAGE + i, 1, halt[i]);
	}
	real_run_on(0);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t start = COMMAND_START | CODE_PAGE >> 12;

		send(m, 1, COMMAND_INIT);
		for (uint32_t j = 0; j <= i % 4; j++)
			send(m, 1, start);
		send(m, 1, COMMAND_DEASS);
		send(m, 2 + i * 4, i & 1 ? COMMAND_INIT : start);
		send(m, 0, ALL_BUT_SELF | (i & 2 ? COMMAND_INIT : start));
		if (i % 16 == 0)
			all_good(m);
	}
	send(m, 1, COMMAND_INIT);
	real_run_on(-1);
	for (uint32_t i = 0; i < CODE_BYTES; i++)
		fake_mmio_write(m->host, CODE_PAGE + i, 1, before[i]);
	put_file(ONLINE, "1");
	real_run_on(1);
	assert_int_equal(sched_getcpu(), 1);
	real_run_on(-1);
	all_good(m);
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* What cannot be read is written, too: there is nothing that the kernel could miss. */
static void v9_registers_and_leaves_at_random_are_the_guest_s_own_affair(void **state)
{
	static const uint32_t bases[] = {0, 0x800, 0xc0000000u, 0xc0010000u, 0x40000000u};
	struct machine *m = *state;
	int msrs = open(MSRS, O_RDWR | O_CLOEXEC);
	uint32_t seed = 9, unknown = 0, eax, ebx, ecx, edx;

	assert_true(msrs >= 0);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t index = bases[random_next(&seed) % 5] + random_next(&seed) % 0x800;
		uint64_t value;

		if (!(i % 8))
			index = seed;
		if (pread(msrs, &value, sizeof(value), index) == sizeof(value))
			continue;
		unknown++;
		value = (uint64_t)random_next(&seed) << 40 ^ random_next(&seed);
		(void)!pwrite(msrs, &value, sizeof(value), index);
	}
	assert_true(unknown > 1000);
	close(msrs);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t leaf = random_next(&seed) % 0x40;

		if (i % 4)
			leaf |= i % 4 == 1 ? 0x80000000u : i % 4 == 2 ? 0x40000000u : seed << 8;
		__cpuid_count(leaf, random_next(&seed) % 0x20, eax, ebx, ecx, edx);
	}
	all_good(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

MACHINE_TESTS(processor)
{
	const struct CMUnitTest tests[] = {
		TEST(v8_storms_of_start_up_messages_end_with_a_processor_that_starts),
		TEST(v9_registers_and_leaves_at_random_are_the_guest_s_own_affair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
