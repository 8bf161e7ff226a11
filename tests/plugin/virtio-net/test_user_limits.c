/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "user" at its limits: of memory that a guest would like to have, of file descriptors
 * that are gone.
 */
#include "rig.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "heap.h"
#include "tcp.h"

#define SECOND  1000000000ull
#define AT_DATA 34u /* behind Ethernet and IPv4 */
#define GROWTH  (2u << 20)
#define MANY    5000u

static void send_fragment(
	struct rig *rig, const uint8_t *whole, uint32_t from, uint32_t to, bool more, uint16_t id)
{
	uint8_t frame[AT_DATA + 1480];

	rig_send(rig, frame, frame_fragment(frame, whole, from, to, more, id));
}

static void udp_in_fragments_arrives_whole(void **state)
{
	static uint8_t data[4000], got[4001], whole[AT_DATA + 8 + sizeof(data)];
	struct rig *rig = tcp_rig(NULL, 0);
	uint16_t port;
	int server = listener(SOCK_DGRAM, &port);
	const struct packet packet = {FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT, port, UDP, 0, 0,
		0, data, sizeof(data)};

	(void)state;
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / 7);
	frame_packet(whole, &packet);
	send_fragment(rig, whole, 2960, 8 + sizeof(data), false, 7);
	send_fragment(rig, whole, 0, 1480, true, 7);
	assert_int_equal(recv(server, got, sizeof(got), MSG_DONTWAIT), -1);
	send_fragment(rig, whole, 1480, 2960, true, 7);
	assert_int_equal(recv(server, got, sizeof(got), 0), sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	/* What came before a reset is nothing behind it. */
	send_fragment(rig, whole, 0, 1480, true, 8);
	fake_virtio_init(&rig->driver, RIG_PLAIN);
	send_fragment(rig, whole, 1480, 2960, true, 8);
	send_fragment(rig, whole, 2960, 8 + sizeof(data), false, 8);
	assert_int_equal(recv(server, got, sizeof(got), MSG_DONTWAIT), -1);
	close(server);
	rig_close(rig);
}

static void n2_fragments_that_never_become_whole_take_no_memory(void **state)
{
	static const struct packet packet = {.from = FRAME_GUEST_IP,
		.to = FRAME_ROUTER_IP,
		.from_port = GUEST_PORT,
		.to_port = 9,
		.protocol = UDP};
	struct rig *rig = tcp_rig(NULL, 0);
	uint8_t whole[64];
	uint64_t heap;

	(void)state;
	rig_is_alive(rig);
	frame_packet(whole, &packet);
	heap = heap_bytes();
	for (uint32_t i = 0; i < MANY; i++)
		send_fragment(rig, whole, 0, 8, true, (uint16_t)i);
	assert_true(heap_bytes() <= heap + GROWTH);
	rig_is_alive(rig);
	rig_close(rig);
}

/* So that no further one can be had; returns the limit that there was. */
static rlim_t limit_fds_to_what_is_open(void)
{
	struct rlimit limit;
	rlim_t before;
	int next = dup(STDIN_FILENO);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void set_fd_limit(rlim_t soft)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void h19_a_connection_that_there_is_no_fd_for_waits_in_peace(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at;
	uint32_t calls = 0;
	uint8_t frame[64];
	struct packet in;
	struct rig *rig;
	rlim_t before;

	(void)state;
	rig = tcp_forward_rig(SOCK_STREAM, FAKE_CLOCK, &at);
	before = limit_fds_to_what_is_open();
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	for (uint32_t i = 0; i < 100; i++)
		calls += fake_run_once(rig->host, 1);
	assert_int_equal(calls, 1);
	fake_clock_advance(rig->host, SECOND);
	for (uint32_t i = 0; i < 100; i++)
		calls += fake_run_once(rig->host, 1);
	assert_int_equal(calls, 3); /* it tries again */
	set_fd_limit(before);
	/* What the guest does meanwhile does not put that off. */
	for (uint32_t i = 0; i < 12; i++) {
		fake_clock_advance(rig->host, SECOND / 10);
		rig_send(rig, frame, frame_arp(frame, FRAME_ROUTER_IP));
	}
	do
		receive(rig, &in);
	while (!(in.flags & FRAME_SYN));
	assert_int_equal(in.to_port, 22);
	close(fd);
	rig_close(rig);
}

static void h19_a_connection_that_ends_leaves_its_fd_to_the_next(void **state)
{
	struct sockaddr_in at;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct packet in;
	struct rig *rig;
	struct tcp tcp;
	rlim_t before;

	(void)state;
	rig = tcp_forward_rig(SOCK_STREAM, FAKE_CLOCK, &at);
	tcp_connect(rig, &tcp, port);
	before = limit_fds_to_what_is_open();
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	while (fake_run_once(rig->host, 10))
		;
	assert_int_equal(rig_take(rig, 0), 0);
	tcp_send(rig, &tcp, FRAME_RST | FRAME_ACK, "");
	do
		receive(rig, &in);
	while (!(in.flags & FRAME_SYN));
	assert_int_equal(in.to_port, 22);
	set_fd_limit(before);
	close(fd);
	close(server);
	rig_close(rig);
}

static void h19_datagrams_to_a_forwarded_port_need_no_fd(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at;
	struct packet in;
	struct rig *rig;
	rlim_t before;

	(void)state;
	rig = tcp_forward_rig(SOCK_DGRAM, FAKE_CLOCK, &at);
	before = limit_fds_to_what_is_open();
	assert_int_equal(sendto(fd, "query", 5, 0, (struct sockaddr *)&at, sizeof(at)), 5);
	receive(rig, &in);
	assert_memory_equal(in.data, "query", 5);
	set_fd_limit(before);
	close(fd);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_in_fragments_arrives_whole),
		cmocka_unit_test(n2_fragments_that_never_become_whole_take_no_memory),
		cmocka_unit_test(h19_a_connection_that_there_is_no_fd_for_waits_in_peace),
		cmocka_unit_test(h19_datagrams_to_a_forwarded_port_need_no_fd),
		cmocka_unit_test(h19_a_connection_that_ends_leaves_its_fd_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
