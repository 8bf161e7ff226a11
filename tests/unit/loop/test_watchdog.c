/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog names a loop that hangs in a callback, and leaves the others alone. */
#include "fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_hanging_loop_is_named_with_the_code_it_is_in,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_an_io_thread_that_hangs_is_named, fixture_setup, fixture_teardown),
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
