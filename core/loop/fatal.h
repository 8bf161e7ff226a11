/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that report a crash. Internal to core/loop; signals.h is the way in.
 */
#ifndef LOOP_FATAL_H
#define LOOP_FATAL_H

#include <signal.h>
#include <ucontext.h>

/** Installs handlers where there is none yet (a sanitizer has its own). [config] */
void fatal_init(void);

/** Puts the default actions back. [config] */
void fatal_fini(void);

/** Gives this thread a stack for handlers: the thread's own may be what overflowed. [any] */
void fatal_init_thread(void);

/** Takes the fatal signals out of a set that is to be blocked. [any] */
void fatal_remove_signals(sigset_t *set);

/**
 * The plugin in whose code an interrupted thread is, or that called what it is in; NULL: none.
 * Async-signal-safe. [any]
 */
const char *fatal_code_near(const ucontext_t *context);

#endif
