/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the walk over a split virtqueue, ring.c and chain.c, with a guest that writes into
 * its memory between any two steps of the device. Popped chains are compared with a second reading
 * of section 2.7.5, which knows nothing of pieces, pointers and copies.
 */
#include "guest.h"

#define IOV_MAX_ENTRIES 24u

/* What a chain means: its buffers one after the other, empty ones left out. */
struct meaning {
	bool moved; /* the ring's own wishes to the driver are in a descriptor of it */
	uint32_t count;
	uint32_t pieces; /* at most so many entries */
	uint64_t readable_bytes, writable_bytes;
	struct virtq_desc buffers[GUEST_QUEUE_MAX];
};

/* Pieces of RAM that a buffer has; 0: not all of it is RAM. */
static uint32_t pieces(uint64_t gpa, uint64_t bytes)
{
	uint32_t count = 0;

	while (bytes) {
		uint64_t here;

		if (!guest_at(gpa, &here))
			return 0;
		here = here < bytes ? here : bytes;
		gpa += here;
		bytes -= here;
		count++;
	}
	return count;
}

/* Adds a buffer to the meaning; false: the chain cannot be used with it. */
static bool add(struct meaning *meaning, const struct virtq_desc *desc, bool writable_seen)
{
	if (!(desc->flags & DESC_WRITE) && writable_seen)
		return false;
	if (desc->addr + desc->len < desc->addr)
		return false;
	if (desc->len && !pieces(desc->addr, desc->len))
		return false;
	meaning->pieces += pieces(desc->addr, desc->len);
	if (desc->flags & DESC_WRITE)
		meaning->writable_bytes += desc->len;
	else
		meaning->readable_bytes += desc->len;
	if (desc->len)
		meaning->buffers[meaning->count++] = *desc;
	return meaning->readable_bytes + meaning->writable_bytes <= UINT32_MAX;
}

/* Whether `field`, a 16 bit one, has a part in the descriptor at `desc`. */
static bool overlaps(const void *field, const void *desc)
{
	return (uintptr_t)field + 2 > (uintptr_t)desc &&
	       (uintptr_t)field < (uintptr_t)desc + sizeof(struct virtq_desc);
}

/* The driver may have laid its used ring over its descriptors. Then those that hold the fields that
 * a pop writes are not now what they were when the ring read them. */
static bool read_desc(const struct virtq *q, const uint8_t *table, uint32_t entries, uint32_t index,
	struct meaning *meaning, struct virtq_desc *ret_desc)
{
	if (index >= entries)
		return false;
	table += (size_t)index * sizeof(*ret_desc);
	memcpy(ret_desc, table, sizeof(*ret_desc));
	meaning->moved |= overlaps(&q->used->flags, table) || overlaps(q->avail_event, table);
	return true;
}

static bool understand(const struct virtq *q, uint32_t head, struct meaning *meaning)
{
	const uint8_t *table = q->source.table;
	uint32_t entries = q->size;
	uint32_t index = head;
	bool writable_seen = false;
	bool in_table = false;

	for (uint32_t steps = 0; steps < GUEST_QUEUE_MAX;) {
		struct virtq_desc desc;
		uint64_t bytes;

		if (!read_desc(q, table, entries, index, meaning, &desc))
			return false;
		if (desc.flags & DESC_INDIRECT) {
			table = guest_at(desc.addr, &bytes);
			if (!q->source.indirect || in_table || desc.flags & DESC_NEXT ||
				!desc.len || desc.len % 16 || desc.len / 16 > GUEST_QUEUE_MAX ||
				!table || bytes < desc.len)
				return false;
			entries = desc.len / 16;
			index = 0;
			in_table = true;
			continue;
		}
		if (!add(meaning, &desc, writable_seen))
			return false;
		writable_seen = desc.flags & DESC_WRITE;
		if (!(desc.flags & DESC_NEXT))
			return true;
		index = desc.next;
		steps++;
	}
	return false;
}

/* The chain has the bytes of the buffers, in their order. */
static void compare(const struct vmm_virtio_chain *chain, const struct meaning *meaning)
{
	uint32_t entry = 0;
	uint64_t done = 0;

	FUZZ_CHECK(chain->readable_bytes == meaning->readable_bytes);
	FUZZ_CHECK(chain->writable_bytes == meaning->writable_bytes);
	for (uint32_t i = 0; i < meaning->count; i++) {
		uint64_t gpa = meaning->buffers[i].addr;
		uint64_t left = meaning->buffers[i].len;

		while (left) {
			const struct vmm_iovec *iov = &chain->iov[entry];
			bool writable = entry >= chain->readable;
			uint64_t here;
			uint8_t *at = guest_at(gpa, &here);

			here = here < left ? here : left;
			FUZZ_CHECK((uint8_t *)iov->base + done == at);
			FUZZ_CHECK(here <= iov->bytes - done);
			FUZZ_CHECK(writable == !!(meaning->buffers[i].flags & DESC_WRITE));
			gpa += here;
			left -= here;
			done += here;
			if (done == iov->bytes) {
				done = 0;
				entry++;
			}
		}
	}
	FUZZ_CHECK(entry == chain->readable + chain->writable);
}

/* The device: what it holds, as the test sees it. */
struct device {
	struct virtq q;
	struct vmm_iovec iov[IOV_MAX_ENTRIES];
	struct vmm_virtio_chain chain;
	uint32_t held[GUEST_QUEUE_MAX];
	uint64_t held_writable[GUEST_QUEUE_MAX];
	uint32_t held_count;
	uint32_t pushed; /* not shown yet */
	uint32_t shown;  /* since the last flush */
	uint32_t taken;  /* since the last refill */
};

static void held_drop(struct device *d, uint32_t index)
{
	d->held_count--;
	d->held[index] = d->held[d->held_count];
	d->held_writable[index] = d->held_writable[d->held_count];
}

/* Chains that the ring gave back by itself since it had `first` of them: none was good. */
static void check_unusable(struct device *d, uint32_t first)
{
	for (uint32_t i = first; i < d->q.pushed_count; i++) {
		struct meaning meaning = {0};

		FUZZ_CHECK(d->q.pushed[i].len == 0);
		FUZZ_CHECK(!understand(&d->q, d->q.pushed[i].id, &meaning) || meaning.moved ||
			   meaning.pieces > d->chain.iov_max);
		d->pushed++;
		d->taken++;
	}
	FUZZ_CHECK(first == d->q.pushed_count || d->q.complaint);
	d->q.complaint = NULL;
}

static void fill(const struct vmm_virtio_chain *chain)
{
	for (uint32_t i = chain->readable; i < chain->readable + chain->writable; i++)
		if (guest_writable(chain->iov[i].base))
			memset(chain->iov[i].base, 0x5a, chain->iov[i].bytes);
}

static void pop(struct device *d)
{
	struct meaning meaning = {0};
	uint32_t pushed = d->q.pushed_count;
	int32_t ret;

	memset(d->iov, 0, sizeof(d->iov));
	ret = virtq_pop(&d->q, &d->chain);
	FUZZ_CHECK(ret == 0 || ret == 1);
	check_unusable(d, pushed);
	d->taken += (uint32_t)ret;
	if (d->q.broken) {
		FUZZ_CHECK(!ret);
		return;
	}
	FUZZ_CHECK(d->taken <= d->q.size);
	FUZZ_CHECK((uint16_t)(d->q.seen_avail - d->q.next_avail) <= d->q.size);
	/* Who finds nothing is told when there is something. */
	FUZZ_CHECK(ret || d->q.starved || d->q.listening || d->q.unasked);
	if (!ret)
		return;
	FUZZ_CHECK(d->chain.id < d->q.size && d->held_count < d->q.size);
	for (uint32_t i = 0; i < d->held_count; i++)
		FUZZ_CHECK(d->held[i] != d->chain.id);
	guest_chain_check(&d->chain);
	FUZZ_CHECK(understand(&d->q, d->chain.id, &meaning));
	compare(&d->chain, &meaning);
	fill(&d->chain);
	d->held[d->held_count] = d->chain.id;
	d->held_writable[d->held_count++] = d->chain.writable_bytes;
}

static void push(struct device *d, struct fuzz_input *in)
{
	uint32_t which = fuzz_u8(in);
	uint64_t written = fuzz_number(in);
	int32_t ret;

	if (!d->held_count) {
		FUZZ_CHECK(virtq_push(&d->q, which, written) == VMM_E_INVAL);
		return;
	}
	which %= d->held_count;
	ret = virtq_push(&d->q, d->held[which], written);
	FUZZ_CHECK(ret == (written <= d->held_writable[which] ? 0 : VMM_E_INVAL));
	if (ret)
		return;
	FUZZ_CHECK(virtq_push(&d->q, d->held[which], 0) == VMM_E_INVAL);
	held_drop(d, which);
	d->pushed++;
}

static void unpop(struct device *d)
{
	uint32_t last = d->held_count - 1;

	if (!d->held_count)
		return;
	FUZZ_CHECK(virtq_unpop(&d->q, d->held[last]) == 0);
	FUZZ_CHECK(virtq_unpop(&d->q, d->held[last]) == VMM_E_INVAL);
	held_drop(d, last);
}

/* What was pushed is in the used ring now, which had `before` entries. */
static void check_shown(struct device *d, uint16_t before)
{
	if (d->q.broken || !d->pushed) {
		FUZZ_CHECK(d->q.next_used == before);
		return;
	}
	FUZZ_CHECK((uint16_t)(d->q.next_used - before) == d->pushed);
	FUZZ_CHECK(d->q.used->idx == d->q.next_used);
	while (before != d->q.next_used)
		FUZZ_CHECK(d->q.used->ring[before++ & (d->q.size - 1)].id < d->q.size);
	d->shown += d->pushed;
	d->pushed = 0;
}

static void show(struct device *d)
{
	uint16_t before = d->q.next_used;

	if (d->shown + d->pushed > 32768)
		return; /* its caller flushes before */
	virtq_show(&d->q);
	check_shown(d, before);
}

static void flush(struct device *d)
{
	uint16_t before = d->q.next_used;
	bool interrupt = virtq_flush(&d->q);

	check_shown(d, before);
	FUZZ_CHECK(!interrupt || d->shown);
	d->shown = 0;
}

/* Who asks the driver to notify, and when. */
static void look(struct device *d, uint8_t how)
{
	bool more;

	d->q.ask_later = how & 1;
	d->q.unasked = false;
	more = how & 2 ? virtq_waiting(&d->q) : virtq_listen(&d->q);
	FUZZ_CHECK(!more || !d->q.broken);
	FUZZ_CHECK(how & 2 || d->q.listening || d->q.broken);
}

/* Any place but one that this target cannot write. */
static uint64_t area_gpa(struct fuzz_input *in)
{
	uint64_t gpa = guest_gpa(in);
	uint64_t bytes;
	uint8_t *at = guest_at(gpa, &bytes);

	return at && !guest_writable(at) ? GUEST_HOLE_GPA : gpa;
}

/* The driver resets the device and sets the queue up anew, maybe wrongly. */
static void restart(struct device *d, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	struct virtq_setup setup = {
		.size = 1u << (how & 7),
		.desc = {GUEST_DESC_GPA(0)},
		.avail = {GUEST_AVAIL_GPA(0)},
		.used = {GUEST_USED_GPA(0)},
		.event_idx = how & 0x08,
		.indirect = how & 0x10,
	};
	uint64_t bytes;
	bool right = setup.size <= GUEST_QUEUE_MAX;

	if (how & 0x20)
		setup.next_avail = fuzz_u16(in);
	if (how & 0x40) {
		setup.size = fuzz_u16(in);
		setup.desc.value = area_gpa(in);
		setup.avail.value = area_gpa(in);
		setup.used.value = area_gpa(in);
		right = setup.size && setup.size <= GUEST_QUEUE_MAX &&
			!(setup.size & (setup.size - 1)) && setup.desc.value % 16 == 0 &&
			setup.avail.value % 2 == 0 && setup.used.value % 4 == 0 &&
			guest_at(setup.desc.value, &bytes) && bytes >= 16 * setup.size &&
			guest_at(setup.avail.value, &bytes) && bytes >= 6 + 2 * setup.size &&
			guest_at(setup.used.value, &bytes) && bytes >= 6 + 8 * setup.size;
	}
	FUZZ_CHECK(!virtq_start(&d->q, guest_ram(true), &setup) == right);
	FUZZ_CHECK(!d->q.broken == right && virtq_idle(&d->q));
	guest_avail(0, 1, setup.next_avail, 0, 0);
	d->held_count = d->pushed = d->shown = d->taken = 0;
}

/* A back end in the kernel has the ring for a while. */
static void give_and_take(struct device *d, struct fuzz_input *in)
{
	uint16_t next = fuzz_u16(in);

	if (d->q.broken || !virtq_idle(&d->q))
		return;
	FUZZ_CHECK(!d->held_count && !d->pushed);
	virtq_resume(&d->q, next);
	d->taken = d->shown = 0;
}

static void scribble(struct fuzz_input *in)
{
	uint64_t bytes;
	uint8_t *at = guest_at(guest_gpa(in), &bytes);
	uint8_t value = fuzz_u8(in);

	if (at && guest_writable(at))
		*at = value;
}

static void step(struct device *d, struct fuzz_input *in)
{
	switch (fuzz_below(in, 15)) {
	case 0:
		guest_desc_fill(in, 0, false);
		break;
	case 1:
		guest_desc_fill(in, 0, true);
		break;
	case 2:
		guest_offer(0, d->q.size ? d->q.size : 1, fuzz_u8(in));
		break;
	case 3:
		guest_avail(0, GUEST_QUEUE_MAX, fuzz_u16(in), fuzz_u8(in), fuzz_u16(in));
		break;
	case 4:
	case 5:
		pop(d);
		break;
	case 6:
		push(d, in);
		break;
	case 7:
		unpop(d);
		break;
	case 8:
		flush(d);
		break;
	case 9:
		virtq_refill(&d->q);
		d->taken = 0;
		break;
	case 10:
		restart(d, in);
		break;
	case 11:
		give_and_take(d, in);
		break;
	case 12:
		show(d);
		break;
	case 13:
		look(d, fuzz_u8(in));
		break;
	default:
		scribble(in);
		break;
	}
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	struct device d = {.chain = {.struct_size = sizeof(d.chain), .iov_max = IOV_MAX_ENTRIES}};

	d.chain.iov = d.iov;
	d.chain.iov_max = 1 + fuzz_below(&in, IOV_MAX_ENTRIES);
	guest_ram(true);
	guest_queue_start(&d.q, 0, 8, GUEST_INDIRECT);
	while (in.left)
		step(&d, &in);
	virtq_fini(&d.q);
	return 0;
}
