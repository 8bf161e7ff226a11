/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.irq/1": interrupt lines (GSIs of the machine's interrupt controller) and
 * message-signalled vectors. A device on a bus asks the bus instead.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <vmm/types.h>

#define VMM_IRQ_ID "vmm.irq/1"

#define VMM_IRQ_EDGE  100u /* ISA style: each rise of the level is one interrupt */
#define VMM_IRQ_LEVEL 200u /* PCI style: pending while any device holds the line up */

/** Table of functions. */
struct vmm_irq {
	uint64_t size;

	/**
	 * A handle on line `gsi`. Several devices may open a level line; it is up while one of
	 * them holds it up. VMM_E_RANGE: no such line. VMM_E_BUSY: an edge line in use. [config]
	 */
	int32_t (*line_open)(vmm_host *host, uint32_t gsi, uint32_t trigger, uint64_t *ret_line);

	/** Sets the level that this handle holds the line at: 0 or 1. [any] */
	int32_t (*line_set)(vmm_host *host, uint64_t line, uint32_t level);

	/**
	 * Eventfds for a line: a write to *ret_trigger_fd pulses an edge line or holds a level
	 * line up until the guest ends the interrupt, which is told on *ret_resample_fd (-1 for
	 * edge lines). Both stay the core's, until line_close. [config]
	 */
	int32_t (*line_fds)(
		vmm_host *host, uint64_t line, int32_t *ret_trigger_fd, int32_t *ret_resample_fd);

	/** Drops the handle and the level that it holds. [config] */
	void (*line_close)(vmm_host *host, uint64_t line);

	/**
	 * A message-signalled vector, masked. Writes to the eventfd *ret_fd raise it; while it is
	 * masked they are kept, and unmasking delivers them as one. The fd stays the core's, until
	 * msi_close. VMM_E_LIMIT: the kernel has no more routes. [config]
	 */
	int32_t (*msi_open)(vmm_host *host, uint64_t *ret_vector, int32_t *ret_fd);

	/**
	 * Sets address and data (PCI 3.0, 6.8.2) and unmasks. VMM_E_INVAL: the kernel refuses the
	 * message; the vector stays masked. [config] [loop] [vcpu]
	 */
	int32_t (*msi_set)(vmm_host *host, uint64_t vector, uint64_t address, uint32_t data);

	/** Masks the vector. [config] [loop] [vcpu] */
	int32_t (*msi_mask)(vmm_host *host, uint64_t vector);

	/** 1 while a masked vector was raised and not delivered, else 0. [any] */
	int32_t (*msi_pending)(vmm_host *host, uint64_t vector);

	/** Forgets what was raised and not delivered. [any] */
	void (*msi_clear)(vmm_host *host, uint64_t vector);

	/** Drops the vector. [config] */
	void (*msi_close)(vmm_host *host, uint64_t vector);
};
VMM_ASSERT_SIZE(vmm_irq, 88);
VMM_ASSERT_OFFSET(vmm_irq, size, 0);
VMM_ASSERT_OFFSET(vmm_irq, line_open, 8);
VMM_ASSERT_OFFSET(vmm_irq, line_set, 16);
VMM_ASSERT_OFFSET(vmm_irq, line_fds, 24);
VMM_ASSERT_OFFSET(vmm_irq, line_close, 32);
VMM_ASSERT_OFFSET(vmm_irq, msi_open, 40);
VMM_ASSERT_OFFSET(vmm_irq, msi_set, 48);
VMM_ASSERT_OFFSET(vmm_irq, msi_mask, 56);
VMM_ASSERT_OFFSET(vmm_irq, msi_pending, 64);
VMM_ASSERT_OFFSET(vmm_irq, msi_clear, 72);
VMM_ASSERT_OFFSET(vmm_irq, msi_close, 80);

#endif
