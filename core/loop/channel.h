/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction, or both, of a stream: an fd of any kind that is read and written without ever
 * blocking and without changing how others see it. Internal to core/loop.
 *
 * O_NONBLOCK belongs to the open file description, which standard input and output share with the
 * shell and with whatever else it started, and it stays set when we are killed. So terminals and
 * pipes that we were given are opened anew through /proc/self/fd; where that is not possible, the
 * fd is only used as far as poll() says that it will not block.
 */
#ifndef LOOP_CHANNEL_H
#define LOOP_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop/loop.h"

struct channel;

/** events: VMM_WATCH_.... [loop] */
typedef void (*channel_cb)(void *ctx, uint32_t events);

enum channel_kind {
	CHANNEL_NONE,   /* closed */
	CHANNEL_OWN,    /* its description is ours alone, and non-blocking */
	CHANNEL_SHARED, /* its description is shared and stays as it is */
	CHANNEL_READY,  /* cannot be waited for: a regular file, /dev/null */
};

/** Zeroed when closed. Does not move in memory while it is open. */
struct channel {
	enum channel_kind kind;
	int fd;
	bool close_fd;
	bool tty;
	bool socket;  /* read and written without waiting by recv() and send() */
	int epoll_fd; /* SHARED: libuv would make the fd itself non-blocking */
	uint32_t events;
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_post ready; /* READY: calls cb as long as events are asked for */
	channel_cb cb;
	void *ctx;
};

/** Takes over an fd that nobody else has, made non-blocking; closes it in fini. */
void channel_init(struct channel *channel, struct loop *loop, int fd, channel_cb cb, void *ctx);

/** Takes an fd that others share, one of 0 to 2. Its number stays open. VMM_E_... for a bad one. */
int channel_init_shared(
	struct channel *channel, struct loop *loop, int fd, int flags, channel_cb cb, void *ctx);

/** Closes; a zeroed one is fine. [config] [loop] */
void channel_fini(struct channel *channel);

/** True unless closed. */
bool channel_is_open(const struct channel *channel);

/** Asks for events; 0: none, not even errors. Returns 0 or VMM_E_.... [config] [loop] */
int channel_set(struct channel *channel, uint32_t events);

/** As read() and write(), but a negative errno on failure; -EAGAIN when nothing can be done. */
ssize_t channel_read(struct channel *channel, void *data, size_t bytes);
ssize_t channel_write(struct channel *channel, const void *data, size_t bytes);

#endif
