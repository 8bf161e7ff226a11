/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog names a loop that hangs in a callback, and leaves the others alone. */
#include "clocks.h"
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log/log.h"
#include "loop/signals.h"
#include "loop/watchdog.h"

#define LIMIT (20 * MS)

static char path[] = "/tmp/watchdog-XXXXXX";

static char *read_log(void)
{
	static _Thread_local char text[8192];
	FILE *file = fopen(path, "r");
	size_t bytes;

	assert_non_null(file);
	bytes = fread(text, 1, sizeof(text) - 1, file);
	text[bytes] = '\0';
	fclose(file);
	return text;
}

/* What is in the log from here on. */
static void forget_log(void)
{
	assert_int_equal(truncate(path, 0), 0);
}

static bool logged(void *ctx)
{
	return strstr(read_log(), ctx) != NULL;
}

/* Hangs until the watchdog has said so, or long enough to fail. */
static void hang_cb(void *ctx)
{
	for (uint32_t i = 0; i < 1000 && !logged(ctx); i++)
		fixture_sleep_ms(10);
}

static void test_a_hanging_loop_is_named_with_the_code_it_is_in(void **state)
{
	char stalled[] = "loop \"test\" has been in one callback";
	char goes_on[] = "loop \"test\" goes on";
	struct loop *idle = NULL;
	struct watchdog *watchdog = NULL;

	assert_int_equal(loop_create("idle", NULL, &idle), 0);
	struct loop *const loops[] = {*state, idle};

	/* All code of the process but libraries; so the stack has to be looked at. */
	signals_name_code("the-test.so", (uintptr_t)hang_cb, (uintptr_t)hang_cb + 256);
	assert_int_equal(loop_thread_start(idle), 0);
	assert_int_equal(watchdog_start(loops, 2, LIMIT, &watchdog), 0);
	assert_int_equal(loop_post(*state, state, hang_cb, stalled), 0);
	assert_true(fixture_run_until(*state, logged, goes_on, 10000));
	watchdog_stop(watchdog);
	assert_non_null(strstr(read_log(),
		"loop \"test\" has been in one callback for 0 s, in or below the code of "
		"the-test.so"));
	assert_null(strstr(read_log(), "idle"));
	loop_destroy(idle);
}

static void test_an_io_thread_that_hangs_is_named(void **state)
{
	char stalled[] = "loop \"io0\" has been in one callback";
	char goes_on[] = "loop \"io0\" goes on";
	struct watchdog *watchdog = NULL;
	struct loop *io = NULL;

	assert_int_equal(loop_create("io0", NULL, &io), 0);
	struct loop *const loops[] = {*state, io};

	assert_int_equal(loop_thread_start(io), 0);
	assert_int_equal(watchdog_start(loops, 2, LIMIT, &watchdog), 0);
	assert_int_equal(loop_post(io, state, hang_cb, stalled), 0);
	assert_true(fixture_run_until(*state, logged, goes_on, 10000));
	watchdog_stop(watchdog);
	loop_destroy(io);
}

static void *borrow_and_hang(void *loop)
{
	char stalled[] = "loop \"io0\" has been in one callback";

	while (!loop_borrow(loop))
		fixture_sleep_ms(1);
	hang_cb(stalled);
	loop_give_back(loop);
	return NULL;
}

static void nothing_cb(void *ctx)
{
	(void)ctx;
}

static void test_a_loop_that_is_not_given_back_is_named(void **state)
{
	char goes_on[] = "loop \"io0\" goes on";
	struct watchdog *watchdog = NULL;
	struct loop *io = NULL;
	pthread_t thread;

	forget_log();
	assert_int_equal(loop_create("io0", NULL, &io), 0);
	struct loop *const loops[] = {io};

	assert_int_equal(loop_thread_start(io), 0);
	assert_int_equal(watchdog_start(loops, 1, LIMIT, &watchdog), 0);
	assert_int_equal(pthread_create(&thread, NULL, borrow_and_hang, io), 0);
	while (loop_borrow(io)) {
		loop_give_back(io);
		fixture_sleep_ms(1);
	}
	assert_int_equal(loop_post(io, state, nothing_cb, NULL), 0);
	assert_true(fixture_run_until(*state, logged, goes_on, 10000));
	pthread_join(thread, NULL);
	watchdog_stop(watchdog);
	loop_destroy(io);
}

/* Answers the watchdog late: its question is a signal. */
static void slow_cb(void *ctx)
{
	const int question = SIGRTMIN + 1;
	sigset_t blocked, old, pending;

	sigemptyset(&blocked);
	sigaddset(&blocked, question);
	pthread_sigmask(SIG_BLOCK, &blocked, &old);
	for (uint32_t i = 0; i < 1000; i++) {
		sigpending(&pending);
		if (sigismember(&pending, question))
			break;
		fixture_sleep_ms(10);
	}
	fixture_sleep_ms(20);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	hang_cb(ctx);
}

static void test_h23_a_step_of_the_wall_clock_does_not_hide_the_code(void **state)
{
	char stalled[] = "loop \"test\" has been in one callback";
	char goes_on[] = "loop \"test\" goes on";
	struct loop *const loops[] = {*state};
	struct watchdog *watchdog = NULL;

	forget_log();
	signals_name_code("the-test.so", (uintptr_t)slow_cb, (uintptr_t)slow_cb + 512);
	clocks_step_wall(-3600);
	assert_int_equal(watchdog_start(loops, 1, LIMIT, &watchdog), 0);
	assert_int_equal(loop_post(*state, state, slow_cb, stalled), 0);
	assert_true(fixture_run_until(*state, logged, goes_on, 10000));
	watchdog_stop(watchdog);
	clocks_step_wall(3600);
	assert_non_null(strstr(read_log(), "in or below the code of the-test.so"));
}

static void stopped_cb(void *ctx)
{
	const uint64_t limit = WATCHDOG_LIMIT_NS;
	char stalled[] = "loop \"test\" has been in one callback for";

	clocks_pass(limit);
	clocks_pass(300 * limit); /* nobody ran: SIGSTOP */
	assert_false(logged(stalled));
	clocks_pass(limit);
	assert_true(logged(stalled));
	forget_log();
	clocks_pass(limit);
	clocks_pass(300 * limit);
	assert_string_equal(read_log(), "");
	clocks_give_back();
	*(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
	return *(bool *)ctx;
}

static void test_h18_a_process_that_was_stopped_has_no_stalled_loop(void **state)
{
	struct loop *const loops[] = {*state};
	struct watchdog *watchdog = NULL;
	bool done = false;

	forget_log();
	clocks_take();
	assert_int_equal(watchdog_start(loops, 1, WATCHDOG_LIMIT_NS, &watchdog), 0);
	assert_int_equal(loop_post(*state, state, stopped_cb, &done), 0);
	assert_true(fixture_run_until(*state, is_set, &done, 10000));
	watchdog_stop(watchdog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_hanging_loop_is_named_with_the_code_it_is_in,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_an_io_thread_that_hangs_is_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_loop_that_is_not_given_back_is_named,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_h23_a_step_of_the_wall_clock_does_not_hide_the_code, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_h18_a_process_that_was_stopped_has_no_stalled_loop, fixture_setup,
			fixture_teardown),
	};
	struct log_config log = {.path = path};
	int failed;

	close(mkstemp(path));
	if (log_configure(&log, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
