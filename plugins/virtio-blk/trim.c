/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discard and write zeroes, piece by piece, with what the host offers. A discard that the host
 * cannot do is done: its contents do not matter. Zeroes that it cannot make are written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "backend.h"

/* Pieces: what takes well under a second on a slow disk. */
#define PIECE_BYTES       (256ull << 20)
#define PIECE_ZERO_BYTES  (4ull << 20)
#define ZERO_PAGE_BYTES   4096u
#define ZERO_VECTOR_PAGES 256u

/* EINVAL: a range that is not aligned to the blocks of a block device. */
static int is_unsupported(const struct blk_disk *disk, int error)
{
	return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY ||
	       (error == EINVAL && disk->is_block_device);
}

static int allocate(const struct blk_disk *disk, int mode, uint64_t offset, uint64_t bytes)
{
	int ret;

	do {
		ret = fallocate(disk->fd, mode, (off_t)offset, (off_t)bytes);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static int block_ioctl(
	const struct blk_disk *disk, unsigned long command, uint64_t offset, uint64_t bytes)
{
	uint64_t range[2] = {offset, bytes};
	int ret;

	do {
		ret = ioctl(disk->fd, command, range);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static int64_t write_zeroes(const struct blk_disk *disk, uint64_t offset, uint64_t bytes)
{
	static const uint8_t page[ZERO_PAGE_BYTES] __attribute__((aligned(ZERO_PAGE_BYTES)));
	struct iovec iov[ZERO_VECTOR_PAGES];
	uint64_t done = 0;

	if (bytes > PIECE_ZERO_BYTES)
		bytes = PIECE_ZERO_BYTES;
	while (done < bytes) {
		uint64_t left = bytes - done;
		int count = 0;
		ssize_t n;

		for (; left && count < (int)ZERO_VECTOR_PAGES; count++) {
			size_t part = left < sizeof(page) ? left : sizeof(page);

			iov[count].iov_base = (void *)(uintptr_t)page;
			iov[count].iov_len = part;
			left -= part;
		}
		n = pwritev(disk->fd, iov, count, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return done ? (int64_t)done : -errno;
		if (n == 0)
			return done ? (int64_t)done : -EIO;
		done += (uint64_t)n;
	}
	return (int64_t)done;
}

static int64_t zero(const struct blk_disk *disk, const struct blk_op *op, uint64_t bytes)
{
	int ret = -EOPNOTSUPP;

	if (op->unmap)
		ret = allocate(
			disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, op->offset_bytes, bytes);
	if (ret < 0 && is_unsupported(disk, -ret))
		ret = disk->is_block_device
			      ? block_ioctl(disk, BLKZEROOUT, op->offset_bytes, bytes)
			      : allocate(disk, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
					op->offset_bytes, bytes);
	if (ret < 0 && is_unsupported(disk, -ret))
		return write_zeroes(disk, op->offset_bytes, bytes);
	return ret < 0 ? ret : (int64_t)bytes;
}

static int64_t discard(const struct blk_disk *disk, const struct blk_op *op, uint64_t bytes)
{
	int ret = disk->is_block_device ? block_ioctl(disk, BLKDISCARD, op->offset_bytes, bytes)
					: allocate(disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						  op->offset_bytes, bytes);

	return ret < 0 && !is_unsupported(disk, -ret) ? ret : (int64_t)bytes;
}

int64_t blk_trim(const struct blk_disk *disk, const struct blk_op *op)
{
	uint64_t bytes = op->bytes < PIECE_BYTES ? op->bytes : PIECE_BYTES;

	return op->kind == BLK_OP_DISCARD ? discard(disk, op, bytes) : zero(disk, op, bytes);
}
