/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP segments joined to one frame, and the checksums that go with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checksum.h"
#include "frames.h"
#include "merge.h"

#define HEADERS 54u
#define SEGMENT 1000u
#define TCP     6
#define SEQ     0xfffffc00u /* wraps around within the first segments */

static struct net_merge merge;
static uint8_t data[NET_FRAME_MAX + SEGMENT];
static uint8_t frame[NET_FRAME_MAX + 2];

static int setup(void **state)
{
	(void)state;
	merge = (struct net_merge){.limit = NET_MERGE_MAX};
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}

/* A segment with the bytes [from, from + bytes) of the stream. */
static uint32_t segment(uint32_t from, uint32_t bytes, uint8_t flags)
{
	const struct packet packet = {FRAME_ROUTER_IP, FRAME_GUEST_IP, 80, 40000, TCP, flags,
		SEQ + from, 77, data + from, bytes};

	return frame_packet(frame, &packet);
}

static bool add(uint32_t from, uint32_t bytes, uint8_t flags)
{
	return net_merge_add(&merge, frame, segment(from, bytes, flags));
}

static void segments_that_follow_become_one_frame(void **state)
{
	struct net_hdr hdr;
	uint64_t bytes;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_true(add(i * SEGMENT, SEGMENT, FRAME_ACK));
	assert_true(add(3 * SEGMENT, 333, FRAME_ACK | FRAME_PSH));
	bytes = net_merge_take(&merge, &hdr);
	assert_int_equal(bytes, HEADERS + 3333);
	assert_int_equal(hdr.flags, NET_HDR_NEEDS_CSUM);
	assert_int_equal(hdr.gso_type, NET_GSO_TCPV4);
	assert_int_equal(hdr.gso_size, SEGMENT);
	assert_int_equal(hdr.hdr_len, HEADERS);
	assert_int_equal(hdr.csum_start, 34);
	assert_int_equal(hdr.csum_offset, 16);
	/* With the checksum that the driver finishes it is what one long segment would be. */
	net_checksum_finish(merge.frame, bytes, hdr.csum_start, hdr.csum_offset);
	assert_int_equal(segment(0, 3333, FRAME_ACK | FRAME_PSH), bytes);
	assert_memory_equal(merge.frame, frame, bytes);
	assert_int_equal(net_merge_take(&merge, &hdr), 0);
}

static void segment_by_itself_stays_as_it_was(void **state)
{
	const struct net_hdr nothing = {0};
	struct net_hdr hdr;

	(void)state;
	assert_true(add(0, SEGMENT, FRAME_ACK));
	assert_int_equal(net_merge_take(&merge, &hdr), HEADERS + SEGMENT);
	assert_memory_equal(&hdr, &nothing, sizeof(hdr));
	assert_memory_equal(merge.frame, frame, HEADERS + SEGMENT);
}

static void segments_that_do_not_follow_are_left_alone(void **state)
{
	/* Bytes of the headers that make it another segment when they are changed. */
	static const uint8_t places[] = {0, 11, 12, 14, 15, 16, 20, 21, 22, 23, 26, 33, 34, 37, 38,
		41, 42, 45, 46, 47, 48, 49, 52, 53};

	(void)state;
	assert_true(add(0, SEGMENT, FRAME_ACK));
	for (uint32_t i = 0; i < sizeof(places); i++) {
		uint32_t bytes = segment(SEGMENT, SEGMENT, FRAME_ACK);

		frame[places[i]] ^= 0x02;
		assert_false(net_merge_add(&merge, frame, bytes));
	}
	assert_false(add(SEGMENT + 1, SEGMENT, FRAME_ACK));
	assert_false(add(SEGMENT, SEGMENT + 1, FRAME_ACK));
	assert_true(add(SEGMENT, SEGMENT, FRAME_ACK));
}

static void frames_of_other_kinds_begin_nothing(void **state)
{
	/* EtherType, options of IPv4, more fragments and a later one, protocol, options of TCP,
	 * urgent data. */
	static const uint8_t places[][2] = {{12, 0x02}, {13, 0x02}, {14, 0x02}, {20, 0x20},
		{21, 0x01}, {23, 0x02}, {46, 0x10}, {53, 0x01}};
	const struct packet datagram = {
		FRAME_ROUTER_IP, FRAME_GUEST_IP, 53, 53, 17, 0, 0, 0, data, SEGMENT};

	(void)state;
	for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint32_t bytes = segment(0, SEGMENT, FRAME_ACK);

		frame[places[i][0]] ^= places[i][1];
		assert_false(net_merge_add(&merge, frame, bytes));
	}
	assert_false(add(0, 0, FRAME_ACK));
	assert_false(add(0, SEGMENT, FRAME_ACK | FRAME_FIN));
	assert_false(add(0, SEGMENT, FRAME_SYN));
	assert_false(net_merge_add(&merge, frame, frame_packet(frame, &datagram)));
	assert_false(net_merge_add(&merge, frame, frame_arp(frame, FRAME_ROUTER_IP)));
	/* Shorter and longer than it says. */
	assert_false(net_merge_add(&merge, frame, segment(0, SEGMENT, FRAME_ACK) - 1));
	assert_false(net_merge_add(&merge, frame, segment(0, SEGMENT, FRAME_ACK) + 1));
	for (uint32_t bytes = 0; bytes <= HEADERS; bytes++)
		assert_false(net_merge_add(&merge, frame, bytes));
	assert_int_equal(merge.bytes, 0);
}

static void short_segment_and_push_are_the_last(void **state)
{
	struct net_hdr hdr;

	(void)state;
	assert_true(add(0, SEGMENT, FRAME_ACK));
	assert_true(add(SEGMENT, 10, FRAME_ACK));
	assert_false(add(SEGMENT + 10, 10, FRAME_ACK));
	net_merge_take(&merge, &hdr);
	assert_true(add(0, SEGMENT, FRAME_ACK | FRAME_PSH));
	assert_false(add(SEGMENT, SEGMENT, FRAME_ACK));
	net_merge_take(&merge, &hdr);
	assert_true(add(0, SEGMENT, FRAME_ACK));
	assert_true(add(SEGMENT, SEGMENT, FRAME_ACK | FRAME_PSH));
	assert_false(add(2 * SEGMENT, SEGMENT, FRAME_ACK));
}

static void joined_frame_is_no_longer_than_the_limit(void **state)
{
	struct net_hdr hdr;
	uint32_t count = 0;

	(void)state;
	while (add(count * SEGMENT, SEGMENT, FRAME_ACK))
		count++;
	assert_int_equal(count, (NET_MERGE_MAX - HEADERS) / SEGMENT);
	assert_int_equal(net_merge_take(&merge, &hdr), HEADERS + count * SEGMENT);
	merge.limit = HEADERS + 2 * SEGMENT;
	assert_true(add(0, SEGMENT, FRAME_ACK));
	assert_true(add(SEGMENT, SEGMENT, FRAME_ACK));
	assert_false(add(2 * SEGMENT, 1, FRAME_ACK));
}

static void sum_of_the_example_of_rfc_1071(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t odd[] = {0x00, 0x01, 0xf2};
	uint16_t sum = net_sum(example, sizeof(example), 0);

	(void)state;
	assert_memory_equal(&sum, "\xdd\xf2", 2);
	sum = net_sum(odd, sizeof(odd), 0);
	assert_memory_equal(&sum, "\xf2\x01", 2);
	sum = net_sum(example, 6, net_sum(example + 6, 2, 0));
	assert_memory_equal(&sum, "\xdd\xf2", 2);
}

static void checksum_of_0_is_written_as_ffff(void **state)
{
	uint8_t bytes[] = {9, 9, 0xff, 0xff, 0, 0};

	(void)state;
	net_checksum_finish(bytes, sizeof(bytes), 2, 2);
	assert_int_equal(bytes[4], 0xff);
	assert_int_equal(bytes[5], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(segments_that_follow_become_one_frame, setup),
		cmocka_unit_test_setup(segment_by_itself_stays_as_it_was, setup),
		cmocka_unit_test_setup(segments_that_do_not_follow_are_left_alone, setup),
		cmocka_unit_test_setup(frames_of_other_kinds_begin_nothing, setup),
		cmocka_unit_test_setup(short_segment_and_push_are_the_last, setup),
		cmocka_unit_test_setup(joined_frame_is_no_longer_than_the_limit, setup),
		cmocka_unit_test(sum_of_the_example_of_rfc_1071),
		cmocka_unit_test(checksum_of_0_is_written_as_ffff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
