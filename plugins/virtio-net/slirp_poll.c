/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslirp on the device's loop; see slirp_poll.h.
 */
#include "slirp_poll.h"

#include <stdlib.h>

#define NS_PER_MS UINT64_C(1000000)

/* One fd that libslirp waits for. Its place in the table is what libslirp calls its index. */
struct poll_fd {
	int fd;
	uint32_t events;  /* VMM_WATCH_... that are wanted */
	uint32_t watched; /* that the watch has now */
	uint64_t watch;   /* 0: none */
	int revents;      /* SLIRP_POLL_... that came */
	bool seen;        /* in the current pass */
};

struct poll_timer {
	struct slirp_poll *poll;
	uint64_t timer;
	SlirpTimerCb cb;
	void *opaque;
};

struct slirp_poll {
	struct net *net;
	Slirp *slirp;
	SlirpCb callbacks;
	SlirpWriteCb send;
	void (*guest_error)(const char *text, void *opaque);
	void *opaque;
	struct poll_fd *fds;
	uint32_t count;
	uint32_t capacity;
	uint64_t timeout; /* timer for libslirp's own deadlines */
	bool started;
};

static ssize_t poll_send(const void *data, size_t bytes, void *opaque)
{
	struct slirp_poll *poll = opaque;

	return poll->send(data, bytes, poll->opaque);
}

static void poll_guest_error(const char *text, void *opaque)
{
	struct slirp_poll *poll = opaque;

	poll->guest_error(text, poll->opaque);
}

static int64_t poll_clock(void *opaque)
{
	struct slirp_poll *poll = opaque;

	return (int64_t)poll->net->loop.now(poll->net->host, VMM_CLOCK_VM);
}

static void timer_cb(void *ctx)
{
	struct poll_timer *timer = ctx;
	struct slirp_poll *poll = timer->poll;

	if (!poll->started)
		return;
	timer->cb(timer->opaque);
	slirp_poll_sync(poll);
}

static void *poll_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct net *net = poll->net;
	struct poll_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->poll = poll;
	timer->cb = cb;
	timer->opaque = cb_opaque;
	if (net->loop.timer_add(net->host, net->loop.own(net->host), VMM_CLOCK_VM, timer_cb, timer,
		    &timer->timer) < 0) {
		free(timer);
		return NULL;
	}
	return timer;
}

static void poll_timer_free(void *handle, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_timer *timer = handle;

	if (!timer)
		return;
	poll->net->loop.timer_remove(poll->net->host, timer->timer);
	free(timer);
}

static void poll_timer_mod(void *handle, int64_t expire_ms, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_timer *timer = handle;

	if (timer)
		poll->net->loop.timer_arm(
			poll->net->host, timer->timer, (uint64_t)expire_ms * NS_PER_MS);
}

/* All fds are named again by slirp_pollfds_fill(): nothing to note here. */
static void poll_register(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

/* The entry of an fd; of -1: a free one. */
static struct poll_fd *find_fd(struct slirp_poll *poll, int fd)
{
	for (uint32_t i = 0; i < poll->count; i++)
		if (poll->fds[i].fd == fd)
			return &poll->fds[i];
	return NULL;
}

/* The fd is about to be closed: its watch must be gone before. */
static void poll_unregister(int fd, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_fd *at = find_fd(poll, fd);

	if (!at || !at->watch)
		return;
	poll->net->loop.watch_remove(poll->net->host, at->watch);
	at->watch = 0;
}

/* Called by libslirp on the loop, in the middle of things that are followed by a sync. */
static void poll_notify(void *opaque)
{
	(void)opaque;
}

static int get_revents(int index, void *opaque)
{
	struct slirp_poll *poll = opaque;

	return index >= 0 && (uint32_t)index < poll->count ? poll->fds[index].revents : 0;
}

static void handle(struct slirp_poll *poll)
{
	slirp_pollfds_poll(poll->slirp, 0, get_revents, poll);
	slirp_poll_sync(poll);
}

static void timeout_cb(void *ctx)
{
	struct slirp_poll *poll = ctx;

	if (poll->started)
		handle(poll);
}

static void watch_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct slirp_poll *poll = ctx;
	struct poll_fd *at = find_fd(poll, fd);

	if (!at)
		return;
	at->revents = (events & VMM_WATCH_READ ? SLIRP_POLL_IN : 0) |
		      (events & VMM_WATCH_WRITE ? SLIRP_POLL_OUT : 0) |
		      (events & VMM_WATCH_ERROR ? SLIRP_POLL_ERR | SLIRP_POLL_HUP : 0);
	handle(poll);
}

static bool make_room(struct slirp_poll *poll)
{
	uint32_t capacity = poll->capacity ? 2 * poll->capacity : 16;
	struct poll_fd *fds;

	if (poll->count < poll->capacity)
		return true;
	fds = realloc(poll->fds, capacity * sizeof(*fds));
	if (!fds)
		return false;
	poll->fds = fds;
	poll->capacity = capacity;
	return true;
}

/* libslirp waits for fd; the table keeps its place while it does. */
static int add_poll(int fd, int events, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_fd *at = find_fd(poll, fd);

	if (!at)
		at = find_fd(poll, -1);
	if (!at) {
		if (!make_room(poll))
			return -1;
		at = &poll->fds[poll->count++];
		at->fd = -1;
	}
	if (at->fd < 0)
		*at = (struct poll_fd){.fd = fd};
	at->seen = true;
	at->events = (events & (SLIRP_POLL_IN | SLIRP_POLL_PRI) ? VMM_WATCH_READ : 0) |
		     (events & SLIRP_POLL_OUT ? VMM_WATCH_WRITE : 0);
	return (int)(at - poll->fds);
}

/* Brings the watch of one fd in line with what is wanted of it. */
static void update_watch(struct slirp_poll *poll, struct poll_fd *at)
{
	struct net *net = poll->net;

	if (!at->seen) {
		if (at->watch)
			net->loop.watch_remove(net->host, at->watch);
		at->watch = 0;
		at->fd = -1;
		return;
	}
	if (!at->watch) {
		if (net->loop.watch_add(net->host, net->loop.own(net->host), at->fd, at->events,
			    watch_cb, poll, &at->watch) < 0)
			at->watch = 0;
	} else if (at->watched != at->events) {
		net->loop.watch_set(net->host, at->watch, at->events);
	}
	at->watched = at->events;
}

void slirp_poll_sync(struct slirp_poll *poll)
{
	struct net *net = poll->net;
	uint32_t timeout_ms = UINT32_MAX;
	uint64_t deadline = VMM_TIMER_OFF;

	if (!poll->started)
		return;
	for (uint32_t i = 0; i < poll->count; i++) {
		poll->fds[i].seen = false;
		poll->fds[i].revents = 0;
	}
	slirp_pollfds_fill(poll->slirp, &timeout_ms, add_poll, poll);
	for (uint32_t i = 0; i < poll->count; i++)
		update_watch(poll, &poll->fds[i]);
	while (poll->count > 0 && poll->fds[poll->count - 1].fd < 0)
		poll->count--;
	if (timeout_ms != UINT32_MAX)
		deadline = net->loop.now(net->host, VMM_CLOCK_VM) + timeout_ms * NS_PER_MS;
	net->loop.timer_arm(net->host, poll->timeout, deadline);
	net->virtio.flush(net->transport, net->device, net_rx_queue(0));
}

void slirp_poll_start(struct slirp_poll *poll)
{
	poll->started = true;
	slirp_poll_sync(poll);
}

void slirp_poll_stop(struct slirp_poll *poll)
{
	struct net *net = poll->net;

	poll->started = false;
	net->loop.timer_arm(net->host, poll->timeout, VMM_TIMER_OFF);
	for (uint32_t i = 0; i < poll->count; i++)
		if (poll->fds[i].watch)
			net->loop.watch_remove(net->host, poll->fds[i].watch);
	poll->count = 0;
}

const SlirpCb *slirp_poll_callbacks(const struct slirp_poll *poll)
{
	return &poll->callbacks;
}

void slirp_poll_attach(struct slirp_poll *poll, Slirp *slirp)
{
	poll->slirp = slirp;
}

struct slirp_poll *slirp_poll_create(struct net *net, SlirpWriteCb send,
	void (*guest_error)(const char *text, void *opaque), void *opaque)
{
	struct slirp_poll *poll = calloc(1, sizeof(*poll));

	if (!poll)
		return NULL;
	poll->net = net;
	poll->send = send;
	poll->guest_error = guest_error;
	poll->opaque = opaque;
	poll->callbacks = (SlirpCb){
		.send_packet = poll_send,
		.guest_error = poll_guest_error,
		.clock_get_ns = poll_clock,
		.timer_new = poll_timer_new,
		.timer_free = poll_timer_free,
		.timer_mod = poll_timer_mod,
		.register_poll_fd = poll_register,
		.unregister_poll_fd = poll_unregister,
		.notify = poll_notify,
	};
	if (net->loop.timer_add(net->host, net->loop.own(net->host), VMM_CLOCK_VM, timeout_cb, poll,
		    &poll->timeout) < 0) {
		free(poll);
		return NULL;
	}
	return poll;
}

void slirp_poll_destroy(struct slirp_poll *poll)
{
	if (!poll)
		return;
	poll->net->loop.timer_remove(poll->net->host, poll->timeout);
	free(poll->fds);
	free(poll);
}
