/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports and COM1 for small kernels that have no library: those here, and the one in bench/guest.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdint.h>

#define COM1        0x3f8
#define LINE_STATUS (COM1 + 5)

static inline uint8_t in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void put(const char *text)
{
	for (; *text; text++) {
		while (!(in(LINE_STATUS)&0x20))
			;
		out(COM1, (uint8_t)*text);
	}
}

static inline void put_hex(uint64_t value)
{
	char text[17];
	int at = 16;

	text[16] = '\0';
	do {
		text[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	put(text + at);
}

#endif
