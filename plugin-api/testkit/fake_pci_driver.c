/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of PCI (PCI Local Bus 3.0, 3.2.2.3.2 and 6; PCI Express 4.0, 7.2.2).
 */
#include <vmm/testkit/pci_driver.h>

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define CONFIG_ENABLE  0x80000000u

#define VENDOR_ID    0x00u
#define DEVICE_ID    0x02u
#define STATUS_CAPS  0x10u
#define BAR_IO       0x1u
#define BAR_64       0x4u
#define BAR_PREFETCH 0x8u

#define MSIX_CONTROL         2u
#define MSIX_TABLE           4u
#define MSIX_PBA             8u
#define MSIX_SIZE_MASK       0x7ffu
#define MSIX_MASK_ALL        0x4000u
#define MSIX_ENABLE          0x8000u
#define MSIX_ENTRY_BYTES     16u
#define MSIX_ENTRY_DATA      8u
#define MSIX_ENTRY_CONTROL   12u
#define MSIX_ADDRESS         0xfee00000u
#define CAPABILITIES_AT_MOST 48u

uint32_t fake_pci_io_read(struct fake_host *host, uint32_t slot, uint32_t offset, uint32_t width)
{
	fake_pio_write(host, CONFIG_ADDRESS, 4, CONFIG_ENABLE | slot << 11 | (offset & 0xfc));
	return (uint32_t)fake_pio_read(host, CONFIG_DATA + (offset & 3), width);
}

void fake_pci_io_write(
	struct fake_host *host, uint32_t slot, uint32_t offset, uint32_t width, uint32_t value)
{
	fake_pio_write(host, CONFIG_ADDRESS, 4, CONFIG_ENABLE | slot << 11 | (offset & 0xfc));
	fake_pio_write(host, CONFIG_DATA + (offset & 3), width, value);
}

uint64_t fake_pci_ecam_address(struct fake_host *host, uint32_t slot, uint32_t offset)
{
	return fake_layout(host)->pci_ecam_base + ((uint64_t)slot << 15) + offset;
}

uint32_t fake_pci_read(const struct fake_pci_device *device, uint32_t offset, uint32_t width)
{
	return (uint32_t)fake_mmio_read(
		device->host, fake_pci_ecam_address(device->host, device->slot, offset), width);
}

void fake_pci_write(
	const struct fake_pci_device *device, uint32_t offset, uint32_t width, uint32_t value)
{
	fake_mmio_write(device->host, fake_pci_ecam_address(device->host, device->slot, offset),
		width, value);
}

uint32_t fake_pci_cap(const struct fake_pci_device *device, uint32_t id, uint32_t after)
{
	uint32_t at, steps;

	if (!(fake_pci_read(device, FAKE_PCI_STATUS, 2) & STATUS_CAPS))
		return 0;
	at = fake_pci_read(device, after ? after + 1 : FAKE_PCI_CAP_POINTER, 1);
	for (steps = 0; at >= 0x40 && steps < CAPABILITIES_AT_MOST; steps++) {
		if (fake_pci_read(device, at, 1) == id)
			return at;
		at = fake_pci_read(device, at + 1, 1);
	}
	return 0;
}

void fake_pci_command(const struct fake_pci_device *device, uint16_t bits, int set)
{
	uint32_t command = fake_pci_read(device, FAKE_PCI_COMMAND, 2);

	fake_pci_write(device, FAKE_PCI_COMMAND, 2, set ? command | bits : command & ~bits);
}

void fake_pci_enable(const struct fake_pci_device *device)
{
	fake_pci_command(
		device, FAKE_PCI_CMD_IO | FAKE_PCI_CMD_MEMORY | FAKE_PCI_CMD_BUS_MASTER, 1);
}

/*
 * ---- BARs ----
 */

static uint32_t bar_register(uint32_t bar)
{
	return FAKE_PCI_BAR0 + bar * 4;
}

/* Writes ones and looks which bits stay 0; puts the old value back. */
static uint32_t bar_mask(const struct fake_pci_device *device, uint32_t bar, uint32_t *ret_old)
{
	uint32_t mask;

	*ret_old = fake_pci_read(device, bar_register(bar), 4);
	fake_pci_write(device, bar_register(bar), 4, UINT32_MAX);
	mask = fake_pci_read(device, bar_register(bar), 4);
	fake_pci_write(device, bar_register(bar), 4, *ret_old);
	return mask;
}

static void probe_bar(struct fake_pci_device *device, uint32_t bar)
{
	struct fake_pci_bar *found = &device->bars[bar];
	uint32_t old, mask = bar_mask(device, bar, &old), upper;
	uint64_t mask64;

	if (!mask)
		return;
	if (mask & BAR_IO) {
		found->space = VMM_IO_PIO;
		found->address = old & ~3u;
		found->bytes = (uint32_t)(~(mask & ~3u) + 1) & 0xffff;
		return;
	}
	found->space = VMM_IO_MMIO;
	found->is_prefetch = (mask & BAR_PREFETCH) != 0;
	found->is_64bit = (mask & BAR_64) != 0;
	found->address = old & ~15u;
	mask64 = 0xffffffff00000000ull | (mask & ~15u);
	if (found->is_64bit && bar < 5) {
		mask64 = (uint64_t)bar_mask(device, bar + 1, &upper) << 32 | (mask & ~15u);
		found->address |= (uint64_t)upper << 32;
	}
	found->bytes = ~mask64 + 1;
}

static void probe_bars(struct fake_pci_device *device)
{
	uint32_t command = fake_pci_read(device, FAKE_PCI_COMMAND, 2), bar;

	fake_pci_write(
		device, FAKE_PCI_COMMAND, 2, command & ~(FAKE_PCI_CMD_IO | FAKE_PCI_CMD_MEMORY));
	for (bar = 0; bar < 6; bar += device->bars[bar].is_64bit ? 2 : 1)
		probe_bar(device, bar);
	fake_pci_write(device, FAKE_PCI_COMMAND, 2, command);
}

static void probe_msix(struct fake_pci_device *device)
{
	uint32_t cap = fake_pci_cap(device, FAKE_PCI_CAP_ID_MSIX, 0), table, pba;

	if (!cap)
		return;
	table = fake_pci_read(device, cap + MSIX_TABLE, 4);
	pba = fake_pci_read(device, cap + MSIX_PBA, 4);
	device->msix_cap = cap;
	device->msix_vectors = (fake_pci_read(device, cap + MSIX_CONTROL, 2) & MSIX_SIZE_MASK) + 1;
	device->msix_bar = table & 7;
	device->msix_table = table & ~7u;
	device->msix_pba = pba & ~7u;
}

int fake_pci_probe(struct fake_host *host, uint32_t slot, struct fake_pci_device *ret_device)
{
	struct fake_pci_device device = {.host = host, .slot = slot};

	device.vendor_id = (uint16_t)fake_pci_read(&device, VENDOR_ID, 2);
	if (device.vendor_id == 0xffff)
		return 0;
	device.device_id = (uint16_t)fake_pci_read(&device, DEVICE_ID, 2);
	probe_bars(&device);
	probe_msix(&device);
	*ret_device = device;
	return 1;
}

int fake_pci_find(struct fake_host *host, uint16_t vendor_id, uint16_t device_id, uint32_t nth,
	struct fake_pci_device *ret_device)
{
	const uint32_t wanted = vendor_id | (uint32_t)device_id << 16;

	for (uint32_t slot = 0; slot < 32; slot++) {
		const struct fake_pci_device device = {.host = host, .slot = slot};

		/* Others are not probed: their drivers may be using them. */
		if (fake_pci_read(&device, VENDOR_ID, 4) == wanted && !nth--)
			return fake_pci_probe(host, slot, ret_device);
	}
	return 0;
}

void fake_pci_move_bar(struct fake_pci_device *device, uint32_t bar, uint64_t address)
{
	struct fake_pci_bar *moved = &device->bars[bar];
	uint32_t command = fake_pci_read(device, FAKE_PCI_COMMAND, 2);

	fake_pci_write(
		device, FAKE_PCI_COMMAND, 2, command & ~(FAKE_PCI_CMD_IO | FAKE_PCI_CMD_MEMORY));
	fake_pci_write(device, bar_register(bar), 4, (uint32_t)address);
	if (moved->is_64bit)
		fake_pci_write(device, bar_register(bar + 1), 4, (uint32_t)(address >> 32));
	fake_pci_write(device, FAKE_PCI_COMMAND, 2, command);
	moved->address = address;
}

uint64_t fake_bar_read(
	const struct fake_pci_device *device, uint32_t bar, uint64_t offset, uint32_t width)
{
	uint64_t address = device->bars[bar].address + offset;

	return device->bars[bar].space == VMM_IO_PIO ? fake_pio_read(device->host, address, width)
						     : fake_mmio_read(device->host, address, width);
}

void fake_bar_write(const struct fake_pci_device *device, uint32_t bar, uint64_t offset,
	uint32_t width, uint64_t value)
{
	uint64_t address = device->bars[bar].address + offset;

	if (device->bars[bar].space == VMM_IO_PIO)
		fake_pio_write(device->host, address, width, value);
	else
		fake_mmio_write(device->host, address, width, value);
}

/*
 * ---- MSI-X ----
 */

static void msix_control(const struct fake_pci_device *device, uint32_t bit, int set)
{
	uint32_t control = fake_pci_read(device, device->msix_cap + MSIX_CONTROL, 2);

	fake_pci_write(
		device, device->msix_cap + MSIX_CONTROL, 2, set ? control | bit : control & ~bit);
}

void fake_msix_enable(const struct fake_pci_device *device, int enable)
{
	msix_control(device, MSIX_MASK_ALL, 0);
	msix_control(device, MSIX_ENABLE, enable);
}

void fake_msix_function_mask(const struct fake_pci_device *device, int mask)
{
	msix_control(device, MSIX_MASK_ALL, mask);
}

static uint64_t entry(const struct fake_pci_device *device, uint32_t vector)
{
	return device->msix_table + (uint64_t)vector * MSIX_ENTRY_BYTES;
}

void fake_msix_program(const struct fake_pci_device *device, uint32_t vector, uint32_t data)
{
	uint64_t at = entry(device, vector);

	fake_bar_write(device, device->msix_bar, at, 4, MSIX_ADDRESS);
	fake_bar_write(device, device->msix_bar, at + 4, 4, 0);
	fake_bar_write(device, device->msix_bar, at + MSIX_ENTRY_DATA, 4, data);
	fake_bar_write(device, device->msix_bar, at + MSIX_ENTRY_CONTROL, 4, 0);
}

void fake_msix_mask(const struct fake_pci_device *device, uint32_t vector, int mask)
{
	fake_bar_write(device, device->msix_bar, entry(device, vector) + MSIX_ENTRY_CONTROL, 4,
		mask ? 1 : 0);
}

int fake_msix_pending(const struct fake_pci_device *device, uint32_t vector)
{
	uint64_t at = device->msix_pba + vector / 64 * 8;

	return fake_bar_read(device, device->msix_bar, at, 8) >> (vector % 64) & 1;
}
