/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM: the layout of pc-1.0, and translation against every kind of bad address. Ids such as
 * Q8 are rows of the catalogue of hostile guests.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/memory.h"

#define PAGE MEMORY_PAGE_4K

/* RAM with all the borders there are: a hole in the middle, two ranges that touch, a high end. */
static const struct memory_extent extents[] = {
	{0, 4 * PAGE},
	{4 * PAGE, 2 * PAGE},
	{16 * PAGE, PAGE},
	{UINT64_MAX - 2 * PAGE + 1, PAGE},
};

static char text[256];
static struct vmm_error error = {sizeof(error), text, sizeof(text)};

static vmm_gpa gpa(uint64_t value)
{
	return (vmm_gpa){value};
}

static int setup(void **state)
{
	const struct memory_options options = {.extents = extents, .extent_count = 4};

	text[0] = 0;
	return memory_create(&options, &error, (struct memory **)state);
}

static int setup_shared(void **state)
{
	const struct memory_options options = {
		.extents = extents, .extent_count = 4, .shared = true};

	text[0] = 0;
	return memory_create(&options, &error, (struct memory **)state);
}

static int teardown(void **state)
{
	memory_destroy(*state);
	return 0;
}

static void layout_keeps_ram_below_3_gib_together(void **state)
{
	struct memory_extent e[2];

	(void)state;
	assert_int_equal(memory_layout_pc(MEMORY_LOW_END, e), 1);
	assert_int_equal(e[0].gpa, 0);
	assert_int_equal(e[0].bytes, MEMORY_LOW_END);
}

static void layout_puts_the_rest_at_4_gib(void **state)
{
	struct memory_extent e[2];

	(void)state;
	assert_int_equal(memory_layout_pc(MEMORY_LOW_END + PAGE, e), 2);
	assert_int_equal(e[0].bytes, MEMORY_LOW_END);
	assert_int_equal(e[1].gpa, MEMORY_HIGH_BASE);
	assert_int_equal(e[1].bytes, PAGE);
}

static void layout_refuses_sizes_that_cannot_be(void **state)
{
	struct memory_extent e[2];

	(void)state;
	assert_int_equal(memory_layout_pc(0, e), VMM_E_RANGE);
	assert_int_equal(memory_layout_pc(PAGE + 1, e), VMM_E_RANGE);
	assert_int_equal(memory_layout_pc(UINT64_MAX - PAGE + 1, e), VMM_E_RANGE);
}

static void new_ram_is_zero_and_keeps_what_is_written(void **state)
{
	struct memory *m = *state;
	uint64_t value = 1;

	assert_int_equal(memory_read(m, gpa(PAGE), &value, 8), 0);
	assert_int_equal(value, 0);
	value = UINT64_C(0x1122334455667788);
	assert_int_equal(memory_write(m, gpa(PAGE + 3), &value, 8), 0);
	value = 0;
	assert_int_equal(memory_read(m, gpa(PAGE + 3), &value, 8), 0);
	assert_int_equal(value, UINT64_C(0x1122334455667788));
}

static void Q6_length_that_wraps_is_refused(void **state)
{
	struct memory *m = *state;
	struct vmm_iovec iov[8];

	assert_int_equal(memory_map(m, gpa(PAGE), UINT64_MAX, iov, 8), VMM_E_RANGE);
	assert_int_equal(memory_map(m, gpa(UINT64_MAX), 2, iov, 8), VMM_E_RANGE);
	assert_int_equal(memory_map(m, gpa(UINT64_MAX), UINT64_MAX, iov, 8), VMM_E_RANGE);
	/* from the highest RAM over the end of the address space to RAM at 0 */
	assert_int_equal(
		memory_map(m, gpa(UINT64_MAX - 2 * PAGE + 1), 3 * PAGE, iov, 8), VMM_E_RANGE);
}

static void Q7_address_0_is_ram_and_one_past_the_end_is_not(void **state)
{
	struct memory *m = *state;
	struct vmm_iovec iov[8];
	uint8_t byte = 0;

	assert_int_equal(memory_map(m, gpa(0), 1, iov, 8), 1);
	assert_int_equal(memory_read(m, gpa(17 * PAGE - 1), &byte, 1), 0);
	assert_int_equal(memory_read(m, gpa(17 * PAGE), &byte, 1), VMM_E_RANGE);
	assert_int_equal(memory_map(m, gpa(17 * PAGE - 1), 2, iov, 8), VMM_E_RANGE);
	assert_int_equal(memory_map(m, gpa(8 * PAGE), 1, iov, 8), VMM_E_RANGE);
}

static void Q8_buffer_over_adjacent_ranges_works(void **state)
{
	struct memory *m = *state;
	struct vmm_iovec iov[2];
	struct vmm_ram_range ranges[4];
	uint8_t in[64], out[64];

	assert_int_equal(memory_map(m, gpa(4 * PAGE - 16), 64, iov, 2), 2);
	assert_int_equal(memory_ranges(m, ranges, 4), 4);
	assert_ptr_equal(iov[0].base, (uint8_t *)ranges[0].base + 4 * PAGE - 16);
	assert_int_equal(iov[0].bytes, 16);
	assert_ptr_equal(iov[1].base, ranges[1].base);
	assert_int_equal(iov[1].bytes, 48);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i + 1);
	assert_int_equal(memory_write(m, gpa(4 * PAGE - 16), in, sizeof(in)), 0);
	assert_int_equal(memory_read(m, gpa(4 * PAGE - 16), out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
}

static void Q9_buffer_over_ram_and_hole_writes_nothing(void **state)
{
	struct memory *m = *state;
	uint8_t ones[32], got[16];

	memset(ones, 0xff, sizeof(ones));
	memset(got, 0xaa, sizeof(got));
	assert_int_equal(memory_write(m, gpa(6 * PAGE - 16), ones, 32), VMM_E_RANGE);
	assert_int_equal(memory_read(m, gpa(6 * PAGE - 16), got, 16), 0);
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], 0);
	memset(got, 0xaa, sizeof(got));
	assert_int_equal(memory_read(m, gpa(6 * PAGE - 8), got, 16), VMM_E_RANGE);
	assert_int_equal(got[0], 0xaa);
}

static void map_says_when_the_table_is_too_small(void **state)
{
	struct memory *m = *state;
	struct vmm_iovec iov[1];

	assert_int_equal(memory_map(m, gpa(4 * PAGE - 1), 2, iov, 1), VMM_E_LIMIT);
	assert_int_equal(memory_map(m, gpa(4 * PAGE - 1), 2, NULL, 0), VMM_E_LIMIT);
}

static void nothing_maps_to_nothing(void **state)
{
	struct memory *m = *state;

	assert_int_equal(memory_map(m, gpa(0), 0, NULL, 0), 0);
	assert_int_equal(memory_map(m, gpa(UINT64_MAX), 0, NULL, 0), 0);
	assert_int_equal(memory_read(m, gpa(UINT64_MAX), NULL, 0), 0);
}

static void fd_shows_the_same_bytes_to_another_mapping(void **state)
{
	struct memory *m = *state;
	uint64_t offset, value = 42;
	uint8_t *other;
	int fd;

	assert_int_equal(memory_fd(m, 2, &fd, &offset), 0);
	assert_int_equal(memory_fd(m, 4, &fd, &offset), VMM_E_RANGE);
	assert_int_equal(memory_write(m, gpa(16 * PAGE + 8), &value, 8), 0);
	other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(other, MAP_FAILED);
	assert_memory_equal(other + 8, &value, 8);
	munmap(other, PAGE);
}

static void fd_cannot_be_cut_short(void **state)
{
	uint64_t offset;
	int fd;

	assert_int_equal(memory_fd(*state, 0, &fd, &offset), 0);
	assert_int_equal(ftruncate(fd, 0), -1);
}

static void private_ram_has_no_fd(void **state)
{
	uint64_t offset;
	int fd;

	assert_int_equal(memory_fd(*state, 0, &fd, &offset), VMM_E_UNSUPPORTED);
	assert_int_equal(memory_fd(*state, 4, &fd, &offset), VMM_E_RANGE);
}

/* Runs in a child, because the right outcome is a fault. */
static int dies_at(const volatile uint8_t *p)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*p ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void there_are_guards_on_both_sides(void **state)
{
	struct vmm_ram_range r[4];

	assert_int_equal(memory_ranges(*state, r, 4), 4);
	assert_true(dies_at((uint8_t *)r[0].base - 1));
	assert_true(dies_at((uint8_t *)r[0].base + r[0].bytes));
	((volatile uint8_t *)r[0].base)[0] = 1;
	((volatile uint8_t *)r[0].base)[r[0].bytes - 1] = 1;
}

static void child_processes_do_not_have_it(void **state)
{
	struct vmm_ram_range r[4];

	memory_ranges(*state, r, 4);
	((volatile uint8_t *)r[0].base)[0] = 1;
	assert_true(dies_at(r[0].base));
}

static void refused(const struct memory_options *options, int expected, const char *say)
{
	struct memory *m = NULL;

	assert_int_equal(memory_create(options, &error, &m), expected);
	assert_null(m);
	if (!strstr(text, say))
		fail_msg("\"%s\" does not say \"%s\"", text, say);
}

static void impossible_extents_are_refused(void **state)
{
	const struct memory_extent odd = {0, PAGE + 1}, wraps = {PAGE, UINT64_MAX - PAGE + 1};
	const struct memory_extent last = {UINT64_MAX - PAGE + 1, PAGE};
	const struct memory_extent overlap[] = {{0, 2 * PAGE}, {PAGE, PAGE}};
	const struct memory_extent small = {0, PAGE};

	(void)state;
	refused(&(struct memory_options){.extents = &odd, .extent_count = 1}, VMM_E_INVAL,
		"whole pages");
	refused(&(struct memory_options){.extents = &wraps, .extent_count = 1}, VMM_E_RANGE,
		"does not fit");
	refused(&(struct memory_options){.extents = &last, .extent_count = 1}, VMM_E_RANGE,
		"does not fit");
	refused(&(struct memory_options){.extents = overlap, .extent_count = 2}, VMM_E_RANGE,
		"overlaps");
	refused(&(struct memory_options){.extents = &small, .extent_count = 0}, VMM_E_INVAL,
		"0 pieces");
	refused(
		&(struct memory_options){
			.extents = &small, .extent_count = 1, .hugepage_bytes = MEMORY_PAGE_2M},
		VMM_E_INVAL, "2048 KiB");
	refused(
		&(struct memory_options){
			.extents = &small, .extent_count = 1, .hugepage_bytes = 12345},
		VMM_E_INVAL, "only 2 MiB and 1 GiB");
}

static void more_hugepages_than_there_are_says_how_to_reserve_them(void **state)
{
	/* No machine for tests has reserved so many; more than that TSan has no room for now and then. */
	const struct memory_extent large = {0, UINT64_C(1) << 36};
	const struct memory_options options = {
		.extents = &large, .extent_count = 1, .hugepage_bytes = MEMORY_PAGE_2M};
	struct memory *m = NULL;
	int ret;

	(void)state;
	ret = memory_create(&options, &error, &m);
	assert_null(m);
	if (ret == VMM_E_UNSUPPORTED)
		assert_non_null(strstr(text, "no huge pages of 2 MiB"));
	else
		assert_non_null(strstr(text, "hugepages-2048kB/nr_hugepages"));
}

static void more_ram_than_address_space_is_no_memory(void **state)
{
	const struct memory_extent large = {0, UINT64_C(1) << 60};

	(void)state;
	refused(&(struct memory_options){.extents = &large, .extent_count = 1}, VMM_E_NOMEM, "map");
}

static void preallocated_ram_has_all_its_pages(void **state)
{
	const struct memory_extent e = {0, 64 * PAGE};
	const struct memory_options options = {.extents = &e, .extent_count = 1, .prealloc = true};
	struct vmm_ram_range range;
	unsigned char present[64];
	struct memory *m;

	(void)state;
	assert_int_equal(memory_create(&options, &error, &m), 0);
	memory_ranges(m, &range, 1);
	assert_int_equal(mincore(range.base, range.bytes, present), 0);
	for (size_t i = 0; i < sizeof(present); i++)
		assert_true(present[i] & 1);
	memory_destroy(m);
}

static void locking_beyond_the_limit_names_the_limit(void **state)
{
	const struct memory_extent e = {0, 64 * PAGE};
	const struct memory_options options = {.extents = &e, .extent_count = 1, .locked = true};
	const struct rlimit none = {0, 0};
	struct memory *m = NULL;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		int ret;

		/* root may lock what it wants */
		if (setrlimit(RLIMIT_MEMLOCK, &none) || (geteuid() == 0 && setuid(65534)))
			_exit(77);
		/* the sanitizers make mlock() do nothing */
		if (mlock(text, 1) == 0)
			_exit(77);
		ret = memory_create(&options, &error, &m);
		_exit((ret == VMM_E_PERM || ret == VMM_E_NOMEM) && strstr(text, "ulimit -l") ? 0
											     : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void destroying_nothing_is_allowed(void **state)
{
	(void)state;
	memory_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_keeps_ram_below_3_gib_together),
		cmocka_unit_test(layout_puts_the_rest_at_4_gib),
		cmocka_unit_test(layout_refuses_sizes_that_cannot_be),
		cmocka_unit_test_setup_teardown(
			new_ram_is_zero_and_keeps_what_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(Q6_length_that_wraps_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			Q7_address_0_is_ram_and_one_past_the_end_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
			Q8_buffer_over_adjacent_ranges_works, setup, teardown),
		cmocka_unit_test_setup_teardown(
			Q9_buffer_over_ram_and_hole_writes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			map_says_when_the_table_is_too_small, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_maps_to_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			fd_shows_the_same_bytes_to_another_mapping, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(fd_cannot_be_cut_short, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(private_ram_has_no_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_guards_on_both_sides, setup, teardown),
		cmocka_unit_test_setup_teardown(child_processes_do_not_have_it, setup, teardown),
		cmocka_unit_test(impossible_extents_are_refused),
		cmocka_unit_test(more_hugepages_than_there_are_says_how_to_reserve_them),
		cmocka_unit_test(more_ram_than_address_space_is_no_memory),
		cmocka_unit_test(preallocated_ram_has_all_its_pages),
		cmocka_unit_test(locking_beyond_the_limit_names_the_limit),
		cmocka_unit_test(destroying_nothing_is_allowed),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
