/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header in front of each frame (virtio 1.2, 5.1.6): checks of what a driver wrote. Pure. With
 * VIRTIO_F_VERSION_1 it always has 12 bytes, whatever else is negotiated.
 */
#ifndef VIRTIO_NET_HEADER_H
#define VIRTIO_NET_HEADER_H

#include <stdint.h>

#define NET_HDR_BYTES 12u

#define NET_HDR_NEEDS_CSUM 0x1u
#define NET_HDR_DATA_VALID 0x2u

#define NET_GSO_NONE  0u
#define NET_GSO_TCPV4 1u
#define NET_GSO_UDP   3u
#define NET_GSO_TCPV6 4u
#define NET_GSO_ECN   0x80u

/** struct virtio_net_hdr; little-endian, like every machine that this runs on. */
struct net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct net_hdr) == NET_HDR_BYTES, "virtio 1.2, 5.1.6");

/** The longest frame that is passed on: 64 KiB of IP, an Ethernet header with a VLAN tag. */
#define NET_FRAME_MAX (65535u + 18u)

/** Length of an Ethernet header: nothing shorter is a frame. */
#define NET_FRAME_MIN 14u

/** What a VLAN tag adds to that. */
#define NET_VLAN_BYTES 4u

/**
 * Checks the private copy of a header that the driver wrote in front of a frame of frame_bytes, and
 * makes it safe to hand on: unknown flags and num_buffers are cleared, hdr_len, which a device must
 * not rely on (5.1.6.2.2), is bounded. Returns 0, or VMM_E_CHAIN if the frame is to be dropped:
 * a kind of segmentation that was not negotiated, places outside of the frame.
 */
int32_t net_hdr_check(struct net_hdr *hdr, uint64_t frame_bytes, uint64_t features);

#endif
