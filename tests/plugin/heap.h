/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process has of its heap, for tests of what must not grow.
 */
#ifndef TEST_PLUGIN_HEAP_H
#define TEST_PLUGIN_HEAP_H

#include <stdint.h>

uint64_t heap_bytes(void);

#endif
