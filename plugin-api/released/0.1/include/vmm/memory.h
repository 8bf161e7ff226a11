/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.memory/1": guest memory. RAM only: an address of a device is an error, never
 * an access to that device. RAM does not move while the machine lives.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <vmm/types.h>

#define VMM_MEMORY_ID "vmm.memory/1"

/** The address space that has all of the guest's RAM. Others come from the bus a device sits on. */
#define VMM_SPACE_SYSTEM 0u

#define VMM_PROT_READ  0x1u
#define VMM_PROT_WRITE 0x2u

/** One range of RAM. */
struct vmm_ram_range {
	vmm_gpa gpa;
	uint64_t bytes;
	void *base; /* where it is mapped in this process, until destroy */
};
VMM_ASSERT_SIZE(vmm_ram_range, 24);
VMM_ASSERT_OFFSET(vmm_ram_range, gpa, 0);
VMM_ASSERT_OFFSET(vmm_ram_range, bytes, 8);
VMM_ASSERT_OFFSET(vmm_ram_range, base, 16);

/** Table of functions. The first argument is the device's own host handle. */
struct vmm_memory {
	uint64_t size;

	/**
	 * Pointers to [gpa, gpa + bytes), split where the host mapping is split. Writes at most
	 * iov_max entries; all or nothing. Returns the number of entries (0 when bytes is 0).
	 * VMM_E_RANGE: not all of it is RAM. VMM_E_LIMIT: iov_max is too small.
	 * Valid until unmap, which must follow. [any]
	 */
	int32_t (*map)(vmm_host *host, uint64_t space, vmm_gpa gpa, uint64_t bytes, uint32_t prot,
		struct vmm_iovec *iov, uint32_t iov_max);

	/** Ends a map of the same gpa; dirty_bytes from gpa on were written. [any] */
	void (*unmap)(vmm_host *host, uint64_t space, vmm_gpa gpa, uint64_t dirty_bytes);

	/** Copies out of guest memory; all or nothing. VMM_E_RANGE: not all of it is RAM. [any] */
	int32_t (*read)(vmm_host *host, uint64_t space, vmm_gpa gpa, void *dst, uint64_t bytes);

	/** Copies into guest memory; all or nothing. VMM_E_RANGE: not all of it is RAM. [any] */
	int32_t (*write)(
		vmm_host *host, uint64_t space, vmm_gpa gpa, const void *src, uint64_t bytes);

	/**
	 * The RAM ranges in rising order, for translation without a call. Writes at most max
	 * entries and returns how many there are. The ranges stay as they are until destroy. [any]
	 */
	int32_t (*ranges)(
		vmm_host *host, uint64_t space, struct vmm_ram_range *ranges, uint32_t max);

	/**
	 * The fd of the shared memory behind range number `index` and its offset in it, for
	 * another process. The fd stays the core's. VMM_E_RANGE: no such range.
	 * VMM_E_UNSUPPORTED: RAM is private; machine.shared_memory = true shares it. [any]
	 */
	int32_t (*range_fd)(vmm_host *host, uint64_t space, uint32_t index, int32_t *ret_fd,
		uint64_t *ret_offset);
};
VMM_ASSERT_SIZE(vmm_memory, 56);
VMM_ASSERT_OFFSET(vmm_memory, size, 0);
VMM_ASSERT_OFFSET(vmm_memory, map, 8);
VMM_ASSERT_OFFSET(vmm_memory, unmap, 16);
VMM_ASSERT_OFFSET(vmm_memory, read, 24);
VMM_ASSERT_OFFSET(vmm_memory, write, 32);
VMM_ASSERT_OFFSET(vmm_memory, ranges, 40);
VMM_ASSERT_OFFSET(vmm_memory, range_fd, 48);

#endif
