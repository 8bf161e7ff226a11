/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that this program runs in, as a host of the testkit: accesses by the processor's own
 * instructions, guest memory that the kernel was told to leave alone. No fake about it but the
 * names, which are those of fake_host.h, so that drivers and tests of the testkit run here, too.
 *
 * Needs on the kernel's command line: iomem=relaxed memmap=16M$160M nox2apic, and 256 MiB of RAM.
 */
#ifndef GUEST_HOSTILE_REAL_H
#define GUEST_HOSTILE_REAL_H

#include <stdint.h>

struct fake_host;

/* Memory that is ours, and where RAM ends. */
#define REAL_START     0xa000000u
#define REAL_BYTES     0x1000000u
#define REAL_RAM_BYTES (256ull << 20)

#define REAL_LAPIC 0xfee00000u

/** Opens it; ends the program if this is no place for it. */
struct fake_host *real_open(void);

/** What fake_settle() calls: returns when the loop of the devices has been once round. */
void real_set_barrier(struct fake_host *host, void (*barrier)(void *ctx), void *ctx);

/** Guest memory or registers of devices, as they lie in this program; can be executed. Valid until
 * other places have been accessed. */
volatile void *real_map(uint64_t gpa);

/** Runs access(ctx); 0, or the signal that the processor's refusal of it became: SIGALRM if it did
 * not end. */
int real_try(void (*access)(void *ctx), void *ctx);

/** Keeps this thread on a processor; -1: on any. */
void real_run_on(int processor);

#endif
