/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the loaders share: the work in hand, and one function for each protocol. Internal to
 * core/boot.
 */
#ifndef BOOT_LOAD_H
#define BOOT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot.h"
#include "boot/file.h"
#include "boot/map.h"
#include "kvm/vcpu_state.h"

/* How much of a kernel's start is looked at to tell what it is: as far as Multiboot 1 says. */
#define LOAD_HEAD_BYTES 8192u

/* Selectors in the GDTs of all protocols here (boot.rst: __BOOT_CS and __BOOT_DS). */
#define LOAD_SELECTOR_CODE 0x10
#define LOAD_SELECTOR_DATA 0x18

/** One boot in the making. */
struct load {
	const struct memory *memory;
	const struct boot_config *config;
	const char *cmdline; /* never NULL */
	struct vmm_error *error;
	struct boot_map map;
	struct boot_file kernel;
	uint64_t head_bytes; /* of head, the rest is zero */
	unsigned char head[LOAD_HEAD_BYTES];
	struct vcpu_state bsp;
	struct boot_result result;
};

/** A file that lies in guest memory. */
struct load_module {
	uint64_t gpa, bytes;
	const char *cmdline; /* never NULL */
};

/** Reports an error of the kernel file: as file_fail. The compiler sees that it gives `code`. */
#define load_fail(load, code, ...)                                                                 \
	((void)file_fail(&(load)->kernel, (load)->error, (code), __VA_ARGS__), (code))

/** Finds a place for a structure of ours, below 1 MiB if there is one, else below 4 GiB. */
int load_place(struct load *load, uint64_t bytes, const char *what, uint64_t *ret_gpa);

/** Writes to a place that load_place gave. */
int load_write(struct load *load, uint64_t gpa, const void *src, uint64_t bytes);

/** load_place and load_write in one. */
int load_put(
	struct load *load, const void *src, uint64_t bytes, const char *what, uint64_t *ret_gpa);

/** Puts a NUL-terminated string into guest memory. */
int load_string(struct load *load, const char *text, const char *what, uint64_t *ret_gpa);

/**
 * Puts the initrd and the modules into guest memory, page-aligned, above min, for the protocols
 * that take several. modules has room for BOOT_MODULES_MAX + 1.
 */
int load_modules(struct load *load, uint64_t min, struct load_module *modules, uint32_t *ret_count);

/** The command line must have at most max characters; `who` says whose limit that is. */
int load_check_cmdline(struct load *load, uint64_t max, const char *who);

/** Mebibytes, rounded up: for texts. */
static inline unsigned long long load_mib(uint64_t bytes)
{
	return (bytes >> 20) + ((bytes & 0xfffff) != 0);
}

static inline uint16_t load_le16(const void *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t load_le32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* linux.c */
bool linux_is(const struct load *load);
int linux_load(struct load *load);

/* paging.c */
int paging_long_mode(struct load *load, uint64_t *ret_cr3);
int paging_gdt(struct load *load, struct vcpu_table *ret_gdt);

/* multiboot.c */
bool multiboot_is(const struct load *load);
int multiboot_load(struct load *load);

/* identify.c */
const char *identify(const struct load *load);

#endif
