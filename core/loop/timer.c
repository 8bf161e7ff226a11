/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and timers. A timer is a timerfd of its own: it has nanoseconds where libuv's has
 * milliseconds, follows steps of the wall clock, and can be armed from any thread with one system
 * call. All fire once, so a process that was stopped for minutes finds no burst of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/internal.h"

#define NS_PER_S UINT64_C(1000000000)

/* VM time is host time less the time spent paused. */
struct vm_clock {
	pthread_mutex_t lock; /* guards all here and deadline_ns of the timers; a leaf */
	struct timer_list timers;
	uint64_t offset_ns; /* host - VM, while it runs */
	uint64_t frozen_ns; /* VM time, while it is paused */
	bool paused;
};

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int set_fd(int fd, uint64_t deadline_ns)
{
	struct itimerspec when = {0};

	if (deadline_ns != VMM_TIMER_OFF) {
		/* 0 would disarm. */
		uint64_t ns = deadline_ns ? deadline_ns : 1;

		when.it_value.tv_sec = (time_t)(ns / NS_PER_S);
		when.it_value.tv_nsec = (long)(ns % NS_PER_S);
	}
	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? VMM_E_IO : 0;
}

static int set_vm_timer_locked(const struct loop_timer *timer)
{
	const struct vm_clock *clock = timer->clock;
	uint64_t deadline = timer->deadline_ns;

	if (clock->paused || deadline == VMM_TIMER_OFF)
		return set_fd(timer->fd, VMM_TIMER_OFF);
	/* A sum that wraps is centuries away, as is the largest that does not. */
	if (deadline > VMM_TIMER_OFF - 1 - clock->offset_ns)
		return set_fd(timer->fd, VMM_TIMER_OFF - 1);
	return set_fd(timer->fd, deadline + clock->offset_ns);
}

int vm_clock_create(struct vm_clock **ret_clock)
{
	struct vm_clock *clock = calloc(1, sizeof(*clock));

	if (!clock)
		return VMM_E_NOMEM;
	pthread_mutex_init(&clock->lock, NULL);
	*ret_clock = clock;
	return 0;
}

void vm_clock_destroy(struct vm_clock *clock)
{
	if (!clock)
		return;
	pthread_mutex_destroy(&clock->lock);
	free(clock);
}

static void set_all_locked(struct vm_clock *clock)
{
	struct loop_timer *timer;

	LIST_FOREACH(timer, &clock->timers, clock_link)
	{
		set_vm_timer_locked(timer);
	}
}

void vm_clock_pause(struct vm_clock *clock)
{
	pthread_mutex_lock(&clock->lock);
	if (!clock->paused) {
		clock->frozen_ns = read_clock(CLOCK_MONOTONIC) - clock->offset_ns;
		clock->paused = true;
		set_all_locked(clock);
	}
	pthread_mutex_unlock(&clock->lock);
}

void vm_clock_resume(struct vm_clock *clock)
{
	pthread_mutex_lock(&clock->lock);
	if (clock->paused) {
		clock->offset_ns = read_clock(CLOCK_MONOTONIC) - clock->frozen_ns;
		clock->paused = false;
		set_all_locked(clock);
	}
	pthread_mutex_unlock(&clock->lock);
}

static uint64_t vm_now(struct vm_clock *clock)
{
	pthread_mutex_lock(&clock->lock);
	uint64_t now =
		clock->paused ? clock->frozen_ns : read_clock(CLOCK_MONOTONIC) - clock->offset_ns;
	pthread_mutex_unlock(&clock->lock);
	return now;
}

uint64_t loop_now(struct vm_clock *clock, uint32_t which)
{
	switch (which) {
	case VMM_CLOCK_HOST:
		return read_clock(CLOCK_MONOTONIC);
	case VMM_CLOCK_VM:
		return clock ? vm_now(clock) : read_clock(CLOCK_MONOTONIC);
	case VMM_CLOCK_REAL:
		return read_clock(CLOCK_REALTIME);
	default:
		return 0;
	}
}

/* Takes the expiration; false if the timer was armed anew or disarmed in the meantime. */
static bool take(struct loop_timer *timer)
{
	uint64_t count;

	return read(timer->fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void fd_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct loop_timer *timer = ctx;
	bool fired;

	(void)fd;
	(void)events;
	if (timer->clock) {
		pthread_mutex_lock(&timer->clock->lock);
		fired = take(timer);
		if (fired)
			timer->deadline_ns = VMM_TIMER_OFF;
		pthread_mutex_unlock(&timer->clock->lock);
	} else {
		fired = take(timer);
	}
	if (fired)
		timer->cb(timer->ctx);
}

int loop_timer_add(struct loop *loop, const void *owner, uint32_t which, vmm_call_cb cb, void *ctx,
	struct loop_timer **ret_timer)
{
	int ret;

	if ((which != VMM_CLOCK_HOST && which != VMM_CLOCK_VM && which != VMM_CLOCK_REAL) || !cb)
		return VMM_E_INVAL;

	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return VMM_E_NOMEM;
	timer->loop = loop;
	timer->owner = owner;
	timer->cb = cb;
	timer->ctx = ctx;
	timer->clock = which == VMM_CLOCK_VM ? loop->clock : NULL;
	timer->deadline_ns = VMM_TIMER_OFF;
	timer->fd = timerfd_create(which == VMM_CLOCK_REAL ? CLOCK_REALTIME : CLOCK_MONOTONIC,
		TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0) {
		ret = errno == ENOMEM ? VMM_E_NOMEM : VMM_E_LIMIT;
		goto free_timer;
	}
	ret = loop_watch_add(loop, owner, timer->fd, VMM_WATCH_READ, fd_cb, timer, &timer->watch);
	if (ret < 0)
		goto close_fd;
	LIST_INSERT_HEAD(&loop->timers, timer, link);
	if (timer->clock) {
		pthread_mutex_lock(&timer->clock->lock);
		LIST_INSERT_HEAD(&timer->clock->timers, timer, clock_link);
		pthread_mutex_unlock(&timer->clock->lock);
	}
	*ret_timer = timer;
	return 0;

close_fd:
	close(timer->fd);
free_timer:
	free(timer);
	return ret;
}

int loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns)
{
	if (!timer->clock)
		return set_fd(timer->fd, deadline_ns);
	pthread_mutex_lock(&timer->clock->lock);
	timer->deadline_ns = deadline_ns;
	int ret = set_vm_timer_locked(timer);

	pthread_mutex_unlock(&timer->clock->lock);
	return ret;
}

void loop_timer_remove(struct loop_timer *timer)
{
	if (!timer)
		return;
	LIST_REMOVE(timer, link);
	if (timer->clock) {
		pthread_mutex_lock(&timer->clock->lock);
		LIST_REMOVE(timer, clock_link);
		pthread_mutex_unlock(&timer->clock->lock);
	}
	loop_watch_remove(timer->watch);
	close(timer->fd);
	free(timer);
}
