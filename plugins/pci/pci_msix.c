/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X (PCI Local Bus 3.0, 6.8.2): the table and the pending bits, in a BAR of the bus. A vector
 * is an eventfd that its owner writes; the core delivers it, or keeps it while it is masked, so
 * that nothing of this file is on the way of an interrupt. A vector is masked in the core when its
 * entry or the function is masked, MSI-X is off, or the function may not be bus master.
 *
 * What was raised while a vector is masked stays pending, also over a disable and enable of MSI-X:
 * an interrupt too many is harmless, one too few is not.
 */
#include <stdlib.h>

#include "pci.h"

#define ENTRY_BYTES   16u
#define ENTRY_ADDRESS 0u
#define ENTRY_DATA    8u
#define ENTRY_CONTROL 12u
#define ENTRY_MASKED  1u
#define PBA_SMALL     0x800u /* place of the pending bits when the table fits in front of it */
#define PAGE_BYTES    4096u

/*
 * ---- Delivery. bus->lock is held. ----
 */

static void vector_update(struct pci_function *function, uint32_t number)
{
	struct pci_bus *bus = function->bus;
	struct pci_msix *msix = &function->msix;
	struct pci_vector *vector = &msix->vectors[number];
	int live = !vector->masked && !msix->masked &&
		   atomic_load_explicit(&msix->enabled, memory_order_relaxed) &&
		   atomic_load_explicit(&function->bus_master, memory_order_relaxed);

	if (!live) {
		if (vector->live)
			bus->irq.msi_mask(bus->host, vector->handle);
		vector->live = 0;
		return;
	}
	if (vector->live && vector->live_address == vector->address &&
		vector->live_data == vector->data)
		return;
	vector->live_address = vector->address;
	vector->live_data = vector->data;
	vector->live =
		bus->irq.msi_set(bus->host, vector->handle, vector->address, vector->data) >= 0;
	if (!vector->live)
		vmm_guest_errorf(&bus->log, bus->host, "pci: MSI-X message refused",
			"%s: vector %u: address %#llx, data %#x is no interrupt message; the "
			"vector is dead",
			function->name, number, (unsigned long long)vector->address, vector->data);
}

void pci_msix_update(struct pci_function *function)
{
	uint32_t i;

	for (i = 0; i < function->msix.count; i++)
		vector_update(function, i);
}

void pci_msix_control(struct pci_function *function, uint32_t control)
{
	struct pci_msix *msix = &function->msix;

	msix->masked = (control & PCI_MSIX_MASK_ALL) != 0;
	atomic_store_explicit(
		&msix->enabled, (control & PCI_MSIX_ENABLE) != 0, memory_order_relaxed);
	pci_msix_update(function);
}

/*
 * ---- The BAR ----
 */

/* One dword of an entry. */
static uint32_t entry_read(const struct pci_vector *vector, uint32_t offset)
{
	switch (offset) {
	case ENTRY_ADDRESS:
		return (uint32_t)vector->address;
	case ENTRY_ADDRESS + 4:
		return (uint32_t)(vector->address >> 32);
	case ENTRY_DATA:
		return vector->data;
	default:
		return vector->masked ? ENTRY_MASKED : 0;
	}
}

static void entry_write(struct pci_vector *vector, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case ENTRY_ADDRESS: /* bits 0 and 1 are 0 */
		vector->address = (vector->address & ~0xffffffffull) | (value & ~3u);
		break;
	case ENTRY_ADDRESS + 4:
		vector->address = (vector->address & 0xffffffff) | (uint64_t)value << 32;
		break;
	case ENTRY_DATA:
		vector->data = value;
		break;
	default:
		vector->masked = value & ENTRY_MASKED;
		break;
	}
}

static int is_valid(uint64_t offset, uint32_t width)
{
	return (width == 4 || width == 8) && !(offset & (width - 1));
}

static int in_table(const struct pci_msix *msix, uint64_t offset)
{
	return offset < (uint64_t)msix->count * ENTRY_BYTES;
}

/* 64 pending bits, those of vectors from `first` on. */
static uint64_t pending_read(struct pci_function *function, uint64_t first)
{
	struct pci_bus *bus = function->bus;
	struct pci_msix *msix = &function->msix;
	uint64_t bits = 0, i;

	for (i = 0; i < 64 && first + i < msix->count; i++)
		if (bus->irq.msi_pending(bus->host, msix->vectors[first + i].handle) > 0)
			bits |= 1ull << i;
	return bits;
}

static int32_t table_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct pci_function *function = ctx;
	struct pci_msix *msix = &function->msix;
	const struct pci_vector *vector;
	uint64_t value = 0;

	if (!is_valid(offset, width)) {
		*ret_value = 0;
		return 0;
	}
	if (in_table(msix, offset)) {
		pthread_mutex_lock(&function->bus->lock);
		vector = &msix->vectors[offset / ENTRY_BYTES];
		value = entry_read(vector, offset & 12);
		if (width == 8)
			value |= (uint64_t)entry_read(vector, (offset & 12) + 4) << 32;
		pthread_mutex_unlock(&function->bus->lock);
	} else if (offset >= msix->pba && (offset - msix->pba) * 8 < msix->count) {
		value = pending_read(function, (offset - msix->pba) / 8 * 64);
		if (offset & 4)
			value >>= 32;
	}
	*ret_value = value;
	return 0;
}

static int32_t table_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct pci_function *function = ctx;
	struct pci_msix *msix = &function->msix;
	struct pci_vector *vector;

	if (!is_valid(offset, width) || !in_table(msix, offset)) {
		vmm_guest_errorf(&function->bus->log, function->bus->host, "pci: MSI-X write",
			"%s: write of %u bytes at %#llx of the MSI-X BAR is ignored",
			function->name, width, (unsigned long long)offset);
		return 0;
	}
	pthread_mutex_lock(&function->bus->lock);
	vector = &msix->vectors[offset / ENTRY_BYTES];
	entry_write(vector, offset & 12, (uint32_t)value);
	if (width == 8)
		entry_write(vector, (offset & 12) + 4, (uint32_t)(value >> 32));
	vector_update(function, (uint32_t)(offset / ENTRY_BYTES));
	pthread_mutex_unlock(&function->bus->lock);
	return 0;
}

static const struct vmm_io_ops table_ops = {
	.size = sizeof(table_ops), .read = table_read, .write = table_write};

/*
 * ---- Adding ----
 */

static int32_t vectors_open(struct pci_function *function, uint32_t count, struct vmm_error *error)
{
	struct pci_bus *bus = function->bus;
	struct pci_msix *msix = &function->msix;
	int32_t ret;

	msix->vectors = calloc(count, sizeof(msix->vectors[0]));
	if (!msix->vectors)
		return VMM_E_NOMEM;
	for (msix->count = 0; msix->count < count; msix->count++) {
		struct pci_vector *vector = &msix->vectors[msix->count];

		ret = bus->irq.msi_open(bus->host, &vector->handle, &vector->fd);
		if (ret < 0) {
			vmm_set_error(error, "only %u of %u MSI-X vectors could be opened: %s%s",
				msix->count, count, vmm_error_text(ret),
				ret == VMM_E_LIMIT ? "; give its devices fewer queues" : "");
			return ret;
		}
		vector->masked = 1;
	}
	return 0;
}

int32_t pci_msix_add(
	struct pci_function *function, uint32_t vectors, uint32_t bar, struct vmm_error *error)
{
	struct pci_msix *msix = &function->msix;
	uint32_t table = vectors * ENTRY_BYTES, end;
	struct vmm_pci_bar what = {
		.struct_size = sizeof(what),
		.index = bar,
		.kind = VMM_PCI_BAR_MEM32,
		.bytes = PAGE_BYTES,
		.ops = &table_ops,
		.ctx = function,
		.width_max = 8,
	};
	int32_t ret;

	if (vectors > PCI_MSIX_VECTOR_MAX) {
		vmm_set_error(
			error, "%u MSI-X vectors are more than %u", vectors, PCI_MSIX_VECTOR_MAX);
		return VMM_E_INVAL;
	}
	msix->bar = bar;
	msix->pba = table <= PBA_SMALL ? PBA_SMALL : (table + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	end = msix->pba + (vectors + 63) / 64 * 8;
	while (what.bytes < end)
		what.bytes *= 2;
	ret = vectors_open(function, vectors, error);
	return ret < 0 ? ret : pci_bar_add(function, &what, error);
}

void pci_msix_remove(struct pci_function *function)
{
	struct pci_msix *msix = &function->msix;

	while (msix->count)
		function->bus->irq.msi_close(
			function->bus->host, msix->vectors[--msix->count].handle);
	free(msix->vectors);
	msix->vectors = NULL;
}

/* The capability behind id and next: control, table, pending bits. */
void pci_msix_body(const struct pci_msix *msix, uint8_t body[10])
{
	pci_put(body, 2, msix->count - 1);
	pci_put(body + 2, 4, msix->bar);
	pci_put(body + 6, 4, msix->pba | msix->bar);
}
