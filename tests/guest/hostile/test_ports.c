/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses of widths, places and kinds that no driver uses, as the processor really makes them: KVM
 * cuts them up before the VMM sees them. The second serial port is for that; nobody reads what it
 * sends. Names begin with the row of the catalogue.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/io.h>

#include "machine.h"
#include "real.h"

#define COM2 0x2f8u

#define REG_DATA 0u
#define REG_IER  1u
#define REG_FCR  2u
#define REG_LCR  3u
#define REG_MCR  4u
#define REG_LSR  5u
#define REG_SCR  7u

#define LCR_8N1  0x03u
#define LCR_DLAB 0x80u
#define MCR_LOOP 0x10u
#define LSR_IDLE 0x60u

#define NOBODYS_PORT 0x5000u
#define NOBODYS_GPA  0xd8000000u
#define ELSEWHERE    0xd0000000u
#define MANY         0x2000u /* two pages */
#define FEW          0x200u  /* KVM takes out of memory one by one */

static uint8_t bytes[MANY];

static int ports_setup(void **state)
{
	machine_setup(state);
	outb(LCR_8N1, COM2 + REG_LCR);
	outb(0, COM2 + REG_IER);
	outb(0, COM2 + REG_MCR);
	outb(7, COM2 + REG_FCR);
	return 0;
}

static void all_good(struct machine *m)
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_good(m, i);
	machine_rest_good(m);
	outb(0xa5, COM2 + REG_SCR);
	assert_int_equal(inb(COM2 + REG_SCR), 0xa5);
}

static void s5_divisor_and_loopback_are_not_the_line(void **state)
{
	outb(LCR_8N1 | LCR_DLAB, COM2 + REG_LCR);
	outb(0x12, COM2 + REG_DATA);
	outb(0x34, COM2 + REG_IER);
	assert_int_equal(inb(COM2 + REG_DATA), 0x12);
	assert_int_equal(inb(COM2 + REG_IER), 0x34);
	outb(LCR_8N1, COM2 + REG_LCR);
	assert_int_equal(inb(COM2 + REG_IER), 0);
	outb(MCR_LOOP, COM2 + REG_MCR);
	for (uint32_t i = 0; i < 300; i++) {
		outb((uint8_t)i, COM2 + REG_DATA);
		assert_int_equal(inb(COM2 + REG_DATA), (uint8_t)i);
	}
	outb(0, COM2 + REG_MCR);
	all_good(*state);
}

static void s7_s9_wide_accesses_are_bytes_up_to_the_end_of_the_device(void **state)
{
	outb(0x5a, COM2 + REG_SCR);
	assert_int_equal(inw(COM2 + REG_SCR), 0xff5a);
	assert_int_equal(inl(COM2 + REG_SCR), 0xffffff5au);
	assert_int_equal(inl(COM2 + REG_LSR) & 0xffff00ff, 0xff5a0000u | LSR_IDLE);
	assert_int_equal(inl(COM2 - 3) & 0xffffff, 0xffffff);
	outl(0x11223344, COM2 + REG_SCR);
	assert_int_equal(inb(COM2 + REG_SCR), 0x44);
	outw(0x7788, COM2 + REG_SCR - 1);
	assert_int_equal(inb(COM2 + REG_SCR), 0x77);
	all_good(*state);
}

/* KVM asks for a page of items in one exit. */
static void s8_strings_of_accesses_stay_in_their_page(void **state)
{
	memset(bytes, 0x33, sizeof(bytes));
	outsb(COM2 + REG_SCR, bytes, FEW);
	assert_int_equal(inb(COM2 + REG_SCR), 0x33);
	outsl(COM2 + REG_SCR, bytes, FEW);
	outsw(NOBODYS_PORT, bytes, FEW);
	insb(COM2 + REG_SCR, bytes, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(bytes[i], 0x33);
	insl(COM2 + REG_SCR, bytes, MANY / 4);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(bytes[i], i % 4 ? 0xff : 0x33);
	insw(NOBODYS_PORT, bytes, MANY / 2);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(bytes[i], 0xff);
	all_good(*state);
}

static void s10_accesses_across_the_ends_of_a_bar_are_split(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_CARD];
	uint32_t bar = d->common.bar;
	uint64_t home = d->pci.bars[bar].address, end = ELSEWHERE + d->pci.bars[bar].bytes;

	fake_pci_move_bar(&d->pci, bar, ELSEWHERE);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_DEVICE_FEATURE_SELECT, 4, 1);
	for (uint32_t i = 1; i < 4; i++) {
		uint32_t outside = UINT32_MAX >> 8 * (4 - i);

		assert_int_equal(fake_mmio_read(m->host, end - i, 4), UINT32_MAX << 8 * i);
		assert_int_equal(fake_mmio_read(m->host, ELSEWHERE - i, 4) & outside, outside);
		fake_mmio_write(m->host, end - i, 4, 0);
		fake_mmio_write(m->host, ELSEWHERE - i, 4, 0);
	}
	assert_true(fake_mmio_read(m->host, end - 4, 8) == 0xffffffff00000000u);
	assert_true(fake_mmio_read(m->host, ELSEWHERE - 4, 8) == 0x1ffffffffu);
	fake_pci_move_bar(&d->pci, bar, home);
	all_good(m);
}

static void s11_what_nobody_answers_is_ones_of_any_width(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < 16; i++) {
		uint16_t port = (uint16_t)(NOBODYS_PORT + i);

		(void)inl(COM2); /* leaves something behind in the page that KVM shares */
		assert_int_equal(inb(port), 0xff);
		assert_int_equal(inw(port), 0xffff);
		assert_int_equal(inl(port), UINT32_MAX);
		for (uint32_t width = 1; width <= 8; width *= 2) {
			uint64_t ones = UINT64_MAX >> (64 - 8 * width);

			fake_virtio_status(&m->drivers[MACHINE_DISK]);
			fake_mmio_write(m->host, NOBODYS_GPA + i, width, 0);
			assert_true(fake_mmio_read(m->host, NOBODYS_GPA + i, width) == ones);
		}
	}
	all_good(m);
}

/*
 * ---- Instructions that are made for memory ----
 */

static void exchange(void *at)
{
	uint32_t value = 1;

	__asm__ volatile("xchg %0, %1" : "+r"(value), "+m"(*(uint32_t *)at));
}

static void locked_add(void *at)
{
	__asm__ volatile("lock addl $1, %0" : "+m"(*(uint32_t *)at));
}

static void compare_16(void *at)
{
	uint64_t low = 0, high = 0;

	__asm__ volatile("lock cmpxchg16b (%2)"
			 : "+a"(low), "+d"(high)
			 : "r"(at), "b"(1), "c"(0)
			 : "memory");
}

static void vector_read(void *at)
{
	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(at) : "xmm0", "memory");
}

static void vector_write(void *at)
{
	__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(at) : "memory");
}

static void string_copy(void *at)
{
	void *to = bytes;
	uint64_t count = 0x1000;

	__asm__ volatile("rep movsb" : "+S"(at), "+D"(to), "+c"(count) : : "memory");
}

static void execute(void *at)
{
	__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

/* Done, or refused by the guest's own processor. */
static void s12_atomics_vectors_and_fetches_of_registers_end(void **state)
{
	static void (*const accesses[])(void *) = {
		exchange, locked_add, compare_16, vector_read, vector_write, string_copy, execute};
	struct machine *m = *state;
	const struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	const uint64_t places[] = {d->pci.bars[d->common.bar].address,
		d->pci.bars[d->pci.msix_bar].address,
		fake_pci_ecam_address(m->host, d->pci.slot, 0), NOBODYS_GPA};

	for (uint32_t i = 0; i < sizeof(accesses) / sizeof(*accesses); i++) {
		for (uint32_t j = 0; j < sizeof(places) / sizeof(*places); j++)
			real_try(accesses[i], (void *)(uintptr_t)real_map(places[j]));
		machine_others_good(m, MACHINE_RANDOM);
	}
	machine_open(0);
	all_good(m);
}

#define ROUNDS_MAX 1000u

struct poller {
	atomic_uint polls;
	atomic_bool stop;
};

static void *poll_for_ever(void *ctx)
{
	struct poller *poller = ctx;

	real_run_on(1);
	while (!atomic_load(&poller->stop)) {
		(void)inb(COM2 + REG_LSR);
		atomic_fetch_add(&poller->polls, 1);
	}
	return NULL;
}

static void s6_a_vcpu_that_polls_for_ever_stops_no_device(void **state)
{
	struct poller poller = {.stop = false};
	struct machine *m = *state;
	pthread_t thread;
	unsigned before;

	real_run_on(0);
	assert_int_equal(pthread_create(&thread, NULL, poll_for_ever, &poller), 0);
	while (!atomic_load(&poller.polls))
		sched_yield();
	before = atomic_load(&poller.polls);
	/* A busy host may not let both vCPUs run in one round. */
	for (uint32_t i = 0; i < ROUNDS_MAX && (!i || atomic_load(&poller.polls) == before); i++)
		all_good(m);
	assert_true(atomic_load(&poller.polls) > before);
	atomic_store(&poller.stop, true);
	pthread_join(thread, NULL);
	real_run_on(-1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ports_setup, machine_teardown)

MACHINE_TESTS(ports)
{
	const struct CMUnitTest tests[] = {
		TEST(s5_divisor_and_loopback_are_not_the_line),
		TEST(s6_a_vcpu_that_polls_for_ever_stops_no_device),
		TEST(s7_s9_wide_accesses_are_bytes_up_to_the_end_of_the_device),
		TEST(s8_strings_of_accesses_stay_in_their_page),
		TEST(s10_accesses_across_the_ends_of_a_bar_are_split),
		TEST(s11_what_nobody_answers_is_ones_of_any_width),
		TEST(s12_atomics_vectors_and_fetches_of_registers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
