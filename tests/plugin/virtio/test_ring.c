/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two rings of a queue: indexes and heads in flight. Names begin with the row of the catalogue
 * of hostile guests that they are for.
 */
#include "ring_fixture.h"

static void q2_head_outside_of_the_table_breaks_the_ring(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	offer(f, 8);
	expect_broken(f);
	offer(f, 0xffff);
	expect_broken(f);
	ring_end(f);
}

static void q11_buffer_over_the_rings_is_served(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, DESC_GPA, 128, DESC_WRITE | DESC_NEXT, 1);
	desc(f, 1, AVAIL_GPA, 22, DESC_WRITE | DESC_NEXT, 2);
	desc(f, 2, USED_GPA, 70, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	for (uint32_t i = 0; i < f->chain.writable; i++)
		memset(f->iov[i].base, 0xa5, f->iov[i].bytes);
	/* Our own copy of what is in flight counts. */
	assert_int_equal(virtq_push(&f->q, 0, 220), 0);
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->idx, 1);
	assert_int_equal(used_ring(f)->ring[0].len, 220);
	expect_broken(f); /* 0xa5a5 is not an index that follows */
	ring_end(f);
}

static void q17_index_that_jumps_breaks_the_ring(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	used_ring(f)->flags = 0x55;
	set_avail_idx(f, 9);
	assert_int_equal(pop(f), 0);
	assert_int_equal(used_ring(f)->flags, 0x55); /* nobody is asked for more */
	expect_broken(f);
	for (uint16_t i = 1; i < 4; i++) {
		offer(f, i);
		pop_and_push(f, i);
	}
	set_avail_idx(f, 2); /* backwards */
	virtq_flush(&f->q);
	expect_broken(f);
	ring_end(f);
}

static void q17_index_that_goes_backwards_breaks_the_largest_ring(void **state)
{
	struct ring_fixture *f = ring_start(32768);

	(void)state;
	fill_table(f);
	for (uint16_t i = 0; i < 10; i++)
		offer(f, i);
	for (uint16_t i = 0; i < 10; i++)
		pop_and_push(f, i);
	virtq_flush(&f->q);
	set_avail_idx(f, 9);
	expect_broken(f);
	ring_end(f);
}

static void q18_head_that_is_in_flight_breaks_the_ring(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 3);
	assert_int_equal(pop(f), 1);
	offer(f, 3);
	expect_broken(f);
	ring_end(f);
}

static void q18_head_that_is_not_flushed_breaks_the_ring(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 3);
	pop_and_push(f, 3);
	offer(f, 3); /* before it has been told that 3 is used */
	expect_broken(f);
	ring_end(f);
}

static void q18_head_that_was_put_back_breaks_the_ring(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 3);
	assert_int_equal(pop(f), 1);
	assert_int_equal(virtq_unpop(&f->q, 3), 0);
	assert_int_equal(virtq_unpop(&f->q, 3), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 3, 0), VMM_E_INVAL);
	offer(f, 3);
	assert_int_equal(pop(f), 1); /* the one that was put back */
	expect_broken(f);
	ring_end(f);
}

static void q18_second_push_is_refused(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 3);
	pop_and_push(f, 3);
	assert_int_equal(virtq_push(&f->q, 3, 0), VMM_E_INVAL);
	assert_int_equal(virtq_unpop(&f->q, 3), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 4, 0), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 8, 0), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, UINT32_MAX, 0), VMM_E_INVAL);
	ring_end(f);
}

static void q19_in_flight_is_bounded_by_the_size(void **state)
{
	struct ring_fixture *f = ring_start(4);

	(void)state;
	fill_table(f);
	for (uint16_t i = 0; i < 4; i++)
		offer(f, i);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pop(f), 1);
	assert_int_equal(f->q.in_flight, 4);
	/* Every further head is one of those. */
	offer(f, 2);
	virtq_refill(&f->q);
	expect_broken(f);
	ring_end(f);
}

static void q19_driver_that_never_reaps_is_served(void **state)
{
	struct ring_fixture *f = ring_start(4);

	(void)state;
	fill_table(f);
	for (uint32_t i = 0; i < 100; i++) {
		offer(f, (uint16_t)(i % 4));
		pop_and_push(f, i % 4);
		virtq_flush(&f->q);
		virtq_refill(&f->q);
	}
	assert_int_equal(used_ring(f)->idx, 100);
	ring_end(f);
}

/* Runs a full ring over the wrap of the 16-bit indexes. */
static void run_over_the_wrap(uint32_t size, bool event_idx)
{
	struct ring_fixture *f = event_idx ? ring_start_event_idx(size) : ring_start(size);
	uint32_t rounds = 3 * 65536 / size + 2;

	fill_table(f);
	for (uint32_t round = 0; round < rounds; round++) {
		uint16_t start = f->avail_idx;

		for (uint32_t i = 0; i < size; i++)
			offer(f, (uint16_t)i);
		for (uint32_t i = 0; i < size; i++)
			pop_and_push(f, i);
		assert_int_equal(pop(f), 0);
		virtq_flush(&f->q);
		virtq_refill(&f->q);
		assert_int_equal(used_ring(f)->idx, (uint16_t)(start + size));
	}
	assert_null(f->q.broken);
	ring_end(f);
}

static void q20_full_rings_of_all_sizes_go_over_the_wrap(void **state)
{
	(void)state;
	for (uint32_t size = 1; size <= 32768; size *= 8) {
		run_over_the_wrap(size, false);
		run_over_the_wrap(size, true);
	}
}

static void q21_areas_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint64_t desc, avail, used;
	} bad[] = {
		{DESC_GPA + 8, AVAIL_GPA, USED_GPA},
		{DESC_GPA, AVAIL_GPA + 1, USED_GPA},
		{DESC_GPA, AVAIL_GPA, USED_GPA + 2},
		{HOLE_GPA, AVAIL_GPA, USED_GPA},
		{DESC_GPA, HOLE_GPA, USED_GPA},
		{DESC_GPA, AVAIL_GPA, HOLE_GPA},
		{HOLE_GPA - 16, AVAIL_GPA, USED_GPA},
		{DESC_GPA, HOLE_GPA - 20, USED_GPA},  /* used_event is outside */
		{DESC_GPA, AVAIL_GPA, HOLE_GPA - 68}, /* avail_event is outside */
		{NEXT_GPA - 16, AVAIL_GPA, USED_GPA}, /* in two ranges */
		{UINT64_MAX - 15, AVAIL_GPA, USED_GPA},
		{DESC_GPA, UINT64_MAX - 1, USED_GPA},
		{DESC_GPA, AVAIL_GPA, UINT64_MAX - 3},
	};
	struct ring_fixture *f = ring_make(8, 8);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		f->setup.desc.value = bad[i].desc;
		f->setup.avail.value = bad[i].avail;
		f->setup.used.value = bad[i].used;
		assert_non_null(virtq_start(&f->q, &f->ram, &f->setup));
		assert_int_equal(pop(f), 0);
		assert_false(virtq_flush(&f->q));
	}
	f->setup.desc.value = HOLE_GPA - 128;
	f->setup.avail.value = HOLE_GPA - 22;
	f->setup.used.value = HOLE_GPA - 72;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup)); /* the last that fits */
	ring_end(f);
}

static void q21_refused_start_forgets_what_was_in_flight(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 16, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	f->setup.desc.value = HOLE_GPA;
	assert_non_null(virtq_start(&f->q, &f->ram, &f->setup));
	assert_int_equal(virtq_push(&f->q, 0, 0), VMM_E_INVAL);
	assert_int_equal(virtq_unpop(&f->q, 0), VMM_E_INVAL);
	assert_true(virtq_idle(&f->q));
	ring_end(f);
}

static void started_queue_knows_nothing_of_what_was_before(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 3);
	assert_int_equal(pop(f), 1);
	offer(f, 4);
	pop_and_push(f, 4);
	virtq_show(&f->q);
	assert_int_equal(virtq_unpop(&f->q, 3), 0);
	set_avail_idx(f, 0);
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	assert_true(virtq_idle(&f->q));
	assert_int_equal(pop(f), 0);
	assert_false(virtq_flush(&f->q));
	ring_end(f);
}

static void t2_sizes_that_cannot_be_are_refused(void **state)
{
	static const uint32_t bad[] = {0, 3, 7, 12, 16, 0x80000000u, UINT32_MAX};
	struct ring_fixture *f = ring_make(8, 8);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		f->setup.size = bad[i];
		assert_non_null(virtq_start(&f->q, &f->ram, &f->setup));
		assert_int_equal(pop(f), 0);
	}
	ring_end(f);
}

static void q22_areas_that_overlap_do_no_harm(void **state)
{
	struct ring_fixture *f = ring_make(8, 8);

	(void)state;
	f->setup.avail.value = DESC_GPA;
	f->setup.used.value = DESC_GPA;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t *words = at(f, DESC_GPA);

		words[i % 64] = (uint16_t)(i * 40503u);
		words[1] = (uint16_t)(f->q.next_avail + 1);
		if (pop(f) == 1)
			virtq_push(&f->q, f->chain.id, 0);
		virtq_flush(&f->q);
		virtq_refill(&f->q);
		if (f->q.broken)
			assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	}
	ring_end(f);
}

static void q23_what_the_driver_scribbles_is_not_read_back(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);

	(void)state;
	fill_table(f);
	for (uint32_t i = 0; i < 20; i++) {
		offer(f, (uint16_t)(i % 8));
		memset(at(f, USED_GPA), (int)(i * 37), virtq_used_bytes(8));
		((struct virtq_avail *)at(f, AVAIL_GPA))->flags = (uint16_t)(i * 40503u);
		*f->q.used_event = (uint16_t)(i * 25173u);
		pop_and_push(f, i % 8);
		virtq_flush(&f->q);
		virtq_refill(&f->q);
		assert_int_equal(used_ring(f)->idx, i + 1);
		assert_int_equal(used_ring(f)->ring[i % 8].id, i % 8);
	}
	ring_end(f);
}

static void q24_chain_stays_what_it_was_when_its_descriptors_change(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 16, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	memset(at(f, DESC_GPA), 0xff, virtq_desc_bytes(8));
	assert_ptr_equal(f->iov[0].base, at(f, BUFFER_GPA));
	assert_int_equal(f->iov[0].bytes, 16);
	assert_int_equal(virtq_push(&f->q, 0, 17), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 0, 16), 0);
	ring_end(f);
}

static void q25_more_than_the_writable_bytes_cannot_be_reported(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	desc(f, 0, BUFFER_GPA, 16, DESC_NEXT, 1);
	desc(f, 1, BUFFER_GPA, 16, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(virtq_push(&f->q, 0, 17), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 0, UINT64_MAX), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 0, 1ull << 32), VMM_E_INVAL);
	assert_int_equal(virtq_push(&f->q, 0, 16), 0);
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->ring[0].len, 16);
	ring_end(f);
}

static void chains_put_back_come_again_in_the_order_they_had(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	for (uint16_t i = 0; i < 3; i++)
		offer(f, (uint16_t)(5 + i % 3));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pop(f), 1);
	for (uint32_t i = 3; i-- > 0;)
		assert_int_equal(virtq_unpop(&f->q, 5 + i), 0);
	assert_false(virtq_idle(&f->q));
	virtq_refill(&f->q);
	for (uint32_t i = 0; i < 3; i++)
		pop_and_push(f, 5 + i);
	virtq_flush(&f->q);
	assert_true(virtq_idle(&f->q));
	ring_end(f);
}

static void pushed_chains_are_seen_at_the_flush_and_not_before(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	offer(f, 0);
	offer(f, 1);
	pop_and_push(f, 0);
	pop_and_push(f, 1);
	assert_int_equal(used_ring(f)->idx, 0);
	assert_false(virtq_idle(&f->q)); /* nobody else may have the ring now */
	assert_true(virtq_flush(&f->q));
	assert_int_equal(used_ring(f)->idx, 2);
	assert_false(virtq_flush(&f->q)); /* nothing new: no second interrupt */
	ring_end(f);
}

static void t18_one_notification_is_served_a_queue_full_at_most(void **state)
{
	struct ring_fixture *f = ring_start(4);

	(void)state;
	fill_table(f);
	for (uint32_t i = 0; i < 4; i++) {
		offer(f, (uint16_t)i);
		pop_and_push(f, i);
		virtq_flush(&f->q);
	}
	assert_int_equal(pop(f), 0);
	assert_false(f->q.starved); /* nothing is waiting */
	offer(f, 0);
	assert_int_equal(pop(f), 0);
	assert_true(f->q.starved);
	virtq_refill(&f->q);
	pop_and_push(f, 0);
	ring_end(f);
}

static void t18_chains_that_come_back_unused_count_too(void **state)
{
	struct ring_fixture *f = ring_start(4);

	(void)state;
	desc(f, 0, HOLE_GPA, 1, 0, 0);
	for (uint32_t i = 0; i < 4; i++) {
		offer(f, 0);
		assert_int_equal(pop(f), 0);
		virtq_flush(&f->q);
	}
	offer(f, 0);
	assert_int_equal(pop(f), 0);
	assert_true(f->q.starved);
	ring_end(f);
}

static void queue_goes_on_after_a_back_end_had_it(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	assert_int_equal(pop(f), 0);
	set_avail_idx(f, 5);
	used_ring(f)->idx = 5;
	used_ring(f)->flags = USED_NO_NOTIFY; /* as the back end left it */
	virtq_resume(&f->q, 5);
	assert_false(virtq_flush(&f->q)); /* whoever had it has told of the five */
	assert_int_equal(pop(f), 0);
	assert_int_equal(used_ring(f)->flags, 0);
	offer(f, 6);
	pop_and_push(f, 6);
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->idx, 6);
	assert_int_equal(used_ring(f)->ring[5].id, 6);
	ring_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(q2_head_outside_of_the_table_breaks_the_ring),
		cmocka_unit_test(q11_buffer_over_the_rings_is_served),
		cmocka_unit_test(q17_index_that_jumps_breaks_the_ring),
		cmocka_unit_test(q17_index_that_goes_backwards_breaks_the_largest_ring),
		cmocka_unit_test(q18_head_that_is_in_flight_breaks_the_ring),
		cmocka_unit_test(q18_head_that_is_not_flushed_breaks_the_ring),
		cmocka_unit_test(q18_head_that_was_put_back_breaks_the_ring),
		cmocka_unit_test(q18_second_push_is_refused),
		cmocka_unit_test(q19_in_flight_is_bounded_by_the_size),
		cmocka_unit_test(q19_driver_that_never_reaps_is_served),
		cmocka_unit_test(q20_full_rings_of_all_sizes_go_over_the_wrap),
		cmocka_unit_test(q21_areas_that_cannot_be_are_refused),
		cmocka_unit_test(q21_refused_start_forgets_what_was_in_flight),
		cmocka_unit_test(started_queue_knows_nothing_of_what_was_before),
		cmocka_unit_test(t2_sizes_that_cannot_be_are_refused),
		cmocka_unit_test(q22_areas_that_overlap_do_no_harm),
		cmocka_unit_test(q23_what_the_driver_scribbles_is_not_read_back),
		cmocka_unit_test(q24_chain_stays_what_it_was_when_its_descriptors_change),
		cmocka_unit_test(q25_more_than_the_writable_bytes_cannot_be_reported),
		cmocka_unit_test(chains_put_back_come_again_in_the_order_they_had),
		cmocka_unit_test(pushed_chains_are_seen_at_the_flush_and_not_before),
		cmocka_unit_test(t18_one_notification_is_served_a_queue_full_at_most),
		cmocka_unit_test(t18_chains_that_come_back_unused_count_too),
		cmocka_unit_test(queue_goes_on_after_a_back_end_had_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
