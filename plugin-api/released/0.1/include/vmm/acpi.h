/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.acpi/1": what a device adds to the ACPI tables of the machine. The machine is
 * of the hardware-reduced kind (ACPI 6.4, 4.1). AML comes from iasl at build time.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <vmm/types.h>

#define VMM_ACPI_ID "vmm.acpi/1"

#define VMM_ACPI_PATCH_VALUE 100u /* Name (XXXX, <integer>): the integer becomes `value` */
#define VMM_ACPI_PATCH_NAME  200u /* the name XXXX becomes the 4 characters in `value` */

/**
 * One change to a compiled table. VALUE needs a Name() whose integer was compiled to 2, 4 or 8
 * bytes. Every patch must apply at least once.
 */
struct vmm_acpi_patch {
	char name[4]; /* no NUL */
	uint32_t kind;
	uint64_t value; /* NAME: the first character is the lowest byte */
};
VMM_ASSERT_SIZE(vmm_acpi_patch, 16);
VMM_ASSERT_OFFSET(vmm_acpi_patch, name, 0);
VMM_ASSERT_OFFSET(vmm_acpi_patch, kind, 4);
VMM_ASSERT_OFFSET(vmm_acpi_patch, value, 8);

/*
 * What a device is there of the PC's old ones. The bits are those of IAPC_BOOT_ARCH (ACPI 6.4,
 * 5.2.9.3), but set always means that it is there: the core inverts those which say the opposite.
 */
#define VMM_ACPI_BOOT_LEGACY 0x1u  /* user-visible devices on the ISA bus */
#define VMM_ACPI_BOOT_8042   0x2u  /* keyboard controller */
#define VMM_ACPI_BOOT_VGA    0x4u  /* may be probed for */
#define VMM_ACPI_BOOT_RTC    0x20u /* CMOS clock */

/** Registers of the fixed ACPI description (FADT); 8-bit I/O ports, 0: there is none. */
struct vmm_acpi_fixed {
	uint64_t struct_size;
	uint32_t sleep_control_port;
	uint32_t sleep_status_port;
	uint32_t reset_port;
	uint32_t reset_value;
	uint32_t boot_flags; /* VMM_ACPI_BOOT_..., ORed over all devices */
	uint32_t reserved;   /* 0 */
};
VMM_ASSERT_SIZE(vmm_acpi_fixed, 32);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, sleep_control_port, 8);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, sleep_status_port, 12);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, reset_port, 16);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, reset_value, 20);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, boot_flags, 24);
VMM_ASSERT_OFFSET(vmm_acpi_fixed, reserved, 28);

/** Table of functions. */
struct vmm_acpi {
	uint64_t size;

	/**
	 * Adds a whole table (SSDT, MCFG, ...) with its header; length and checksum are made
	 * right. Table and patches are copied. [config], realize only.
	 */
	int32_t (*add_table)(vmm_host *host, const void *table, uint64_t bytes,
		const struct vmm_acpi_patch *patches, uint64_t patch_count);

	/** Sets fixed registers. VMM_E_EXISTS: another device did. [config], realize only. */
	int32_t (*set_fixed)(vmm_host *host, const struct vmm_acpi_fixed *fixed);
};
VMM_ASSERT_SIZE(vmm_acpi, 24);
VMM_ASSERT_OFFSET(vmm_acpi, size, 0);
VMM_ASSERT_OFFSET(vmm_acpi, add_table, 8);
VMM_ASSERT_OFFSET(vmm_acpi, set_fixed, 16);

#endif
