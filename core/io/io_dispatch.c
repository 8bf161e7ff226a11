/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a guest's access to a device: look up, split, call. No lock, no allocation. Runs on
 * vCPU threads, any number at once.
 */
#include <assert.h>
#include <string.h>

#include "io/io_internal.h"

/* Where the first bytes of an access lead: to a region, or to nobody (region NULL). */
struct io_target {
	const struct io_region *region;
	uint64_t offset; /* of the access in the region */
	uint32_t bytes;  /* that lead there */
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

static inline struct io_target find(
	struct hazard_slot *slot, struct io_space *space, uint64_t address, uint32_t len)
{
	struct io_target target = {NULL, 0, len};
	const struct snapshot *snapshot = hazard_enter(slot, &space->current);
	uint32_t *hint = &slot->hint[space->index];
	uint64_t last = space->last;
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
			last = entry->last;
		} else {
			last = entry->base - 1;
		}
	}
	hazard_leave(slot);
	if (last - address < len - 1)
		target.bytes = (uint32_t)(last - address) + 1;
	return target;
}

static void count_unclaimed(struct hazard_slot *slot)
{
	/* Only this thread writes it: no read-modify-write is needed. */
	uint64_t count = atomic_load_explicit(&slot->unclaimed, memory_order_relaxed);

	atomic_store_explicit(&slot->unclaimed, count + 1, memory_order_relaxed);
}

/* Whether the region takes `len` bytes in one call, as of most accesses. The way of those is
 * counted in instructions (bench/README.md): what others need is in functions of its own. */
static bool at_once(const struct io_region *region, uint32_t len)
{
	return len <= region->width_max && (len & (len - 1)) == 0;
}

/* Width of the next call for `len` bytes at offset: all, or the largest aligned piece. */
static uint32_t next_width(const struct io_region *region, uint64_t offset, uint32_t len)
{
	uint32_t width = region->width_max;

	if (at_once(region, len))
		return len;
	while (width > len || (offset & (width - 1)) != 0)
		width /= 2;
	return width;
}

/* Values are little-endian, as is every machine that this runs on. */
static uint64_t load(const uint8_t *data, uint32_t width)
{
	uint64_t value = 0;

	switch (width) {
	case 1:
		return *data;
	case 2:
		memcpy(&value, data, 2);
		return value;
	case 4:
		memcpy(&value, data, 4);
		return value;
	default:
		memcpy(&value, data, 8);
		return value;
	}
}

static void store(uint8_t *data, uint32_t width, uint64_t value)
{
	switch (width) {
	case 1:
		*data = (uint8_t)value;
		break;
	case 2:
		memcpy(data, &value, 2);
		break;
	case 4:
		memcpy(data, &value, 4);
		break;
	default:
		memcpy(data, &value, 8);
	}
}

static void read_once(
	const struct io_region *region, uint64_t offset, uint8_t *data, uint32_t width)
{
	uint64_t value = UINT64_MAX;

	if (!region->ops.read || region->ops.read(region->ctx, offset, width, &value) < 0)
		value = UINT64_MAX;
	store(data, width, value);
}

static __attribute__((noinline)) void read_split(
	const struct io_region *region, uint64_t offset, uint8_t *data, uint32_t len)
{
	while (len > 0) {
		uint32_t width = next_width(region, offset, len);

		read_once(region, offset, data, width);
		data += width;
		offset += width;
		len -= width;
	}
}

static void read_region(
	const struct io_region *region, uint64_t offset, uint8_t *data, uint32_t len)
{
	if (at_once(region, len))
		read_once(region, offset, data, len);
	else
		read_split(region, offset, data, len);
}

static __attribute__((noinline)) void write_split(
	const struct io_region *region, uint64_t offset, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		uint32_t width = next_width(region, offset, len);

		region->ops.write(region->ctx, offset, width, load(data, width));
		data += width;
		offset += width;
		len -= width;
	}
}

static void write_region(
	const struct io_region *region, uint64_t offset, const uint8_t *data, uint32_t len)
{
	if (!region->ops.write)
		return;
	if (at_once(region, len))
		region->ops.write(region->ctx, offset, len, load(data, len));
	else
		write_split(region, offset, data, len);
}

static struct hazard_slot *slot_of(struct io_map *map, uint32_t reader)
{
	assert(reader < map->readers);
	return &map->slots[reader];
}

static struct io_space *space_of(struct io_map *map, uint32_t space)
{
	assert(space == VMM_IO_PIO || space == VMM_IO_MMIO);
	return &map->spaces[space == VMM_IO_MMIO];
}

/* Whether a space ends with these bytes. Nothing wraps around to address 0: the rest of an access
 * is nobody's. */
static bool is_last(const struct io_space *space, uint64_t address, uint32_t bytes)
{
	return space->last - address < bytes;
}

void io_read(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address, uint8_t *data,
	uint32_t len)
{
	struct hazard_slot *slot = slot_of(map, reader);
	struct io_space *in = space_of(map, space);

	while (len > 0 && address <= in->last) {
		const struct io_target target = find(slot, in, address, len);

		if (target.region) {
			read_region(target.region, target.offset, data, target.bytes);
		} else {
			count_unclaimed(slot);
			memset(data, 0xff, target.bytes);
		}
		if (target.bytes == len)
			return;
		data += target.bytes;
		len -= target.bytes;
		if (is_last(in, address, target.bytes))
			break;
		address += target.bytes;
	}
	memset(data, 0xff, len);
}

void io_write(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address,
	const uint8_t *data, uint32_t len)
{
	struct hazard_slot *slot = slot_of(map, reader);
	struct io_space *in = space_of(map, space);
	bool first = true;

	while (len > 0 && address <= in->last) {
		const struct io_target target = find(slot, in, address, len);

		if (!target.region)
			count_unclaimed(slot);
		/* KVM compares the address and length of the whole access, so only the start of
		 * one can ring, and with its whole length. */
		else if (!first || !target.region->doorbells ||
			 !io_doorbell_ring(target.region, target.offset, data, len))
			write_region(target.region, target.offset, data, target.bytes);
		if (target.bytes == len || is_last(in, address, target.bytes))
			return;
		first = false;
		data += target.bytes;
		len -= target.bytes;
		address += target.bytes;
	}
}

uint64_t io_unclaimed(const struct io_map *map)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < map->readers; i++)
		sum += atomic_load_explicit(&map->slots[i].unclaimed, memory_order_relaxed);
	return sum;
}
