/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is put together in a signal handler. */
#include "loop/crash_text.h"

void crash_put(struct crash_text *text, const char *more)
{
	while (*more && text->used < CRASH_TEXT_BYTES)
		text->text[text->used++] = *more++;
}

static void put_digits(struct crash_text *text, uint64_t value, uint32_t base)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	crash_put(text, digits + at);
}

void crash_put_number(struct crash_text *text, uint64_t value)
{
	put_digits(text, value, 10);
}

void crash_put_hex(struct crash_text *text, uint64_t value)
{
	crash_put(text, "0x");
	put_digits(text, value, 16);
}
