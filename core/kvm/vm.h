/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machine as KVM sees it: /dev/kvm, its capabilities, the VM with its memory slots and
 * in-kernel interrupt controllers and timer, and the kernel's side of doorbells. vCPUs are in
 * kvm/vcpu.h, interrupts in kvm/irq.h. What the machine is made of is not decided here.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/types.h>

#include "io/io.h"
#include "memory/memory.h"

/* Fixed places in pc-1.0 (guest physical). */
#define VM_IDENTITY_MAP UINT64_C(0xfffbc000) /* 1 page, for Intel's unrestricted guest */
#define VM_TSS          UINT64_C(0xfffbd000) /* 3 pages, likewise */
#define VM_IOAPIC       UINT64_C(0xfec00000)
#define VM_LAPIC        UINT64_C(0xfee00000)
#define VM_IOAPIC_PINS  24u

/* APIC ids are 0 to 254; 255 is the broadcast address. */
#define VM_VCPUS_MAX 255u

struct vm;

struct vm_options {
	const char *path; /* of the KVM device; NULL: /dev/kvm */
	uint32_t vcpus;   /* how many will be created */
};

/**
 * Opens KVM, checks its capabilities and makes a VM with the given RAM, interrupt controllers and
 * timer. memory must outlive it. VMM_E_NOT_FOUND, VMM_E_PERM, VMM_E_UNSUPPORTED, VMM_E_BUSY,
 * VMM_E_NOMEM, VMM_E_LIMIT (vCPUs, memory slots): the text says what is missing and what to do.
 * [config]
 */
int vm_create(const struct vm_options *options, const struct memory *memory,
	struct vmm_error *error, struct vm **ret_vm);

/** Frees it; vCPUs, lines and vectors have been destroyed before. NULL is allowed. [config] */
void vm_destroy(struct vm *vm);

/**
 * Ticks of the PIT that the guest did not take in time are not made up for: no burst after a pause.
 * KVM makes up for them when it makes a PIT, and takes ticks of the host (two grace periods of
 * SRCU) to be told otherwise. vCPUs may run meanwhile; one that enters the guest for the first
 * time, or on another processor, waits for it (KVM's lock of the PIT). The text names the call that
 * failed. [config, any]
 */
int vm_drop_missed_ticks(struct vm *vm, struct vmm_error *error);

/**
 * Whether the processor shows VT-x or AMD-V. A KVM that does without them, as kvm_pvm in virtual
 * machines of some clouds, has all capabilities and runs small guests, but a Linux that was not
 * made for it never prints a line. [any]
 */
bool vm_hardware(void);

/** Number of bits of a guest physical address on this CPU. [any] */
uint32_t vm_phys_bits(const struct vm *vm);

/** Reserves in the I/O map what KVM itself answers for: RAM, APICs, PIC, PIT, TSS. [config] */
int vm_reserve(const struct vm *vm, struct io_map *map, struct vmm_error *error);

/** The kernel's doorbells: io_set_backend(map, vm_io_backend(), vm). */
const struct io_backend *vm_io_backend(void);

/**
 * Writes the table of capabilities, one a line, with what this kernel has. path as in vm_options.
 * Returns 0 if all required ones are there, else as vm_create. [config]
 */
int vm_print_capabilities(const char *path, FILE *file, struct vmm_error *error);

#endif
