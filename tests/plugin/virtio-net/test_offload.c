/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option "offload" of the back end "user": long segments and unfinished checksums, both ways.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

#define OFFLOADS (RIG_F_CSUM | RIG_F_GUEST_CSUM | RIG_F_GUEST_TSO4 | RIG_F_HOST_TSO4)
#define HEADERS  54u
#define SEGMENT  1440u /* of libslirp with an MTU of 1500 */
#define STREAM   60000u

static uint8_t stream[STREAM];
static uint8_t frame[STREAM + HEADERS];

static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)(i * 13 + i / 253);
	return 0;
}

static uint32_t le16(const uint8_t *at)
{
	return (uint32_t)at[1] << 8 | at[0];
}

/* Leaves the checksum to the card: in its place is the sum of the pseudo-header. */
static void unfinish(uint8_t *packet, uint32_t bytes, uint32_t offset)
{
	uint32_t sum = packet[23] + bytes - 34;

	for (uint32_t at = 26; at < 34; at += 2)
		sum += (uint32_t)packet[at] << 8 | packet[at + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	packet[34 + offset] = (uint8_t)(sum >> 8);
	packet[34 + offset + 1] = (uint8_t)sum;
}

/* The guest takes and acknowledges the whole stream; returns the length of the longest frame. */
static uint32_t take_stream(struct rig *rig, struct tcp *tcp, uint32_t *ret_joined)
{
	uint32_t longest = 0, done = 0;

	*ret_joined = 0;
	while (done < STREAM) {
		rig_receive(rig, 0);
		rig_post(rig, 0, RIG_FRAME_MAX);
		rig_kick_rx(rig, 0);
		if (!frame_parse(rig->frame, rig->data, &tcp->in) || !tcp->in.bytes)
			continue;
		assert_int_equal(tcp->in.seq, tcp->out.ack);
		assert_memory_equal(tcp->in.data, stream + done, tcp->in.bytes);
		if (tcp->in.bytes > SEGMENT) {
			assert_int_equal(rig->hdr[0], 1); /* a checksum to finish */
			assert_int_equal(rig->hdr[1], 1); /* TCP over IPv4 */
			assert_int_equal(le16(&rig->hdr[4]), SEGMENT);
			assert_int_equal(le16(&rig->hdr[6]), 34);
			assert_int_equal(le16(&rig->hdr[8]), 16);
			(*ret_joined)++;
		}
		longest = rig->data > longest ? rig->data : longest;
		done += tcp->in.bytes;
		tcp->out.ack += tcp->in.bytes;
		tcp_send(rig, tcp, FRAME_ACK, "");
	}
	return longest;
}

/* The longest frame of a stream to the guest. */
static uint32_t stream_to_guest(const char *const *options, uint64_t features, uint32_t *ret_joined)
{
	struct rig *rig = rig_open_on(options, RIG_PLAIN | features, 0);
	uint32_t longest;
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd;

	rig_fill(rig, 0, 8, RIG_FRAME_MAX);
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	assert_int_equal(write(fd, stream, STREAM), STREAM);
	longest = take_stream(rig, &tcp, ret_joined);
	close(fd);
	close(server);
	rig_close(rig);
	return longest;
}

static void guest_is_given_segments_in_one_piece(void **state)
{
	uint32_t joined;

	(void)state;
	assert_in_range(stream_to_guest(FAKE_OPTIONS("offload=true"), OFFLOADS, &joined),
		HEADERS + 4 * SEGMENT, 65535 + 14);
	assert_true(joined >= 2);
}

static void driver_that_wants_single_segments_gets_them(void **state)
{
	const uint64_t features[] = {0, RIG_F_GUEST_CSUM, RIG_F_GUEST_TSO4};
	uint32_t joined;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
			stream_to_guest(FAKE_OPTIONS("offload=true"), features[i], &joined),
			HEADERS + SEGMENT);
	assert_int_equal(stream_to_guest(NULL, OFFLOADS, &joined), HEADERS + SEGMENT);
}

static void short_queue_gets_short_frames(void **state)
{
	uint32_t joined;

	(void)state;
	assert_in_range(
		stream_to_guest(FAKE_OPTIONS("offload=true", "queue_size=16"), OFFLOADS, &joined),
		HEADERS + 2 * SEGMENT, 8 * 1024);
}

static void long_segment_of_the_guest_reaches_the_socket(void **state)
{
	static const uint8_t hdr[RIG_HDR_BYTES] = {1, 1, HEADERS, 0, 0xb4, 5, 34, 0, 16, 0};
	struct rig *rig = rig_open_on(FAKE_OPTIONS("offload=true"), RIG_PLAIN | OFFLOADS, 0);
	static uint8_t arrived[STREAM];
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd;
	uint32_t bytes, done = 0;

	(void)state;
	rig_fill(rig, 0, 8, RIG_FRAME_MAX);
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	tcp.out.flags = FRAME_ACK;
	tcp.out.data = stream;
	tcp.out.bytes = STREAM;
	bytes = frame_packet(frame, &tcp.out);
	unfinish(frame, bytes, 16);
	rig_send_on(rig, 0, hdr, frame, bytes);
	while (done < STREAM) {
		ssize_t got = read_turning(rig, fd, arrived + done, STREAM - done);

		assert_true(got > 0);
		done += (uint32_t)got;
	}
	assert_memory_equal(arrived, stream, STREAM);
	close(fd);
	close(server);
	rig_close(rig);
}

static void checksum_of_a_datagram_is_finished(void **state)
{
	static const uint8_t hdr[RIG_HDR_BYTES] = {1, 0, 0, 0, 0, 0, 34, 0, 6, 0};
	struct rig *rig = rig_open_on(FAKE_OPTIONS("offload=true"), RIG_PLAIN | OFFLOADS, 0);
	struct packet packet = {
		FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT, 0, UDP, 0, 0, 0, stream, 99};
	uint8_t arrived[200];
	uint16_t port;
	int fd = listener(SOCK_DGRAM, &port);
	uint32_t bytes;

	(void)state;
	packet.to_port = port;
	bytes = frame_packet(frame, &packet);
	unfinish(frame, bytes, 6);
	rig_send_on(rig, 0, hdr, frame, bytes);
	assert_int_equal(read_turning(rig, fd, arrived, sizeof(arrived)), 99);
	assert_memory_equal(arrived, stream, 99);
	close(fd);
	rig_close(rig);
}

static void offloads_are_offered_if_asked_for(void **state)
{
	struct rig *rig = rig_open(FAKE_OPTIONS("offload=true"), RIG_PLAIN);

	(void)state;
	assert_int_equal(fake_virtio_offered(&rig->driver) & OFFLOADS, OFFLOADS);
	rig_close(rig);
	rig = rig_open(NULL, RIG_PLAIN);
	assert_int_equal(fake_virtio_offered(&rig->driver) & OFFLOADS, RIG_F_GUEST_CSUM);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_is_given_segments_in_one_piece),
		cmocka_unit_test(driver_that_wants_single_segments_gets_them),
		cmocka_unit_test(short_queue_gets_short_frames),
		cmocka_unit_test(long_segment_of_the_guest_reaches_the_socket),
		cmocka_unit_test(checksum_of_a_datagram_is_finished),
		cmocka_unit_test(offloads_are_offered_if_asked_for),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, setup, NULL);
}
