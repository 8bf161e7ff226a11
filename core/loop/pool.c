/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for blocking work; see pool.h. Not libuv's: those end the process when none can be
 * started, and wake their loop once more for each piece of work, behind our own wake-up.
 */
#include "loop/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <vmm/types.h>

#include "loop/signals.h"
#include "sandbox/sandbox.h"
#include "thread/thread.h"

/* Those that wait for a disk: as many requests are at it at a time. */
#define THREADS_MAX 16u

STAILQ_HEAD(job_list, pool_job);

/* There is one for the process. The lock guards all of it and is a leaf. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list jobs;
	pthread_t threads[THREADS_MAX];
	uint32_t thread_count;
	uint32_t idle;  /* threads that wait and that nobody woke */
	uint32_t woken; /* wake-ups that no thread has taken yet */
	uint32_t holders;
	bool stop;
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.jobs = STAILQ_HEAD_INITIALIZER(pool.jobs),
};

/* The next job, which a thread takes by itself as long as there is one; NULL: the end. */
static struct pool_job *take_locked(void)
{
	while (STAILQ_EMPTY(&pool.jobs) && !pool.stop) {
		pool.idle++;
		while (!pool.woken && !pool.stop)
			pthread_cond_wait(&pool.wake, &pool.lock);
		if (pool.woken)
			pool.woken--;
	}

	struct pool_job *job = STAILQ_FIRST(&pool.jobs);

	if (job)
		STAILQ_REMOVE_HEAD(&pool.jobs, link);
	return job;
}

static void *thread_main(void *arg)
{
	struct pool_job *job;

	signals_init_thread();
	prctl(PR_SET_NAME, "worker");
	sandbox_thread(SANDBOX_WORKER);
	pthread_mutex_lock(&pool.lock);
	while ((job = take_locked()) != NULL) {
		pthread_mutex_unlock(&pool.lock);
		job->run(job);
		pthread_mutex_lock(&pool.lock);
	}
	pthread_mutex_unlock(&pool.lock);
	return arg;
}

/* One more thread. It is no error that there is none, as long as there is another. */
static int start_locked(void)
{
	int err = thread_start(&pool.threads[pool.thread_count], thread_main, NULL);

	if (!err)
		pool.thread_count++;
	if (pool.thread_count)
		return 0;
	return err == EAGAIN ? VMM_E_LIMIT : VMM_E_NOMEM;
}

int pool_submit(struct pool_job *job)
{
	bool wake;
	int ret = 0;

	pthread_mutex_lock(&pool.lock);
	wake = pool.idle;
	if (wake) {
		pool.idle--;
		pool.woken++;
	} else if (pool.thread_count < THREADS_MAX) {
		ret = start_locked();
	}
	if (ret == 0)
		STAILQ_INSERT_TAIL(&pool.jobs, job, link);
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.wake);
	return ret;
}

void pool_hold(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.holders++;
	pthread_mutex_unlock(&pool.lock);
}

void pool_release(void)
{
	pthread_mutex_lock(&pool.lock);
	bool ends = --pool.holders == 0;

	if (ends) {
		pool.stop = true;
		pthread_cond_broadcast(&pool.wake);
	}
	pthread_mutex_unlock(&pool.lock);
	if (!ends)
		return;
	for (uint32_t i = 0; i < pool.thread_count; i++)
		pthread_join(pool.threads[i], NULL);
	pool.thread_count = 0;
	pool.idle = 0;
	pool.woken = 0;
	pool.stop = false;
}
