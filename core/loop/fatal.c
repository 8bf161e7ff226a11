/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crash of the process: the terminal is put back, one line says what, where and in whose code,
 * and the process ends by the same signal, so that core dumps and exit statuses are the usual ones.
 * Everything here is async-signal-safe: no stdio, no allocation, no lock.
 */
#include "loop/fatal.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "loop/signals.h"
#include "loop/terminal.h"

#define STACK_BYTES 65536u
#define RANGES_MAX  64u
#define NAME_BYTES  64u
#define LINE_BYTES  256u

static const int fatal_signals[] = {
	SIGSEGV,
	SIGBUS,
	SIGILL,
	SIGFPE,
	SIGABRT,
	SIGSYS,
	SIGTRAP,
};

#define FATAL_SIGNALS (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

static struct {
	char name[NAME_BYTES];
	uintptr_t start;
	uintptr_t end;
} ranges[RANGES_MAX];
static _Atomic uint32_t range_count;

static _Atomic int reporting; /* the thread id that does it; 0: none */
static bool installed[FATAL_SIGNALS];

static _Thread_local char stack[STACK_BYTES] __attribute__((aligned(16)));

struct line {
	char text[LINE_BYTES];
	size_t used;
};

static void put_text(struct line *line, const char *text)
{
	while (*text && line->used < LINE_BYTES)
		line->text[line->used++] = *text++;
}

static void put_number(struct line *line, uint64_t value, uint32_t base)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_text(line, digits + at);
}

static const char *code_name(uintptr_t address)
{
	uint32_t count = atomic_load(&range_count);

	for (uint32_t i = 0; i < count; i++) {
		if (address >= ranges[i].start && address < ranges[i].end)
			return ranges[i].name;
	}
	return NULL;
}

/* "vmm: fatal signal 11 (address 0x0) in thread vcpu0, code of virtio-blk at 0x7f0012345678" */
static void report(int signal, const siginfo_t *info, const ucontext_t *context)
{
	struct line line = {.used = 0};
	char thread[16] = "?";
	uintptr_t code = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	const char *name = code_name(code);

	prctl(PR_GET_NAME, thread);
	put_text(&line, "vmm: fatal signal ");
	put_number(&line, (uint64_t)signal, 10);
	if (signal == SIGSEGV || signal == SIGBUS) {
		put_text(&line, " (address 0x");
		put_number(&line, (uintptr_t)info->si_addr, 16);
		put_text(&line, ")");
	}
	put_text(&line, " in thread ");
	put_text(&line, thread);
	put_text(&line, ", code ");
	if (name) {
		put_text(&line, "of ");
		put_text(&line, name);
		put_text(&line, " ");
	}
	put_text(&line, "at 0x");
	put_number(&line, code, 16);
	if (line.used == LINE_BYTES)
		line.used--;
	line.text[line.used++] = '\n';

	ssize_t done = write(STDERR_FILENO, line.text, line.used);

	(void)done;
}

static void on_fatal(int number, siginfo_t *info, void *context)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	int self = gettid();
	int none = 0;

	if (atomic_compare_exchange_strong(&reporting, &none, self)) {
		terminal_restore();
		report(number, info, context);
	} else if (none != self) {
		/* Another thread reports, and ends the process. */
		for (;;)
			pause();
	}
	/* Blocked while this runs: it comes again, with the default action, on return. */
	sigaction(number, &action, NULL);
	raise(number);
}

void fatal_init(void)
{
	struct sigaction old;
	struct sigaction action = {
		.sa_sigaction = on_fatal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < FATAL_SIGNALS; i++) {
		sigaction(fatal_signals[i], NULL, &old);
		installed[i] = !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL;
		if (installed[i])
			sigaction(fatal_signals[i], &action, NULL);
	}
	fatal_init_thread();
}

void fatal_fini(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < FATAL_SIGNALS; i++) {
		if (installed[i])
			sigaction(fatal_signals[i], &action, NULL);
		installed[i] = false;
	}
}

void fatal_init_thread(void)
{
	stack_t old;
	stack_t mine = {.ss_sp = stack, .ss_size = sizeof(stack)};

	/* A sanitizer may have given the thread one. */
	if (!sigaltstack(NULL, &old) && (old.ss_flags & SS_DISABLE))
		sigaltstack(&mine, NULL);
}

void fatal_remove_signals(sigset_t *set)
{
	for (size_t i = 0; i < FATAL_SIGNALS; i++)
		sigdelset(set, fatal_signals[i]);
}

void signals_name_code(const char *name, uintptr_t start, uintptr_t end)
{
	uint32_t count = atomic_load(&range_count);

	if (count == RANGES_MAX)
		return;
	strncpy(ranges[count].name, name, NAME_BYTES - 1);
	ranges[count].start = start;
	ranges[count].end = end;
	atomic_store(&range_count, count + 1);
}
