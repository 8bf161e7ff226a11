/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks that a test sets, and a thread that waits by them: what is under test sees the time of the
 * system, moved by what is said here.
 */
#ifndef TESTS_LOOP_CLOCKS_H
#define TESTS_LOOP_CLOCKS_H

#include <stdint.h>

/** Moves the wall clock, in seconds. */
void clocks_step_wall(int64_t seconds);

/**
 * From here on a wait with a limit by the monotonic clock ends by clocks_pass() only. One thread
 * may wait.
 */
void clocks_take(void);

/** Lets that time pass at once, the wait end by its limit, and the thread come to its next wait. */
void clocks_pass(uint64_t ns);

/** Clocks and waits are those of the system again; the wait under way ends. */
void clocks_give_back(void);

#endif
