/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O on the loop itself; see inline.h.
 *
 * On a file system in memory nothing waits for a disk, and Linux has no other way to it than a
 * copy: io_uring, too, hands these files to threads of the kernel. On others RWF_NOWAIT does what
 * can be done without waiting. Both are bounded: a large operation, and behind a batch of so many
 * bytes the rest, takes the usual way, so that other devices of the loop have their turn.
 */
#include "inline.h"

#include <errno.h>

#include <sys/uio.h>

/* Some hundred microseconds of copying. */
#define BATCH_BYTES ((int64_t)BLK_LARGE_BYTES)

void blk_inline_init(struct blk_inline *inl, const struct blk_disk *disk, int try_cache)
{
	*inl = (struct blk_inline){
		.disk = disk,
		.try_cache = try_cache && !disk->direct,
		.left_bytes = BATCH_BYTES,
	};
}

void blk_inline_refill(struct blk_inline *inl)
{
	inl->left_bytes = BATCH_BYTES;
}

int64_t blk_inline_copy(const struct blk_disk *disk, int is_write, const struct vmm_iovec *iov,
	uint32_t iov_count, uint64_t offset_bytes)
{
	const struct iovec *pieces = (const struct iovec *)iov;
	ssize_t result = is_write ? pwritev(disk->fd, pieces, (int)iov_count, (off_t)offset_bytes)
				  : preadv(disk->fd, pieces, (int)iov_count, (off_t)offset_bytes);

	return result < 0 ? -errno : result;
}

/* A negative result of -EAGAIN: not now, or not here. */
static int64_t move(struct blk_inline *inl, const struct blk_op *op)
{
	ssize_t result;

	if (op->kind != BLK_OP_READ && (op->kind != BLK_OP_WRITE || !inl->disk->in_memory))
		return -EAGAIN;
	if (inl->disk->in_memory)
		return blk_inline_copy(inl->disk, op->kind == BLK_OP_WRITE, op->iov, op->iov_count,
			op->offset_bytes);
	if (!inl->try_cache)
		return -EAGAIN;
	result = preadv2(inl->disk->fd, (const struct iovec *)op->iov, (int)op->iov_count,
		(off_t)op->offset_bytes, RWF_NOWAIT);
	/* Linux 5.9 and 5.10 say 0 where they would read ahead; if it is the end, a worker finds
	 * it. */
	if (result == 0)
		return -EAGAIN;
	if (result >= 0)
		return result;
	if (errno != EOPNOTSUPP)
		return -errno;
	inl->try_cache = 0;
	return -EAGAIN;
}

int blk_inline_try(struct blk_inline *inl, struct blk_op *op)
{
	int64_t result;

	if (inl->reaping || inl->left_bytes <= 0 || op->bytes > BLK_LARGE_BYTES)
		return 0;
	result = move(inl, op);
	if (result == -EAGAIN)
		return 0;
	inl->left_bytes -= result > 0 ? result : 0;
	op->result = result;
	op->next = NULL;
	if (inl->last)
		inl->last->next = op;
	else
		inl->first = op;
	inl->last = op;
	return 1;
}

uint32_t blk_inline_reap_begin(struct blk_inline *inl, const struct blk_backend_owner *owner)
{
	struct blk_op *op = inl->first;
	uint32_t count = 0;

	inl->first = NULL;
	inl->last = NULL;
	inl->reaping = 1;
	while (op) {
		struct blk_op *next = op->next;

		owner->done(owner->ctx, op);
		op = next;
		count++;
	}
	return count;
}

void blk_inline_reap_end(struct blk_inline *inl)
{
	inl->reaping = 0;
}
