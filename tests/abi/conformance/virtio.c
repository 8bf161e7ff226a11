/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device with two queues, of a kind that no driver knows. It fills what it may write with
 * 0xc5, gives its second queue away and takes it back, and fails when the driver writes 0xfa to its
 * config space.
 */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define QUEUES 2u

struct virtio {
	vmm_host *host;
	const struct vmm_hello *hello;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device;
	int is_attached, was_kicked, was_given; /* the latter since the last activate */
};

static int32_t activate(void *ctx, uint64_t features)
{
	struct virtio *v = ctx;
	const uint8_t byte = (uint8_t)features;

	v->was_kicked = 0;
	v->was_given = 0;
	return v->virtio.config_update(v->transport, v->device, 4, &byte, 1, 1);
}

static int32_t answer(struct virtio *v, uint32_t queue, const struct vmm_virtio_chain *chain)
{
	uint32_t i;

	for (i = chain->readable; i < chain->readable + chain->writable; i++)
		memset(chain->iov[i].base, 0xc5, chain->iov[i].bytes);
	return v->virtio.push(v->transport, v->device, queue, chain->id, chain->writable_bytes);
}

/* What pop gave is put back once, and comes again. */
static int32_t pop_twice(struct virtio *v, uint32_t queue, struct vmm_virtio_chain *chain)
{
	uint32_t id;
	int32_t ret = v->virtio.pop(v->transport, v->device, queue, chain);

	if (ret != 1)
		return ret;
	id = chain->id;
	ret = v->virtio.unpop(v->transport, v->device, queue, id);
	if (ret == 0)
		ret = v->virtio.pop(v->transport, v->device, queue, chain);
	return ret == 1 && chain->id != id ? VMM_E_INVAL : ret;
}

static void give_and_take(struct virtio *v, uint32_t queue)
{
	struct vmm_virtio_ring ring = {0};

	v->was_given = 1; /* once: a queue that is taken back is notified */
	ring.struct_size = sizeof(ring);
	if (v->virtio.ring_give(v->transport, v->device, queue, &ring) == 0)
		v->virtio.ring_take(v->transport, v->device, queue, ring.next_available);
}

static void notify(void *ctx, uint32_t queue)
{
	struct virtio *v = ctx;
	struct vmm_iovec iov[8];
	struct vmm_virtio_chain chain = {0};

	if (queue == 1 && !v->was_given)
		give_and_take(v, queue);
	chain.struct_size = sizeof(chain);
	chain.iov = iov;
	chain.iov_max = COUNT(iov);
	while (pop_twice(v, queue, &chain) == 1)
		if (answer(v, queue, &chain) < 0)
			break;
	v->virtio.flush(v->transport, v->device, queue);
	if (!v->was_kicked)
		v->virtio.kick(v->transport, v->device, queue);
	v->was_kicked = 1;
}

static void reset_later(void *ctx)
{
	struct virtio *v = ctx;

	v->virtio.reset_done(v->transport, v->device);
}

static int32_t reset(void *ctx)
{
	struct virtio *v = ctx;

	return v->loop.post(v->host, v->loop.own(v->host), reset_later, v) < 0 ? 0 : VMM_PENDING;
}

static void config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config)
{
	struct virtio *v = ctx;

	(void)bytes;
	if (offset == 0 && config[0] == 0xfa)
		v->virtio.fail(v->transport, v->device);
}

#if VMM_ABI_MINOR >= 2
/* It looks, and leaves what there is to notify. */
static uint32_t serve(void *ctx, uint32_t queue)
{
	struct virtio *v = ctx;
	struct vmm_iovec iov[16];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 16};

	if (v->virtio.pop(v->transport, v->device, queue, &chain) == 1)
		v->virtio.unpop(v->transport, v->device, queue, chain.id);
	return 1;
}
#endif

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
	.config_written = config_written,
#if VMM_ABI_MINOR >= 2
	.serve = serve,
#endif
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct virtio *v = calloc(1, sizeof(*v));
	int32_t ret;

	if (!v)
		return VMM_E_NOMEM;
	v->host = args->host;
	v->hello = args->hello;
	v->values = args->values;
	ret = vmm_query(v->hello, v->host, VMM_LOOP_ID, sizeof(v->loop), &v->loop, sizeof(v->loop),
		args->error);
	if (ret < 0) {
		free(v);
		return ret;
	}
	*ret_ctx = v;
	return 0;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct virtio *v = ctx;

	return vmm_query_ref(v->hello, v->host, v->values[0], VMM_VIRTIO_ID, sizeof(v->virtio),
		&v->virtio, sizeof(v->virtio), &v->transport, error);
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	static const uint16_t sizes[QUEUES] = {64, 16};
	static const uint8_t config[8] = {0}, mask[8] = {0xff};
	struct vmm_virtio_device device = {0};
	struct virtio *v = ctx;

	device.struct_size = sizeof(device);
	device.owner = v->host;
	device.name = "conformance-virtio";
	device.loop = v->loop.own(v->host);
	device.device_id = 63;
	device.queue_count = QUEUES;
	device.queue_sizes = sizes;
	device.config = config;
	device.config_write_mask = mask;
	device.config_bytes = sizeof(config);
	device.slot = VMM_VIRTIO_SLOT_AUTO;
	device.class_code = 0x088000;
	device.ops = &virtio_ops;
	device.ctx = v;
	device.error = error;
	MUST(v->virtio.attach(v->transport, &device, &v->device));
	v->is_attached = 1;
	return 0;
}

static void unrealize(void *ctx)
{
	struct virtio *v = ctx;

	if (v->is_attached)
		v->virtio.detach(v->transport, v->device);
	v->is_attached = 0;
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
	.doc = "what it is behind",
};

static const struct vmm_option *const options[] = {&option_transport};

const struct vmm_device_type conformance_virtio = {
	.size = sizeof(conformance_virtio),
	.name = "conformance-virtio",
	.summary = "uses all that a virtio transport gives",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = COUNT(options),
	.ops = &ops,
};
