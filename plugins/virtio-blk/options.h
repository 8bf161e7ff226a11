/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of device type "virtio-blk": the schema that the core checks a config file against,
 * and the values as the rest of the plugin uses them.
 */
#ifndef VIRTIO_BLK_OPTIONS_H
#define VIRTIO_BLK_OPTIONS_H

#include <vmm/plugin.h>

enum blk_cache {
	BLK_CACHE_WRITEBACK,
	BLK_CACHE_WRITETHROUGH,
	BLK_CACHE_UNSAFE,
};

enum blk_aio {
	BLK_AIO_AUTO,
	BLK_AIO_IO_URING,
	BLK_AIO_WORKER,
};

#define BLK_QUEUES_MAX     16
#define BLK_QUEUE_SIZE_MIN 4
#define BLK_QUEUE_SIZE_MAX 1024

struct blk_options {
	const char *path; /* until destroy */
	const char *serial;
	const struct vmm_value *transport; /* until destroy */
	enum blk_cache cache;
	enum blk_aio aio;
	int readonly;
	int direct;
	int discard;
	uint32_t queues;
	uint32_t queue_size;
	uint32_t block_size; /* 0: as the image needs it */
	uint32_t slot;
	uint64_t iops;      /* requests per second; 0: no limit */
	uint64_t bandwidth; /* bytes per second; 0: no limit */
	uint64_t max_inflight_bytes;
};

#define BLK_OPTION_COUNT 15

extern const struct vmm_option *const blk_option_table[BLK_OPTION_COUNT];

/** Reads the values into *ret_options; serial is the device id unless it is given. Pure. */
void blk_options_read(const struct vmm_value *const *values, const char *device_id,
	struct blk_options *ret_options);

/** validate() of the device type: what the schema cannot say. [config] */
int32_t blk_options_validate(const struct vmm_validate_args *args);

#endif
