/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a good driver asks of each device of the machine, whether that is a fake one or a real
 * guest's: see machine.h.
 */
#include <string.h>

#include "frames.h"
#include "machine.h"

#define SECTOR_BYTES 512u
#define HDR_BYTES    12u
#define READ_SECTOR  33u
#define UNTOUCHED    0xeeu

/* Mergeable buffers and offloads are left out: a frame is one buffer. */
#define CARD_FEATURES (1ull << 5 | 1ull << 16 | 1ull << 28 | 1ull << 32)

const struct machine_victim machine_victims[MACHINE_VICTIMS] = {
	{"disk", MACHINE_DISK, 0, 0, 0},
	{"card, receive", MACHINE_CARD, 0, FAKE_VIRTIO_WRITE, 1},
	{"card, send", MACHINE_CARD, 1, 0, 0},
	{"random", MACHINE_RANDOM, 0, FAKE_VIRTIO_WRITE, 0},
};

void machine_init(struct machine *m, uint32_t device, uint64_t features)
{
	fake_virtio_init(
		&m->drivers[device], device == MACHINE_CARD ? features & CARD_FEATURES : features);
}

/*
 * ---- Good requests ----
 */

static void disk_good(struct machine *m)
{
	struct fake_virtio *d = &m->drivers[MACHINE_DISK];
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = {0, 0, READ_SECTOR};
	const uint8_t untouched = UNTOUCHED;
	struct fake_virtio_buffer buffers[] = {{fake_virtio_put(d, &header, 16), 16, 0},
		{fake_virtio_alloc(d, SECTOR_BYTES, SECTOR_BYTES), SECTOR_BYTES, 1},
		{fake_virtio_put(d, &untouched, 1), 1, 1}};

	assert_int_equal(fake_virtio_request(d, 0, buffers, 3), SECTOR_BYTES + 1);
	assert_int_equal(*(uint8_t *)fake_ram(m->host, buffers[2].gpa, 1), 0);
	assert_int_equal(*(uint8_t *)fake_ram(m->host, buffers[1].gpa, 1), READ_SECTOR);
}

void machine_send_frame(struct machine *m)
{
	struct fake_virtio *d = &m->drivers[MACHINE_CARD];
	uint8_t frame[64], hdr[HDR_BYTES] = {0};
	uint32_t bytes = frame_arp(frame, FRAME_ROUTER_IP);
	struct fake_virtio_buffer out = {fake_virtio_put(d, hdr, HDR_BYTES), HDR_BYTES + bytes, 0};

	fake_virtio_put(d, frame, bytes);
	fake_virtio_add(d, 1, &out, 1, 0);
	fake_virtio_kick(d, 1);
}

/* An ARP request goes out, its answer comes in; other frames may come first. */
static void card_good(struct machine *m)
{
	struct fake_virtio *d = &m->drivers[MACHINE_CARD];
	struct fake_virtio_buffer in = {fake_virtio_alloc(d, 2048, 16), 2048, 1};
	uint32_t bytes;

	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	machine_send_frame(m);
	assert_int_equal(fake_virtio_wait(d, 1, NULL), 0);
	for (;;) {
		bytes = fake_virtio_wait(d, 0, NULL);
		if (!bytes) {
			m->unused++;
			continue;
		}
		assert_true(bytes > HDR_BYTES);
		if (frame_is_arp_reply(fake_ram(m->host, in.gpa + HDR_BYTES, bytes - HDR_BYTES),
			    bytes - HDR_BYTES, FRAME_ROUTER_IP))
			return;
		fake_virtio_add(d, 0, &in, 1, 0);
		fake_virtio_kick(d, 0);
	}
}

static void random_good(struct machine *m)
{
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	const struct fake_virtio_buffer in = {fake_virtio_alloc(d, 64, 16), 64, 1};

	assert_int_equal(fake_virtio_request(d, 0, &in, 1), 64);
}

void machine_good(struct machine *m, uint32_t device)
{
	static void (*const good[])(struct machine *) = {disk_good, card_good, random_good};
	uint64_t before = m->drivers[device].ram_next;

	good[device](m);
	m->drivers[device].ram_next = before;
}

void machine_others_good(struct machine *m, uint32_t device)
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		if (i != device)
			machine_good(m, i);
	machine_rest_good(m);
}
