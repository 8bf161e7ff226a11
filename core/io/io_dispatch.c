/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a guest's access to a device: look up, split, call. No lock, no allocation. Runs on
 * vCPU threads, any number at once.
 */
#include <assert.h>
#include <string.h>

#include "io/io_internal.h"

/* Where an address leads: a region, or nobody (region NULL), and how far that goes. */
struct io_target {
	const struct io_region *region;
	uint64_t offset; /* of the address in the region */
	uint64_t left;   /* bytes from the address to the end, minus 1 */
};

/* The number of the first entry that ends at or behind address. */
static uint32_t search(const struct snapshot *snapshot, uint64_t address)
{
	uint32_t low = 0, high = snapshot->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (snapshot->entries[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool holds(const struct snapshot_entry *entry, uint64_t address)
{
	return entry->base <= address && address <= entry->last;
}

static struct io_target find(struct hazard_slot *slot, struct io_space *space, uint64_t address)
{
	struct io_target target = {NULL, 0, space->last - address};
	const struct snapshot *snapshot = hazard_enter(slot, &space->current);
	uint32_t *hint = &slot->hint[space->index];
	uint32_t i = *hint;

	/* Accesses come in bursts to one device: most cost the same with any number of devices. */
	if (i >= snapshot->count || !holds(&snapshot->entries[i], address))
		i = search(snapshot, address);
	if (i < snapshot->count) {
		const struct snapshot_entry *entry = &snapshot->entries[i];

		if (entry->base <= address) {
			*hint = i;
			target.region = entry->region;
			target.offset = address - entry->base;
			target.left = entry->last - address;
		} else {
			target.left = entry->base - address - 1;
		}
	}
	hazard_leave(slot);
	return target;
}

static void count_unclaimed(struct hazard_slot *slot)
{
	/* Only this thread writes it: no read-modify-write is needed. */
	uint64_t count = atomic_load_explicit(&slot->unclaimed, memory_order_relaxed);

	atomic_store_explicit(&slot->unclaimed, count + 1, memory_order_relaxed);
}

/*
 * Width of the next call for `len` bytes at offset: all of it if the region takes that at once,
 * else the largest aligned piece.
 */
static uint32_t next_width(uint64_t offset, uint32_t len, uint32_t width_max)
{
	uint32_t width = width_max;

	if (len <= width_max && (len & (len - 1)) == 0)
		return len;
	while (width > len || (offset & (width - 1)) != 0)
		width /= 2;
	return width;
}

static void read_region(
	const struct io_region *region, uint64_t offset, uint8_t *data, uint32_t len)
{
	while (len > 0) {
		uint32_t width = next_width(offset, len, region->width_max);
		uint64_t value = UINT64_MAX;

		if (!region->ops.read || region->ops.read(region->ctx, offset, width, &value) < 0)
			value = UINT64_MAX;
		for (uint32_t i = 0; i < width; i++)
			data[i] = (uint8_t)(value >> (8 * i));
		data += width;
		offset += width;
		len -= width;
	}
}

static void write_region(
	const struct io_region *region, uint64_t offset, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		uint32_t width = next_width(offset, len, region->width_max);
		uint64_t value = 0;

		for (uint32_t i = 0; i < width; i++)
			value |= (uint64_t)data[i] << (8 * i);
		if (region->ops.write)
			region->ops.write(region->ctx, offset, width, value);
		data += width;
		offset += width;
		len -= width;
	}
}

/* An access on its way through the regions that it touches. */
struct io_walk {
	struct hazard_slot *slot;
	struct io_space *space; /* NULL: ended */
	uint64_t address;
	uint32_t left;
};

static struct io_walk walk_start(
	struct io_map *map, uint32_t reader, uint32_t space, uint64_t address, uint32_t len)
{
	int index = io_space_index(space);
	struct io_walk walk = {NULL, NULL, address, len};

	assert(reader < map->readers && index >= 0);
	walk.slot = &map->slots[reader];
	if (address <= map->spaces[index].last)
		walk.space = &map->spaces[index];
	return walk;
}

/*
 * Finds who answers for the next piece and steps over it. Returns its length, 0 at the end of the
 * access or of the space: nothing wraps around to address 0.
 */
static uint32_t walk_next(struct io_walk *walk, struct io_target *ret_target)
{
	uint32_t piece;

	if (walk->left == 0 || !walk->space)
		return 0;
	*ret_target = find(walk->slot, walk->space, walk->address);
	piece = ret_target->left < walk->left ? (uint32_t)ret_target->left + 1 : walk->left;
	if (piece > walk->left)
		piece = walk->left;
	if (!ret_target->region)
		count_unclaimed(walk->slot);
	if (walk->space->last - walk->address == piece - 1)
		walk->space = NULL;
	walk->address += piece;
	walk->left -= piece;
	return piece;
}

void io_read(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address, uint8_t *data,
	uint32_t len)
{
	struct io_walk walk = walk_start(map, reader, space, address, len);
	struct io_target target;
	uint32_t piece;

	while ((piece = walk_next(&walk, &target)) > 0) {
		if (target.region)
			read_region(target.region, target.offset, data, piece);
		else
			memset(data, 0xff, piece);
		data += piece;
	}
	memset(data, 0xff, walk.left);
}

void io_write(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address,
	const uint8_t *data, uint32_t len)
{
	struct io_walk walk = walk_start(map, reader, space, address, len);
	struct io_target target;
	bool first = true;
	uint32_t piece;

	while ((piece = walk_next(&walk, &target)) > 0) {
		/* KVM compares the address and length of the whole access, so only the start of
		 * one can ring, and with its whole length. */
		bool rung = first && target.region && target.region->doorbells &&
			    io_doorbell_ring(target.region, target.offset, data, len);

		if (target.region && !rung)
			write_region(target.region, target.offset, data, piece);
		data += piece;
		first = false;
	}
}

uint64_t io_unclaimed(const struct io_map *map)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < map->readers; i++)
		sum += atomic_load_explicit(&map->slots[i].unclaimed, memory_order_relaxed);
	return sum;
}
