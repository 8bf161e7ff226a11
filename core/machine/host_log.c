/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.log/1: lines of a device, by core/log.
 */
#include <vmm/log.h>

#include "log/log.h"
#include "machine/host.h"

static int32_t host_log_enabled(vmm_host *host, uint32_t level)
{
	(void)host;
	return log_enabled(level);
}

static void host_log_line(vmm_host *host, uint32_t level, const char *text)
{
	log_write(level, host->id, "%s", text);
}

static void host_log_guest_error(vmm_host *host, const char *site, const char *text)
{
	log_guest_error(host->log, site, text);
}

const struct vmm_log host_log_table = {
	.size = sizeof(host_log_table),
	.enabled = host_log_enabled,
	.line = host_log_line,
	.guest_error = host_log_guest_error,
};
