/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking work on the worker pool.
 */
#include <errno.h>
#include <stdatomic.h>

#include "fixture.h"
#include "thread/thread.h"

static uint32_t threads_left = UINT32_MAX; /* that can be started */
static uint32_t threads_started;

/* In place of that of core/thread. */
int thread_start(pthread_t *ret_thread, void *(*body)(void *arg), void *arg)
{
	if (!threads_left)
		return EAGAIN;
	threads_left--;
	threads_started++;
	return pthread_create(ret_thread, NULL, body, arg);
}

struct job {
	struct loop *loop;
	_Atomic uint32_t begun;
	_Atomic uint32_t worked;
	_Atomic bool go;
	_Atomic uint32_t on_loop; /* work() calls that were, wrongly */
	uint32_t done;
	uint32_t done_on_loop;
};

static void work_cb(void *arg)
{
	struct job *job = arg;

	job->begun++;
	while (!job->go)
		fixture_sleep_ms(1);
	if (loop_current())
		job->on_loop++;
	job->worked++;
}

static void done_cb(void *arg)
{
	struct job *job = arg;

	job->done++;
	if (loop_is_current(job->loop))
		job->done_on_loop++;
}

static bool all_done(void *arg)
{
	return ((struct job *)arg)->done == 10;
}

static void test_work_runs_off_the_loop_and_done_on_it(void **state)
{
	struct job job = {.loop = *state, .go = true};

	for (int i = 0; i < 10; i++)
		assert_int_equal(loop_work(*state, &job, work_cb, done_cb, &job), 0);
	assert_true(fixture_run_until(*state, all_done, &job, 5000));
	assert_int_equal(job.worked, 10);
	assert_int_equal(job.on_loop, 0);
	assert_int_equal(job.done_on_loop, 10);
	assert_int_equal(loop_work_pending(*state, &job), 0);
}

static void test_drain_waits_for_the_owners_work_and_runs_done_here(void **state)
{
	struct job mine = {.loop = *state, .go = true};
	struct job other = {.loop = *state, .go = false};

	for (int i = 0; i < 10; i++)
		loop_work(*state, &mine, work_cb, done_cb, &mine);
	loop_work(*state, &other, work_cb, done_cb, &other);
	loop_work_drain(*state, &mine);
	assert_int_equal(mine.worked, 10);
	assert_int_equal(mine.done, 10);
	assert_int_equal(mine.done_on_loop, 0);
	assert_int_equal(other.done, 0);
	assert_int_equal(loop_work_pending(*state, &other), 1);
	other.go = true;
	loop_work_drain(*state, &other);
	assert_int_equal(other.done, 1);
	loop_work_drain(*state, &other);
}

static void more_cb(void *arg)
{
	struct job *job = arg;

	if (++job->done < 3)
		loop_work(job->loop, job, work_cb, more_cb, job);
}

static void test_drain_includes_work_that_done_submits(void **state)
{
	struct job job = {.loop = *state, .go = true};

	loop_work(*state, &job, work_cb, more_cb, &job);
	loop_work_drain(*state, &job);
	assert_int_equal(job.done, 3);
}

static void test_done_of_a_dropped_owner_does_not_come(void **state)
{
	struct job job = {.loop = *state, .go = true};

	loop_work(*state, &job, work_cb, done_cb, &job);
	loop_drop_owner(*state, &job);
	loop_work_drain(*state, &job);
	assert_int_equal(job.worked, 1);
	assert_int_equal(job.done, 0);
}

static void test_destroy_waits_for_work_under_way(void **state)
{
	struct job job = {.go = true};

	(void)state;
	assert_int_equal(loop_create("short", NULL, &job.loop), 0);
	for (int i = 0; i < 10; i++)
		loop_work(job.loop, &job, work_cb, done_cb, &job);
	loop_destroy(job.loop);
	assert_int_equal(job.worked, 10);
	assert_int_equal(job.done, 0);
}

static void test_sixteen_works_run_at_a_time(void **state)
{
	struct job job = {.loop = *state};

	threads_started = 0;
	for (int i = 0; i < 40; i++)
		assert_int_equal(loop_work(*state, &job, work_cb, done_cb, &job), 0);
	while (job.begun < 16)
		fixture_sleep_ms(1);
	assert_int_equal(job.worked, 0);
	job.go = true;
	loop_work_drain(*state, &job);
	assert_int_equal(job.done, 40);
	assert_int_equal(threads_started, 16);
}

static void test_loops_that_never_worked_leave_the_next_ones_threads_alone(void **state)
{
	struct job job = {.loop = *state, .go = true};

	/* The last loop goes: without a thread to wait for. */
	loop_destroy(*state);
	assert_int_equal(loop_create("next", NULL, &job.loop), 0);
	*state = job.loop;
	for (uint32_t i = 1; i <= 20; i++) {
		loop_work(job.loop, &job, work_cb, done_cb, &job);
		loop_work_drain(job.loop, &job);
		assert_int_equal(job.done, i);
	}
}

static void test_work_without_a_thread_is_refused(void **state)
{
	struct job job = {.loop = *state, .go = true};

	threads_left = 0;
	assert_int_equal(loop_work(*state, &job, work_cb, done_cb, &job), VMM_E_LIMIT);
	assert_int_equal(loop_work_pending(*state, &job), 0);
	threads_left = 1;
	assert_int_equal(loop_work(*state, &job, work_cb, done_cb, &job), 0);
	/* From now on it only takes longer. */
	for (int i = 0; i < 9; i++)
		assert_int_equal(loop_work(*state, &job, work_cb, done_cb, &job), 0);
	loop_work_drain(*state, &job);
	threads_left = UINT32_MAX;
	assert_int_equal(job.done, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_work_runs_off_the_loop_and_done_on_it),
		TEST(test_drain_waits_for_the_owners_work_and_runs_done_here),
		TEST(test_drain_includes_work_that_done_submits),
		TEST(test_done_of_a_dropped_owner_does_not_come),
		TEST(test_sixteen_works_run_at_a_time),
		TEST(test_loops_that_never_worked_leave_the_next_ones_threads_alone),
		TEST(test_work_without_a_thread_is_refused),
		cmocka_unit_test(test_destroy_waits_for_work_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
