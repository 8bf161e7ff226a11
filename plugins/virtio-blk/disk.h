/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: an open raw file or block device and what is fixed about it for the life of the
 * device. No I/O but for finding out what alignment O_DIRECT wants. The format of the image comes
 * from the operator, who says that it is raw: nothing here looks at its bytes.
 */
#ifndef VIRTIO_BLK_DISK_H
#define VIRTIO_BLK_DISK_H

#include <vmm/plugin.h>

#include "options.h"

struct blk_disk {
	int fd; /* -1: none */
	int is_block_device;
	int readonly;
	int direct;
	int in_memory;           /* on a file system that has no disk below it */
	uint64_t capacity_bytes; /* a multiple of block_size; does not change */
	uint64_t tail_bytes;     /* of the image, behind the last whole block: cut off */
	uint32_t block_size;     /* logical block size for the guest */
	uint32_t physical_block_size;
	uint32_t min_io_bytes; /* 0: unknown */
	uint32_t opt_io_bytes; /* 0: unknown */
	uint32_t direct_align; /* of offsets and lengths with direct; else 1 */
	uint32_t memory_align; /* of buffers with direct; else 1 */
};

/**
 * Opens and locks the image and fills *disk. Fails with a text that names the path. On failure
 * nothing is left open. [config], create.
 */
int32_t blk_disk_open(struct blk_disk *disk, const struct blk_options *options,
	const struct vmm_file *file, vmm_host *host, struct vmm_error *error);

/** Gives up the lock and closes the image; also when it was never opened. [config] */
void blk_disk_close(struct blk_disk *disk);

#endif
