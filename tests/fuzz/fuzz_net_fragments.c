/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: fragments.c, with fragments of several datagrams at a time that overlap, repeat and
 * contradict each other, and with frames of any bytes. What is put together is of one datagram,
 * each byte in its place.
 */
#include "checksum.h"
#include "fragments.h"
#include "fuzz.h"
#include "header.h"

#define AT_IP     14u
#define DATAGRAMS 12u /* more than there is room for */
#define DATA_MAX  1480u
#define IP_MAX    65535u
#define SECOND    1000000000ull

static struct net_fragments fragments;
static uint8_t frame[NET_FRAME_MAX];

static void put16(uint32_t at, uint32_t value)
{
	frame[at] = (uint8_t)(value >> 8);
	frame[at + 1] = (uint8_t)value;
}

static uint32_t get16(uint32_t at)
{
	return (uint32_t)frame[at] << 8 | frame[at + 1];
}

/* What a datagram has at a place. */
static uint8_t byte_of(uint32_t id, uint32_t at)
{
	return (uint8_t)(id * 31 + at * 7 + at / 256);
}

static void check_whole(uint64_t bytes)
{
	uint32_t header = (frame[AT_IP] & 0xfu) * 4;
	uint32_t id = get16(AT_IP + 4);

	FUZZ_CHECK(bytes <= AT_IP + IP_MAX && get16(AT_IP + 2) == bytes - AT_IP);
	FUZZ_CHECK(get16(AT_IP + 6) == 0);
	FUZZ_CHECK(net_sum(frame + AT_IP, header, 0) == UINT16_MAX);
	for (uint32_t at = AT_IP + header; at < bytes; at++)
		FUZZ_CHECK(frame[at] == byte_of(id, at - AT_IP - header));
}

static void add_fragment(struct fuzz_input *in, uint64_t now_ns)
{
	uint32_t id = fuzz_below(in, DATAGRAMS);
	uint32_t how = fuzz_u8(in);
	uint32_t header = how & 1 ? 20 + how / 2 % 11 * 4 : 20;
	uint32_t from = (uint32_t)fuzz_number(in) & 0x1fff;
	uint32_t bytes = (uint32_t)fuzz_number(in) % (DATA_MAX + 1);
	uint64_t whole;

	if (how & 0x40)
		bytes &= ~7u;
	memset(frame, 0, AT_IP + header);
	put16(12, 0x0800);
	frame[AT_IP] = (uint8_t)(0x40 | header / 4);
	put16(AT_IP + 2, header + bytes);
	put16(AT_IP + 4, id);
	put16(AT_IP + 6, from | (how & 0x80 ? 0x2000u : 0));
	net_checksum_finish(frame + AT_IP, header, 0, 10);
	for (uint32_t i = 0; i < bytes; i++)
		frame[AT_IP + header + i] = byte_of(id, from * 8 + i);
	whole = net_fragments_add(&fragments, now_ns, frame, AT_IP + header + bytes);
	if (from || how & 0x80) {
		if (whole)
			check_whole(whole);
	} else {
		FUZZ_CHECK(whole == AT_IP + header + bytes);
	}
}

/* It has an address of its own, so it is of no datagram of the others. */
static void add_bytes(struct fuzz_input *in, uint64_t now_ns)
{
	size_t bytes;
	const uint8_t *data = fuzz_some(in, &bytes);

	memset(frame, 0, 64);
	put16(12, 0x0800);
	memcpy(frame + AT_IP, data, bytes);
	frame[AT_IP + 12] = 0xff;
	if (bytes > 20)
		net_checksum_finish(frame + AT_IP, 20, 0, 10);
	FUZZ_CHECK(net_fragments_add(&fragments, now_ns, frame, AT_IP + bytes) <= NET_FRAME_MAX);
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	uint64_t now_ns = SECOND;

	while (in.left) {
		uint8_t step = fuzz_u8(&in);

		if (step < 0x10)
			now_ns += step * SECOND;
		else if (step < 0x30)
			add_bytes(&in, now_ns);
		else
			add_fragment(&in, now_ns);
	}
	net_fragments_clear(&fragments);
	return 0;
}
