/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus: the guest's two ways to configuration space, and vmm.pci.bus/1 for other plugins.
 */
#include <stdlib.h>
#include <string.h>

#include "pci.h"

#define CONFIG_ADDRESS_PORT 0xcf8u
#define CONFIG_DATA_PORT    0xcfcu
#define CONFIG_PORT_BYTES   4u

/* The register at CF8 (PCI Local Bus 3.0, 3.2.2.3.2). */
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BITS   0x80fffffcu /* the rest reads as 0 */

#define ECAM_BUS_SHIFT      20
#define ECAM_SLOT_SHIFT     15
#define ECAM_FUNCTION_SHIFT 12

/* Red Hat's number for a generic host bridge. */
#define HOST_VENDOR_ID 0x1b36u
#define HOST_DEVICE_ID 0x0008u
#define HOST_CLASS     0x060000u
#define ONES           0xffffffffu

/* The function of a bus, device, function number, or NULL. There are only functions 0 of bus 0. */
static struct pci_function *function_at(
	struct pci_bus *bus, uint32_t bus_number, uint32_t slot, uint32_t number)
{
	return bus_number || number ? NULL : bus->slots[slot];
}

/*
 * ---- CF8 and CFC ----
 */

static int32_t address_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct pci_bus *bus = ctx;
	uint32_t address = atomic_load_explicit(&bus->address, memory_order_relaxed);

	(void)width; /* the core takes the bytes that were asked for */
	*ret_value = address >> (offset * 8);
	return 0;
}

/* Only a write of the whole register is one to it. */
static int32_t address_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct pci_bus *bus = ctx;

	if (offset == 0 && width == 4)
		atomic_store_explicit(
			&bus->address, (uint32_t)value & ADDRESS_BITS, memory_order_relaxed);
	return 0;
}

static struct pci_function *addressed(struct pci_bus *bus, uint32_t *ret_register)
{
	uint32_t address = atomic_load_explicit(&bus->address, memory_order_relaxed);

	*ret_register = address & 0xfc;
	if (!(address & ADDRESS_ENABLE))
		return NULL;
	return function_at(bus, address >> 16 & 0xff, address >> 11 & 31, address >> 8 & 7);
}

static int32_t data_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	uint32_t at;
	struct pci_function *function = addressed(ctx, &at);

	*ret_value = function ? pci_config_read(function, at + (uint32_t)offset, width) : ONES;
	return 0;
}

static int32_t data_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	uint32_t at;
	struct pci_function *function = addressed(ctx, &at);

	if (function)
		pci_config_write(function, at + (uint32_t)offset, width, (uint32_t)value);
	return 0;
}

/*
 * ---- ECAM (PCI Express Base 4.0, 7.2.2) ----
 */

static struct pci_function *ecam_function(struct pci_bus *bus, uint64_t offset)
{
	return function_at(bus, (uint32_t)(offset >> ECAM_BUS_SHIFT),
		(uint32_t)(offset >> ECAM_SLOT_SHIFT) & 31,
		(uint32_t)(offset >> ECAM_FUNCTION_SHIFT) & 7);
}

static int32_t ecam_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct pci_function *function = ecam_function(ctx, offset);

	*ret_value = ONES;
	if (function)
		*ret_value = pci_config_read(
			function, (uint32_t)offset & (PCI_FUNCTION_BYTES - 1), width);
	return 0;
}

static int32_t ecam_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct pci_function *function = ecam_function(ctx, offset);

	if (function)
		pci_config_write(function, (uint32_t)offset & (PCI_FUNCTION_BYTES - 1), width,
			(uint32_t)value);
	return 0;
}

static const struct vmm_io_ops address_ops = {
	.size = sizeof(address_ops), .read = address_read, .write = address_write};
static const struct vmm_io_ops data_ops = {
	.size = sizeof(data_ops), .read = data_read, .write = data_write};
static const struct vmm_io_ops ecam_ops = {
	.size = sizeof(ecam_ops), .read = ecam_read, .write = ecam_write};

/*
 * ---- Life ----
 */

static int32_t region_add(struct pci_bus *bus, const char *name, uint32_t space, uint64_t base,
	uint64_t bytes, const struct vmm_io_ops *ops, uint64_t *ret_region, struct vmm_error *error)
{
	struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = name,
		.space = space,
		.flags = VMM_IO_ENABLED,
		.base = base,
		.bytes = bytes,
		.width_max = 4,
		.ops = ops,
		.ctx = bus,
	};
	int32_t ret = bus->io.region_add(bus->host, &region, ret_region);

	if (ret < 0)
		vmm_set_error(error, "%s at %#llx: %s", name, (unsigned long long)base,
			ret == VMM_E_EXISTS ? "the range is taken by another device"
					    : vmm_error_text(ret));
	return ret;
}

int32_t pci_bus_realize(struct pci_bus *bus, struct vmm_error *error)
{
	static const struct vmm_pci_function host_bridge = {
		.struct_size = sizeof(host_bridge),
		.name = "host bridge",
		.slot = VMM_PCI_SLOT_AUTO,
		.vendor_id = HOST_VENDOR_ID,
		.device_id = HOST_DEVICE_ID,
		.class_code = HOST_CLASS,
	};
	struct vmm_pci_function what = host_bridge;
	int32_t ret;

	ret = region_add(bus, "pci-config-address", VMM_IO_PIO, CONFIG_ADDRESS_PORT,
		CONFIG_PORT_BYTES, &address_ops, &bus->region_address, error);
	if (ret >= 0)
		ret = region_add(bus, "pci-config-data", VMM_IO_PIO, CONFIG_DATA_PORT,
			CONFIG_PORT_BYTES, &data_ops, &bus->region_data, error);
	if (ret >= 0)
		ret = region_add(bus, "pci-ecam", VMM_IO_MMIO, bus->layout.pci_ecam_base,
			bus->layout.pci_ecam_bytes, &ecam_ops, &bus->region_ecam, error);
	what.owner = bus->host;
	what.error = error;
	if (ret >= 0)
		ret = pci_function_create(bus, &what, &bus->slots[0]);
	return ret < 0 ? ret : pci_acpi_add(bus, error);
}

void pci_bus_unrealize(struct pci_bus *bus)
{
	uint32_t slot;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		pci_function_destroy(bus->slots[slot]);
		bus->slots[slot] = NULL;
	}
	if (bus->region_address)
		bus->io.region_remove(bus->host, bus->region_address);
	if (bus->region_data)
		bus->io.region_remove(bus->host, bus->region_data);
	if (bus->region_ecam)
		bus->io.region_remove(bus->host, bus->region_ecam);
	bus->region_address = bus->region_data = bus->region_ecam = 0;
}

/*
 * ---- vmm.pci.bus/1. A function's handle is its slot. ----
 */

static struct pci_function *by_handle(struct pci_bus *bus, uint64_t handle)
{
	return handle && handle < PCI_SLOTS ? bus->slots[handle] : NULL;
}

static int32_t bus_add(
	void *object, const struct vmm_pci_function *function, uint64_t *ret_function)
{
	struct pci_bus *bus = object;
	struct vmm_pci_function what;
	struct pci_function *made;
	int32_t ret = pci_request_copy(&what, sizeof(what), function);

	if (ret < 0)
		return ret;
	ret = pci_function_create(bus, &what, &made);
	if (ret < 0)
		return ret;
	bus->slots[made->slot] = made;
	*ret_function = made->slot;
	return 0;
}

static void bus_remove(void *object, uint64_t handle)
{
	struct pci_bus *bus = object;
	struct pci_function *function = by_handle(bus, handle);

	if (!function)
		return;
	bus->slots[function->slot] = NULL;
	pci_function_destroy(function);
}

static int32_t bus_msix_fd(void *object, uint64_t handle, uint32_t vector, int32_t *ret_fd)
{
	struct pci_function *function = by_handle(object, handle);

	if (!function)
		return VMM_E_INVAL;
	if (vector >= function->msix.count)
		return VMM_E_RANGE;
	*ret_fd = function->msix.vectors[vector].fd;
	return 0;
}

static int32_t bus_msix_enabled(void *object, uint64_t handle)
{
	struct pci_function *function = by_handle(object, handle);

	return function && atomic_load_explicit(&function->msix.enabled, memory_order_relaxed) != 0;
}

static int32_t bus_intx_set(void *object, uint64_t handle, uint32_t level)
{
	struct pci_function *function = by_handle(object, handle);

	if (!function || !function->has_pin)
		return VMM_E_INVAL;
	pci_intx_set(function, level);
	return 0;
}

static int32_t bus_doorbell_add(void *object, uint64_t handle, const struct vmm_doorbell *doorbell,
	uint64_t *ret_doorbell, int32_t *ret_fd)
{
	struct pci_bus *bus = object;
	struct pci_function *function = by_handle(bus, handle);
	struct vmm_doorbell what;
	const struct pci_bar *bar;
	int32_t ret = pci_request_copy(&what, sizeof(what), doorbell);

	if (ret < 0)
		return ret;
	if (!function || what.region >= PCI_BARS || !function->bars[what.region].kind ||
		(function->msix.count && what.region == function->msix.bar))
		return VMM_E_INVAL;
	bar = &function->bars[what.region];
	what.region = bar->region;
	return bus->io.doorbell_add(bar->host, &what, ret_doorbell, ret_fd);
}

static uint64_t bus_dma_space(void *object, uint64_t handle)
{
	(void)object;
	(void)handle;
	return 0; /* VMM_SPACE_SYSTEM: there is no IOMMU */
}

static int32_t bus_bus_master(void *object, uint64_t handle)
{
	struct pci_function *function = by_handle(object, handle);

	return function && atomic_load_explicit(&function->bus_master, memory_order_relaxed) != 0;
}

const struct vmm_pci_bus pci_bus_table = {
	.size = sizeof(pci_bus_table),
	.add = bus_add,
	.remove = bus_remove,
	.msix_fd = bus_msix_fd,
	.msix_enabled = bus_msix_enabled,
	.intx_set = bus_intx_set,
	.doorbell_add = bus_doorbell_add,
	.dma_space = bus_dma_space,
	.bus_master = bus_bus_master,
};
