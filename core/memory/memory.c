/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and freeing guest RAM: its mappings with guards, and the options (huge pages, sharing,
 * preallocation, locking) with errors that say what to do. Translation is in translate.c.
 *
 * Unless it has to be a file, RAM is private memory: the kernel gives transparent huge pages to
 * that, while for files they are off unless the administrator turns them on. A guest that boots
 * then faults some hundred times and not some ten thousand times.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmm/support.h>

#include "memory/memory_internal.h"

/* Newer than the oldest headers that this builds with. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8u /* Linux 6.3 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define MIB (UINT64_C(1) << 20)

/* Mappings start at a multiple of this, so that KVM and the kernel can use large pages. */
#define ALIGN_MIN MEMORY_PAGE_2M

static uint64_t page_bytes(const struct memory_options *options)
{
	return options->hugepage_bytes ? options->hugepage_bytes : MEMORY_PAGE_4K;
}

static int check_options(
	const struct memory_options *options, struct vmm_error *error, uint64_t *ret_bytes)
{
	uint64_t page = page_bytes(options);
	uint64_t total = 0;
	uint64_t end = 0;

	if (page != MEMORY_PAGE_4K && page != MEMORY_PAGE_2M && page != MEMORY_PAGE_1G) {
		vmm_set_error(
			error, "huge pages of %" PRIu64 " bytes: only 2 MiB and 1 GiB exist", page);
		return VMM_E_INVAL;
	}
	if (options->extent_count == 0 || options->extent_count > MEMORY_RANGES_MAX) {
		vmm_set_error(error, "guest RAM in %" PRIu32 " pieces: 1 to %u are possible",
			options->extent_count, MEMORY_RANGES_MAX);
		return VMM_E_INVAL;
	}
	for (uint32_t i = 0; i < options->extent_count; i++) {
		const struct memory_extent *extent = &options->extents[i];

		if (extent->bytes == 0 || extent->bytes % page || extent->gpa % page) {
			vmm_set_error(error,
				"guest RAM of %" PRIu64 " bytes at 0x%" PRIx64
				" is not in whole pages of %" PRIu64 " KiB",
				extent->bytes, extent->gpa, page / 1024);
			return VMM_E_INVAL;
		}
		/* An end of 2^64 is refused too: translation relies on it. */
		if (extent->gpa < end || extent->bytes > UINT64_MAX - extent->gpa ||
			extent->bytes > (uint64_t)INT64_MAX - total) {
			vmm_set_error(error,
				"guest RAM of %" PRIu64 " bytes at 0x%" PRIx64
				" overlaps or does not fit",
				extent->bytes, extent->gpa);
			return VMM_E_RANGE;
		}
		end = extent->gpa + extent->bytes;
		total += extent->bytes;
	}
	*ret_bytes = total;
	return 0;
}

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[32] = "";
	uint64_t value = 0;

	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file))
		value = strtoull(text, NULL, 10);
	fclose(file);
	return value;
}

/* Huge pages are reserved when they are mapped, so this is where their lack shows. */
static int no_hugepages(uint64_t page, uint64_t bytes, struct vmm_error *error)
{
	char nr_path[96], free_path[96];
	uint64_t all, available, needed = bytes / page;

	snprintf(nr_path, sizeof(nr_path),
		"/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages", page / 1024);
	snprintf(free_path, sizeof(free_path),
		"/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/free_hugepages", page / 1024);
	if (access(nr_path, F_OK)) {
		vmm_set_error(error, "this host has no huge pages of %" PRIu64 " MiB", page / MIB);
		return VMM_E_UNSUPPORTED;
	}
	all = read_number(nr_path);
	available = read_number(free_path);
	vmm_set_error(error,
		"guest RAM needs %" PRIu64 " huge pages of %" PRIu64 " MiB, %" PRIu64
		" are free; reserve them with: echo %" PRIu64 " > %s",
		needed, page / MIB, available, all + (needed > available ? needed - available : 0),
		nr_path);
	return VMM_E_NOMEM;
}

static int os_error(int err, const char *what, uint64_t bytes, struct vmm_error *error)
{
	vmm_set_error(error, "cannot %s %" PRIu64 " MiB of guest RAM: %s", what, bytes / MIB,
		strerror(err));
	return err == ENOMEM || err == ENOSPC ? VMM_E_NOMEM : VMM_E_IO;
}

static int open_memfd(struct memory *memory, uint64_t hugepage, struct vmm_error *error)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (hugepage)
		flags |= MFD_HUGETLB | (hugepage == MEMORY_PAGE_1G ? MFD_HUGE_1GB : MFD_HUGE_2MB);
	memory->fd = memfd_create("vmm-ram", flags | MFD_NOEXEC_SEAL);
	if (memory->fd < 0 && errno == EINVAL)
		memory->fd = memfd_create("vmm-ram", flags);
	if (memory->fd < 0) {
		if (hugepage &&
			(errno == ENODEV || errno == ENOENT || errno == EINVAL || errno == ENOSYS))
			return no_hugepages(hugepage, memory->bytes, error);
		return os_error(errno, "create", memory->bytes, error);
	}
	if (ftruncate(memory->fd, (off_t)memory->bytes))
		return os_error(errno, "create", memory->bytes, error);
	/* Whoever gets the fd cannot cut the file, which would be SIGBUS here. */
	if (fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return os_error(errno, "seal", memory->bytes, error);
	return 0;
}

/*
 * Large pages where the kernel has some, but not for the first: of that the start touches a few
 * small ones (tables of ours), a small guest not much more, and a large page has to be cleared.
 * Where one small page is already, small ones follow. (Advice for a part would split the mapping.)
 */
static void advise_huge_pages(const struct memory_range *range)
{
	if (range->gpa == 0) {
		madvise(range->base, range->bytes, MADV_NOHUGEPAGE);
		*(volatile uint8_t *)range->base = 0;
	}
	madvise(range->base, range->bytes, MADV_HUGEPAGE);
}

static int map_range(struct memory *memory, struct memory_range *range,
	const struct memory_options *options, struct vmm_error *error)
{
	uint64_t align = options->hugepage_bytes > ALIGN_MIN ? options->hugepage_bytes : ALIGN_MIN;
	int flags = memory->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t start;

	flags |= MAP_FIXED;
	/* At least one alignment step of inaccessible address space stays on either side. */
	range->reserved_bytes = range->bytes + 3 * align;
	range->reserved = mmap(NULL, range->reserved_bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (range->reserved == MAP_FAILED) {
		range->reserved = NULL;
		return os_error(errno, "map", range->bytes, error);
	}
	start = ((uint64_t)(uintptr_t)range->reserved + 2 * align - 1) & ~(align - 1);
	range->base = mmap((uint8_t *)range->reserved + (start - (uintptr_t)range->reserved),
		range->bytes, PROT_READ | PROT_WRITE, flags, memory->fd, (off_t)range->fd_offset);
	if (range->base == MAP_FAILED) {
		range->base = NULL;
		if (options->hugepage_bytes && errno == ENOMEM)
			return no_hugepages(options->hugepage_bytes, memory->bytes, error);
		return os_error(errno, "map", range->bytes, error);
	}
	/* Advice: a kernel that does not take it loses nothing that was promised. */
	madvise(range->base, range->bytes, MADV_DONTDUMP);
	/* A child would turn each page that the guest writes into a copy. */
	madvise(range->base, range->bytes, MADV_DONTFORK);
	if (!options->hugepage_bytes)
		advise_huge_pages(range);
	return 0;
}

static int populate(const struct memory_range *range)
{
	int ret;

	do
		ret = madvise(range->base, range->bytes, MADV_POPULATE_WRITE);
	while (ret < 0 && errno == EINTR);
	if (!ret || errno != EINVAL)
		return ret;
	/* Kernels before 5.14 do not know it. Nothing is in there yet. */
	for (uint64_t at = 0; at < range->bytes; at += MEMORY_PAGE_4K)
		((volatile uint8_t *)range->base)[at] = 0;
	return 0;
}

static int preallocate(struct memory *memory, struct vmm_error *error)
{
	int ret = 0;

	/* Of a file first the pages, which can fail with an error; only then the page tables. */
	if (memory->fd >= 0) {
		do
			ret = fallocate(memory->fd, 0, 0, (off_t)memory->bytes);
		while (ret < 0 && errno == EINTR);
	}
	for (uint32_t i = 0; !ret && i < memory->range_count; i++)
		ret = populate(&memory->ranges[i]);
	return ret ? os_error(errno, "preallocate", memory->bytes, error) : 0;
}

static int lock_ranges(struct memory *memory, struct vmm_error *error)
{
	int err;

	for (uint32_t i = 0; i < memory->range_count; i++) {
		if (!mlock(memory->ranges[i].base, memory->ranges[i].bytes))
			continue;
		err = errno;
		vmm_set_error(error,
			"cannot lock %" PRIu64 " MiB of guest RAM: %s; raise the limit of locked "
			"memory (ulimit -l, LimitMEMLOCK=) or free memory",
			memory->bytes / MIB, strerror(err));
		return err == EPERM ? VMM_E_PERM : VMM_E_NOMEM;
	}
	return 0;
}

int memory_create(
	const struct memory_options *options, struct vmm_error *error, struct memory **ret_memory)
{
	struct memory *memory;
	uint64_t bytes, offset = 0;
	int ret = check_options(options, error, &bytes);

	if (ret)
		return ret;
	memory = calloc(1, sizeof(*memory));
	if (!memory) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	memory->bytes = bytes;
	memory->fd = -1;
	/* The pool's pages are had through a file anyway. */
	if (options->shared || options->hugepage_bytes)
		ret = open_memfd(memory, options->hugepage_bytes, error);
	for (uint32_t i = 0; !ret && i < options->extent_count; i++) {
		struct memory_range *range = &memory->ranges[memory->range_count++];

		range->gpa = options->extents[i].gpa;
		range->bytes = options->extents[i].bytes;
		range->fd_offset = offset;
		offset += range->bytes;
		ret = map_range(memory, range, options, error);
	}
	if (!ret && options->prealloc)
		ret = preallocate(memory, error);
	if (!ret && options->locked)
		ret = lock_ranges(memory, error);
	if (ret) {
		memory_destroy(memory);
		return ret;
	}
	*ret_memory = memory;
	return 0;
}

void memory_destroy(struct memory *memory)
{
	if (!memory)
		return;
	for (uint32_t i = 0; i < memory->range_count; i++) {
		if (memory->ranges[i].reserved)
			munmap(memory->ranges[i].reserved, memory->ranges[i].reserved_bytes);
	}
	if (memory->fd >= 0)
		close(memory->fd);
	free(memory);
}
