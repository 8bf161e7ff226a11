/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: the output buffer between any thread and the loop, and the plain way of input. What is
 * special about terminals, sockets and files is in stream_*.c.
 */
#include "loop/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "log/log.h"
#include "loop/stream_impl.h"

#define READ_BYTES 4096u

/* Writes in one turn of the loop, so that a fast reader does not keep it. */
#define DRAIN_WRITES 64

#define CLOSE_NS       UINT64_C(1000000000)
#define CLOSE_STALL_MS 200 /* a reader that takes nothing for so long is gone */

static const struct stream_kind *find_kind(uint32_t kind)
{
	switch (kind) {
	case VMM_STREAM_NULL:
		return &stream_kind_null;
	case VMM_STREAM_STDIO:
		return &stream_kind_stdio;
	case VMM_STREAM_PTY:
		return &stream_kind_pty;
	case VMM_STREAM_FILE:
		return &stream_kind_file;
	case VMM_STREAM_UNIX:
		return &stream_kind_unix;
	default:
		return NULL;
	}
}

void stream_event(struct stream *stream, uint32_t events)
{
	if (stream->ops->event)
		stream->ops->event(stream->ctx, events);
}

void stream_set_dead(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->dead = true;
	stream->dropped += stream->buffer.used;
	stream->buffer.used = 0;
	pthread_mutex_unlock(&stream->lock);
	stream->want_output = false;
}

/* --- Watching --- */

static void set_channel(struct stream *stream, struct channel *channel, uint32_t events)
{
	if (!channel_is_open(channel) || channel->events == events)
		return;
	if (channel_set(channel, events) < 0 && !stream->error_logged) {
		stream->error_logged = true;
		log_write(VMM_LOG_ERROR, stream->name, "the loop cannot watch the console");
	}
}

void stream_update_watches(struct stream *stream)
{
	uint32_t input = stream->want_input ? VMM_WATCH_READ : 0;
	uint32_t output = stream->want_output ? VMM_WATCH_WRITE : 0;

	if (stream->out == &stream->in)
		input |= output;
	else if (stream->out)
		set_channel(stream, stream->out, output);
	set_channel(stream, &stream->in, input);
}

static void lost(struct stream *stream, struct channel *channel, int error)
{
	if (stream->kind->lost) {
		stream->kind->lost(stream, channel, error);
		return;
	}
	if (channel == stream->out) {
		log_write(VMM_LOG_WARN, stream->name, "console output ends: %s", strerror(-error));
		stream_set_dead(stream);
	}
	if (channel == &stream->in)
		stream->want_input = false;
	channel_fini(channel);
}

/* --- Output --- */

/* A full disk is not for ever: what cannot be written is dropped, the next line is tried again. */
static void discard(struct stream *stream, int error)
{
	if (!stream->error_logged)
		log_write(VMM_LOG_WARN, stream->name, "console output is dropped: %s",
			strerror(-error));
	stream->error_logged = true;
	pthread_mutex_lock(&stream->lock);
	stream->dropped += stream->buffer.used;
	stream->buffer.used = 0;
	stream->waiting = false;
	pthread_mutex_unlock(&stream->lock);
	stream->want_output = false;
}

/* Peeks at what is to be written; 0: nothing, and the next write wakes the loop. */
static size_t next_output(struct stream *stream, const uint8_t **ret_data, bool *ret_drained)
{
	pthread_mutex_lock(&stream->lock);
	size_t bytes = ring_peek(&stream->buffer, ret_data);
	bool room = stream->buffer.used <= stream->buffer.size / 2;

	if (!bytes)
		stream->waiting = false;
	if (room && stream->behind) {
		stream->behind = false;
		*ret_drained = true;
	}
	pthread_mutex_unlock(&stream->lock);
	return bytes;
}

static void drop_output(struct stream *stream, size_t bytes)
{
	pthread_mutex_lock(&stream->lock);
	ring_drop(&stream->buffer, bytes);
	pthread_mutex_unlock(&stream->lock);
}

static void wait_for_reader(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->waiting = true;
	pthread_mutex_unlock(&stream->lock);
}

/* Only the loop takes bytes out, so what ring_peek() gave stays in place without the lock. */
void stream_drain(struct stream *stream)
{
	bool drained = false;
	const uint8_t *data;
	size_t bytes;

	stream->want_output = false;
	for (int i = 0; (bytes = next_output(stream, &data, &drained)) > 0; i++) {
		ssize_t done = -EAGAIN;

		if (!stream->out || !channel_is_open(stream->out)) {
			wait_for_reader(stream);
			break;
		}
		if (i < DRAIN_WRITES)
			done = channel_write(stream->out, data, bytes);
		if (done == -EAGAIN) {
			stream->want_output = true;
			wait_for_reader(stream);
			break;
		}
		if (done > 0) {
			drop_output(stream, (size_t)done);
		} else if (stream->out->kind == CHANNEL_READY) {
			discard(stream, (int)done);
		} else {
			lost(stream, stream->out, (int)done);
		}
	}
	stream_update_watches(stream);
	if (drained)
		stream_event(stream, VMM_STREAM_DRAINED);
}

int64_t stream_write(struct stream *stream, const uint8_t *data, uint64_t bytes)
{
	if (stream->kind == &stream_kind_null)
		return (int64_t)bytes;

	pthread_mutex_lock(&stream->lock);
	size_t done = stream->dead ? 0 : ring_put(&stream->buffer, data, bytes);

	if (done < bytes) {
		stream->dropped += bytes - done;
		stream->behind = !stream->dead;
	}
	bool wake = done && !stream->waiting;

	if (wake)
		loop_post_queue(&stream->kick);
	pthread_mutex_unlock(&stream->lock);
	return (int64_t)done;
}

uint64_t stream_dropped(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	uint64_t dropped = stream->dropped;

	pthread_mutex_unlock(&stream->lock);
	return dropped;
}

/* --- Input --- */

void stream_update_input(struct stream *stream)
{
	stream->want_input = channel_is_open(&stream->in) && !stream->ended &&
			     stream->ops->input_room(stream->ctx) > 0;
	stream_update_watches(stream);
}

void stream_read(struct stream *stream)
{
	uint8_t data[READ_BYTES];
	uint64_t room = stream->ops->input_room(stream->ctx);

	if (room > sizeof(data))
		room = sizeof(data);
	if (room) {
		ssize_t done = channel_read(&stream->in, data, room);

		if (done == -EAGAIN)
			return;
		if (done <= 0) {
			lost(stream, &stream->in, (int)done);
			stream_update_watches(stream);
			return;
		}
		stream->ops->input(stream->ctx, data, (uint64_t)done);
	}
	stream_update_input(stream);
}

void stream_resume(struct stream *stream)
{
	atomic_store(&stream->resume_asked, true);
	loop_post_queue(&stream->kick);
}

void stream_channel_cb(void *ctx, uint32_t events)
{
	struct stream *stream = ctx;

	/* Of errors, reading or writing tells which. */
	if (events & (VMM_WATCH_READ | VMM_WATCH_ERROR)) {
		if (stream->kind->readable)
			stream->kind->readable(stream);
		else
			stream_read(stream);
	}
	if (events & VMM_WATCH_WRITE)
		stream_drain(stream);
}

void stream_out_channel_cb(void *ctx, uint32_t events)
{
	(void)events;
	stream_drain(ctx);
}

static void kick_cb(void *ctx)
{
	struct stream *stream = ctx;
	bool resume = atomic_exchange(&stream->resume_asked, false);

	if (!stream->begun) {
		stream->begun = true;
		resume = true;
		if (stream->kind->begin)
			stream->kind->begin(stream);
	}
	stream_drain(stream);
	if (!resume)
		return;
	if (stream->kind->resume)
		stream->kind->resume(stream);
	else
		stream_update_input(stream);
}

/* --- Life --- */

int stream_open(const struct stream_args *args, struct stream **ret_stream, struct vmm_error *error)
{
	const struct stream_kind *kind = find_kind(args->kind);

	if (!kind) {
		vmm_set_error(error, "there is no stream of kind %" PRIu32, args->kind);
		return VMM_E_INVAL;
	}
	struct stream *stream = calloc(1, kind->bytes);

	if (!stream)
		return VMM_E_NOMEM;
	pthread_mutex_init(&stream->lock, NULL);
	stream->kind = kind;
	stream->loop = args->loop;
	stream->ops = args->ops;
	stream->ctx = args->ctx;
	loop_post_init(&stream->kick, args->loop, stream, kick_cb, stream);
	stream->name = strdup(args->name);
	int ret = stream->name ? ring_init(&stream->buffer, STREAM_BUFFER_BYTES) : VMM_E_NOMEM;

	if (ret < 0)
		vmm_set_error(error, "there is no memory for a console");
	else if (kind->open)
		ret = kind->open(stream, args, error);
	if (ret < 0) {
		stream_close(stream);
		return ret;
	}
	if (kind != &stream_kind_null)
		loop_post_queue(&stream->kick);
	*ret_stream = stream;
	return 0;
}

/* The loop does not run: waits here for a reader that is slow, not for one that is gone. */
static void flush(struct stream *stream)
{
	uint64_t end = loop_now(NULL, VMM_CLOCK_HOST) + CLOSE_NS;
	const uint8_t *data;
	size_t bytes;

	while (stream->out && channel_is_open(stream->out) &&
		(bytes = ring_peek(&stream->buffer, &data)) > 0) {
		ssize_t done = channel_write(stream->out, data, bytes);
		struct pollfd wait = {.fd = stream->out->fd, .events = POLLOUT};

		if (done > 0)
			ring_drop(&stream->buffer, (size_t)done);
		else if (done != -EAGAIN || poll(&wait, 1, CLOSE_STALL_MS) <= 0)
			break;
		if (loop_now(NULL, VMM_CLOCK_HOST) > end)
			break;
	}
	stream->dropped += stream->buffer.used;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	loop_post_cancel(&stream->kick);
	flush(stream);
	if (stream->kind->close)
		stream->kind->close(stream);
	if (stream->dropped)
		log_write(VMM_LOG_INFO, stream->name,
			"%" PRIu64 " bytes of console output were dropped", stream->dropped);
	channel_fini(&stream->separate_out);
	channel_fini(&stream->in);
	ring_fini(&stream->buffer);
	pthread_mutex_destroy(&stream->lock);
	free(stream->name);
	free(stream);
}

const struct stream_kind stream_kind_null = {.bytes = sizeof(struct stream)};
