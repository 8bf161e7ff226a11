/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hazard pointers: how vCPUs read a snapshot without a lock while somebody else replaces it.
 *
 * Each reader owns one slot. It enters by writing the snapshot's address into its slot and then
 * looking again whether that snapshot is still the current one; only then it may use it. The writer
 * first makes another snapshot current and then looks at the slots; a snapshot is reused only when
 * it is not current and in no slot.
 *
 * Why that is enough: the two stores and the two loads that follow them (slot store, current load
 * here; current store, slot load in the writer) are sequentially consistent, so at least one side
 * sees the other's store. Either the reader sees that its snapshot was replaced and tries again, or
 * the writer sees the slot and leaves the snapshot alone. A snapshot that went away and came back
 * as the current one under the same address is simply current: the load that finds it pairs with
 * the store that published its new contents.
 *
 * A reader that leaves stores NULL with release order, which pairs with the writer's load of the
 * slot: everything that was read has been read before the memory is written again.
 *
 * With N readers at most N old snapshots are in use, so N + 2 of them are always enough (one
 * current, one to build), nothing is allocated, and no side ever waits for the other.
 */
#ifndef IO_HAZARD_H
#define IO_HAZARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct snapshot;

#define HAZARD_HINTS 2u /* one for each address space */

/* A cache line of its own: only its reader writes it. */
struct hazard_slot {
	_Alignas(64) struct snapshot *_Atomic used;
	_Atomic uint64_t unclaimed;  /* counter of the reader, see io_unclaimed() */
	uint32_t hint[HAZARD_HINTS]; /* entry of its last hit; may be stale, is checked at use */
};

/** Returns the current snapshot; it stays as it is until hazard_leave. */
static inline struct snapshot *hazard_enter(
	struct hazard_slot *slot, struct snapshot *_Atomic *current)
{
	struct snapshot *seen = atomic_load_explicit(current, memory_order_acquire);

	for (;;) {
		struct snapshot *now;

		atomic_store_explicit(&slot->used, seen, memory_order_seq_cst);
		now = atomic_load_explicit(current, memory_order_seq_cst);
		if (now == seen)
			return seen;
		seen = now;
	}
}

static inline void hazard_leave(struct hazard_slot *slot)
{
	atomic_store_explicit(&slot->used, NULL, memory_order_release);
}

/** For the writer, after it replaced the snapshot: whether a reader may still look at it. */
static inline bool hazard_in_use(
	struct hazard_slot *slots, uint32_t count, const struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < count; i++) {
		if (atomic_load_explicit(&slots[i].used, memory_order_seq_cst) == snapshot)
			return true;
	}
	return false;
}

#endif
