/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fds of streams; see channel.h.
 */
#include "loop/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/internal.h"

static void watch_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct channel *channel = ctx;

	(void)fd;
	/* SHARED: what is ready is the epoll fd; which event it was, the I/O will find out. */
	channel->cb(channel->ctx, channel->kind == CHANNEL_SHARED ? channel->events : events);
}

static void ready_cb(void *ctx)
{
	struct channel *channel = ctx;

	if (!channel->events)
		return;
	/* First, because the callback may close the channel. */
	loop_post_queue(&channel->ready);
	channel->cb(channel->ctx, channel->events);
}

void channel_init(struct channel *channel, struct loop *loop, int fd, channel_cb cb, void *ctx)
{
	struct stat st;

	*channel = (struct channel){
		.kind = CHANNEL_OWN,
		.fd = fd,
		.close_fd = true,
		.tty = isatty(fd),
		.epoll_fd = -1,
		.loop = loop,
		.cb = cb,
		.ctx = ctx,
	};
	loop_post_init(&channel->ready, loop, channel, ready_cb, channel);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		channel->kind = CHANNEL_READY;
}

/* A description of our own on the same terminal or pipe, or -1. */
static int open_anew(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int init_epoll(struct channel *channel)
{
	struct epoll_event none = {.events = 0};

	channel->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (channel->epoll_fd < 0)
		return VMM_E_LIMIT;
	if (!epoll_ctl(channel->epoll_fd, EPOLL_CTL_ADD, channel->fd, &none)) {
		/* Errors are reported even with no events; channel_set() adds it when asked. */
		epoll_ctl(channel->epoll_fd, EPOLL_CTL_DEL, channel->fd, NULL);
		channel->kind = CHANNEL_SHARED;
		return 0;
	}
	int error = errno;

	close(channel->epoll_fd);
	channel->epoll_fd = -1;
	if (error == ENOSPC || error == ENOMEM)
		return VMM_E_LIMIT;
	if (error != EPERM)
		return VMM_E_IO;
	channel->kind = CHANNEL_READY;
	return 0;
}

int channel_init_shared(
	struct channel *channel, struct loop *loop, int fd, int flags, channel_cb cb, void *ctx)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return VMM_E_INVAL;
	if (isatty(fd) || S_ISFIFO(st.st_mode)) {
		int own = open_anew(fd, flags);

		if (own >= 0) {
			channel_init(channel, loop, own, cb, ctx);
			return 0;
		}
	}
	channel_init(channel, loop, fd, cb, ctx);
	channel->close_fd = false;
	channel->socket = S_ISSOCK(st.st_mode);
	/* Not opened anew: a file's offset and O_APPEND are those of the shell's redirection. */
	if (channel->kind == CHANNEL_READY)
		return 0;
	int ret = init_epoll(channel);

	if (ret < 0)
		*channel = (struct channel){0};
	return ret;
}

void channel_fini(struct channel *channel)
{
	if (channel->kind == CHANNEL_NONE)
		return;
	loop_post_cancel(&channel->ready);
	loop_watch_remove(channel->watch);
	if (channel->epoll_fd >= 0)
		close(channel->epoll_fd);
	if (channel->close_fd)
		close(channel->fd);
	*channel = (struct channel){0};
}

bool channel_is_open(const struct channel *channel)
{
	return channel->kind != CHANNEL_NONE;
}

static int set_epoll(struct channel *channel, uint32_t events)
{
	struct epoll_event event = {
		.events = (events & VMM_WATCH_READ ? (uint32_t)EPOLLIN : 0) |
			  (events & VMM_WATCH_WRITE ? (uint32_t)EPOLLOUT : 0),
	};
	int op = channel->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == channel->events)
		return 0;
	if (!events)
		op = EPOLL_CTL_DEL;
	return epoll_ctl(channel->epoll_fd, op, channel->fd, &event) < 0 ? VMM_E_IO : 0;
}

static int set_watch(struct channel *channel, int fd, uint32_t events)
{
	if (!events) {
		loop_watch_remove(channel->watch);
		channel->watch = NULL;
		return 0;
	}
	if (channel->watch)
		return loop_watch_set(channel->watch, events);
	return loop_watch_add(
		channel->loop, channel, fd, events, watch_cb, channel, &channel->watch);
}

int channel_set(struct channel *channel, uint32_t events)
{
	int ret = 0;

	switch (channel->kind) {
	case CHANNEL_NONE:
		return VMM_E_INVAL;
	case CHANNEL_READY:
		if (events)
			loop_post_queue(&channel->ready);
		break;
	case CHANNEL_SHARED:
		ret = set_epoll(channel, events);
		if (!ret)
			ret = set_watch(channel, channel->epoll_fd, events ? VMM_WATCH_READ : 0);
		break;
	case CHANNEL_OWN:
		ret = set_watch(channel, channel->fd, events);
		if (ret == VMM_E_UNSUPPORTED) {
			/* A device that cannot be waited for: /dev/null. */
			channel->kind = CHANNEL_READY;
			channel->events = events;
			return channel_set(channel, events);
		}
		break;
	}
	if (!ret)
		channel->events = events;
	return ret;
}

static bool shared_is_ready(const struct channel *channel, short events)
{
	struct pollfd wait = {.fd = channel->fd, .events = events};

	return poll(&wait, 1, 0) > 0;
}

static ssize_t shared_read(struct channel *channel, void *data, size_t bytes)
{
	if (channel->socket)
		return recv(channel->fd, data, bytes, MSG_DONTWAIT);
	if (!shared_is_ready(channel, POLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	return read(channel->fd, data, bytes);
}

/* A pipe that can be written to takes PIPE_BUF bytes; a terminal is only known to take one. */
static ssize_t shared_write(struct channel *channel, const void *data, size_t bytes)
{
	size_t most = channel->tty ? 1 : PIPE_BUF;

	if (channel->socket)
		return send(channel->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!shared_is_ready(channel, POLLOUT)) {
		errno = EAGAIN;
		return -1;
	}
	return write(channel->fd, data, bytes < most ? bytes : most);
}

ssize_t channel_read(struct channel *channel, void *data, size_t bytes)
{
	ssize_t done;

	do {
		if (channel->kind == CHANNEL_SHARED)
			done = shared_read(channel, data, bytes);
		else
			done = read(channel->fd, data, bytes);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

ssize_t channel_write(struct channel *channel, const void *data, size_t bytes)
{
	ssize_t done;

	do {
		if (channel->kind == CHANNEL_SHARED)
			done = shared_write(channel, data, bytes);
		else
			done = write(channel->fd, data, bytes);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}
