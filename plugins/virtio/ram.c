/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of RAM ranges: fetching it and looking addresses up. A machine has two or three ranges,
 * so a look-up is a short walk.
 */
#include <stdlib.h>

#include "ram.h"

/* Ranges that follow each other in the guest and in this process become one, so that a ring or an
 * indirect table may lie across their border. */
static uint32_t join(struct vmm_ram_range *ranges, uint32_t count)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct vmm_ram_range *last = out ? &ranges[out - 1] : NULL;

		if (!ranges[i].bytes)
			continue;
		if (last && last->gpa.value + last->bytes == ranges[i].gpa.value &&
			(char *)last->base + last->bytes == ranges[i].base)
			last->bytes += ranges[i].bytes;
		else
			ranges[out++] = ranges[i];
	}
	return out;
}

int32_t ram_map_init(
	struct ram_map *map, const struct vmm_memory *memory, vmm_host *host, uint64_t space)
{
	int32_t count = memory->ranges(host, space, NULL, 0);
	int32_t got;
	struct vmm_ram_range *ranges;

	if (count < 0)
		return count;
	ranges = calloc((size_t)count + 1, sizeof(*ranges));
	if (!ranges)
		return VMM_E_NOMEM;
	got = memory->ranges(host, space, ranges, (uint32_t)count);
	if (got != count) {
		free(ranges);
		return got < 0 ? got : VMM_E_INVAL;
	}
	map->count = join(ranges, (uint32_t)count);
	map->ranges = ranges;
	return 0;
}

void ram_map_fini(struct ram_map *map)
{
	free(map->ranges);
	map->ranges = NULL;
	map->count = 0;
}

void *ram_piece(const struct ram_map *map, vmm_gpa gpa, uint64_t *ret_bytes)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct vmm_ram_range *range = &map->ranges[i];
		/* An address below the range wraps to a huge offset. */
		uint64_t offset = gpa.value - range->gpa.value;

		if (offset < range->bytes) {
			*ret_bytes = range->bytes - offset;
			return (char *)range->base + offset;
		}
	}
	return NULL;
}

void *ram_at(const struct ram_map *map, vmm_gpa gpa, uint64_t bytes)
{
	uint64_t piece_bytes;
	void *base = ram_piece(map, gpa, &piece_bytes);

	return base && bytes <= piece_bytes ? base : NULL;
}
