/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins TCP segments; see merge.h. Offsets are those of Ethernet, IPv4 and TCP without options.
 */
#include "merge.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "checksum.h"
#include "ipv4.h"

#define AT_TCP          (AT_IP + 20)
#define AT_TCP_SEQ      (AT_TCP + 4)
#define AT_TCP_ACK      (AT_TCP + 8)
#define AT_TCP_OFFSET   (AT_TCP + 12)
#define AT_TCP_FLAGS    (AT_TCP + 13)
#define AT_TCP_WINDOW   (AT_TCP + 14)
#define AT_TCP_CHECKSUM (AT_TCP + 16)
#define AT_TCP_URGENT   (AT_TCP + 18)
#define HEADERS         (AT_TCP + 20)

#define IP_NO_OPTIONS   0x45
#define TCP_NO_OPTIONS  0x50
#define FLAG_PSH        0x08
#define FLAG_ACK        0x10
#define CHECKSUM_OFFSET (AT_TCP_CHECKSUM - AT_TCP)

static uint32_t get32(const uint8_t *frame, uint32_t at)
{
	return (uint32_t)get16(frame, at) << 16 | get16(frame, at + 2);
}

/* A segment with data and no options, whose lengths are right. */
static bool is_plain(const uint8_t *frame, uint64_t bytes)
{
	return bytes > HEADERS && get16(frame, AT_ETHER_TYPE) == ETHERTYPE_IP &&
	       frame[AT_IP] == IP_NO_OPTIONS && get16(frame, AT_IP_LENGTH) == bytes - AT_IP &&
	       !(get16(frame, AT_IP_FRAGMENT) & IP_FRAGMENT_MASK) &&
	       frame[AT_IP_PROTOCOL] == IPPROTO_TCP && frame[AT_TCP_OFFSET] == TCP_NO_OPTIONS &&
	       (frame[AT_TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK && !get16(frame, AT_TCP_URGENT);
}

static bool same(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to)
{
	return !memcmp(a + from, b + from, to - from);
}

/* It is the next one of the same connection, and says the same of everything else. */
static bool follows(const struct net_merge *merge, const uint8_t *frame)
{
	const uint8_t *first = merge->frame;
	uint32_t next = get32(first, AT_TCP_SEQ) + (uint32_t)(merge->bytes - HEADERS);

	return get32(frame, AT_TCP_SEQ) == next && same(first, frame, 0, AT_IP_LENGTH) &&
	       same(first, frame, AT_IP_FRAGMENT, AT_IP_CHECKSUM) &&
	       same(first, frame, AT_IP_ADDRESSES, AT_TCP_SEQ) &&
	       same(first, frame, AT_TCP_ACK, AT_TCP_FLAGS) &&
	       same(first, frame, AT_TCP_WINDOW, AT_TCP_CHECKSUM);
}

bool net_merge_add(struct net_merge *merge, const uint8_t *frame, uint64_t bytes)
{
	uint64_t data;

	if (!is_plain(frame, bytes))
		return false;
	data = bytes - HEADERS;
	if (!merge->bytes) {
		memcpy(merge->frame, frame, bytes);
		merge->bytes = bytes;
		merge->segments = 1;
		merge->segment_bytes = (uint32_t)data;
		merge->ended = frame[AT_TCP_FLAGS] & FLAG_PSH;
		return true;
	}
	if (merge->ended || data > merge->segment_bytes || merge->bytes + data > merge->limit ||
		!follows(merge, frame))
		return false;
	memcpy(merge->frame + merge->bytes, frame + HEADERS, data);
	merge->bytes += data;
	merge->segments++;
	merge->frame[AT_TCP_FLAGS] |= frame[AT_TCP_FLAGS];
	merge->ended = data < merge->segment_bytes || frame[AT_TCP_FLAGS] & FLAG_PSH;
	return true;
}

/* The driver is left to finish the checksum, which begins with that of the pseudo-header. */
static void join(struct net_merge *merge, struct net_hdr *hdr)
{
	uint8_t *frame = merge->frame;
	uint16_t ip_bytes = htons((uint16_t)(merge->bytes - AT_IP));
	uint16_t protocol = htons(IPPROTO_TCP);
	uint16_t tcp_bytes = htons((uint16_t)(merge->bytes - AT_TCP));
	uint16_t sum = net_sum(frame + AT_IP_ADDRESSES, AT_TCP - AT_IP_ADDRESSES, 0);

	sum = net_sum((const uint8_t *)&protocol, sizeof(protocol), sum);
	sum = net_sum((const uint8_t *)&tcp_bytes, sizeof(tcp_bytes), sum);
	memcpy(frame + AT_TCP_CHECKSUM, &sum, sizeof(sum));
	memcpy(frame + AT_IP_LENGTH, &ip_bytes, sizeof(ip_bytes));
	memset(frame + AT_IP_CHECKSUM, 0, sizeof(sum));
	net_checksum_finish(frame + AT_IP, AT_TCP - AT_IP, 0, AT_IP_CHECKSUM - AT_IP);
	hdr->flags = NET_HDR_NEEDS_CSUM;
	hdr->gso_type = NET_GSO_TCPV4;
	hdr->hdr_len = HEADERS;
	hdr->gso_size = (uint16_t)merge->segment_bytes;
	hdr->csum_start = AT_TCP;
	hdr->csum_offset = CHECKSUM_OFFSET;
}

uint64_t net_merge_take(struct net_merge *merge, struct net_hdr *ret_hdr)
{
	uint64_t bytes = merge->bytes;

	*ret_hdr = (struct net_hdr){0};
	if (bytes && merge->segments > 1)
		join(merge, ret_hdr);
	merge->bytes = 0;
	return bytes;
}
