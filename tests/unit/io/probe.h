/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device for tests of the I/O map: it writes down every call, and answers reads with a pattern
 * that says where they came from.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>
#include <string.h>

#include "io/io.h"

#define PROBE_CALLS 32u

struct probe_call {
	char kind; /* 'r' or 'w' */
	uint64_t offset;
	uint32_t width;
	uint64_t value;
};

struct probe {
	uint8_t tag; /* byte at offset i reads as tag + i */
	int32_t result;
	uint32_t count;
	struct probe_call calls[PROBE_CALLS];
};

static inline struct probe_call *probe_call(struct probe *p, char kind, uint64_t offset, uint32_t w)
{
	struct probe_call *call = &p->calls[p->count++ % PROBE_CALLS];

	*call = (struct probe_call){kind, offset, w, 0};
	return call;
}

static inline int32_t probe_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct probe *p = ctx;

	probe_call(p, 'r', offset, width);
	*ret_value = 0;
	for (uint32_t i = 0; i < 8; i++)
		*ret_value |= (uint64_t)(uint8_t)(p->tag + offset + i) << (8 * i);
	return p->result;
}

static inline int32_t probe_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct probe *p = ctx;

	probe_call(p, 'w', offset, width)->value = value;
	return p->result;
}

static inline struct io_region_config probe_region(
	struct probe *p, uint32_t space, uint64_t base, uint64_t bytes, uint32_t width_max)
{
	return (struct io_region_config){
		.name = "probe",
		.space = space,
		.base = base,
		.bytes = bytes,
		.width_max = width_max,
		.enabled = true,
		.ops = {probe_read, probe_write},
		.ctx = p,
	};
}

#endif
