/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known name that is nearest to what a user wrote. */
#include <stdio.h>
#include <string.h>

#include "config/nearest.h"

#define NAME_MAX_BYTES 64

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Changes that make one name of the other: a byte added, removed or replaced, or two neighbours
 * swapped (optimal string alignment). Three rows of the table are enough.
 */
static size_t distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t rows[3][NAME_MAX_BYTES + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_bytes; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min2(min2(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min2(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_bytes];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	size_t wanted_bytes = strlen(nearest->wanted);
	size_t name_bytes = strlen(name);
	size_t far;

	if (!wanted_bytes || wanted_bytes > NAME_MAX_BYTES || name_bytes > NAME_MAX_BYTES)
		return;
	far = distance(nearest->wanted, wanted_bytes, name, name_bytes);
	/* A third of the letters may be wrong, but not all of a short name. */
	if (far > (wanted_bytes + 2) / 3 || far >= name_bytes)
		return;
	if (!nearest->best || far < nearest->best_distance) {
		nearest->best = name;
		nearest->best_distance = far;
	}
}

const char *nearest_text(const struct nearest *nearest, char *buffer, size_t bytes)
{
	buffer[0] = '\0';
	if (nearest->best)
		snprintf(buffer, bytes, "; did you mean \"%s\"?", nearest->best);
	return buffer;
}
