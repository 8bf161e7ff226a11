/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.io/1": ranges of port and memory-mapped I/O that a device answers for, and
 * doorbells: addresses whose writes end in an eventfd without leaving the kernel.
 */
#ifndef VMM_IO_H
#define VMM_IO_H

#include <vmm/types.h>

#define VMM_IO_ID "vmm.io/1"

#define VMM_IO_PIO  100u /* x86 ports 0 to 0xffff */
#define VMM_IO_MMIO 200u /* guest physical addresses */

/**
 * Accesses of the guest to a region: a table. offset is relative to the region's start,
 * offset + width never passes its end, width is 1, 2, 4 or 8. Neither may block. [vcpu], or as the
 * thread model of the device type says.
 */
struct vmm_io_ops {
	uint64_t size;

	/** Reads width bytes, little-endian in *ret_value. An error reads as all ones. */
	int32_t (*read)(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value);

	/** Writes the low width bytes of value. An error drops the write. */
	int32_t (*write)(void *ctx, uint64_t offset, uint32_t width, uint64_t value);
};
VMM_ASSERT_SIZE(vmm_io_ops, 24);
VMM_ASSERT_OFFSET(vmm_io_ops, size, 0);
VMM_ASSERT_OFFSET(vmm_io_ops, read, 8);
VMM_ASSERT_OFFSET(vmm_io_ops, write, 16);

#define VMM_IO_ENABLED 0x1u /* reachable from the start */

/**
 * A region to add: a request. An access wider than width_max is split into aligned pieces of at
 * most that width; one that crosses the region's end is split there.
 */
struct vmm_io_region {
	uint64_t struct_size;
	const char *name; /* for people: "com1"; copied */
	uint32_t space;   /* VMM_IO_PIO or VMM_IO_MMIO */
	uint32_t flags;   /* VMM_IO_ENABLED or 0 */
	uint64_t base;
	uint64_t bytes;
	uint32_t width_max;           /* 1, 2, 4 or 8 */
	uint32_t reserved;            /* 0 */
	const struct vmm_io_ops *ops; /* until removed */
	void *ctx;                    /* first argument of ops */
};
VMM_ASSERT_SIZE(vmm_io_region, 64);
VMM_ASSERT_OFFSET(vmm_io_region, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_io_region, name, 8);
VMM_ASSERT_OFFSET(vmm_io_region, space, 16);
VMM_ASSERT_OFFSET(vmm_io_region, flags, 20);
VMM_ASSERT_OFFSET(vmm_io_region, base, 24);
VMM_ASSERT_OFFSET(vmm_io_region, bytes, 32);
VMM_ASSERT_OFFSET(vmm_io_region, width_max, 40);
VMM_ASSERT_OFFSET(vmm_io_region, reserved, 44);
VMM_ASSERT_OFFSET(vmm_io_region, ops, 48);
VMM_ASSERT_OFFSET(vmm_io_region, ctx, 56);

#define VMM_DOORBELL_MATCH 0x1u /* only writes of exactly `value` */

/** A doorbell to add: a request. */
struct vmm_doorbell {
	uint64_t struct_size;
	uint64_t region; /* handle of the region that it lies in; it moves with it */
	uint64_t offset;
	uint32_t width; /* of the writes that ring it: 1, 2, 4, 8; 0: any width */
	uint32_t flags; /* VMM_DOORBELL_MATCH or 0 */
	uint64_t value; /* with VMM_DOORBELL_MATCH */
};
VMM_ASSERT_SIZE(vmm_doorbell, 40);
VMM_ASSERT_OFFSET(vmm_doorbell, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_doorbell, region, 8);
VMM_ASSERT_OFFSET(vmm_doorbell, offset, 16);
VMM_ASSERT_OFFSET(vmm_doorbell, width, 24);
VMM_ASSERT_OFFSET(vmm_doorbell, flags, 28);
VMM_ASSERT_OFFSET(vmm_doorbell, value, 32);

/** Table of functions. */
struct vmm_io {
	uint64_t size;

	/** Adds a region. VMM_E_EXISTS: overlaps an enabled region, RAM or the irqchip. [config] */
	int32_t (*region_add)(
		vmm_host *host, const struct vmm_io_region *region, uint64_t *ret_region);

	/**
	 * Moves a region and makes it reachable or not, in one step; doorbells go with it. When it
	 * returns, no new access reaches the old place. VMM_E_EXISTS or VMM_E_RANGE: the new place
	 * is not free; the region is then unreachable. [config] [loop] [vcpu]
	 */
	int32_t (*region_set)(vmm_host *host, uint64_t region, uint64_t base, uint32_t flags);

	/** Removes a region with its doorbells. [config] */
	int32_t (*region_remove)(vmm_host *host, uint64_t region);

	/**
	 * Adds a doorbell. Each matching write adds to the eventfd *ret_fd instead of calling the
	 * region's write(). The fd is non-blocking and stays the core's, until removed. [config]
	 */
	int32_t (*doorbell_add)(vmm_host *host, const struct vmm_doorbell *doorbell,
		uint64_t *ret_doorbell, int32_t *ret_fd);

	/** Removes a doorbell and closes its fd. [config] */
	int32_t (*doorbell_remove)(vmm_host *host, uint64_t doorbell);
};
VMM_ASSERT_SIZE(vmm_io, 48);
VMM_ASSERT_OFFSET(vmm_io, size, 0);
VMM_ASSERT_OFFSET(vmm_io, region_add, 8);
VMM_ASSERT_OFFSET(vmm_io, region_set, 16);
VMM_ASSERT_OFFSET(vmm_io, region_remove, 24);
VMM_ASSERT_OFFSET(vmm_io, doorbell_add, 32);
VMM_ASSERT_OFFSET(vmm_io, doorbell_remove, 40);

#endif
