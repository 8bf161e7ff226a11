/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly; see fragments.h. What has come is noted by blocks of 8 bytes, the unit of offsets;
 * where two fragments overlap, the first one counts.
 */
#include "fragments.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "ipv4.h"

#define IP_VERSION  4
#define BLOCK_BYTES 8u
#define BLOCKS      ((IP_MAX + 1) / BLOCK_BYTES)
#define LIFETIME_NS UINT64_C(30000000000)

/* What fragments of one datagram have in common. */
struct key {
	uint8_t addresses[8];
	uint8_t id[2];
	uint8_t protocol;
};

struct fragment {
	struct key key;
	uint32_t header_bytes; /* of IP */
	uint32_t from, to;     /* place of its data in the datagram's */
	bool more;
};

struct net_datagram {
	bool used;
	struct key key;
	uint64_t since_ns;
	uint32_t end;         /* of the data that has come */
	uint32_t bytes;       /* of all data; 0: the last fragment has not come */
	uint32_t blocks;      /* that have come */
	uint32_t front_bytes; /* of Ethernet and IP header; 0: the first fragment has not come */
	uint8_t front[AT_IP + IP_HEADER_MAX];
	uint8_t come[BLOCKS / 8]; /* a bit for each block */
	uint8_t data[IP_MAX + 1];
};

static void put16(uint8_t *frame, uint32_t at, uint32_t value)
{
	frame[at] = (uint8_t)(value >> 8);
	frame[at + 1] = (uint8_t)value;
}

static bool is_fragment(const uint8_t *frame, uint64_t bytes)
{
	return bytes >= AT_IP + IP_HEADER_MIN && get16(frame, AT_ETHER_TYPE) == ETHERTYPE_IP &&
	       get16(frame, AT_IP_FRAGMENT) & IP_FRAGMENT_MASK;
}

/* False: it is a broken one. */
static bool parse(const uint8_t *frame, uint64_t bytes, struct fragment *ret_fragment)
{
	uint32_t header_bytes = (frame[AT_IP] & 0xfu) * 4;
	uint32_t ip_bytes = get16(frame, AT_IP_LENGTH);
	struct fragment f = {.header_bytes = header_bytes};

	if (frame[AT_IP] >> 4 != IP_VERSION || header_bytes < IP_HEADER_MIN ||
		ip_bytes <= header_bytes || ip_bytes > bytes - AT_IP ||
		net_sum(frame + AT_IP, header_bytes, 0) != UINT16_MAX)
		return false;
	f.more = get16(frame, AT_IP_FRAGMENT) & IP_MORE;
	f.from = (get16(frame, AT_IP_FRAGMENT) & IP_OFFSET_MASK) * BLOCK_BYTES;
	f.to = f.from + ip_bytes - header_bytes;
	if (f.to > IP_MAX - IP_HEADER_MIN || (f.more && f.to % BLOCK_BYTES))
		return false;
	memcpy(f.key.addresses, frame + AT_IP_ADDRESSES, sizeof(f.key.addresses));
	memcpy(f.key.id, frame + AT_IP_ID, sizeof(f.key.id));
	f.key.protocol = frame[AT_IP_PROTOCOL];
	*ret_fragment = f;
	return true;
}

/* The one under way, else one to begin with; NULL: no memory. */
static struct net_datagram *find(
	struct net_fragments *fragments, uint64_t now_ns, const struct key *key)
{
	struct net_datagram **chosen = &fragments->datagrams[0];

	for (uint32_t i = 0; i < NET_DATAGRAMS_MAX; i++) {
		struct net_datagram **at = &fragments->datagrams[i];

		if (*at && (*at)->used && now_ns - (*at)->since_ns > LIFETIME_NS)
			(*at)->used = false;
		if (*at && (*at)->used && !memcmp(&(*at)->key, key, sizeof(*key)))
			return *at;
		/* Rather an unused one than one that has to be had, rather that than the oldest. */
		if (!*chosen || !(*chosen)->used)
			continue;
		if (!*at || !(*at)->used || (*at)->since_ns < (*chosen)->since_ns)
			chosen = at;
	}
	if (!*chosen)
		*chosen = malloc(sizeof(**chosen));
	if (!*chosen)
		return NULL;
	memset(*chosen, 0, offsetof(struct net_datagram, data));
	(*chosen)->used = true;
	(*chosen)->key = *key;
	(*chosen)->since_ns = now_ns;
	return *chosen;
}

static void take_data(struct net_datagram *d, const struct fragment *f, const uint8_t *data)
{
	for (uint32_t from = f->from; from < f->to; from += BLOCK_BYTES) {
		uint32_t block = from / BLOCK_BYTES;
		uint32_t bytes = f->to - from < BLOCK_BYTES ? f->to - from : BLOCK_BYTES;

		if (d->come[block / 8] & 1u << block % 8)
			continue;
		d->come[block / 8] |= (uint8_t)(1u << block % 8);
		d->blocks++;
		memcpy(d->data + from, data + (from - f->from), bytes);
	}
}

/* False: its fragments do not go together. */
static bool take(struct net_datagram *d, const struct fragment *f, const uint8_t *frame)
{
	if (!f->more && d->bytes && d->bytes != f->to)
		return false;
	if (!f->more)
		d->bytes = f->to;
	if (d->end < f->to)
		d->end = f->to;
	if (d->bytes && d->end > d->bytes)
		return false;
	if (!f->from && !d->front_bytes) {
		d->front_bytes = AT_IP + f->header_bytes;
		memcpy(d->front, frame, d->front_bytes);
	}
	take_data(d, f, frame + AT_IP + f->header_bytes);
	return !d->front_bytes || d->front_bytes - AT_IP + d->end <= IP_MAX;
}

/* With the first block came its header. */
static bool is_complete(const struct net_datagram *d)
{
	return d->blocks == (d->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static uint64_t assemble(const struct net_datagram *d, uint8_t *frame)
{
	memcpy(frame, d->front, d->front_bytes);
	memcpy(frame + d->front_bytes, d->data, d->bytes);
	put16(frame, AT_IP_LENGTH, d->front_bytes - AT_IP + d->bytes);
	put16(frame, AT_IP_FRAGMENT, 0);
	put16(frame, AT_IP_CHECKSUM, 0);
	net_checksum_finish(frame + AT_IP, d->front_bytes - AT_IP, 0, AT_IP_CHECKSUM - AT_IP);
	return d->front_bytes + d->bytes;
}

uint64_t net_fragments_add(
	struct net_fragments *fragments, uint64_t now_ns, uint8_t *frame, uint64_t bytes)
{
	struct net_datagram *d;
	struct fragment fragment;

	if (!is_fragment(frame, bytes))
		return bytes;
	if (!parse(frame, bytes, &fragment))
		return 0;
	d = find(fragments, now_ns, &fragment.key);
	if (!d)
		return 0;
	if (!take(d, &fragment, frame)) {
		d->used = false;
		return 0;
	}
	if (!is_complete(d))
		return 0;
	d->used = false;
	return assemble(d, frame);
}

void net_fragments_clear(struct net_fragments *fragments)
{
	for (uint32_t i = 0; i < NET_DATAGRAMS_MAX; i++) {
		free(fragments->datagrams[i]);
		fragments->datagrams[i] = NULL;
	}
}
