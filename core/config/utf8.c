/* SPDX-License-Identifier: Apache-2.0 */
/* Is text UTF-8 (RFC 3629)? */
#include <stdint.h>

#include "config/utf8.h"

size_t utf8_bytes(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t character;
	size_t bytes;

	if (!left)
		return 0;
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] < 0xe0)
		bytes = 2;
	else if (at[0] >= 0xe0 && at[0] < 0xf0)
		bytes = 3;
	else if (at[0] >= 0xf0 && at[0] < 0xf5)
		bytes = 4;
	else
		return 0;
	if (bytes > left)
		return 0;
	character = at[0] & (0xffu >> (bytes + 1));
	for (size_t i = 1; i < bytes; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (at[i] & 0x3fu);
	}
	/* Too long forms, surrogates, beyond the last plane. */
	if ((bytes == 3 && character < 0x800) || (bytes == 4 && character < 0x10000) ||
		(character >= 0xd800 && character < 0xe000) || character > 0x10ffff)
		return 0;
	return bytes;
}
