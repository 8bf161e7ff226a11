/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that vmm was started on: raw while a guest's console is there, and as it was at
 * every way out. There is one for the process, because signal handlers must reach it.
 */
#ifndef LOOP_TERMINAL_H
#define LOOP_TERMINAL_H

#include <stdbool.h>

/**
 * Opens /dev/null in place of any of the fds 0, 1 and 2 that is closed, so that nothing that is
 * opened later takes their place. The first thing a program does. [config]
 */
void terminal_fill_standard_fds(void);

/**
 * Puts the terminal fd into raw mode, if this process is in its foreground; remembers how it was,
 * the first time. Returns 0, VMM_E_AGAIN in the background, VMM_E_UNSUPPORTED for no terminal.
 * [config] [loop]
 */
int terminal_raw(int fd);

/** True if fd is a terminal and this process is not in its foreground. [any] */
bool terminal_in_background(int fd);

/** Puts it back as it was; nothing if it is not raw. Async-signal-safe. [any] */
void terminal_restore(void);

/** For the stop signals: restores, but remembers that it was raw. Async-signal-safe. */
void terminal_suspend(void);

/** Raw again if it was, after a stop, when in the foreground. Async-signal-safe. */
void terminal_continue(void);

#endif
