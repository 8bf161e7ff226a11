/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features and config space from options and image (virtio 1.2, 5.2.3 and 5.2.4).
 */
#include "space.h"

#include "request.h"

static uint32_t log2_of(uint32_t power)
{
	return (uint32_t)__builtin_ctz(power);
}

uint64_t blk_space_features(const struct blk_options *options)
{
	uint64_t features = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY;

	if (options->queues > 1)
		features |= BLK_F_MQ;
	/* To offer FLUSH and not to do it would be a lie to the guest. */
	if (options->cache != BLK_CACHE_UNSAFE)
		features |= BLK_F_FLUSH;
	if (options->readonly)
		return features | BLK_F_RO;
	if (options->cache != BLK_CACHE_UNSAFE)
		features |= BLK_F_CONFIG_WCE;
	if (options->discard)
		features |= BLK_F_DISCARD;
	return features | BLK_F_WRITE_ZEROES;
}

void blk_space_config(const struct blk_options *options, const struct blk_disk *disk,
	struct blk_wire_config *ret_config, struct blk_wire_config *ret_write_mask)
{
	uint32_t block = disk->block_size;
	uint32_t min_io = disk->min_io_bytes > disk->physical_block_size
				  ? disk->min_io_bytes
				  : disk->physical_block_size;

	*ret_config = (struct blk_wire_config){
		.capacity = htole64(disk->capacity_bytes / BLK_SECTOR_BYTES),
		.size_max = htole32(BLK_SIZE_MAX_BYTES),
		.seg_max = htole32(options->queue_size - 2), /* header and status */
		.blk_size = htole32(block),
		.physical_block_exp = (uint8_t)log2_of(disk->physical_block_size / block),
		.min_io_size =
			htole16((uint16_t)(min_io / block <= UINT16_MAX ? min_io / block : 0)),
		.opt_io_size = htole32(disk->opt_io_bytes / block),
		.writeback = options->cache == BLK_CACHE_WRITEBACK && !options->readonly,
		.num_queues = htole16((uint16_t)options->queues),
	};
	*ret_write_mask = (struct blk_wire_config){
		/* writethrough is what the operator wants, not what the guest may undo */
		.writeback = options->cache == BLK_CACHE_WRITEBACK && !options->readonly ? 0xff : 0,
	};
	if (options->readonly)
		return;
	if (options->discard) {
		ret_config->max_discard_sectors = htole32(BLK_SEGMENT_SECTORS_MAX);
		ret_config->max_discard_seg = htole32(BLK_SEGMENTS_MAX);
		ret_config->discard_sector_alignment =
			htole32(disk->physical_block_size / BLK_SECTOR_BYTES);
		ret_config->write_zeroes_may_unmap = 1;
	}
	ret_config->max_write_zeroes_sectors = htole32(BLK_SEGMENT_SECTORS_MAX);
	ret_config->max_write_zeroes_seg = htole32(BLK_SEGMENTS_MAX);
}
