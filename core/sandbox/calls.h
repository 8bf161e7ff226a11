/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of system calls that threads may make. To add one: a line in calls.c with the roles that
 * make it and the reason.
 */
#ifndef SANDBOX_CALLS_H
#define SANDBOX_CALLS_H

#include <stdint.h>

/*
 * Sanitizers make calls of their own, at any time. Their builds run with all of the sandbox but
 * this.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(VMM_COVERAGE)
#define FILTERS_WORK false
#else
#define FILTERS_WORK true
#endif

struct call {
	int number;
	uint32_t roles; /* 1u << enum sandbox_role */
	uint64_t need;  /* VMM_NEED_...; 0: always */
	/* Only if argument arg, masked, is value; mask 0: whatever the arguments are. */
	uint32_t arg;
	uint64_t mask;
	uint64_t value;
	int error; /* fails with this instead of ending the process */
	const char *reason;
};

/** The last one has no reason. */
extern const struct call calls[];

#endif
