/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches on file descriptors: libuv's polls, with errors told apart from readiness.
 */
#include <stdlib.h>

#include "log/log.h"
#include "loop/internal.h"

/* Errors in a row after which a watch rests, so that a dead tap cannot eat a processor. */
#define ERRORS_MAX 64u

#define WATCH_EVENTS (VMM_WATCH_READ | VMM_WATCH_WRITE)

static void poll_cb(uv_poll_t *poll, int status, int events);

/* libuv cannot wait for errors alone; a disconnect is the nearest thing that brings them. */
static int start(struct loop_watch *watch)
{
	int events = 0;

	if (watch->events & VMM_WATCH_READ)
		events |= UV_READABLE;
	if (watch->events & VMM_WATCH_WRITE)
		events |= UV_WRITABLE;
	if (!events)
		events = UV_DISCONNECT;
	return loop_error(uv_poll_start(&watch->poll, events, poll_cb));
}

/*
 * libuv stops a poll at POLLERR. It is started again, so that an error that was only one (UDP: a
 * port that nobody listens on) does not end the watch.
 */
static void report_error(struct loop_watch *watch)
{
	bool rest = !watch->events || ++watch->errors == ERRORS_MAX;

	if (rest)
		uv_poll_stop(&watch->poll);
	else
		start(watch);
	if (rest && watch->events)
		log_write(VMM_LOG_WARN, "loop",
			"fd %d reports only errors and is not watched any more", watch->fd);
	watch->cb(watch->ctx, watch->fd, watch->events | VMM_WATCH_ERROR);
}

static void call(struct loop_watch *watch, int status, int events)
{
	uint32_t ready = 0;

	if (status < 0 || (events & UV_DISCONNECT)) {
		report_error(watch);
		return;
	}
	if (events & UV_READABLE)
		ready |= VMM_WATCH_READ;
	if (events & UV_WRITABLE)
		ready |= VMM_WATCH_WRITE;
	watch->errors = 0;
	watch->cb(watch->ctx, watch->fd, ready);
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
	struct loop_watch *watch = poll->data;
	struct loop *loop = watch->loop;

	if (watch->removed)
		return;
	loop_turn_begin(loop);
	call(watch, status, events);
	loop_turn_end(loop);
}

static void closed_cb(uv_handle_t *handle)
{
	free(handle->data);
}

int loop_watch_add(struct loop *loop, const void *owner, int fd, uint32_t events, vmm_watch_cb cb,
	void *ctx, struct loop_watch **ret_watch)
{
	if (fd < 0 || (events & ~WATCH_EVENTS) || !cb)
		return VMM_E_INVAL;

	struct loop_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return VMM_E_NOMEM;
	watch->loop = loop;
	watch->owner = owner;
	watch->cb = cb;
	watch->ctx = ctx;
	watch->fd = fd;
	watch->events = events;

	int ret = loop_error(uv_poll_init(&loop->uv, &watch->poll, fd));

	if (ret < 0) {
		free(watch);
		return ret;
	}
	watch->poll.data = watch;
	ret = start(watch);
	if (ret < 0) {
		watch->removed = true;
		uv_close((uv_handle_t *)&watch->poll, closed_cb);
		return ret;
	}
	LIST_INSERT_HEAD(&loop->watches, watch, link);
	*ret_watch = watch;
	return 0;
}

int loop_watch_set(struct loop_watch *watch, uint32_t events)
{
	if (events & ~WATCH_EVENTS)
		return VMM_E_INVAL;
	watch->errors = 0;
	if (watch->events == events && uv_is_active((uv_handle_t *)&watch->poll))
		return 0;
	watch->events = events;
	return start(watch);
}

void loop_watch_remove(struct loop_watch *watch)
{
	if (!watch)
		return;
	LIST_REMOVE(watch, link);
	watch->removed = true;
	uv_close((uv_handle_t *)&watch->poll, closed_cb);
}
