/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that starts again runs in a child process, which is a new one each time. */
#ifndef CLI_SUPERVISE_H
#define CLI_SUPERVISE_H

#include <stdbool.h>

/**
 * Runs run(ctx) in a child process, again while again() says so of its status, and ends as the last
 * child did: with its status, which is returned, or by its signal. Signals that ask for something
 * are passed on; behind one that asks for the end nothing is run again, whatever the status. There
 * is one thread.
 *
 * A machine that was sandboxed has no privileges left to build the next one with; this process has
 * them, and never sees what a guest says.
 */
int supervise(int (*run)(void *ctx), void *ctx, bool (*again)(int status));

#endif
