/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/memory share. Nobody else includes this.
 */
#ifndef MEMORY_MEMORY_INTERNAL_H
#define MEMORY_MEMORY_INTERNAL_H

#include "memory/memory.h"

struct memory_range {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t fd_offset;
	uint8_t *base;
	void *reserved; /* address space with the guards on both sides of base */
	uint64_t reserved_bytes;
};

/* Immutable after memory_create; read by every thread without a lock. */
struct memory {
	int fd; /* -1: private memory */
	uint32_t range_count;
	uint64_t bytes;
	struct memory_range ranges[MEMORY_RANGES_MAX]; /* rising */
};

#endif
