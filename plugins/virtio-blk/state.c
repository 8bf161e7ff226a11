/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What state a device is in: activated by the driver, in which cache mode, being reset, quiesced.
 */
#include "device.h"

#include <string.h>

#include <vmm/support.h>

#define WRITEBACK_OFFSET ((uint32_t)offsetof(struct blk_wire_config, writeback))

int blk_state_runs(const struct blk_device *blk)
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

	if (blk->options.cache == BLK_CACHE_WRITETHROUGH || !(features & BLK_F_FLUSH))
		writethrough = 1;
	else
		writethrough = (features & BLK_F_CONFIG_WCE) && !blk->config.writeback;
	if (blk->options.cache == BLK_CACHE_UNSAFE)
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

int32_t blk_state_activate(void *ctx, uint64_t features)
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

void blk_state_config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config)
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

int32_t blk_state_reset(void *ctx)
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

void blk_state_settle(struct blk_device *blk)
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

void blk_state_synced(void *ctx, int error)
{
	end_quiesce(ctx, error);
}

void blk_state_sync_failed(void *ctx, int error)
{
	struct blk_device *blk = ctx;

	vmm_logf(&blk->log, blk->host, VMM_LOG_ERROR,
		"%s: flushing to the disk failed: %s; writes may be lost, so every flush from now "
		"on fails until vmm is started again",
		blk->options.path, strerror(error));
}

int32_t blk_state_quiesce(void *ctx)
{
	struct blk_device *blk = ctx;

	if (blk->quiesce != BLK_QUIESCE_NOT)
		return 0;
	blk->quiesce = BLK_QUIESCE_DRAIN;
	blk_queue_batch_end(blk);
	if (blk->quiesce == BLK_QUIESCE_DONE)
		return 0;
	blk->quiesce_pending = 1;
	return VMM_PENDING;
}
