/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.stream: streams whose other end is the test.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_internal.h"

#define STREAMS_MAX 64u /* of a host; more are not served */

static void bytes_append(struct fake_bytes *buffer, const void *data, uint64_t bytes)
{
	if (!bytes)
		return;
	buffer->data = realloc(buffer->data, buffer->bytes + bytes);
	if (!buffer->data)
		abort();
	memcpy(buffer->data + buffer->bytes, data, bytes);
	buffer->bytes += bytes;
}

static void bytes_consume(struct fake_bytes *buffer, uint64_t bytes)
{
	buffer->bytes -= bytes;
	if (buffer->bytes)
		memmove(buffer->data, buffer->data + bytes, buffer->bytes);
}

/* A loop thread may sleep. */
static void wake(vmm_host *device)
{
	(void)eventfd_write(device->loop->wake_fd, 1);
}

static struct fake_stream_object *stream_of(vmm_host *device)
{
	struct fake_object *object;

	for (object = device->host->objects; object; object = object->next)
		if (object->kind == KIND_STREAM && object->owner == device)
			return (void *)object;
	return NULL;
}

static struct fake_stream_object *stream_need(vmm_host *device)
{
	struct fake_stream_object *stream = stream_of(device);

	if (!stream) {
		fake_unlock(device->host);
		fake_fail("device \"%s\" has no stream", device->id);
	}
	return stream;
}

/*
 * ---- The service ----
 */

static int32_t stream_open(
	vmm_host *device, const struct vmm_stream_open *request, uint64_t *ret_stream)
{
	int32_t ret = fake_service(device, "vmm.stream open", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_stream_object *stream;

	if (ret < 0) {
		vmm_set_error(request->error, "injected fault");
		return ret;
	}
	if (request->struct_size < sizeof(*request) || request->flags || !request->ops ||
		!fake_loop_by_id(host, request->loop))
		return VMM_E_INVAL;
	if (request->ops->size <= offsetof(struct vmm_stream_ops, input_room) ||
		!request->ops->input || !request->ops->input_room) {
		vmm_set_error(request->error, "vmm.stream open: input and input_room are needed");
		return VMM_E_INVAL;
	}
	if ((request->kind == VMM_STREAM_FILE || request->kind == VMM_STREAM_UNIX) &&
		!request->path)
		return VMM_E_INVAL;
	fake_lock(host);
	stream = fake_object_add(device, KIND_STREAM, sizeof(*stream), "of kind %u", request->kind);
	stream->request = *request;
	memcpy(&stream->ops, request->ops,
		request->ops->size < sizeof(stream->ops) ? request->ops->size
							 : sizeof(stream->ops));
	stream->path = request->path ? fake_strdup(request->path) : NULL;
	stream->request.path = stream->path;
	stream->request.ops = &stream->ops;
	stream->room = UINT64_MAX;
	*ret_stream = stream->object.id;
	fake_unlock(host);
	return 0;
}

static int64_t stream_write(vmm_host *device, uint64_t id, const uint8_t *data, uint64_t bytes)
{
	struct fake_stream_object *stream;
	uint64_t taken = 0;

	fake_lock(device->host);
	stream = fake_object_get(device, KIND_STREAM, id, "vmm.stream write");
	if (stream) {
		taken = bytes < stream->room ? bytes : stream->room;
		stream->short_write |= taken < bytes;
		if (stream->room != UINT64_MAX)
			stream->room -= taken;
		if (stream->request.kind != VMM_STREAM_NULL)
			bytes_append(&stream->out, data, taken);
	}
	fake_unlock(device->host);
	return stream ? (int64_t)taken : VMM_E_INVAL;
}

static void stream_resume(vmm_host *device, uint64_t id)
{
	struct fake_stream_object *stream;

	fake_lock(device->host);
	stream = fake_object_get(device, KIND_STREAM, id, "vmm.stream resume");
	if (stream)
		stream->stopped = 0;
	fake_unlock(device->host);
	wake(device);
}

void fake_stream_free(struct fake_host *host, struct fake_stream_object *stream)
{
	free(stream->path);
	free(stream->in.data);
	free(stream->out.data);
	fake_object_drop(host, stream);
}

static void stream_close(vmm_host *device, uint64_t id)
{
	struct fake_stream_object *stream;

	fake_service_void(device, "vmm.stream close", CTX_CONFIG);
	fake_lock(device->host);
	stream = fake_object_get(device, KIND_STREAM, id, "vmm.stream close");
	if (stream)
		fake_stream_free(device->host, stream);
	fake_unlock(device->host);
}

const struct vmm_stream fake_stream_service = {
	.size = sizeof(fake_stream_service),
	.open = stream_open,
	.write = stream_write,
	.resume = stream_resume,
	.close = stream_close,
};

/*
 * ---- Delivery, on the loop ----
 */

static int started(const vmm_host *device)
{
	return device->phase >= PHASE_START;
}

/* Events that are due, once. */
static uint32_t deliver_events(struct fake_host *host, struct fake_stream_object *stream)
{
	uint32_t events;

	fake_lock(host);
	events = stream->events;
	stream->events = 0;
	if (stream->short_write && stream->room) {
		stream->short_write = 0;
		events |= VMM_STREAM_DRAINED;
	}
	fake_unlock(host);
	if (!events || !stream->ops.event)
		return 0;
	fake_device_guard(stream->object.owner, 1);
	stream->ops.event(stream->request.ctx, events);
	fake_device_guard(stream->object.owner, 0);
	return 1;
}

static uint32_t deliver_input(struct fake_host *host, struct fake_stream_object *stream)
{
	uint64_t room, bytes = 0;
	uint8_t *data = NULL;

	if (stream->stopped || !stream->in.bytes)
		return 0;
	/* Before the question: a resume() that comes in between must not get lost. */
	fake_lock(host);
	stream->stopped = 1;
	fake_unlock(host);
	fake_device_guard(stream->object.owner, 1);
	room = stream->ops.input_room(stream->request.ctx);
	fake_lock(host);
	if (room) {
		stream->stopped = 0;
		bytes = room < stream->in.bytes ? room : stream->in.bytes;
		data = fake_alloc(bytes);
		memcpy(data, stream->in.data, bytes);
		bytes_consume(&stream->in, bytes);
	}
	fake_unlock(host);
	if (bytes)
		stream->ops.input(stream->request.ctx, data, bytes);
	fake_device_guard(stream->object.owner, 0);
	free(data);
	return bytes > 0;
}

uint32_t fake_stream_turn(struct fake_host *host, uint64_t loop)
{
	uint64_t ids[STREAMS_MAX];
	uint32_t count = 0, streams = 0;

	fake_lock(host);
	for (struct fake_object *object = host->objects; object && streams < STREAMS_MAX;
		object = object->next)
		if (object->kind == KIND_STREAM)
			ids[streams++] = object->id;
	fake_unlock(host);
	for (uint32_t i = 0; i < streams; i++) {
		struct fake_stream_object *stream;

		fake_lock(host);
		stream = fake_object_peek(host, KIND_STREAM, ids[i]);
		fake_unlock(host);
		if (!stream || stream->request.loop != loop || !started(stream->object.owner))
			continue;
		count += deliver_events(host, stream);
		count += deliver_input(host, stream);
	}
	return count;
}

/*
 * ---- The test's end ----
 */

void fake_stream_feed(vmm_host *device, const void *data, uint64_t bytes)
{
	fake_lock(device->host);
	bytes_append(&stream_need(device)->in, data, bytes);
	fake_unlock(device->host);
	wake(device);
}

uint64_t fake_stream_unread(vmm_host *device)
{
	uint64_t bytes;

	fake_lock(device->host);
	bytes = stream_need(device)->in.bytes;
	fake_unlock(device->host);
	return bytes;
}

uint64_t fake_stream_output(vmm_host *device, void *data, uint64_t bytes)
{
	struct fake_bytes *out;

	fake_lock(device->host);
	out = &stream_need(device)->out;
	bytes = bytes < out->bytes ? bytes : out->bytes;
	if (bytes)
		memcpy(data, out->data, bytes);
	bytes_consume(out, bytes);
	fake_unlock(device->host);
	return bytes;
}

int fake_stream_output_is(vmm_host *device, const char *text)
{
	struct fake_bytes *out;
	int same;

	fake_lock(device->host);
	out = &stream_need(device)->out;
	same = out->bytes == strlen(text) &&
	       (!out->bytes || memcmp(out->data, text, out->bytes) == 0);
	out->bytes = 0;
	fake_unlock(device->host);
	return same;
}

void fake_stream_room(vmm_host *device, uint64_t bytes)
{
	fake_lock(device->host);
	stream_need(device)->room = bytes;
	fake_unlock(device->host);
	wake(device);
}

void fake_stream_event(vmm_host *device, uint32_t events)
{
	fake_lock(device->host);
	stream_need(device)->events |= events;
	fake_unlock(device->host);
	wake(device);
}

const struct vmm_stream_open *fake_stream_request(vmm_host *device)
{
	struct fake_stream_object *stream;

	fake_lock(device->host);
	stream = stream_of(device);
	fake_unlock(device->host);
	return stream ? &stream->request : NULL;
}
