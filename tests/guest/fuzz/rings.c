/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of the fuzzer that are about queues: set-up, descriptors, indexes, requests that are nearly
 * right, doorbells.
 */
#include <string.h>

#include "bare.h"
#include "fuzz.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define VERSION_1    (1ull << 32)
#define RESET_READS  64u
#define DESC_BYTES   16u
#define HDR_BYTES    12u
#define SECTOR_BYTES 512u
#define DISK_ID      2u
#define CARD_ID      1u

static volatile uint16_t *word(uint64_t gpa)
{
	return fake_ram(NULL, gpa, 2);
}

static void write_desc(struct fuzz *f, const struct fake_virtio *d, uint32_t queue, uint64_t table)
{
	uint32_t size = d->queues[queue].size ? d->queues[queue].size : FUZZ_SIZE_MAX;
	uint16_t flags = (uint16_t)(fuzz_one_in(f, 16) ? fuzz_next(f) : fuzz_below(f, 8));
	uint32_t next = fuzz_one_in(f, 16) ? fuzz_below(f, 0x10000) : fuzz_below(f, size);

	fake_virtio_desc_at(f->target->drivers[0], table, fuzz_below(f, size),
		fuzz_address(f, d, queue), fuzz_length(f), flags, (uint16_t)next);
}

static void publish(const struct fake_virtio *d, uint32_t queue, uint32_t head)
{
	uint64_t avail = fuzz_queue_memory(d, queue) + FUZZ_AVAIL;
	uint32_t size = d->queues[queue].size ? d->queues[queue].size : FUZZ_SIZE_MAX;
	uint16_t index = *word(avail + 2);

	*word(avail + 4 + 2ull * (index & (size - 1))) = (uint16_t)head;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*word(avail + 2) = (uint16_t)(index + 1);
}

void fuzz_step_kick(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint32_t queue = fuzz_queue(f, d);
	const struct fake_virtio_window *n = fuzz_one_in(f, 4) ? &d->notify_more : &d->notify;

	if (d->mmio)
		fake_virtio_kick(d, queue);
	else
		fake_bar_write(&d->pci, n->bar, n->offset + (uint64_t)queue * d->notify_multiplier,
			2, queue);
}

void fuzz_step_ring(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint32_t queue = fuzz_queue(f, d);
	uint64_t memory = fuzz_queue_memory(d, queue);

	for (uint32_t i = fuzz_below(f, 8); i; i--)
		write_desc(f, d, queue, memory);
	if (fuzz_one_in(f, 4)) /* a table that descriptors of pool addresses may meet */
		write_desc(f, d, queue, memory + FUZZ_QUEUE_BYTES / 2);
	switch (fuzz_below(f, 8)) {
	case 0: /* a jump; mostly the end of the queue, so not often */
		if (fuzz_one_in(f, 8))
			*word(memory + FUZZ_AVAIL + 2) = (uint16_t)fuzz_next(f);
		break;
	case 1:
		*word(memory + FUZZ_AVAIL) = (uint16_t)fuzz_next(f);
		break;
	case 2: /* anything in the rings, used_event and avail_event among it */
		*word(memory + FUZZ_AVAIL + 4 + (fuzz_below(f, 0x800) & ~1u)) =
			(uint16_t)fuzz_next(f);
		*word(memory + FUZZ_USED + (fuzz_below(f, 0x1800) & ~1u)) = (uint16_t)fuzz_next(f);
		break;
	default:
		for (uint32_t i = fuzz_below(f, 4) + 1; i; i--)
			publish(d, queue,
				fuzz_one_in(f, 64) ? fuzz_below(f, 0x10000) : fuzz_below(f, 16));
	}
	if (!fuzz_one_in(f, 4))
		fuzz_step_kick(f);
}

/* The buffer of a chain at desc; returns its address. */
static uint64_t add_buffer(
	struct fuzz *f, uint64_t table, uint32_t desc, uint32_t bytes, uint16_t flags)
{
	uint64_t at = fuzz_address(f, f->target->drivers[0], 0);

	if (at < BARE_START || at > BARE_END - bytes)
		at = BARE_START + 0x2000000u + fuzz_below(f, 0x100000);
	fake_virtio_desc_at(
		f->target->drivers[0], table, desc, at, bytes, flags, (uint16_t)(desc + 1));
	return at;
}

static uint32_t id_of(const struct fuzz *f, const struct fake_virtio *d)
{
	return d == f->target->drivers[MACHINE_CARD]    ? CARD_ID
	       : d->queue_count == 1 && d->config.bytes ? DISK_ID
							: 0;
}

static void disk_request(struct fuzz *f, uint64_t table, uint32_t desc)
{
	static const uint8_t types[] = {0, 0, 1, 1, 4, 8, 11, 13};
	uint32_t bytes =
		fuzz_one_in(f, 4) ? fuzz_length(f) & 0xfffff : SECTOR_BYTES * fuzz_below(f, 17);
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = {types[fuzz_below(f, 8)], 0,
		fuzz_one_in(f, 8) ? fuzz_value(f) : fuzz_below(f, MACHINE_SECTORS + 2)};
	uint16_t in = header.type == 0 || header.type == 8 ? FAKE_VIRTIO_WRITE : 0;
	uint64_t at = add_buffer(f, table, desc, sizeof(header), FAKE_VIRTIO_NEXT);

	memcpy(fake_ram(NULL, at, sizeof(header)), &header, sizeof(header));
	at = add_buffer(f, table, desc + 1, bytes, (uint16_t)(in | FAKE_VIRTIO_NEXT));
	if (header.type > 8 && bytes >= 16) { /* a range */
		header.sector = fuzz_below(f, MACHINE_SECTORS);
		memcpy(fake_ram(NULL, at, 8), &header.sector, 8);
		*(volatile uint64_t *)fake_ram(NULL, at + 8, 8) = fuzz_below(f, 64);
		fake_virtio_desc_at(f->target->drivers[0], table, desc + 1, at, 16,
			FAKE_VIRTIO_NEXT, (uint16_t)(desc + 2));
	}
	add_buffer(f, table, desc + 2, 1, FAKE_VIRTIO_WRITE);
}

static void frame(struct fuzz *f, uint64_t table, uint32_t desc)
{
	uint32_t bytes = HDR_BYTES + 14 + fuzz_below(f, 1500);
	uint64_t at = add_buffer(f, table, desc, bytes, 0);
	uint8_t *header = fake_ram(NULL, at, bytes);

	if (!fuzz_one_in(f, 4))
		memset(header, 0, HDR_BYTES);
	for (uint32_t i = fuzz_below(f, 8); i; i--)
		header[fuzz_below(f, HDR_BYTES + 64)] = (uint8_t)fuzz_next(f);
	*(volatile uint16_t *)(void *)(header + HDR_BYTES + 12) = /* IPv4, ARP, IPv6 */
		fuzz_one_in(f, 3)   ? 0x0608
		: fuzz_one_in(f, 2) ? 0xdd86
				    : 0x0008;
}

/* What a driver would ask, but for a mutation now and then. */
void fuzz_step_request(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint32_t queue = fuzz_queue(f, d), desc = fuzz_below(f, 16);
	uint64_t memory = fuzz_queue_memory(d, queue), table = memory;

	if (fuzz_one_in(f, 4))
		table = memory + FUZZ_QUEUE_BYTES - 0x1000;
	if (id_of(f, d) == DISK_ID)
		disk_request(f, table, table == memory ? desc : 0);
	else if (id_of(f, d) == CARD_ID && queue & 1)
		frame(f, table, table == memory ? desc : 0);
	else
		add_buffer(f, table, table == memory ? desc : 0, fuzz_length(f) & 0xffff,
			FAKE_VIRTIO_WRITE);
	if (table != memory)
		fake_virtio_desc_at(f->target->drivers[0], memory, desc, table,
			id_of(f, d) == DISK_ID ? 3 * DESC_BYTES : DESC_BYTES, FAKE_VIRTIO_INDIRECT,
			0);
	if (fuzz_one_in(f, 8))
		write_desc(f, d, queue, table);
	publish(d, queue, desc);
	if (d->mmio)
		fake_virtio_kick(d, queue);
	else
		fake_bar_write(&d->pci, d->notify.bar,
			d->notify.offset + (uint64_t)queue * d->notify_multiplier, 2, queue);
}

static void set_up_queue(struct fuzz *f, struct fake_virtio *d, uint32_t queue)
{
	uint64_t memory = fuzz_queue_memory(d, queue);
	const uint64_t areas[] = {memory, memory + FUZZ_AVAIL, memory + FUZZ_USED};
	uint32_t size = 1u << fuzz_below(f, 10), most;

	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, queue);
	most = (uint32_t)fake_virtio_reg_read(d, REG(QUEUE_SIZE), 2);
	if (size > most && most && !(most & (most - 1)))
		size = most;
	memset(fake_ram(NULL, memory + FUZZ_AVAIL, FUZZ_QUEUE_BYTES - FUZZ_AVAIL), 0,
		FUZZ_QUEUE_BYTES - FUZZ_AVAIL);
	d->queues[queue].size = size;
	fake_virtio_reg_write(d, REG(QUEUE_SIZE), 2, size);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, fuzz_below(f, 4));
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t at = fuzz_one_in(f, 64) ? fuzz_address(f, d, queue) : areas[i];

		fake_virtio_reg_write(d, REG(QUEUE_DESC) + 8 * i, 4, at & UINT32_MAX);
		fake_virtio_reg_write(d, REG(QUEUE_DESC) + 8 * i + 4, 4, at >> 32);
	}
	fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, !fuzz_one_in(f, 16));
}

/* From reset to DRIVER_OK, with what the device says on the way not believed. */
void fuzz_step_set_up(struct fuzz *f)
{
	struct fake_virtio *d = fuzz_driver(f);
	uint64_t features;

	if (!d->mmio && !fuzz_one_in(f, 16))
		fake_pci_write(&d->pci, FAKE_PCI_COMMAND, 2, 7);
	fake_virtio_set_status(d, 0);
	for (uint32_t i = 0; i < RESET_READS && fake_virtio_status(d); i++)
		;
	features = fake_virtio_offered(d) & (fuzz_one_in(f, 2) ? fuzz_next(f) : UINT64_MAX);
	fake_virtio_negotiate(d, features | VERSION_1);
	for (uint32_t q = 0; q < d->queue_count && q < FUZZ_QUEUES; q++)
		set_up_queue(f, d, q);
	fake_virtio_set_status(d, 0xf);
}
