/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the header in front of a frame that the driver sends.
 */
#include "header.h"

#include <vmm/types.h>

#include "wire.h"

static int32_t check_gso(struct net_hdr *hdr, uint64_t frame_bytes, uint64_t features)
{
	uint64_t needed;

	switch (hdr->gso_type & ~NET_GSO_ECN) {
	case NET_GSO_TCPV4:
		needed = NET_F_HOST_TSO4;
		break;
	case NET_GSO_TCPV6:
		needed = NET_F_HOST_TSO6;
		break;
	default:
		return VMM_E_CHAIN;
	}
	if (hdr->gso_type & NET_GSO_ECN)
		needed |= NET_F_HOST_ECN;
	if ((features & needed) != needed || hdr->gso_size == 0)
		return VMM_E_CHAIN;
	/* Segmentation needs the checksum (5.1.6.2.1). */
	if (!(hdr->flags & NET_HDR_NEEDS_CSUM))
		return VMM_E_CHAIN;
	if (hdr->hdr_len > frame_bytes)
		hdr->hdr_len = (uint16_t)frame_bytes;
	return 0;
}

int32_t net_hdr_check(struct net_hdr *hdr, uint64_t frame_bytes, uint64_t features)
{
	if (frame_bytes < NET_FRAME_MIN || frame_bytes > NET_FRAME_MAX)
		return VMM_E_CHAIN;
	hdr->num_buffers = 0;
	hdr->flags &= NET_HDR_NEEDS_CSUM;
	if (hdr->flags & NET_HDR_NEEDS_CSUM) {
		if (!(features & NET_F_CSUM))
			return VMM_E_CHAIN;
		if ((uint64_t)hdr->csum_start + hdr->csum_offset + 2 > frame_bytes)
			return VMM_E_CHAIN;
	} else {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	}
	if (hdr->gso_type != NET_GSO_NONE)
		return check_gso(hdr, frame_bytes, features);
	hdr->gso_size = 0;
	hdr->hdr_len = 0;
	return 0;
}
