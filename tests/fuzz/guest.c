/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See guest.h. The ranges are allocated one by one, so that they are not neighbours here, and the
 * address sanitizer sees a step over the end of one. They are kept from run to run.
 */
#include <sys/mman.h>

#include "guest.h"

static struct vmm_ram_range ranges[] = {
	{{0}, GUEST_LOW_BYTES, NULL},
	{{GUEST_NEXT_GPA}, GUEST_NEXT_BYTES, NULL},
	{{GUEST_HIGH_GPA}, GUEST_HIGH_BYTES, NULL},
	{{GUEST_HUGE_GPA}, GUEST_HUGE_BYTES, NULL},
};

static const struct vmm_ram_range *const huge_range = &ranges[3];

static struct ram_map ram = {ranges, 0};

static void *allocate(uint64_t bytes)
{
	void *base;

	if (bytes != GUEST_HUGE_BYTES)
		return malloc(bytes);
	base = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return base == MAP_FAILED ? NULL : base;
}

const struct ram_map *guest_ram(bool huge)
{
	ram.count = huge ? 4 : 3;
	for (uint32_t i = 0; i < ram.count; i++) {
		if (!ranges[i].base)
			ranges[i].base = allocate(ranges[i].bytes);
		if (!ranges[i].base)
			abort();
		if (guest_writable(ranges[i].base))
			memset(ranges[i].base, 0, ranges[i].bytes);
	}
	return &ram;
}

bool guest_writable(const uint8_t *at)
{
	const uint8_t *base = huge_range->base;

	return !base || at < base || at >= base + huge_range->bytes;
}

uint8_t *guest_at(uint64_t gpa, uint64_t *ret_bytes)
{
	for (uint32_t i = 0; i < ram.count; i++) {
		if (gpa < ranges[i].gpa.value || gpa - ranges[i].gpa.value >= ranges[i].bytes)
			continue;
		*ret_bytes = ranges[i].bytes - (gpa - ranges[i].gpa.value);
		return (uint8_t *)ranges[i].base + (gpa - ranges[i].gpa.value);
	}
	return NULL;
}

static void *in_low(uint64_t gpa)
{
	return (uint8_t *)ranges[0].base + gpa;
}

uint64_t guest_gpa(struct fuzz_input *in)
{
	static const uint64_t edges[] = {0, GUEST_TABLE_GPA(0), GUEST_NEXT_GPA, GUEST_HOLE_GPA,
		GUEST_HUGE_GPA, GUEST_HUGE_GPA + GUEST_HUGE_BYTES, GUEST_HIGH_GPA};
	uint32_t kind = fuzz_u8(in);

	if (kind < 0x80) /* disjoint buffers of a good driver */
		return GUEST_BUFFERS_GPA + kind * 0x40;
	if (kind < 0xf0)
		return edges[kind % 7] + (uint64_t)(int64_t)(int8_t)fuzz_u8(in);
	return fuzz_u64(in);
}

void guest_desc_fill(struct fuzz_input *in, uint32_t q, bool indirect)
{
	uint64_t table = indirect ? GUEST_TABLE_GPA(q) : GUEST_DESC_GPA(q);
	uint32_t first = fuzz_below(in, GUEST_QUEUE_MAX);
	uint32_t count = 1 + fuzz_below(in, GUEST_QUEUE_MAX);

	for (uint32_t i = first; i < first + count && i < GUEST_QUEUE_MAX; i++) {
		uint32_t how = fuzz_u8(in);
		struct virtq_desc desc = {
			.addr = guest_gpa(in),
			.len = (uint32_t)fuzz_number(in),
			.flags = how & (DESC_NEXT | DESC_WRITE | DESC_INDIRECT),
			.next = (uint16_t)(i + 1),
		};

		if (i + 1 < first + count)
			desc.flags |= DESC_NEXT;
		if (how & 0x08)
			desc.next = fuzz_u16(in);
		if (how & 0x10)
			desc.len &= ~0xfu;
		if (desc.flags & DESC_INDIRECT && how & 0x20)
			desc.addr = GUEST_TABLE_GPA(q);
		if (desc.flags & DESC_INDIRECT && how & 0x40)
			desc.flags &= (uint16_t)~DESC_NEXT;
		memcpy(in_low(table + i * sizeof(desc)), &desc, sizeof(desc));
	}
}

void guest_offer(uint32_t q, uint32_t size, uint16_t head)
{
	struct virtq_avail *avail = in_low(GUEST_AVAIL_GPA(q));

	avail->ring[avail->idx & (size - 1)] = head;
	avail->idx++;
}

void guest_avail(uint32_t q, uint32_t size, uint16_t index, uint16_t flags, uint16_t used_event)
{
	struct virtq_avail *avail = in_low(GUEST_AVAIL_GPA(q));

	avail->idx = index;
	avail->flags = flags;
	avail->ring[size] = used_event;
}

void guest_queue_start(struct virtq *q, uint32_t number, uint32_t size, uint32_t how)
{
	const struct virtq_setup setup = {
		.size = size,
		.desc = {GUEST_DESC_GPA(number)},
		.avail = {GUEST_AVAIL_GPA(number)},
		.used = {GUEST_USED_GPA(number)},
		.indirect = how & GUEST_INDIRECT,
		.event_idx = how & GUEST_EVENT_IDX,
	};

	if (virtq_init(q, GUEST_QUEUE_MAX))
		abort();
	FUZZ_CHECK(!virtq_start(q, &ram, &setup));
}

static bool is_ram(const struct vmm_iovec *entry)
{
	for (uint32_t i = 0; i < ram.count; i++) {
		uint64_t offset = (uint64_t)((uint8_t *)entry->base - (uint8_t *)ranges[i].base);

		if (offset < ranges[i].bytes && entry->bytes <= ranges[i].bytes - offset)
			return true;
	}
	return false;
}

void guest_chain_check(const struct vmm_virtio_chain *chain)
{
	uint64_t readable = 0;
	uint64_t writable = 0;

	FUZZ_CHECK((uint64_t)chain->readable + chain->writable <= chain->iov_max);
	for (uint32_t i = 0; i < chain->readable + chain->writable; i++) {
		uint64_t bytes = chain->iov[i].bytes;

		FUZZ_CHECK(bytes > 0 && is_ram(&chain->iov[i]));
		if (i < chain->readable)
			readable += bytes;
		else
			writable += bytes;
	}
	FUZZ_CHECK(readable == chain->readable_bytes && writable == chain->writable_bytes);
	FUZZ_CHECK(readable <= UINT32_MAX && writable <= UINT32_MAX - readable);
}
