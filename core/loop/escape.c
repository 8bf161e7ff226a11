/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys behind Ctrl-a on a terminal console; see escape.h.
 */
#include "loop/escape.h"

const char escape_help[] = "\r\n"
			   "Ctrl-a x       end the virtual machine\r\n"
			   "Ctrl-a p       press its power button\r\n"
			   "Ctrl-a h       show this\r\n"
			   "Ctrl-a Ctrl-a  send Ctrl-a to the guest; also Ctrl-a a\r\n";

enum escape_action escape_feed(struct escape *escape, uint8_t byte, uint8_t *ret_byte)
{
	*ret_byte = byte;
	if (!escape->armed) {
		escape->armed = byte == ESCAPE_KEY;
		return escape->armed ? ESCAPE_NONE : ESCAPE_SEND;
	}
	escape->armed = false;
	switch (byte) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'p':
	case 'P':
		return ESCAPE_POWER_BUTTON;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	case 'a':
	case 'A':
	case ESCAPE_KEY:
		*ret_byte = ESCAPE_KEY;
		return ESCAPE_SEND;
	default:
		return ESCAPE_NONE;
	}
}
