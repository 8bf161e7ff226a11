/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of a guest that are put together, and what a guest can do to that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checksum.h"
#include "fragments.h"
#include "frames.h"
#include "header.h"

#define AT_DATA 34u /* behind Ethernet and IPv4 */
#define UDP     17
#define SECOND  1000000000ull

static struct net_fragments fragments;
static uint8_t whole[NET_FRAME_MAX], frame[NET_FRAME_MAX], payload[65507];
static uint32_t whole_bytes;
static uint64_t now_ns;

static void set16(uint32_t at, uint32_t value)
{
	frame[at] = (uint8_t)(value >> 8);
	frame[at + 1] = (uint8_t)value;
}

static void set_checksum(void)
{
	set16(24, 0);
	net_checksum_finish(frame + 14, 20, 0, 10);
}

/* The datagram of a test. */
static void make_whole(uint32_t bytes)
{
	const struct packet packet = {
		FRAME_GUEST_IP, FRAME_ROUTER_IP, 1000, 2000, UDP, 0, 0, 0, payload, bytes};

	whole_bytes = frame_packet(whole, &packet);
}

/* Adds bytes [from, to) of its data as a fragment; the result of net_fragments_add(). */
static uint64_t add_as(uint32_t id, uint32_t from, uint32_t to, bool more)
{
	uint32_t bytes = frame_fragment(frame, whole, from, to, more, id);

	return net_fragments_add(&fragments, now_ns, frame, bytes);
}

static uint64_t add(uint32_t from, uint32_t to)
{
	return add_as(0, from, to, to < whole_bytes - AT_DATA);
}

/* Its first 1480 bytes behind a longer header. */
static uint64_t add_first_with_options(void)
{
	memcpy(frame, whole, AT_DATA);
	memset(frame + AT_DATA, 1, 4); /* no operation, four times */
	memcpy(frame + AT_DATA + 4, whole + AT_DATA, 1480);
	frame[14] = 0x46;
	set16(16, 24 + 1480);
	set16(20, 0x2000);
	set16(24, 0);
	net_checksum_finish(frame + 14, 24, 0, 10);
	return net_fragments_add(&fragments, now_ns, frame, AT_DATA + 4 + 1480);
}

static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 251);
	make_whole(4000);
	now_ns = SECOND;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_fragments_clear(&fragments);
	return 0;
}

static void expect_whole(uint64_t bytes)
{
	assert_int_equal(bytes, whole_bytes);
	assert_memory_equal(frame, whole, whole_bytes);
}

static void fragments_in_any_order_become_what_they_were(void **state)
{
	static const uint8_t orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const uint32_t bounds[] = {0, 1480, 2960, 4008};

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		uint64_t bytes = 0;

		for (uint32_t n = 0; n < 3; n++) {
			assert_int_equal(bytes, 0);
			bytes = add(bounds[orders[i][n]], bounds[orders[i][n] + 1]);
		}
		expect_whole(bytes);
	}
}

static void the_largest_datagram_in_the_smallest_fragments(void **state)
{
	uint32_t end;
	uint64_t bytes = 0;

	(void)state;
	make_whole(sizeof(payload));
	end = whole_bytes - AT_DATA;
	for (uint32_t from = (end - 1) / 8 * 8; !bytes; from -= 8)
		bytes = add(from, from + 8 < end ? from + 8 : end);
	expect_whole(bytes);
}

static void options_of_the_first_fragment_stay(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_int_equal(add(1480, 4008), 0);
	bytes = add_first_with_options();
	assert_int_equal(bytes, whole_bytes + 4);
	assert_int_equal(frame[14], 0x46);
	assert_int_equal(net_sum(frame + 14, 24, 0), UINT16_MAX);
	assert_memory_equal(frame + AT_DATA + 4, whole + AT_DATA, whole_bytes - AT_DATA);
}

static void what_is_no_fragment_stays_as_it_is(void **state)
{
	(void)state;
	memcpy(frame, whole, whole_bytes);
	expect_whole(net_fragments_add(&fragments, now_ns, frame, whole_bytes));
	set16(20, 0x2000); /* behind the end of the next one */
	assert_int_equal(net_fragments_add(&fragments, now_ns, frame, 20), 20);
	set16(20, 0);
	assert_int_equal(net_fragments_add(&fragments, now_ns, frame, 0), 0);
	set16(20, 0x2000);
	frame[12] = 0x86; /* IPv6 */
	assert_int_equal(net_fragments_add(&fragments, now_ns, frame, 60), 60);
}

static void datagrams_at_the_same_time_do_not_mix(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < NET_DATAGRAMS_MAX; id++)
		assert_int_equal(add_as(id, 0, 1480, true), 0);
	for (uint32_t id = 0; id < NET_DATAGRAMS_MAX; id++) {
		assert_int_equal(add_as(id, 1480, 4008, false), whole_bytes);
		assert_int_equal(frame[19], id);
		assert_memory_equal(frame + AT_DATA, whole + AT_DATA, whole_bytes - AT_DATA);
	}
}

static void overlaps_and_repetitions_count_once(void **state)
{
	(void)state;
	assert_int_equal(add(0, 1480), 0);
	/* With another content: the first one counts. */
	whole[22] = 1;
	assert_int_equal(add(0, 1480), 0);
	memset(whole + AT_DATA + 800, 0xee, 680);
	assert_int_equal(add(800, 2960), 0);
	make_whole(4000);
	expect_whole(add(2000, 4008));
}

/* The first 16 bytes, or as many as the length says, with something wrong. */
static void add_wrong(uint32_t ip_bytes, uint32_t version_length, uint32_t header_bytes)
{
	memcpy(frame, whole, AT_DATA + 16);
	set16(16, ip_bytes);
	set16(20, 0x2000);
	frame[14] = (uint8_t)version_length;
	set16(24, 0);
	net_checksum_finish(frame + 14, header_bytes, 0, 10);
	assert_int_equal(net_fragments_add(&fragments, now_ns, frame, AT_DATA + 16), 0);
}

static void n2_fragments_that_cannot_be_are_dropped(void **state)
{
	(void)state;
	add_wrong(20 + 24, 0x45, 20); /* longer than the frame */
	assert_int_equal(add(24, 4008), 0);
	net_fragments_clear(&fragments);
	add_wrong(20 + 16, 0x55, 20);
	assert_int_equal(add(16, 4008), 0);
	net_fragments_clear(&fragments);
	add_wrong(16 + 16, 0x44, 16);
	assert_int_equal(add(16, 4008), 0);
	net_fragments_clear(&fragments);
	add_wrong(20 + 16, 0x45, 18); /* the checksum */
	assert_int_equal(add(16, 4008), 0);
	net_fragments_clear(&fragments);
	assert_int_equal(add_as(0, 0, 0, true), 0);
	assert_int_equal(add_as(0, 0, 1484, true), 0); /* not all of a block */
	assert_int_equal(add(1480, 4008), 0);
	expect_whole(add(0, 1480));
}

static void n2_datagrams_of_more_than_64_kib_are_dropped(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	make_whole(sizeof(payload));
	memcpy(frame, whole, AT_DATA + 1480);
	set16(16, 20 + 1480);
	set16(20, 0x1fff);
	set_checksum();
	assert_int_equal(net_fragments_add(&fragments, now_ns, frame, AT_DATA + 1480), 0);
	assert_null(fragments.datagrams[0]);
	/* With the options of its first fragment it is one. */
	assert_int_equal(add_first_with_options(), 0);
	for (uint32_t from = 1480; from < whole_bytes - AT_DATA; from += 1480)
		bytes += add(from,
			from + 1480 < whole_bytes - AT_DATA ? from + 1480 : whole_bytes - AT_DATA);
	assert_int_equal(bytes, 0);
}

static void n2_ends_that_differ_drop_the_datagram(void **state)
{
	(void)state;
	assert_int_equal(add_as(0, 1480, 2960, false), 0);
	assert_int_equal(add_as(0, 1480, 4008, false), 0);
	assert_int_equal(add_as(0, 0, 1480, true), 0); /* a new one, without its end */
	net_fragments_clear(&fragments);
	/* As many blocks as there are up to the end, but one is behind it. */
	assert_int_equal(add_as(0, 2400, 2408, true), 0);
	assert_int_equal(add_as(0, 16, 24, false), 0);
	assert_int_equal(add_as(0, 0, 8, true), 0);
}

static void n2_the_oldest_gives_way_to_the_next(void **state)
{
	(void)state;
	assert_int_equal(add_as(1000, 0, 1480, true), 0);
	for (uint32_t id = 0; id < 100 * NET_DATAGRAMS_MAX; id++) {
		now_ns++;
		assert_int_equal(add_as(id, 8, 16, true), 0);
	}
	assert_int_equal(add_as(1000, 1480, 4008, false), 0);
	expect_whole(add(0, 1480) + add(1480, 4008));
	/* Those that came last are all there. */
	for (uint32_t id = 0; id < NET_DATAGRAMS_MAX + 2; id++) {
		now_ns++;
		assert_int_equal(add_as(id, 0, 1480, true), 0);
	}
	for (uint32_t id = 2; id < NET_DATAGRAMS_MAX + 2; id++)
		assert_int_equal(add_as(id, 1480, 4008, false), whole_bytes);
}

static void what_does_not_come_in_time_is_forgotten(void **state)
{
	(void)state;
	assert_int_equal(add(0, 1480), 0);
	now_ns += 31 * SECOND;
	assert_int_equal(add(1480, 4008), 0);
	now_ns += 29 * SECOND;
	expect_whole(add(0, 1480));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fragments_in_any_order_become_what_they_were),
		TEST(the_largest_datagram_in_the_smallest_fragments),
		TEST(options_of_the_first_fragment_stay),
		TEST(what_is_no_fragment_stays_as_it_is),
		TEST(datagrams_at_the_same_time_do_not_mix),
		TEST(overlaps_and_repetitions_count_once),
		TEST(n2_fragments_that_cannot_be_are_dropped),
		TEST(n2_datagrams_of_more_than_64_kib_are_dropped),
		TEST(n2_ends_that_differ_drop_the_datagram),
		TEST(n2_the_oldest_gives_way_to_the_next),
		TEST(what_does_not_come_in_time_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
