/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault layer: calls of the C library and of other libraries that can fail are interposed
 * (calls_*.c), and this decides which of them do. Counted are calls whose caller is code of the
 * project, so that counts repeat: what libraries call for themselves cannot fail here.
 *
 * A point is one call: the place in the code that makes it, and the how-manyth time. A run without
 * faults records the points; further runs let one of them fail. Allocations and file descriptors
 * are kept account of, so that a run can be asked what it left behind.
 *
 * Threads: any may call what is interposed. Everything else is for the thread that runs the test.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_mode {
	FAULT_NONE,
	FAULT_RECORD,
	FAULT_ONCE,       /* the point fails */
	FAULT_PERSISTENT, /* the point and every counted call after it */
	FAULT_SHORT,      /* transfers move half of what is asked for; nothing fails */
	FAULT_INTERRUPT,  /* every second call that a signal can interrupt is */
};

struct fault_point {
	const char *call;
	uintptr_t site;
	uint32_t nth; /* at this site, from 1 */
	int error;    /* errno that it fails with */
};

#define FAULT_POINTS_MAX 16384u

/** Whose calls are counted. Default: both. */
void fault_scope(bool program, bool plugins);

/** From here on calls are counted and fail by the mode; point only for ONCE and PERSISTENT. */
void fault_begin(enum fault_mode mode, const struct fault_point *point);
void fault_end(void);

/** Points that RECORD found, in the order of the calls. They are in memory that a fork shares. */
const struct fault_point *fault_points(uint32_t *ret_count);

/** How often a call was made to fail, cut short or interrupted since fault_begin. */
uint32_t fault_hits(void);

/** Whether a call failed with this errno since fault_begin. */
bool fault_gave(int error);

/** What the thread does from here to leave is no code of the project. Nests. */
void fault_exempt_enter(void);
void fault_exempt_leave(void);

/** "calloc at vmm+0x1234 (3rd)", with the line of the source where addr2line knows it. */
void fault_describe(const struct fault_point *point, char *text, size_t bytes);

/** Remembers what is allocated and open. */
void fault_mark(void);

/** Prints what was allocated or opened since and is still there; returns the count. */
uint32_t fault_left_behind(void);

/*
 * For calls_*.c.
 */

enum fault_kind {
	FAULT_CAN_FAIL = 1,
	FAULT_CAN_SHORTEN = 2,
	FAULT_CAN_INTERRUPT = 4,
	FAULT_RECOVERS = 8, /* PERSISTENT lets it fail as its point only */
};

enum fault_answer { FAULT_PASS, FAULT_FAIL, FAULT_CUT, FAULT_EINTR };

/** What becomes of a call from that return address. */
enum fault_answer fault_ask(const char *call, const void *caller, int error, unsigned int kinds);

/** Account of memory: what a counted caller got, and what anybody frees. */
void fault_allocated(void *memory, const void *caller, const char *call);
void fault_freed(void *memory);

#endif
