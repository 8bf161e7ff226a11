/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver finds before it sends requests: the features offered and the config space. Pure.
 * Both are part of the contract with guests: for the same options and the same image they stay the
 * same.
 */
#ifndef VIRTIO_BLK_SPACE_H
#define VIRTIO_BLK_SPACE_H

#include "disk.h"
#include "options.h"
#include "wire.h"

/** The largest buffer that the driver is asked to make. */
#define BLK_SIZE_MAX_BYTES (4u << 20)

/** Feature bits offered. */
uint64_t blk_space_features(const struct blk_options *options);

/** The config space, and a mask of the bits in it that the driver may write. */
void blk_space_config(const struct blk_options *options, const struct blk_disk *disk,
	struct blk_wire_config *ret_config, struct blk_wire_config *ret_write_mask);

#endif
