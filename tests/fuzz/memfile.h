/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file in memory, by a path that stays the same from run to run: for code that opens files.
 */
#ifndef TEST_FUZZ_MEMFILE_H
#define TEST_FUZZ_MEMFILE_H

#include "fuzz.h"

#define MEMFILE_MAX  4u
#define MEMFILE_BASE 900 /* number of the first one's descriptor */

/** Sets the contents of file `number` and returns its path, "/proc/self/fd/900" and so on. */
const char *memfile(uint32_t number, const void *data, size_t bytes);

/** Its descriptor. */
static inline int memfile_fd(uint32_t number)
{
	return MEMFILE_BASE + (int)number;
}

#endif
