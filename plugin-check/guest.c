/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does not know what it does: accesses of any width, place and value to whatever the
 * device shows, and for devices behind virtio requests of any shape, resets in the middle of them,
 * and the machine taken down while they are in flight. All from one seed, so a failure comes again.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "rig.h"
#include <vmm/testkit/virtio_driver.h>

#define SEED            0x9e3779b97f4a7c15ull
#define ACCESSES        3000u
#define THREAD_ACCESSES 2000u
#define THREADS         2u
#define RESETS          20u
#define CHAINS          64u
#define REBUILDS        3u
#define BUFFERS_BYTES   65536u
#define RAM_START       0x100000u
#define RAM_BYTES       0x800000u
#define PCI_SLOTS       32u
#define PCI_CONFIG_PORT 0xcf8u
#define VIRTIO_VENDOR   0x1af4u
#define VIRTIO_DEVICE   0x1040u

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool has_pci(struct fake_host *host)
{
	return fake_io_mapped(host, VMM_IO_MMIO, fake_layout(host)->pci_ecam_base);
}

/* As firmware and a driver would leave the functions. */
static void enable_functions(struct fake_host *host)
{
	struct fake_pci_device device;

	for (uint32_t slot = 1; has_pci(host) && slot < PCI_SLOTS; slot++)
		if (fake_pci_probe(host, slot, &device))
			fake_pci_enable(&device);
}

/* The bus's own registers could switch off what is to be tried. */
static bool is_config_space(struct fake_host *host, const struct fake_io_range *range)
{
	if (range->space == VMM_IO_PIO)
		return range->base <= PCI_CONFIG_PORT &&
		       PCI_CONFIG_PORT < range->base + range->bytes;
	return range->base == fake_layout(host)->pci_ecam_base;
}

static void access_one(struct fake_host *host, const struct fake_io_range *range, uint64_t *random)
{
	static const uint64_t values[] = {0, 1, 0xff, 0xffff, UINT32_MAX, UINT64_MAX};
	uint64_t choice = next_random(random);
	uint64_t address = range->base + next_random(random) % range->bytes;
	uint32_t width = 1u << (choice & 3);
	uint64_t value = choice & 4 ? next_random(random)
				    : values[(choice >> 8) % (sizeof(values) / sizeof(values[0]))];

	/* Registers are near the beginning, and aligned. */
	if (choice & 8)
		address =
			range->base + next_random(random) % (range->bytes < 64 ? range->bytes : 64);
	if (choice & 16)
		address &= ~(uint64_t)(width - 1);
	if (range->space == VMM_IO_PIO && choice & 32)
		fake_pio_write(host, address, width, value);
	else if (range->space == VMM_IO_PIO)
		fake_pio_read(host, address, width);
	else if (choice & 32)
		fake_mmio_write(host, address, width, value);
	else
		fake_mmio_read(host, address, width);
}

/* Returns the number of accesses that were made. */
static uint32_t access_many(
	struct fake_host *host, uint32_t count, uint64_t *random, bool with_config, bool runs_loops)
{
	uint32_t made = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t regions = fake_region_count(host);
		struct fake_io_range range;

		if (!regions ||
			!fake_region(host, (uint32_t)(next_random(random) % regions), &range) ||
			!range.enabled || (!with_config && is_config_space(host, &range)))
			continue;
		access_one(host, &range, random);
		made++;
		if (runs_loops && i % 64 == 0)
			fake_run_once(host, 0);
	}
	return made;
}

static void check_guest(struct subject *subject, const char *type)
{
	uint64_t random = SEED;
	struct rig rig;

	rig_open(&rig, subject, type, 0);
	rig_start(&rig);
	if (!fake_region_count(rig.host)) {
		rig_close(&rig);
		skip("it shows the guest nothing by itself");
	}
	enable_functions(rig.host);
	doing("a guest that reads and writes its registers");
	if (!access_many(rig.host, ACCESSES, &random, false, true))
		note("none of its regions can be reached at first");
	fake_settle(rig.host);
	doing("a guest that writes to the configuration space, too");
	access_many(rig.host, ACCESSES, &random, true, true);
	fake_settle(rig.host);
	doing("the end behind such a guest");
	rig_close(&rig);
}

/* Id of the first virtio device on the bus; 0: there is none. */
static uint32_t find_virtio(struct fake_host *host)
{
	struct fake_pci_device device;

	for (uint32_t slot = 1; has_pci(host) && slot < PCI_SLOTS; slot++)
		if (fake_pci_probe(host, slot, &device) && device.vendor_id == VIRTIO_VENDOR &&
			device.device_id > VIRTIO_DEVICE)
			return device.device_id - VIRTIO_DEVICE;
	return 0;
}

/* A chain of one to four buffers; those that are read hold random bytes. */
static void add_chain(struct fake_virtio *driver, uint32_t queue, uint64_t memory, uint64_t *random)
{
	struct fake_virtio_buffer buffers[4];
	uint32_t count = 1 + (uint32_t)(next_random(random) % 4);
	uint32_t read_count = (uint32_t)(next_random(random) % (count + 1));

	if (driver->queues[queue].free_count < count)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = next_random(random) % BUFFERS_BYTES;
		uint64_t bytes = next_random(random) % (next_random(random) & 1 ? 64 : 8192);
		uint64_t word = next_random(random) & next_random(random);

		buffers[i] =
			(struct fake_virtio_buffer){memory + at, (uint32_t)bytes, i >= read_count};
		if (i < read_count)
			fake_ram_write(driver->host, memory + at, &word, sizeof(word));
	}
	fake_virtio_add(driver, queue, buffers, count, 0);
	fake_virtio_kick(driver, queue);
}

static void drive(struct fake_virtio *driver, uint64_t *random)
{
	uint64_t memory;

	fake_virtio_init(driver, FAKE_VIRTIO_ALL);
	memory = fake_virtio_alloc(driver, 2 * BUFFERS_BYTES, 4096);
	for (uint32_t i = 0; i < CHAINS && driver->queue_count; i++) {
		add_chain(driver, (uint32_t)(next_random(random) % driver->queue_count), memory,
			random);
		if (next_random(random) % 8 == 0)
			fake_run_once(driver->host, 0);
	}
}

static void reset_virtio(struct rig *rig, uint32_t device_id, uint64_t *random)
{
	struct fake_virtio driver;

	fake_virtio_find(rig->host, device_id, 0, RAM_START, RAM_BYTES, &driver);
	for (uint32_t i = 0; i < RESETS; i++) {
		doing("reset %u of a device with requests in flight", i + 1);
		drive(&driver, random);
		fake_virtio_reset(&driver);
	}
	doing("the end with requests in flight");
	drive(&driver, random);
	fake_virtio_fini(&driver);
}

static void check_reset(struct subject *subject, const char *type)
{
	uint64_t random = SEED;
	uint32_t virtio = 0;
	struct rig rig;

	for (uint32_t i = 0; i < REBUILDS; i++) {
		doing("machine %u, which is taken down under load", i + 1);
		rig_open(&rig, subject, type, 0);
		rig_start(&rig);
		enable_functions(rig.host);
		if (rig_refers_to(&rig, "vmm.virtio/1"))
			virtio = find_virtio(rig.host);
		if (virtio)
			reset_virtio(&rig, virtio, &random);
		else
			access_many(rig.host, ACCESSES / REBUILDS, &random, false, false);
		rig_close(&rig);
	}
}

struct vcpu {
	pthread_t thread;
	struct fake_host *host;
	uint64_t random;
};

static void *run_vcpu(void *ctx)
{
	struct vcpu *vcpu = ctx;

	access_many(vcpu->host, THREAD_ACCESSES, &vcpu->random, false, false);
	return NULL;
}

static void check_threads(struct subject *subject, const char *type)
{
	struct vcpu vcpus[THREADS];
	struct rig rig;
	int32_t ret;

	doing("a start on an I/O thread");
	rig_open(&rig, subject, type, FAKE_LOOP_THREADS | FAKE_WORKER_THREADS);
	ret = rig_add(&rig, 1, "iothread=io0");
	if (ret >= 0)
		ret = fake_host_start(rig.host);
	if (ret < 0) {
		rig_check_text(&rig, "a start on an I/O thread", ret);
		fake_host_stop(rig.host);
		rig_close(&rig);
		skip("it does not start on an I/O thread");
	}
	enable_functions(rig.host);
	doing("%u vCPUs and an I/O thread", THREADS);
	for (uint32_t i = 0; i < THREADS; i++) {
		vcpus[i] = (struct vcpu){.host = rig.host, .random = SEED + i};
		if (pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]))
			skip("no thread can be started");
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(vcpus[i].thread, NULL);
	doing("the end behind vCPUs and an I/O thread");
	rig_close(&rig);
}

const struct check guest_checks[] = {
	{"guest", "no access of a guest brings it down", check_guest},
	{"reset", "it can be reset and taken down with work in flight", check_reset},
	{"threads", "services are called where they may be, with threads of their own",
		check_threads},
	{0},
};
