/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known name that is nearest to what a user wrote. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/**
 * A search: begin with {.wanted = name}, offer each known name, then read `best`: NULL if none is
 * near enough to be a typing mistake. Offered names must stay valid.
 */
struct nearest {
	const char *wanted;
	const char *best;
	size_t best_distance;
};

void nearest_offer(struct nearest *nearest, const char *name);

/** "; did you mean \"disk0\"?", or "" if there is none; cut if it does not fit. */
const char *nearest_text(const struct nearest *nearest, char *buffer, size_t bytes);

#endif
