/* SPDX-License-Identifier: Apache-2.0 */
/* Is text UTF-8 (RFC 3629)? */
#ifndef CONFIG_UTF8_H
#define CONFIG_UTF8_H

#include <stddef.h>

/** Bytes of the character at text, of which `left` bytes can be read; 0: not UTF-8. */
size_t utf8_bytes(const char *text, size_t left);

#endif
