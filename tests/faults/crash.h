/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the plugin that crashes and the test of it agree on.
 */
#ifndef TESTS_FAULT_CRASH_H
#define TESTS_FAULT_CRASH_H

/* A read of it crashes, except in create. */
#define CRASH_PORT 0x5000u

/* Not mapped. */
#define CRASH_ADDRESS 0x18u

#endif
