/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: configuration space and BARs of a PCI bus as it is shipped, by both ways to them.
 * Whatever the guest writes, a BAR answers only where it is decoded, in a window of the host
 * bridge, and in no other's place.
 */
#include "bus.h"

#define CONFIG_ADDRESS 0xcf8u
#define MSIX_BAR       4u /* of the first function */
#define MSIX_BYTES     0x1000u
#define SLOT_FIRST     1u
#define SLOT_SECOND    5u /* on the same interrupt line */

static int is_io(const struct bus_bar *bar)
{
	return bar->kind == VMM_PCI_BAR_IO;
}

static int is_64(const struct bus_bar *bar)
{
	return bar->kind == VMM_PCI_BAR_MEM64 || bar->kind == VMM_PCI_BAR_MEM64_PREFETCH;
}

static uint32_t space_of(const struct bus_bar *bar)
{
	return is_io(bar) ? VMM_IO_PIO : VMM_IO_MMIO;
}

/* The BAR of the MSI-X table, which the bus answers itself. */
static uint64_t msix_address(const struct bus *bus)
{
	return fake_pci_read(&bus->functions[0].pci, FAKE_PCI_BAR0 + MSIX_BAR * 4, 4) & ~15u;
}

/* What the registers of a BAR say. */
static uint64_t address_of(const struct bus_bar *bar)
{
	const struct fake_pci_device *pci = &bar->function->pci;
	uint32_t at = FAKE_PCI_BAR0 + bar->index * 4;
	uint64_t address = fake_pci_read(pci, at, 4);

	address &= is_io(bar) ? ~3ull : ~15ull;
	if (is_64(bar))
		address |= (uint64_t)fake_pci_read(pci, at + 4, 4) << 32;
	return address;
}

static int is_decoded(const struct bus_bar *bar)
{
	uint32_t command = fake_pci_read(&bar->function->pci, FAKE_PCI_COMMAND, 2);

	return (command & (is_io(bar) ? FAKE_PCI_CMD_IO : FAKE_PCI_CMD_MEMORY)) != 0;
}

static int holds(uint64_t base, uint64_t bytes, uint64_t at, uint64_t count)
{
	return at >= base && at - base < bytes && count <= bytes - (at - base);
}

static int is_legal(const struct bus_bar *bar, uint64_t at)
{
	const struct vmm_layout *layout = fake_layout(bar->function->bus->host);

	if (is_io(bar))
		return holds(layout->pci_io_base, layout->pci_io_bytes, at, bar->bytes);
	if (holds(layout->pci_mmio32_base, layout->pci_mmio32_bytes, at, bar->bytes))
		return 1;
	return is_64(bar) &&
	       holds(layout->pci_mmio64_base, layout->pci_mmio64_bytes, at, bar->bytes);
}

/* Who answers at an address may do so. Returns it. */
static const struct bus_bar *check_place(struct bus *bus, uint32_t space, uint64_t address)
{
	const struct vmm_layout *layout = fake_layout(bus->host);
	uint64_t offset = 0;
	const struct bus_bar *bar;

	/* There anything may be read, also what looks like an answer of a BAR. */
	if (holds(layout->pci_ecam_base - 4, layout->pci_ecam_bytes + 8, address, 1))
		return NULL;
	bar = bus_who(bus, space, address & ~3ull, &offset);
	if (!bar)
		return NULL;
	address = (address & ~3ull) - offset;
	FUZZ_CHECK(space == space_of(bar) && offset < bar->bytes);
	FUZZ_CHECK(is_decoded(bar) && is_legal(bar, address) && address % bar->bytes == 0);
	FUZZ_CHECK(is_64(bar) || address == address_of(bar));
	return bar;
}

static int overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

/* 1 if another BAR may be in the way of this one. */
static int has_rival(struct bus *bus, const struct bus_bar *bar, uint64_t address)
{
	for (uint32_t i = 0; i < BUS_FUNCTIONS * BUS_BARS; i++) {
		const struct bus_bar *other = &bus->functions[i / BUS_BARS].bars[i % BUS_BARS];
		uint64_t at;

		if (other == bar || !other->kind || is_io(other) != is_io(bar))
			continue;
		at = address_of(other);
		/* A 64-bit BAR moves when both halves were written: it may still be elsewhere. */
		if (is_64(other) && check_place(bus, VMM_IO_MMIO, at) != other)
			return 1;
		if (overlaps(at, other->bytes, address, bar->bytes))
			return 1;
	}
	return !is_io(bar) && overlaps(address, bar->bytes, msix_address(bus), MSIX_BYTES);
}

static void check_bars(struct bus *bus)
{
	for (uint32_t i = 0; i < BUS_FUNCTIONS * BUS_BARS; i++) {
		const struct bus_bar *bar = &bus->functions[i / BUS_BARS].bars[i % BUS_BARS];
		const struct bus_bar *who;
		uint64_t address;

		if (!bar->kind)
			continue;
		address = address_of(bar);
		FUZZ_CHECK(address % bar->bytes == 0);
		who = check_place(bus, space_of(bar), address);
		if (!is_64(bar) && is_decoded(bar) && is_legal(bar, address) &&
			!has_rival(bus, bar, address))
			FUZZ_CHECK(who == bar);
	}
}

static void check_header(const struct bus_function *function)
{
	const struct fake_pci_device *pci = &function->pci;
	uint32_t number = (uint32_t)(function - function->bus->functions);
	uint32_t cap = 0;
	uint32_t steps = 0;

	FUZZ_CHECK(fake_pci_read(pci, 0, 4) == (0x56701234 | number << 16));
	FUZZ_CHECK(fake_pci_read(pci, 8, 4) == 0xff010200);
	while ((cap = fake_pci_cap(pci, FAKE_PCI_CAP_ID_VENDOR, cap)))
		steps++;
	FUZZ_CHECK(steps == 2);
}

/* A register has the same value by both ways. */
static void check_ways(struct bus *bus, struct fuzz_input *in)
{
	uint32_t slot = fuzz_below(in, 32);
	uint32_t offset = fuzz_u8(in) & 0xfc;
	uint64_t ecam = fake_pci_ecam_address(bus->host, slot, offset);

	FUZZ_CHECK(fake_pci_io_read(bus->host, slot, offset, 4) ==
		   (uint32_t)fake_mmio_read(bus->host, ecam, 4));
}

/* Ports CF8 to CFF, in any width and order. */
static void access_ports(struct bus *bus, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t width = 1u << (how & 3);
	uint64_t port = CONFIG_ADDRESS + (how >> 2 & 7);

	if (how & 0x20) {
		fake_pio_read(bus->host, port, width);
		return;
	}
	if (how & 0x40) /* select something that is there */
		fake_pio_write(bus->host, CONFIG_ADDRESS, 4,
			0x80000000u | (how & 0x80 ? SLOT_FIRST : SLOT_SECOND) << 11 | fuzz_u8(in));
	fake_pio_write(bus->host, port, width, fuzz_u32(in));
}

static void access_ecam(struct bus *bus, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t width = 1u << (how & 3);
	uint32_t slot = how & 4 ? SLOT_FIRST : SLOT_SECOND;
	uint64_t offset = fuzz_u8(in);

	if (how & 8)
		offset = (offset << 4 & 0xff0) | (how >> 4);
	if (how & 0x80)
		offset |= (uint64_t)fuzz_u8(in) << 12;
	offset += fake_pci_ecam_address(bus->host, slot, 0);
	if (how & 0x40)
		fake_mmio_read(bus->host, offset, width);
	else
		fake_mmio_write(bus->host, offset, width, fuzz_u64(in));
}

static uint64_t place(struct bus *bus, struct fuzz_input *in)
{
	const struct vmm_layout *layout = fake_layout(bus->host);
	uint64_t offset = (uint64_t)fuzz_u8(in) << 12;

	switch (fuzz_below(in, 8)) {
	case 0:
		return layout->pci_io_base + (offset >> 10);
	case 1:
		return layout->pci_io_base + layout->pci_io_bytes - (offset >> 10);
	case 2:
	case 3:
		return layout->pci_mmio32_base + offset;
	case 4:
		return layout->pci_mmio32_base + layout->pci_mmio32_bytes - offset;
	case 5:
		return layout->pci_mmio64_base + offset;
	case 6:
		return layout->pci_mmio64_base + layout->pci_mmio64_bytes - offset;
	default:
		return fuzz_number(in);
	}
}

/* As an operating system moves a BAR, with decode as it is. */
static void move(struct bus *bus, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	const struct fake_pci_device *pci = &bus->functions[how & 1].pci;
	uint32_t at = FAKE_PCI_BAR0 + (how >> 1 & 7) % BUS_BARS * 4;
	uint64_t address = place(bus, in);

	if (how & 0x10)
		fake_pci_write(pci, at, 4, (uint32_t)address);
	if (how & 0x20)
		fake_pci_write(pci, at + 4, 4, (uint32_t)(address >> 32));
	if (how & 0x40)
		fake_pci_write(pci, at, 4, (uint32_t)address);
}

static void command(struct bus *bus, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);

	fake_pci_write(&bus->functions[how & 1].pci, FAKE_PCI_COMMAND, 2,
		how >> 1 & (FAKE_PCI_CMD_IO | FAKE_PCI_CMD_MEMORY | FAKE_PCI_CMD_BUS_MASTER));
}

static void pin(struct bus *bus, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	const struct bus_function *function = &bus->functions[how & 1];
	uint32_t status;

	FUZZ_CHECK(bus->table->intx_set(bus->object, function->handle, how >> 1 & 1) == 0);
	status = fake_pci_read(&function->pci, FAKE_PCI_STATUS, 2);
	FUZZ_CHECK(!(status & 8) == !(how & 2));
}

static void step(struct bus *bus, struct fuzz_input *in)
{
	switch (fuzz_below(in, 9)) {
	case 0:
	case 1:
		access_ports(bus, in);
		break;
	case 2:
	case 3:
		access_ecam(bus, in);
		break;
	case 4:
	case 5:
		move(bus, in);
		break;
	case 6:
		command(bus, in);
		break;
	case 7:
		pin(bus, in);
		break;
	default:
		check_ways(bus, in);
		check_place(bus, VMM_IO_MMIO, place(bus, in));
		check_bars(bus);
		break;
	}
}

static void set_bar(struct bus *bus, uint32_t number, uint32_t index, uint32_t kind, uint64_t bytes)
{
	bus->functions[number].bars[index].kind = kind;
	bus->functions[number].bars[index].bytes = bytes;
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	struct bus bus;

	bus_up(&bus);
	set_bar(&bus, 0, 0, VMM_PCI_BAR_IO, 32);
	set_bar(&bus, 0, 1, VMM_PCI_BAR_MEM32, 0x1000);
	set_bar(&bus, 0, 2, VMM_PCI_BAR_MEM64, 0x4000);
	bus.functions[0].vectors = 2;
	bus.functions[0].msix_bar = MSIX_BAR;
	set_bar(&bus, 1, 0, VMM_PCI_BAR_MEM64_PREFETCH, 0x10000);
	set_bar(&bus, 1, 2, VMM_PCI_BAR_MEM32, 0x100);
	set_bar(&bus, 1, 3, VMM_PCI_BAR_IO, 4);
	bus_add(&bus, 0, SLOT_FIRST);
	bus_add(&bus, 1, SLOT_SECOND);
	while (in.left)
		step(&bus, &in);
	check_bars(&bus);
	for (uint32_t i = 0; i < BUS_FUNCTIONS; i++)
		check_header(&bus.functions[i]);
	bus_down(&bus);
	return 0;
}
