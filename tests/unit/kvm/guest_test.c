/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs under real KVM: I/O of all kinds, doorbells, the ends that a guest can come to, pause and
 * stop. Ids such as V1 are rows of the catalogue of hostile guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

#define MMIO UINT64_C(0xd0000000)

static struct guest guest;

static int setup(void **state)
{
	(void)state;
	guest_init(&guest, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_fini(&guest);
	return 0;
}

/* A device that remembers bytes written to it. */
struct store {
	uint32_t reads, writes;
	uint64_t last_offset, last_value;
	uint32_t last_width;
	uint64_t sum;
	uint64_t answer;
};

static int32_t store_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct store *s = ctx;

	(void)width;
	s->last_offset = offset;
	*ret_value = s->answer + s->reads++;
	return 0;
}

static int32_t store_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct store *s = ctx;

	s->writes++;
	s->last_offset = offset;
	s->last_value = value;
	s->last_width = width;
	s->sum += value;
	return 0;
}

static const struct io_ops store_ops = {store_read, store_write};

GUEST_PROGRAM(pio_program, "mov $0x502, %dx\n"
			   "mov $0x1234, %ax\n"
			   "out %ax, %dx\n" /* one write of 2 bytes at offset 2 */
			   "in %dx, %eax\n" /* 0x11223344, and all of eax */
			   "out %eax, $0xf4\n"
			   "1: hlt\n jmp 1b\n");

static void ports_are_written_and_read(void **state)
{
	struct store s = {.answer = 0x11223344};

	(void)state;
	guest_region(&guest, "store", VMM_IO_PIO, 0x500, 16, 4, store_ops, &s);
	guest_load(&guest, pio_program);
	guest_start(&guest);
	assert_int_equal(guest_wait_exit(&guest), 0x11223344);
	assert_int_equal(s.last_value, 0x1234);
	assert_int_equal(s.last_width, 2);
	assert_int_equal(s.last_offset, 2);
}

GUEST_PROGRAM(nobody_program, "xor %eax, %eax\n"
			      "mov $0x700, %dx\n"
			      "in %dx, %eax\n"
			      "mov 0xd0000000, %ebx\n"
			      "and %ebx, %eax\n"
			      "xor %ebx, %ebx\n"
			      "mov 0xd0000000, %bl\n" /* only one byte */
			      "cmp $0xff, %ebx\n"
			      "jne 2f\n"
			      "out %eax, $0xf4\n"
			      "2: hlt\n jmp 2b\n");

static void S11_nobody_reads_as_ones_of_the_width(void **state)
{
	(void)state;
	guest_load(&guest, nobody_program);
	guest_start(&guest);
	assert_int_equal(guest_wait_exit(&guest), 0xffffffff);
	assert_int_equal(io_unclaimed(guest.io), 3);
}

GUEST_PROGRAM(string_program, "cld\n"
			      "mov $0x30000, %esi\n"
			      "mov $9000, %ecx\n"
			      "mov $0x510, %dx\n"
			      "rep outsb\n"
			      "mov $0x40000, %edi\n"
			      "mov $3000, %ecx\n"
			      "rep insl\n" GUEST_EXIT(1));

static void S8_string_io_comes_item_by_item(void **state)
{
	struct store s = {.answer = 7};
	uint8_t data[9000];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 31);
		sum += data[i];
	}
	assert_int_equal(memory_write(guest.memory, (vmm_gpa){0x30000}, data, sizeof(data)), 0);
	guest_region(&guest, "store", VMM_IO_PIO, 0x510, 4, 4, store_ops, &s);
	guest_load(&guest, string_program);
	guest_start(&guest);
	guest_wait_exit(&guest);
	assert_int_equal(s.writes, 9000);
	assert_int_equal(s.sum, sum);
	assert_int_equal(s.last_width, 1);
	assert_int_equal(s.reads, 3000);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(guest_read32(&guest, 0x40000 + i * 4), 7 + i);
}

GUEST_PROGRAM(mmio_program, "movl $0x11223344, 0xd0000ffc\n"
			    "movl $0xaabbccdd, 0xd0000ffe\n" /* 2 bytes in, 2 bytes nobody's */
			    "mov 0xd0000004, %eax\n"
			    "out %eax, $0xf4\n"
			    "1: hlt\n jmp 1b\n");

static void mmio_is_written_read_and_split_at_the_end(void **state)
{
	struct store s = {.answer = 0x55667788};

	(void)state;
	guest_region(&guest, "store", VMM_IO_MMIO, MMIO, 0x1000, 4, store_ops, &s);
	guest_load(&guest, mmio_program);
	guest_start(&guest);
	assert_int_equal(guest_wait_exit(&guest), 0x55667788);
	assert_int_equal(s.writes, 2);
	assert_int_equal(s.sum, 0x11223344 + 0xccdd);
	assert_int_equal(s.last_offset, 4);
}

GUEST_PROGRAM(doorbell_program, "movl $1, 0xd0000010\n"
				"movl $2, 0xd0000010\n"
				"movw $3, 0xd0000010\n" /* width: not the doorbell */
				"movw $5, 0xd0000020\n" /* match */
				"movw $6, 0xd0000020\n" /* value: not the doorbell */
				"movb $1, 0xd0000030\n"
				"movw $1, 0xd0000030\n"
				"movl $1, 0xd0000030\n"
				"mov $0x600, %dx\n"
				"out %ax, %dx\n" GUEST_EXIT(1));

static int doorbell(struct io_region *region, struct io_doorbell_config config)
{
	struct io_doorbell *doorbell;
	int fd = -1;

	assert_int_equal(io_doorbell_add(guest.io, region, &config, NULL, &doorbell, &fd), 0);
	return fd;
}

static uint64_t rings(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static char *printed_map(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	io_map_print(guest.io, file);
	fclose(file);
	return text;
}

static void run_doorbells(bool in_kernel)
{
	struct store s = {0}, p = {0};
	struct io_region *region, *port;
	int plain, match, any, pio;
	char *text;

	if (!in_kernel)
		io_set_backend(guest.io, NULL, NULL);
	region = guest_region(&guest, "store", VMM_IO_MMIO, MMIO, 0x1000, 8, store_ops, &s);
	port = guest_region(&guest, "port", VMM_IO_PIO, 0x600, 4, 4, store_ops, &p);
	plain = doorbell(region, (struct io_doorbell_config){.offset = 0x10, .width = 4});
	match = doorbell(region,
		(struct io_doorbell_config){.offset = 0x20, .width = 2, .match = true, .value = 5});
	any = doorbell(region, (struct io_doorbell_config){.offset = 0x30});
	pio = doorbell(port, (struct io_doorbell_config){.width = 2});
	text = printed_map();
	assert_int_equal(strstr(text, "trapped") == NULL, in_kernel);
	free(text);
	guest_load(&guest, doorbell_program);
	guest_start(&guest);
	guest_wait_exit(&guest);
	assert_int_equal(rings(plain), 2);
	assert_int_equal(rings(match), 1);
	assert_int_equal(rings(any), 3);
	assert_int_equal(rings(pio), 1);
	assert_int_equal(s.writes, 2);
	assert_int_equal(s.sum, 3 + 6);
	assert_int_equal(p.writes, 0);
}

static void doorbells_ring_in_the_kernel(void **state)
{
	(void)state;
	run_doorbells(true);
}

static void doorbells_ring_the_same_without_the_kernel(void **state)
{
	(void)state;
	run_doorbells(false);
}

GUEST_PROGRAM(hammer_program, "mov $20000, %ecx\n"
			      "1: movl $1, 0xd0000000\n"
			      "movl $1, 0xd0001000\n"
			      "dec %ecx\n"
			      "jnz 1b\n" GUEST_EXIT(1));

static void P9_doorbells_follow_a_region_that_moves_under_load(void **state)
{
	struct store s = {0};
	struct io_region *region;
	uint64_t before;
	int fd;

	(void)state;
	region = guest_region(&guest, "store", VMM_IO_MMIO, MMIO, 0x1000, 8, store_ops, &s);
	fd = doorbell(region, (struct io_doorbell_config){.width = 4});
	guest_load(&guest, hammer_program);
	guest_start(&guest);
	for (uint32_t i = 0; !guest_exited(&guest); i++)
		assert_int_equal(io_region_set(guest.io, region, MMIO + i % 2 * 0x1000, true), 0);
	guest_wait_exit(&guest);
	before = rings(fd);
	assert_int_equal(before + io_unclaimed(guest.io), 40000);
	assert_int_equal(s.writes, 0);
	assert_true(before > 0);
}

GUEST_PROGRAM(triple_program, "movl $0, 0x30000\n"
			      "movl $0, 0x30004\n"
			      "lidt 0x30000\n"
			      "int3\n");

static void V1_triple_fault_is_reported(void **state)
{
	(void)state;
	guest_load(&guest, triple_program);
	guest_start(&guest);
	guest_wait_end(&guest);
	assert_int_equal(guest.end, VCPU_END_TRIPLE_FAULT);
	assert_string_equal(guest.text, "triple fault");
}

GUEST_PROGRAM(fetch_program, "mov $0xd0000000, %eax\n"
			     "jmp *%eax\n");

static void S12_running_code_from_mmio_is_reported_once(void **state)
{
	(void)state;
	guest_load(&guest, fetch_program);
	guest_start(&guest);
	guest_wait_end(&guest);
	assert_int_equal(guest.end, VCPU_END_INTERNAL_ERROR);
	assert_non_null(strstr(guest.text, "could not be emulated (suberror 1)"));
	assert_non_null(strstr(guest.text, "rip 0xd0000000"));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

GUEST_PROGRAM(spin_program, "out %al, $0xf8\n"
			    "1: incl 0x30000\n"
			    "jmp 1b\n");

static void V7_a_spinning_guest_pauses_resumes_and_stops(void **state)
{
	double start;
	uint32_t seen;

	(void)state;
	guest_load(&guest, spin_program);
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
	for (int i = 0; i < 20; i++) {
		start = seconds();
		vcpu_pause(guest.vcpus[0]);
		vcpu_wait_paused(guest.vcpus[0]);
		assert_true(seconds() - start < 1.0);
		seen = guest_read32(&guest, GUEST_DATA);
		usleep(1000);
		assert_int_equal(guest_read32(&guest, GUEST_DATA), seen);
		vcpu_resume(guest.vcpus[0]);
		while (guest_read32(&guest, GUEST_DATA) == seen)
			usleep(100);
	}
	start = seconds();
	vcpu_stop(guest.vcpus[0]);
	vcpu_join(guest.vcpus[0]);
	assert_true(seconds() - start < 1.0);
}

GUEST_PROGRAM(dead_program, "out %al, $0xf8\n"
			    "cli\n"
			    "hlt\n");

static void V6_a_halted_guest_costs_no_cpu_and_stops(void **state)
{
	struct timespec before, after;
	double used;

	(void)state;
	guest_load(&guest, dead_program);
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
	usleep(50000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	usleep(500000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	used = (double)(after.tv_sec - before.tv_sec) +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	assert_true(used < 0.05);
	vcpu_stop(guest.vcpus[0]);
	vcpu_join(guest.vcpus[0]);
}

/* A device whose read takes until the test lets it go. */
struct slow {
	atomic_bool entered, go;
};

static int32_t slow_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct slow *slow = ctx;

	(void)offset;
	(void)width;
	atomic_store(&slow->entered, true);
	while (!atomic_load(&slow->go))
		usleep(100);
	*ret_value = 0x12345678;
	return 0;
}

GUEST_PROGRAM(slow_program, "mov 0xd0000000, %eax\n"
			    "mov %eax, 0x30000\n"
			    "out %eax, $0xf4\n"
			    "1: hlt\n jmp 1b\n");

static void V10_pause_finishes_the_access_under_way(void **state)
{
	struct slow slow = {false, false};

	(void)state;
	guest_region(
		&guest, "slow", VMM_IO_MMIO, MMIO, 4, 4, (struct io_ops){slow_read, NULL}, &slow);
	guest_load(&guest, slow_program);
	guest_start(&guest);
	while (!atomic_load(&slow.entered))
		usleep(100);
	vcpu_pause(guest.vcpus[0]);
	atomic_store(&slow.go, true);
	vcpu_wait_paused(guest.vcpus[0]);
	/* the access is done, the next instruction is not */
	assert_int_equal(guest_read32(&guest, GUEST_DATA), 0);
	assert_false(guest_exited(&guest));
	vcpu_resume(guest.vcpus[0]);
	assert_int_equal(guest_wait_exit(&guest), 0x12345678);
}

static void a_vcpu_paused_before_its_start_does_not_run(void **state)
{
	(void)state;
	guest_load(&guest, spin_program);
	vcpu_pause(guest.vcpus[0]);
	guest_start(&guest);
	vcpu_wait_paused(guest.vcpus[0]);
	usleep(10000);
	assert_int_equal(guest.steps, 0);
	vcpu_resume(guest.vcpus[0]);
	guest_wait_steps(&guest, 1);
}

static void stopping_at_once_ends(void **state)
{
	(void)state;
	guest_load(&guest, spin_program);
	guest_start(&guest);
	vcpu_stop(guest.vcpus[0]);
	vcpu_join(guest.vcpus[0]);
}

static void a_vcpu_never_started_can_be_stopped(void **state)
{
	(void)state;
	vcpu_stop(guest.vcpus[0]);
	vcpu_wait_paused(guest.vcpus[0]);
	vcpu_join(guest.vcpus[0]);
}

GUEST_PROGRAM(thread_program, "out %al, $0xf8\n"
			      "1: hlt\n jmp 1b\n");

static bool a_thread_is_called(const char *name)
{
	char path[64], text[32];

	for (int tid = getpid(); tid < getpid() + 200; tid++) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
		file = fopen(path, "re");
		if (!file)
			continue;
		text[0] = 0;
		if (!fgets(text, sizeof(text), file))
			text[0] = 0;
		fclose(file);
		if (!strncmp(text, name, strlen(name)))
			return true;
	}
	return false;
}

static void threads_have_the_name_of_their_vcpu(void **state)
{
	(void)state;
	guest_load(&guest, thread_program);
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
	assert_true(a_thread_is_called("vcpu0"));
}

static void ram_beyond_the_processors_addresses_is_refused(void **state)
{
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	const struct memory_extent extent = {UINT64_C(1) << vm_phys_bits(guest.vm), MEMORY_PAGE_2M};
	const struct memory_options ram = {.extents = &extent, .extent_count = 1};
	const struct vm_options options = {.vcpus = 1};
	struct memory *memory;
	struct vm *vm;

	(void)state;
	assert_int_equal(memory_create(&ram, &error, &memory), 0);
	assert_int_equal(vm_create(&options, memory, &error, &vm), VMM_E_LIMIT);
	assert_non_null(strstr(text, "address bits"));
	memory_destroy(memory);
}

static void capabilities_can_be_printed(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	(void)state;
	assert_int_equal(vm_print_capabilities(NULL, file, NULL), 0);
	fclose(file);
	assert_non_null(strstr(text, "KVM_CAP_IRQFD "));
	free(text);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(ports_are_written_and_read),
		ONE(S11_nobody_reads_as_ones_of_the_width),
		ONE(S8_string_io_comes_item_by_item),
		ONE(mmio_is_written_read_and_split_at_the_end),
		ONE(doorbells_ring_in_the_kernel),
		ONE(doorbells_ring_the_same_without_the_kernel),
		ONE(P9_doorbells_follow_a_region_that_moves_under_load),
		ONE(V1_triple_fault_is_reported),
		ONE(S12_running_code_from_mmio_is_reported_once),
		ONE(V7_a_spinning_guest_pauses_resumes_and_stops),
		ONE(V6_a_halted_guest_costs_no_cpu_and_stops),
		ONE(V10_pause_finishes_the_access_under_way),
		ONE(a_vcpu_paused_before_its_start_does_not_run),
		ONE(stopping_at_once_ends),
		ONE(a_vcpu_never_started_can_be_stopped),
		ONE(threads_have_the_name_of_their_vcpu),
		ONE(ram_beyond_the_processors_addresses_is_refused),
		ONE(capabilities_can_be_printed),
	};

	if (!guest_possible())
		return 77;
	return cmocka_run_group_tests_name("kvm-guest", tests, NULL, NULL);
}
