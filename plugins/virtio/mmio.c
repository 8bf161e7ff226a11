/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over MMIO (virtio 1.2, 4.2): a page of registers for each device in the machine's window
 * for devices without a bus, a shared level-triggered line, and an ACPI device that says where.
 *
 * Linux does not wait for the end of a reset here, as it does with PCI: it writes 0 and goes on.
 * So the write waits, within a limit, which is short for a device that has nothing in flight.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

#include "virtio-mmio.aml.h"

#define PAGE_BYTES 0x1000u

#define MAGIC     0x74726976u /* "virt" */
#define VENDOR_ID 0x204d4d56u /* "VMM " */

/* Registers that are not in enum vio_register (4.2.2). */
#define MMIO_MAGIC          0x000u
#define MMIO_VERSION        0x004u
#define MMIO_DEVICE_ID      0x008u
#define MMIO_VENDOR_ID      0x00cu
#define MMIO_QUEUE_READY    0x044u
#define MMIO_QUEUE_NOTIFY   0x050u
#define MMIO_IRQ_STATUS     0x060u
#define MMIO_IRQ_ACK        0x064u
#define MMIO_STATUS         0x070u
#define MMIO_SHM_LEN_LOW    0x0b0u
#define MMIO_SHM_BASE_HIGH  0x0bcu
#define MMIO_CONFIG         0x100u
#define MMIO_REGISTER_BYTES 4u

/** What a device has of the machine. */
struct vio_page {
	uint64_t region;
	uint64_t line;
	bool region_added;
	bool line_opened;
};

/* By offset / 4. */
static const uint8_t registers[MMIO_CONFIG / MMIO_REGISTER_BYTES] = {
	[0x010 / 4] = REG_DEVICE_FEATURE,
	[0x014 / 4] = REG_DEVICE_FEATURE_SELECT,
	[0x020 / 4] = REG_DRIVER_FEATURE,
	[0x024 / 4] = REG_DRIVER_FEATURE_SELECT,
	[0x030 / 4] = REG_QUEUE_SELECT,
	[0x034 / 4] = REG_QUEUE_SIZE_MAX,
	[0x038 / 4] = REG_QUEUE_SIZE,
	[MMIO_QUEUE_READY / 4] = REG_QUEUE_ENABLE,
	[MMIO_STATUS / 4] = REG_STATUS,
	[0x080 / 4] = REG_QUEUE_DESC_LOW,
	[0x084 / 4] = REG_QUEUE_DESC_HIGH,
	[0x090 / 4] = REG_QUEUE_DRIVER_LOW,
	[0x094 / 4] = REG_QUEUE_DRIVER_HIGH,
	[0x0a0 / 4] = REG_QUEUE_DEVICE_LOW,
	[0x0a4 / 4] = REG_QUEUE_DEVICE_HIGH,
	[0x0fc / 4] = REG_GENERATION,
};

/* Registers that may be read (4.2.2); the others are for writing. */
static bool readable(uint8_t reg)
{
	return reg == REG_DEVICE_FEATURE || reg == REG_QUEUE_SIZE_MAX || reg == REG_QUEUE_ENABLE ||
	       reg == REG_STATUS || reg == REG_GENERATION;
}

static int32_t page_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct vio_device *d = ctx;
	uint8_t reg;

	*ret_value = 0;
	if (offset >= MMIO_CONFIG) {
		*ret_value = vio_config_read(d, offset - MMIO_CONFIG, width);
		return 0;
	}
	if (width != MMIO_REGISTER_BYTES || offset % MMIO_REGISTER_BYTES)
		return 0;
	switch (offset) {
	case MMIO_MAGIC:
		*ret_value = MAGIC;
		return 0;
	case MMIO_VERSION:
		*ret_value = 2;
		return 0;
	case MMIO_DEVICE_ID:
		*ret_value = d->device_id;
		return 0;
	case MMIO_VENDOR_ID:
		*ret_value = VENDOR_ID;
		return 0;
	case MMIO_IRQ_STATUS:
		*ret_value = vio_irq_causes(d);
		return 0;
	default:
		break;
	}
	/* There is no shared memory region: length and base read as ones. */
	if (offset >= MMIO_SHM_LEN_LOW && offset <= MMIO_SHM_BASE_HIGH)
		*ret_value = UINT32_MAX;
	reg = registers[offset / MMIO_REGISTER_BYTES];
	if (readable(reg))
		*ret_value = vio_register_read(d, (enum vio_register)reg);
	return 0;
}

static void register_write(struct vio_device *d, uint64_t offset, uint32_t value)
{
	uint8_t reg = registers[offset / MMIO_REGISTER_BYTES];

	switch (offset) {
	case MMIO_QUEUE_NOTIFY:
		vio_doorbell_ring(d, value);
		return;
	case MMIO_IRQ_ACK:
		vio_irq_ack(d, value);
		return;
	case MMIO_QUEUE_READY:
		if (!value)
			vio_queue_disable(d);
		break;
	default:
		break;
	}
	if (reg != REG_NONE)
		vio_register_write(d, (enum vio_register)reg, value);
	if (offset == MMIO_STATUS && !value)
		vio_reset_wait(d);
}

static int32_t page_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct vio_device *d = ctx;

	if (offset >= MMIO_CONFIG)
		vio_config_write(d, offset - MMIO_CONFIG, width, value);
	else if (width == MMIO_REGISTER_BYTES && !(offset % MMIO_REGISTER_BYTES))
		register_write(d, offset, (uint32_t)value);
	return 0;
}

static const struct vmm_io_ops page_ops = {
	.size = sizeof(page_ops),
	.read = page_read,
	.write = page_write,
};

/* Finds a free page: any, or the one that `slot` names. */
static int32_t add_region(struct vio_device *d, struct vio_page *page,
	const struct vmm_layout *layout, uint32_t slot, uint32_t *ret_slot)
{
	uint64_t slots = layout->device_mmio_bytes / PAGE_BYTES;
	bool any = slot == VMM_VIRTIO_SLOT_AUTO;
	struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = d->name,
		.space = VMM_IO_MMIO,
		.flags = VMM_IO_ENABLED,
		.bytes = PAGE_BYTES,
		.width_max = 4,
		.ops = &page_ops,
		.ctx = d,
	};
	int32_t ret = VMM_E_LIMIT;

	/* Names of the ACPI devices have three digits for it. */
	if (slots > 0x1000)
		slots = 0x1000;
	for (uint32_t i = any ? d->transport->next_slot : slot; i < slots; i++) {
		region.base = layout->device_mmio_base + (uint64_t)i * PAGE_BYTES;
		ret = d->transport->io.region_add(d->transport->host, &region, &page->region);
		if (ret >= 0) {
			page->region_added = true;
			if (any)
				d->transport->next_slot = i + 1;
			*ret_slot = i;
			return 0;
		}
		if (!any || ret != VMM_E_EXISTS)
			break;
	}
	return ret;
}

static int32_t add_doorbells(struct vio_device *d, const struct vio_page *page)
{
	if (d->ops->serve)
		return 0; /* attach.c has made them */
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];
		const struct vmm_doorbell doorbell = {
			.struct_size = sizeof(doorbell),
			.region = page->region,
			.offset = MMIO_QUEUE_NOTIFY,
			.width = MMIO_REGISTER_BYTES,
			.flags = VMM_DOORBELL_MATCH,
			.value = i,
		};
		int32_t ret = d->transport->io.doorbell_add(
			d->transport->host, &doorbell, &queue->doorbell, &queue->doorbell_fd);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static uint64_t name_value(uint32_t slot)
{
	char name[8] = "";
	uint64_t value = 0;

	snprintf(name, sizeof(name), "V%03X", slot & 0xfff);
	memcpy(&value, name, 4);
	return value;
}

static int32_t add_acpi(struct vio_device *d, uint64_t base, uint32_t slot, uint32_t gsi)
{
	const struct vmm_acpi_patch patches[] = {
		{{'V', 'X', 'X', 'X'}, VMM_ACPI_PATCH_NAME, name_value(slot)},
		{{'_', 'U', 'I', 'D'}, VMM_ACPI_PATCH_VALUE, slot},
		{{'B', 'A', 'S', 'E'}, VMM_ACPI_PATCH_VALUE, base},
		{{'L', 'I', 'N', 'E'}, VMM_ACPI_PATCH_VALUE, gsi},
	};

	return d->transport->acpi.add_table(d->owner, virtio_mmio_aml, sizeof(virtio_mmio_aml),
		patches, sizeof(patches) / sizeof(*patches));
}

static int32_t attach(
	struct vio_device *d, const struct vmm_virtio_device *request, uint64_t *ret_space)
{
	struct vio_transport *t = d->transport;
	struct vmm_layout layout = {.struct_size = sizeof(layout)};
	struct vio_page *page = calloc(1, sizeof(*page));
	uint32_t slot;
	uint32_t gsi;
	int32_t ret;

	if (!page)
		return VMM_E_NOMEM;
	d->bus = page;
	ret = t->machine.layout(t->host, &layout);
	if (ret < 0)
		return ret;
	ret = add_region(d, page, &layout, request->slot, &slot);
	if (ret < 0) {
		if (ret == VMM_E_EXISTS || ret == VMM_E_LIMIT)
			vmm_set_error(request->error,
				"virtio-mmio: slot %u is not free or does not exist",
				request->slot);
		else
			vmm_set_error(request->error, "virtio-mmio: no registers: %s",
				vmm_error_text(ret));
		return ret;
	}
	if (!layout.device_gsi_count) {
		vmm_set_error(request->error, "virtio-mmio: the machine has no lines for devices");
		return VMM_E_UNSUPPORTED;
	}
	gsi = layout.device_gsi_base + slot % layout.device_gsi_count;
	ret = t->irq.line_open(t->host, gsi, VMM_IRQ_LEVEL, &page->line);
	if (ret < 0) {
		vmm_set_error(request->error, "virtio-mmio: line %u cannot be opened: %s", gsi,
			ret == VMM_E_BUSY ? "it is not free" : vmm_error_text(ret));
		return ret;
	}
	page->line_opened = true;
	ret = add_doorbells(d, page);
	if (ret < 0)
		return ret;
	*ret_space = VMM_SPACE_SYSTEM;
	return add_acpi(d, layout.device_mmio_base + (uint64_t)slot * PAGE_BYTES, slot, gsi);
}

static void detach(struct vio_device *d)
{
	struct vio_transport *t = d->transport;
	struct vio_page *page = d->bus;

	if (!page)
		return;
	if (page->region_added)
		t->io.region_remove(t->host, page->region);
	if (page->line_opened)
		t->irq.line_close(t->host, page->line);
	free(page);
	d->bus = NULL;
}

static void set_line(struct vio_device *d, uint32_t level)
{
	const struct vio_page *page = d->bus;

	d->transport->irq.line_set(d->transport->host, page->line, level);
}

const struct vio_bus vio_mmio_bus = {
	.attach = attach,
	.detach = detach,
	.set_line = set_line,
};
