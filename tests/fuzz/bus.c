/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bus.h. A read of 4 bytes gives a mark, the function, the BAR and the offset in dwords.
 */
#include "bus.h"

#define MARK        0xa0000000u
#define MARK_BITS   0xf0000000u
#define BAR_SHIFT   24
#define OFFSET_BITS 0x00ffffffu

static int32_t bar_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	const struct bus_bar *bar = ctx;
	uint32_t number = (uint32_t)(bar->function - bar->function->bus->functions);

	FUZZ_CHECK(offset < bar->bytes && width <= bar->bytes - offset);
	*ret_value = MARK | (number * BUS_BARS + bar->index) << BAR_SHIFT | (uint32_t)offset / 4;
	return 0;
}

static int32_t bar_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	const struct bus_bar *bar = ctx;

	(void)value;
	FUZZ_CHECK(offset < bar->bytes && width <= bar->bytes - offset);
	return 0;
}

static const struct vmm_io_ops bar_ops = {sizeof(bar_ops), bar_read, bar_write};

static void check_piece(uint32_t cap, uint32_t offset, uint32_t width)
{
	FUZZ_CHECK(cap == 0 && (width == 1 || width == 2 || width == 4));
	FUZZ_CHECK(offset < BUS_HOOKED_BODY && width <= BUS_HOOKED_BODY - offset);
}

static int32_t cap_read(
	void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value)
{
	const struct bus_function *function = ctx;

	check_piece(cap, offset, width);
	memcpy(ret_value, function->hooked + offset, width);
	return 0;
}

static int32_t cap_write(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value)
{
	struct bus_function *function = ctx;

	check_piece(cap, offset, width);
	FUZZ_CHECK(width == 4 || !(value >> (8 * width)));
	memcpy(function->hooked + offset, &value, width);
	return 0;
}

static void msix_changed(void *ctx, uint32_t enabled)
{
	const struct bus_function *function = ctx;

	FUZZ_CHECK(function->bus->table->msix_enabled(function->bus->object, function->handle) ==
		   (int32_t)enabled);
}

static void bus_master_changed(void *ctx, uint32_t enabled)
{
	const struct bus_function *function = ctx;

	FUZZ_CHECK(function->bus->table->bus_master(function->bus->object, function->handle) ==
		   (int32_t)enabled);
}

static const struct vmm_pci_function_ops function_ops = {
	.size = sizeof(function_ops),
	.cap_read = cap_read,
	.cap_write = cap_write,
	.msix_changed = msix_changed,
	.bus_master_changed = bus_master_changed,
};

void bus_up(struct bus *bus)
{
	static const struct fake_ram ram = {0, 4096};
	const struct fake_config config = {.ram = &ram, .ram_count = 1, .flags = FAKE_CLOCK};
	const void *table = NULL;

	memset(bus, 0, sizeof(*bus));
	bus->host = fake_host_create(&config);
	fake_plugin_load(bus->host, FAKE_PLUGIN("pci"));
	FUZZ_CHECK(fake_device_add(bus->host, "pci", "pci0", NULL, NULL) == 0);
	bus->owner = fake_device_bare(bus->host, "owner", VMM_THREADS_PARALLEL);
	FUZZ_CHECK(fake_host_start(bus->host) == 0);
	FUZZ_CHECK(fake_interface(bus->host, "pci0", VMM_PCI_BUS_ID, &table, &bus->object) == 0);
	bus->table = table;
}

void bus_down(struct bus *bus)
{
	for (uint32_t i = 0; i < BUS_FUNCTIONS; i++)
		if (bus->functions[i].bus)
			bus->table->remove(bus->object, bus->functions[i].handle);
	fake_host_destroy(bus->host);
}

void bus_add(struct bus *bus, uint32_t number, uint32_t slot)
{
	static const uint8_t body[BUS_HOOKED_BODY];
	static const uint8_t mask[BUS_HOOKED_BODY] = {0, 0xff, 0x0f, 0xf0, 0xff, 0xff, 0xff, 0xff};
	static const struct vmm_pci_cap hooked = {sizeof(hooked), FAKE_PCI_CAP_ID_VENDOR,
		VMM_PCI_CAP_HOOKED, body, mask, sizeof(body), 0};
	static const struct vmm_pci_cap plain = {
		sizeof(plain), FAKE_PCI_CAP_ID_VENDOR, 0, body, mask, 5, 0};
	static const struct vmm_pci_cap *const caps[] = {&hooked, &plain};
	struct bus_function *function = &bus->functions[number];
	struct vmm_pci_bar bars[BUS_BARS];
	const struct vmm_pci_bar *bar_list[BUS_BARS];
	struct vmm_pci_function what = {
		.struct_size = sizeof(what),
		.owner = bus->owner,
		.name = "fuzz",
		.slot = slot,
		.vendor_id = 0x1234,
		.device_id = (uint16_t)(0x5670 + number),
		.class_code = 0xff0102,
		.msix_vectors = function->vectors,
		.msix_bar = function->msix_bar,
		.intx = 1,
		.bars = bar_list,
		.caps = caps,
		.cap_count = 2,
		.ops = &function_ops,
		.ctx = function,
	};

	function->bus = bus;
	for (uint32_t i = 0; i < BUS_BARS; i++) {
		struct bus_bar *bar = &function->bars[i];

		bar->function = function;
		bar->index = i;
		if (!bar->kind)
			continue;
		bars[what.bar_count] = (struct vmm_pci_bar){.struct_size = sizeof(bars[0]),
			.index = i,
			.kind = bar->kind,
			.bytes = bar->bytes,
			.ops = &bar_ops,
			.ctx = bar,
			.width_max = 4};
		bar_list[what.bar_count] = &bars[what.bar_count];
		what.bar_count++;
	}
	FUZZ_CHECK(bus->table->add(bus->object, &what, &function->handle) == 0);
	FUZZ_CHECK(fake_pci_probe(bus->host, slot, &function->pci));
}

const struct bus_bar *bus_who(
	struct bus *bus, uint32_t space, uint64_t address, uint64_t *ret_offset)
{
	uint64_t value = space == VMM_IO_PIO ? fake_pio_read(bus->host, address, 4)
					     : fake_mmio_read(bus->host, address, 4);
	uint32_t number = (value & ~MARK_BITS) >> BAR_SHIFT;

	if ((value & MARK_BITS) != MARK || number >= BUS_FUNCTIONS * BUS_BARS)
		return NULL;
	*ret_offset = (value & OFFSET_BITS) * 4;
	return &bus->functions[number / BUS_BARS].bars[number % BUS_BARS];
}
