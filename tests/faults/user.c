/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See user.h. What does not work is tried once more, by a driver that begins with a reset. One ends
 * with a reset, too: the next driver has the same memory.
 */
#include "user.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <vmm/testkit/virtio_driver.h>

#include "fault.h"
#include "frames.h"
#include "guest.h"
#include "sweep.h"

#define DISK_ID      2u
#define CARD_ID      1u
#define RANDOM_ID    4u
#define SECTOR_BYTES 512u
#define COM1         0x3f8u
#define DEBUG_EXIT   0xf4u
#define ACPI_SLEEP   0x600u
#define POWER_OFF    0x34u

/* Types of requests (virtio 1.2, 5.2.6). */
#define DISK_IN      0u
#define DISK_OUT     1u
#define DISK_FLUSH   4u
#define DISK_GET_ID  8u
#define DISK_DISCARD 11u
#define DISK_ZEROES  13u

struct guest {
	struct fake_host *host;
	struct fake_virtio driver;
	uint32_t nth;
	bool is_hurt; /* something was not served */
};

struct user_plan user_plan;
struct user_outcome user_outcome;

static void find(struct guest *guest, uint32_t id)
{
	void (*look)(struct fake_host * host, uint32_t device_id, uint32_t nth, uint64_t ram,
		uint64_t ram_bytes, struct fake_virtio * ret_driver) =
		user_plan.mmio ? fake_virtio_find_mmio : fake_virtio_find;

	look(guest->host, id, guest->nth, 0x100000, 0x300000, &guest->driver);
}

/* One request with a buffer of that many bytes; its status. */
static uint8_t disk_request(struct guest *guest, uint32_t type, uint32_t bytes)
{
	struct fake_virtio *d = &guest->driver;
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = {type, 0, type <= DISK_OUT ? 8 : 0};
	const uint32_t range[] = {16, 0, 8, 0}; /* sectors 16 to 23, no flags */
	const uint8_t untouched = 0xee;
	bool to_guest = type == DISK_IN || type == DISK_GET_ID;
	uint64_t before = d->ram_next;
	uint64_t data = fake_virtio_alloc(d, bytes ? bytes : 1, SECTOR_BYTES);
	uint64_t status = fake_virtio_put(d, &untouched, 1);
	struct fake_virtio_buffer buffers[] = {
		{fake_virtio_put(d, &header, 16), 16, 0}, {data, bytes, to_guest}, {status, 1, 1}};
	uint8_t result;

	if (bytes == sizeof(range))
		memcpy(fake_ram(guest->host, data, sizeof(range)), range, sizeof(range));
	if (!bytes)
		buffers[1] = buffers[2];
	fake_virtio_request(d, 0, buffers, bytes ? 3 : 2);
	result = *(uint8_t *)fake_ram(guest->host, status, 1);
	d->ram_next = before;
	return result;
}

static void use_disk(void *ctx)
{
	struct guest *guest = ctx;
	uint8_t status, flush;

	find(guest, DISK_ID);
	fake_virtio_init(&guest->driver, FAKE_VIRTIO_ALL);
	status = disk_request(guest, DISK_OUT, 8 * SECTOR_BYTES);
	status |= disk_request(guest, DISK_DISCARD, 16);
	status |= disk_request(guest, DISK_ZEROES, 16);
	flush = disk_request(guest, DISK_FLUSH, 0);
	status |= disk_request(guest, DISK_IN, 8 * SECTOR_BYTES);
	status |= disk_request(guest, DISK_GET_ID, 20);
	if ((status | flush) > 1)
		sweep_fail("disk requests ended with status %u, a flush with %u", status, flush);
	/* A sync that failed once fails for good. */
	guest->is_hurt = status || (flush && !fault_gave(EIO));
	fake_virtio_reset(&guest->driver);
}

static void use_card(void *ctx)
{
	struct guest *guest = ctx;
	struct fake_virtio *d = &guest->driver;
	uint8_t frame[64], header[12] = {0};
	uint32_t bytes = frame_arp(frame, FRAME_ROUTER_IP);
	struct fake_virtio_buffer in, out;

	find(guest, CARD_ID);
	fake_virtio_init(d, 1ull << 5 | 1ull << 16 | 1ull << 28 | 1ull << 32);
	in = (struct fake_virtio_buffer){fake_virtio_alloc(d, 2048, 16), 2048, 1};
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	out = (struct fake_virtio_buffer){
		fake_virtio_put(d, header, sizeof(header)), (uint32_t)sizeof(header) + bytes, 0};
	fake_virtio_put(d, frame, bytes);
	fake_virtio_request(d, 1, &out, 1);
	fake_virtio_wait(d, 0, NULL);
	fake_virtio_reset(d);
}

static void use_random(void *ctx)
{
	struct guest *guest = ctx;
	struct fake_virtio *d = &guest->driver;
	struct fake_virtio_buffer in;

	find(guest, RANDOM_ID);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in = (struct fake_virtio_buffer){fake_virtio_alloc(d, 64, 16), 64, 1};
	guest->is_hurt = fake_virtio_request(d, 0, &in, 1) == 0;
	fake_virtio_reset(d);
}

static void use_serial(void *ctx)
{
	const struct guest *guest = ctx;

	for (const char *c = "a line of the guest\n"; *c; c++)
		fake_pio_write(guest->host, COM1, 1, (uint8_t)*c);
	for (uint32_t reg = 0; reg < 8; reg++)
		fake_pio_read(guest->host, COM1 + reg, 1);
}

static void serve(struct guest *guest, void (*part)(void *ctx), uint32_t nth)
{
	char text[256] = "an error";

	for (uint32_t try = 0; try < 2; try++) {
		bool done;

		guest->nth = nth;
		guest->is_hurt = false;
		done = guest_try(part, guest, text, sizeof(text)) && !guest->is_hurt;
		fake_virtio_fini(&guest->driver);
		if (done)
			return;
	}
	user_outcome.served = false;
	snprintf(user_outcome.text, sizeof(user_outcome.text), "not served: %.200s", text);
}

void user_main(struct fake_host *host)
{
	struct guest guest = {.host = host};

	user_outcome.served = true;
	serve(&guest, use_serial, 0);
	for (uint32_t i = 0; i < user_plan.disks; i++)
		serve(&guest, use_disk, i);
	for (uint32_t i = 0; i < user_plan.cards; i++)
		serve(&guest, use_card, i);
	for (uint32_t i = 0; i < user_plan.randoms; i++)
		serve(&guest, use_random, i);
	user_outcome.ended = true;
	if (user_plan.has_exit)
		fake_pio_write(host, DEBUG_EXIT, 1, 0);
	else
		fake_pio_write(host, ACPI_SLEEP, 1, POWER_OFF);
}
