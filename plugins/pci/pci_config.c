/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of a function (PCI Local Bus 3.0, 6.2): bytes with masks of what the guest
 * may write or clear, and what writes set off. Bodies of hooked capabilities are their owner's.
 * There are no extended capabilities: what is above 256 bytes reads as 0.
 */
#include "pci.h"

/* One access to a capability's body, in pieces that the owner understands. */
struct piece {
	const struct pci_hook *hook;
	uint32_t at; /* in configuration space */
	uint32_t width;
};

/*
 * The first piece of [offset, offset + width) that lies in a hooked body; 0: there is none. Pieces
 * have 1, 2 or 4 bytes and are aligned.
 */
static int next_piece(const struct pci_function *function, uint32_t offset, uint32_t width,
	struct piece *ret_piece)
{
	uint32_t end = offset + width, i;

	for (; offset < end; offset++) {
		for (i = 0; i < function->hook_count; i++) {
			const struct pci_hook *hook = &function->hooks[i];
			uint32_t left;

			if (offset < hook->start || offset >= hook->start + hook->bytes)
				continue;
			left = hook->start + hook->bytes - offset;
			left = left < end - offset ? left : end - offset;
			ret_piece->hook = hook;
			ret_piece->at = offset;
			ret_piece->width = 4;
			while (ret_piece->width > left || (offset & (ret_piece->width - 1)))
				ret_piece->width /= 2;
			return 1;
		}
	}
	return 0;
}

static uint32_t ones(uint32_t width)
{
	return width >= 4 ? UINT32_MAX : (1u << (width * 8)) - 1;
}

/*
 * ---- Reads ----
 */

static uint32_t hooks_read(
	struct pci_function *function, uint32_t offset, uint32_t width, uint32_t value)
{
	uint32_t at = offset, end = offset + width, shift, got;
	struct piece piece;

	while (at < end && next_piece(function, at, end - at, &piece)) {
		at = piece.at + piece.width;
		if (!function->ops.cap_read)
			continue;
		got = 0;
		if (function->ops.cap_read(function->ctx, piece.hook->cap,
			    piece.at - piece.hook->start, piece.width, &got) < 0)
			got = UINT32_MAX;
		shift = (piece.at - offset) * 8;
		value &= ~(ones(piece.width) << shift);
		value |= (got & ones(piece.width)) << shift;
	}
	return value;
}

static uint8_t byte_read(const struct pci_function *function, uint32_t offset, uint32_t interrupt)
{
	if (offset >= PCI_FUNCTION_BYTES)
		return 0xff; /* another function's, or nobody's */
	if (offset >= PCI_CONFIG_BYTES)
		return 0;
	if (offset == PCI_STATUS && interrupt)
		return function->config[offset] | PCI_STATUS_INTERRUPT;
	return function->config[offset];
}

uint32_t pci_config_read(struct pci_function *function, uint32_t offset, uint32_t width)
{
	struct pci_bus *bus = function->bus;
	uint32_t value = 0, interrupt, i;

	pthread_mutex_lock(&bus->lock);
	interrupt = pci_intx_status(function);
	for (i = 0; i < width; i++)
		value |= (uint32_t)byte_read(function, offset + i, interrupt) << (i * 8);
	pthread_mutex_unlock(&bus->lock);
	return function->hook_count ? hooks_read(function, offset, width, value) : value;
}

/*
 * ---- Writes ----
 */

static int touches(uint32_t offset, uint32_t width, uint32_t start, uint32_t bytes)
{
	return offset < start + bytes && start < offset + width;
}

static void bytes_write(
	struct pci_function *function, uint32_t offset, uint32_t width, uint32_t value)
{
	for (; width-- && offset < PCI_CONFIG_BYTES; offset++, value >>= 8) {
		uint8_t mask = function->write_mask[offset];
		uint8_t byte = (uint8_t)value;

		byte = (uint8_t)((function->config[offset] & ~mask) | (byte & mask));
		byte &= (uint8_t) ~((uint8_t)value & function->clear_mask[offset]);
		function->config[offset] = byte;
	}
}

/* Returns 1 if the bus master bit changed. */
static int command_written(struct pci_function *function, uint32_t old)
{
	uint32_t command = pci_get(function->config + PCI_COMMAND, 2), changed = command ^ old;

	if (changed & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
		pci_bars_decode(function);
	if (changed & PCI_COMMAND_INTX_OFF) {
		atomic_store_explicit(&function->intx_off, (command & PCI_COMMAND_INTX_OFF) != 0,
			memory_order_relaxed);
		pci_intx_update(function);
	}
	if (!(changed & PCI_COMMAND_BUS_MASTER))
		return 0;
	atomic_store_explicit(&function->bus_master, (command & PCI_COMMAND_BUS_MASTER) != 0,
		memory_order_relaxed);
	pci_msix_update(function);
	return 1;
}

/* Returns 1 if MSI-X was enabled or disabled. */
static int msix_written(struct pci_function *function, uint32_t old)
{
	uint32_t control = pci_get(function->config + function->msix.cap + PCI_MSIX_CONTROL, 2);

	if (control == old)
		return 0;
	pci_msix_control(function, control);
	if (!((control ^ old) & PCI_MSIX_ENABLE))
		return 0;
	pci_intx_update(function);
	return 1;
}

static void hooks_write(
	struct pci_function *function, uint32_t offset, uint32_t width, uint32_t value)
{
	uint32_t at = offset, end = offset + width;
	struct piece piece;

	while (at < end && next_piece(function, at, end - at, &piece)) {
		at = piece.at + piece.width;
		if (function->ops.cap_write)
			function->ops.cap_write(function->ctx, piece.hook->cap,
				piece.at - piece.hook->start, piece.width,
				(value >> ((piece.at - offset) * 8)) & ones(piece.width));
	}
}

void pci_config_write(
	struct pci_function *function, uint32_t offset, uint32_t width, uint32_t value)
{
	struct pci_bus *bus = function->bus;
	uint32_t msix_at = function->msix.cap + PCI_MSIX_CONTROL, command, control = 0;
	int master_changed = 0, msix_changed = 0;

	pthread_mutex_lock(&bus->write_lock);
	pthread_mutex_lock(&bus->lock);
	command = pci_get(function->config + PCI_COMMAND, 2);
	if (function->msix.cap)
		control = pci_get(function->config + msix_at, 2);
	bytes_write(function, offset, width, value);
	if (touches(offset, width, PCI_BAR0, PCI_BARS * 4))
		pci_bar_written(function, offset, width);
	if (touches(offset, width, PCI_COMMAND, 2))
		master_changed = command_written(function, command);
	if (function->msix.cap && touches(offset, width, msix_at, 2))
		msix_changed = msix_written(function, control);
	pthread_mutex_unlock(&bus->lock);

	if (master_changed && function->ops.bus_master_changed)
		function->ops.bus_master_changed(function->ctx,
			atomic_load_explicit(&function->bus_master, memory_order_relaxed));
	if (msix_changed && function->ops.msix_changed)
		function->ops.msix_changed(function->ctx,
			atomic_load_explicit(&function->msix.enabled, memory_order_relaxed));
	pthread_mutex_unlock(&bus->write_lock);

	if (function->hook_count)
		hooks_write(function, offset, width, value);
}
