/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One split virtqueue (virtio 1.2, 2.7), the device's side: chains out of the available ring, used
 * entries back, and who wants to be notified. It works on guest memory and its own arrays only: no
 * threads, no doorbells, no interrupts; what to do about a broken ring is the caller's business.
 * ring.c begins with how such a queue works.
 *
 * A virtq is used by one thread at a time, which has the loop of its device. No function but init
 * allocates, none takes a lock, and none does more than `size` steps.
 */
#ifndef VIRTIO_RING_H
#define VIRTIO_RING_H

#include "chain.h"

/** What the driver set up. */
struct virtq_setup {
	uint32_t size; /* a power of 2, at most the size_max of init */
	vmm_gpa desc;
	vmm_gpa avail;
	vmm_gpa used;
	bool event_idx;      /* VMM_VIRTIO_F_EVENT_IDX was negotiated */
	bool indirect;       /* VMM_VIRTIO_F_INDIRECT_DESC was negotiated */
	uint16_t next_avail; /* index of the available ring to start from */
};

/* Where a head is. */
enum virtq_place {
	VIRTQ_DRIVER = 0, /* the driver's */
	VIRTQ_DEVICE,     /* popped, not pushed */
	VIRTQ_UNPOPPED,   /* popped and put back; on the stack `unpopped` */
	VIRTQ_PUSHED,     /* pushed, not flushed */
};

struct virtq_head {
	uint32_t writable_bytes; /* of the popped chain: limit of what can be reported written */
	uint32_t place;          /* enum virtq_place */
};

struct virtq {
	/* Set by start. */
	struct chain_source source;
	struct virtq_avail *avail; /* guest memory, as is used */
	struct virtq_used *used;
	uint16_t *used_event;  /* behind the available ring: the driver wants an interrupt there */
	uint16_t *avail_event; /* behind the used ring: we want a notification there */
	uint32_t size;
	bool event_idx;

	/* Indexes run over 16 bits and wrap; `& (size - 1)` makes a place in a ring of them. */
	uint16_t next_avail; /* next entry of the available ring to take */
	uint16_t seen_avail; /* the driver's index when we looked last */
	uint16_t next_used;  /* next entry of the used ring to write */
	uint32_t untold;     /* entries that were shown since an interrupt was decided on */

	bool listening;  /* the driver was asked to notify; see virtq_listen() */
	bool ask_later;  /* set by the caller: pop does not ask, he does with virtq_listen() */
	bool unasked;    /* pop returned 0 and did not ask; the caller clears it */
	uint32_t budget; /* chains that may be popped before virtq_refill() */
	bool starved;    /* pop returned 0 for want of budget */

	/* What the guest did wrong; static texts for the caller, who clears `complaint`. */
	const char *broken;    /* the ring cannot be trusted any more; until the next start */
	const char *complaint; /* the last chain that was pushed back unused */

	/* Arrays of size_max entries; heads in flight are never more than the queue is long. */
	uint32_t size_max;
	struct virtq_head *heads;
	struct virtq_used_elem *pushed; /* not shown yet */
	uint32_t pushed_count;
	uint32_t in_flight; /* heads at VIRTQ_DEVICE */
	uint16_t *unpopped; /* a stack */
	uint32_t unpopped_count;
};

/** Makes an empty queue for sizes up to size_max. VMM_E_NOMEM. */
int32_t virtq_init(struct virtq *q, uint32_t size_max);
void virtq_fini(struct virtq *q);

/** Translates and checks the three areas, and forgets all that was. Guest memory is not touched.
 * Returns NULL, or what is wrong with the set-up; the queue is then broken. */
const char *virtq_start(
	struct virtq *q, const struct ram_map *ram, const struct virtq_setup *setup);

/** Takes a chain: 1, or 0 if there is none, the budget is used up or the ring is broken. If there
 * is none the driver is asked to notify of the next one, now or later: ask_later. Chains that
 * cannot be used are pushed with length 0 on the way. */
int32_t virtq_pop(struct virtq *q, struct vmm_virtio_chain *chain);

/** Puts a popped chain back: the next pop takes it. VMM_E_INVAL: it is not in flight. */
int32_t virtq_unpop(struct virtq *q, uint32_t id);

/** Gives a chain back at the next flush. VMM_E_INVAL: not in flight, or too much written. */
int32_t virtq_push(struct virtq *q, uint32_t id, uint64_t written);

/** Shows what was pushed to the driver, who finds it or not: the next flush decides on the
 * interrupt. At most 32768 entries are shown between two flushes. */
void virtq_show(struct virtq *q);

/** Shows what was pushed. True: the driver is to be interrupted, for this or what was shown before. */
bool virtq_flush(struct virtq *q);

/** Whether there is a chain to pop, by a new reading of the driver's index. The ring may turn out
 * to be broken. */
bool virtq_waiting(struct virtq *q);

/** Asks the driver to notify of the next chain. True: there is one already, as virtq_waiting(). */
bool virtq_listen(struct virtq *q);

/** Allows as many pops as the queue is long. */
void virtq_refill(struct virtq *q);

/** True if nothing is popped, put back, pushed or untold: the ring can be handed to somebody else. */
bool virtq_idle(const struct virtq *q);

/** Goes on at `next_avail` after somebody else worked on the ring. */
void virtq_resume(struct virtq *q, uint16_t next_avail);

/** Bytes of the three areas of a queue (2.7), event indexes included. */
uint64_t virtq_desc_bytes(uint32_t size);
uint64_t virtq_avail_bytes(uint32_t size);
uint64_t virtq_used_bytes(uint32_t size);

#endif
