/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys behind Ctrl-a on a terminal console. Knows no terminal.
 */
#ifndef LOOP_ESCAPE_H
#define LOOP_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_KEY 0x01u /* Ctrl-a */

/** Zeroed at start. */
struct escape {
	bool armed; /* the last byte was the escape key */
};

enum escape_action {
	ESCAPE_SEND, /* the byte goes to the guest */
	ESCAPE_NONE, /* nothing yet, or an unknown key, which is swallowed */
	ESCAPE_QUIT,
	ESCAPE_POWER_BUTTON,
	ESCAPE_HELP,
};

/** Takes one typed byte and says what to do; for ESCAPE_SEND the byte to send is *ret_byte. */
enum escape_action escape_feed(struct escape *escape, uint8_t byte, uint8_t *ret_byte);

/** What ESCAPE_HELP shows, for a raw terminal. */
extern const char escape_help[];

#endif
