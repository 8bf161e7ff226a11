/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of tests/plugin/hostile/machine.h where it is real: a guest of vmm. Of its virtio
 * devices, by slot, the first disk, the card and the first source of random numbers are taken from
 * Linux and attacked. The second source of random numbers is nobody's victim: a few requests to it
 * tell that the devices' loop went round. The second disk stays Linux's.
 */
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "real.h"

#define DISK_ID   2u
#define CARD_ID   1u
#define RANDOM_ID 4u

#define DRIVER_BYTES  0x300000u
#define BARRIER_BYTES 0x10000u

#define LINUX_DISK   "/dev/vdb"
#define SECTOR_BYTES 512u

/* Of 16 that can be told; drivers have the first, one for each vector. */
#define FIRST_MESSAGE 6u
#define LAST_MESSAGE  15u

struct rest {
	struct machine *machine;
	struct fake_virtio barrier;
	struct fake_pci_device found[MACHINE_VIRTIO]; /* where everything was at first */
	int disk;
	uint32_t reads;
	uint32_t messages;
};

/*
 * ---- Taking devices from Linux ----
 */

static uint32_t attribute(uint32_t slot, const char *name)
{
	uint32_t value = 0;
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:00:%02x.0/%s", slot, name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%x", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static void unbind(uint32_t slot)
{
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:00:%02x.0/driver/unbind", slot);
	file = fopen(path, "w");
	if (!file)
		return; /* it has no driver */
	fprintf(file, "0000:00:%02x.0", slot);
	fclose(file);
}

static void take_devices(void)
{
	uint32_t disks = 0;

	for (uint32_t slot = 0; slot < 32; slot++) {
		if (attribute(slot, "vendor") != 0x1af4)
			continue;
		if (attribute(slot, "device") == 0x1040 + DISK_ID && disks++)
			continue;
		unbind(slot);
	}
}

/*
 * ---- The machine ----
 */

static int wants_kicks(struct fake_virtio *d, uint32_t queue)
{
	if (d->features & VMM_VIRTIO_F_EVENT_IDX)
		return fake_virtio_avail_event(d, queue) == d->queues[queue].avail_index;
	return !(fake_virtio_used_flags(d, queue) & 1);
}

/* A device that has done all there was looks for more before it interrupts; then it asks for kicks. */
static void wait_for_looks(struct fake_virtio *d)
{
	for (uint32_t q = 0; q < d->queue_count; q++) {
		const struct fake_virtio_queue *queue = &d->queues[q];

		if (!queue->size || fake_virtio_used_index(d, q) != queue->avail_index)
			continue;
		for (uint32_t n = 0; n < 1000 && !wants_kicks(d, q); n++)
			usleep(100);
	}
}

/* What was sent to the loop before is done when the third answer comes: for each it goes round once. */
static void barrier(void *ctx)
{
	struct rest *rest = ctx;
	struct fake_virtio *d = &rest->barrier;
	struct fake_virtio_buffer in = {d->ram_next, 8, 1};

	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		wait_for_looks(&rest->machine->drivers[i]);
	for (uint32_t i = 0; i < 3; i++) {
		fake_virtio_request(d, 0, &in, 1);
		wait_for_looks(d);
	}
}

static struct machine *find_everything(void)
{
	static struct machine machine;
	static struct rest rest;
	static const uint32_t ids[] = {DISK_ID, CARD_ID, RANDOM_ID};

	machine.host = real_open();
	machine.rest = &rest;
	rest.machine = &machine;
	take_devices();
	rest.disk = open(LINUX_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	assert_true(rest.disk >= 0);
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++) {
		fake_virtio_find(machine.host, ids[i], 0, REAL_START + i * DRIVER_BYTES,
			DRIVER_BYTES, &machine.drivers[i]);
		machine.drivers[i].msi_base = 0;
		rest.found[i] = machine.drivers[i].pci;
	}
	fake_virtio_find(machine.host, RANDOM_ID, 1, REAL_START + REAL_BYTES - BARRIER_BYTES,
		BARRIER_BYTES, &rest.barrier);
	rest.barrier.msi_base = 0;
	fake_virtio_init(&rest.barrier, FAKE_VIRTIO_ALL);
	real_set_barrier(machine.host, barrier, &rest);
	return &machine;
}

struct machine *machine_open(uint32_t flags)
{
	static struct machine *machine;
	const struct rest *rest;

	(void)flags;
	if (!machine)
		machine = find_everything();
	rest = machine->rest;
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++) {
		struct fake_virtio *d = &machine->drivers[i];

		for (uint32_t bar = 0; bar < 6; bar++)
			if (rest->found[i].bars[bar].bytes)
				fake_pci_move_bar(&d->pci, bar, rest->found[i].bars[bar].address);
		fake_pci_write(&d->pci, FAKE_PCI_COMMAND, 2, 0);
		fake_pci_enable(&d->pci);
		machine_init(machine, i, FAKE_VIRTIO_ALL);
	}
	return machine;
}

void machine_close(struct machine *m)
{
	(void)m;
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
	static uint8_t data[SECTOR_BYTES] __attribute__((aligned(SECTOR_BYTES)));
	struct rest *rest = m->rest;
	uint32_t sector = rest->reads++ % MACHINE_SECTORS;

	assert_int_equal(
		pread(rest->disk, data, sizeof(data), (off_t)sector * SECTOR_BYTES), SECTOR_BYTES);
	assert_int_equal(data[0], (uint8_t)sector);
	assert_int_equal(data[SECTOR_BYTES - 1], (uint8_t)sector);
	fake_settle(m->host);
}

uint32_t machine_new_message(struct machine *m)
{
	struct rest *rest = m->rest;

	assert_true(FIRST_MESSAGE + rest->messages <= LAST_MESSAGE);
	return FIRST_MESSAGE + rest->messages++;
}

uint64_t machine_heap_bytes(void)
{
	return 0;
}

uint32_t machine_fd_count(void)
{
	return 0;
}
