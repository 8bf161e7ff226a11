/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's end of TCP connections over the back end "user", to sockets of the test.
 */
#ifndef TEST_VIRTIO_NET_TCP_H
#define TEST_VIRTIO_NET_TCP_H

#include <netinet/in.h>
#include <sys/types.h>

#include "frames.h"
#include "rig.h"

#define TCP        6
#define UDP        17
#define GUEST_PORT 40000u

struct tcp {
	struct packet out;
	struct packet in; /* of the last frame for it; data is in the rig */
};

/** A card on a user-mode network; flags are FAKE_... of the host. */
struct rig *tcp_rig(const char *const *options, uint32_t flags);

/** The same with a port of 127.0.0.1 that is forwarded to the guest's port 22 (SOCK_STREAM) or 53
 * (SOCK_DGRAM). */
struct rig *tcp_forward_rig(int type, uint32_t flags, struct sockaddr_in *ret_at);

/** A port of 127.0.0.1 that nobody uses now. */
uint16_t tcp_free_port(int type);

struct sockaddr_in tcp_local(uint16_t port);

/** A socket at a port of 127.0.0.1; it listens if it is SOCK_STREAM. */
int listener(int type, uint16_t *ret_port);

/** Next frame with UDP or TCP; questions for the guest's hardware address are answered. For each
 * frame a new buffer of rig->buffer_bytes is posted. */
void receive(struct rig *rig, struct packet *packet);

void send_packet(struct rig *rig, const struct packet *packet);

/** The guest sends a segment. */
void tcp_send(struct rig *rig, struct tcp *tcp, uint8_t flags, const char *data);

/** Waits for a segment that brings something new, and acknowledges it with the next one. */
void tcp_receive(struct rig *rig, struct tcp *tcp);

/** Connects to a port of the host, where somebody listens. */
void tcp_connect(struct rig *rig, struct tcp *tcp, uint16_t port);

/** Reads from a socket while the loop turns. */
ssize_t read_turning(struct rig *rig, int fd, void *data, size_t bytes);

#endif
