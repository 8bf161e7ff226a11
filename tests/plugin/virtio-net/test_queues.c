/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest can do wrong, and may do unusually, with the queues of a network card. The back end
 * is the user-mode network: an ARP request goes out, its answer comes in.
 */
#include "rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"

#define MERGE (RIG_PLAIN | RIG_F_MRG_RXBUF)

/* Sends a chain and expects it back, dropped and reported. */
static void is_dropped(struct rig *rig, const struct fake_virtio_buffer *buffers, uint32_t count)
{
	uint32_t before = fake_guest_errors(rig->host, "tx-frame");

	assert_int_equal(fake_virtio_request(&rig->driver, 1, buffers, count), 0);
	assert_int_equal(fake_guest_errors(rig->host, "tx-frame"), before + 1);
	fake_settle(rig->host);
}

static void n1_short_and_empty_chains_are_dropped_and_counted(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	uint64_t gpa = fake_virtio_alloc(&rig->driver, 64, 16);
	uint32_t drops = 0;

	(void)state;
	for (uint32_t bytes = 0; bytes < 26; bytes++, drops++)
		is_dropped(rig, (struct fake_virtio_buffer[]){{gpa, bytes, 0}}, 1);
	is_dropped(rig, (struct fake_virtio_buffer[]){{gpa, 64, 1}}, 1);
	is_dropped(rig, (struct fake_virtio_buffer[]){{gpa, 64, 0}, {gpa, 1, 1}}, 2);
	drops += 2;
	rig_is_alive(rig);
	char counts[64];
	snprintf(counts, sizeof(counts), "from it 1 (dropped %u)", drops);
	rig_close_counts(rig, counts);
}

static void n2_frames_beyond_64_kib_are_dropped(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	uint64_t gpa = fake_virtio_alloc(&rig->driver, 0x100000, 16);
	struct fake_virtio_buffer many[200];

	(void)state;
	is_dropped(rig, (struct fake_virtio_buffer[]){{gpa, 12 + 65554, 0}}, 1);
	for (uint32_t i = 0; i < 200; i++)
		many[i] = (struct fake_virtio_buffer){gpa + (i & 1) * 0x80000, 0x80000, 0};
	is_dropped(rig, many, 200);
	assert_int_equal(fake_virtio_request(&rig->driver, 1,
				 (struct fake_virtio_buffer[]){{gpa, 12 + 65553, 0}}, 1),
		0);
	rig_is_alive(rig);
	rig_close_counts(rig, "from it 2 (dropped 2)");
}

static void n2_totals_of_4_gib_never_reach_the_device(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	struct fake_virtio_buffer huge[2] = {{0x100000, UINT32_MAX, 0}, {0x100000, 1, 0}};

	(void)state;
	assert_int_equal(fake_virtio_request(&rig->driver, 1, huge, 2), 0);
	assert_int_equal(fake_virtio_request(&rig->driver, 1, huge, 1), 0);
	assert_int_equal(fake_guest_errors(rig->host, "tx-frame"), 0);
	rig_is_alive(rig);
	rig_close(rig);
}

static void n3_offloads_that_were_not_offered_are_dropped(void **state)
{
	static const uint8_t headers[][RIG_HDR_BYTES] = {
		{0, 1, 0, 0, 100},            /* segments */
		{1, 0, 0, 0, 0, 0, 14, 0, 2}, /* a checksum to be made */
		{1, 1, 54, 0, 100, 0, 14, 0, 2},
		{0, 0xff},
	};
	struct rig *rig = rig_open(NULL, FAKE_VIRTIO_ALL);
	uint8_t frame[64];
	uint32_t bytes = frame_arp(frame, FRAME_ROUTER_IP);

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		rig_send_on(rig, 0, headers[i], frame, bytes);
	assert_int_equal(fake_guest_errors(rig->host, "tx-frame"), 4);
	rig_is_alive(rig);
	rig_close_counts(rig, "from it 1 (dropped 4)");
}

/* Chains of any layout carry a frame: the specification does not say where the header ends. */
static void q13_header_and_frame_in_any_pieces(void **state)
{
	static const uint32_t sizes[] = {1, 5, 11, 12, 13, 26, 53};
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	uint8_t out[12 + 64] = {0};
	uint32_t bytes = 12 + frame_arp(out + 12, FRAME_ROUTER_IP);

	(void)state;
	rig_fill(rig, 0, 64, 2048);
	for (uint32_t n = 0; n < 2 * sizeof(sizes) / sizeof(sizes[0]); n++) {
		struct fake_virtio_buffer pieces[64];
		uint32_t size = sizes[n / 2], count = 0;

		for (uint32_t at = 0; at < bytes; at += size, count++) {
			uint32_t now = bytes - at < size ? bytes - at : size;
			uint64_t gpa = fake_virtio_put(&rig->driver, out + at, now);

			fake_virtio_alloc(&rig->driver, 1, 1); /* apart: not joined */
			pieces[count] = (struct fake_virtio_buffer){gpa, now, 0};
		}
		fake_virtio_add(
			&rig->driver, 1, pieces, count, n & 1 ? FAKE_VIRTIO_ADD_INDIRECT : 0);
		fake_virtio_kick(&rig->driver, 1);
		fake_virtio_wait(&rig->driver, 1, NULL);
		do
			rig_receive(rig, 0);
		while (!frame_is_arp_reply(rig->frame, rig->data, FRAME_ROUTER_IP));
	}
	assert_int_equal(fake_guest_errors(rig->host, NULL), 0);
	rig_close(rig);
}

/* One byte each: the answer arrives, too. */
static void q13_receive_buffer_in_single_bytes(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	struct fake_virtio_buffer pieces[100];
	uint64_t base = fake_virtio_alloc(&rig->driver, 200, 1);
	uint8_t frame[128];
	uint32_t used;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		pieces[i] = (struct fake_virtio_buffer){base + 2 * i, 1, 1};
	fake_virtio_add(&rig->driver, 0, pieces, 100, FAKE_VIRTIO_ADD_INDIRECT);
	rig_kick_rx(rig, 0);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	used = fake_virtio_wait(&rig->driver, 0, NULL);
	assert_int_equal(used, 12 + 64);
	for (uint32_t i = 0; i < used; i++)
		fake_ram_read(rig->host, base + 2 * i, &frame[i], 1);
	assert_int_equal(frame[10], 1); /* num_buffers */
	assert_true(frame_is_arp_reply(frame + 12, used - 12, FRAME_ROUTER_IP));
	fake_ram_read(rig->host, base + 2 * used, frame, 1);
	assert_int_equal(frame[0], 0);
	rig_close(rig);
}

/* Gives one receive buffer, has a frame come, and says what was written to the buffer. */
static uint32_t offer(
	struct rig *rig, const struct fake_virtio_buffer *buffers, uint32_t count, uint32_t flags)
{
	uint8_t frame[64];

	fake_virtio_add(&rig->driver, 0, buffers, count, flags);
	rig_kick_rx(rig, 0);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	return fake_virtio_wait(&rig->driver, 0, NULL);
}

static void n6_receive_buffers_that_are_no_use_come_back_empty(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	uint64_t gpa = fake_virtio_alloc(&rig->driver, 4096, 16);
	const uint8_t zero[64] = {0};

	(void)state;
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 1, 1}}, 1, 0), 0);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 11, 1}}, 1, 0), 0);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 2048, 0}}, 1, 0), 0);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 64, 0}, {gpa, 2048, 1}}, 2,
				 FAKE_VIRTIO_ADD_INDIRECT),
		0);
	assert_memory_equal(fake_ram(rig->host, gpa, 64), zero, 64);
	/* Room for a header but not for a frame: in the way of the next one, unless it goes. */
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 12, 1}}, 1, 0), 0);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 75, 1}}, 1, 0), 0);
	assert_memory_equal(fake_ram(rig->host, gpa, 64), zero, 64);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa, 76, 1}}, 1, 0), 76);
	rig_close(rig);
}

static void n6_a_mergeable_buffer_without_room_for_a_header_comes_back_empty(void **state)
{
	struct rig *rig = rig_open(NULL, MERGE);
	uint64_t gpa = fake_virtio_alloc(&rig->driver, 4096, 16);
	const uint8_t zero[11] = {0};

	(void)state;
	fake_virtio_add(
		&rig->driver, 0, (struct fake_virtio_buffer[]){{gpa, sizeof(zero), 1}}, 1, 0);
	assert_int_equal(offer(rig, (struct fake_virtio_buffer[]){{gpa + 1024, 2048, 1}}, 1, 0), 0);
	assert_int_equal(fake_virtio_wait(&rig->driver, 0, NULL), 76);
	assert_memory_equal(fake_ram(rig->host, gpa, sizeof(zero)), zero, sizeof(zero));
	rig_close(rig);
}

static void n7_frame_over_several_mergeable_buffers(void **state)
{
	struct rig *rig = rig_open(NULL, MERGE);
	uint8_t frame[64];

	(void)state;
	rig_fill(rig, 0, 20, 20);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	rig_receive(rig, 0);
	assert_int_equal(rig->num_buffers, 4); /* 12 + 64 bytes */
	assert_int_equal(rig->data, 64);
	assert_true(frame_is_arp_reply(rig->frame, rig->data, FRAME_ROUTER_IP));
	rig_close(rig);
}

static void n7_frame_with_the_last_buffer_missing_is_dropped_whole(void **state)
{
	struct rig *rig = rig_open(NULL, MERGE);
	uint8_t frame[64];

	(void)state;
	rig_fill(rig, 0, 3, 20);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	fake_settle(rig->host);
	assert_int_equal(fake_virtio_used_index(&rig->driver, 0), 0);
	/* Not for ever, though: a driver with a short queue may never have the fourth. The three
	 * are still good for the next frame. */
	rig_fill(rig, 0, 1, 20);
	assert_int_equal(fake_virtio_used_index(&rig->driver, 0), 0);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	rig_receive(rig, 0);
	assert_int_equal(rig->num_buffers, 4);
	assert_true(frame_is_arp_reply(rig->frame, rig->data, FRAME_ROUTER_IP));
	rig_close_counts(rig, "frames to the guest 1 (dropped 1)");
}

/* A UDP datagram of that size comes in from this test. */
static void have_datagram(struct rig *rig, uint16_t port, uint32_t bytes)
{
	static const uint8_t data[1400];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(sendto(fd, data, bytes, 0, (struct sockaddr *)&at, sizeof(at)), bytes);
	fake_settle(rig->host);
	close(fd);
}

static uint16_t free_udp_port(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t bytes = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	close(fd);
	return ntohs(at.sin_port);
}

/* Chains of many pieces: one that has no room beside those that wait is left in the queue, and
 * chains that will never hold a frame come back. */
static void n7_chains_of_many_pieces_are_not_wasted(void **state)
{
	uint16_t port = free_udp_port();
	char option[64];
	struct fake_virtio_buffer pieces[100];
	struct rig *rig;
	uint64_t base;
	uint8_t frame[64];
	uint32_t bytes, whole = 0, empty = 0;

	(void)state;
	snprintf(option, sizeof(option), "hostfwd=({proto=udp, host_port=%u, guest_port=9})", port);
	rig = rig_open(FAKE_OPTIONS(option), MERGE);
	rig_is_alive(rig); /* libslirp knows the guest's address from here on */
	base = fake_virtio_alloc(&rig->driver, 200, 1);
	for (uint32_t i = 0; i < 100; i++)
		pieces[i] = (struct fake_virtio_buffer){base + 2 * i, 1, 1};
	for (uint32_t i = 0; i < 8; i++)
		fake_virtio_add(&rig->driver, 0, pieces, 100, FAKE_VIRTIO_ADD_INDIRECT);
	rig_kick_rx(rig, 0);
	have_datagram(rig, port, 246); /* three of them, exactly: none is lost on the way */
	while (fake_virtio_reap(&rig->driver, 0, NULL, &bytes))
		whole += bytes == 100;
	assert_int_equal(whole, 3);
	assert_int_equal(fake_guest_errors(rig->host, NULL), 0);
	have_datagram(rig, port, 1400); /* fits into no three */
	while (fake_virtio_reap(&rig->driver, 0, NULL, &bytes))
		empty += bytes == 0;
	assert_int_equal(empty, 3);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	assert_int_equal(fake_virtio_wait(&rig->driver, 0, NULL), 76);
	rig_close(rig);
}

/* Takes all frames that come; there are as many buffers as before. */
static uint32_t drain(struct rig *rig)
{
	uint32_t count = 0, taken;

	do {
		for (taken = 0; rig_take(rig, 0); taken++)
			;
		rig_fill(rig, 0, taken, 100);
		count += taken;
	} while (taken);
	return count;
}

/* A flood of answers with no buffer: nothing turns, nothing grows, and it goes on at the kick. */
static void n8_receive_queue_empty_under_flood(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);
	uint8_t frame[64];
	uint32_t bytes = frame_arp(frame, FRAME_ROUTER_IP);

	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		rig_send(rig, frame, bytes);
	fake_settle(rig->host);
	assert_int_equal(fake_run_once(rig->host, 0), 0);
	rig_fill(rig, 0, 200, 100);
	/* The back end keeps a mebibyte of them, with what each needs beside itself. */
	assert_in_range(drain(rig), 10000, 16000);
	/* There is room again. */
	for (uint32_t i = 0; i < 1000; i++)
		rig_send(rig, frame, bytes);
	assert_int_equal(drain(rig), 1000);
	rig_close(rig);
}

static void n8_interrupt_comes_with_the_frame(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN | RIG_F_EVENT_IDX);
	uint8_t frame[64];
	uint64_t before;

	(void)state;
	rig_fill(rig, 0, 4, 2048);
	before = fake_virtio_interrupts(&rig->driver, 0);
	rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	rig_receive(rig, 0);
	assert_int_equal(fake_virtio_interrupts(&rig->driver, 0), before + 1);
	rig_close(rig);
}

static void n10_header_has_12_bytes_with_and_without_mergeable_buffers(void **state)
{
	static const uint64_t features[] = {
		RIG_PLAIN, MERGE, RIG_PLAIN | RIG_F_GUEST_CSUM, RIG_F_VERSION_1, FAKE_VIRTIO_ALL};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct rig *rig = rig_open(NULL, features[i]);

		rig_is_alive(rig);
		assert_int_equal(rig->num_buffers, 1);
		assert_int_equal(rig->data, 64);
		/* "The checksum is good" only where the driver knows of that. */
		assert_int_equal(rig->hdr[0], rig->driver.features & RIG_F_GUEST_CSUM ? 2 : 0);
		assert_int_equal(rig->hdr[1], 0);
		rig_close(rig);
	}
}

static void n12_both_ways_with_resets(void **state)
{
	struct rig *rig = rig_open(NULL, MERGE | RIG_F_EVENT_IDX);
	uint8_t out[12 + 64] = {0};
	uint32_t bytes = 12 + frame_arp(out + 12, FRAME_ROUTER_IP);

	(void)state;
	for (uint32_t round = 0; round < 40; round++) {
		struct fake_virtio_buffer frame;

		frame = (struct fake_virtio_buffer){
			fake_virtio_put(&rig->driver, out, bytes), bytes, 0};
		for (uint32_t i = 0; i < round * 3; i++)
			rig_post(rig, 0, 40 + round);
		fake_virtio_kick(&rig->driver, 0);
		for (uint32_t i = 0; i < 250; i++)
			fake_virtio_add(&rig->driver, 1, &frame, 1, 0);
		fake_virtio_kick(&rig->driver, 1);
		for (uint32_t i = 0; i < round % 4; i++)
			fake_run_once(rig->host, 0);
		fake_virtio_init(&rig->driver, MERGE | RIG_F_EVENT_IDX);
	}
	rig_is_alive(rig);
	rig_close(rig);
}

static void broken_ring_is_mended_by_a_reset(void **state)
{
	struct rig *rig = rig_open(NULL, RIG_PLAIN);

	(void)state;
	for (uint32_t queue = 0; queue < 2; queue++) {
		uint8_t frame[64];

		rig_fill(rig, 0, 4, 2048);
		fake_virtio_avail(&rig->driver, queue, 0xffff);
		fake_virtio_kick(&rig->driver, queue);
		fake_virtio_add(&rig->driver, 1,
			(struct fake_virtio_buffer[]){
				{fake_virtio_put(&rig->driver, frame, sizeof(frame)), 64, 0}},
			1, 0);
		fake_virtio_kick(&rig->driver, 1);
		fake_settle(rig->host);
		fake_virtio_init(&rig->driver, RIG_PLAIN);
		rig_is_alive(rig);
	}
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(n1_short_and_empty_chains_are_dropped_and_counted),
		cmocka_unit_test(n2_frames_beyond_64_kib_are_dropped),
		cmocka_unit_test(n2_totals_of_4_gib_never_reach_the_device),
		cmocka_unit_test(n3_offloads_that_were_not_offered_are_dropped),
		cmocka_unit_test(q13_header_and_frame_in_any_pieces),
		cmocka_unit_test(q13_receive_buffer_in_single_bytes),
		cmocka_unit_test(n6_receive_buffers_that_are_no_use_come_back_empty),
		cmocka_unit_test(n6_a_mergeable_buffer_without_room_for_a_header_comes_back_empty),
		cmocka_unit_test(n7_frame_over_several_mergeable_buffers),
		cmocka_unit_test(n7_frame_with_the_last_buffer_missing_is_dropped_whole),
		cmocka_unit_test(n7_chains_of_many_pieces_are_not_wasted),
		cmocka_unit_test(n8_receive_queue_empty_under_flood),
		cmocka_unit_test(n8_interrupt_comes_with_the_frame),
		cmocka_unit_test(n10_header_has_12_bytes_with_and_without_mergeable_buffers),
		cmocka_unit_test(n12_both_ways_with_resets),
		cmocka_unit_test(broken_ring_is_mended_by_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
