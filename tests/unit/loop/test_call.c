/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU and a device's loop: sync calls, which it waits for, and a loop that it borrows.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fixture.h"

struct call {
	struct loop *loop;
	_Atomic uint32_t count;
	_Atomic int result;
	bool on_loop;
	uint32_t order[4];
};

static void call_cb(void *arg)
{
	struct call *call = arg;

	call->on_loop = loop_is_current(call->loop);
	call->count++;
}

static void test_a_sync_call_runs_on_the_loop_and_has_run_when_it_returns(void **state)
{
	struct call call = {.loop = *state};

	assert_int_equal(loop_thread_start(call.loop), 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		assert_int_equal(loop_call_sync(call.loop, call_cb, &call), 0);
		assert_int_equal(call.count, i);
		assert_true(call.on_loop);
	}
	loop_thread_join(call.loop);
}

static void nested_cb(void *arg)
{
	struct call *call = arg;

	call->result = loop_call_sync(call->loop, call_cb, call);
	loop_stop(call->loop);
}

static void test_a_sync_call_on_the_loops_own_thread_is_made_at_once(void **state)
{
	struct call call = {.loop = *state, .result = -1};

	loop_post(*state, NULL, nested_cb, &call);
	loop_run(*state);
	assert_int_equal(call.result, 0);
	assert_int_equal(call.count, 1);
}

static void first_cb(void *arg)
{
	struct call *call = arg;

	call->order[0] = call->count++;
}

static void second_cb(void *arg)
{
	struct call *call = arg;

	call->order[1] = call->count++;
}

static void test_a_sync_call_comes_after_earlier_posts(void **state)
{
	struct call call = {.loop = *state};

	loop_post(*state, NULL, first_cb, &call);
	assert_int_equal(loop_thread_start(*state), 0);
	assert_int_equal(loop_call_sync(*state, second_cb, &call), 0);
	loop_thread_join(*state);
	assert_int_equal(call.order[0], 0);
	assert_int_equal(call.order[1], 1);
}

static void *caller(void *arg)
{
	struct call *call = arg;

	call->result = loop_call_sync(call->loop, call_cb, call);
	return NULL;
}

static void test_closing_frees_a_caller_whose_loop_does_not_run(void **state)
{
	struct call call = {.loop = *state};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, caller, &call), 0);
	fixture_sleep_ms(20);
	loop_sync_close(*state);
	pthread_join(thread, NULL);
	assert_int_equal(call.result, VMM_E_GONE);
	assert_int_equal(loop_call_sync(*state, call_cb, &call), VMM_E_GONE);
	fixture_run_for(*state, 5);
	assert_int_equal(call.count, 0);
}

static void join_cb(void *arg)
{
	struct call *call = arg;
	pthread_t thread;

	/* The thread calls this loop, and this loop waits for the thread: the way down. */
	pthread_create(&thread, NULL, caller, call);
	fixture_sleep_ms(20);
	loop_sync_close(call->loop);
	pthread_join(thread, NULL);
	loop_stop(call->loop);
}

static void test_a_loop_can_join_a_thread_that_calls_it(void **state)
{
	struct call call = {.loop = *state};

	loop_post(*state, NULL, join_cb, &call);
	loop_run(*state);
	assert_int_equal(call.result, VMM_E_GONE);
	assert_int_equal(call.count, 0);
}

static _Atomic bool storm_ends;

static void *storm(void *arg)
{
	struct call *call = arg;
	uint32_t done = 0;

	while (!storm_ends) {
		if (!loop_call_sync(call->loop, call_cb, call))
			done++;
	}
	call->result += (int)done;
	return NULL;
}

static void test_every_call_that_returns_0_has_run_while_loops_stop_and_start(void **state)
{
	struct call call = {.loop = *state};
	pthread_t threads[3];

	storm_ends = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm, &call), 0);
	for (int i = 0; i < 20; i++) {
		loop_sync_open(*state);
		assert_int_equal(loop_thread_start(*state), 0);
		fixture_sleep_ms(2);
		loop_thread_join(*state);
	}
	storm_ends = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(call.count, call.result);
	assert_true(call.count > 0);
}

/* Tries to borrow the loop from one of its callbacks, as any other thread would. */
static void borrow_cb(void *arg)
{
	struct call *call = arg;

	call->result = loop_borrow(call->loop);
	call->count++;
	loop_stop(call->loop);
}

static void test_a_loop_is_not_lent_while_a_callback_runs(void **state)
{
	struct call call = {.loop = *state, .result = -1};

	loop_post(*state, NULL, borrow_cb, &call);
	loop_run(*state);
	assert_int_equal(call.result, false);
	assert_true(loop_borrow(*state));
	assert_false(loop_borrow(*state));
	loop_give_back(*state);
}

static void add_one(void *arg)
{
	struct call *call = arg;

	/* Not atomic for the one who has the loop. */
	call->order[0]++;
	call->count++;
}

static void readable_cb(void *arg, int32_t fd, uint32_t events)
{
	eventfd_t value;

	(void)events;
	if (eventfd_read(fd, &value) == 0)
		add_one(arg);
}

static void test_callbacks_wait_for_who_has_borrowed_the_loop(void **state)
{
	struct call call = {.loop = *state};
	struct loop_watch *watch;
	uint32_t borrowed = 0;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(
		loop_watch_add(*state, NULL, fd, VMM_WATCH_READ, readable_cb, &call, &watch), 0);
	assert_int_equal(loop_thread_start(*state), 0);
	while (!loop_borrow(*state))
		;
	assert_int_equal(loop_post(*state, NULL, add_one, &call), 0);
	assert_int_equal(eventfd_write(fd, 1), 0);
	usleep(20000);
	assert_int_equal(call.count, 0);
	assert_false(loop_is_current(*state));
	loop_give_back(*state);
	while (call.count < 2)
		sched_yield();
	for (uint32_t i = 0; i < 2000; i++) {
		loop_post(*state, NULL, add_one, &call);
		if (i % 3 == 0)
			eventfd_write(fd, 1);
		if (!loop_borrow(*state))
			continue;
		call.order[0]++;
		borrowed++;
		loop_give_back(*state);
	}
	assert_int_equal(loop_call_sync(*state, call_cb, &call), 0);
	loop_thread_join(*state);
	assert_true(borrowed > 0);
	assert_int_equal(call.order[0] + 1, call.count + borrowed);
	loop_watch_remove(watch);
	close(fd);
}

/* Who gives it back and borrows it at once does so behind the callback, if the loop has begun to
 * wait by then, as it nearly always has. */
static void test_a_loop_that_waits_for_its_turn_is_the_next(void **state)
{
	struct call call = {.loop = *state};
	uint32_t too_early = 0;

	assert_int_equal(loop_thread_start(*state), 0);
	for (uint32_t i = 1; i <= 50; i++) {
		while (!loop_borrow(*state))
			sched_yield();
		loop_post(*state, NULL, add_one, &call);
		usleep(2000);
		loop_give_back(*state);
		while (!loop_borrow(*state))
			;
		too_early += call.count < i;
		loop_give_back(*state);
		while (call.count < i)
			sched_yield();
	}
	loop_thread_join(*state);
	assert_in_range(too_early, 0, 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_sync_call_runs_on_the_loop_and_has_run_when_it_returns,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_sync_call_on_the_loops_own_thread_is_made_at_once, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_sync_call_comes_after_earlier_posts,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_closing_frees_a_caller_whose_loop_does_not_run,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_loop_is_not_lent_while_a_callback_runs,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_callbacks_wait_for_who_has_borrowed_the_loop,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_loop_that_waits_for_its_turn_is_the_next,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_loop_can_join_a_thread_that_calls_it,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_every_call_that_returns_0_has_run_while_loops_stop_and_start,
			fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
