/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COM1 in a fake host, and the registers as a guest names them.
 */
#ifndef TESTS_SERIAL_FIXTURE_H
#define TESTS_SERIAL_FIXTURE_H

/* cmocka needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/host.h>

#define COM1 0x3f8u
#define GSI  4u

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

struct com1 {
	struct fake_host *host;
	vmm_host *device;
};

static inline uint8_t in(struct com1 *com1, uint32_t reg)
{
	return (uint8_t)fake_pio_read(com1->host, COM1 + reg, 1);
}

static inline void out(struct com1 *com1, uint32_t reg, uint8_t value)
{
	fake_pio_write(com1->host, COM1 + reg, 1, value);
}

static inline uint64_t irqs(struct com1 *com1)
{
	return fake_line_rises(com1->host, GSI);
}

static inline void feed(struct com1 *com1, const void *data, uint64_t bytes)
{
	fake_stream_feed(com1->device, data, bytes);
	fake_settle(com1->host);
}

#endif
