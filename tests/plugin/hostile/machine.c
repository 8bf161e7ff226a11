/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of machine.h with a fake host.
 */
#include "machine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"

#define DISK_ID   2u
#define CARD_ID   1u
#define RANDOM_ID 4u

#define COM1         0x3f8u
#define SECTOR_BYTES 512u

struct rest {
	vmm_host *serial;
	char image[64];
	uint32_t messages;
};

static void image_make(struct rest *rest)
{
	uint8_t sector[SECTOR_BYTES];
	int fd;

	snprintf(rest->image, sizeof(rest->image), "/tmp/vmm-hostile-XXXXXX");
	fd = mkstemp(rest->image);
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
	struct rest *rest = calloc(1, sizeof(*rest));
	char path[80];

	assert_true(m && rest);
	m->rest = rest;
	fake_use_cmocka();
	image_make(rest);
	snprintf(path, sizeof(path), "path=%s", rest->image);
	m->host = fake_host_create(&config);
	for (size_t i = 0; i < sizeof(plugins) / sizeof(*plugins); i++)
		fake_plugin_load(m->host, plugins[i]);
	add(m, "pci", "pci0", NULL, NULL);
	add(m, "serial", "com1", NULL, &rest->serial);
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
	struct rest *rest = m->rest;

	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		fake_virtio_fini(&m->drivers[i]);
	fake_host_destroy(m->host);
	unlink(rest->image);
	free(rest);
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

void machine_rest_good(struct machine *m)
{
	const struct rest *rest = m->rest;

	fake_pio_write(m->host, COM1, 1, 'x');
	assert_true(fake_stream_output_is(rest->serial, "x"));
}

uint32_t machine_new_message(struct machine *m)
{
	struct rest *rest = m->rest;

	return 0x90 + rest->messages++;
}

/*
 * ---- What must not grow ----
 */

uint64_t machine_heap_bytes(void)
{
	return heap_bytes();
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
