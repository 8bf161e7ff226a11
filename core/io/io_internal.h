/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/io share. Nobody else includes this.
 */
#ifndef IO_IO_INTERNAL_H
#define IO_IO_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/hazard.h"
#include "io/io.h"

#define IO_SPACES HAZARD_HINTS

struct io_doorbell {
	struct io_doorbell *next; /* in its region; changes only while no vCPU runs */
	struct io_region *region;
	struct io_doorbell_config config;
	int fd;
	bool assigned;       /* the backend catches it, at `wire`; guarded by io_map.lock */
	struct io_wire wire; /* guarded by io_map.lock */
};

struct io_region {
	struct io_region *next; /* guarded by io_map.lock */
	char *name;
	uint32_t space; /* index into io_map.spaces */
	uint32_t width_max;
	uint64_t bytes;
	struct io_ops ops;
	void *ctx;
	struct io_doorbell *doorbells; /* changes only while no vCPU runs */
	uint64_t base;                 /* guarded by io_map.lock */
	bool enabled;                  /* guarded by io_map.lock */
};

struct io_reserved {
	struct io_reserved *next;
	char *name;
	uint32_t space;
	uint64_t base;
	uint64_t last;
};

struct snapshot_entry {
	uint64_t base;
	uint64_t last; /* inclusive: a region may end at the last byte of the space */
	const struct io_region *region;
};

struct snapshot {
	uint32_t count;
	struct snapshot_entry entries[]; /* rising, not overlapping */
};

/* One address space: PIO or MMIO. */
struct io_space {
	uint64_t last;                    /* the highest address */
	uint32_t index;                   /* of it in io_map.spaces */
	struct snapshot *_Atomic current; /* stored under io_map.lock */
	struct snapshot **pool;           /* readers + 2 of them */
	uint32_t capacity;                /* entries in each */
};

struct io_map {
	/* Guards changes of the map. A leaf: no call out of core/io but to the backend is made
	 * under it. Readers do not take it. */
	pthread_mutex_t lock;
	struct io_space spaces[IO_SPACES];
	struct io_region *regions;
	struct io_reserved *reserved;
	const struct io_backend *backend;
	void *backend_ctx;
	uint32_t region_count;
	uint32_t readers;
	struct hazard_slot *slots;
};

/** Index of a space of the ABI, or -1. */
static inline int io_space_index(uint32_t space)
{
	return space == VMM_IO_PIO ? 0 : space == VMM_IO_MMIO ? 1 : -1;
}

/** Makes room for one region more in every snapshot. No vCPU runs. 0 or VMM_E_NOMEM. */
int snapshot_reserve(struct io_map *map, uint32_t regions);

/** Publishes a snapshot of the enabled regions of a space. Caller holds map->lock. */
void snapshot_publish(struct io_map *map, uint32_t space);

/** Frees all snapshots of a space. */
void snapshot_free(struct io_map *map, struct io_space *space);

/** Tells the backend of the region's doorbells, at where it is now. Caller holds map->lock. */
void io_doorbells_assign(struct io_map *map, struct io_region *region);

/** Takes them back. Caller holds map->lock. */
void io_doorbells_unassign(struct io_map *map, struct io_region *region);

/** Frees all doorbells of a region, which is not reachable. Caller holds map->lock. */
void io_doorbells_free(struct io_map *map, struct io_region *region);

/** Rings the doorbells that a trapped write matches, as KVM would have. Returns true if any. */
bool io_doorbell_ring(
	const struct io_region *region, uint64_t offset, const uint8_t *data, uint32_t len);

#endif
