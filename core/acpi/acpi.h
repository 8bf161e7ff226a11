/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of the machine: RSDP, XSDT, FADT, MADT and DSDT, which are made here, and the
 * tables that devices contribute. Pure: works on a buffer of the caller's; knows no KVM and no
 * guest memory. The machine is of the hardware-reduced kind (ACPI 6.4, 4.1).
 */
#ifndef ACPI_ACPI_H
#define ACPI_ACPI_H

#include <stdint.h>

#include <vmm/acpi.h>
#include <vmm/types.h>

/**
 * Where the tables go: the RSDP first, in the area that a kernel which gets no pointer searches
 * (ACPI 6.4, 5.2.5.1). The area is BOOT_RANGE_ACPI in the guest's memory map.
 */
#define ACPI_AREA_BASE  0xe0000u
#define ACPI_AREA_BYTES 0x20000u

/**
 * The last bytes of the area are a PC's reset vector, at 0xffff0: code that writes the reset
 * register. Linux gets there when it reboots a hardware-reduced machine: it tries EFI
 * (reboot_init() in arch/x86/kernel/reboot.c) and then jumps to the BIOS, but never uses the reset
 * register.
 */
#define ACPI_RESET_VECTOR_BYTES 16u

#define ACPI_TABLES_MAX 64 /* contributed tables */

/** What devices contributed so far. */
struct acpi;

/** What the tables say of the machine. */
struct acpi_machine {
	uint32_t vcpus; /* APIC ids are 0 to vcpus - 1 */
	uint32_t lapic_base;
	uint32_t ioapic_base; /* GSI base 0 */
	uint32_t ioapic_id;
	uint32_t timer_gsi; /* where ISA interrupt 0 arrives; 0: there, no override is needed */
	uint32_t reserved;
};

int acpi_create(struct acpi **ret_acpi);
void acpi_destroy(struct acpi *acpi);

/**
 * Adds a table: vmm.acpi's add_table. Copies and patches it. VMM_E_INVAL: not a table, a table that
 * is made here, or a patch that does not apply; VMM_E_RANGE: a value does not fit its place;
 * VMM_E_LIMIT, VMM_E_NOMEM.
 */
int acpi_add_table(struct acpi *acpi, const void *table, uint64_t bytes,
	const struct vmm_acpi_patch *patches, uint64_t patch_count, struct vmm_error *error);

/**
 * Sets fixed registers: vmm.acpi's set_fixed. VMM_E_EXISTS: a register of this kind was set before;
 * VMM_E_INVAL, VMM_E_TOO_NEW: the request is wrong. Nothing is changed then.
 */
int acpi_set_fixed(struct acpi *acpi, const struct vmm_acpi_fixed *fixed, struct vmm_error *error);

/**
 * Writes all tables into buffer, which the guest sees at `base`: RSDP at the start, reset vector at
 * the end, zeros between. VMM_E_LIMIT: they do not fit.
 */
int acpi_build(const struct acpi *acpi, const struct acpi_machine *machine, vmm_gpa base,
	void *buffer, uint64_t buffer_bytes, struct vmm_error *error);

#endif
