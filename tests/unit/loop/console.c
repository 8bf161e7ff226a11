/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device with a console; see console.h.
 */
#include "console.h"

#include <string.h>

static void input_cb(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct console *console = ctx;

	if (!bytes || bytes > console->room || !loop_is_current(console->loop))
		console->wrong = true;
	console->input_calls++;
	console->room -= bytes;
	if (console->used + bytes <= CONSOLE_BYTES) {
		memcpy(console->data + console->used, data, bytes);
		console->used += bytes;
	}
	if (console->echo)
		stream_write(console->stream, data, bytes);
}

static uint64_t room_cb(void *ctx)
{
	struct console *console = ctx;

	console->room_calls++;
	return console->room;
}

static void event_cb(void *ctx, uint32_t events)
{
	struct console *console = ctx;

	console->connected += !!(events & VMM_STREAM_CONNECTED);
	console->closed += !!(events & VMM_STREAM_CLOSED);
	console->drained += !!(events & VMM_STREAM_DRAINED);
}

static const struct vmm_stream_ops ops = {
	.size = sizeof(ops),
	.input = input_cb,
	.input_room = room_cb,
	.event = event_cb,
};

static void quit_cb(void *ctx)
{
	((struct console *)ctx)->quits++;
}

static void button_cb(void *ctx)
{
	((struct console *)ctx)->buttons++;
}

int console_open(struct console *console, struct loop *loop, uint32_t kind, const char *path)
{
	struct vmm_error error = {sizeof(error), console->error, sizeof(console->error)};
	const struct stream_args args = {
		.kind = kind,
		.path = path,
		.name = "com1",
		.loop = loop,
		.ops = &ops,
		.ctx = console,
		.console = {quit_cb, button_cb, console},
	};

	console->loop = loop;
	console->error[0] = '\0';
	return stream_open(&args, &console->stream, &error);
}

void console_close(struct console *console)
{
	stream_close(console->stream);
	console->stream = NULL;
}

struct wait {
	struct console *console;
	size_t bytes;
};

static bool enough(void *arg)
{
	struct wait *wait = arg;

	return wait->console->used >= wait->bytes;
}

bool console_wait(struct console *console, size_t bytes)
{
	struct wait wait = {console, bytes};

	return fixture_run_until(console->loop, enough, &wait, 5000);
}

bool console_print(struct console *console, const char *text)
{
	int64_t bytes = (int64_t)strlen(text);

	return stream_write(console->stream, (const uint8_t *)text, (uint64_t)bytes) == bytes;
}
