/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.file/1": files that a VMM_OPT_PATH option of the device names. The core opens
 * them, so that the checks and the errors are the same for all devices.
 */
#ifndef VMM_FILE_H
#define VMM_FILE_H

#include <vmm/types.h>

#define VMM_FILE_ID "vmm.file/1"

/* Kinds of files that are accepted. */
#define VMM_FILE_REGULAR 0x1u
#define VMM_FILE_BLOCK   0x2u
#define VMM_FILE_CHAR    0x4u

#define VMM_FILE_READ_ONLY 0x1u /* else read and write */
#define VMM_FILE_LOCK      0x2u /* OFD lock: shared if read only, else exclusive */
#define VMM_FILE_DIRECT    0x4u /* O_DIRECT */

/** A file to open: a request. */
struct vmm_file_open {
	uint64_t struct_size;
	const char *path;
	uint32_t kinds; /* VMM_FILE_REGULAR ... */
	uint32_t flags; /* VMM_FILE_READ_ONLY ... */
	struct vmm_error *error;
};
VMM_ASSERT_SIZE(vmm_file_open, 32);
VMM_ASSERT_OFFSET(vmm_file_open, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_file_open, path, 8);
VMM_ASSERT_OFFSET(vmm_file_open, kinds, 16);
VMM_ASSERT_OFFSET(vmm_file_open, flags, 20);
VMM_ASSERT_OFFSET(vmm_file_open, error, 24);

/** Table of functions. */
struct vmm_file {
	uint64_t size;

	/**
	 * Opens a file, close-on-exec; *ret_fd is the caller's. The error text names path, reason
	 * and remedy. VMM_E_NOT_FOUND, VMM_E_PERM, VMM_E_INVAL: a kind that is not accepted,
	 * VMM_E_BUSY: locked by another process, VMM_E_IO. [config], create only.
	 */
	int32_t (*open)(vmm_host *host, const struct vmm_file_open *req, int32_t *ret_fd);
};
VMM_ASSERT_SIZE(vmm_file, 16);
VMM_ASSERT_OFFSET(vmm_file, size, 0);
VMM_ASSERT_OFFSET(vmm_file, open, 8);

#endif
