/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare machine that the fuzzer runs on, as a host of the testkit: accesses, memory, time, and
 * the little of a C library that drivers of the testkit need. Interrupts are off, always: what
 * comes stays with the local APIC.
 */
#ifndef GUEST_FUZZ_BARE_H
#define GUEST_FUZZ_BARE_H

#include <stdint.h>

#include <vmm/testkit/host.h>

/* RAM that drivers and buffers lie in; the fuzzer's own is above it, nobody's below. */
#define BARE_START     0x1000000u
#define BARE_END       0x6000000u
#define BARE_RAM_BYTES 0x8000000u

/* Stack and return of a call that the processor may refuse: 1 if it did. Not nested. */
int guarded(void (*function)(void *ctx), void *ctx);

/** Sets up exceptions. [both processors, first of all] */
void bare_init(void);

/** Starts the second processor in kernel_second(). */
void bare_start_second(void);

/** The console, whatever was done to its port before. */
void bare_print(const char *text);
void bare_print_number(uint64_t value);

/** Ends the machine: the status is 2 * value + 1. */
void bare_exit(uint8_t value) __attribute__((noreturn));

/** Frees all memory that fake_alloc() gave. */
void bare_free_all(void);

/** What a failure is said to be of. */
void bare_set_case(uint64_t seed, const uint64_t *step);

#endif
