/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough of ARP, IPv4, UDP, TCP and DHCP to be a guest: makes frames, reads frames. Addresses
 * and ports are in host byte order.
 */
#ifndef TEST_VIRTIO_NET_FRAMES_H
#define TEST_VIRTIO_NET_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_GUEST_IP  0x0a00020fu /* 10.0.2.15 */
#define FRAME_ROUTER_IP 0x0a000202u /* 10.0.2.2 */

#define FRAME_FIN 0x01u
#define FRAME_SYN 0x02u
#define FRAME_RST 0x04u
#define FRAME_PSH 0x08u
#define FRAME_ACK 0x10u

/** The guest's hardware address. */
extern const uint8_t frame_mac[6];

/** What is in an IPv4 frame with UDP or TCP. */
struct packet {
	uint32_t from, to;
	uint16_t from_port, to_port;
	uint8_t protocol; /* 6 TCP, 17 UDP */
	uint8_t flags;    /* TCP: FRAME_... */
	uint32_t seq, ack;
	const uint8_t *data;
	uint32_t bytes;
};

/* All return the length of the frame. */
uint32_t frame_arp(uint8_t *frame, uint32_t ip);
uint32_t frame_arp_reply(uint8_t *frame, const uint8_t *request);
uint32_t frame_packet(uint8_t *frame, const struct packet *packet);
uint32_t frame_dhcp_discover(uint8_t *frame);

/** Bytes [from, to) of what frame_packet() made, behind its IPv4 header, as a fragment; from is a
 * multiple of 8. */
uint32_t frame_fragment(
	uint8_t *frame, const uint8_t *whole, uint32_t from, uint32_t to, bool more, uint32_t id);

bool frame_is_arp_reply(const uint8_t *frame, uint32_t bytes, uint32_t ip);

/** A request for the address of the guest. */
bool frame_is_arp_request(const uint8_t *frame, uint32_t bytes);

/** False if it is not IPv4 with UDP or TCP, or a length or the header's checksum is wrong. */
bool frame_parse(const uint8_t *frame, uint32_t bytes, struct packet *ret_packet);

/** The address that a DHCP answer offers, or 0. */
uint32_t frame_dhcp_offer(const uint8_t *frame, uint32_t bytes);

#endif
