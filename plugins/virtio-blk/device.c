/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin virtio-blk and the life of its devices: create, attach to the transport, destroy. What
 * the driver does with a device is in state.c, its requests are in queue.c.
 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

/* PCI class: mass storage, SCSI; what drivers know virtio disks by since the first ones. */
#define CLASS_STORAGE_SCSI 0x010000u

static int32_t query_services(
	struct blk_device *blk, struct vmm_file *file, struct vmm_error *error)
{
	const struct {
		const char *id;
		void *copy;
		uint64_t bytes;
	} services[] = {
		{VMM_LOOP_ID, &blk->loop, sizeof(blk->loop)},
		{VMM_WORKER_ID, &blk->worker, sizeof(blk->worker)},
		{VMM_LOG_ID, &blk->log, sizeof(blk->log)},
		{VMM_MACHINE_ID, &blk->machine,
			offsetof(struct vmm_machine, needs)}, /* as in ABI 0.1 */
		{VMM_FILE_ID, file, sizeof(*file)},
	};

	for (uint32_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		int32_t ret = vmm_query(blk->hello, blk->host, services[i].id, services[i].bytes,
			services[i].copy, services[i].bytes, error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void on_op_done(void *ctx, struct blk_op *op)
{
	struct blk_device *blk = ctx;

	blk_engine_op_done(&blk->engine, op);
}

static int32_t create_backend(struct blk_device *blk, struct vmm_error *error)
{
	const struct blk_backend_config config = {
		.disk = &blk->disk,
		.host = blk->host,
		.loop = &blk->loop,
		.worker = &blk->worker,
		.log = &blk->log,
		.owner = {on_op_done, blk_queue_batch_end, blk},
		.depth = blk->options.queues * blk->options.queue_size + 1, /* and one sync */
	};
	char text[256] = "";
	struct vmm_error why = {sizeof(why), text, sizeof(text)};
	int32_t ret;

	if (blk->options.aio == BLK_AIO_IO_URING)
		return blk_uring_create(&config, &blk->backend, error);
	if (blk->options.aio == BLK_AIO_AUTO) {
		ret = blk_uring_create(&config, &blk->backend, &why);
		if (ret == 0)
			return 0;
		vmm_logf(&blk->log, blk->host, VMM_LOG_DEBUG, "%s; using workers", text);
	}
	return blk_worker_create(&config, &blk->backend, error);
}

static void device_destroy(void *ctx)
{
	struct blk_device *blk = ctx;

	if (blk->has_limit_timer)
		blk->loop.timer_remove(blk->host, blk->limit_timer);
	if (blk->backend)
		blk->backend->ops->destroy(blk->backend);
	blk_queues_fini(blk);
	blk_bounce_fini(&blk->bounce);
	blk_disk_close(&blk->disk);
	free(blk);
}

static void describe(struct blk_device *blk)
{
	vmm_logf(&blk->log, blk->host, VMM_LOG_DEBUG, "%s: %llu bytes, blocks of %u, I/O by %s%s",
		blk->options.path, (unsigned long long)blk->disk.capacity_bytes,
		blk->disk.block_size, blk->backend->ops->name,
		blk->options.direct ? ", direct" : "");
	if (blk->disk.tail_bytes)
		vmm_logf(&blk->log, blk->host, VMM_LOG_WARN,
			"%s: the last %llu bytes are less than a block of %u; the guest does not "
			"see them",
			blk->options.path, (unsigned long long)blk->disk.tail_bytes,
			blk->disk.block_size);
}

/* What create makes, in the order in which device_destroy undoes it. */
static int32_t device_init(struct blk_device *blk, struct vmm_error *error)
{
	const struct blk_engine_owner owner = {
		blk_queue_finished, blk_state_synced, blk_state_sync_failed, blk};
	struct blk_wire_config mask;
	struct vmm_file file;
	int32_t ret = query_services(blk, &file, error);

	if (ret < 0)
		return ret;
	ret = blk_disk_open(&blk->disk, &blk->options, &file, blk->host, error);
	if (ret < 0)
		return ret;
	if (blk->options.direct) {
		ret = blk_bounce_init(&blk->bounce, error);
		if (ret < 0)
			return ret;
	}
	ret = blk_queues_init(blk, error);
	if (ret < 0)
		return ret;
	ret = create_backend(blk, error);
	if (ret < 0)
		return ret;
	blk_engine_init(&blk->engine, blk->backend, &blk->disk,
		blk->options.direct ? &blk->bounce : NULL, &owner);
	blk_limit_init(&blk->iops, blk->options.iops);
	blk_limit_init(&blk->bandwidth, blk->options.bandwidth);
	if (blk->options.iops || blk->options.bandwidth) {
		ret = blk->loop.timer_add(blk->host, blk->loop.own(blk->host), VMM_CLOCK_HOST,
			blk_queue_limit_timer, blk, &blk->limit_timer);
		if (ret < 0) {
			vmm_set_error(error, "cannot make a timer for the rate limit: %s",
				vmm_error_text(ret));
			return ret;
		}
		blk->has_limit_timer = 1;
	}
	blk->features_offered = blk_space_features(&blk->options);
	blk_space_config(&blk->options, &blk->disk, &blk->config, &mask);
	blk->limits = (struct blk_limits){
		.capacity_bytes = blk->disk.capacity_bytes,
		.direct_align = blk->disk.direct_align,
		.readonly = blk->options.readonly,
		.may_unmap = blk->options.discard,
		.serial = blk->options.serial,
	};
	describe(blk);
	return 0;
}

static int32_t device_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct blk_device *blk = calloc(1, sizeof(*blk));
	int32_t ret;

	if (!blk) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	blk->hello = args->hello;
	blk->host = args->host;
	blk->id = args->device_id;
	blk->disk.fd = -1;
	blk_options_read(args->values, args->device_id, &blk->options);
	ret = device_init(blk, args->error);
	if (ret < 0) {
		device_destroy(blk);
		return ret;
	}
	*ret_ctx = blk;
	return 0;
}

static int32_t device_bind(void *ctx, struct vmm_error *error)
{
	struct blk_device *blk = ctx;

	return vmm_query_ref(blk->hello, blk->host, blk->options.transport, VMM_VIRTIO_ID,
		sizeof(blk->virtio), &blk->virtio, sizeof(blk->virtio), &blk->transport, error);
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = blk_state_activate,
	.notify = blk_queue_notify,
	.reset = blk_state_reset,
	.config_written = blk_state_config_written,
};

/* For an image in memory: copying takes less time than to wake the loop. */
static const struct vmm_virtio_ops serving_ops = {
	.size = sizeof(serving_ops),
	.activate = blk_state_activate,
	.notify = blk_queue_notify,
	.reset = blk_state_reset,
	.config_written = blk_state_config_written,
	.serve = blk_queue_serve,
};

static int32_t device_realize(void *ctx, struct vmm_error *error)
{
	struct blk_device *blk = ctx;
	uint16_t sizes[BLK_QUEUES_MAX];
	struct blk_wire_config mask;
	struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = blk->host,
		.name = blk->id,
		.loop = blk->loop.own(blk->host),
		.device_id = BLK_DEVICE_ID,
		.queue_count = blk->options.queues,
		.queue_sizes = sizes,
		.features = blk->features_offered,
		.config = (const uint8_t *)&blk->config,
		.config_write_mask = (const uint8_t *)&mask,
		.config_bytes = sizeof(blk->config),
		.slot = blk->options.slot,
		.class_code = CLASS_STORAGE_SCSI,
		.ops = blk->disk.in_memory && !blk->has_limit_timer ? &serving_ops : &virtio_ops,
		.ctx = blk,
		.error = error,
	};
	int32_t ret;

	for (uint32_t q = 0; q < blk->options.queues; q++)
		sizes[q] = (uint16_t)blk->options.queue_size;
	blk_space_config(&blk->options, &blk->disk, &blk->config, &mask);
	ret = blk->virtio.attach(blk->transport, &device, &blk->attached);
	blk->is_attached = ret == 0;
	return ret;
}

static int32_t device_start(void *ctx, struct vmm_error *error)
{
	struct blk_device *blk = ctx;

	(void)error;
	if (blk->options.cache == BLK_CACHE_UNSAFE)
		vmm_logf(&blk->log, blk->host, VMM_LOG_WARN,
			"%s: cache = \"unsafe\": a crash of this host loses what the guest "
			"believes "
			"to be on the disk, and can destroy its file systems",
			blk->options.path);
	return 0;
}

static void device_unrealize(void *ctx)
{
	struct blk_device *blk = ctx;

	if (blk->is_attached)
		blk->virtio.detach(blk->transport, blk->attached);
	blk->is_attached = 0;
}

static const struct vmm_device_ops device_ops = {
	.size = sizeof(device_ops),
	.validate = blk_options_validate,
	.create = device_create,
	.bind = device_bind,
	.realize = device_realize,
	.start = device_start,
	.quiesce = blk_state_quiesce,
	.unrealize = device_unrealize,
	.destroy = device_destroy,
};

static const struct vmm_device_type device_type = {
	.size = sizeof(device_type),
	.name = "virtio-blk",
	.summary = "disk in a raw file or a block device",
	.thread_model = VMM_THREADS_LOOP,
	.options = blk_option_table,
	.option_count = BLK_OPTION_COUNT,
	.ops = &device_ops,
	.needs = VMM_NEED_DISK | VMM_NEED_IO_URING,
};

static const struct vmm_device_type *const device_types[] = {&device_type};

static const struct vmm_plugin_desc plugin_desc = {
	.size = sizeof(plugin_desc),
	.id = "virtio-blk",
	.version = "0.2.0",
	.summary = "virtio block device",
	.types = device_types,
	.type_count = 1,
};
VMM_PLUGIN(plugin_desc, "virtio-blk", 1);
