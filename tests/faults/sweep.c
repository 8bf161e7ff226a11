/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sweep.h.
 */
#include "sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_SECONDS  60
#define ERRORS_MAX    128
#define STATUS_WRONG  99
#define STATUS_MISSED 98 /* the run did not come to its point */
#define WRONG_MAX     20u
#define PLACES_MAX    2048u

static const char *const mode_names[] = {
	[FAULT_NONE] = "no faults",
	[FAULT_RECORD] = "no faults",
	[FAULT_ONCE] = "fails once",
	[FAULT_PERSISTENT] = "fails, and all after it",
	[FAULT_SHORT] = "all transfers are short",
	[FAULT_INTERRUPT] = "every second call is interrupted",
};

struct tally {
	uint32_t points; /* that were tried */
	uint32_t missed; /* runs that did not come to their point */
	uint32_t wrong;
};

/* The test's. What the runs print goes to a file in memory. */
static int own_stderr = STDERR_FILENO;
static int output = -1;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(own_stderr, format, args);
	va_end(args);
}

void sweep_fail(const char *format, ...)
{
	va_list args;

	fault_end();
	va_start(args, format);
	vdprintf(own_stderr, format, args);
	va_end(args);
	say("\n");
	_exit(STATUS_WRONG);
}

static void read_output(char *text, size_t bytes)
{
	ssize_t n;

	fflush(NULL);
	n = pread(output, text, bytes - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
}

static void forget_output(void)
{
	if (ftruncate(output, 0) || lseek(output, 0, SEEK_SET))
		abort();
}

static bool contains(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

/* Whether the operator learns from the text what failed: one of all that did. */
static bool names_failure(const char *text, const struct fault_point *point)
{
	/* Libraries with texts of their own, or none. */
	if (!strncmp(point->call, "lt_", 3) &&
		(contains(text, "memory") || contains(text, ".so: ")))
		return true;
	if (!strncmp(point->call, "slirp_", 6) && contains(text, "libslirp"))
		return true;
	if (fault_gave(ENOMEM) && contains(text, "memory"))
		return true;
	/* The ABI has codes for groups of errors. */
	if ((fault_gave(EMFILE) || fault_gave(EAGAIN) || fault_gave(ENOSPC)) &&
		contains(text, "a limit is reached"))
		return true;
	if (fault_gave(EIO) && contains(text, "input/output error"))
		return true;
	for (int error = 1; error < ERRORS_MAX; error++)
		if (fault_gave(error) && contains(text, strerror(error)))
			return true;
	return false;
}

static void check(const struct sweep *sweep, enum fault_mode mode, const struct fault_point *point,
	const struct sweep_result *result)
{
	if (result->succeeded)
		return;
	if (!point || (sweep->always_succeeds && mode == FAULT_ONCE))
		sweep_fail("the run failed: %s", result->text);
	if (!result->tolerates_any && !names_failure(result->text, point))
		sweep_fail(
			"the text does not say \"%s\":\n%s", strerror(point->error), result->text);
}

static void check_left(const char *when)
{
	if (fault_left_behind())
		sweep_fail("left behind by the run %s", when);
}

static bool is_full(void)
{
	const char *how = getenv("VMM_FAULTS");

	return how && !strcmp(how, "full");
}

/* Signals as they are for a program, not for cmocka. */
static void become_program(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	own_stderr = dup(STDERR_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
	alarm(HANG_SECONDS);
}

/* What the parent registered for its exit is not the child's; but branches are written down there. */
static void end(int status)
{
#ifdef VMM_COVERAGE
	exit(status);
#else
	_exit(status);
#endif
}

static void run_in_child(
	const struct sweep *sweep, enum fault_mode mode, const struct fault_point *point)
{
	struct sweep_result result = {0};
	uint32_t hits;

	become_program();
	if (sweep->prepare)
		sweep->prepare(sweep->ctx);
	fault_mark();
	fault_begin(mode, point);
	sweep->attempt(sweep->ctx, mode, &result);
	fault_end();
	read_output(result.text, sizeof(result.text));
	forget_output();
	hits = fault_hits();
	check(sweep, mode, point, &result);
	check_left("with the fault");
	/* Ways of failing for good take down what failing once does. */
	if (mode == FAULT_ONCE || (mode != FAULT_RECORD && is_full())) {
		result = (struct sweep_result){0};
		fault_mark();
		sweep->attempt(sweep->ctx, FAULT_NONE, &result);
		read_output(result.text, sizeof(result.text));
		if (!result.succeeded)
			sweep_fail("the next run, without faults, failed: %s", result.text);
		check_left("after it");
	}
	end(!point || hits ? 0 : STATUS_MISSED);
}

/* 0, STATUS_MISSED, or 1 if it went wrong, which has been told then. */
static int run(const struct sweep *sweep, enum fault_mode mode, const struct fault_point *point)
{
	char place[512] = "";
	char text[SWEEP_TEXT_BYTES];
	int status;
	pid_t child;

	fflush(NULL);
	forget_output();
	child = fork();
	if (!child)
		run_in_child(sweep, mode, point);
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STATUS_MISSED))
		return WEXITSTATUS(status);
	read_output(text, sizeof(text));
	if (point)
		fault_describe(point, place, sizeof(place));
	say("%s", text);
	say("%s: %s %s: ", sweep->name, place, mode_names[mode]);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		say("hangs\n\n");
	else if (WIFSIGNALED(status))
		say("ends by signal %d\n\n", WTERMSIG(status));
	else
		say("see above (%d)\n\n", WEXITSTATUS(status));
	return 1;
}

/* True if the place is new to this process; it is known then. */
static bool is_new(uintptr_t site)
{
	static uintptr_t known[PLACES_MAX];
	static uint32_t count;

	for (uint32_t i = 0; i < count; i++)
		if (known[i] == site)
			return false;
	if (count < PLACES_MAX)
		known[count++] = site;
	return true;
}

static bool has_sanitizer(void)
{
#ifdef __SANITIZE_ADDRESS__
	return true;
#else
	return false;
#endif
}

/* Lets the point fail in both ways, or in one of them: a build with sanitizers takes the other. */
static void run_point(
	const struct sweep *sweep, const struct fault_point *point, struct tally *tally)
{
	bool persistent = (tally->points++ + has_sanitizer()) % 2;

	for (enum fault_mode mode = FAULT_ONCE; mode <= FAULT_PERSISTENT; mode++) {
		int status;

		if (!is_full() && (mode == FAULT_PERSISTENT) != persistent)
			continue;
		status = run(sweep, mode, point);
		tally->missed += status == STATUS_MISSED;
		tally->wrong += status == 1;
	}
}

uint32_t sweep_run(const struct sweep *sweep)
{
	const struct fault_point *points;
	struct tally tally = {0};
	uint32_t count;

	output = memfd_create("output", MFD_CLOEXEC);
	/* Before the fork, so that the record is shared. */
	fault_begin(FAULT_RECORD, NULL);
	fault_end();
	if (run(sweep, FAULT_RECORD, NULL)) {
		close(output);
		return 1;
	}
	points = fault_points(&count);
	tally.wrong += run(sweep, FAULT_SHORT, NULL) != 0;
	tally.wrong += run(sweep, FAULT_INTERRUPT, NULL) != 0;
	for (uint32_t i = 0; i < count && tally.wrong < WRONG_MAX; i++)
		if (is_new(points[i].site) || is_full())
			run_point(sweep, &points[i], &tally);
	close(output);
	printf("%s: %u calls can fail; %u of them did, %u times not reached\n", sweep->name, count,
		tally.points, tally.missed);
	return tally.wrong;
}
