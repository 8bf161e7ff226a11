/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "tap": what tap.c, which moves frames, and tap_open.c, which gets the device, share.
 */
#ifndef VIRTIO_NET_TAP_H
#define VIRTIO_NET_TAP_H

#include "backend.h"
#include "vhost.h"

struct tap_queue {
	struct tap *tap;
	uint32_t pair;
	int fd;
	uint64_t watch;
	bool watched;
	bool attached;   /* the kernel gives frames to it */
	bool rx_stalled; /* the guest has no buffers */
	bool tx_blocked; /* the tap takes no more */
};

struct tap {
	struct net_backend backend;
	struct tap_queue queues[NET_PAIRS_MAX];
	uint32_t count;
	struct vhost *vhost;
	bool vhost_running;
	bool down; /* the device is not up: "ip link set ... up" brings it back */
	bool gone; /* the device was deleted */
};

/** What moves frames once the device is there. */
extern const struct net_backend_ops tap_ops;

/** Frees, whole or half open. [config] */
void tap_close(struct net_backend *backend);

#endif
