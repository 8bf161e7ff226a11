/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console: a console of the guest (virtio 1.2, 5.3; /dev/hvc0 in Linux) whose other end is a
 * socket or a pseudo terminal. Two queues: 0 has the guest's empty buffers for input, 1 its output.
 * The transport that the device sits on parses rings and registers; here come checked chains only.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#define DEVICE_ID    3u
#define CLASS_CODE   0x078000u /* communication controller, other */
#define QUEUE_INPUT  0u
#define QUEUE_OUTPUT 1u
#define QUEUE_SIZE   64u
#define BUFFERS_MAX  64u /* a chain is no longer than the queue */
#define CHAIN_BYTES                                                                                \
	65536u /* more output than that of one chain is dropped: the loop has more to do */

enum {
	OPTION_TRANSPORT,
	OPTION_SOCKET,
};

struct console {
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_stream stream;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device;
	uint64_t port; /* of vmm.stream */
	int has_device;
	int has_port;

	/* The loop's. */
	int active; /* between activate and reset */
	int has_input;
	struct vmm_virtio_chain input; /* popped, waits for input */
	struct vmm_iovec input_iov[BUFFERS_MAX];
};

/*
 * ---- Input: from the stream to the guest ----
 */

/* How much the next buffer of the guest takes: it is popped and kept until there is input. */
static uint64_t input_room(void *ctx)
{
	struct console *console = ctx;
	struct vmm_virtio_chain *chain = &console->input;

	while (console->active && !console->has_input) {
		chain->struct_size = sizeof(*chain);
		chain->iov = console->input_iov;
		chain->iov_max = BUFFERS_MAX;
		if (console->virtio.pop(console->transport, console->device, QUEUE_INPUT, chain) <=
			0)
			break;
		console->has_input = chain->writable_bytes > 0;
		if (!console->has_input) /* a buffer that cannot be written to */
			console->virtio.push(
				console->transport, console->device, QUEUE_INPUT, chain->id, 0);
	}
	return console->has_input ? chain->writable_bytes : 0;
}

static void input(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct console *console = ctx;
	const struct vmm_virtio_chain *chain = &console->input;
	uint64_t done = 0;

	if (!console->has_input)
		return; /* the guest has reset the device since input_room() */
	for (uint32_t i = 0; i < chain->writable && done < bytes; i++) {
		const struct vmm_iovec *iov = &chain->iov[chain->readable + i];
		uint64_t part = iov->bytes < bytes - done ? iov->bytes : bytes - done;

		memcpy(iov->base, data + done, part);
		done += part;
	}
	console->has_input = 0;
	console->virtio.push(console->transport, console->device, QUEUE_INPUT, chain->id, done);
	console->virtio.flush(console->transport, console->device, QUEUE_INPUT);
}

static const struct vmm_stream_ops stream_ops = {
	.size = sizeof(stream_ops),
	.input = input,
	.input_room = input_room,
};

/*
 * ---- Output: from the guest to the stream ----
 */

static void output(struct console *console)
{
	struct vmm_iovec iov[BUFFERS_MAX];
	struct vmm_virtio_chain chain = {
		.struct_size = sizeof(chain), .iov = iov, .iov_max = BUFFERS_MAX};

	while (console->virtio.pop(console->transport, console->device, QUEUE_OUTPUT, &chain) > 0) {
		uint64_t left = CHAIN_BYTES;

		for (uint32_t i = 0; i < chain.readable && left; i++) {
			uint64_t bytes = iov[i].bytes < left ? iov[i].bytes : left;

			console->stream.write(console->host, console->port, iov[i].base, bytes);
			left -= bytes;
		}
		console->virtio.push(
			console->transport, console->device, QUEUE_OUTPUT, chain.id, 0);
	}
}

/*
 * ---- What the transport calls ----
 */

static int32_t activate(void *ctx, uint64_t features)
{
	struct console *console = ctx;

	(void)features;
	console->active = 1;
	return 0;
}

static void notify(void *ctx, uint32_t queue)
{
	struct console *console = ctx;

	if (queue == QUEUE_OUTPUT)
		output(console);
	else
		console->stream.resume(console->host, console->port);
}

/* The buffer that waits for input is the guest's again. */
static int32_t reset(void *ctx)
{
	struct console *console = ctx;

	console->active = 0;
	console->has_input = 0;
	return 0;
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
};

/*
 * ---- What the core calls ----
 */

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct console *console = calloc(1, sizeof(*console));
	int32_t ret;

	if (!console) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	console->hello = args->hello;
	console->host = args->host;
	console->id = args->device_id;
	console->values = args->values;
	ret = vmm_query(args->hello, args->host, VMM_LOOP_ID, sizeof(console->loop), &console->loop,
		sizeof(console->loop), args->error);
	if (ret >= 0)
		ret = vmm_query(args->hello, args->host, VMM_STREAM_ID, sizeof(console->stream),
			&console->stream, sizeof(console->stream), args->error);
	if (ret < 0) {
		free(console);
		return ret;
	}
	*ret_ctx = console;
	return 0;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct console *console = ctx;

	return vmm_query_ref(console->hello, console->host, console->values[OPTION_TRANSPORT],
		VMM_VIRTIO_ID, sizeof(console->virtio), &console->virtio, sizeof(console->virtio),
		&console->transport, error);
}

static int32_t open_stream(struct console *console, struct vmm_error *error)
{
	const struct vmm_value *socket = console->values[OPTION_SOCKET];
	const int given = (socket->flags & VMM_VALUE_PRESENT) != 0;
	const struct vmm_stream_open request = {
		.struct_size = sizeof(request),
		.kind = given ? VMM_STREAM_UNIX : VMM_STREAM_PTY,
		.path = given ? socket->text : NULL,
		.loop = console->loop.own(console->host),
		.ops = &stream_ops,
		.ctx = console,
		.error = error,
	};
	int32_t ret = console->stream.open(console->host, &request, &console->port);

	console->has_port = ret >= 0;
	return ret;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE};
	struct console *console = ctx;
	const struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = console->host,
		.name = console->id,
		.loop = console->loop.own(console->host),
		.device_id = DEVICE_ID,
		.queue_count = 2,
		.queue_sizes = queue_sizes,
		.slot = VMM_VIRTIO_SLOT_AUTO,
		.class_code = CLASS_CODE,
		.ops = &virtio_ops,
		.ctx = console,
		.error = error,
	};
	int32_t ret = open_stream(console, error);

	if (ret < 0)
		return ret;
	ret = console->virtio.attach(console->transport, &device, &console->device);
	console->has_device = ret >= 0;
	return ret;
}

static void unrealize(void *ctx)
{
	struct console *console = ctx;

	if (console->has_device)
		console->virtio.detach(console->transport, console->device);
	if (console->has_port)
		console->stream.close(console->host, console->port);
	console->has_device = console->has_port = 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.bind = bind,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

static const struct vmm_option option_transport = {
	.struct_size = sizeof(option_transport),
	.name = "transport",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_VIRTIO_ID,
	.doc = "virtio transport that the device sits on",
};

static const struct vmm_option option_socket = {
	.struct_size = sizeof(option_socket),
	.name = "socket",
	.type = VMM_OPT_PATH,
	.doc = "unix socket that vmm makes for the console; without it, a pseudo terminal",
};

static const struct vmm_option *const options[] = {
	[OPTION_TRANSPORT] = &option_transport,
	[OPTION_SOCKET] = &option_socket,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "virtio-console",
	.summary = "virtio console on a socket or a pseudo terminal",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "com.example.virtio-console",
	.version = "0.1.0",
	.summary = "virtio console",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "com.example.virtio-console", 1);
