/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio devices after a reset: what they offer, their queues and their configuration space.
 * Names of features are those of virtio 1.2 without the prefix.
 */
#include <string.h>

#include <vmm/testkit/virtio_driver.h>

#include "dump.h"
#include "fake_internal.h"

#define CARD_ID          1u
#define DISK_ID          2u
#define RANDOM_ID        4u
#define EACH_MAX         8u
#define RAM_BASE         0x100000u
#define RAM_BYTES        0x300000u
#define PCI_VENDOR       0x1af4u
#define PCI_DEVICE       0x1040u
#define MMIO_CONFIG      0x100u
#define MMIO_CONFIG_SIZE 64u /* a driver knows how long it is; more than any of ours has */
#define MMIO_MAGIC       0x74726976u
#define MMIO_DEVICE_ID   8u
#define MMIO_PAGE        0x1000u

struct feature {
	uint32_t device; /* 0: of all */
	uint32_t bit;
	const char *name;
};

static const struct feature features[] = {
	{CARD_ID, 0, "CSUM"},
	{CARD_ID, 1, "GUEST_CSUM"},
	{CARD_ID, 3, "MTU"},
	{CARD_ID, 5, "MAC"},
	{CARD_ID, 7, "GUEST_TSO4"},
	{CARD_ID, 8, "GUEST_TSO6"},
	{CARD_ID, 9, "GUEST_ECN"},
	{CARD_ID, 11, "HOST_TSO4"},
	{CARD_ID, 12, "HOST_TSO6"},
	{CARD_ID, 13, "HOST_ECN"},
	{CARD_ID, 15, "MRG_RXBUF"},
	{CARD_ID, 16, "STATUS"},
	{CARD_ID, 17, "CTRL_VQ"},
	{CARD_ID, 22, "MQ"},
	{DISK_ID, 1, "SIZE_MAX"},
	{DISK_ID, 2, "SEG_MAX"},
	{DISK_ID, 5, "RO"},
	{DISK_ID, 6, "BLK_SIZE"},
	{DISK_ID, 9, "FLUSH"},
	{DISK_ID, 10, "TOPOLOGY"},
	{DISK_ID, 11, "CONFIG_WCE"},
	{DISK_ID, 12, "MQ"},
	{DISK_ID, 13, "DISCARD"},
	{DISK_ID, 14, "WRITE_ZEROES"},
	{0, 28, "INDIRECT_DESC"},
	{0, 29, "EVENT_IDX"},
	{0, 32, "VERSION_1"},
	{0, 33, "ACCESS_PLATFORM"},
	{0, 34, "RING_PACKED"},
	{0, 35, "IN_ORDER"},
	{0, 38, "NOTIFICATION_DATA"},
	{0, 40, "RING_RESET"},
};

static void show_features(FILE *out, uint32_t device, uint64_t offered)
{
	fprintf(out, "  features %016llx:", (unsigned long long)offered);
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		if ((features[i].device && features[i].device != device) ||
			!(offered >> features[i].bit & 1))
			continue;
		fprintf(out, " %s", features[i].name);
		offered &= ~(UINT64_C(1) << features[i].bit);
	}
	for (uint32_t bit = 0; bit < 64; bit++)
		if (offered >> bit & 1)
			fprintf(out, " %u", bit);
	fputc('\n', out);
}

static void show(FILE *out, struct fake_virtio *driver, uint32_t device)
{
	uint64_t bytes = driver->mmio ? MMIO_CONFIG_SIZE : driver->config.bytes;
	uint8_t config[MMIO_PAGE];

	fake_virtio_reset(driver);
	show_features(out, device, fake_virtio_offered(driver));
	fprintf(out, "  queues:");
	for (uint32_t i = 0; i < driver->queue_count; i++) {
		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, i);
		fprintf(out, " %llu",
			(unsigned long long)fake_virtio_reg_read(
				driver, FAKE_VIRTIO_REG_QUEUE_SIZE, 2));
	}
	if (bytes > sizeof(config))
		fake_fail("configuration space of %llu bytes", (unsigned long long)bytes);
	for (uint32_t i = 0; i < bytes; i++)
		config[i] = (uint8_t)fake_virtio_config_read(driver, i, 1);
	if (driver->mmio)
		fprintf(out, "\n  first %u bytes of its configuration space\n", MMIO_CONFIG_SIZE);
	else
		fprintf(out, "\n  %llu bytes of configuration space\n", (unsigned long long)bytes);
	dump_bytes(out, config, bytes);
	fake_virtio_fini(driver);
}

static void show_pci(FILE *out, struct fake_host *host, uint32_t device, uint32_t nth)
{
	struct fake_pci_device function;
	struct fake_virtio driver;

	if (!fake_pci_find(host, PCI_VENDOR, (uint16_t)(PCI_DEVICE + device), nth, &function))
		return;
	fake_virtio_find(host, device, nth, RAM_BASE, RAM_BYTES, &driver);
	fprintf(out, "PCI slot %u: virtio device %u\n", function.slot, device);
	show(out, &driver, device);
}

static uint32_t mmio_count(struct fake_host *host, uint32_t device)
{
	uint64_t at = fake_layout(host)->device_mmio_base;
	uint32_t count = 0;

	for (; fake_mmio_read(host, at, 4) == MMIO_MAGIC; at += MMIO_PAGE)
		count += fake_mmio_read(host, at + MMIO_DEVICE_ID, 4) == device;
	return count;
}

void dump_virtio(FILE *out, struct fake_host *host)
{
	static const uint32_t devices[] = {CARD_ID, DISK_ID, RANDOM_ID};

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		for (uint32_t nth = 0; nth < EACH_MAX; nth++)
			show_pci(out, host, devices[i], nth);
		for (uint32_t nth = 0; nth < mmio_count(host, devices[i]); nth++) {
			struct fake_virtio driver;

			fake_virtio_find_mmio(host, devices[i], nth, RAM_BASE, RAM_BYTES, &driver);
			fprintf(out, "address %#llx: virtio device %u\n",
				(unsigned long long)driver.mmio, devices[i]);
			show(out, &driver, devices[i]);
		}
	}
}
