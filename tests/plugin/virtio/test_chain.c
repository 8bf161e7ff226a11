/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor chains: what must work and what must come back unused. Names begin with the row of the
 * catalogue of hostile guests that they are for.
 */
#include <sys/mman.h>

#include "ring_fixture.h"

static void q1_loops_come_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 0);
	expect_unusable(f);
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA, 4, DESC_NEXT, 0);
	expect_unusable(f);
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA, 4, DESC_NEXT, 2);
	desc(f, 2, BUFFER_GPA, 4, DESC_NEXT, 1);
	expect_unusable(f);
	desc(f, 0, BUFFER_GPA, 0, DESC_NEXT, 0); /* of nothing, so that no sum ends it */
	expect_unusable(f);
	ring_end(f);
}

static void q2_next_outside_of_the_table_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 8);
	expect_unusable(f);
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 0xffff);
	expect_unusable(f);
	ring_end(f);
}

static void q3_chain_longer_than_the_queue_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	/* 3 direct and 6 indirect: each table alone is short enough. */
	for (uint16_t i = 0; i < 3; i++)
		desc(f, i, BUFFER_GPA, 4, DESC_NEXT, (uint16_t)(i + 1));
	desc(f, 3, TABLE_GPA, 6 * 16, DESC_INDIRECT, 0);
	for (uint16_t i = 0; i < 6; i++)
		desc_in(f, TABLE_GPA, i, BUFFER_GPA, 4, i < 5 ? DESC_NEXT : 0, (uint16_t)(i + 1));
	expect_unusable(f);
	desc_in(f, TABLE_GPA, 4, BUFFER_GPA, 4, 0, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1); /* 8 of them are good */
	assert_int_equal(f->chain.readable_bytes, 32);
	ring_end(f);
}

static void q3_indirect_chain_may_be_as_long_as_the_largest_queue(void **state)
{
	struct ring_fixture *f = ring_make(4, 16); /* the driver chose less than it could */

	(void)state;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	desc(f, 0, TABLE_GPA, 16 * 16, DESC_INDIRECT, 0);
	for (uint16_t i = 0; i < 16; i++)
		desc_in(f, TABLE_GPA, i, BUFFER_GPA + i * 64u, 4, i < 15 ? DESC_NEXT : 0,
			(uint16_t)(i + 1));
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable, 16);
	ring_end(f);
}

static void q4_empty_buffers_are_left_out(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 0, DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA, 5, DESC_NEXT, 2);
	desc(f, 2, HOLE_GPA, 0, DESC_NEXT | DESC_WRITE, 3); /* nothing is nowhere */
	desc(f, 3, BUFFER_GPA + 64, 7, DESC_NEXT | DESC_WRITE, 4);
	desc(f, 4, BUFFER_GPA, 0, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable, 1);
	assert_int_equal(f->chain.writable, 1);
	assert_int_equal(f->chain.readable_bytes, 5);
	assert_int_equal(f->chain.writable_bytes, 7);
	ring_end(f);
}

static void q4_chain_of_nothing_but_empty_buffers_is_a_chain(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 0, 0, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable + f->chain.writable, 0);
	assert_int_equal(virtq_push(&f->q, 0, 1), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 0, 0), 0);
	ring_end(f);
}

/* Address space only: the pointers are never followed. */
static void q5_sum_of_4_gib_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);
	uint64_t bytes = 5ull << 30;
	void *space =
		mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *high = f->ranges[2].base;

	(void)state;
	assert_ptr_not_equal(space, MAP_FAILED);
	f->ranges[2].base = space;
	f->ranges[2].bytes = bytes;
	desc(f, 0, HIGH_GPA, 0x80000000u, DESC_NEXT, 1);
	desc(f, 1, HIGH_GPA, 0x80000000u, 0, 0);
	expect_unusable(f);
	desc(f, 0, HIGH_GPA, 0x80000000u, DESC_NEXT, 1);
	desc(f, 1, HIGH_GPA, 0x80000000u, DESC_WRITE, 0);
	expect_unusable(f);
	for (uint16_t i = 0; i < 6; i++)
		desc(f, i, HIGH_GPA, 0xffffffffu, i < 5 ? DESC_NEXT : 0, (uint16_t)(i + 1));
	expect_unusable(f);
	desc(f, 0, HIGH_GPA, 0xffffffffu, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.writable_bytes, 0xffffffffu);
	f->ranges[2].base = high;
	munmap(space, bytes);
	ring_end(f);
}

static void q6_address_that_wraps_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, UINT64_MAX - 3, 8, 0, 0);
	expect_unusable(f);
	desc(f, 0, UINT64_MAX, 0xffffffffu, DESC_WRITE, 0);
	expect_unusable(f);
	/* Even with RAM up to the end: it does not go on at address 0. */
	f->ranges[2].gpa.value = 0 - (uint64_t)HIGH_BYTES;
	desc(f, 0, UINT64_MAX - 3, 8, 0, 0);
	expect_unusable(f);
	ring_end(f);
}

static void q7_address_zero_and_the_last_byte_are_ram(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, 0, 4, DESC_NEXT, 1);
	desc(f, 1, HIGH_GPA + HIGH_BYTES - 4, 4, 0, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_ptr_equal(f->iov[0].base, f->ranges[0].base);
	assert_ptr_equal(f->iov[1].base, (char *)f->ranges[2].base + HIGH_BYTES - 4);
	ring_end(f);
}

static void q7_outside_of_ram_comes_back_unused(void **state)
{
	static const uint64_t outside[][2] = {
		{HIGH_GPA + HIGH_BYTES, 1},     /* beyond */
		{HIGH_GPA + HIGH_BYTES - 3, 4}, /* one past the end */
		{0xc0000000u, 4096},            /* the hole below 4 GiB */
		{HIGH_GPA - 1, 1},
		{1ull << 63, 1},
	};
	struct ring_fixture *f = ring_start(8);

	(void)state;
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		desc(f, 0, outside[i][0], (uint32_t)outside[i][1], DESC_WRITE, 0);
		expect_unusable(f);
	}
	ring_end(f);
}

static void q8_buffer_across_two_ranges_of_ram_works(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, NEXT_GPA - 10, 30, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.writable, 2);
	assert_int_equal(f->chain.writable_bytes, 30);
	assert_ptr_equal(f->iov[0].base, (char *)f->ranges[0].base + LOW_BYTES - 10);
	assert_int_equal(f->iov[0].bytes, 10);
	assert_ptr_equal(f->iov[1].base, f->ranges[1].base);
	assert_int_equal(f->iov[1].bytes, 20);
	ring_end(f);
}

static void q9_buffer_across_ram_and_hole_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, HOLE_GPA - 10, 20, DESC_WRITE, 0);
	expect_unusable(f);
	ring_end(f);
}

static void q12_readable_behind_writable_comes_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT | DESC_WRITE, 1);
	desc(f, 1, BUFFER_GPA, 4, 0, 0);
	expect_unusable(f);
	desc(f, 0, BUFFER_GPA, 0, DESC_NEXT | DESC_WRITE, 1); /* even an empty one */
	desc(f, 1, BUFFER_GPA, 4, 0, 0);
	expect_unusable(f);
	ring_end(f);
}

static void q13_any_layout_of_the_same_bytes_works(void **state)
{
	struct ring_fixture *f = ring_start(32);

	(void)state;
	for (uint16_t i = 0; i < 16; i++) /* neighbours: they come as one */
		desc(f, i, BUFFER_GPA + i, 1, DESC_NEXT, (uint16_t)(i + 1));
	desc(f, 16, BUFFER_GPA + 16, 1, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable, 1);
	assert_int_equal(f->chain.readable_bytes, 16);
	assert_int_equal(f->chain.writable, 1); /* but never joined with a readable one */
	for (uint16_t i = 17; i < 31; i++)
		desc(f, i, BUFFER_GPA + 2u * i, 1, DESC_NEXT, (uint16_t)(i + 1));
	desc(f, 31, BUFFER_GPA, 1, 0, 0);
	offer(f, 17);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable, 15);
	ring_end(f);
}

static void q14_indirect_descriptors_that_break_the_rules_come_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc_in(f, TABLE_GPA, 0, BUFFER_GPA, 4, 0, 0);
	desc(f, 0, TABLE_GPA, 16, DESC_INDIRECT | DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA, 4, 0, 0);
	expect_unusable(f);
	desc(f, 0, TABLE_GPA, 16, DESC_INDIRECT, 0);
	desc_in(f, TABLE_GPA, 0, TABLE_GPA, 16, DESC_INDIRECT, 0);
	expect_unusable(f);
	ring_end(f);

	f = ring_make(8, 8);
	f->setup.indirect = false;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	desc_in(f, TABLE_GPA, 0, BUFFER_GPA, 4, 0, 0);
	desc(f, 0, TABLE_GPA, 16, DESC_INDIRECT, 0);
	expect_unusable(f);
	ring_end(f);
}

static void q15_indirect_tables_that_cannot_be_come_back_unused(void **state)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
	} tables[] = {
		{TABLE_GPA, 0},
		{TABLE_GPA, 8},
		{TABLE_GPA, 17},
		{TABLE_GPA, 0xfffffff0u},
		{TABLE_GPA, 9 * 16},
		{HOLE_GPA, 16},
		{HOLE_GPA - 16, 32},
		{NEXT_GPA - 16, 32}, /* across two ranges that are mapped apart */
		{UINT64_MAX - 15, 32},
	};
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc_in(f, TABLE_GPA, 0, BUFFER_GPA, 4, 0, 0);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		desc(f, 0, tables[i].gpa, tables[i].len, DESC_INDIRECT, 0);
		expect_unusable(f);
	}
	desc(f, 0, TABLE_GPA, 2 * 16, DESC_INDIRECT, 0);
	desc_in(f, TABLE_GPA, 0, BUFFER_GPA, 4, DESC_NEXT, 1);
	desc_in(f, TABLE_GPA, 1, BUFFER_GPA, 4, DESC_NEXT, 0);
	expect_unusable(f);
	desc_in(f, TABLE_GPA, 1, BUFFER_GPA, 4, DESC_NEXT, 2);
	expect_unusable(f);
	ring_end(f);
}

static void q16_direct_descriptors_before_an_indirect_one_work(void **state)
{
	struct ring_fixture *f = ring_start(8);
	uint64_t odd_table = TABLE_GPA + 3; /* no alignment is asked for */

	(void)state;
	desc(f, 0, BUFFER_GPA, 4, DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA + 64, 4, DESC_NEXT, 2);
	desc(f, 2, odd_table, 2 * 16, DESC_INDIRECT | DESC_WRITE, 0);
	desc_in(f, odd_table, 0, BUFFER_GPA + 128, 4, DESC_NEXT, 1);
	desc_in(f, odd_table, 1, BUFFER_GPA + 192, 8, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable_bytes, 12);
	assert_int_equal(f->chain.writable_bytes, 8);
	ring_end(f);
}

static void more_entries_than_the_device_takes_come_back_unused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	f->chain.iov_max = 2;
	for (uint16_t i = 0; i < 3; i++)
		desc(f, i, BUFFER_GPA + i * 64u, 4, i < 2 ? DESC_NEXT : 0, (uint16_t)(i + 1));
	expect_unusable(f);
	ring_end(f);
}

/* RAM of a host that maps all of it in one piece: with a hole for the guest, and without one. */
static uint8_t piece[0x3000];
static struct vmm_ram_range mapped[3];

static int32_t ranges(vmm_host *host, uint64_t space, struct vmm_ram_range *to, uint32_t max)
{
	(void)host;
	(void)space;
	for (uint32_t i = 0; i < 3 && i < max; i++)
		to[i] = mapped[i];
	return 3;
}

static void q8_q9_ranges_are_one_only_if_they_are_for_guest_and_host(void **state)
{
	const struct vmm_memory memory = {.size = sizeof(memory), .ranges = ranges};
	struct ram_map map;

	(void)state;
	mapped[0] = (struct vmm_ram_range){{0}, 0x1000, piece};
	mapped[1] = (struct vmm_ram_range){{0x1000}, 0x1000, piece + 0x1000};
	mapped[2] = (struct vmm_ram_range){{0x4000}, 0x1000, piece + 0x2000};
	assert_int_equal(ram_map_init(&map, &memory, NULL, 0), 0);
	assert_int_equal(map.count, 2);
	assert_ptr_equal(ram_at(&map, (vmm_gpa){0xff0}, 0x20), piece + 0xff0);
	assert_null(ram_at(&map, (vmm_gpa){0x1ff0}, 0x20)); /* the hole */
	assert_null(ram_at(&map, (vmm_gpa){0x2000}, 1));
	assert_ptr_equal(ram_at(&map, (vmm_gpa){0x4000}, 0x1000), piece + 0x2000);
	ram_map_fini(&map);
	mapped[1].base = piece + 0x2000; /* neighbours for the guest, but not here */
	mapped[2].base = piece + 0x1000;
	assert_int_equal(ram_map_init(&map, &memory, NULL, 0), 0);
	assert_int_equal(map.count, 3);
	assert_null(ram_at(&map, (vmm_gpa){0xff0}, 0x20));
	ram_map_fini(&map);
	/* One of no bytes stands in nobody's way. */
	mapped[1] = (struct vmm_ram_range){{0x4000}, 0, piece};
	mapped[2] = (struct vmm_ram_range){{0x1000}, 0x1000, piece + 0x1000};
	assert_int_equal(ram_map_init(&map, &memory, NULL, 0), 0);
	assert_int_equal(map.count, 1);
	ram_map_fini(&map);
}

/* What the host says when it is asked for the number of ranges, and for the ranges. */
static int32_t answers[2];

static int32_t answer(vmm_host *host, uint64_t space, struct vmm_ram_range *to, uint32_t max)
{
	(void)host, (void)space, (void)max;
	return answers[to != NULL];
}

static void ranges_that_the_host_does_not_give_are_an_error(void **state)
{
	static const int32_t wrong[][3] = {
		{VMM_E_PHASE, VMM_E_INVAL, VMM_E_PHASE},
		{2, VMM_E_IO, VMM_E_IO},
		{2, 1, VMM_E_INVAL},
		{2, 3, VMM_E_INVAL},
	};
	const struct vmm_memory memory = {.size = sizeof(memory), .ranges = answer};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct ram_map map = {0};

		memcpy(answers, wrong[i], sizeof(answers));
		assert_int_equal(ram_map_init(&map, &memory, NULL, 0), wrong[i][2]);
		assert_null(map.ranges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(q1_loops_come_back_unused),
		cmocka_unit_test(q2_next_outside_of_the_table_comes_back_unused),
		cmocka_unit_test(q3_chain_longer_than_the_queue_comes_back_unused),
		cmocka_unit_test(q3_indirect_chain_may_be_as_long_as_the_largest_queue),
		cmocka_unit_test(q4_empty_buffers_are_left_out),
		cmocka_unit_test(q4_chain_of_nothing_but_empty_buffers_is_a_chain),
		cmocka_unit_test(q5_sum_of_4_gib_comes_back_unused),
		cmocka_unit_test(q6_address_that_wraps_comes_back_unused),
		cmocka_unit_test(q7_address_zero_and_the_last_byte_are_ram),
		cmocka_unit_test(q7_outside_of_ram_comes_back_unused),
		cmocka_unit_test(q8_buffer_across_two_ranges_of_ram_works),
		cmocka_unit_test(q9_buffer_across_ram_and_hole_comes_back_unused),
		cmocka_unit_test(q8_q9_ranges_are_one_only_if_they_are_for_guest_and_host),
		cmocka_unit_test(ranges_that_the_host_does_not_give_are_an_error),
		cmocka_unit_test(q12_readable_behind_writable_comes_back_unused),
		cmocka_unit_test(q13_any_layout_of_the_same_bytes_works),
		cmocka_unit_test(q14_indirect_descriptors_that_break_the_rules_come_back_unused),
		cmocka_unit_test(q15_indirect_tables_that_cannot_be_come_back_unused),
		cmocka_unit_test(q16_direct_descriptors_before_an_indirect_one_work),
		cmocka_unit_test(more_entries_than_the_device_takes_come_back_unused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
