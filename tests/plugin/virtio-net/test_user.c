/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "user": a guest of a few lines talks ARP, DHCP, UDP and TCP to it, and through it to
 * sockets of this test.
 */
#include "rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "tcp.h"

#define SECOND 1000000000ull

static void arp_and_dhcp_are_answered(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	uint8_t frame[512];

	(void)state;
	rig_is_alive(rig);
	rig_send(rig, frame, frame_dhcp_discover(frame));
	do
		rig_receive(rig, 0);
	while (!frame_dhcp_offer(rig->frame, rig->data));
	assert_int_equal(frame_dhcp_offer(rig->frame, rig->data), FRAME_GUEST_IP);
	rig_close(rig);
}

static void dhcp_follows_the_option_network(void **state)
{
	struct rig *rig = tcp_rig(FAKE_OPTIONS("network=192.168.100.0/27"), 0);
	uint8_t frame[512];

	(void)state;
	rig_send(rig, frame, frame_dhcp_discover(frame));
	do
		rig_receive(rig, 0);
	while (!frame_dhcp_offer(rig->frame, rig->data));
	assert_int_equal(frame_dhcp_offer(rig->frame, rig->data), 0xc0a8640f);
	rig_close(rig);
}

static void tcp_out_carries_data_both_ways_and_ends(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd;
	char text[16] = "";

	(void)state;
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	tcp_send(rig, &tcp, FRAME_ACK | FRAME_PSH, "from guest");
	assert_int_equal(read_turning(rig, fd, text, sizeof(text)), 10);
	assert_string_equal(text, "from guest");
	assert_int_equal(write(fd, "to guest", 8), 8);
	tcp_receive(rig, &tcp);
	assert_int_equal(tcp.in.bytes, 8);
	assert_memory_equal(tcp.in.data, "to guest", 8);
	tcp_send(rig, &tcp, FRAME_ACK, "");
	tcp_send(rig, &tcp, FRAME_ACK | FRAME_FIN, "");
	assert_int_equal(read_turning(rig, fd, text, sizeof(text)), 0);
	close(fd);
	tcp_receive(rig, &tcp);
	assert_true(tcp.in.flags & FRAME_FIN);
	tcp_send(rig, &tcp, FRAME_ACK, "");
	close(server);
	rig_close(rig);
}

static void tcp_to_a_closed_port_is_reset(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct tcp tcp = {.out = {FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT,
				  tcp_free_port(SOCK_STREAM), TCP, 0, 1000, 0, NULL, 0}};

	(void)state;
	tcp_send(rig, &tcp, FRAME_SYN, "");
	tcp_receive(rig, &tcp);
	assert_true(tcp.in.flags & FRAME_RST);
	rig_close(rig);
}

/* A guest that does not acknowledge: libslirp's timers run although no socket moves. */
static void tcp_repeats_what_is_not_acknowledged(void **state)
{
	struct rig *rig = tcp_rig(NULL, FAKE_CLOCK);
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd, repeats = 0;

	(void)state;
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	assert_int_equal(write(fd, "again", 5), 5);
	tcp_receive(rig, &tcp);
	for (int i = 0; i < 20 && !repeats; i++) {
		fake_clock_advance(rig->host, SECOND / 2);
		fake_settle(rig->host);
		while (rig_take(rig, 0))
			repeats += frame_parse(rig->frame, rig->data, &tcp.in) && tcp.in.bytes == 5;
	}
	assert_true(repeats);
	close(fd);
	close(server);
	rig_close(rig);
}

static void udp_round_trip(struct rig *rig)
{
	uint16_t port;
	int server = listener(SOCK_DGRAM, &port);
	const struct packet ping = {FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT, port, UDP, 0, 0, 0,
		(const uint8_t *)"ping", 4};
	struct packet pong;
	struct sockaddr_in from;
	socklen_t bytes = sizeof(from);
	char text[16];

	send_packet(rig, &ping);
	assert_int_equal(
		recvfrom(server, text, sizeof(text), 0, (struct sockaddr *)&from, &bytes), 4);
	assert_memory_equal(text, "ping", 4);
	assert_int_equal(sendto(server, "pong", 4, 0, (struct sockaddr *)&from, bytes), 4);
	receive(rig, &pong);
	assert_int_equal(pong.protocol, UDP);
	assert_int_equal(pong.from, FRAME_ROUTER_IP);
	assert_int_equal(pong.from_port, port);
	assert_int_equal(pong.to_port, GUEST_PORT);
	assert_memory_equal(pong.data, "pong", 4);
	close(server);
}

static void udp_out_is_answered(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);

	(void)state;
	udp_round_trip(rig);
	rig_close(rig);
}

/* libslirp stamps a new flow with the time it was last told: that must not be an hour ago. */
static void udp_works_after_an_hour_without_anything(void **state)
{
	struct rig *rig = tcp_rig(NULL, FAKE_CLOCK);

	(void)state;
	udp_round_trip(rig);
	for (int i = 0; i < 3600; i++) {
		fake_clock_advance(rig->host, SECOND);
		fake_settle(rig->host);
		while (rig_take(rig, 0))
			rig_post(rig, 0, 2048);
	}
	fake_clock_advance(rig->host, 300 * SECOND);
	udp_round_trip(rig);
	rig_close(rig);
}

static void hostfwd_tcp_reaches_the_guest(void **state)
{
	struct sockaddr_in at;
	char text[16];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp tcp;
	struct rig *rig;

	(void)state;
	rig = tcp_forward_rig(SOCK_STREAM, 0, &at);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	do
		receive(rig, &tcp.in);
	while (!(tcp.in.flags & FRAME_SYN));
	assert_int_equal(tcp.in.to, FRAME_GUEST_IP);
	assert_int_equal(tcp.in.to_port, 22);
	tcp.out = (struct packet){FRAME_GUEST_IP, tcp.in.from, 22, tcp.in.from_port, TCP, 0, 5000,
		tcp.in.seq + 1, NULL, 0};
	tcp_send(rig, &tcp, FRAME_SYN | FRAME_ACK, "");
	tcp_send(rig, &tcp, FRAME_ACK | FRAME_PSH, "welcome");
	assert_int_equal(read_turning(rig, fd, text, sizeof(text)), 7);
	assert_int_equal(write(fd, "thanks", 6), 6);
	tcp_receive(rig, &tcp);
	assert_memory_equal(tcp.in.data, "thanks", 6);
	close(fd);
	rig_close(rig);
}

/* The first frame waits for the guest's hardware address, and goes on as soon as that is known. */
static void hostfwd_udp_reaches_the_guest_behind_arp(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at;
	struct packet in;
	struct rig *rig;

	(void)state;
	rig = tcp_forward_rig(SOCK_DGRAM, FAKE_CLOCK, &at);
	assert_int_equal(sendto(fd, "query", 5, 0, (struct sockaddr *)&at, sizeof(at)), 5);
	receive(rig, &in);
	assert_int_equal(in.to_port, 53);
	assert_memory_equal(in.data, "query", 5);
	close(fd);
	rig_close(rig);
}

static void restrict_keeps_the_guest_inside(void **state)
{
	char option[64], text[16];
	uint16_t port, forwarded = tcp_free_port(SOCK_STREAM);
	int server = listener(SOCK_DGRAM, &port), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = tcp_local(forwarded);
	const struct packet ping = {FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT, port, UDP, 0, 0, 0,
		(const uint8_t *)"ping", 4};
	struct packet in;
	struct rig *rig;

	(void)state;
	snprintf(option, sizeof(option), "hostfwd=({host_port=%u, guest_port=22})", forwarded);
	rig = tcp_rig(FAKE_OPTIONS("restrict=true", option), 0);
	rig_is_alive(rig);
	send_packet(rig, &ping);
	fake_settle(rig->host);
	assert_int_equal(recv(server, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	receive(rig, &in);
	assert_true(in.flags & FRAME_SYN);
	close(fd);
	close(server);
	rig_close(rig);
}

/* All that is armed is the router advertisement of IPv6, minutes away. */
static void nothing_runs_while_nothing_happens(void **state)
{
	struct sockaddr_in at;
	struct rig *rig;
	uint32_t calls = 0;

	(void)state;
	rig = tcp_forward_rig(SOCK_STREAM, FAKE_CLOCK, &at);
	rig_is_alive(rig);
	fake_settle(rig->host);
	assert_true(fake_timers_armed(fake_device(rig->host, "net0")) <= 1);
	for (int i = 0; i < 60; i++) {
		fake_clock_advance(rig->host, SECOND);
		calls += fake_run_once(rig->host, 0);
	}
	assert_int_equal(calls, 0);
	rig_close(rig);
}

/* And the timers that a connection needs are gone when it is. */
static void timers_end_with_the_last_flow(void **state)
{
	struct rig *rig = tcp_rig(NULL, FAKE_CLOCK);

	(void)state;
	udp_round_trip(rig);
	assert_int_equal(fake_timers_armed(fake_device(rig->host, "net0")), 2);
	for (int i = 0; i < 600; i++) {
		fake_clock_advance(rig->host, SECOND);
		fake_settle(rig->host);
	}
	assert_true(fake_timers_armed(fake_device(rig->host, "net0")) <= 1);
	rig_close(rig);
}

static int advertisements(struct rig *rig, int seconds)
{
	int count = 0;

	for (int i = 0; i < seconds; i++) {
		fake_clock_advance(rig->host, SECOND);
		fake_settle(rig->host);
		while (rig_take(rig, 0)) {
			count += rig->frame[12] == 0x86 && rig->frame[13] == 0xdd;
			rig_post(rig, 0, 2048);
		}
	}
	return count;
}

/* A timer that is due while there is no driver must not be the last one. */
static void router_advertisements_survive_a_time_without_driver(void **state)
{
	struct rig *rig = tcp_rig(NULL, FAKE_CLOCK);

	(void)state;
	assert_true(advertisements(rig, 700) > 0);
	fake_virtio_reset(&rig->driver);
	fake_clock_advance(rig->host, 2000 * SECOND);
	fake_settle(rig->host);
	assert_int_equal(fake_timers_armed(fake_device(rig->host, "net0")), 0);
	fake_virtio_init(&rig->driver, RIG_PLAIN);
	rig_fill(rig, 0, 200, 2048);
	assert_true(advertisements(rig, 700) > 0);
	rig_close(rig);
}

/* Sockets of an old driver are not served without one, and again for the next. */
static void n12_reset_with_connections_and_frames_in_flight(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd;
	char data[1000];

	(void)state;
	memset(data, 'x', sizeof(data));
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
		fake_run_once(rig->host, 0);
		if (i % 2)
			fake_virtio_reset(&rig->driver);
		fake_settle(rig->host);
		if (!(i % 2))
			continue;
		fake_virtio_init(&rig->driver, RIG_PLAIN);
		rig_fill(rig, 0, 2, 2048); /* the rest has to wait in the back end */
	}
	fake_settle(rig->host);
	fake_virtio_init(&rig->driver, RIG_PLAIN);
	rig_fill(rig, 0, 200, 2048);
	rig_is_alive(rig);
	close(fd);
	close(server);
	rig_close(rig);
}

static void stopped_with_a_connection_open(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fd;

	(void)state;
	tcp_connect(rig, &tcp, port);
	fd = accept(server, NULL, NULL);
	assert_int_equal(write(fd, "data", 4), 4);
	fake_host_quiesce(rig->host);
	fake_settle(rig->host);
	assert_int_equal(write(fd, "more", 4), 4);
	assert_int_equal(fake_run_once(rig->host, 5), 0);
	assert_int_equal(fake_timers_armed(fake_device(rig->host, "net0")), 0);
	close(fd);
	close(server);
	rig_close(rig);
}

/* More connections than the table of fds has places at first. */
static void many_connections_at_once(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct tcp tcp;
	uint16_t port;
	int server = listener(SOCK_STREAM, &port), fds[60];
	char text[8];

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		tcp = (struct tcp){
			.out = {FRAME_GUEST_IP, FRAME_ROUTER_IP, (uint16_t)(GUEST_PORT + i), port,
				TCP, 0, 1000, 0, NULL, 0}};
		tcp_send(rig, &tcp, FRAME_SYN, "");
		do
			tcp_receive(rig, &tcp);
		while (tcp.in.to_port != tcp.out.from_port);
		tcp_send(rig, &tcp, FRAME_ACK, "");
		fds[i] = accept(server, NULL, NULL);
		tcp_send(rig, &tcp, FRAME_ACK | FRAME_PSH, "hi");
		assert_int_equal(read_turning(rig, fds[i], text, sizeof(text)), 2);
		if (i % 3 == 0)
			close(fds[i]);
	}
	for (uint32_t i = 0; i < 60; i++)
		if (i % 3)
			close(fds[i]);
	fake_settle(rig->host);
	rig_is_alive(rig);
	close(server);
	rig_close(rig);
}

static void two_cards_do_not_meet(void **state)
{
	struct rig *rig = tcp_rig(NULL, 0);
	struct fake_virtio other;
	uint8_t frame[64];

	(void)state;
	assert_int_equal(fake_device_add(rig->host, "virtio-net", "net1",
				 FAKE_OPTIONS("transport=v0", "network=10.7.0.0/24"), NULL),
		0);
	assert_int_equal(fake_host_start(rig->host), 0);
	fake_virtio_find(rig->host, RIG_NET_ID, 1, 0x100000 + 0xe00000, 0x80000, &other);
	fake_virtio_init(&other, RIG_PLAIN);
	assert_int_not_equal(
		fake_virtio_config_read(&other, 4, 2), fake_virtio_config_read(&rig->driver, 4, 2));
	rig_send(rig, frame, frame_arp(frame, 0x0a070002));
	fake_settle(rig->host);
	assert_int_equal(rig_take(rig, 0), 0);
	rig_is_alive(rig);
	assert_int_equal(fake_virtio_used_index(&other, 0), 0);
	fake_virtio_fini(&other);
	rig_close(rig);
}

/* On threads of their own: nothing is done on another thread than the loop's. */
static void card_on_an_iothread_works(void **state)
{
	struct rig *rig = tcp_rig(FAKE_OPTIONS("iothread=io0"), FAKE_LOOP_THREADS);

	(void)state;
	rig_is_alive(rig);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_and_dhcp_are_answered),
		cmocka_unit_test(dhcp_follows_the_option_network),
		cmocka_unit_test(tcp_out_carries_data_both_ways_and_ends),
		cmocka_unit_test(tcp_to_a_closed_port_is_reset),
		cmocka_unit_test(tcp_repeats_what_is_not_acknowledged),
		cmocka_unit_test(udp_out_is_answered),
		cmocka_unit_test(udp_works_after_an_hour_without_anything),
		cmocka_unit_test(hostfwd_tcp_reaches_the_guest),
		cmocka_unit_test(hostfwd_udp_reaches_the_guest_behind_arp),
		cmocka_unit_test(restrict_keeps_the_guest_inside),
		cmocka_unit_test(nothing_runs_while_nothing_happens),
		cmocka_unit_test(timers_end_with_the_last_flow),
		cmocka_unit_test(router_advertisements_survive_a_time_without_driver),
		cmocka_unit_test(n12_reset_with_connections_and_frames_in_flight),
		cmocka_unit_test(stopped_with_a_connection_open),
		cmocka_unit_test(many_connections_at_once),
		cmocka_unit_test(two_cards_do_not_meet),
		cmocka_unit_test(card_on_an_iothread_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
