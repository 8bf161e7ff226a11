/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants to be told of new entries: notifications that the driver is asked for, and interrupts.
 */
#include <signal.h>
#include <sys/mman.h>

#include "ring_fixture.h"

static void driver_is_silent_while_the_device_pops(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	assert_int_equal(pop(f), 0);
	assert_int_equal(used_ring(f)->flags, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(used_ring(f)->flags, USED_NO_NOTIFY);
	assert_int_equal(pop(f), 0);
	assert_int_equal(used_ring(f)->flags, 0);
	ring_end(f);
}

static void event_index_asks_for_the_next_entry_when_the_ring_is_empty(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);

	(void)state;
	fill_table(f);
	for (uint16_t i = 0; i < 3; i++)
		offer(f, i);
	for (uint32_t i = 0; i < 3; i++)
		pop_and_push(f, i);
	assert_int_equal(*f->q.avail_event, 0);
	assert_int_equal(pop(f), 0);
	assert_int_equal(*f->q.avail_event, 3);
	assert_int_equal(used_ring(f)->flags, 0); /* "MUST set to 0" with the event index */
	offer(f, 3);
	pop_and_push(f, 3);
	assert_int_equal(used_ring(f)->flags, 0);
	ring_end(f);
}

/* A ring that is made again where another one was: what is in its memory says nothing of us. */
static void driver_is_asked_anew_when_the_queue_is_started_again(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);

	(void)state;
	assert_int_equal(pop(f), 0);
	*f->q.avail_event = 0x1234;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	assert_int_equal(pop(f), 0);
	assert_int_equal(*f->q.avail_event, 0);
	ring_end(f);
}

static void driver_is_asked_later_by_who_wants_to_look_before(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);

	(void)state;
	fill_table(f);
	f->q.ask_later = true;
	offer(f, 0);
	pop_and_push(f, 0);
	assert_int_equal(pop(f), 0);
	assert_int_equal(*f->q.avail_event, 0);
	assert_true(f->q.unasked);
	assert_false(virtq_waiting(&f->q));
	assert_false(virtq_listen(&f->q));
	assert_int_equal(*f->q.avail_event, 1);
	offer(f, 1);
	assert_true(virtq_waiting(&f->q));
	assert_int_equal(pop(f), 1);
	assert_false(virtq_waiting(&f->q));
	assert_int_equal(virtq_unpop(&f->q, 1), 0);
	assert_true(virtq_waiting(&f->q));
	ring_end(f);
}

static struct ring_fixture *trapped;

/* The driver is faster than the device's wish: its entry is there before that is written. */
static void offer_at_the_wish(int number)
{
	(void)number;
	mprotect(at(trapped, USED_GPA), PAGE_BYTES, PROT_READ | PROT_WRITE);
	offer(trapped, 2);
}

static void expect_entry_of_the_trap(struct ring_fixture *f)
{
	struct sigaction before, trap = {.sa_handler = offer_at_the_wish};

	trapped = f;
	fill_table(f);
	assert_int_equal(sigaction(SIGSEGV, &trap, &before), 0);
	assert_int_equal(mprotect(at(f, USED_GPA), PAGE_BYTES, PROT_READ), 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.id, 2);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	ring_end(f);
}

static void entry_that_comes_while_the_driver_is_asked_is_not_missed(void **state)
{
	(void)state;
	expect_entry_of_the_trap(ring_start(8));
	expect_entry_of_the_trap(ring_start_event_idx(8));
}

static void flags_suppress_interrupts(void **state)
{
	struct ring_fixture *f = ring_start(8);

	(void)state;
	fill_table(f);
	((struct virtq_avail *)at(f, AVAIL_GPA))->flags = AVAIL_NO_INTERRUPT;
	offer(f, 0);
	pop_and_push(f, 0);
	assert_false(virtq_flush(&f->q));
	((struct virtq_avail *)at(f, AVAIL_GPA))->flags = 0;
	offer(f, 1);
	pop_and_push(f, 1);
	assert_true(virtq_flush(&f->q));
	ring_end(f);
}

static void entries_that_were_shown_are_decided_on_at_the_flush(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);

	(void)state;
	fill_table(f);
	*f->q.used_event = 1;
	for (uint32_t i = 0; i < 3; i++) {
		offer(f, (uint16_t)i);
		pop_and_push(f, i);
		virtq_show(&f->q);
		assert_int_equal(used_ring(f)->idx, i + 1);
	}
	assert_false(virtq_idle(&f->q)); /* nobody else would tell the driver */
	assert_true(virtq_flush(&f->q)); /* for the second of them */
	assert_true(virtq_idle(&f->q));
	assert_false(virtq_flush(&f->q));
	offer(f, 3);
	pop_and_push(f, 3);
	virtq_show(&f->q);
	*f->q.used_event = 4; /* the driver has found it, and wants the next one */
	assert_false(virtq_flush(&f->q));
	offer(f, 4);
	pop_and_push(f, 4);
	virtq_show(&f->q);
	set_avail_idx(f, 1000);
	assert_int_equal(pop(f), 0);
	assert_false(virtq_flush(&f->q)); /* of a broken ring nobody is told anything but that */
	ring_end(f);
}

static void event_index_interrupts_when_the_event_is_among_the_new_entries(void **state)
{
	struct ring_fixture *f = ring_start_event_idx(8);
	bool expected[] = {false, false, true, false};

	(void)state;
	fill_table(f);
	*f->q.used_event = 2;
	for (uint32_t i = 0; i < 4; i++) {
		offer(f, (uint16_t)i);
		pop_and_push(f, i);
		assert_int_equal(virtq_flush(&f->q), expected[i]);
	}
	*f->q.used_event = 5;
	for (uint32_t i = 0; i < 3; i++) {
		offer(f, (uint16_t)i);
		pop_and_push(f, i);
	}
	assert_true(virtq_flush(&f->q)); /* 4, 5 and 6 in one batch: one interrupt */
	ring_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_is_silent_while_the_device_pops),
		cmocka_unit_test(event_index_asks_for_the_next_entry_when_the_ring_is_empty),
		cmocka_unit_test(driver_is_asked_anew_when_the_queue_is_started_again),
		cmocka_unit_test(driver_is_asked_later_by_who_wants_to_look_before),
		cmocka_unit_test(entry_that_comes_while_the_driver_is_asked_is_not_missed),
		cmocka_unit_test(flags_suppress_interrupts),
		cmocka_unit_test(entries_that_were_shown_are_decided_on_at_the_flush),
		cmocka_unit_test(event_index_interrupts_when_the_event_is_among_the_new_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
