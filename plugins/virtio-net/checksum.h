/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071). Pure. Sums are of 16-bit words in the order in which they are
 * in memory: what is summed up may be stored as it is.
 */
#ifndef VIRTIO_NET_CHECKSUM_H
#define VIRTIO_NET_CHECKSUM_H

#include <stdint.h>

/** Adds bytes to a sum, which begins with 0; an odd one at the end has a zero behind it. */
uint16_t net_sum(const uint8_t *data, uint64_t bytes, uint16_t sum);

/** Puts the checksum of all from `start` on at start + offset, where a partial sum is that belongs
 * to it (virtio 1.2, 5.1.6.2). start + offset + 2 is within the frame. */
void net_checksum_finish(uint8_t *frame, uint64_t bytes, uint32_t start, uint32_t offset);

#endif
