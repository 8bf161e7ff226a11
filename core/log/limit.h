/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit on lines of one site: so many in a window of time, the rest counted. Knows no clock
 * and no lock; log_guest_error() has both.
 */
#ifndef LOG_LIMIT_H
#define LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/** Zeroed at start. */
struct log_limit {
	uint64_t window_ns; /* when the current window began */
	uint64_t suppressed;
	uint32_t lines; /* written in the current window; 0: none began */
};

/**
 * Counts a line at now_ns and returns whether it is to be written. *ret_suppressed is how many
 * were suppressed in the window that this line closes, 0 mostly.
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

#endif
