/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue in made-up RAM for the unit tests of ring.c and chain.c: the driver's side by hand, with
 * nothing between it and the code under test.
 */
#ifndef TEST_RING_FIXTURE_H
#define TEST_RING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

/* RAM: two ranges that are adjacent for the guest only, a hole, and one far above. */
#define LOW_BYTES   0x200000u
#define NEXT_GPA    LOW_BYTES
#define NEXT_BYTES  0x10000u
#define HOLE_GPA    (NEXT_GPA + NEXT_BYTES)
#define HIGH_GPA    0x100000000ull
#define HIGH_BYTES  0x10000u
#define DESC_GPA    0x10000u
#define AVAIL_GPA   0x100000u
#define USED_GPA    0x140000u
#define BUFFER_GPA  0x1000u
#define TABLE_GPA   0x8000u
#define IOV_ENTRIES 64u
#define PAGE_BYTES  4096u

struct ring_fixture {
	struct vmm_ram_range ranges[3];
	struct ram_map ram;
	struct virtq q;
	struct virtq_setup setup;
	uint16_t avail_idx;
	struct vmm_iovec iov[IOV_ENTRIES];
	struct vmm_virtio_chain chain;
};

static inline void *at(struct ring_fixture *f, uint64_t gpa)
{
	uint64_t bytes;
	void *base = ram_piece(&f->ram, (vmm_gpa){gpa}, &bytes);

	assert_non_null(base);
	return base;
}

static inline struct ring_fixture *ring_make(uint32_t size, uint32_t size_max)
{
	struct ring_fixture *f = calloc(1, sizeof(*f));

	/* On pages of its own, which a test may protect. */
	f->ranges[0] = (struct vmm_ram_range){{0}, LOW_BYTES, aligned_alloc(PAGE_BYTES, LOW_BYTES)};
	memset(f->ranges[0].base, 0, LOW_BYTES);
	f->ranges[1] = (struct vmm_ram_range){{NEXT_GPA}, NEXT_BYTES, calloc(1, NEXT_BYTES)};
	f->ranges[2] = (struct vmm_ram_range){{HIGH_GPA}, HIGH_BYTES, calloc(1, HIGH_BYTES)};
	f->ram = (struct ram_map){f->ranges, 3};
	f->setup = (struct virtq_setup){.size = size,
		.desc = {DESC_GPA},
		.avail = {AVAIL_GPA},
		.used = {USED_GPA},
		.indirect = true};
	f->chain = (struct vmm_virtio_chain){
		.struct_size = sizeof(f->chain), .iov = f->iov, .iov_max = IOV_ENTRIES};
	assert_int_equal(virtq_init(&f->q, size_max), 0);
	return f;
}

/* A started queue of `size` without the event index. */
static inline struct ring_fixture *ring_start(uint32_t size)
{
	struct ring_fixture *f = ring_make(size, size);

	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	return f;
}

static inline struct ring_fixture *ring_start_event_idx(uint32_t size)
{
	struct ring_fixture *f = ring_make(size, size);

	f->setup.event_idx = true;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	return f;
}

static inline void ring_end(struct ring_fixture *f)
{
	virtq_fini(&f->q);
	for (int i = 0; i < 3; i++)
		free(f->ranges[i].base);
	free(f);
}

static inline void desc_in(struct ring_fixture *f, uint64_t table, uint32_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next)
{
	const struct virtq_desc desc = {addr, len, flags, next};

	memcpy((char *)at(f, table) + index * sizeof(desc), &desc, sizeof(desc));
}

static inline void desc(struct ring_fixture *f, uint32_t index, uint64_t addr, uint32_t len,
	uint16_t flags, uint16_t next)
{
	desc_in(f, DESC_GPA, index, addr, len, flags, next);
}

static inline void set_avail_idx(struct ring_fixture *f, uint16_t idx)
{
	f->avail_idx = idx;
	((struct virtq_avail *)at(f, AVAIL_GPA))->idx = idx;
}

static inline void offer(struct ring_fixture *f, uint16_t head)
{
	struct virtq_avail *avail = at(f, AVAIL_GPA);

	avail->ring[f->avail_idx & (f->setup.size - 1)] = head;
	set_avail_idx(f, (uint16_t)(f->avail_idx + 1));
}

static inline struct virtq_used *used_ring(struct ring_fixture *f)
{
	return at(f, USED_GPA);
}

static inline int pop(struct ring_fixture *f)
{
	return virtq_pop(&f->q, &f->chain);
}

/* One writable buffer of 16 bytes in each descriptor. */
static inline void fill_table(struct ring_fixture *f)
{
	for (uint32_t i = 0; i < f->setup.size; i++)
		desc(f, i, BUFFER_GPA + (i % 64) * 16, 16, DESC_WRITE, 0);
}

static inline void pop_and_push(struct ring_fixture *f, uint32_t id)
{
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.id, id);
	assert_int_equal(virtq_push(&f->q, id, 16), 0);
}

/* Offers head 0 and expects that it comes back unused, and the queue goes on: a good chain that
 * follows is popped. (Response C.) */
static inline void expect_unusable(struct ring_fixture *f)
{
	uint16_t before = used_ring(f)->idx;
	uint16_t place = before & (uint16_t)(f->setup.size - 1);
	uint16_t good = (uint16_t)(f->setup.size - 1);

	virtq_refill(&f->q);
	offer(f, 0);
	assert_int_equal(pop(f), 0);
	assert_null(f->q.broken);
	assert_non_null(f->q.complaint);
	f->q.complaint = NULL;
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->idx, (uint16_t)(before + 1));
	assert_int_equal(used_ring(f)->ring[place].id, 0);
	assert_int_equal(used_ring(f)->ring[place].len, 0);

	desc(f, good, BUFFER_GPA, 16, DESC_WRITE, 0);
	offer(f, good);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.id, good);
	assert_int_equal(virtq_push(&f->q, good, 16), 0);
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->idx, (uint16_t)(before + 2));
}

/* Expects that the ring is not trusted any more, and that a new start revives it. (Response D.) */
static inline void expect_broken(struct ring_fixture *f)
{
	uint16_t before = used_ring(f)->idx;

	assert_int_equal(pop(f), 0);
	assert_non_null(f->q.broken);
	assert_int_equal(pop(f), 0);
	assert_false(virtq_waiting(&f->q) || virtq_listen(&f->q) || f->q.listening);
	assert_false(virtq_flush(&f->q));
	assert_int_equal(used_ring(f)->idx, before);

	memset(at(f, AVAIL_GPA), 0, virtq_avail_bytes(f->setup.size));
	memset(at(f, USED_GPA), 0, virtq_used_bytes(f->setup.size));
	f->avail_idx = 0;
	assert_null(virtq_start(&f->q, &f->ram, &f->setup));
	desc(f, 0, BUFFER_GPA, 16, DESC_WRITE, 0);
	offer(f, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(virtq_push(&f->q, 0, 16), 0);
	virtq_flush(&f->q);
	assert_int_equal(used_ring(f)->idx, 1);
}

#endif
