/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices a loop that does not come back from a callback, and says which and in whose code. It only
 * tells: what the loop is busy with may be a slow disk that comes back.
 */
#ifndef LOOP_WATCHDOG_H
#define LOOP_WATCHDOG_H

#include <stdint.h>

struct loop;
struct watchdog;

#define WATCHDOG_LIMIT_NS UINT64_C(10000000000)

/**
 * Starts a thread that looks at the loops: one that has been in the same callback for limit_ns to
 * twice that is named by a warning, and by another line when it goes on. There can be one watchdog
 * in the process. Fails with VMM_E_LIMIT. [config]
 */
int watchdog_start(struct loop *const *loops, uint32_t count, uint64_t limit_ns,
	struct watchdog **ret_watchdog);

/** Ends it, before the loops are destroyed; NULL is fine. [config] */
void watchdog_stop(struct watchdog *watchdog);

/** Has a thread that watchdogs ask say where it is; at the start of every thread. [any] */
void watchdog_init_thread(void);

#endif
