/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the loop share: a loop for each test, and running it until something happened.
 */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

/* cmocka needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"

#define MS UINT64_C(1000000)

/** cmocka setup and teardown: *state is a struct loop with a VM clock, in fixture_clock. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
extern struct vm_clock *fixture_clock;

/** Runs the loop until cond(ctx), at most timeout_ms; returns what cond() said last. */
bool fixture_run_until(struct loop *loop, bool (*cond)(void *ctx), void *ctx, uint32_t timeout_ms);

/** Runs the loop for a time. */
void fixture_run_for(struct loop *loop, uint32_t ms);

/** Host time in ns. */
uint64_t fixture_now(void);

/** Sleeps without the loop. */
void fixture_sleep_ms(uint32_t ms);

#endif
