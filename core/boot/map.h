/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory map as it is told to the guest (e820), and which parts of its RAM the boot
 * files and our own structures take. Knows addresses only, no contents.
 */
#ifndef BOOT_MAP_H
#define BOOT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

#include "boot/boot.h"
#include "memory/memory.h"

#define MAP_RESERVED_MAX 32u
#define MAP_ENTRIES_MAX  (MEMORY_RANGES_MAX + 1 + 2 * MAP_RESERVED_MAX)
#define MAP_TAKEN_MAX    256u

#define MAP_TYPE_RAM 1u /* as BOOT_RANGE_RESERVED and BOOT_RANGE_ACPI */

#define MAP_PAGE      UINT64_C(0x1000)
#define MAP_HOLE      UINT64_C(0xa0000) /* video memory and ROMs of a PC */
#define MAP_HOLE_END  UINT64_C(0x100000)
#define MAP_4G        UINT64_C(0x100000000)
#define MAP_FIRST     MAP_PAGE /* page 0 stays empty: interrupt vectors, BIOS data */
#define MAP_BOTTOM_UP 0
#define MAP_TOP_DOWN  1

struct map_entry {
	uint64_t start, end; /* end is the first address behind it */
	uint32_t type;
};

struct map_taken {
	uint64_t start, end;
	const char *what; /* for error texts; static */
};

struct boot_map {
	struct map_entry entries[MAP_ENTRIES_MAX]; /* rising, apart */
	struct map_taken taken[MAP_TAKEN_MAX];
	uint32_t entry_count;
	uint32_t taken_count;
};

/** Where map_find may look. */
struct map_want {
	uint64_t bytes; /* not 0 */
	uint64_t align; /* a power of two */
	uint64_t min;
	uint64_t end; /* first address behind what may be used */
	int direction;
	const char *what;
};

/** The map of this RAM: without the hole below 1 MiB and what is reserved. */
int map_init(struct boot_map *map, const struct memory *memory, const struct boot_range *reserved,
	size_t reserved_count, struct vmm_error *error);

/**
 * Takes a place that is given. VMM_E_RANGE: not all of it is RAM; VMM_E_EXISTS: some of it is
 * taken; VMM_E_LIMIT: too many pieces. `text` (text_bytes) gets what is wrong, for an error text.
 */
int map_take(struct boot_map *map, uint64_t start, uint64_t bytes, const char *what, char *text,
	size_t text_bytes);

/** Finds free RAM and takes it. VMM_E_NOT_FOUND, VMM_E_LIMIT. */
int map_find(struct boot_map *map, const struct map_want *want, uint64_t *ret_start);

/** End of the RAM that starts at or contains `from`, or `from` if there is none. */
uint64_t map_ram_end(const struct boot_map *map, uint64_t from);

#endif
