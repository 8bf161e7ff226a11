/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output as a stream. When input is a terminal it is raw, what is typed is read
 * at all times, so that Ctrl-a x works while the guest hangs, and waits in a bounded buffer for the
 * guest; from anything else only what the guest has room for is read. A vmm in the background of
 * its terminal gives it up, and looks once a second whether it is in the foreground again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/support.h>

#include "log/log.h"
#include "loop/escape.h"
#include "loop/stream_impl.h"
#include "loop/terminal.h"

#define TYPED_BYTES   65536u
#define READ_BYTES    4096u
#define BACKGROUND_NS UINT64_C(1000000000)

struct stdio {
	struct stream stream;
	struct stream_console console;
	bool taken; /* this is the one that has standard input and output */
	bool background;
	struct escape escape;
	struct ring typed; /* by the person, not yet taken by the guest */
	struct loop_timer *timer;
};

static _Atomic bool in_use;

static void deliver(struct stdio *io)
{
	struct stream *stream = &io->stream;
	const uint8_t *data;
	uint64_t room;
	size_t bytes;

	while ((bytes = ring_peek(&io->typed, &data)) > 0 &&
		(room = stream->ops->input_room(stream->ctx)) > 0) {
		if (bytes > room)
			bytes = room;
		stream->ops->input(stream->ctx, data, bytes);
		ring_drop(&io->typed, bytes);
	}
}

static void type(struct stdio *io, uint8_t byte)
{
	const struct stream_console *console = &io->console;

	switch (escape_feed(&io->escape, byte, &byte)) {
	case ESCAPE_SEND:
		/* A full buffer: a guest that reads nothing. The person can still end it. */
		ring_put(&io->typed, &byte, 1);
		break;
	case ESCAPE_QUIT:
		if (console->quit)
			console->quit(console->ctx);
		break;
	case ESCAPE_POWER_BUTTON:
		if (console->power_button)
			console->power_button(console->ctx);
		break;
	case ESCAPE_HELP:
		stream_write(&io->stream, (const uint8_t *)escape_help, strlen(escape_help));
		break;
	case ESCAPE_NONE:
		break;
	}
}

/* Raw and reading, or waiting for the foreground. */
static void enter(struct stdio *io)
{
	int ret = terminal_raw(STDIN_FILENO);

	io->background = ret == VMM_E_AGAIN;
	io->stream.want_input = !io->background;
	if (io->background)
		loop_timer_arm(io->timer, loop_now(NULL, VMM_CLOCK_HOST) + BACKGROUND_NS);
	stream_update_watches(&io->stream);
}

static void timer_cb(void *ctx)
{
	enter(ctx);
}

static void begin(struct stream *stream)
{
	if (stream->in.tty)
		enter((struct stdio *)stream);
}

static void lost(struct stream *stream, struct channel *channel, int error)
{
	struct stdio *io = (struct stdio *)stream;

	if (channel == stream->out) {
		log_write(VMM_LOG_WARN, stream->name, "standard output is gone: %s",
			strerror(-error));
		stream_set_dead(stream);
		channel_fini(channel);
		return;
	}
	/* SIGTTIN is ignored, so reading in the background fails. */
	if (error == -EIO && terminal_in_background(STDIN_FILENO)) {
		enter(io);
		return;
	}
	stream->want_input = false;
	channel_fini(channel);
	stream_event(stream, VMM_STREAM_CLOSED);
}

static void readable(struct stream *stream)
{
	struct stdio *io = (struct stdio *)stream;
	uint8_t data[READ_BYTES];

	if (!stream->in.tty) {
		stream_read(stream);
		return;
	}
	ssize_t done = channel_read(&stream->in, data, sizeof(data));

	if (done == -EAGAIN)
		return;
	if (done <= 0) {
		lost(stream, &stream->in, (int)done);
		return;
	}
	for (ssize_t i = 0; i < done; i++)
		type(io, data[i]);
	deliver(io);
}

static void resume(struct stream *stream)
{
	if (stream->in.tty)
		deliver((struct stdio *)stream);
	else
		stream_update_input(stream);
}

static int open_channels(struct stdio *io)
{
	struct stream *stream = &io->stream;
	int ret = channel_init_shared(&stream->separate_out, stream->loop, STDOUT_FILENO, O_WRONLY,
		stream_out_channel_cb, stream);

	if (ret == VMM_E_INVAL)
		stream_set_dead(stream); /* closed: there is no output */
	else if (ret < 0)
		return ret;
	ret = channel_init_shared(
		&stream->in, stream->loop, STDIN_FILENO, O_RDONLY, stream_channel_cb, stream);
	if (ret == VMM_E_INVAL)
		return 0; /* closed: there is no input */
	if (ret < 0 || !stream->in.tty)
		return ret;
	ret = ring_init(&io->typed, TYPED_BYTES);
	if (ret < 0)
		return ret;
	return loop_timer_add(stream->loop, stream, VMM_CLOCK_HOST, timer_cb, io, &io->timer);
}

static int open_stdio(
	struct stream *stream, const struct stream_args *args, struct vmm_error *error)
{
	struct stdio *io = (struct stdio *)stream;

	if (atomic_exchange(&in_use, true)) {
		vmm_set_error(error,
			"standard input and output are the console of another device already; use "
			"another backend");
		return VMM_E_BUSY;
	}
	io->taken = true;
	io->console = args->console;
	stream->out = &stream->separate_out;

	int ret = open_channels(io);

	if (ret < 0)
		vmm_set_error(error, "standard input or output cannot be used as a console: %s",
			vmm_error_text(ret));
	return ret;
}

static void close_stdio(struct stream *stream)
{
	struct stdio *io = (struct stdio *)stream;

	if (!io->taken)
		return;
	terminal_restore();
	loop_timer_remove(io->timer);
	ring_fini(&io->typed);
	atomic_store(&in_use, false);
}

const struct stream_kind stream_kind_stdio = {
	.bytes = sizeof(struct stdio),
	.open = open_stdio,
	.begin = begin,
	.readable = readable,
	.resume = resume,
	.lost = lost,
	.close = close_stdio,
};
