/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig *tcp_rig(const char *const *options, uint32_t flags)
{
	struct rig *rig = rig_open_on(options, RIG_PLAIN, flags);

	rig_fill(rig, 0, 200, 2048);
	return rig;
}

uint16_t tcp_free_port(int type)
{
	uint16_t port;

	close(listener(type, &port));
	return port;
}

struct sockaddr_in tcp_local(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

struct rig *tcp_forward_rig(int type, uint32_t flags, struct sockaddr_in *ret_at)
{
	bool is_stream = type == SOCK_STREAM;
	uint16_t port = tcp_free_port(type);
	char option[96];

	snprintf(option, sizeof(option),
		"hostfwd=({proto=%s, host_port=%u, guest_port=%u, guest_addr=\"10.0.2.15\"})",
		is_stream ? "tcp" : "udp", port, is_stream ? 22 : 53);
	*ret_at = tcp_local(port);
	return tcp_rig(FAKE_OPTIONS(option), flags);
}

int listener(int type, uint16_t *ret_port)
{
	int fd = socket(AF_INET, type, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t bytes = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

void receive(struct rig *rig, struct packet *packet)
{
	uint8_t frame[64];

	for (;;) {
		rig_receive(rig, 0);
		rig_post(rig, 0, rig->buffer_bytes);
		if (frame_is_arp_request(rig->frame, rig->data))
			rig_send(rig, frame, frame_arp_reply(frame, rig->frame));
		else if (frame_parse(rig->frame, rig->data, packet))
			return;
	}
}

void send_packet(struct rig *rig, const struct packet *packet)
{
	uint8_t frame[2048];

	rig_send(rig, frame, frame_packet(frame, packet));
}

void tcp_send(struct rig *rig, struct tcp *tcp, uint8_t flags, const char *data)
{
	tcp->out.flags = flags;
	tcp->out.data = (const uint8_t *)data;
	tcp->out.bytes = (uint32_t)strlen(data);
	send_packet(rig, &tcp->out);
	tcp->out.seq += tcp->out.bytes + (flags & (FRAME_SYN | FRAME_FIN) ? 1 : 0);
}

void tcp_receive(struct rig *rig, struct tcp *tcp)
{
	uint32_t length;

	do {
		receive(rig, &tcp->in);
		length = tcp->in.bytes + (tcp->in.flags & (FRAME_SYN | FRAME_FIN) ? 1 : 0);
	} while (tcp->in.protocol != TCP || (!length && !(tcp->in.flags & FRAME_RST)));
	tcp->out.ack = tcp->in.seq + length;
}

void tcp_connect(struct rig *rig, struct tcp *tcp, uint16_t port)
{
	*tcp = (struct tcp){.out = {FRAME_GUEST_IP, FRAME_ROUTER_IP, GUEST_PORT, port, TCP, 0, 1000,
				    0, NULL, 0}};
	tcp_send(rig, tcp, FRAME_SYN, "");
	tcp_receive(rig, tcp);
	assert_int_equal(
		tcp->in.flags & (FRAME_SYN | FRAME_ACK | FRAME_RST), FRAME_SYN | FRAME_ACK);
	tcp_send(rig, tcp, FRAME_ACK, "");
}

ssize_t read_turning(struct rig *rig, int fd, void *data, size_t bytes)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	for (int i = 0; i < 500 && poll(&ready, 1, 10) == 0; i++)
		fake_run_once(rig->host, 0);
	return recv(fd, data, bytes, MSG_DONTWAIT);
}
