/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue (virtio 1.2, 2.7) in fake guest memory: descriptors,
 * available ring, used ring. Indexes are atomics because the device's loop may have a thread.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

#include <vmm/testkit/virtio_driver.h>

#define EVENT_IDX       (1ull << 29)
#define DESC_BYTES      16u
#define USED_NO_NOTIFY  1u
#define INDIRECT_USUAL  32u /* entries of a table that is kept; longer ones are made anew */
#define AVAIL_INDEX     2u
#define AVAIL_RING      4u
#define USED_RING       4u
#define USED_ELEM_BYTES 8u
#define WAIT_MS         5000u

static void *ram(struct fake_virtio *driver, uint64_t gpa, uint64_t bytes)
{
	void *base = fake_ram(driver->host, gpa, bytes);

	if (!base)
		fake_fail("the driver's memory at 0x%llx is not RAM", (unsigned long long)gpa);
	return base;
}

static uint16_t load(struct fake_virtio *driver, uint64_t gpa)
{
	const uint16_t *at = ram(driver, gpa, 2);

	return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static void store(struct fake_virtio *driver, uint64_t gpa, uint16_t value)
{
	uint16_t *at = ram(driver, gpa, 2);

	__atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

uint64_t fake_virtio_alloc(struct fake_virtio *driver, uint64_t bytes, uint64_t align)
{
	uint64_t gpa = (driver->ram_next + align - 1) / align * align;

	if (gpa + bytes > driver->ram_end)
		fake_fail("the fake virtio driver has no memory left");
	driver->ram_next = gpa + bytes;
	memset(ram(driver, gpa, bytes), 0, bytes);
	return gpa;
}

uint64_t fake_virtio_put(struct fake_virtio *driver, const void *data, uint64_t bytes)
{
	uint64_t gpa = fake_virtio_alloc(driver, bytes, 1);

	memcpy(ram(driver, gpa, bytes), data, bytes);
	return gpa;
}

void fake_virtio_desc_at(struct fake_virtio *driver, uint64_t table, uint32_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next)
{
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags;
		uint16_t next;
	} desc = {addr, len, flags, next};

	memcpy(ram(driver, table + (uint64_t)index * DESC_BYTES, DESC_BYTES), &desc, sizeof(desc));
}

void fake_virtio_desc(struct fake_virtio *driver, uint32_t queue, uint32_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next)
{
	fake_virtio_desc_at(driver, driver->queues[queue].desc, index, addr, len, flags, next);
}

void fake_virtio_avail(struct fake_virtio *driver, uint32_t queue, uint16_t head)
{
	struct fake_virtio_queue *q = &driver->queues[queue];

	store(driver, q->avail + AVAIL_RING + 2 * (q->avail_index & (q->size - 1)), head);
	q->avail_index++;
	store(driver, q->avail + AVAIL_INDEX, q->avail_index);
}

void fake_virtio_avail_index(struct fake_virtio *driver, uint32_t queue, uint16_t index)
{
	struct fake_virtio_queue *q = &driver->queues[queue];

	q->avail_index = index;
	store(driver, q->avail + AVAIL_INDEX, index);
}

static uint16_t take_descriptor(struct fake_virtio_queue *q)
{
	uint16_t index = q->free_head;

	if (!q->free_count)
		fake_fail("the fake virtio driver has no descriptor left");
	q->free_head = q->next[index];
	q->free_count--;
	return index;
}

static uint16_t buffer_flags(const struct fake_virtio_buffer *buffer, int last)
{
	return (uint16_t)((buffer->write ? FAKE_VIRTIO_WRITE : 0) | (last ? 0 : FAKE_VIRTIO_NEXT));
}

static uint16_t add_indirect(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count)
{
	struct fake_virtio_queue *q = &driver->queues[queue];
	uint16_t head = take_descriptor(q);
	uint64_t table;

	if (!q->indirect)
		q->indirect = fake_virtio_alloc(
			driver, (uint64_t)q->size * INDIRECT_USUAL * DESC_BYTES, DESC_BYTES);
	table = q->indirect + (uint64_t)head * INDIRECT_USUAL * DESC_BYTES;
	if (count > INDIRECT_USUAL)
		table = fake_virtio_alloc(driver, (uint64_t)count * DESC_BYTES, DESC_BYTES);
	for (uint32_t i = 0; i < count; i++)
		fake_virtio_desc_at(driver, table, i, buffers[i].gpa, buffers[i].bytes,
			buffer_flags(&buffers[i], i + 1 == count), (uint16_t)(i + 1));
	fake_virtio_desc(driver, queue, head, table, count * DESC_BYTES, FAKE_VIRTIO_INDIRECT, 0);
	q->length[head] = 1;
	return head;
}

static uint16_t add_direct(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count)
{
	struct fake_virtio_queue *q = &driver->queues[queue];
	uint16_t head = q->free_head;
	uint16_t index = 0;

	for (uint32_t i = 0; i < count; i++) {
		index = take_descriptor(q);
		fake_virtio_desc(driver, queue, index, buffers[i].gpa, buffers[i].bytes,
			buffer_flags(&buffers[i], i + 1 == count), q->free_head);
	}
	q->length[head] = (uint16_t)count;
	return head;
}

uint32_t fake_virtio_add(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count, uint32_t flags)
{
	uint16_t head = flags & FAKE_VIRTIO_ADD_INDIRECT
				? add_indirect(driver, queue, buffers, count)
				: add_direct(driver, queue, buffers, count);

	fake_virtio_avail(driver, queue, head);
	return head;
}

int fake_virtio_kick_if_wanted(struct fake_virtio *driver, uint32_t queue)
{
	struct fake_virtio_queue *q = &driver->queues[queue];
	uint16_t old = q->kicked;
	int wanted;

	if (driver->features & EVENT_IDX)
		wanted = (uint16_t)(q->avail_index - fake_virtio_avail_event(driver, queue) - 1) <
			 (uint16_t)(q->avail_index - old);
	else
		wanted = !(fake_virtio_used_flags(driver, queue) & USED_NO_NOTIFY);
	q->kicked = q->avail_index;
	if (wanted)
		fake_virtio_kick(driver, queue);
	return wanted;
}

/* Gives the descriptors of a chain back to the free list. */
static void free_chain(struct fake_virtio_queue *q, uint32_t head)
{
	uint16_t last = (uint16_t)head;
	uint16_t count = q->length[head];

	if (!count)
		return;
	for (uint16_t i = 1; i < count; i++)
		last = q->next[last];
	q->next[last] = q->free_head;
	q->free_head = (uint16_t)head;
	q->free_count = (uint16_t)(q->free_count + count);
	q->length[head] = 0;
}

int fake_virtio_reap(
	struct fake_virtio *driver, uint32_t queue, uint32_t *ret_head, uint32_t *ret_bytes)
{
	struct fake_virtio_queue *q = &driver->queues[queue];
	uint32_t elem[2];

	if (fake_virtio_used_index(driver, queue) == q->used_index)
		return 0;
	memcpy(elem,
		ram(driver, q->used + USED_RING + USED_ELEM_BYTES * (q->used_index & (q->size - 1)),
			sizeof(elem)),
		sizeof(elem));
	if (elem[0] >= q->size)
		fake_fail("the device used descriptor %u, there are %u", elem[0], q->size);
	q->used_index++;
	/* As Linux does: an interrupt for the next one is wanted. */
	if (driver->features & EVENT_IDX)
		fake_virtio_set_used_event(driver, queue, q->used_index);
	free_chain(q, elem[0]);
	if (ret_head)
		*ret_head = elem[0];
	if (ret_bytes)
		*ret_bytes = elem[1];
	return 1;
}

struct wait {
	struct fake_virtio *driver;
	uint32_t queue;
};

static int something_used(void *ctx)
{
	const struct wait *wait = ctx;

	return fake_virtio_used_index(wait->driver, wait->queue) !=
	       wait->driver->queues[wait->queue].used_index;
}

uint32_t fake_virtio_wait(struct fake_virtio *driver, uint32_t queue, uint32_t *ret_head)
{
	struct wait wait = {driver, queue};
	uint32_t bytes = 0;

	if (!fake_run_until(driver->host, something_used, &wait, WAIT_MS))
		fake_fail("queue %u: nothing was used in %u ms", queue, WAIT_MS);
	fake_virtio_reap(driver, queue, ret_head, &bytes);
	return bytes;
}

uint32_t fake_virtio_request(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count)
{
	fake_virtio_add(driver, queue, buffers, count, 0);
	fake_virtio_kick(driver, queue);
	return fake_virtio_wait(driver, queue, NULL);
}

void fake_virtio_set_avail_flags(struct fake_virtio *driver, uint32_t queue, uint16_t flags)
{
	store(driver, driver->queues[queue].avail, flags);
}

void fake_virtio_set_used_event(struct fake_virtio *driver, uint32_t queue, uint16_t event)
{
	const struct fake_virtio_queue *q = &driver->queues[queue];

	store(driver, q->avail + AVAIL_RING + 2 * (uint64_t)q->size, event);
}

uint16_t fake_virtio_used_index(struct fake_virtio *driver, uint32_t queue)
{
	return load(driver, driver->queues[queue].used + 2);
}

uint16_t fake_virtio_used_flags(struct fake_virtio *driver, uint32_t queue)
{
	return load(driver, driver->queues[queue].used);
}

uint16_t fake_virtio_avail_event(struct fake_virtio *driver, uint32_t queue)
{
	const struct fake_virtio_queue *q = &driver->queues[queue];

	return load(driver, q->used + USED_RING + USED_ELEM_BYTES * (uint64_t)q->size);
}
