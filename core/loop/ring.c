/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of bytes; see ring.h.
 */
#include "loop/ring.h"

#include <stdlib.h>
#include <string.h>

#include <vmm/types.h>

int ring_init(struct ring *ring, size_t bytes)
{
	*ring = (struct ring){.data = malloc(bytes), .size = bytes};
	return ring->data ? 0 : VMM_E_NOMEM;
}

void ring_fini(struct ring *ring)
{
	free(ring->data);
	*ring = (struct ring){0};
}

size_t ring_put(struct ring *ring, const uint8_t *data, size_t bytes)
{
	size_t room = ring->size - ring->used;
	size_t take = bytes < room ? bytes : room;

	if (!take)
		return 0;
	/* An empty ring begins at the front again, so that a quiet console touches one page. */
	if (!ring->used)
		ring->start = 0;
	size_t end = (ring->start + ring->used) % ring->size;
	size_t first = ring->size - end < take ? ring->size - end : take;

	memcpy(ring->data + end, data, first);
	memcpy(ring->data, data + first, take - first);
	ring->used += take;
	return take;
}

size_t ring_peek(const struct ring *ring, const uint8_t **ret_data)
{
	size_t bytes = ring->size - ring->start;

	*ret_data = ring->data + ring->start;
	return ring->used < bytes ? ring->used : bytes;
}

void ring_drop(struct ring *ring, size_t bytes)
{
	ring->start = (ring->start + bytes) % ring->size;
	ring->used -= bytes;
}
