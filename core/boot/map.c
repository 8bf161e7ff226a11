/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map and the places in it: see map.h. Lists are short (tens of entries), so looking
 * through all of them is the way everywhere.
 */
#include "boot/map.h"

#include <stdio.h>

#include <vmm/support.h>

static int overlaps(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
	return start < other_end && other_start < end;
}

/* Callers stay within MAP_ENTRIES_MAX: each cut adds one entry at most, as each insertion does. */
static void insert(struct boot_map *map, uint32_t at, struct map_entry entry)
{
	for (uint32_t i = map->entry_count++; i > at; i--)
		map->entries[i] = map->entries[i - 1];
	map->entries[at] = entry;
}

static void drop(struct boot_map *map, uint32_t at)
{
	map->entry_count--;
	for (uint32_t i = at; i < map->entry_count; i++)
		map->entries[i] = map->entries[i + 1];
}

/* Takes [start, end) out of all RAM entries. */
static void cut_ram(struct boot_map *map, uint64_t start, uint64_t end)
{
	uint32_t i = 0;

	while (i < map->entry_count) {
		struct map_entry *entry = &map->entries[i];
		struct map_entry rest = {.start = end, .end = entry->end, .type = MAP_TYPE_RAM};

		if (entry->type != MAP_TYPE_RAM ||
			!overlaps(start, end, entry->start, entry->end)) {
			i++;
			continue;
		}
		entry->end = start;
		if (rest.start < rest.end)
			insert(map, i + 1, rest);
		if (map->entries[i].start >= start)
			drop(map, i);
		else
			i++;
	}
}

static int add_reserved(
	struct boot_map *map, const struct boot_range *range, struct vmm_error *error)
{
	uint64_t start = range->gpa.value, end;
	uint32_t at = 0;

	if (!range->bytes || __builtin_add_overflow(start, range->bytes, &end) ||
		(range->type != BOOT_RANGE_RESERVED && range->type != BOOT_RANGE_ACPI)) {
		vmm_set_error(error, "reserved range %#llx of the memory map is not valid",
			(unsigned long long)start);
		return VMM_E_INVAL;
	}
	cut_ram(map, start, end);
	while (at < map->entry_count && map->entries[at].start < start)
		at++;
	if ((at > 0 && map->entries[at - 1].end > start) ||
		(at < map->entry_count && map->entries[at].start < end)) {
		vmm_set_error(error, "reserved range %#llx of the memory map overlaps another",
			(unsigned long long)start);
		return VMM_E_INVAL;
	}
	insert(map, at, (struct map_entry){.start = start, .end = end, .type = range->type});
	return 0;
}

int map_init(struct boot_map *map, const struct memory *memory, const struct boot_range *reserved,
	size_t reserved_count, struct vmm_error *error)
{
	struct vmm_ram_range ranges[MEMORY_RANGES_MAX];
	int count = memory_ranges(memory, ranges, MEMORY_RANGES_MAX);

	if (count < 0 || count > (int)MEMORY_RANGES_MAX || reserved_count > MAP_RESERVED_MAX) {
		vmm_set_error(error, "the memory map has too many ranges");
		return VMM_E_LIMIT;
	}
	map->entry_count = 0;
	map->taken_count = 0;
	for (int i = 0; i < count; i++) {
		struct map_entry *last =
			map->entry_count ? &map->entries[map->entry_count - 1] : NULL;
		uint64_t start = ranges[i].gpa.value;

		if (last && last->end == start)
			last->end += ranges[i].bytes;
		else
			map->entries[map->entry_count++] = (struct map_entry){.start = start,
				.end = start + ranges[i].bytes,
				.type = MAP_TYPE_RAM};
	}
	cut_ram(map, MAP_HOLE, MAP_HOLE_END);
	for (size_t i = 0; i < reserved_count; i++) {
		int ret = add_reserved(map, &reserved[i], error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static const struct map_taken *taken_in(const struct boot_map *map, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < map->taken_count; i++) {
		const struct map_taken *taken = &map->taken[i];

		if (overlaps(start, end, taken->start, taken->end))
			return taken;
	}
	return NULL;
}

static int take(struct boot_map *map, uint64_t start, uint64_t end, const char *what)
{
	if (map->taken_count == MAP_TAKEN_MAX)
		return VMM_E_LIMIT;
	map->taken[map->taken_count++] =
		(struct map_taken){.start = start, .end = end, .what = what};
	return 0;
}

static int is_ram(const struct boot_map *map, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < map->entry_count; i++) {
		const struct map_entry *entry = &map->entries[i];

		if (entry->type == MAP_TYPE_RAM && start >= entry->start && end <= entry->end)
			return 1;
	}
	return 0;
}

int map_take(struct boot_map *map, uint64_t start, uint64_t bytes, const char *what, char *text,
	size_t text_bytes)
{
	const struct map_taken *other;
	uint64_t end;

	if (__builtin_add_overflow(start, bytes, &end) || !is_ram(map, start, end)) {
		snprintf(text, text_bytes,
			"%s wants %#llx bytes at %#llx, which is not all free RAM of the guest",
			what, (unsigned long long)bytes, (unsigned long long)start);
		return VMM_E_RANGE;
	}
	other = taken_in(map, start, end);
	if (other) {
		snprintf(text, text_bytes, "%s at %#llx to %#llx overlaps %s at %#llx to %#llx",
			what, (unsigned long long)start, (unsigned long long)end - 1, other->what,
			(unsigned long long)other->start, (unsigned long long)other->end - 1);
		return VMM_E_EXISTS;
	}
	if (take(map, start, end, what)) {
		snprintf(text, text_bytes, "it has too many pieces");
		return VMM_E_LIMIT;
	}
	return 0;
}

static int find_up(const struct boot_map *map, const struct map_want *want, uint64_t start,
	uint64_t end, uint64_t *ret_start)
{
	const uint64_t mask = want->align - 1;

	for (;;) {
		const struct map_taken *taken;

		if (start > UINT64_MAX - mask)
			return 0;
		start = (start + mask) & ~mask;
		if (start > end || want->bytes > end - start)
			return 0;
		taken = taken_in(map, start, start + want->bytes);
		if (!taken) {
			*ret_start = start;
			return 1;
		}
		start = taken->end;
	}
}

static int find_down(const struct boot_map *map, const struct map_want *want, uint64_t start,
	uint64_t end, uint64_t *ret_start)
{
	for (;;) {
		const struct map_taken *taken;
		uint64_t at;

		if (end < want->bytes)
			return 0;
		at = (end - want->bytes) & ~(want->align - 1);
		if (at < start)
			return 0;
		taken = taken_in(map, at, at + want->bytes);
		if (!taken) {
			*ret_start = at;
			return 1;
		}
		end = taken->start;
	}
}

int map_find(struct boot_map *map, const struct map_want *want, uint64_t *ret_start)
{
	uint64_t min = want->min > MAP_FIRST ? want->min : MAP_FIRST;

	for (uint32_t i = 0; i < map->entry_count; i++) {
		const int down = want->direction == MAP_TOP_DOWN;
		const struct map_entry *entry = &map->entries[down ? map->entry_count - 1 - i : i];
		uint64_t start = entry->start > min ? entry->start : min;
		uint64_t end = entry->end < want->end ? entry->end : want->end;
		uint64_t at;

		if (entry->type != MAP_TYPE_RAM || start >= end)
			continue;
		if (down ? !find_down(map, want, start, end, &at)
			 : !find_up(map, want, start, end, &at))
			continue;
		if (take(map, at, at + want->bytes, want->what))
			return VMM_E_LIMIT;
		*ret_start = at;
		return 0;
	}
	return VMM_E_NOT_FOUND;
}

uint64_t map_ram_end(const struct boot_map *map, uint64_t from)
{
	for (uint32_t i = 0; i < map->entry_count; i++) {
		const struct map_entry *entry = &map->entries[i];

		if (entry->type == MAP_TYPE_RAM && from >= entry->start && from < entry->end)
			return entry->end;
	}
	return from;
}
