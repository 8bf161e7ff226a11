/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns of the loops: by hand, or on threads of their own.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_internal.h"

#define NS_PER_MS      1000000ull
#define FDS_MAX        128u
#define SETTLE_MAX     1000000u
#define THREAD_WAIT_MS 50u

static void guard(vmm_host *owner, int enter)
{
	if (owner)
		fake_device_guard(owner, enter);
}

/* Those that are there now; what they post themselves waits for the next turn. */
static uint32_t turn_posts(struct fake_loop *loop)
{
	struct fake_host *host = loop->host;
	struct fake_post *post, *last;
	uint32_t count = 0;
	int more = 1;

	fake_lock(host);
	last = NULL;
	for (post = loop->posts; post; post = post->next)
		last = post;
	fake_unlock(host);
	while (last && more) {
		fake_lock(host);
		post = loop->posts;
		if (post) {
			loop->posts = post->next;
			if (!loop->posts)
				loop->posts_tail = &loop->posts;
		}
		fake_unlock(host);
		if (!post)
			break;
		more = post != last;
		guard(post->owner, 1);
		post->cb(post->ctx);
		guard(post->owner, 0);
		free(post);
		count++;
	}
	return count;
}

/* The timer that is due first, disarmed; a copy of it. */
static int timer_due(struct fake_loop *loop, uint64_t now, uint64_t real, struct fake_timer *ret)
{
	struct fake_timer *first = NULL;
	struct fake_object *object;

	fake_lock(loop->host);
	for (object = loop->host->objects; object; object = object->next) {
		struct fake_timer *timer = (void *)object;

		if (object->kind != KIND_TIMER || timer->loop != loop->id ||
			timer->deadline_ns == VMM_TIMER_OFF ||
			timer->deadline_ns > (timer->clock == VMM_CLOCK_REAL ? real : now))
			continue;
		if (!first || timer->deadline_ns < first->deadline_ns)
			first = timer;
	}
	if (first) {
		first->deadline_ns = VMM_TIMER_OFF;
		*ret = *first;
	}
	fake_unlock(loop->host);
	return first != NULL;
}

static uint32_t turn_timers(struct fake_loop *loop)
{
	uint64_t now = fake_clock(loop->host, VMM_CLOCK_HOST);
	uint64_t real = fake_clock(loop->host, VMM_CLOCK_REAL);
	struct fake_timer timer;
	uint32_t count = 0;

	while (count < 1000 && timer_due(loop, now, real, &timer)) {
		guard(timer.object.owner, 1);
		timer.cb(timer.ctx);
		guard(timer.object.owner, 0);
		count++;
	}
	return count;
}

/* How long to sleep until the next timer, at most timeout_ms. */
static uint32_t wait_ms(struct fake_loop *loop, uint32_t timeout_ms)
{
	uint64_t now, best = timeout_ms * NS_PER_MS;
	struct fake_object *object;

	if (loop->host->flags & FAKE_CLOCK)
		return timeout_ms;
	now = fake_clock(loop->host, VMM_CLOCK_HOST);
	fake_lock(loop->host);
	for (object = loop->host->objects; object; object = object->next) {
		struct fake_timer *timer = (void *)object;

		if (object->kind != KIND_TIMER || timer->loop != loop->id ||
			timer->clock == VMM_CLOCK_REAL || timer->deadline_ns == VMM_TIMER_OFF)
			continue;
		if (timer->deadline_ns <= now)
			best = 0;
		else if (timer->deadline_ns - now < best)
			best = timer->deadline_ns - now;
	}
	fake_unlock(loop->host);
	return (uint32_t)((best + NS_PER_MS - 1) / NS_PER_MS);
}

static uint32_t to_events(short revents)
{
	return (revents & POLLIN ? VMM_WATCH_READ : 0) | (revents & POLLOUT ? VMM_WATCH_WRITE : 0) |
	       (revents & (POLLERR | POLLHUP | POLLNVAL) ? VMM_WATCH_ERROR : 0);
}

static uint32_t turn_fds(struct fake_loop *loop, uint32_t timeout_ms)
{
	struct fake_host *host = loop->host;
	struct pollfd fds[FDS_MAX];
	uint64_t ids[FDS_MAX];
	struct fake_object *object;
	uint32_t n = 0, i, count = 0;
	eventfd_t woken;

	fds[n++] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
	fake_lock(host);
	for (object = host->objects; object; object = object->next) {
		struct fake_watch *watch = (void *)object;
		int events;

		if (object->kind != KIND_WATCH || watch->loop != loop->id || n == FDS_MAX)
			continue;
		events = (watch->events & VMM_WATCH_READ ? POLLIN : 0) |
			 (watch->events & VMM_WATCH_WRITE ? POLLOUT : 0);
		ids[n] = object->id;
		fds[n++] = (struct pollfd){.fd = watch->fd, .events = (short)events};
	}
	fake_unlock(host);
	if (poll(fds, n, (int)timeout_ms) <= 0)
		return 0;
	if (fds[0].revents)
		(void)eventfd_read(loop->wake_fd, &woken);
	fake_loop_hold(loop);
	for (i = 1; i < n; i++) {
		struct fake_watch *found, watch;

		if (!fds[i].revents)
			continue;
		fake_lock(host);
		found = fake_object_peek(host, KIND_WATCH, ids[i]);
		if (found)
			watch = *found;
		fake_unlock(host);
		if (!found)
			continue; /* an earlier callback of this turn removed it */
		guard(watch.object.owner, 1);
		watch.cb(watch.ctx, watch.fd, to_events(fds[i].revents));
		guard(watch.object.owner, 0);
		count++;
	}
	fake_loop_release(loop);
	return count;
}

static uint32_t turn(struct fake_loop *loop, uint32_t timeout_ms)
{
	uint32_t before = fake_ctx_enter(CTX_LOOP, loop->id);
	uint32_t count;

	fake_loop_hold(loop);
	count = turn_posts(loop);
	count += turn_timers(loop);
	count += fake_stream_turn(loop->host, loop->id);
	fake_loop_release(loop);
	count += turn_fds(loop, count ? 0 : wait_ms(loop, timeout_ms));
	fake_ctx_leave(before);
	return count;
}

static int jobs_under_way(struct fake_host *host)
{
	int jobs;

	fake_lock(host);
	jobs = host->jobs > 0;
	fake_unlock(host);
	return jobs;
}

uint32_t fake_run_once(struct fake_host *host, uint32_t timeout_ms)
{
	uint32_t i, count = 0;

	if (host->loops[0].running) {
		usleep(timeout_ms < 1 ? 100 : 1000);
		return 0;
	}
	for (i = 0; i < host->loop_count; i++)
		count += turn(&host->loops[i], 0);
	if (count || !timeout_ms)
		return count;
	/* Several loops cannot be slept on at once: short sleeps on the first. */
	if (host->loop_count > 1 && timeout_ms > 1)
		timeout_ms = 1;
	return turn(&host->loops[0], timeout_ms);
}

int fake_run_until(struct fake_host *host, int (*cond)(void *ctx), void *ctx, uint32_t timeout_ms)
{
	uint64_t end = fake_host_clock(CLOCK_MONOTONIC) + timeout_ms * NS_PER_MS;

	while (!cond(ctx)) {
		if (fake_host_clock(CLOCK_MONOTONIC) >= end)
			return 0;
		fake_run_once(host, 5);
	}
	return 1;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* Three calls on a loop mean that it has made two whole turns in between. */
static void threads_settle(struct fake_host *host)
{
	uint32_t round, i;

	do {
		for (round = 0; round < 3; round++)
			for (i = 0; i < host->loop_count; i++)
				fake_call_on(host, &host->loops[i], nothing, NULL);
	} while (jobs_under_way(host) && usleep(100) == 0);
}

void fake_settle(struct fake_host *host)
{
	uint32_t turns, quiet = 0;

	if (host->loops[0].running) {
		threads_settle(host);
		return;
	}
	for (turns = 0; turns < SETTLE_MAX && quiet < 2; turns++) {
		quiet = fake_run_once(host, 0) || jobs_under_way(host) ? 0 : quiet + 1;
		if (jobs_under_way(host))
			usleep(100);
	}
	if (quiet < 2)
		fake_fail("the loops do not come to rest: an fd is always ready, or posts go in "
			  "circles");
}

/*
 * ---- Threads ----
 */

static void *loop_main(void *arg)
{
	struct fake_loop *loop = arg;
	int stop = 0;

	while (!stop) {
		turn(loop, THREAD_WAIT_MS);
		fake_lock(loop->host);
		stop = loop->host->stop_threads;
		fake_unlock(loop->host);
	}
	return NULL;
}

void fake_loop_threads(struct fake_host *host, int run)
{
	uint32_t i;

	fake_lock(host);
	host->stop_threads = !run;
	fake_unlock(host);
	for (i = 0; i < host->loop_count; i++) {
		struct fake_loop *loop = &host->loops[i];

		if (loop->running == run)
			continue;
		if (run) {
			loop->running = 1;
			if (pthread_create(&loop->thread, NULL, loop_main, loop))
				fake_fail("cannot make a thread");
		} else {
			(void)eventfd_write(loop->wake_fd, 1);
			pthread_join(loop->thread, NULL);
			loop->running = 0;
		}
	}
}
