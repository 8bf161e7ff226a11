/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test's own transport.
 */
#include "fake_transport.h"

#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

static int32_t attach(void *ctx, const struct vmm_virtio_device *device, uint64_t *ret_device)
{
	struct transport *transport = ctx;

	if (transport->is_attached || device->queue_count > TRANSPORT_QUEUES ||
		device->config_bytes > sizeof(transport->config))
		return VMM_E_LIMIT;
	transport->device = *device;
	memcpy(transport->config, device->config, device->config_bytes);
	memcpy(transport->mask, device->config_write_mask, device->config_bytes);
	memcpy(transport->sizes, device->queue_sizes,
		device->queue_count * sizeof(transport->sizes[0]));
	transport->is_attached = 1;
	*ret_device = 1;
	return 0;
}

static void detach(void *ctx, uint64_t device)
{
	struct transport *transport = ctx;

	(void)device;
	transport->is_attached = 0;
}

static int32_t pop(void *ctx, uint64_t device, uint32_t queue, struct vmm_virtio_chain *chain)
{
	struct transport *transport = ctx;
	const struct transport_chain *from;
	const struct vmm_iovec *iov;
	uint32_t id;

	(void)device;
	if (transport->head[queue] == transport->tail[queue])
		return 0;
	id = transport->pending[queue][transport->head[queue]++];
	from = &transport->chains[id];
	iov = from->many ? from->many : from->iov;
	if (from->readable + from->writable > chain->iov_max)
		abort();
	chain->id = id;
	chain->readable = from->readable;
	chain->writable = from->writable;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
	for (uint32_t i = 0; i < from->readable + from->writable; i++) {
		chain->iov[i] = iov[i];
		*(i < from->readable ? &chain->readable_bytes : &chain->writable_bytes) +=
			iov[i].bytes;
	}
	transport->in_flight[id] = 1;
	transport->pops++;
	return 1;
}

static int32_t unpop(void *ctx, uint64_t device, uint32_t queue, uint32_t id)
{
	struct transport *transport = ctx;

	(void)device;
	if (!transport->in_flight[id] || !transport->head[queue] ||
		transport->pending[queue][transport->head[queue] - 1] != id) {
		transport->mistakes++;
		return VMM_E_INVAL;
	}
	transport->in_flight[id] = 0;
	transport->head[queue]--;
	transport->unpops++;
	return 0;
}

static int32_t push(void *ctx, uint64_t device, uint32_t queue, uint32_t id, uint64_t written)
{
	struct transport *transport = ctx;

	(void)device;
	if (id >= transport->chain_count || !transport->in_flight[id]) {
		transport->mistakes++;
		return VMM_E_INVAL;
	}
	transport->in_flight[id] = 0;
	transport->used[transport->pushed++] = (struct transport_used){queue, id, written};
	if (transport->on_push)
		transport->on_push(transport->on_push_ctx, id);
	return 0;
}

static void flush(void *ctx, uint64_t device, uint32_t queue)
{
	struct transport *transport = ctx;

	(void)device;
	(void)queue;
	transport->shown = transport->pushed;
	transport->flushes++;
}

struct call {
	struct transport *transport;
	uint64_t argument;
	uint32_t value;
};

static void post(struct transport *transport, vmm_call_cb cb, uint64_t argument, uint32_t value)
{
	struct call *call = malloc(sizeof(*call));

	if (!call)
		abort();
	*call = (struct call){transport, argument, value};
	if (transport->loop.post(transport->host, transport->device.loop, cb, call) < 0)
		free(call);
}

static void do_notify(void *ctx)
{
	struct call *call = ctx;
	const struct vmm_virtio_device *device = &call->transport->device;

	device->ops->notify(device->ctx, (uint32_t)call->argument);
	/* The real one does so by itself. */
	call->transport->shown = call->transport->pushed;
	free(call);
}

uint32_t transport_serve(struct transport *transport, uint32_t queue)
{
	const struct vmm_virtio_device *device = &transport->device;
	uint32_t more = device->ops->serve(device->ctx, queue);

	transport->shown = transport->pushed;
	return more;
}

static void do_activate(void *ctx)
{
	struct call *call = ctx;
	const struct vmm_virtio_device *device = &call->transport->device;

	device->ops->activate(device->ctx, call->argument);
	free(call);
}

static void do_reset(void *ctx)
{
	struct call *call = ctx;
	const struct vmm_virtio_device *device = &call->transport->device;
	struct transport *transport = call->transport;

	transport->reset_result = device->ops->reset(device->ctx);
	if (transport->reset_result == 0)
		transport->resets_done++;
	free(call);
}

static void do_write_config(void *ctx)
{
	struct call *call = ctx;
	struct transport *transport = call->transport;
	const struct vmm_virtio_device *device = &transport->device;
	uint8_t *byte = &transport->config[call->argument];
	uint8_t mask = transport->mask[call->argument];

	*byte = (uint8_t)((*byte & ~mask) | (call->value & mask));
	device->ops->config_written(device->ctx, (uint32_t)call->argument, 1, transport->config);
	free(call);
}

void transport_notify(struct transport *transport, uint32_t queue)
{
	post(transport, do_notify, queue, 0);
}

void transport_activate(struct transport *transport, uint64_t features)
{
	post(transport, do_activate, features, 0);
}

void transport_reset(struct transport *transport)
{
	post(transport, do_reset, 0, 0);
}

void transport_write_config(struct transport *transport, uint32_t offset, uint8_t value)
{
	post(transport, do_write_config, offset, value);
}

static void kick(void *ctx, uint64_t device, uint32_t queue)
{
	struct transport *transport = ctx;

	(void)device;
	transport->kicks++;
	transport_notify(transport, queue);
}

static int32_t config_update(void *ctx, uint64_t device, uint32_t offset, const uint8_t *data,
	uint32_t bytes, uint32_t notify_driver)
{
	struct transport *transport = ctx;

	(void)device;
	memcpy(transport->config + offset, data, bytes);
	transport->config_updates++;
	transport->notified_updates += notify_driver;
	return 0;
}

static void reset_done(void *ctx, uint64_t device)
{
	struct transport *transport = ctx;

	(void)device;
	transport->resets_done++;
}

static void failed(void *ctx, uint64_t device)
{
	(void)ctx;
	(void)device;
}

static const struct vmm_virtio transport_table = {
	.size = sizeof(transport_table),
	.attach = attach,
	.detach = detach,
	.pop = pop,
	.unpop = unpop,
	.push = push,
	.flush = flush,
	.kick = kick,
	.config_update = config_update,
	.reset_done = reset_done,
	.fail = failed,
};

uint32_t transport_add(struct transport *transport, uint32_t queue, const struct vmm_iovec *iov,
	uint32_t readable, uint32_t writable)
{
	uint32_t id = transport->chain_count++;
	struct transport_chain *chain = &transport->chains[id];
	uint32_t n = 0;

	if (id >= TRANSPORT_CHAINS)
		abort();
	memset(chain, 0, sizeof(*chain));
	if (readable + writable > TRANSPORT_BUFFERS) {
		chain->many = iov;
		chain->readable = readable;
		chain->writable = writable;
	} else {
		for (uint32_t i = 0; i < readable + writable; i++) {
			if (!iov[i].bytes)
				continue;
			chain->iov[n++] = iov[i];
			(*(i < readable ? &chain->readable : &chain->writable))++;
		}
	}
	transport->pending[queue][transport->tail[queue]++] = id;
	return id;
}

void transport_forget(struct transport *transport)
{
	transport->chain_count = 0;
	transport->pushed = 0;
	transport->shown = 0;
	memset(transport->head, 0, sizeof(transport->head));
	memset(transport->tail, 0, sizeof(transport->tail));
	memset(transport->in_flight, 0, sizeof(transport->in_flight));
}

/*
 * ---- As a device ----
 */

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct transport *transport = calloc(1, sizeof(*transport));
	int32_t ret;

	if (!transport)
		return VMM_E_NOMEM;
	transport->host = args->host;
	ret = vmm_query(args->hello, args->host, VMM_LOOP_ID, sizeof(transport->loop),
		&transport->loop, sizeof(transport->loop), args->error);
	if (ret < 0) {
		free(transport);
		return ret;
	}
	*ret_ctx = transport;
	return 0;
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	if (strcmp(id, VMM_VIRTIO_ID) != 0)
		return VMM_E_UNSUPPORTED;
	*ret_table = &transport_table;
	*ret_object = ctx;
	return 0;
}

static void destroy(void *ctx)
{
	free(ctx);
}

static const struct vmm_device_ops transport_ops = {
	.size = sizeof(transport_ops),
	.create = create,
	.get_interface = get_interface,
	.destroy = destroy,
};

static const char *const provides[] = {VMM_VIRTIO_ID};

const struct vmm_device_type transport_type = {
	.size = sizeof(transport_type),
	.name = TRANSPORT_TYPE,
	.summary = "a virtio transport for tests",
	.thread_model = VMM_THREADS_LOOP,
	.provides = provides,
	.provides_count = 1,
	.ops = &transport_ops,
};
