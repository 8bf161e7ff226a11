/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal at every way out, job control, and the escape keys: rows H13 to H15 and H17. This
 * program is the shell: it leads a session on a pseudo terminal and runs console_child in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* has its own handlers of crashes */
#else
#define SANITIZED false
#endif

static int master, slave;
static struct termios sane;
static pid_t child;
static char seen[65536];
static size_t seen_bytes;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void expect(const char *text)
{
	double start = seconds();

	while (!strstr(seen, text)) {
		struct pollfd wait = {.fd = master, .events = POLLIN};

		if (seconds() - start > 10)
			fail_msg("\"%s\" did not come; what came: %s", text, seen);
		if (poll(&wait, 1, 100) <= 0)
			continue;
		ssize_t got = read(master, seen + seen_bytes, sizeof(seen) - 1 - seen_bytes);

		if (got > 0)
			seen_bytes += (size_t)got;
		seen[seen_bytes] = '\0';
	}
}

static void type(const char *keys, size_t bytes)
{
	assert_int_equal(write(master, keys, bytes), (ssize_t)bytes);
}

static bool is_raw(void)
{
	struct termios now;

	assert_int_equal(tcgetattr(slave, &now), 0);
	return !(now.c_lflag & (ICANON | ECHO | ISIG)) && !(now.c_oflag & OPOST);
}

static void expect_sane(void)
{
	struct termios now;

	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_iflag, sane.c_iflag);
	assert_int_equal(now.c_oflag, sane.c_oflag);
	assert_int_equal(now.c_lflag, sane.c_lflag);
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
}

static void start(bool foreground)
{
	seen_bytes = 0;
	seen[0] = '\0';
	tcsetattr(slave, TCSANOW, &sane);
	tcflush(slave, TCIOFLUSH);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		signal(SIGTTOU, SIG_DFL);
		signal(SIGTTIN, SIG_DFL);
		signal(SIGTSTP, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		setpgid(0, 0);
		/* The very description that the shell goes on using. */
		for (int fd = 0; fd < 3; fd++)
			dup2(slave, fd);
		while (foreground && tcgetpgrp(0) != getpgrp())
			usleep(1000);
		execl(CONSOLE_CHILD, CONSOLE_CHILD, (char *)NULL);
		_exit(97);
	}
	setpgid(child, child);
	tcsetpgrp(slave, foreground ? child : getpgrp());
	expect("[ready]");
}

static int finish(void)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	tcsetpgrp(slave, getpgrp());
	child = 0;
	return status;
}

static void expect_exit(int code)
{
	int status = finish();

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	expect_sane();
}

static int teardown(void **state)
{
	(void)state;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
	tcsetpgrp(slave, getpgrp());
	return 0;
}

/* --- Keys --- */

static void test_the_terminal_is_raw_and_all_keys_reach_the_guest(void **state)
{
	(void)state;
	start(true);
	assert_true(is_raw());
	type("a\x03\x04\x1a\x1c\r", 6);
	expect("<61><03><04><1a><1c><0d>");
	type("\x01\x01", 2);
	expect("<0d><01>");
	type("\x01"
	     "a",
		2);
	expect("<01><01>");
	type("\x01p", 2);
	expect("[button]");
	type("\x01h", 2);
	expect("end the virtual machine\r\n");
	type("\x01x", 2);
	expect("[quit]");
	expect_exit(0);
}

static void test_s1_the_escape_works_while_the_guest_reads_nothing(void **state)
{
	char flood[4096];

	(void)state;
	start(true);
	type("N", 1);
	expect("<4e>");
	memset(flood, 'f', sizeof(flood));
	/* More than any buffer holds. */
	fcntl(master, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 100; i++) {
		struct pollfd wait = {.fd = master, .events = POLLOUT};

		assert_int_equal(poll(&wait, 1, 5000), 1);
		(void)!write(master, flood, sizeof(flood));
		usleep(500);
	}
	usleep(100000);
	fcntl(master, F_SETFL, 0);
	type("\x01x", 2);
	expect("[quit]");
	expect_exit(0);
}

/* --- Ways out --- */

static void test_h14_sigterm_stops_in_order_and_restores(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(kill(child, SIGTERM), 0);
	expect("[stop]");
	expect_exit(0);
}

static void test_h14_sigint_stops_in_order_and_restores(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(kill(child, SIGINT), 0);
	expect("[stop]");
	expect_exit(130);
}

static void expect_killed(int signal)
{
	int status = finish();

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);
	expect_sane();
}

static void second_signal(int first, int second)
{
	start(true);
	type("H", 1);
	usleep(100000);
	assert_int_equal(kill(child, first), 0);
	/* As timeout(1) does; it is the same wish. Not when this machine is too slow to tell. */
	double before = seconds();

	usleep(20000);
	if (seconds() - before < 0.1)
		assert_int_equal(kill(child, first), 0);
	usleep(300000);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	assert_int_equal(kill(child, second), 0);
	expect("a second signal: ending at once");
	expect_killed(second);
}

static void test_h14_a_second_signal_ends_a_hanging_loop_at_once(void **state)
{
	(void)state;
	second_signal(SIGTERM, SIGTERM);
	second_signal(SIGTERM, SIGINT);
}

/* The signals that the child ignores, as the kernel has them. */
static unsigned long long ignored_signals(void)
{
	unsigned long long mask = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", child);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "SigIgn: %llx", &mask);
	fclose(file);
	return mask;
}

static void test_h10_h12_a_broken_pipe_and_a_full_file_end_no_process(void **state)
{
	(void)state;
	start(true);
	assert_true(ignored_signals() & 1ull << (SIGPIPE - 1));
	assert_true(ignored_signals() & 1ull << (SIGXFSZ - 1));
	assert_int_equal(kill(child, SIGTERM), 0);
	expect_exit(0);
}

static void test_exit_inside_a_callback_restores(void **state)
{
	(void)state;
	start(true);
	type("E", 1);
	expect_exit(3);
}

static void test_h15_sighup_stops_in_order_and_sigquit_at_once(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(kill(child, SIGHUP), 0);
	expect("[stop]");
	expect_exit(0);
	start(true);
	assert_int_equal(kill(child, SIGQUIT), 0);
	expect_killed(SIGQUIT);
}

static void test_h17_a_crash_restores_reports_and_ends_by_its_signal(void **state)
{
	(void)state;
	start(true);
	type("A", 1);
	expect("vmm: crash: SIGABRT (fatal signal 6), sent by process ");
	expect("  thread: console-child");
	expect("  code: the test+0x");
	expect("  exit: write of 4 bytes at 0xfee0");
	expect_killed(SIGABRT);
	if (SANITIZED)
		return;
	start(true);
	type("S", 1);
	expect("vmm: crash: SIGSEGV (fatal signal 11), access to address 0x8");
	expect_killed(SIGSEGV);
}

/* Starts a child that waits in poll() for the log to be read, with its lock. */
static void start_with_the_log_locked(void)
{
	char path[64], call[8] = "";
	double began = seconds();

	start(true);
	type("L", 1);
	snprintf(path, sizeof(path), "/proc/%d/syscall", child);
	while (strncmp(call, "7 ", 2) != 0) {
		FILE *file = fopen(path, "r");

		assert_true(file && seconds() - began < 10);
		if (!fgets(call, sizeof(call), file))
			call[0] = '\0';
		fclose(file);
		usleep(1000);
	}
}

static void test_r9_signals_while_the_log_is_locked_do_their_work(void **state)
{
	(void)state;
#ifdef __SANITIZE_THREAD__
	print_message("skipped: its handlers of signals wait until the call returns\n");
	skip();
#endif
	start_with_the_log_locked();
	assert_int_equal(kill(child, SIGABRT), 0);
	expect("vmm: crash: SIGABRT (fatal signal 6), sent by process ");
	expect_killed(SIGABRT);
	start_with_the_log_locked();
	assert_int_equal(kill(child, SIGTERM), 0);
	usleep(300000);
	assert_int_equal(kill(child, SIGTERM), 0);
	expect("a second signal: ending at once");
	expect_killed(SIGTERM);
}

static void test_a_forbidden_system_call_is_named(void **state)
{
	(void)state;
	start(true);
	type("Y", 1);
	expect("vmm: crash: SIGSYS (fatal signal 31), system call 110 (0x1, 0x2, 0x3) is not "
	       "allowed on this thread");
	expect("  code: the test+0x");
	expect_killed(SIGSYS);
}

static void test_after_sigkill_the_terminal_is_not_left_non_blocking(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(kill(child, SIGKILL), 0);
	(void)finish();
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
}

static void test_sigpwr_presses_the_power_button(void **state)
{
	(void)state;
	start(true);
	for (int i = 0; i < 3; i++) {
		seen_bytes = 0;
		assert_int_equal(kill(child, SIGPWR), 0);
		expect("[button]");
	}
	assert_int_equal(kill(child, SIGTERM), 0);
	expect_exit(0);
}

/* --- Job control --- */

static void wait_for_raw(void)
{
	for (int i = 0; i < 300 && !is_raw(); i++)
		usleep(10000);
	assert_true(is_raw());
}

static double cpu_seconds(void)
{
	char path[64], line[512] = "";
	unsigned long user = 0, kernel = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_int_equal(
		sscanf(strrchr(line, ')') + 1,
			" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel),
		2);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void test_h13_in_the_background_it_runs_and_leaves_the_terminal_alone(void **state)
{
	int status;

	(void)state;
	start(false);
	usleep(200000);
	expect_sane();
	assert_int_equal(waitpid(child, &status, WNOHANG | WUNTRACED), 0);
	/* What is typed is the shell's: it does not wake vmm up again and again. */
	type("ls\n", 3);
	double before = cpu_seconds();

	usleep(500000);
	assert_true(cpu_seconds() - before < 0.2);
	assert_null(strstr(seen, "<"));
	tcflush(slave, TCIFLUSH);
	/* To the foreground: no signal tells, it looks. */
	tcsetpgrp(slave, child);
	wait_for_raw();
	type("z", 1);
	expect("<7a>");
	type("\x01x", 2);
	expect_exit(0);
}

static void test_h13_taken_from_the_foreground_it_stops_reading_and_comes_back(void **state)
{
	(void)state;
	start(true);
	tcsetpgrp(slave, getpgrp());
	tcsetattr(slave, TCSANOW, &sane);
	type("shell\n", 6);
	usleep(200000);
	double before = cpu_seconds();

	usleep(500000);
	assert_true(cpu_seconds() - before < 0.2);
	tcflush(slave, TCIFLUSH);
	tcsetpgrp(slave, child);
	wait_for_raw();
	type("z", 1);
	expect("<7a>");
	/* Ending in the background does not touch the shell's mode. */
	tcsetpgrp(slave, getpgrp());
	tcsetattr(slave, TCSANOW, &sane);
	assert_int_equal(kill(child, SIGTERM), 0);
	expect_exit(0);
}

static void stop_by(int signal)
{
	int status;

	assert_int_equal(kill(child, signal), 0);
	assert_true(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
}

static void test_sigtstp_restores_stops_and_continues_raw(void **state)
{
	(void)state;
	start(true);
	for (int i = 0; i < 2; i++) {
		stop_by(SIGTSTP);
		expect_sane();
		tcsetpgrp(slave, getpgrp());
		tcsetpgrp(slave, child);
		assert_int_equal(kill(child, SIGCONT), 0);
		wait_for_raw();
	}
	/* What cannot be caught: the shell puts its mode back, SIGCONT ours. */
	stop_by(SIGSTOP);
	tcsetattr(slave, TCSANOW, &sane);
	assert_int_equal(kill(child, SIGCONT), 0);
	wait_for_raw();
	type("q", 1);
	expect("<71>");
	type("\x01x", 2);
	expect_exit(0);
}

static void test_h13_continued_in_the_background_it_is_tame_again_at_the_end(void **state)
{
	(void)state;
	start(true);
	stop_by(SIGTSTP);
	/* "bg" of a shell, then "fg", which has nobody to continue. */
	tcsetpgrp(slave, getpgrp());
	assert_int_equal(kill(child, SIGCONT), 0);
	type("fg\n", 3);
	usleep(700000);
	tcflush(slave, TCIFLUSH);
	expect_sane();
	tcsetpgrp(slave, child);
	wait_for_raw();
	type("\x01x", 2);
	expect_exit(0);
	expect_sane();
}

/* The last: the terminal is gone after it. */
static void test_h15_a_terminal_that_goes_away_is_end_of_input(void **state)
{
	int status;

	(void)state;
	start(true);
	close(master);
	double before = cpu_seconds();

	usleep(500000);
	assert_true(cpu_seconds() - before < 0.2);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	/* As the shell does. */
	assert_int_equal(kill(child, SIGHUP), 0);
	status = finish();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int run_as_shell(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			test_the_terminal_is_raw_and_all_keys_reach_the_guest, teardown),
		cmocka_unit_test_teardown(
			test_s1_the_escape_works_while_the_guest_reads_nothing, teardown),
		cmocka_unit_test_teardown(test_h14_sigterm_stops_in_order_and_restores, teardown),
		cmocka_unit_test_teardown(test_h14_sigint_stops_in_order_and_restores, teardown),
		cmocka_unit_test_teardown(
			test_h14_a_second_signal_ends_a_hanging_loop_at_once, teardown),
		cmocka_unit_test_teardown(
			test_h10_h12_a_broken_pipe_and_a_full_file_end_no_process, teardown),
		cmocka_unit_test_teardown(test_exit_inside_a_callback_restores, teardown),
		cmocka_unit_test_teardown(
			test_h15_sighup_stops_in_order_and_sigquit_at_once, teardown),
		cmocka_unit_test_teardown(
			test_h17_a_crash_restores_reports_and_ends_by_its_signal, teardown),
		cmocka_unit_test_teardown(
			test_r9_signals_while_the_log_is_locked_do_their_work, teardown),
		cmocka_unit_test_teardown(test_a_forbidden_system_call_is_named, teardown),
		cmocka_unit_test_teardown(
			test_after_sigkill_the_terminal_is_not_left_non_blocking, teardown),
		cmocka_unit_test_teardown(test_sigpwr_presses_the_power_button, teardown),
		cmocka_unit_test_teardown(
			test_h13_in_the_background_it_runs_and_leaves_the_terminal_alone, teardown),
		cmocka_unit_test_teardown(
			test_h13_taken_from_the_foreground_it_stops_reading_and_comes_back,
			teardown),
		cmocka_unit_test_teardown(test_sigtstp_restores_stops_and_continues_raw, teardown),
		cmocka_unit_test_teardown(
			test_h13_continued_in_the_background_it_is_tame_again_at_the_end, teardown),
		cmocka_unit_test_teardown(
			test_h15_a_terminal_that_goes_away_is_end_of_input, teardown),
	};
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (setsid() < 0 || openpty(&master, &slave, NULL, NULL, NULL) < 0 ||
		ioctl(slave, TIOCSCTTY, 0) < 0 || tcgetattr(slave, &sane) < 0) {
		perror("the terminal of the test");
		return 1;
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int status;
	/* setsid() wants a process that leads no group. */
	pid_t pid = fork();

	if (!pid)
		_exit(run_as_shell());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
