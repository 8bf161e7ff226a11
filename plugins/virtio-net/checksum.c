/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum; see checksum.h.
 */
#include "checksum.h"

#include <string.h>

uint16_t net_sum(const uint8_t *data, uint64_t bytes, uint16_t sum)
{
	uint64_t wide = sum;

	for (; bytes >= 4; data += 4, bytes -= 4) {
		uint32_t word;

		memcpy(&word, data, sizeof(word));
		wide += word;
	}
	if (bytes >= 2) {
		uint16_t word;

		memcpy(&word, data, sizeof(word));
		wide += word;
		data += 2;
		bytes -= 2;
	}
	if (bytes)
		wide += *data; /* little-endian: the first byte of a word */
	while (wide > UINT16_MAX)
		wide = (wide & UINT16_MAX) + (wide >> 16);
	return (uint16_t)wide;
}

void net_checksum_finish(uint8_t *frame, uint64_t bytes, uint32_t start, uint32_t offset)
{
	uint16_t checksum = (uint16_t)~net_sum(frame + start, bytes - start, 0);

	if (!checksum)
		checksum = UINT16_MAX; /* the same; for UDP 0 means that there is none */
	memcpy(frame + start + offset, &checksum, sizeof(checksum));
}
