/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the I/O map: regions come, move and go, and never overlap. Everything here is under the
 * map's lock; vCPUs see the result as a new snapshot (snapshot.c).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "io/io_internal.h"

#define PIO_LAST UINT64_C(0xffff)

static const char *space_name(uint32_t index)
{
	return index == 0 ? "pio" : "mmio";
}

int io_map_create(uint32_t readers, struct io_map **ret_map)
{
	struct io_map *map = calloc(1, sizeof(*map));

	if (!map)
		return VMM_E_NOMEM;
	map->readers = readers;
	map->spaces[0].last = PIO_LAST;
	map->spaces[1].last = UINT64_MAX;
	map->spaces[1].index = 1;
	pthread_mutex_init(&map->lock, NULL);
	map->slots = aligned_alloc(_Alignof(struct hazard_slot),
		(size_t)(readers ? readers : 1) * sizeof(struct hazard_slot));
	if (map->slots)
		memset(map->slots, 0, (size_t)(readers ? readers : 1) * sizeof(struct hazard_slot));
	if (!map->slots || snapshot_reserve(map, 1)) {
		io_map_destroy(map);
		return VMM_E_NOMEM;
	}
	*ret_map = map;
	return 0;
}

static void region_free(struct io_map *map, struct io_region *region)
{
	io_doorbells_free(map, region);
	free(region->name);
	free(region);
}

void io_map_destroy(struct io_map *map)
{
	if (!map)
		return;
	while (map->regions) {
		struct io_region *region = map->regions;

		map->regions = region->next;
		region_free(map, region);
	}
	while (map->reserved) {
		struct io_reserved *reserved = map->reserved;

		map->reserved = reserved->next;
		free(reserved->name);
		free(reserved);
	}
	for (uint32_t i = 0; i < IO_SPACES; i++)
		snapshot_free(map, &map->spaces[i]);
	free(map->slots);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

void io_set_backend(struct io_map *map, const struct io_backend *backend, void *ctx)
{
	map->backend = backend;
	map->backend_ctx = ctx;
}

/* Whether [base, base + bytes) is in the space: not empty, not past its end. */
static bool fits(const struct io_map *map, uint32_t space, uint64_t base, uint64_t bytes)
{
	uint64_t last = map->spaces[space].last;

	return bytes > 0 && base <= last && bytes - 1 <= last - base;
}

/*
 * Who already answers for some of [base, last]: the name, or NULL if it is free. Regions that are
 * not enabled take no place.
 */
static const char *taken_by(const struct io_map *map, const struct io_region *except,
	uint32_t space, uint64_t base, uint64_t last)
{
	for (const struct io_reserved *r = map->reserved; r; r = r->next) {
		if (r->space == space && r->base <= last && base <= r->last)
			return r->name;
	}
	for (const struct io_region *r = map->regions; r; r = r->next) {
		if (r != except && r->enabled && r->space == space && r->base <= last &&
			base <= r->base + (r->bytes - 1))
			return r->name;
	}
	return NULL;
}

static int place(const struct io_map *map, const struct io_region *region, uint64_t base,
	struct vmm_error *error)
{
	uint64_t last = base + (region->bytes - 1);
	const char *other;

	if (!fits(map, region->space, base, region->bytes)) {
		vmm_set_error(error,
			"region \"%s\": 0x%" PRIx64 " bytes at 0x%" PRIx64 " are not in %s space",
			region->name, region->bytes, base, space_name(region->space));
		return VMM_E_RANGE;
	}
	other = taken_by(map, region, region->space, base, last);
	if (other) {
		vmm_set_error(error,
			"region \"%s\" at %s 0x%" PRIx64 "-0x%" PRIx64 " overlaps \"%s\"",
			region->name, space_name(region->space), base, last, other);
		return VMM_E_EXISTS;
	}
	return 0;
}

int io_reserve(struct io_map *map, const char *name, uint32_t space, uint64_t base, uint64_t bytes,
	struct vmm_error *error)
{
	int index = io_space_index(space);
	struct io_reserved *reserved;
	const char *other = NULL;

	if (index < 0 || !fits(map, (uint32_t)index, base, bytes)) {
		vmm_set_error(error,
			"reserved range \"%s\": 0x%" PRIx64 " bytes at 0x%" PRIx64
			" are not in its space",
			name, bytes, base);
		return VMM_E_RANGE;
	}
	reserved = calloc(1, sizeof(*reserved));
	if (reserved)
		reserved->name = strdup(name);
	if (!reserved || !reserved->name) {
		free(reserved);
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	reserved->space = (uint32_t)index;
	reserved->base = base;
	reserved->last = base + (bytes - 1);
	pthread_mutex_lock(&map->lock);
	for (const struct io_region *r = map->regions; r && !other; r = r->next) {
		if (r->enabled && r->space == reserved->space && r->base <= reserved->last &&
			base <= r->base + (r->bytes - 1))
			other = r->name;
	}
	if (!other) {
		reserved->next = map->reserved;
		map->reserved = reserved;
	}
	pthread_mutex_unlock(&map->lock);
	if (other) {
		vmm_set_error(error, "reserved range \"%s\" at %s 0x%" PRIx64 " overlaps \"%s\"",
			name, space_name((uint32_t)index), base, other);
		free(reserved->name);
		free(reserved);
		return VMM_E_EXISTS;
	}
	return 0;
}

static int check_config(const struct io_region_config *config, struct vmm_error *error)
{
	uint32_t width = config->width_max;

	if (io_space_index(config->space) < 0 || width == 0 || width > 8 ||
		(width & (width - 1)) != 0) {
		vmm_set_error(error,
			"region \"%s\": space %" PRIu32 " with accesses of %" PRIu32 " bytes",
			config->name, config->space, width);
		return VMM_E_INVAL;
	}
	if (config->bytes == 0) {
		vmm_set_error(error, "region \"%s\" is empty", config->name);
		return VMM_E_INVAL;
	}
	return 0;
}

int io_region_add(struct io_map *map, const struct io_region_config *config,
	struct vmm_error *error, struct io_region **ret_region)
{
	struct io_region *region;
	int ret = check_config(config, error);

	if (ret)
		return ret;
	region = calloc(1, sizeof(*region));
	if (region)
		region->name = strdup(config->name);
	if (!region || !region->name || snapshot_reserve(map, map->region_count + 1)) {
		vmm_set_error(error, "out of memory");
		if (region)
			region_free(map, region);
		return VMM_E_NOMEM;
	}
	region->space = (uint32_t)io_space_index(config->space);
	region->width_max = config->width_max;
	region->bytes = config->bytes;
	region->ops = config->ops;
	region->ctx = config->ctx;
	region->base = config->base;
	pthread_mutex_lock(&map->lock);
	if (config->enabled)
		ret = place(map, region, config->base, error);
	if (!ret) {
		region->enabled = config->enabled;
		region->next = map->regions;
		map->regions = region;
		map->region_count++;
		if (region->enabled)
			snapshot_publish(map, region->space);
	}
	pthread_mutex_unlock(&map->lock);
	if (ret) {
		region_free(map, region);
		return ret;
	}
	*ret_region = region;
	return 0;
}

int io_region_set(struct io_map *map, struct io_region *region, uint64_t base, bool enabled)
{
	bool was_enabled;
	int ret = 0;

	pthread_mutex_lock(&map->lock);
	was_enabled = region->enabled;
	if (enabled)
		ret = place(map, region, base, NULL);
	if (ret || !enabled || base != region->base || !was_enabled) {
		/* In this order no write is lost: between the two steps at the backend writes are
		 * trapped, at the old place and then at the new one. */
		io_doorbells_unassign(map, region);
		region->base = base;
		region->enabled = enabled && !ret;
		if (was_enabled || region->enabled)
			snapshot_publish(map, region->space);
		io_doorbells_assign(map, region);
	}
	pthread_mutex_unlock(&map->lock);
	return ret;
}

void io_region_remove(struct io_map *map, struct io_region *region)
{
	struct io_region **link;

	if (!region)
		return;
	pthread_mutex_lock(&map->lock);
	for (link = &map->regions; *link != region; link = &(*link)->next)
		continue;
	*link = region->next;
	map->region_count--;
	io_doorbells_unassign(map, region);
	if (region->enabled)
		snapshot_publish(map, region->space);
	region_free(map, region);
	pthread_mutex_unlock(&map->lock);
}

void io_map_print(struct io_map *map, FILE *file)
{
	pthread_mutex_lock(&map->lock);
	for (const struct io_reserved *r = map->reserved; r; r = r->next)
		fprintf(file, "%-4s 0x%016" PRIx64 "-0x%016" PRIx64 " reserved %s\n",
			space_name(r->space), r->base, r->last, r->name);
	for (const struct io_region *r = map->regions; r; r = r->next) {
		fprintf(file, "%-4s 0x%016" PRIx64 "-0x%016" PRIx64 " %s %s\n",
			space_name(r->space), r->base, r->base + (r->bytes - 1),
			r->enabled ? "region" : "off", r->name);
		for (const struct io_doorbell *d = r->doorbells; d; d = d->next)
			fprintf(file, "     doorbell +0x%" PRIx64 " width %" PRIu32 " %s\n",
				d->config.offset, d->config.width,
				d->assigned ? "in the kernel" : "trapped");
	}
	pthread_mutex_unlock(&map->lock);
}
