/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a guest is booted from: opened, checked to be regular files, and read straight into
 * guest memory. What is in them is not looked at here.
 */
#ifndef BOOT_FILE_H
#define BOOT_FILE_H

#include <stdint.h>

#include <vmm/support.h>

#include "memory/memory.h"

struct boot_file {
	const char *role;  /* "kernel", "initrd", "module": for error texts */
	const char *place; /* where it was asked for, likewise; or NULL */
	const char *path;
	uint64_t bytes;
	int fd; /* -1: closed */
};

/** Opens a file and checks that it is a regular one with something in it. */
int file_open(const char *role, const char *place, const char *path, struct boot_file *ret_file,
	struct vmm_error *error);

/** Closes it; may be called on a file that is closed. */
void file_close(struct boot_file *file);

/** Writes "PLACE: ROLE "PATH": TEXT" to error and returns code. */
int file_fail(const struct boot_file *file, struct vmm_error *error, int code, const char *format,
	...) VMM_PRINTF(4, 5);

/** Reads exactly bytes bytes at offset into dst. Past the end of the file is VMM_E_INVAL. */
int file_read(const struct boot_file *file, uint64_t offset, void *dst, uint64_t bytes,
	struct vmm_error *error);

/** Reads exactly bytes bytes at offset into guest memory. */
int file_load(const struct boot_file *file, uint64_t offset, uint64_t bytes,
	const struct memory *memory, uint64_t gpa, struct vmm_error *error);

#endif
