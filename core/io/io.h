/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O map: who answers for a port or a guest physical address that is not RAM, and doorbells.
 *
 * vCPUs look up without a lock in an immutable sorted snapshot; whoever adds, moves or removes a
 * region publishes a new one (io/hazard.h says when an old one is reused). The device is called
 * outside of the look-up, through one indirect call. Thread models are not known here: the machine
 * layer gives a PARALLEL device's own functions, and wrappers of its own for the others.
 */
#ifndef IO_IO_H
#define IO_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/io.h>
#include <vmm/types.h>

struct io_map;
struct io_region;
struct io_doorbell;

/** Accesses of the guest; semantics of vmm_io_ops. Called on the vCPU's thread. */
struct io_ops {
	int32_t (*read)(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value);
	int32_t (*write)(void *ctx, uint64_t offset, uint32_t width, uint64_t value);
};

/** A region to add. Either function may be NULL: reads give ones, writes are dropped. */
struct io_region_config {
	const char *name; /* copied */
	uint32_t space;   /* VMM_IO_PIO or VMM_IO_MMIO */
	uint64_t base;
	uint64_t bytes;
	uint32_t width_max; /* 1, 2, 4 or 8 */
	bool enabled;
	struct io_ops ops; /* copied */
	void *ctx;
};

struct io_doorbell_config {
	uint64_t offset;
	uint32_t width; /* 1, 2, 4, 8; 0: any */
	bool match;     /* only writes of `value`; not with width 0 */
	uint64_t value;
};

/** A doorbell at an address, as the kernel is told of it. */
struct io_wire {
	uint32_t space;
	uint32_t width; /* 0: any */
	uint64_t address;
	uint64_t value;
	bool match;
	int fd;
};

/**
 * The part of the kernel that can catch doorbell writes. assign may fail: the write is then trapped
 * and dispatched, which ends in the same eventfd.
 */
struct io_backend {
	int (*assign)(void *ctx, const struct io_wire *wire);
	void (*unassign)(void *ctx, const struct io_wire *wire);
};

/** A map without regions; readers is the number of vCPUs. [config] */
int io_map_create(uint32_t readers, struct io_map **ret_map);

/** Frees the map and every region and doorbell in it; NULL is allowed. [config] */
void io_map_destroy(struct io_map *map);

/** Sets who catches doorbells; to be called before the first one is added. [config] */
void io_set_backend(struct io_map *map, const struct io_backend *backend, void *ctx);

/**
 * Declares a range that never reaches dispatch (RAM, local APIC, ...): no region may overlap it.
 * Reserved ranges may overlap each other. [config]
 */
int io_reserve(struct io_map *map, const char *name, uint32_t space, uint64_t base, uint64_t bytes,
	struct vmm_error *error);

/**
 * Adds a region. VMM_E_EXISTS: enabled, and overlaps an enabled region or a reserved range.
 * VMM_E_RANGE: passes the end of its space. [config]
 */
int io_region_add(struct io_map *map, const struct io_region_config *config,
	struct vmm_error *error, struct io_region **ret_region);

/**
 * Moves a region and makes it reachable or not, in one step, with its doorbells. When it returns no
 * new access reaches the old place; one that was looked up before may still be running. Allocates
 * nothing. VMM_E_EXISTS, VMM_E_RANGE: the region is then unreachable. [config] [loop] [vcpu]
 */
int io_region_set(struct io_map *map, struct io_region *region, uint64_t base, bool enabled);

/** Removes a region and its doorbells; no vCPU is running. [config] */
void io_region_remove(struct io_map *map, struct io_region *region);

/**
 * Adds a doorbell to a region. VMM_E_RANGE: not inside of it. VMM_E_EXISTS: a write could match
 * this one and another. The non-blocking eventfd *ret_fd stays the map's. [config]
 */
int io_doorbell_add(struct io_map *map, struct io_region *region,
	const struct io_doorbell_config *config, struct vmm_error *error,
	struct io_doorbell **ret_doorbell, int *ret_fd);

/** Removes a doorbell and closes its fd; no vCPU is running. [config] */
void io_doorbell_remove(struct io_map *map, struct io_doorbell *doorbell);

/**
 * The guest reads len bytes at address. Fills all of data; what nobody answers for is all ones.
 * reader is the number of the calling vCPU. [vcpu]
 */
void io_read(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address, uint8_t *data,
	uint32_t len);

/** The guest writes len bytes at address; what nobody answers for is dropped. [vcpu] */
void io_write(struct io_map *map, uint32_t reader, uint32_t space, uint64_t address,
	const uint8_t *data, uint32_t len);

/** Pieces of accesses that nobody answered for, over all readers. [any] */
uint64_t io_unclaimed(const struct io_map *map);

/** Writes the map for people: one line for each region, reserved range and doorbell. [config] */
void io_map_print(struct io_map *map, FILE *file);

#endif
