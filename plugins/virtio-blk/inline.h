/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes that need not wait for a disk, done where they are submitted: copying from
 * memory to memory takes less time than a thread or a ring needs to begin with it.
 */
#ifndef VIRTIO_BLK_INLINE_H
#define VIRTIO_BLK_INLINE_H

#include "backend.h"

struct blk_inline {
	const struct blk_disk *disk;
	int try_cache; /* also reads of a file on a disk, as far as they are in the page cache */
	int reaping;
	int64_t left_bytes;
	struct blk_op *first, *last; /* done; the owner does not know yet */
};

/** try_cache: for a back end that has no faster way to what is in the page cache. */
void blk_inline_init(struct blk_inline *inl, const struct blk_disk *disk, int try_cache);

/** Reads or writes a file in memory; bytes, or a negative errno. [any] */
int64_t blk_inline_copy(const struct blk_disk *disk, int is_write, const struct vmm_iovec *iov,
	uint32_t iov_count, uint64_t offset_bytes);

/** 1 if the operation was done, or failed for good; else it is still the caller's. [loop] */
int blk_inline_try(struct blk_inline *inl, struct blk_op *op);

/**
 * Calls done() for what was tried with success; returns how many. From begin to end nothing new is
 * taken: what done() submits goes the usual way, so that nothing is left over whose done() nobody
 * would call. [loop]
 */
uint32_t blk_inline_reap_begin(struct blk_inline *inl, const struct blk_backend_owner *owner);
void blk_inline_reap_end(struct blk_inline *inl);

/** A batch has ended: the next one may take as long again. [loop] */
void blk_inline_refill(struct blk_inline *inl);

#endif
