/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's memory with a virtqueue or two in it, filled from an input: for targets that take the
 * ring code, or a device's parser behind it, without a host around them. One at a time.
 */
#ifndef TEST_FUZZ_GUEST_H
#define TEST_FUZZ_GUEST_H

#include <stdbool.h>

#include "fuzz.h"
#include "ring.h"

/*
 * RAM: two ranges that are adjacent for the guest only, one at the very end of the address space,
 * and, for who asks for it, one of more than 4 GiB that can be read but not written.
 */
#define GUEST_LOW_BYTES  0x4000u
#define GUEST_NEXT_GPA   GUEST_LOW_BYTES
#define GUEST_NEXT_BYTES 0x1000u
#define GUEST_HOLE_GPA   (GUEST_NEXT_GPA + GUEST_NEXT_BYTES)
#define GUEST_HUGE_GPA   (1ull << 40)
#define GUEST_HUGE_BYTES (5ull << 30)
#define GUEST_HIGH_BYTES 0x1000u
#define GUEST_HIGH_GPA   (0 - (uint64_t)GUEST_HIGH_BYTES)

/* Where a driver that knows what it does puts the parts of queue number `q`, 0 or 1. */
#define GUEST_DESC_GPA(q)  ((q)*0x800u)
#define GUEST_AVAIL_GPA(q) ((q)*0x800u + 0x200u)
#define GUEST_USED_GPA(q)  ((q)*0x800u + 0x280u)
#define GUEST_TABLE_GPA(q) ((q)*0x800u + 0x400u) /* an indirect one */
#define GUEST_BUFFERS_GPA  0x1000u

#define GUEST_QUEUE_MAX 32u

/** RAM as the ring code wants it, all zero; with the huge range or without. */
const struct ram_map *guest_ram(bool huge);

/** Pointer to guest memory, or NULL; *ret_bytes are in one piece there. */
uint8_t *guest_at(uint64_t gpa, uint64_t *ret_bytes);

/** False for what may not be written. */
bool guest_writable(const uint8_t *at);

/** An address: often in RAM, at an edge of it, or in a hole. */
uint64_t guest_gpa(struct fuzz_input *in);

/** Descriptors from the input, often a chain, into the table of queue q, or into its indirect one.
 */
void guest_desc_fill(struct fuzz_input *in, uint32_t q, bool indirect);

/** Puts a head into the available ring of a queue of that size and moves its index on. */
void guest_offer(uint32_t q, uint32_t size, uint16_t head);

/** Sets the index of the available ring, its flags, and used_event of a queue of that size. */
void guest_avail(uint32_t q, uint32_t size, uint16_t index, uint16_t flags, uint16_t used_event);

/** Makes a queue that is started on the places above, in memory that guest_ram() gave. */
void guest_queue_start(struct virtq *q, uint32_t number, uint32_t size, uint32_t how);
#define GUEST_INDIRECT  0x1u
#define GUEST_EVENT_IDX 0x2u

/** Every entry of a popped chain is RAM, and its sums are right. */
void guest_chain_check(const struct vmm_virtio_chain *chain);

#endif
