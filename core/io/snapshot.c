/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the I/O map: building one from the enabled regions and making it current. When an
 * old one may be written again is explained in hazard.h.
 */
#include <assert.h>
#include <stdlib.h>

#include "io/io_internal.h"

static uint32_t pool_size(const struct io_map *map)
{
	return map->readers + 2;
}

static struct snapshot *snapshot_new(uint32_t capacity)
{
	return calloc(1, sizeof(struct snapshot) + capacity * sizeof(struct snapshot_entry));
}

static void free_pool(struct snapshot **pool, uint32_t count)
{
	if (!pool)
		return;
	for (uint32_t i = 0; i < count; i++)
		free(pool[i]);
	free(pool);
}

static int grow_space(struct io_map *map, struct io_space *space, uint32_t capacity)
{
	struct snapshot **pool = calloc(pool_size(map), sizeof(*pool));
	struct snapshot *old = atomic_load_explicit(&space->current, memory_order_relaxed);

	if (!pool)
		return VMM_E_NOMEM;
	for (uint32_t i = 0; i < pool_size(map); i++) {
		pool[i] = snapshot_new(capacity);
		if (!pool[i]) {
			free_pool(pool, pool_size(map));
			return VMM_E_NOMEM;
		}
	}
	if (old) {
		pool[0]->count = old->count;
		for (uint32_t i = 0; i < old->count; i++)
			pool[0]->entries[i] = old->entries[i];
	}
	atomic_store_explicit(&space->current, pool[0], memory_order_seq_cst);
	free_pool(space->pool, pool_size(map));
	space->pool = pool;
	space->capacity = capacity;
	return 0;
}

int snapshot_reserve(struct io_map *map, uint32_t regions)
{
	for (uint32_t i = 0; i < IO_SPACES; i++) {
		struct io_space *space = &map->spaces[i];
		int ret;

		if (space->pool && space->capacity >= regions)
			continue;
		ret = grow_space(map, space, regions < 16 ? 16 : regions * 2);
		if (ret)
			return ret;
	}
	return 0;
}

/* One that is neither current nor looked at: there always is, by the size of the pool. */
static struct snapshot *unused_snapshot(struct io_map *map, struct io_space *space)
{
	struct snapshot *current = atomic_load_explicit(&space->current, memory_order_relaxed);

	for (uint32_t i = 0;; i = (i + 1) % pool_size(map)) {
		struct snapshot *candidate = space->pool[i];

		if (candidate != current && !hazard_in_use(map->slots, map->readers, candidate))
			return candidate;
	}
}

/* Keeps the order by base; qsort() may allocate, and this is a vCPU's time. */
static void insert(struct snapshot *snapshot, const struct io_region *region)
{
	uint32_t i = snapshot->count++;

	for (; i > 0 && snapshot->entries[i - 1].base > region->base; i--)
		snapshot->entries[i] = snapshot->entries[i - 1];
	snapshot->entries[i] = (struct snapshot_entry){
		.base = region->base,
		.last = region->base + (region->bytes - 1),
		.region = region,
	};
}

void snapshot_publish(struct io_map *map, uint32_t index)
{
	struct io_space *space = &map->spaces[index];
	struct snapshot *snapshot = unused_snapshot(map, space);

	snapshot->count = 0;
	for (const struct io_region *region = map->regions; region; region = region->next) {
		if (!region->enabled || region->space != index)
			continue;
		assert(snapshot->count < space->capacity);
		insert(snapshot, region);
	}
	/* Pairs with the loads in hazard_enter. */
	atomic_store_explicit(&space->current, snapshot, memory_order_seq_cst);
}

void snapshot_free(struct io_map *map, struct io_space *space)
{
	free_pool(space->pool, pool_size(map));
}
