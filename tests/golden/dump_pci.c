/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI functions: configuration space as it is when the guest starts, read by ECAM, and which BARs
 * there are.
 */
#include <string.h>

#include <vmm/testkit/pci_driver.h>

#include "dump.h"
#include "fake_internal.h"

#define SLOTS        32u
#define CONFIG_BYTES 4096u
#define LEGACY_BYTES 256u
#define NO_DEVICE    0xffffffffu

static void check_ports_agree(struct fake_host *host, uint32_t slot, const uint8_t *config)
{
	for (uint32_t at = 0; at < LEGACY_BYTES; at += 4) {
		uint32_t value = fake_pci_io_read(host, slot, at, 4);

		if (memcmp(&value, config + at, 4))
			fake_fail("slot %u: ports and ECAM differ at %#x", slot, at);
	}
}

static void show_bars(FILE *out, const struct fake_pci_device *device)
{
	for (uint32_t i = 0; i < sizeof(device->bars) / sizeof(*device->bars); i++) {
		const struct fake_pci_bar *bar = &device->bars[i];

		if (bar->bytes)
			fprintf(out, "  BAR %u: %llu bytes of %s at %#llx%s%s\n", i,
				(unsigned long long)bar->bytes,
				bar->space == VMM_IO_PIO ? "ports" : "memory",
				(unsigned long long)bar->address, bar->is_64bit ? ", 64 bits" : "",
				bar->is_prefetch ? ", prefetchable" : "");
	}
	if (device->msix_cap)
		fprintf(out,
			"  MSI-X: %u vectors in BAR %u, table at %#llx, pending bits at %#llx\n",
			device->msix_vectors, device->msix_bar,
			(unsigned long long)device->msix_table,
			(unsigned long long)device->msix_pba);
}

void dump_pci(FILE *out, struct fake_host *host)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		struct fake_pci_device device = {.host = host, .slot = slot};
		uint8_t config[CONFIG_BYTES];

		if (fake_pci_io_read(host, slot, 0, 4) == NO_DEVICE)
			continue;
		for (uint32_t at = 0; at < CONFIG_BYTES; at += 4) {
			uint32_t value = fake_pci_read(&device, at, 4);

			memcpy(config + at, &value, 4);
		}
		check_ports_agree(host, slot, config);
		if (!fake_pci_probe(host, slot, &device))
			fake_fail("slot %u: nothing there at the second look", slot);
		fprintf(out, "slot %u: %04x:%04x\n", slot, device.vendor_id, device.device_id);
		dump_bytes(out, config, sizeof(config));
		show_bars(out, &device);
	}
}
