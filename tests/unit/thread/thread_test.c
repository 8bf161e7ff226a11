/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How threads of vmm are started.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "thread/thread.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

struct seen {
	sigset_t blocked;
	size_t stack_bytes;
};

static void *look(void *arg)
{
	struct seen *seen = arg;
	pthread_attr_t attr;
	void *stack;

	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &stack, &seen->stack_bytes);
		pthread_attr_destroy(&attr);
	}
	return arg;
}

static struct seen started(void)
{
	struct seen seen = {.stack_bytes = 0};
	pthread_t thread;
	void *ret;

	assert_int_equal(thread_start(&thread, look, &seen), 0);
	assert_int_equal(pthread_join(thread, &ret), 0);
	assert_ptr_equal(ret, &seen);
	return seen;
}

static void a_stack_has_no_room_for_a_huge_page(void **state)
{
	struct seen seen = started();

	(void)state;
	assert_true(seen.stack_bytes > 0 && seen.stack_bytes < HUGE_PAGE_BYTES);
}

static void signals_are_blocked_there_and_stay_as_they_are_here(void **state)
{
	struct seen seen = started();
	sigset_t here;

	(void)state;
	assert_int_equal(sigismember(&seen.blocked, SIGTERM), 1);
	assert_int_equal(sigismember(&seen.blocked, SIGINT), 1);
	pthread_sigmask(SIG_SETMASK, NULL, &here);
	assert_int_equal(sigismember(&here, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_has_no_room_for_a_huge_page),
		cmocka_unit_test(signals_are_blocked_there_and_stay_as_they_are_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
