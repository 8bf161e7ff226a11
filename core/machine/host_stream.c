/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.stream/1: consoles, by core/loop. What the keys of a console's escape do is
 * decided here: they act on the machine.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/stream.h>
#include <vmm/support.h>

#include "loop/stream.h"
#include "machine/host.h"
#include "machine/machine.h"

struct host_stream {
	struct host_object object;
	struct stream *stream;
	struct vmm_stream_ops ops;
	void *ctx;
};

static void stream_input(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct host_stream *stream = ctx;
	struct vmm_host *host = stream->object.host;

	host_enter(host);
	stream->ops.input(stream->ctx, data, bytes);
	host_leave(host);
}

static uint64_t stream_input_room(void *ctx)
{
	struct host_stream *stream = ctx;
	struct vmm_host *host = stream->object.host;
	uint64_t room;

	host_enter(host);
	room = stream->ops.input_room(stream->ctx);
	host_leave(host);
	return room;
}

static void stream_event(void *ctx, uint32_t events)
{
	struct host_stream *stream = ctx;
	struct vmm_host *host = stream->object.host;

	if (!stream->ops.event)
		return;
	host_enter(host);
	stream->ops.event(stream->ctx, events);
	host_leave(host);
}

static const struct vmm_stream_ops stream_ops = {
	.size = sizeof(stream_ops),
	.input = stream_input,
	.input_room = stream_input_room,
	.event = stream_event,
};

static void console_quit(void *ctx)
{
	machine_stop(ctx, MACHINE_END_ESCAPE, 0);
}

static void console_power_button(void *ctx)
{
	machine_power_button(ctx);
}

static void stream_release(struct host_object *object)
{
	struct host_stream *stream = (struct host_stream *)object;

	host_object_remove(object);
	stream_close(stream->stream);
	free(stream);
}

static int32_t host_stream_open(
	vmm_host *host, const struct vmm_stream_open *request, uint64_t *ret_stream)
{
	struct host_stream *stream;
	struct vmm_stream_open req;
	struct stream_args args;
	struct loop *loop;
	int32_t ret;

	HOST_NEEDS_CONFIG(host, "vmm.stream open");
	ret = host_copy_request(request, sizeof(req), &req, sizeof(req));
	if (ret < 0)
		return ret;
	loop = machine_find_loop(host->machine, req.loop);
	if (req.flags || !loop || !req.ops)
		return VMM_E_INVAL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return VMM_E_NOMEM;
	memcpy(&stream->ops, req.ops,
		req.ops->size < sizeof(stream->ops) ? req.ops->size : sizeof(stream->ops));
	if (!stream->ops.input || !stream->ops.input_room) {
		vmm_set_error(req.error, "vmm.stream open: input and input_room are needed");
		free(stream);
		return VMM_E_INVAL;
	}
	stream->ctx = req.ctx;
	stream->object.host = host;
	args = (struct stream_args){
		.kind = req.kind,
		.path = req.path,
		.name = host->id,
		.loop = loop,
		.ops = &stream_ops,
		.ctx = stream,
		.console = {console_quit, console_power_button, host->machine},
	};
	ret = stream_open(&args, &stream->stream, req.error);
	if (ret < 0) {
		free(stream);
		return ret;
	}
	host_object_add(host, &stream->object, HOST_STREAM, stream_release);
	*ret_stream = (uintptr_t)stream;
	return 0;
}

static int64_t host_stream_write(
	vmm_host *host, uint64_t handle, const uint8_t *data, uint64_t bytes)
{
	struct host_stream *stream = host_object_get(host, handle, HOST_STREAM, "vmm.stream write");

	return stream ? stream_write(stream->stream, data, bytes) : VMM_E_INVAL;
}

static void host_stream_resume(vmm_host *host, uint64_t handle)
{
	struct host_stream *stream =
		host_object_get(host, handle, HOST_STREAM, "vmm.stream resume");

	if (stream)
		stream_resume(stream->stream);
}

static void host_stream_close(vmm_host *host, uint64_t handle)
{
	struct host_stream *stream = host_object_get(host, handle, HOST_STREAM, "vmm.stream close");

	if (stream)
		stream_release(&stream->object);
}

const struct vmm_stream host_stream_table = {
	.size = sizeof(host_stream_table),
	.open = host_stream_open,
	.write = host_stream_write,
	.resume = host_stream_resume,
	.close = host_stream_close,
};
