/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See clocks.h. The linker puts these in front of the C library's (--wrap).
 */
#include "clocks.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static _Atomic int64_t wall_ns, monotonic_ns;
static atomic_bool taken;
static sem_t waiting, go;

int __real_clock_gettime(clockid_t id, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now);
int __real_pthread_cond_clockwait(
	pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t id, const struct timespec *limit);
int __wrap_pthread_cond_clockwait(
	pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t id, const struct timespec *limit);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now)
{
	int ret = __real_clock_gettime(id, ret_now);
	int64_t ns = ret_now->tv_sec * NS_PER_S + ret_now->tv_nsec;

	if (id == CLOCK_REALTIME)
		ns += wall_ns;
	else if (id == CLOCK_MONOTONIC)
		ns += monotonic_ns;
	ret_now->tv_sec = ns / NS_PER_S;
	ret_now->tv_nsec = ns % NS_PER_S;
	return ret;
}

int __wrap_pthread_cond_clockwait(
	pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t id, const struct timespec *limit)
{
	if (!taken || id != CLOCK_MONOTONIC)
		return __real_pthread_cond_clockwait(cond, lock, id, limit);
	pthread_mutex_unlock(lock);
	sem_post(&waiting);
	while (sem_wait(&go))
		continue;
	pthread_mutex_lock(lock);
	return taken ? ETIMEDOUT : 0;
}

void clocks_step_wall(int64_t seconds)
{
	wall_ns += seconds * NS_PER_S;
}

void clocks_take(void)
{
	sem_init(&waiting, 0, 0);
	sem_init(&go, 0, 0);
	taken = true;
}

void clocks_pass(uint64_t ns)
{
	while (sem_wait(&waiting))
		continue;
	monotonic_ns += (int64_t)ns;
	sem_post(&go);
	while (sem_wait(&waiting))
		continue;
	/* For the next one. */
	sem_post(&waiting);
}

void clocks_give_back(void)
{
	monotonic_ns = 0;
	taken = false;
	sem_post(&go);
}
