/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that starts again: a child each time, signals passed on, the end of the last child. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/supervise.h"

#define AGAIN 10

static bool is_again(int status)
{
	return status == AGAIN;
}

static struct shared {
	volatile int runs;
	volatile pid_t child;
	volatile int ready;
} * shared;

static int run_thrice(void *ctx)
{
	(void)ctx;
	return ++shared->runs < 3 ? AGAIN : 7;
}

static int run_and_crash(void *ctx)
{
	(void)ctx;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

static volatile sig_atomic_t told;

static void on_signal(int number)
{
	told = number;
}

static int run_until_told(void *ctx)
{
	(void)ctx;
	signal(SIGTERM, on_signal);
	shared->child = getpid();
	shared->ready = 1;
	while (!told)
		usleep(1000);
	return 5;
}

/* A reset that was under way when the signal came. */
static int run_until_told_and_reset(void *ctx)
{
	shared->runs++;
	(void)run_until_told(ctx);
	return AGAIN;
}

/* Wait status of a process that supervises. */
static pid_t start(int (*run)(void *ctx))
{
	static const struct rlimit no_core = {0, 0};
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		_exit(supervise(run, NULL, is_again));
	}
	return child;
}

static int status_of(pid_t child)
{
	int status = 0;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void wait_until_ready(void)
{
	while (!shared->ready)
		usleep(1000);
}

static int setup(void **state)
{
	(void)state;
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(shared, sizeof(*shared));
}

static void test_it_runs_again_until_the_status_is_another(void **state)
{
	int status = status_of(start(run_thrice));

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(shared->runs, 3);
}

static void test_it_ends_by_the_signal_of_its_child(void **state)
{
	int status = status_of(start(run_and_crash));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void test_nothing_runs_again_behind_a_signal(void **state)
{
	pid_t child = start(run_until_told_and_reset);
	int status;

	(void)state;
	wait_until_ready();
	kill(child, SIGTERM);
	status = status_of(child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(shared->runs, 1);
}

static void test_a_signal_reaches_the_machine(void **state)
{
	pid_t child = start(run_until_told);
	int status;

	(void)state;
	wait_until_ready();
	assert_int_equal(kill(child, SIGTERM), 0);
	status = status_of(child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void test_no_machine_is_left_when_it_is_killed(void **state)
{
	pid_t child = start(run_until_told);

	(void)state;
	wait_until_ready();
	assert_int_equal(kill(child, SIGKILL), 0);
	status_of(child);
	for (int i = 0; i < 5000 && !kill(shared->child, 0); i++) {
		/* Where nobody else does, this process has to bury it. */
		waitpid(shared->child, NULL, WNOHANG);
		usleep(1000);
	}
	assert_int_not_equal(kill(shared->child, 0), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_runs_again_until_the_status_is_another),
		T(it_ends_by_the_signal_of_its_child),
		T(nothing_runs_again_behind_a_signal),
		T(a_signal_reaches_the_machine),
		T(no_machine_is_left_when_it_is_killed),
	};

	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
