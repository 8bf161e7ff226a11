/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest addresses to pointers, over a table of RAM ranges that was fetched once. Only what lies in
 * RAM has a pointer: the address of a device's BAR has none, so a descriptor can never make us
 * access a device. Not a copy of vmm.memory: it is for the paths that cannot afford a call each.
 */
#ifndef VIRTIO_RAM_H
#define VIRTIO_RAM_H

#include <vmm/memory.h>

/** Ranges of RAM, rising and without overlap; they stay as they are. */
struct ram_map {
	struct vmm_ram_range *ranges;
	uint32_t count;
};

/** Fetches the ranges of an address space. VMM_E_NOMEM, or what vmm.memory said. [config] */
int32_t ram_map_init(
	struct ram_map *map, const struct vmm_memory *memory, vmm_host *host, uint64_t space);
void ram_map_fini(struct ram_map *map);

/** Pointer to gpa, and how many bytes follow it in one piece; NULL: not RAM. */
void *ram_piece(const struct ram_map *map, vmm_gpa gpa, uint64_t *ret_bytes);

/** Pointer to [gpa, gpa + bytes), NULL if that is not one piece of RAM. bytes is not 0. */
void *ram_at(const struct ram_map *map, vmm_gpa gpa, uint64_t bytes);

#endif
