/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslirp on the device's loop; see slirp_poll.h.
 */
#include "slirp_poll.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

/* libslirp's own interval when there is nothing to time out, and when there is. */
#define IDLE_MS 1000u
#define SLOW_MS 400u

/* Forwarded TCP ports rest for so long at most when no fd is left for a connection. */
#define REST_NS (1000 * NS_PER_MS)

/* An fd of libslirp's. Its number is its place in the table, and what libslirp calls its index. */
struct poll_fd {
	uint32_t events;  /* VMM_WATCH_... that are wanted */
	uint32_t watched; /* that the watch has now */
	uint64_t watch;
	int revents; /* SLIRP_POLL_... that came */
	bool has_watch;
	bool seen;       /* in the current pass */
	bool connection; /* of the guest's: has time-outs; else it is of a forwarded port */
	bool listens;    /* that of a forwarded TCP port; looked up when it is watched */
};

struct poll_timer {
	struct poll_timer *next;
	struct slirp_poll *poll;
	uint64_t timer;
	uint64_t deadline_ns;
	SlirpTimerCb cb;
	void *opaque;
};

struct slirp_poll {
	struct net *net;
	Slirp *slirp;
	SlirpCb callbacks;
	const struct slirp_poll_uses *uses;
	void *opaque;
	struct poll_fd *fds;
	uint32_t count; /* entries that may be in use; all others are zero */
	uint32_t capacity;
	uint32_t connections;
	struct poll_timer *timers;
	int32_t timer_error; /* libslirp does without one that it does not get */
	uint64_t timeout;    /* timer for libslirp's own deadlines */
	bool started;
	uint64_t rest_end_ns; /* forwarded TCP ports are not watched until then; 0: they are */
};

static ssize_t poll_send(const void *data, size_t bytes, void *opaque)
{
	struct slirp_poll *poll = opaque;

	return poll->uses->send(data, bytes, poll->opaque);
}

static void poll_guest_error(const char *text, void *opaque)
{
	struct slirp_poll *poll = opaque;

	poll->uses->guest_error(text, poll->opaque);
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

	timer->deadline_ns = VMM_TIMER_OFF;
	timer->cb(timer->opaque);
	slirp_poll_sync(poll);
}

static void *poll_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct net *net = poll->net;
	struct poll_timer *timer = calloc(1, sizeof(*timer));
	int32_t ret;

	if (!timer) {
		poll->timer_error = VMM_E_NOMEM;
		return NULL;
	}
	timer->poll = poll;
	timer->deadline_ns = VMM_TIMER_OFF;
	timer->cb = cb;
	timer->opaque = cb_opaque;
	ret = net->loop.timer_add(
		net->host, net->loop.own(net->host), VMM_CLOCK_VM, timer_cb, timer, &timer->timer);
	if (ret < 0) {
		poll->timer_error = ret;
		free(timer);
		return NULL;
	}
	timer->next = poll->timers;
	poll->timers = timer;
	return timer;
}

static void poll_timer_free(void *handle, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_timer *timer = handle;

	for (struct poll_timer **link = &poll->timers; *link; link = &(*link)->next) {
		if (*link != timer)
			continue;
		*link = timer->next;
		poll->net->loop.timer_remove(poll->net->host, timer->timer);
		free(timer);
		return;
	}
}

/* The deadline is kept while sockets are not served, and holds again when they are. */
static void poll_timer_mod(void *handle, int64_t expire_ms, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_timer *timer = handle;

	if (!timer)
		return;
	timer->deadline_ns = (uint64_t)expire_ms * NS_PER_MS;
	if (poll->started)
		poll->net->loop.timer_arm(poll->net->host, timer->timer, timer->deadline_ns);
}

/* The entry of an fd, made if there is none; NULL: no memory. */
static struct poll_fd *fd_entry(struct slirp_poll *poll, int fd)
{
	uint32_t wanted = (uint32_t)fd + 1;
	uint32_t capacity = poll->capacity ? poll->capacity : 64;
	struct poll_fd *fds;

	if (fd < 0)
		return NULL;
	while (capacity < wanted)
		capacity *= 2;
	if (capacity > poll->capacity) {
		fds = realloc(poll->fds, capacity * sizeof(*fds));
		if (!fds)
			return NULL;
		memset(fds + poll->capacity, 0, (capacity - poll->capacity) * sizeof(*fds));
		poll->fds = fds;
		poll->capacity = capacity;
	}
	if (poll->count < wanted)
		poll->count = wanted;
	return &poll->fds[fd];
}

/* libslirp registers its connections, but not the sockets that listen for forwarded ports. */
static void poll_register(int fd, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_fd *at = fd_entry(poll, fd);

	if (!at || at->connection)
		return;
	at->connection = true;
	poll->connections++;
}

static void drop_watch(struct slirp_poll *poll, struct poll_fd *at)
{
	if (at->has_watch)
		poll->net->loop.watch_remove(poll->net->host, at->watch);
	at->has_watch = false;
}

/* The fd is about to be closed: its watch must be gone before. */
static void poll_unregister(int fd, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_fd *at;

	if (fd < 0 || (uint32_t)fd >= poll->count)
		return;
	at = &poll->fds[fd];
	drop_watch(poll, at);
	poll->connections -= at->connection;
	at->connection = false;
	at->revents = 0;
	poll->rest_end_ns = 0;
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

static void timeout_cb(void *ctx)
{
	struct slirp_poll *poll = ctx;

	slirp_poll_sync(poll);
}

static bool has_fd_left(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* libslirp leaves a connection that it has no fd for where it is, and it would come again at once.
 */
static void watch_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct slirp_poll *poll = ctx;

	if (poll->fds[fd].listens && !has_fd_left()) {
		poll->rest_end_ns = poll->net->loop.now(poll->net->host, VMM_CLOCK_VM) + REST_NS;
		slirp_poll_sync(poll);
		return;
	}
	poll->fds[fd].revents = (events & VMM_WATCH_READ ? SLIRP_POLL_IN : 0) |
				(events & VMM_WATCH_WRITE ? SLIRP_POLL_OUT : 0) |
				(events & VMM_WATCH_ERROR ? SLIRP_POLL_ERR | SLIRP_POLL_HUP : 0);
	slirp_pollfds_poll(poll->slirp, 0, get_revents, poll);
	slirp_poll_sync(poll);
}

static int add_poll(int fd, int events, void *opaque)
{
	struct slirp_poll *poll = opaque;
	struct poll_fd *at = fd_entry(poll, fd);

	if (!at)
		return -1;
	at->seen = true;
	if (poll->rest_end_ns && at->listens)
		events = 0;
	at->events = (events & (SLIRP_POLL_IN | SLIRP_POLL_PRI) ? VMM_WATCH_READ : 0) |
		     (events & SLIRP_POLL_OUT ? VMM_WATCH_WRITE : 0);
	return fd;
}

static bool is_listener(int fd)
{
	socklen_t bytes = sizeof(int);
	int listens = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) && listens;
}

/* Brings the watch of one fd in line with what is wanted of it. */
static void update_watch(struct slirp_poll *poll, int fd)
{
	struct net *net = poll->net;
	struct poll_fd *at = &poll->fds[fd];

	if (!at->seen) {
		drop_watch(poll, at);
		return;
	}
	if (!at->has_watch) {
		at->listens = is_listener(fd);
		at->has_watch = net->loop.watch_add(net->host, net->loop.own(net->host), fd,
					at->events, watch_cb, poll, &at->watch) == 0;
	} else if (at->watched != at->events) {
		net->loop.watch_set(net->host, at->watch, at->events);
	}
	at->watched = at->events;
}

/*
 * libslirp wants to be called once in a while even when nothing can time out, and while it listens
 * for forwarded ports, which have no time-outs. An idle guest shall not cost anything: then no
 * timer runs. slirp_poll_begin() makes up for it.
 */
static void arm_timeout(struct slirp_poll *poll, uint32_t timeout_ms)
{
	struct net *net = poll->net;
	bool idle = timeout_ms >= IDLE_MS || (timeout_ms >= SLOW_MS && !poll->connections);
	uint64_t deadline = VMM_TIMER_OFF;

	if (!idle)
		deadline = net->loop.now(net->host, VMM_CLOCK_VM) + timeout_ms * NS_PER_MS;
	if (poll->rest_end_ns && poll->rest_end_ns < deadline)
		deadline = poll->rest_end_ns;
	net->loop.timer_arm(net->host, poll->timeout, deadline);
}

void slirp_poll_begin(struct slirp_poll *poll)
{
	slirp_pollfds_poll(poll->slirp, 1, get_revents, poll);
}

void slirp_poll_sync(struct slirp_poll *poll)
{
	uint32_t timeout_ms = UINT32_MAX;

	if (!poll->started)
		return;
	if (poll->rest_end_ns &&
		poll->rest_end_ns <= poll->net->loop.now(poll->net->host, VMM_CLOCK_VM))
		poll->rest_end_ns = 0;
	/* What waited for an ARP answer is sent, and what is due is done. */
	slirp_poll_begin(poll);
	for (uint32_t i = 0; i < poll->count; i++) {
		poll->fds[i].seen = false;
		poll->fds[i].revents = 0;
	}
	slirp_pollfds_fill(poll->slirp, &timeout_ms, add_poll, poll);
	for (uint32_t i = 0; i < poll->count; i++)
		update_watch(poll, (int)i);
	while (poll->count > 0 && !poll->fds[poll->count - 1].has_watch &&
		!poll->fds[poll->count - 1].connection)
		poll->count--;
	arm_timeout(poll, timeout_ms);
	poll->uses->sent(poll->opaque);
}

void slirp_poll_start(struct slirp_poll *poll)
{
	struct net *net = poll->net;

	poll->started = true;
	for (struct poll_timer *timer = poll->timers; timer; timer = timer->next)
		net->loop.timer_arm(net->host, timer->timer, timer->deadline_ns);
	slirp_poll_sync(poll);
}

void slirp_poll_stop(struct slirp_poll *poll)
{
	struct net *net = poll->net;

	poll->started = false;
	net->loop.timer_arm(net->host, poll->timeout, VMM_TIMER_OFF);
	for (struct poll_timer *timer = poll->timers; timer; timer = timer->next)
		net->loop.timer_arm(net->host, timer->timer, VMM_TIMER_OFF);
	for (uint32_t i = 0; i < poll->count; i++)
		drop_watch(poll, &poll->fds[i]);
}

const SlirpCb *slirp_poll_callbacks(const struct slirp_poll *poll)
{
	return &poll->callbacks;
}

int32_t slirp_poll_attach(struct slirp_poll *poll, Slirp *slirp)
{
	poll->slirp = slirp;
	return poll->timer_error;
}

int32_t slirp_poll_create(struct net *net, const struct slirp_poll_uses *uses, void *opaque,
	struct slirp_poll **ret_poll)
{
	struct slirp_poll *poll = calloc(1, sizeof(*poll));
	int32_t ret;

	if (!poll)
		return VMM_E_NOMEM;
	poll->net = net;
	poll->uses = uses;
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
	ret = net->loop.timer_add(net->host, net->loop.own(net->host), VMM_CLOCK_VM, timeout_cb,
		poll, &poll->timeout);
	if (ret < 0) {
		free(poll);
		return ret;
	}
	*ret_poll = poll;
	return 0;
}

void slirp_poll_destroy(struct slirp_poll *poll)
{
	if (!poll)
		return;
	poll->net->loop.timer_remove(poll->net->host, poll->timeout);
	free(poll->fds);
	free(poll);
}
