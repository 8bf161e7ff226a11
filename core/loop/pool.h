/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that blocking work is done on: one pool for the process, shared by its loops. Threads
 * are started when work finds none that waits, and stay until the last loop is gone.
 */
#ifndef LOOP_POOL_H
#define LOOP_POOL_H

#include <sys/queue.h>

/** Waits in the pool, then runs. The memory is the submitter's, and the pool's until run(). */
struct pool_job {
	STAILQ_ENTRY(pool_job) link;
	void (*run)(struct pool_job *job);
};

/** Each loop does this before its first job, and lets go behind its last. [config] */
void pool_hold(void);

/** The last one to let go waits for the end of the threads. [config] */
void pool_release(void);

/**
 * Runs a job on a thread of the pool, in the order of submission but several at a time.
 * VMM_E_LIMIT, VMM_E_NOMEM: there is no thread, and none could be started. [any]
 */
int pool_submit(struct pool_job *job);

#endif
