/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kinds of streams share: stream.c has the output buffer and the plain input path, each
 * kind says where the bytes go. Internal to core/loop.
 *
 * Everything of a stream but its output buffer belongs to its loop.
 */
#ifndef LOOP_STREAM_IMPL_H
#define LOOP_STREAM_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "loop/channel.h"
#include "loop/ring.h"
#include "loop/stream.h"

/** One kind. open and close: [config], the others: [loop]. Optional slots may be NULL. */
struct stream_kind {
	size_t bytes; /* of the kind's struct, which begins with a struct stream */

	/** Opens the channels. On failure close() is called, too. Optional. */
	int (*open)(struct stream *stream, const struct stream_args *args, struct vmm_error *error);

	/** The loop runs for the first time. Optional. */
	void (*begin)(struct stream *stream);

	/** The input channel is readable. Default: stream_read(). */
	void (*readable)(struct stream *stream);

	/** The device has room. Default: stream_update_input(). */
	void (*resume)(struct stream *stream);

	/** Reading or writing ended for good; error is a negative errno, 0: end of input.
	 * Default: the channel is closed, later output is dropped. */
	void (*lost)(struct stream *stream, struct channel *channel, int error);

	/** Undoes open, also a part of it. Optional. */
	void (*close)(struct stream *stream);
};

extern const struct stream_kind stream_kind_null;
extern const struct stream_kind stream_kind_stdio;
extern const struct stream_kind stream_kind_pty;
extern const struct stream_kind stream_kind_file;
extern const struct stream_kind stream_kind_unix;

struct stream {
	const struct stream_kind *kind;
	struct loop *loop;
	char *name;
	const struct vmm_stream_ops *ops;
	void *ctx;
	struct channel in;
	struct channel separate_out; /* of kinds whose output is another fd */
	struct channel *out;         /* &in, &separate_out or NULL: nowhere yet */
	bool want_input;
	bool want_output;
	bool ended; /* the input; output may still be taken */
	bool begun;
	bool error_logged;
	struct loop_post kick; /* begins, drains the buffer and resumes input */
	_Atomic bool resume_asked;

	pthread_mutex_t lock; /* guards what follows; the loop's lock may be taken under it */
	struct ring buffer;
	uint64_t dropped;
	bool behind;  /* a write came short: DRAINED is due when there is room */
	bool waiting; /* for the reader: a write need not wake the loop */
	bool dead;    /* there will be no reader any more */
};

/** Callback of channels: context is the stream. */
void stream_channel_cb(void *ctx, uint32_t events);
void stream_out_channel_cb(void *ctx, uint32_t events);

/** Writes out what the buffer holds, as far as that does not block. [loop] */
void stream_drain(struct stream *stream);

/** Reads what the device has room for; the plain way. [loop] */
void stream_read(struct stream *stream);

/** Asks the device whether it wants input and watches accordingly. [loop] */
void stream_update_input(struct stream *stream);

/** Has the channels watch for what is wanted. [loop] */
void stream_update_watches(struct stream *stream);

/** Tells the device of VMM_STREAM_.... [loop] */
void stream_event(struct stream *stream, uint32_t events);

/** There will be no reader any more: drops what is buffered and all that comes. [any] */
void stream_set_dead(struct stream *stream);

#endif
