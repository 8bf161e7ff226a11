/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that is put together in a signal handler: no stdio, no allocation. What does not fit is cut.
 */
#ifndef LOOP_CRASH_TEXT_H
#define LOOP_CRASH_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CRASH_TEXT_BYTES 1024u

struct crash_text {
	char text[CRASH_TEXT_BYTES];
	size_t used;
};

/** Appends text. Async-signal-safe, as all of this. [any] */
void crash_put(struct crash_text *text, const char *more);

/** Appends a decimal number. [any] */
void crash_put_number(struct crash_text *text, uint64_t value);

/** Appends "0x" and a hexadecimal number. [any] */
void crash_put_hex(struct crash_text *text, uint64_t value);

#endif
