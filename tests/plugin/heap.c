/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <malloc.h>
#include <stddef.h>

/* With a sanitizer the heap is its own. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

uint64_t heap_bytes(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}
