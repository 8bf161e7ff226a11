/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.log/1": lines for the operator. The core puts time, level and device in front.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <vmm/types.h>

#define VMM_LOG_ID "vmm.log/1"

#define VMM_LOG_ERROR 100u
#define VMM_LOG_WARN  200u
#define VMM_LOG_INFO  300u
#define VMM_LOG_DEBUG 400u

/** Table of functions. */
struct vmm_log {
	uint64_t size;

	/** 1 if lines of this level are written, else 0: saves making the text. [any] */
	int32_t (*enabled)(vmm_host *host, uint32_t level);

	/** Writes one line; text without a newline. For what a guest cannot trigger. [any] */
	void (*line)(vmm_host *host, uint32_t level, const char *text);

	/**
	 * The guest did something wrong: counts it, and writes the line at level warn within a
	 * limit of 10 lines in 5 s for each `site`, a static string that names the place. [any]
	 */
	void (*guest_error)(vmm_host *host, const char *site, const char *text);
};
VMM_ASSERT_SIZE(vmm_log, 32);
VMM_ASSERT_OFFSET(vmm_log, size, 0);
VMM_ASSERT_OFFSET(vmm_log, enabled, 8);
VMM_ASSERT_OFFSET(vmm_log, line, 16);
VMM_ASSERT_OFFSET(vmm_log, guest_error, 24);

#endif
