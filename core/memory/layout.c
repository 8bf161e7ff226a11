/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where RAM is in the guest's address space for the machine types that there are.
 */
#include <vmm/types.h>

#include "memory/memory.h"

int memory_layout_pc(uint64_t bytes, struct memory_extent extents[2])
{
	uint64_t high;

	if (bytes == 0 || bytes % MEMORY_PAGE_4K != 0)
		return VMM_E_RANGE;
	if (bytes <= MEMORY_LOW_END) {
		extents[0] = (struct memory_extent){0, bytes};
		return 1;
	}
	high = bytes - MEMORY_LOW_END;
	if (high > UINT64_MAX - MEMORY_HIGH_BASE)
		return VMM_E_RANGE;
	extents[0] = (struct memory_extent){0, MEMORY_LOW_END};
	extents[1] = (struct memory_extent){MEMORY_HIGH_BASE, high};
	return 2;
}
