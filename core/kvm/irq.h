/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts through KVM: lines of the IOAPIC and PIC (GSI number = IOAPIC pin, also for GSI 0: no
 * interrupt source override is needed), and message-signalled vectors. The semantics of each
 * function are those of the slot of the same name in <vmm/irq.h>.
 */
#ifndef KVM_IRQ_H
#define KVM_IRQ_H

#include <stdint.h>

#include <vmm/irq.h>
#include <vmm/types.h>

#include "kvm/vm.h"

struct irq_line;
struct irq_msi;

/** VMM_E_RANGE, VMM_E_BUSY, VMM_E_INVAL, VMM_E_NOMEM. [config] */
int irq_line_open(struct vm *vm, uint32_t gsi, uint32_t trigger, struct irq_line **ret_line);

/** [any] */
int irq_line_set(struct irq_line *line, uint32_t level);

/** VMM_E_UNSUPPORTED: a level line, and the kernel cannot tell the end of an interrupt. [config] */
int irq_line_fds(struct irq_line *line, int *ret_trigger_fd, int *ret_resample_fd);

/** NULL is allowed. [config] */
void irq_line_close(struct irq_line *line);

/** VMM_E_LIMIT: the kernel has no more routes. [config] */
int irq_msi_open(struct vm *vm, struct irq_msi **ret_msi, int *ret_fd);

/** VMM_E_INVAL: not a message that the interrupt controller takes; the vector is masked. [any] */
int irq_msi_set(struct irq_msi *msi, uint64_t address, uint32_t data);

/** [any] */
int irq_msi_mask(struct irq_msi *msi);

/** [any] */
int irq_msi_pending(struct irq_msi *msi);

/** [any] */
void irq_msi_clear(struct irq_msi *msi);

/** NULL is allowed. [config] */
void irq_msi_close(struct irq_msi *msi);

#endif
