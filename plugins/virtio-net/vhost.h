/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-net: the kernel reads and writes the queues itself, between the guest's doorbells and
 * interrupts and the tap. This process only sets it up and takes it back.
 */
#ifndef VIRTIO_NET_VHOST_H
#define VIRTIO_NET_VHOST_H

#include "net.h"

struct vhost;

/** Opens vhost-net for each pair of queues. [config], create */
int32_t vhost_open(struct net *net, struct vhost **ret_vhost, struct vmm_error *error);

/** NULL is allowed. [config] */
void vhost_close(struct vhost *vhost);

/** Gives the queues of the first `pairs` pairs to the kernel; tap_fds has one fd for each. On
 * failure the transport has all of them again. [loop] */
int32_t vhost_start(struct vhost *vhost, const int *tap_fds, uint32_t pairs);

/** Takes the queues back. [loop] */
void vhost_stop(struct vhost *vhost);

#endif
