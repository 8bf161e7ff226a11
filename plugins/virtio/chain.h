/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking one descriptor chain: from a head in a descriptor table to a checked list of pointers.
 * It knows nothing of rings, and writes nothing but its result.
 */
#ifndef VIRTIO_CHAIN_H
#define VIRTIO_CHAIN_H

#include <stdbool.h>

#include <vmm/virtio.h>

#include "ram.h"
#include "wire.h"

/** Where chains of a queue come from and how long they may be. */
struct chain_source {
	const struct ram_map *ram;
	const void *table;    /* the descriptor table; guest memory, may change at any time */
	uint32_t table_size;  /* entries */
	uint32_t buffers_max; /* entries of one chain, indirect ones included */
	bool indirect;        /* VMM_VIRTIO_F_INDIRECT_DESC was negotiated */
};

/**
 * Fills *chain (all but struct_size and id) from the chain that starts at `head`, which is below
 * table_size. Each descriptor is copied once and only the copy is used; the walk ends after
 * buffers_max descriptors whatever the guest wrote. Returns NULL, or what is wrong with the chain:
 * it can then not be used, and *chain has no meaning.
 */
const char *chain_walk(
	const struct chain_source *source, uint32_t head, struct vmm_virtio_chain *chain);

#endif
