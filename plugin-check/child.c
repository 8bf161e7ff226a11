/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one check in a process of its own and takes in what it says: a plugin that crashes, exits or
 * hangs fails that check and nothing else.
 *
 * The child says each thing at once, as one record of a pipe (a kind and two texts that end with
 * NUL), so that nothing is lost when it dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include <vmm/testkit/host.h>

#define RECORDS_BYTES_MAX ((size_t)1024 * 1024)
#define OUTPUT_BYTES      4000u
#define POLL_MS           20

#define KIND_FINDING 'F'
#define KIND_NOTE    'N'
#define KIND_SKIP    'S'
#define KIND_DOING   'A'
#define KIND_DONE    'D'

static int record_fd = -1;
static char doing_text[TEXT_BYTES];

static volatile sig_atomic_t signal_number;

static void on_signal(int number)
{
	signal_number = number;
}

static void handle_signals(void (*handler)(int number))
{
	const struct sigaction action = {.sa_handler = handler};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

void outcome_catch_signals(void)
{
	handle_signals(on_signal);
}

int outcome_signal(void)
{
	return signal_number;
}

static void say(char kind, const char *text, const char *remedy)
{
	char record[2 * TEXT_BYTES + 16];
	int bytes = snprintf(record, sizeof(record), "%c%.*s%c%.*s", kind, (int)TEXT_BYTES, text, 0,
		(int)TEXT_BYTES, remedy ? remedy : "");

	/* At most PIPE_BUF: whole, whichever thread writes. */
	if (write(record_fd, record, (size_t)bytes + 1) < 0)
		_exit(1);
}

VMM_PRINTF(3, 0)
static void say_formatted(char kind, const char *remedy, const char *format, va_list args)
{
	char text[TEXT_BYTES];

	vsnprintf(text, sizeof(text), format, args);
	say(kind, text, remedy);
}

void finding(const char *remedy, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;
	int bytes = 0;

	if (doing_text[0])
		bytes = snprintf(text, sizeof(text), "%s: ", doing_text);
	va_start(args, format);
	vsnprintf(text + bytes, sizeof(text) - (size_t)bytes, format, args);
	va_end(args);
	say(KIND_FINDING, text, remedy);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_formatted(KIND_NOTE, NULL, format, args);
	va_end(args);
}

void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_formatted(KIND_SKIP, NULL, format, args);
	va_end(args);
	done();
}

void doing(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(doing_text, sizeof(doing_text) / 2, format, args);
	va_end(args);
	say(KIND_DOING, doing_text, NULL);
}

void done(void)
{
	fflush(NULL);
	say(KIND_DONE, "", NULL);
	_exit(0);
}

void teach(char kind, const char *text)
{
	say(kind, text, NULL);
}

/* A remedy for what the fake host complains of. */
static const char *remedy_of(const char *problem)
{
	if (strstr(problem, "behind"))
		return "give it back in unrealize() or destroy(), also after a phase that failed";
	if (strstr(problem, "where it may not"))
		return "the function's comment in <vmm/...h> says in brackets where it may be "
		       "called; post() of vmm.loop gets you onto the loop";
	if (strstr(problem, "get done with quiesce"))
		return "return 0 from quiesce(), or VMM_PENDING and call quiesced() of vmm.machine";
	return NULL;
}

/* The fake host's fail handler: its text has a line for each problem. */
static void host_failed(const char *text)
{
	while (*text) {
		size_t bytes = strcspn(text, "\n");
		char line[TEXT_BYTES];

		snprintf(line, sizeof(line), "%.*s", (int)bytes, text);
		finding(remedy_of(line), "%s", line);
		text += bytes + (text[bytes] == '\n');
	}
	done();
}

static void run_in_child(const struct check *check, struct subject *subject, const char *type,
	int pipe_fd, int output_fd)
{
	static const struct rlimit no_core = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	handle_signals(SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	record_fd = pipe_fd;
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	fake_set_fail_handler(host_failed);
	check->run(subject, type);
	done();
}

/* A text that is there already is not added again. */
static void add_said(struct said **list, const char *text, const char *remedy)
{
	struct said *said, **link;

	for (link = list; *link; link = &(*link)->next)
		if (!strcmp((*link)->text, text))
			return;
	said = calloc(1, sizeof(*said));
	if (!said)
		abort();
	said->text = strdup(text);
	said->remedy = strdup(remedy);
	*link = said;
}

/* Takes whole records off the front; returns the bytes that they had. */
static size_t take_records(const char *records, size_t bytes, struct subject *subject,
	struct outcome *outcome, bool *is_done)
{
	size_t taken = 0;

	for (;;) {
		const char *text = records + taken + 1;
		const char *remedy = taken < bytes ? memchr(text, 0, bytes - taken - 1) : NULL;
		const char *end =
			remedy ? memchr(remedy + 1, 0, bytes - (size_t)(remedy + 1 - records))
			       : NULL;

		if (!end)
			return taken;
		remedy++;
		switch (records[taken]) {
		case KIND_FINDING:
			add_said(&outcome->findings, text, remedy);
			break;
		case KIND_SKIP:
			outcome->verdict = VERDICT_SKIP;
			add_said(&outcome->notes, text, "");
			break;
		case KIND_NOTE:
			add_said(&outcome->notes, text, "");
			break;
		case KIND_DOING:
			snprintf(doing_text, sizeof(doing_text), "%s", text);
			break;
		case KIND_DONE:
			*is_done = true;
			break;
		default:
			subject_learn(subject, records[taken], text);
		}
		taken = (size_t)(end + 1 - records);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads what the child says until it is dead; kills it at the deadline. *ret_late: it was. */
static size_t listen_to(
	pid_t child, int fd, unsigned seconds, char *records, int *ret_status, bool *ret_late)
{
	uint64_t deadline = now_ms() + (uint64_t)seconds * 1000;
	size_t have = 0;
	bool dead = false;

	for (;;) {
		struct pollfd wait = {fd, POLLIN, 0};
		ssize_t got = 0;

		poll(&wait, 1, fd < 0 ? 1 : POLL_MS);
		if (wait.revents)
			got = read(fd, records + have, RECORDS_BYTES_MAX - have);
		if (got > 0)
			have += (size_t)got;
		/* The end of the pipe alone says little: a plugin may have started a process. */
		if (dead && got <= 0)
			return have;
		dead = dead || waitpid(child, ret_status, WNOHANG) == child;
		/* Of a pipe that ended poll() would tell again and again. */
		if (wait.revents && got == 0)
			fd = -1;
		if (!dead && !*ret_late && (now_ms() >= deadline || signal_number)) {
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			*ret_late = true;
		}
	}
}

static void judge_end(
	struct outcome *outcome, int status, bool is_late, bool is_done, unsigned seconds)
{
	const char *where = doing_text[0] ? doing_text : "the check";
	char text[2 * TEXT_BYTES];

	if (is_late)
		snprintf(text, sizeof(text), "%s: hangs: no end within %u s", where, seconds);
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "%s: crashes: %s", where, strsignal(WTERMSIG(status)));
	else if (!is_done)
		snprintf(text, sizeof(text), "%s: ends the process with exit status %d", where,
			WEXITSTATUS(status));
	else
		return;
	add_said(&outcome->findings, text,
		is_late ? "no function of a plugin may wait for something that need not come"
			: "run it in a debugger: gdb --args vmm-plugin-check --only CHECK FILE, "
			  "with \"set follow-fork-mode child\"");
}

static char *read_output(int fd)
{
	char *text = calloc(1, OUTPUT_BYTES + 1);
	off_t bytes = lseek(fd, 0, SEEK_END);
	ssize_t got = 0;

	if (!text)
		abort();
	if (bytes > 0)
		got = pread(
			fd, text, OUTPUT_BYTES, bytes > OUTPUT_BYTES ? bytes - OUTPUT_BYTES : 0);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

void outcome_of(const struct check *check, struct subject *subject, const char *type,
	unsigned seconds, struct outcome *ret_outcome)
{
	struct outcome outcome = {VERDICT_OK, NULL, NULL, NULL};
	char *records = malloc(RECORDS_BYTES_MAX);
	int output = memfd_create("output", MFD_CLOEXEC);
	bool is_late = false, is_done = false;
	int status = 0;
	size_t bytes;
	int fds[2];
	pid_t child;

	doing_text[0] = '\0';
	fflush(NULL);
	if (!records || output < 0 || pipe2(fds, O_CLOEXEC) || (child = fork()) < 0) {
		fprintf(stderr, "vmm-plugin-check: no process for a check: %s\n", strerror(errno));
		exit(2);
	}
	if (!child) {
		close(fds[0]);
		run_in_child(check, subject, type, fds[1], output);
	}
	close(fds[1]);
	bytes = listen_to(child, fds[0], seconds, records, &status, &is_late);
	close(fds[0]);
	kill(-child, SIGKILL); /* what the plugin may have started */
	take_records(records, bytes, subject, &outcome, &is_done);
	judge_end(&outcome, status, is_late, is_done, seconds);
	if (outcome.findings)
		outcome.verdict = VERDICT_FAIL;
	outcome.output = read_output(output);
	close(output);
	free(records);
	*ret_outcome = outcome;
}

static void free_said(struct said *said)
{
	while (said) {
		struct said *next = said->next;

		free(said->text);
		free(said->remedy);
		free(said);
		said = next;
	}
}

void outcome_fini(struct outcome *outcome)
{
	free_said(outcome->findings);
	free_said(outcome->notes);
	free(outcome->output);
}
