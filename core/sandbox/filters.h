/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that make_filters.c makes of calls.c. */
#ifndef SANDBOX_FILTERS_H
#define SANDBOX_FILTERS_H

#include <linux/filter.h>
#include <stddef.h>

#include <vmm/device.h>

#include "sandbox/sandbox.h"

/** All needs that there are: the programs of a role are counted by them. */
#define FILTER_NEEDS (VMM_NEED_NETWORK | VMM_NEED_TAP | VMM_NEED_DISK | VMM_NEED_IO_URING)

struct filter {
	const struct sock_filter
		*code; /* FILTER_OWN_PROCESS stands for the number of the process */
	size_t count;
};

/** More than any number of a process (PID_MAX_LIMIT is 4194304). */
#define FILTER_OWN_PROCESS 0x7ffffffeu

extern const struct filter filters[SANDBOX_ROLES][FILTER_NEEDS + 1];

#endif
