/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers for direct I/O on guest memory that is not aligned as the host wants it. Drivers of real
 * systems align; this is for the rest, so there are few buffers, and a larger request goes through
 * one of them piece by piece.
 */
#ifndef VIRTIO_BLK_BOUNCE_H
#define VIRTIO_BLK_BOUNCE_H

#include "disk.h"
#include "request.h"

#define BLK_BOUNCE_COUNT 8u
#define BLK_BOUNCE_BYTES (256ull << 10) /* a multiple of every alignment */

struct blk_bounce {
	uint8_t *memory; /* BLK_BOUNCE_COUNT buffers; untouched pages cost nothing */
	void *free[BLK_BOUNCE_COUNT];
	uint32_t free_count;
	uint32_t reserved;
};

/** [config] */
int32_t blk_bounce_init(struct blk_bounce *bounce, struct vmm_error *error);

/** Also of one that is all zero. [config] */
void blk_bounce_fini(struct blk_bounce *bounce);

/** 1 if the data of the request cannot be handed to the host as it is. Pure. */
int blk_bounce_needed(const struct blk_disk *disk, const struct blk_request *request);

/** Gives the request a buffer; there must be one free. [loop] */
void blk_bounce_get(struct blk_bounce *bounce, struct blk_request *request);

/** Takes it back, if it has one. [loop] */
void blk_bounce_put(struct blk_bounce *bounce, struct blk_request *request);

/** Copies bytes from the start of the data that is not done yet into the buffer. [loop] */
void blk_bounce_fill(struct blk_request *request, uint64_t bytes);

/** And the other way round. [loop] */
void blk_bounce_spill(struct blk_request *request, uint64_t bytes);

#endif
