/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From guest physical addresses to pointers, checked. Every function here is safe against any
 * address and length, and is called on any thread: the table of ranges does not change.
 */
#include <string.h>

#include "memory/memory_internal.h"

/* The range that holds gpa, or NULL. There are few: a walk beats a search. */
static const struct memory_range *find_range(const struct memory *memory, uint64_t gpa)
{
	for (uint32_t i = 0; i < memory->range_count; i++) {
		const struct memory_range *range = &memory->ranges[i];

		if (gpa - range->gpa < range->bytes)
			return range;
	}
	return NULL;
}

/*
 * The longest piece of [gpa, gpa + bytes) that starts at gpa and lies in one range: its length in
 * bytes and *ret_base, or 0 if gpa is not RAM.
 */
static uint64_t piece_at(
	const struct memory *memory, uint64_t gpa, uint64_t bytes, uint8_t **ret_base)
{
	const struct memory_range *range = find_range(memory, gpa);
	uint64_t offset;

	if (!range)
		return 0;
	offset = gpa - range->gpa;
	*ret_base = range->base + offset;
	return bytes < range->bytes - offset ? bytes : range->bytes - offset;
}

int memory_map(const struct memory *memory, vmm_gpa gpa, uint64_t bytes, struct vmm_iovec *iov,
	uint32_t iov_max)
{
	uint64_t address = gpa.value;
	uint32_t count = 0;

	/* Ends, because each step takes a whole rest of a range and ranges do not wrap: an address
	 * that passes 2^64 comes out at 0 only if RAM went up to the very end, which create
	 * refuses. */
	while (bytes > 0) {
		uint8_t *base;
		uint64_t piece = piece_at(memory, address, bytes, &base);

		if (piece == 0)
			return VMM_E_RANGE;
		if (count < iov_max)
			iov[count] = (struct vmm_iovec){base, piece};
		count++;
		address += piece;
		bytes -= piece;
	}
	return count > iov_max ? VMM_E_LIMIT : (int)count;
}

int memory_read(const struct memory *memory, vmm_gpa gpa, void *dst, uint64_t bytes)
{
	struct vmm_iovec iov[MEMORY_RANGES_MAX];
	uint8_t *to = dst;
	int count = memory_map(memory, gpa, bytes, iov, MEMORY_RANGES_MAX);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		memcpy(to, iov[i].base, iov[i].bytes);
		to += iov[i].bytes;
	}
	return 0;
}

int memory_write(const struct memory *memory, vmm_gpa gpa, const void *src, uint64_t bytes)
{
	struct vmm_iovec iov[MEMORY_RANGES_MAX];
	const uint8_t *from = src;
	int count = memory_map(memory, gpa, bytes, iov, MEMORY_RANGES_MAX);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		memcpy(iov[i].base, from, iov[i].bytes);
		from += iov[i].bytes;
	}
	return 0;
}

int memory_ranges(const struct memory *memory, struct vmm_ram_range *ranges, uint32_t max)
{
	for (uint32_t i = 0; i < memory->range_count && i < max; i++) {
		ranges[i] = (struct vmm_ram_range){
			.gpa = {memory->ranges[i].gpa},
			.bytes = memory->ranges[i].bytes,
			.base = memory->ranges[i].base,
		};
	}
	return (int)memory->range_count;
}

int memory_fd(const struct memory *memory, uint32_t index, int *ret_fd, uint64_t *ret_offset)
{
	if (index >= memory->range_count)
		return VMM_E_RANGE;
	if (memory->fd < 0)
		return VMM_E_UNSUPPORTED;
	*ret_fd = memory->fd;
	*ret_offset = memory->ranges[index].fd_offset;
	return 0;
}

uint64_t memory_bytes(const struct memory *memory)
{
	return memory->bytes;
}
