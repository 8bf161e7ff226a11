/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Helpers for the inside of a plugin, linked into it statically (libvmm-plugin-support.a). Not part
 * of the ABI: a plugin may do without them.
 */
#ifndef VMM_SUPPORT_H
#define VMM_SUPPORT_H

#include <vmm/plugin.h>

#if defined(__GNUC__)
#define VMM_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VMM_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Writes the text of an error; error may be NULL. [any] */
void vmm_set_error(struct vmm_error *error, const char *format, ...) VMM_PRINTF(2, 3);

/**
 * Gets a host service and copies its table into *copy (copy_bytes bytes, zeroed first).
 * min_bytes is the smallest table that the plugin can work with. Fills error on failure; error may
 * be NULL. [config]
 */
int32_t vmm_query(const struct vmm_hello *hello, vmm_host *host, const char *id, uint64_t min_bytes,
	void *copy, uint64_t copy_bytes, struct vmm_error *error);

/** The same for an interface of the device that the value of a VMM_OPT_REF names. [config] */
int32_t vmm_query_ref(const struct vmm_hello *hello, vmm_host *host, const struct vmm_value *ref,
	const char *id, uint64_t min_bytes, void *copy, uint64_t copy_bytes, void **ret_object,
	struct vmm_error *error);

/** Writes a formatted line through vmm.log; nothing is formatted for a level that is off. [any] */
void vmm_logf(const struct vmm_log *log, vmm_host *host, uint32_t level, const char *format, ...)
	VMM_PRINTF(4, 5);

/** Reports a mistake of the guest through vmm.log; site is a static string. [any] */
void vmm_guest_errorf(const struct vmm_log *log, vmm_host *host, const char *site,
	const char *format, ...) VMM_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif

#endif
