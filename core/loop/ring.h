/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of bytes in memory of its own. No lock: the user has one.
 */
#ifndef LOOP_RING_H
#define LOOP_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *data;
	size_t size;
	size_t start; /* of what is in it */
	size_t used;
};

/** Returns 0 or VMM_E_NOMEM. */
int ring_init(struct ring *ring, size_t bytes);

/** Frees the memory; a zeroed ring is fine. */
void ring_fini(struct ring *ring);

/** Puts in as much as there is room for and returns how much that is. */
size_t ring_put(struct ring *ring, const uint8_t *data, size_t bytes);

/** The oldest bytes that lie in one piece, 0: it is empty. They stay in place until dropped. */
size_t ring_peek(const struct ring *ring, const uint8_t **ret_data);

/** Drops the oldest bytes; at most what ring_peek() gave. */
void ring_drop(struct ring *ring, size_t bytes);

#endif
