/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin virtio-blk and the life of its devices: create, attach to the transport, cache mode,
 * reset, quiesce. Requests are queue.c's.
 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

/* PCI class: mass storage, SCSI; what drivers know virtio disks by since the first ones. */
#define CLASS_STORAGE_SCSI 0x010000u

#define WRITEBACK_OFFSET ((uint32_t)offsetof(struct blk_wire_config, writeback))

int blk_device_runs(const struct blk_device *blk)
{
	return blk->active && !blk->resetting && blk->quiesce == BLK_QUIESCE_NOT;
}

/* Shows the driver another cache mode than the one it sees. */
static void config_writeback(struct blk_device *blk, int writeback, int notify)
{
	uint8_t byte = writeback != 0;

	blk->config.writeback = byte;
	blk->virtio.config_update(
		blk->transport, blk->attached, WRITEBACK_OFFSET, &byte, 1, notify ? 1 : 0);
}

/*
 * When writes are durable (virtio 1.2, 5.2.6.2). A driver that did not negotiate FLUSH cannot ask
 * for it, so then each write has to be when it ends.
 */
static void apply_cache_mode(struct blk_device *blk)
{
	uint64_t features = blk->limits.features;
	int writethrough;

	if (blk->options.cache == BLK_CACHE_UNSAFE)
		writethrough = 0;
	else if (blk->options.cache == BLK_CACHE_WRITETHROUGH || !(features & BLK_F_FLUSH))
		writethrough = 1;
	else if (features & BLK_F_CONFIG_WCE)
		writethrough = !blk->config.writeback;
	else
		writethrough = 0;
	blk_engine_set_writethrough(&blk->engine, writethrough);
}

static int may_choose_cache(uint64_t features)
{
	return (features & BLK_F_FLUSH) && (features & BLK_F_CONFIG_WCE);
}

static int initial_writeback(const struct blk_device *blk)
{
	return blk->options.cache == BLK_CACHE_WRITEBACK && !blk->options.readonly;
}

static int32_t on_activate(void *ctx, uint64_t features)
{
	struct blk_device *blk = ctx;

	blk->limits.features = features & blk->features_offered;
	blk->active = 1;
	if (!(features & BLK_F_CONFIG_WCE) && blk->config.writeback != initial_writeback(blk))
		config_writeback(blk, initial_writeback(blk), 0);
	if ((features & BLK_F_CONFIG_WCE) && !(features & BLK_F_FLUSH) && blk->config.writeback)
		config_writeback(blk, 0, 1);
	apply_cache_mode(blk);
	return 0;
}

static void on_config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config)
{
	struct blk_device *blk = ctx;
	uint8_t byte;

	if (offset > WRITEBACK_OFFSET || bytes <= WRITEBACK_OFFSET - offset)
		return;
	byte = config[WRITEBACK_OFFSET];
	if (blk->active && !may_choose_cache(blk->limits.features)) {
		if (byte != blk->config.writeback)
			config_writeback(blk, blk->config.writeback, 0);
		return;
	}
	blk->config.writeback = byte != 0;
	if (byte > 1)
		config_writeback(blk, 1, 0);
	if (blk->active)
		apply_cache_mode(blk);
}

static void end_reset(struct blk_device *blk)
{
	blk->resetting = 0;
	blk->limits.features = 0;
	blk_engine_resume(&blk->engine);
	if (blk->config.writeback != initial_writeback(blk))
		config_writeback(blk, initial_writeback(blk), 0);
}

static int32_t on_reset(void *ctx)
{
	struct blk_device *blk = ctx;

	blk->active = 0;
	blk->resetting = 1;
	blk_queue_forget(blk);
	blk_engine_cancel(&blk->engine);
	if (!blk_engine_idle(&blk->engine))
		return VMM_PENDING;
	end_reset(blk);
	return 0;
}

static void end_quiesce(struct blk_device *blk, int error)
{
	blk->quiesce = BLK_QUIESCE_DONE;
	if (error)
		vmm_logf(&blk->log, blk->host, VMM_LOG_ERROR,
			"%s: what the guest wrote last may not be on the disk: %s",
			blk->options.path, strerror(error));
	if (blk->quiesce_pending)
		blk->machine.quiesced(blk->host);
	blk->quiesce_pending = 0;
}

void blk_device_settle(struct blk_device *blk)
{
	if (!blk->resetting && blk->quiesce != BLK_QUIESCE_DRAIN)
		return;
	if (blk->quiesce == BLK_QUIESCE_DRAIN && blk_engine_idle(&blk->engine)) {
		if (blk->options.readonly) {
			end_quiesce(blk, 0);
		} else {
			blk->quiesce = BLK_QUIESCE_SYNC;
			blk_engine_sync(&blk->engine);
			blk_engine_turn(&blk->engine);
		}
	}
	if (blk->resetting && blk_engine_idle(&blk->engine)) {
		end_reset(blk);
		blk->virtio.reset_done(blk->transport, blk->attached);
	}
}

static void on_synced(void *ctx, int error)
{
	end_quiesce(ctx, error);
}

static void on_sync_failed(void *ctx, int error)
{
	struct blk_device *blk = ctx;

	vmm_logf(&blk->log, blk->host, VMM_LOG_ERROR,
		"%s: flushing to the disk failed: %s; writes may be lost, so every flush from now "
		"on fails until vmm is started again",
		blk->options.path, strerror(error));
}

static int32_t device_quiesce(void *ctx)
{
	struct blk_device *blk = ctx;

	if (blk->quiesce != BLK_QUIESCE_NOT)
		return 0;
	blk->quiesce = BLK_QUIESCE_DRAIN;
	blk_device_settle(blk);
	if (blk->quiesce == BLK_QUIESCE_DONE)
		return 0;
	blk->quiesce_pending = 1;
	return VMM_PENDING;
}

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
		{VMM_MACHINE_ID, &blk->machine, sizeof(blk->machine)},
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
	const struct blk_engine_owner owner = {blk_queue_finished, on_synced, on_sync_failed, blk};
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
			vmm_set_error(error, "cannot make a timer for the rate limit");
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
	.activate = on_activate,
	.notify = blk_queue_notify,
	.reset = on_reset,
	.config_written = on_config_written,
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
		.ops = &virtio_ops,
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
	.quiesce = device_quiesce,
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
};

static const struct vmm_device_type *const device_types[] = {&device_type};

static const struct vmm_plugin_desc plugin_desc = {
	.size = sizeof(plugin_desc),
	.id = "virtio-blk",
	.version = "0.1.0",
	.summary = "virtio block device",
	.types = device_types,
	.type_count = 1,
};
VMM_PLUGIN(plugin_desc, "virtio-blk", 1);
