/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM: private memory, or one memfd where it is shared or from the pool of huge pages, as a
 * table of ranges in guest physical address space. This is the only place that turns a vmm_gpa into
 * a pointer. It knows nothing of KVM, which is told of
 * the ranges by core/kvm, and nothing of devices: an address that is not RAM is an error.
 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <vmm/memory.h>
#include <vmm/types.h>

/* Machine type pc-1.0: RAM goes up to 3 GiB, what is left starts at 4 GiB. */
#define MEMORY_LOW_END   UINT64_C(0xc0000000)
#define MEMORY_HIGH_BASE UINT64_C(0x100000000)

#define MEMORY_RANGES_MAX 8u

#define MEMORY_PAGE_4K UINT64_C(0x1000)
#define MEMORY_PAGE_2M UINT64_C(0x200000)
#define MEMORY_PAGE_1G UINT64_C(0x40000000)

struct memory;

/** Where a piece of RAM is to be. Both are multiples of the page size. */
struct memory_extent {
	uint64_t gpa;
	uint64_t bytes;
};

struct memory_options {
	const struct memory_extent *extents; /* rising, not overlapping; they may touch */
	uint32_t extent_count;               /* 1 to MEMORY_RANGES_MAX */
	uint64_t hugepage_bytes;             /* 0: normal pages; MEMORY_PAGE_2M or _1G */
	bool shared;                         /* with an fd that another process can map */
	bool prealloc;                       /* take all pages now, or fail now */
	bool locked;                         /* never swap them out */
};

/**
 * The layout of pc-1.0 for `bytes` of RAM (more than 0, whole pages): fills extents and returns how
 * many there are (1 or 2), or VMM_E_RANGE.
 */
int memory_layout_pc(uint64_t bytes, struct memory_extent extents[2]);

/** Makes guest RAM, all zero. [config] */
int memory_create(
	const struct memory_options *options, struct vmm_error *error, struct memory **ret_memory);

/** Unmaps and frees it; NULL is allowed. [config] */
void memory_destroy(struct memory *memory);

/** Bytes of RAM in all ranges. [any] */
uint64_t memory_bytes(const struct memory *memory);

/** As ranges of vmm.memory: writes at most max entries, returns how many there are. [any] */
int memory_ranges(const struct memory *memory, struct vmm_ram_range *ranges, uint32_t max);

/**
 * The memfd behind range `index` and the range's offset in it. VMM_E_RANGE: no such.
 * VMM_E_UNSUPPORTED: RAM is private. [any]
 */
int memory_fd(const struct memory *memory, uint32_t index, int *ret_fd, uint64_t *ret_offset);

/**
 * As map of vmm.memory: pointers to [gpa, gpa + bytes), all or nothing. Returns the number of
 * entries written. VMM_E_RANGE: not all of it is RAM. VMM_E_LIMIT: iov_max is too small. [any]
 */
int memory_map(const struct memory *memory, vmm_gpa gpa, uint64_t bytes, struct vmm_iovec *iov,
	uint32_t iov_max);

/** Copies out of guest memory, all or nothing. VMM_E_RANGE: not all of it is RAM. [any] */
int memory_read(const struct memory *memory, vmm_gpa gpa, void *dst, uint64_t bytes);

/** Copies into guest memory, all or nothing. VMM_E_RANGE: not all of it is RAM. [any] */
int memory_write(const struct memory *memory, vmm_gpa gpa, const void *src, uint64_t bytes);

#endif
