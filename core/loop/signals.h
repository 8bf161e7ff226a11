/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the process. What each does:
 *
 *   SIGTERM SIGINT SIGHUP  first: the stop callback, on the main loop. Second: the terminal is
 *                          restored and the process ends at once by that signal, whatever the
 *                          loop is doing. INT and HUP that were ignored at start stay ignored
 *                          (nohup, background jobs of scripts).
 *   SIGQUIT                ends at once with the terminal restored and the default action (core)
 *   SIGPWR                 the power button callback
 *   SIGTSTP                restores the terminal and stops; SIGCONT makes it raw again if vmm is
 *                          in the foreground
 *   SIGTTIN SIGTTOU        ignored: a vmm in the background runs on without input
 *   SIGPIPE SIGXFSZ        ignored: the write fails with EPIPE, EFBIG
 *   SIGSEGV SIGBUS SIGILL SIGFPE SIGABRT SIGSYS SIGTRAP
 *                          restore the terminal, write the signal, the thread, the plugin that
 *                          the code belongs to and the exit in progress to standard error, and
 *                          end by the same signal
 *
 * Handlers only write to an eventfd or do what is async-signal-safe; they never log.
 */
#ifndef LOOP_SIGNALS_H
#define LOOP_SIGNALS_H

#include <stdint.h>

struct crash_text;
struct loop;
struct vmm_error;

/** What signals ask for; on the main loop. */
struct signals_ops {
	/** End the machine in order. signal: SIGTERM, SIGINT or SIGHUP. Comes once. */
	void (*stop)(void *ctx, int signal);
	void (*power_button)(void *ctx);
};

/**
 * Installs the handlers, before other threads are started; ops is called on main_loop once it runs,
 * also for signals that came before. ops and ctx until signals_fini(). [config]
 */
int signals_init(
	struct loop *main_loop, const struct signals_ops *ops, void *ctx, struct vmm_error *error);

/** Puts back what signals_init() changed but ignored signals. [config] */
void signals_fini(void);

/**
 * At the start of a thread (I/O threads do it by themselves): blocks all signals that go to the
 * process, so that they are handled on the main thread, and gives fatal ones a stack. Fatal signals
 * stay unblocked. [any]
 */
void signals_init_thread(void);

/**
 * Names a range of code for the report of a fatal signal: a plugin that was loaded. name is
 * copied; at most 64 ranges, more are not reported. [config]
 */
void signals_name_code(const char *name, uintptr_t start, uintptr_t end);

/** Appends what a thread is doing to a report. Async-signal-safe, on the thread itself. */
typedef void (*crash_describe)(const void *ctx, struct crash_text *text);

/** Says who describes what this thread is doing from now on; NULL: there is nothing. [any] */
void signals_describe_thread(crash_describe describe, const void *ctx);

#endif
