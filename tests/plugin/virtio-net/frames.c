/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See frames.h.
 */
#include "frames.h"

#include <stddef.h>
#include <string.h>

#define ETHERNET 14u
#define IP_BYTES 20u
#define ARP_END  42u
#define UDP      17u
#define TCP      6u

const uint8_t frame_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static uint32_t sum(uint32_t start, const uint8_t *data, uint32_t bytes)
{
	for (uint32_t i = 0; i + 1 < bytes; i += 2)
		start += get16(data + i);
	if (bytes & 1)
		start += (uint32_t)data[bytes - 1] << 8;
	return start;
}

static uint32_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return ~value & 0xffff;
}

static void ethernet(uint8_t *frame, const uint8_t *to, uint32_t type)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	memcpy(frame, to ? to : broadcast, 6);
	memcpy(frame + 6, frame_mac, 6);
	put16(frame + 12, type);
}

static uint32_t arp(uint8_t *frame, uint32_t operation, const uint8_t *mac, uint32_t ip)
{
	memset(frame, 0, ARP_END);
	ethernet(frame, mac, 0x0806);
	put16(frame + 14, 1);
	put16(frame + 16, 0x0800);
	frame[18] = 6;
	frame[19] = 4;
	put16(frame + 20, operation);
	memcpy(frame + 22, frame_mac, 6);
	put32(frame + 28, FRAME_GUEST_IP);
	if (mac)
		memcpy(frame + 32, mac, 6);
	put32(frame + 38, ip);
	return ARP_END;
}

uint32_t frame_arp(uint8_t *frame, uint32_t ip)
{
	return arp(frame, 1, NULL, ip);
}

uint32_t frame_arp_reply(uint8_t *frame, const uint8_t *request)
{
	return arp(frame, 2, request + 22, get32(request + 28));
}

static bool is_arp(const uint8_t *frame, uint32_t bytes, uint32_t operation)
{
	return bytes >= ARP_END && get16(frame + 12) == 0x0806 && get16(frame + 20) == operation;
}

bool frame_is_arp_reply(const uint8_t *frame, uint32_t bytes, uint32_t ip)
{
	return is_arp(frame, bytes, 2) && get32(frame + 28) == ip;
}

bool frame_is_arp_request(const uint8_t *frame, uint32_t bytes)
{
	return is_arp(frame, bytes, 1) && get32(frame + 38) == FRAME_GUEST_IP;
}

uint32_t frame_packet(uint8_t *frame, const struct packet *p)
{
	static const uint8_t router[6] = {0x52, 0x55, 10, 0, 2, 2};
	uint8_t *ip = frame + ETHERNET;
	uint8_t *l4 = ip + IP_BYTES;
	uint32_t header = p->protocol == TCP ? 20 : 8;
	uint32_t bytes = header + p->bytes;

	memset(frame, 0, ETHERNET + IP_BYTES + header);
	ethernet(frame, p->to == UINT32_MAX ? NULL : router, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, IP_BYTES + bytes);
	ip[8] = 64;
	ip[9] = p->protocol;
	put32(ip + 12, p->from);
	put32(ip + 16, p->to);
	put16(ip + 10, fold(sum(0, ip, IP_BYTES)));
	put16(l4, p->from_port);
	put16(l4 + 2, p->to_port);
	if (p->protocol == TCP) {
		put32(l4 + 4, p->seq);
		put32(l4 + 8, p->ack);
		l4[12] = 0x50;
		l4[13] = p->flags;
		put16(l4 + 14, 32768);
	} else {
		put16(l4 + 4, bytes);
	}
	if (p->bytes)
		memcpy(l4 + header, p->data, p->bytes);
	put16(l4 + (p->protocol == TCP ? 16 : 6),
		fold(sum(sum(p->protocol + bytes, ip + 12, 8), l4, bytes)));
	return ETHERNET + IP_BYTES + bytes;
}

uint32_t frame_fragment(
	uint8_t *frame, const uint8_t *whole, uint32_t from, uint32_t to, bool more, uint32_t id)
{
	uint8_t *ip = frame + ETHERNET;

	memcpy(frame, whole, ETHERNET + IP_BYTES);
	memcpy(ip + IP_BYTES, whole + ETHERNET + IP_BYTES + from, to - from);
	put16(ip + 2, IP_BYTES + to - from);
	put16(ip + 4, id);
	put16(ip + 6, from / 8 | (more ? 0x2000u : 0));
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(0, ip, IP_BYTES)));
	return ETHERNET + IP_BYTES + to - from;
}

bool frame_parse(const uint8_t *frame, uint32_t bytes, struct packet *p)
{
	const uint8_t *ip = frame + ETHERNET;
	const uint8_t *l4 = ip + IP_BYTES;
	uint32_t total, header;

	if (bytes < ETHERNET + IP_BYTES + 8 || get16(frame + 12) != 0x0800 || ip[0] != 0x45)
		return false;
	total = get16(ip + 2);
	if (total + ETHERNET > bytes || fold(sum(0, ip, IP_BYTES)) != 0)
		return false;
	if (ip[9] != TCP && ip[9] != UDP)
		return false;
	header = ip[9] == TCP ? (uint32_t)(l4[12] >> 4) * 4 : 8;
	if (IP_BYTES + header > total)
		return false;
	*p = (struct packet){
		.from = get32(ip + 12),
		.to = get32(ip + 16),
		.from_port = (uint16_t)get16(l4),
		.to_port = (uint16_t)get16(l4 + 2),
		.protocol = ip[9],
		.flags = ip[9] == TCP ? l4[13] : 0,
		.seq = ip[9] == TCP ? get32(l4 + 4) : 0,
		.ack = ip[9] == TCP ? get32(l4 + 8) : 0,
		.data = l4 + header,
		.bytes = total - IP_BYTES - header,
	};
	return true;
}

uint32_t frame_dhcp_discover(uint8_t *frame)
{
	uint8_t dhcp[300] = {1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef};
	const struct packet packet = {.to = UINT32_MAX,
		.from_port = 68,
		.to_port = 67,
		.protocol = UDP,
		.data = dhcp,
		.bytes = sizeof(dhcp)};

	memcpy(dhcp + 28, frame_mac, 6);
	put32(dhcp + 236, 0x63825363);
	dhcp[240] = 53; /* message type: discover */
	dhcp[241] = 1;
	dhcp[242] = 1;
	dhcp[243] = 255;
	return frame_packet(frame, &packet);
}

uint32_t frame_dhcp_offer(const uint8_t *frame, uint32_t bytes)
{
	struct packet packet;

	if (!frame_parse(frame, bytes, &packet) || packet.protocol != UDP || packet.to_port != 68 ||
		packet.bytes < 240)
		return 0;
	return get32(packet.data + 16);
}
