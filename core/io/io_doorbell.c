/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells: eventfds that writes to an address end in. The backend (KVM) catches the writes where
 * it can; for the others, and while a region moves, the trapped write does the same here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vmm/support.h>

#include "io/io_internal.h"

void io_doorbells_assign(struct io_map *map, struct io_region *region)
{
	if (!map->backend || !region->enabled)
		return;
	for (struct io_doorbell *d = region->doorbells; d; d = d->next) {
		if (d->assigned)
			continue;
		d->wire = (struct io_wire){
			.space = region->space == 0 ? VMM_IO_PIO : VMM_IO_MMIO,
			.width = d->config.width,
			.address = region->base + d->config.offset,
			.value = d->config.value,
			.match = d->config.match,
			.fd = d->fd,
		};
		d->assigned = map->backend->assign(map->backend_ctx, &d->wire) == 0;
	}
}

static void unassign(struct io_map *map, struct io_doorbell *doorbell)
{
	if (!doorbell->assigned)
		return;
	map->backend->unassign(map->backend_ctx, &doorbell->wire);
	doorbell->assigned = false;
}

void io_doorbells_unassign(struct io_map *map, struct io_region *region)
{
	for (struct io_doorbell *d = region->doorbells; d; d = d->next)
		unassign(map, d);
}

static void doorbell_free(struct io_map *map, struct io_doorbell *doorbell)
{
	unassign(map, doorbell);
	close(doorbell->fd);
	free(doorbell);
}

void io_doorbells_free(struct io_map *map, struct io_region *region)
{
	while (region->doorbells) {
		struct io_doorbell *d = region->doorbells;

		region->doorbells = d->next;
		doorbell_free(map, d);
	}
}

static uint64_t value_of(const uint8_t *data, uint32_t len)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < len; i++)
		value |= (uint64_t)data[i] << (8 * i);
	return value;
}

bool io_doorbell_ring(
	const struct io_region *region, uint64_t offset, const uint8_t *data, uint32_t len)
{
	for (const struct io_doorbell *d = region->doorbells; d; d = d->next) {
		const uint64_t one = 1;

		if (d->config.offset != offset || (d->config.width && d->config.width != len))
			continue;
		if (d->config.match && d->config.value != value_of(data, len))
			continue;
		/* A full counter (EAGAIN) is a doorbell that has rung. */
		while (write(d->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
		return true;
	}
	return false;
}

/* Whether one write could ring both, in which case it would be open which one rings. */
static bool collide(const struct io_doorbell_config *a, const struct io_doorbell_config *b)
{
	if (a->offset != b->offset)
		return false;
	if (a->width && b->width && a->width != b->width)
		return false;
	return !a->match || !b->match || a->value == b->value;
}

static int check_config(const struct io_region *region, const struct io_doorbell_config *config,
	struct vmm_error *error)
{
	uint32_t width = config->width;

	if (width > 8 || (width & (width - 1)) != 0 || (config->match && width == 0) ||
		(config->match && width < 8 && config->value >> (8 * width))) {
		vmm_set_error(error,
			"doorbell in region \"%s\": width %" PRIu32 " with value 0x%" PRIx64
			" cannot match",
			region->name, width, config->value);
		return VMM_E_INVAL;
	}
	if (config->offset >= region->bytes ||
		(width ? width : 1) > region->bytes - config->offset) {
		vmm_set_error(error,
			"doorbell at offset 0x%" PRIx64 " is outside of region \"%s\" of 0x%" PRIx64
			" bytes",
			config->offset, region->name, region->bytes);
		return VMM_E_RANGE;
	}
	for (const struct io_doorbell *d = region->doorbells; d; d = d->next) {
		if (!collide(config, &d->config))
			continue;
		vmm_set_error(error,
			"region \"%s\" has a doorbell for the same write at offset 0x%" PRIx64,
			region->name, config->offset);
		return VMM_E_EXISTS;
	}
	return 0;
}

int io_doorbell_add(struct io_map *map, struct io_region *region,
	const struct io_doorbell_config *config, struct vmm_error *error,
	struct io_doorbell **ret_doorbell, int *ret_fd)
{
	struct io_doorbell *doorbell;
	int ret = check_config(region, config, error);

	if (ret)
		return ret;
	doorbell = calloc(1, sizeof(*doorbell));
	if (!doorbell) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	doorbell->config = *config;
	doorbell->region = region;
	doorbell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (doorbell->fd < 0) {
		vmm_set_error(error, "cannot make an eventfd for a doorbell of region \"%s\": %s",
			region->name, strerror(errno));
		free(doorbell);
		return VMM_E_LIMIT;
	}
	pthread_mutex_lock(&map->lock);
	doorbell->next = region->doorbells;
	region->doorbells = doorbell;
	io_doorbells_assign(map, region);
	pthread_mutex_unlock(&map->lock);
	*ret_doorbell = doorbell;
	*ret_fd = doorbell->fd;
	return 0;
}

void io_doorbell_remove(struct io_map *map, struct io_doorbell *doorbell)
{
	struct io_doorbell **link;

	if (!doorbell)
		return;
	pthread_mutex_lock(&map->lock);
	for (link = &doorbell->region->doorbells; *link != doorbell; link = &(*link)->next)
		continue;
	*link = doorbell->next;
	doorbell_free(map, doorbell);
	pthread_mutex_unlock(&map->lock);
}
