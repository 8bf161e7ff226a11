/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See machine.h.
 */
#include "machine.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"

#define DISK_ID   2u
#define CARD_ID   1u
#define RANDOM_ID 4u

#define COM1         0x3f8u
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

static void image_make(struct machine *m)
{
	uint8_t sector[SECTOR_BYTES];
	int fd;

	snprintf(m->image, sizeof(m->image), "/tmp/vmm-hostile-XXXXXX");
	fd = mkstemp(m->image);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < MACHINE_SECTORS; i++) {
		memset(sector, (uint8_t)i, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
}

static void add(struct machine *m, const char *type, const char *id, const char *const *options,
	vmm_host **ret_device)
{
	if (fake_device_add(m->host, type, id, options, ret_device) < 0)
		fail_msg("%s", fake_error(m->host));
}

struct machine *machine_open(uint32_t flags)
{
	/* Two ranges: buffers may lie across their border. */
	static const struct fake_ram ram[] = {
		{0, MACHINE_RAM_BYTES / 2}, {MACHINE_RAM_BYTES / 2, MACHINE_RAM_BYTES / 2}};
	static const char *const plugins[] = {FAKE_PLUGIN("pci"), FAKE_PLUGIN("serial"),
		FAKE_PLUGIN("virtio"), FAKE_PLUGIN("virtio-blk"), FAKE_PLUGIN("virtio-net"),
		FAKE_PLUGIN("virtio-rng")};
	const struct fake_config config = {.ram = ram, .ram_count = 2, .flags = flags};
	struct machine *m = calloc(1, sizeof(*m));
	char path[80];

	assert_non_null(m);
	fake_use_cmocka();
	image_make(m);
	snprintf(path, sizeof(path), "path=%s", m->image);
	m->host = fake_host_create(&config);
	for (size_t i = 0; i < sizeof(plugins) / sizeof(*plugins); i++)
		fake_plugin_load(m->host, plugins[i]);
	add(m, "pci", "pci0", NULL, NULL);
	add(m, "serial", "com1", NULL, &m->serial);
	add(m, "virtio-pci", "v0", FAKE_OPTIONS("bus=pci0"), NULL);
	add(m, "virtio-blk", "disk0", FAKE_OPTIONS("transport=v0", path), NULL);
	add(m, "virtio-net", "net0", FAKE_OPTIONS("transport=v0", "backend=user"), NULL);
	add(m, "virtio-rng", "rng0", FAKE_OPTIONS("transport=v0"), NULL);
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	fake_virtio_find(m->host, DISK_ID, 0, 0x100000, 0x300000, &m->drivers[MACHINE_DISK]);
	fake_virtio_find(m->host, CARD_ID, 0, 0x400000, 0x300000, &m->drivers[MACHINE_CARD]);
	fake_virtio_find(m->host, RANDOM_ID, 0, 0x800000, 0x300000, &m->drivers[MACHINE_RANDOM]);
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_init(m, i, FAKE_VIRTIO_ALL);
	return m;
}

void machine_close(struct machine *m)
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		fake_virtio_fini(&m->drivers[i]);
	fake_host_destroy(m->host);
	unlink(m->image);
	free(m);
}

int machine_setup(void **state)
{
	*state = machine_open(0);
	return 0;
}

int machine_teardown(void **state)
{
	machine_close(*state);
	return 0;
}

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
	fake_pio_write(m->host, COM1, 1, 'x');
	assert_true(fake_stream_output_is(m->serial, "x"));
}

/*
 * ---- What must not grow ----
 */

/* With a sanitizer the heap is its own. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

uint64_t machine_heap_bytes(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

uint32_t machine_fd_count(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint32_t count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}
