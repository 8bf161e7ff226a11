/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of ACPI 6.4, chapter 5.2, as they lie in memory; only those made in this folder.
 */
#ifndef ACPI_LAYOUT_H
#define ACPI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define PACKED __attribute__((packed))

struct acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "description header");

struct acpi_gas { /* 5.2.3.2, generic address structure */
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} PACKED;

#define ACPI_GAS_IO   1u
#define ACPI_GAS_BYTE 1u

struct acpi_fadt { /* 5.2.9; members without a use here are lumped together */
	struct acpi_header header;
	uint32_t firmware_ctrl;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t pm_profile;
	uint8_t sci_and_pm[63]; /* 46 to 108: fixed hardware, absent */
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	struct acpi_gas x_pm[8]; /* 148 to 243: fixed hardware, absent */
	struct acpi_gas sleep_control;
	struct acpi_gas sleep_status;
	uint64_t hypervisor_vendor;
} PACKED;
_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT of revision 6");
_Static_assert(offsetof(struct acpi_fadt, iapc_boot_arch) == 109, "IAPC_BOOT_ARCH");
_Static_assert(offsetof(struct acpi_fadt, reset) == 116, "RESET_REG");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "X_DSDT");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "SLEEP_CONTROL_REG");

#define ACPI_FADT_WBINVD        (1u << 0)
#define ACPI_FADT_PROC_C1       (1u << 2)
#define ACPI_FADT_PWR_BUTTON    (1u << 4) /* no fixed one; set as 4.8.3.1 demands here */
#define ACPI_FADT_SLP_BUTTON    (1u << 5) /* likewise */
#define ACPI_FADT_FIX_RTC       (1u << 6) /* no RTC wake status in fixed registers */
#define ACPI_FADT_RESET_REG_SUP (1u << 10)
#define ACPI_FADT_HW_REDUCED    (1u << 20)

/* IAPC_BOOT_ARCH, 5.2.9.3 */
#define ACPI_BOOT_LEGACY  0x1u
#define ACPI_BOOT_8042    0x2u
#define ACPI_BOOT_NO_VGA  0x4u
#define ACPI_BOOT_NO_CMOS 0x20u

struct acpi_madt { /* 5.2.12 */
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags;
} PACKED;
_Static_assert(sizeof(struct acpi_madt) == 44, "MADT");

#define ACPI_MADT_PCAT_COMPAT 1u /* there are also two 8259 */
#define ACPI_MADT_ENABLED     1u

struct acpi_madt_lapic {
	uint8_t type, length; /* 0, 8 */
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} PACKED;
_Static_assert(sizeof(struct acpi_madt_lapic) == 8, "local APIC");

struct acpi_madt_ioapic {
	uint8_t type, length; /* 1, 12 */
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} PACKED;
_Static_assert(sizeof(struct acpi_madt_ioapic) == 12, "I/O APIC");

struct acpi_madt_override {
	uint8_t type, length; /* 2, 10 */
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
} PACKED;
_Static_assert(sizeof(struct acpi_madt_override) == 10, "interrupt source override");

struct acpi_madt_nmi {
	uint8_t type, length; /* 4, 6 */
	uint8_t uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;
_Static_assert(sizeof(struct acpi_madt_nmi) == 6, "local APIC NMI");

struct acpi_madt_x2apic {
	uint8_t type, length; /* 9, 16 */
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t uid;
} PACKED;
_Static_assert(sizeof(struct acpi_madt_x2apic) == 16, "local x2APIC");

struct acpi_madt_x2apic_nmi {
	uint8_t type, length; /* 10, 12 */
	uint16_t flags;
	uint32_t uid;
	uint8_t lint;
	uint8_t reserved[3];
} PACKED;
_Static_assert(sizeof(struct acpi_madt_x2apic_nmi) == 12, "local x2APIC NMI");

#endif
