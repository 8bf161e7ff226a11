/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/kvm share. Nobody else includes this.
 */
#ifndef KVM_VM_INTERNAL_H
#define KVM_VM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>

#include "kvm/caps.h"
#include "kvm/irq.h"
#include "kvm/vm.h"

/* One pin of the IOAPIC (and PIC). */
struct irq_pin {
	pthread_mutex_t lock; /* guards the rest, and the order of its ioctls; a leaf */
	uint32_t opened;      /* lines on it */
	uint32_t trigger;     /* VMM_IRQ_..., while opened */
	uint32_t held;        /* lines that hold it up */
};

/* Message-signalled vectors; vector i has GSI VM_IOAPIC_PINS + i. */
struct irq_msis {
	pthread_mutex_t lock;     /* guards the rest and every irq_msi; a leaf */
	struct irq_msi **vectors; /* NULL: free */
	uint32_t capacity;
	struct kvm_irq_routing *table; /* room for all pins and `capacity` vectors */
};

struct vm {
	int kvm_fd;
	int fd;
	struct kvm_caps caps;
	const struct memory *memory;
	uint32_t vcpus;
	uint32_t phys_bits;
	size_t run_bytes;         /* of each vCPU's mapping */
	struct kvm_cpuid2 *cpuid; /* what the host's KVM supports */
	struct irq_pin pins[VM_IOAPIC_PINS];
	struct irq_msis msis;
};

#define VM_CPUID_ENTRIES_MAX 256u

/** Text and code for a failed ioctl; what is its name. */
int vm_os_error(int err, const char *what, struct vmm_error *error);

/** An eventfd for KVM: non-blocking, closed on exec. */
int vm_eventfd(void);

int irq_init(struct vm *vm);
void irq_fini(struct vm *vm);

int irq_msis_init(struct irq_msis *msis);
void irq_msis_fini(struct irq_msis *msis);

#endif
