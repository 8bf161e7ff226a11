/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio disk (virtio 1.2, 5.2) with nothing behind it: each request is done when it is seen, and
 * what is read is what was in the buffer. What is left of a request's cost is the guest's, KVM's
 * and the transport's, so no disk behind this transport is faster.
 */
#include <endian.h>
#include <stdlib.h>

#include <vmm/support.h>

#define DEVICE_ID    2u
#define CLASS_CODE   0x010000u /* mass storage, SCSI, as virtio-blk */
#define F_SEG_MAX    (1ull << 2)
#define QUEUE_SIZE   256u
#define SECTOR_BYTES 512
#define STATUS_OK    0

enum {
	OPTION_TRANSPORT,
	OPTION_SIZE,
};

struct disk {
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device;
	int attached;
};

/* The part of the config space that its features need. */
struct config {
	uint64_t capacity; /* sectors */
	uint32_t size_max;
	uint32_t seg_max;
};

static int32_t activate(void *ctx, uint64_t features)
{
	(void)ctx;
	(void)features;
	return 0;
}

static void notify(void *ctx, uint32_t queue)
{
	struct disk *disk = ctx;
	struct vmm_iovec iov[QUEUE_SIZE];
	struct vmm_virtio_chain chain = {
		.struct_size = sizeof(chain), .iov = iov, .iov_max = QUEUE_SIZE};

	while (disk->virtio.pop(disk->transport, disk->device, queue, &chain) > 0) {
		if (chain.writable) { /* the status is the last byte */
			const struct vmm_iovec *last = &iov[chain.readable + chain.writable - 1];

			((uint8_t *)last->base)[last->bytes - 1] = STATUS_OK;
		}
		disk->virtio.push(
			disk->transport, disk->device, queue, chain.id, chain.writable_bytes);
	}
}

static int32_t reset(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = activate,
	.notify = notify,
	.reset = reset,
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	int32_t ret;

	if (!disk) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	disk->hello = args->hello;
	disk->host = args->host;
	disk->id = args->device_id;
	disk->values = args->values;
	ret = vmm_query(disk->hello, disk->host, VMM_LOOP_ID, sizeof(disk->loop), &disk->loop,
		sizeof(disk->loop), args->error);
	if (ret < 0) {
		free(disk);
		return ret;
	}
	*ret_ctx = disk;
	return 0;
}

static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct disk *disk = ctx;

	return vmm_query_ref(disk->hello, disk->host, disk->values[OPTION_TRANSPORT], VMM_VIRTIO_ID,
		sizeof(disk->virtio), &disk->virtio, sizeof(disk->virtio), &disk->transport, error);
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE};
	struct disk *disk = ctx;
	const struct config config = {
		.capacity = htole64((uint64_t)disk->values[OPTION_SIZE]->number / SECTOR_BYTES),
		.seg_max = htole32(QUEUE_SIZE - 2),
	};
	const struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = disk->host,
		.name = disk->id,
		.loop = disk->loop.own(disk->host),
		.device_id = DEVICE_ID,
		.queue_count = 1,
		.queue_sizes = queue_sizes,
		.features = F_SEG_MAX,
		.config = (const uint8_t *)&config,
		.config_bytes = sizeof(config),
		.slot = VMM_VIRTIO_SLOT_AUTO,
		.class_code = CLASS_CODE,
		.ops = &virtio_ops,
		.ctx = disk,
		.error = error,
	};
	int32_t ret = disk->virtio.attach(disk->transport, &device, &disk->device);

	disk->attached = ret >= 0;
	return ret;
}

static void unrealize(void *ctx)
{
	struct disk *disk = ctx;

	if (disk->attached)
		disk->virtio.detach(disk->transport, disk->device);
	disk->attached = 0;
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

static const struct vmm_option option_size = {
	.struct_size = sizeof(option_size),
	.name = "size",
	.type = VMM_OPT_SIZE,
	.flags = VMM_OPT_REQUIRED,
	.min = SECTOR_BYTES,
	.max = 1ll << 50,
	.unit = "bytes",
	.doc = "size that the guest sees",
};

static const struct vmm_option *const options[] = {
	[OPTION_TRANSPORT] = &option_transport,
	[OPTION_SIZE] = &option_size,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "empty-disk",
	.summary = "virtio disk with nothing behind it",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "bench.empty-disk",
	.version = "1.0.0",
	.summary = "virtio disk with nothing behind it",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "bench.empty-disk", 1);
