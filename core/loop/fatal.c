/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crash of the process: the terminal is put back, one block of text says what, where, in whose
 * code and during which exit of a vCPU, and the process ends by the same signal, so that core dumps
 * and exit statuses are the usual ones. Everything here is async-signal-safe: no stdio, no
 * allocation, no lock.
 */
#include "loop/fatal.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "loop/crash_text.h"
#include "loop/signals.h"
#include "loop/terminal.h"

#define STACK_BYTES 65536u
#define RANGES_MAX  64u
#define NAME_BYTES  128u
#define STACK_WORDS 512u

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

/* What this thread is doing; see signals_describe_thread(). */
static _Thread_local crash_describe thread_describe;
static _Thread_local const void *thread_ctx;

static _Thread_local char stack[STACK_BYTES] __attribute__((aligned(16)));

/* The loaded file that the address is in, or NULL: vmm itself, or a library. */
static const char *code_name(uintptr_t address, uintptr_t *ret_offset)
{
	uint32_t count = atomic_load(&range_count);

	for (uint32_t i = 0; i < count; i++) {
		if (address >= ranges[i].start && address < ranges[i].end) {
			*ret_offset = address - ranges[i].start;
			return ranges[i].name;
		}
	}
	return NULL;
}

static const char *signal_name(int signal)
{
	switch (signal) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGILL:
		return "SIGILL";
	case SIGFPE:
		return "SIGFPE";
	case SIGABRT:
		return "SIGABRT";
	case SIGSYS:
		return "SIGSYS";
	default:
		return "SIGTRAP";
	}
}

static void put_signal(
	struct crash_text *text, int signal, const siginfo_t *info, const greg_t *registers)
{
	crash_put(text, "vmm: crash: ");
	crash_put(text, signal_name(signal));
	crash_put(text, " (fatal signal ");
	crash_put_number(text, (uint64_t)signal);
	crash_put(text, ")");
	if (info->si_code <= 0) {
		crash_put(text, ", sent by process ");
		crash_put_number(text, (uint64_t)info->si_pid);
	} else if (signal == SIGSYS) {
		crash_put(text, ", system call ");
		crash_put_number(text, (uint64_t)info->si_syscall);
		crash_put(text, " (");
		crash_put_hex(text, (uintptr_t)registers[REG_RDI]);
		crash_put(text, ", ");
		crash_put_hex(text, (uintptr_t)registers[REG_RSI]);
		crash_put(text, ", ");
		crash_put_hex(text, (uintptr_t)registers[REG_RDX]);
		crash_put(text, ") is not allowed on this thread");
	} else if (signal == SIGSEGV || signal == SIGBUS) {
		crash_put(text, ", access to address ");
		crash_put_hex(text, (uintptr_t)info->si_addr);
	}
}

static void put_code(struct crash_text *text, const char *what, uintptr_t address)
{
	uintptr_t offset;
	const char *name = code_name(address, &offset);

	crash_put(text, what);
	if (name) {
		crash_put(text, name);
		crash_put(text, "+");
		crash_put_hex(text, offset);
		crash_put(text, " ");
	}
	crash_put(text, "at ");
	crash_put_hex(text, address);
}

static void write_text(struct crash_text *text)
{
	ssize_t done;

	if (text->used == CRASH_TEXT_BYTES)
		text->used--;
	text->text[text->used++] = '\n';
	done = write(STDERR_FILENO, text->text, text->used);
	(void)done;
	text->used = 0;
}

/*
 * Code of a library has a caller. Which plugin that is can be guessed: the nearest address on the
 * stack that is in one.
 */
__attribute__((no_sanitize("address", "undefined", "thread"))) static uintptr_t find_caller(
	uintptr_t stack_pointer)
{
	const volatile uintptr_t *word = (const volatile uintptr_t *)(stack_pointer & ~7ul);
	uintptr_t offset;

	for (uint32_t i = 0; i < STACK_WORDS; i++)
		if (code_name(word[i], &offset))
			return word[i];
	return 0;
}

/*
 * "vmm: crash: SIGSEGV (fatal signal 11), access to address 0x8
 *    thread: vcpu0
 *    code: /usr/lib/vmm/plugins/virtio-blk.so+0x1234 at 0x7f0012345678
 *    exit: write of 4 bytes to MMIO address 0xfebf0014"
 */
static void report(int signal, const siginfo_t *info, const ucontext_t *context)
{
	const greg_t *registers = context->uc_mcontext.gregs;
	uintptr_t code = (uintptr_t)registers[REG_RIP];
	struct crash_text text = {.used = 0};
	char thread[16] = "?";
	uintptr_t caller;
	uintptr_t offset;

	prctl(PR_GET_NAME, thread);
	put_signal(&text, signal, info, registers);
	crash_put(&text, "\n  thread: ");
	crash_put(&text, thread);
	put_code(&text, "\n  code: ", code);
	if (thread_describe) {
		crash_put(&text, "\n  exit: ");
		thread_describe(thread_ctx, &text);
	}
	write_text(&text);
	if (code_name(code, &offset))
		return;
	/* Last: it reads the stack, which may be what is broken. */
	caller = find_caller((uintptr_t)registers[REG_RSP]);
	if (!caller)
		return;
	put_code(&text, "  called from: ", caller);
	write_text(&text);
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
	size_t bytes = strlen(name);

	if (count == RANGES_MAX)
		return;
	/* The end of a path says more than its beginning. */
	strncpy(ranges[count].name, name + (bytes < NAME_BYTES ? 0 : bytes - NAME_BYTES + 1),
		NAME_BYTES - 1);
	ranges[count].start = start;
	ranges[count].end = end;
	atomic_store(&range_count, count + 1);
}

void signals_describe_thread(crash_describe describe, const void *ctx)
{
	thread_describe = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	thread_ctx = ctx;
	atomic_signal_fence(memory_order_seq_cst);
	thread_describe = describe;
}

const char *fatal_code_near(const ucontext_t *context)
{
	const greg_t *registers = context->uc_mcontext.gregs;
	uintptr_t offset;
	const char *name = code_name((uintptr_t)registers[REG_RIP], &offset);
	uintptr_t caller = name ? 0 : find_caller((uintptr_t)registers[REG_RSP]);

	return caller ? code_name(caller, &offset) : name;
}
