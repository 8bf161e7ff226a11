/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct boot: puts a kernel, its initrd and what the boot protocol wants into guest memory, and
 * says in which state the first vCPU starts. The protocol is told from the file: Linux bzImage
 * (64-bit entry), ELF with a PVH note, Multiboot 1. No firmware, no KVM, no devices; see
 * docs/boot.md.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

struct memory;
struct vcpu_state;

/** Limits of what a configuration may ask for. */
#define BOOT_MODULES_MAX       64
#define BOOT_CMDLINE_BYTES_MAX 65536 /* with the NUL; a Linux kernel's own limit is lower */

/** Kinds of reserved ranges: the types of ACPI 6.4, table 15-374. */
#define BOOT_RANGE_RESERVED 2u
#define BOOT_RANGE_ACPI     3u /* ACPI tables */

/** A range of guest addresses that the memory map given to the guest names, and nothing is put in.
 */
struct boot_range {
	vmm_gpa gpa;
	uint64_t bytes;
	uint32_t type; /* BOOT_RANGE_... */
};

/** A file for the guest beside its kernel. */
struct boot_module {
	const char *path;
	const char *cmdline; /* NULL: none */
	const char *place;   /* where it was asked for, for errors; or NULL */
};

/** What to boot. Strings and arrays are the caller's and are read during the call only. */
struct boot_config {
	const char *kernel_path;
	const char *initrd_path; /* NULL: none; for Multiboot and PVH it is the first module */
	const char *cmdline;     /* NULL: empty */
	const struct boot_module *modules; /* Multiboot and PVH only */
	size_t module_count;
	/* Where they were asked for, for errors; or NULL. */
	const char *kernel_place, *initrd_place, *cmdline_place;
	vmm_gpa rsdp;                      /* 0: there are no ACPI tables */
	const struct boot_range *reserved; /* in any order; may lie in RAM or outside of it */
	size_t reserved_count;
};

/** What was found and done, for log lines and tests. */
struct boot_result {
	const char *protocol; /* "linux", "pvh", "multiboot"; static */
	vmm_gpa entry;
};

/**
 * Loads the guest and fills in *ret_bsp, the state of the first vCPU. RAM must be fresh (all
 * zeros). 0x0a0000 to 0x0fffff is never handed out as RAM, whatever `reserved` says of it.
 *
 * VMM_E_NOT_FOUND, VMM_E_PERM, VMM_E_IO: a file cannot be opened or read. VMM_E_INVAL: the kernel
 * is none that can be booted, or the configuration does not go with it. VMM_E_LIMIT: something
 * does not fit: the initrd, the command line, the kernel itself. On failure RAM may have been
 * written. [config]
 */
int boot_load(struct memory *memory, const struct boot_config *config, struct vcpu_state *ret_bsp,
	struct boot_result *ret_result, struct vmm_error *error);

#endif
