/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in an Ethernet frame with IPv4 (RFC 791, 3.1), and numbers of it. A header of
 * this folder's .c files.
 */
#ifndef VIRTIO_NET_IPV4_H
#define VIRTIO_NET_IPV4_H

#include <stdint.h>

#include "header.h"

#define AT_ETHER_TYPE   12u
#define AT_IP           NET_FRAME_MIN
#define AT_IP_LENGTH    (AT_IP + 2)
#define AT_IP_ID        (AT_IP + 4)
#define AT_IP_FRAGMENT  (AT_IP + 6)
#define AT_IP_PROTOCOL  (AT_IP + 9)
#define AT_IP_CHECKSUM  (AT_IP + 10)
#define AT_IP_ADDRESSES (AT_IP + 12)

#define IP_HEADER_MIN    20u
#define IP_HEADER_MAX    60u
#define IP_MAX           65535u
#define IP_MORE          0x2000u /* fragments behind this one */
#define IP_OFFSET_MASK   0x1fffu
#define IP_FRAGMENT_MASK (IP_MORE | IP_OFFSET_MASK) /* 0 there: no fragment */

static inline uint16_t get16(const uint8_t *frame, uint32_t at)
{
	return (uint16_t)(frame[at] << 8 | frame[at + 1]);
}

#endif
