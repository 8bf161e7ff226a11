/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library would open files for later, when it cannot any more. */
#include <malloc.h>

#include "sandbox/private.h"

/* With more, the ninth thread that allocates would look up in /sys how many there may be. */
#define ARENAS_MAX 8

void library_prepare(void)
{
	mallopt(M_ARENA_MAX, ARENAS_MAX);
}
