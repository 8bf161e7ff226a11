/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the image and asking the host for its size, block sizes and alignment.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <vmm/support.h>

#include "wire.h"

#define ALIGN_MAX  4096u
#define PHYS_BLOCK 4096u

/* For reads of that size at any place that they may have to start at. */
#define PROBE_BYTES (2ul * ALIGN_MAX)

static int32_t disk_stat(struct blk_disk *disk, const char *path, uint64_t *ret_bytes,
	uint32_t *ret_block_size, struct vmm_error *error)
{
	struct stat st;
	uint64_t bytes;
	uint32_t logical = BLK_SECTOR_BYTES;
	int flags = fcntl(disk->fd, F_GETFL);

	/* With O_NONBLOCK, which keeps an open() of a FIFO from hanging, some kernels give EAGAIN
	 * to requests of io_uring that would have to wait for the disk. */
	if (flags < 0 || fcntl(disk->fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
		fstat(disk->fd, &st) < 0) {
		vmm_set_error(error, "%s: cannot ask for its size: %s", path, strerror(errno));
		return VMM_E_IO;
	}
	disk->is_block_device = S_ISBLK(st.st_mode);
	disk->physical_block_size = PHYS_BLOCK;
	if (!disk->is_block_device) {
		*ret_bytes = (uint64_t)st.st_size;
		*ret_block_size = logical;
		return 0;
	}

	int sector = 0;
	unsigned int physical = 0, min_io = 0, opt_io = 0;

	if (ioctl(disk->fd, BLKGETSIZE64, &bytes) < 0) {
		vmm_set_error(error, "%s: cannot ask the block device for its size: %s", path,
			strerror(errno));
		return VMM_E_IO;
	}
	if (ioctl(disk->fd, BLKSSZGET, &sector) == 0 && sector > 0)
		logical = (uint32_t)sector;
	if (ioctl(disk->fd, BLKPBSZGET, &physical) == 0 && physical >= logical)
		disk->physical_block_size = physical;
	if (ioctl(disk->fd, BLKIOMIN, &min_io) == 0)
		disk->min_io_bytes = min_io;
	if (ioctl(disk->fd, BLKIOOPT, &opt_io) == 0)
		disk->opt_io_bytes = opt_io;
	*ret_bytes = bytes;
	*ret_block_size = logical;
	return 0;
}

/* Whether the host takes a direct read of that length into that address. */
static int direct_read_works(int fd, void *buffer, uint32_t bytes)
{
	ssize_t n;

	do {
		n = pread(fd, buffer, bytes, 0);
	} while (n < 0 && errno == EINTR);
	return n >= 0;
}

/*
 * Finds the alignment by trying, as kernels before 6.1 have no way to ask, and those after it do
 * not answer for every file system.
 */
static int32_t disk_probe_direct(struct blk_disk *disk, const char *path, struct vmm_error *error)
{
	uint8_t *buffer =
		mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t align;

	if (buffer == MAP_FAILED) {
		vmm_set_error(error, "no memory");
		return VMM_E_NOMEM;
	}
	for (align = BLK_SECTOR_BYTES; align <= ALIGN_MAX; align *= 2)
		if (direct_read_works(disk->fd, buffer, align))
			break;
	disk->direct_align = align;
	disk->memory_align = align;
	if (align <= ALIGN_MAX && direct_read_works(disk->fd, buffer + BLK_SECTOR_BYTES, align))
		disk->memory_align = BLK_SECTOR_BYTES;
	munmap(buffer, PROBE_BYTES);
	if (align > ALIGN_MAX) {
		vmm_set_error(error,
			"%s: direct reads fail (%s), with blocks of up to %u bytes; set direct = "
			"false",
			path, strerror(errno), ALIGN_MAX);
		return VMM_E_UNSUPPORTED;
	}
	return 0;
}

static int is_in_memory(const struct blk_disk *disk)
{
	struct statfs fs;

	return !disk->is_block_device && !disk->direct && fstatfs(disk->fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static int32_t disk_set_block_size(struct blk_disk *disk, const struct blk_options *options,
	uint32_t logical, struct vmm_error *error)
{
	uint32_t least = options->direct ? disk->direct_align : BLK_SECTOR_BYTES;

	disk->block_size = options->block_size;
	if (!options->block_size)
		disk->block_size = logical > least ? logical : least;
	if (disk->block_size < least) {
		vmm_set_error(error,
			"%s: block_size is %u, but direct I/O on it needs %u; set block_size = %u "
			"or direct = false",
			options->path, disk->block_size, least, least);
		return VMM_E_INVAL;
	}
	if (disk->block_size > ALIGN_MAX) {
		vmm_set_error(error, "%s: its blocks have %u bytes; at most %u can be used",
			options->path, disk->block_size, ALIGN_MAX);
		return VMM_E_UNSUPPORTED;
	}
	if (disk->physical_block_size < disk->block_size)
		disk->physical_block_size = disk->block_size;
	return 0;
}

static int32_t disk_fill(
	struct blk_disk *disk, const struct blk_options *options, struct vmm_error *error)
{
	uint64_t bytes;
	uint32_t logical;
	int32_t ret = disk_stat(disk, options->path, &bytes, &logical, error);

	if (ret < 0)
		return ret;
	disk->in_memory = is_in_memory(disk);
	disk->direct_align = 1;
	disk->memory_align = 1;
	if (options->direct) {
		ret = disk_probe_direct(disk, options->path, error);
		if (ret < 0)
			return ret;
	}
	ret = disk_set_block_size(disk, options, logical, error);
	if (ret < 0)
		return ret;
	disk->tail_bytes = bytes % disk->block_size;
	disk->capacity_bytes = bytes - disk->tail_bytes;
	if (!disk->capacity_bytes) {
		vmm_set_error(error,
			"%s: has %llu bytes, less than one block of %u; make it larger, for "
			"example with truncate -s 1G",
			options->path, (unsigned long long)bytes, disk->block_size);
		return VMM_E_INVAL;
	}
	return 0;
}

int32_t blk_disk_open(struct blk_disk *disk, const struct blk_options *options,
	const struct vmm_file *file, vmm_host *host, struct vmm_error *error)
{
	const struct vmm_file_open request = {
		.struct_size = sizeof(request),
		.path = options->path,
		.kinds = VMM_FILE_REGULAR | VMM_FILE_BLOCK,
		.flags = VMM_FILE_LOCK | (options->readonly ? VMM_FILE_READ_ONLY : 0) |
			 (options->direct ? VMM_FILE_DIRECT : 0),
		.error = error,
	};
	int32_t fd;
	int32_t ret = file->open(host, &request, &fd);

	*disk = (struct blk_disk){.fd = -1};
	if (ret < 0)
		return ret;
	disk->fd = fd;
	disk->readonly = options->readonly;
	disk->direct = options->direct;
	ret = disk_fill(disk, options, error);
	if (ret < 0)
		blk_disk_close(disk);
	return ret;
}

void blk_disk_close(struct blk_disk *disk)
{
	/* An io_uring that had the file may let go of it a little later than its owner: without
	 * this the next one to open the image could find it locked. */
	struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (disk->fd < 0)
		return;
	(void)fcntl(disk->fd, F_OFD_SETLK, &unlock);
	close(disk->fd);
	disk->fd = -1;
}
