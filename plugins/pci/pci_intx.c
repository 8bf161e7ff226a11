/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt pins (PCI Local Bus 3.0, 2.2.6). Every function has INTA at most; slots share the
 * machine's lines round robin, as _PRT in pci.asl says. A pin is level-triggered: it is up while
 * the owner holds it up, and a line while any of its pins is.
 */
#include "pci.h"

int32_t pci_intx_add(struct pci_function *function, struct vmm_error *error)
{
	struct pci_bus *bus = function->bus;
	uint32_t gsi;
	int32_t ret;

	if (!bus->layout.pci_gsi_count) {
		vmm_set_error(error, "the machine has no interrupt lines for PCI");
		return VMM_E_LIMIT;
	}
	gsi = bus->layout.pci_gsi_base + function->slot % bus->layout.pci_gsi_count;
	ret = bus->irq.line_open(bus->host, gsi, VMM_IRQ_LEVEL, &function->line);
	if (ret < 0) {
		vmm_set_error(error, "cannot open interrupt line %u: %s", gsi, vmm_error_text(ret));
		return ret;
	}
	function->has_pin = 1;
	function->config[PCI_INTR_PIN] = 1;
	function->config[PCI_INTR_LINE] = (uint8_t)gsi;
	return 0;
}

void pci_intx_remove(struct pci_function *function)
{
	if (function->has_pin)
		function->bus->irq.line_close(function->bus->host, function->line);
	function->has_pin = 0;
}

static void update_locked(struct pci_function *function)
{
	struct pci_bus *bus = function->bus;
	/* A function that uses MSI-X must not use its pin (PCI 3.0, 6.8.3.3). */
	uint32_t level = function->pin &&
			 !atomic_load_explicit(&function->intx_off, memory_order_relaxed) &&
			 !atomic_load_explicit(&function->msix.enabled, memory_order_relaxed);

	if (level == function->line_level)
		return;
	function->line_level = level;
	bus->irq.line_set(bus->host, function->line, level);
}

void pci_intx_set(struct pci_function *function, uint32_t level)
{
	pthread_mutex_lock(&function->bus->irq_lock);
	function->pin = level != 0;
	update_locked(function);
	pthread_mutex_unlock(&function->bus->irq_lock);
}

void pci_intx_update(struct pci_function *function)
{
	if (!function->has_pin)
		return;
	pthread_mutex_lock(&function->bus->irq_lock);
	update_locked(function);
	pthread_mutex_unlock(&function->bus->irq_lock);
}

uint32_t pci_intx_status(struct pci_function *function)
{
	uint32_t level;

	if (!function->has_pin)
		return 0;
	pthread_mutex_lock(&function->bus->irq_lock);
	level = function->pin;
	pthread_mutex_unlock(&function->bus->irq_lock);
	return level;
}
