/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzz targets share: typed values out of an input, and checks. A target is one file that
 * defines FUZZ_TARGET; with the preset "fuzz" it becomes a program that makes up inputs by itself
 * (libFuzzer), with the others one that runs the files that it is given (replay.c).
 *
 * An input that has come to its end goes on with zeros, so every input means something.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Called by whoever runs the target; returns 0. One call leaves nothing behind for the next. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FUZZ_TARGET(data, bytes) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)

/** What must hold whatever the input is. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/** The part of an input that was not taken yet. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline void fuzz_bytes(struct fuzz_input *in, void *to, size_t bytes)
{
	size_t some = bytes < in->left ? bytes : in->left;

	if (some)
		memcpy(to, in->at, some);
	memset((uint8_t *)to + some, 0, bytes - some);
	in->at += some;
	in->left -= some;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	uint8_t value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

/** 0 to limit - 1; limit is 1 to 256. */
static inline uint32_t fuzz_below(struct fuzz_input *in, uint32_t limit)
{
	return fuzz_u8(in) % limit;
}

/**
 * A number that is often one at which checks go wrong: small, a power of two or next to one, or
 * any.
 */
static inline uint64_t fuzz_number(struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);

	switch (kind >> 6) {
	case 0:
		return kind;
	case 1:
		return (1ull << (kind & 0x3f)) - 1;
	case 2:
		return 1ull << (kind & 0x3f);
	default:
		return fuzz_u64(in) >> (kind & 0x38);
	}
}

/** Takes a length byte and up to that many bytes; the pointer is into the input. */
static inline const uint8_t *fuzz_some(struct fuzz_input *in, size_t *ret_bytes)
{
	const uint8_t *at;

	*ret_bytes = fuzz_u8(in);
	if (*ret_bytes > in->left)
		*ret_bytes = in->left;
	at = in->at;
	in->at += *ret_bytes;
	in->left -= *ret_bytes;
	return at;
}

#endif
