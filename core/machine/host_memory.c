/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.memory/1: guest RAM, by core/memory. There is one address space so far: a bus
 * that forbids DMA does so itself.
 */
#include <vmm/memory.h>

#include "machine/host.h"
#include "machine/machine.h"
#include "memory/memory.h"

static int32_t host_memory_map(vmm_host *host, uint64_t space, vmm_gpa gpa, uint64_t bytes,
	uint32_t prot, struct vmm_iovec *iov, uint32_t iov_max)
{
	if (prot & ~(VMM_PROT_READ | VMM_PROT_WRITE))
		return VMM_E_INVAL;
	if (space != VMM_SPACE_SYSTEM)
		return VMM_E_RANGE;
	return memory_map(host->machine->memory, gpa, bytes, iov, iov_max);
}

/* RAM stays mapped and nobody tracks what is dirty yet. */
static void host_memory_unmap(vmm_host *host, uint64_t space, vmm_gpa gpa, uint64_t dirty_bytes)
{
	(void)host;
	(void)space;
	(void)gpa;
	(void)dirty_bytes;
}

static int32_t host_memory_read(
	vmm_host *host, uint64_t space, vmm_gpa gpa, void *dst, uint64_t bytes)
{
	if (space != VMM_SPACE_SYSTEM)
		return VMM_E_RANGE;
	return memory_read(host->machine->memory, gpa, dst, bytes);
}

static int32_t host_memory_write(
	vmm_host *host, uint64_t space, vmm_gpa gpa, const void *src, uint64_t bytes)
{
	if (space != VMM_SPACE_SYSTEM)
		return VMM_E_RANGE;
	return memory_write(host->machine->memory, gpa, src, bytes);
}

static int32_t host_memory_ranges(
	vmm_host *host, uint64_t space, struct vmm_ram_range *ranges, uint32_t max)
{
	if (space != VMM_SPACE_SYSTEM)
		return VMM_E_RANGE;
	return memory_ranges(host->machine->memory, ranges, max);
}

static int32_t host_memory_range_fd(
	vmm_host *host, uint64_t space, uint32_t index, int32_t *ret_fd, uint64_t *ret_offset)
{
	if (space != VMM_SPACE_SYSTEM)
		return VMM_E_RANGE;
	return memory_fd(host->machine->memory, index, ret_fd, ret_offset);
}

const struct vmm_memory host_memory_table = {
	.size = sizeof(host_memory_table),
	.map = host_memory_map,
	.unmap = host_memory_unmap,
	.read = host_memory_read,
	.write = host_memory_write,
	.ranges = host_memory_ranges,
	.range_fd = host_memory_range_fd,
};
