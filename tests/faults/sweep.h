/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets each counted call of a run fail, one after the other, once and from then on; cuts all
 * transfers short; interrupts every second call. Each run is a process of its own (a fork of the
 * test), so a crash and a hang are told like any other failure, and the sweep goes on.
 */
#ifndef TESTS_FAULT_SWEEP_H
#define TESTS_FAULT_SWEEP_H

#include "fault.h"

#define SWEEP_TEXT_BYTES 4096u

/** How a run ended. */
struct sweep_result {
	bool succeeded;
	bool tolerates_any;          /* it failed, and no text is expected */
	char text[SWEEP_TEXT_BYTES]; /* what it printed; the sweep fills that in */
};

struct sweep {
	const char *name;

	/** In each process before anything else, or NULL. */
	void (*prepare)(void *ctx);

	/** One run, from nothing to nothing. Faults are on when it is called. */
	void (*attempt)(void *ctx, enum fault_mode mode, struct sweep_result *ret_result);
	void *ctx;

	/** Also when a call keeps failing the run has to succeed: what is under test outlives it.
	 */
	bool always_succeeds;
};

/**
 * Asserts for each run: no crash, no hang, nothing left behind; it succeeds, or its text names what
 * failed; a second run without faults in the same process succeeds and leaves nothing either. Cut
 * and interrupted calls never make a run fail.
 *
 * A place in the code is taken once in a process, the first time that a sweep comes to it, and
 * fails once or from then on, by turns: what a build does in one way, that with the address
 * sanitizer does in the other. With VMM_FAULTS=full in the environment all points fail in both.
 *
 * Returns the number of runs that went wrong; they are printed.
 */
uint32_t sweep_run(const struct sweep *sweep);

/** For an attempt: ends the run as one that went wrong. */
void sweep_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
