/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a back end is: it moves frames between the device's queues and somewhere. It takes frames
 * from the guest with net_tx_pop() and gives frames to it by net_rx_fill() and net_rx_done(), or
 * net_rx_copy(). All functions but open and close are called on the device's loop, or in [config]
 * phases.
 */
#ifndef VIRTIO_NET_BACKEND_H
#define VIRTIO_NET_BACKEND_H

#include "net.h"

struct net_backend_ops {
	/** Closes and frees. [config] */
	void (*close)(struct net_backend *backend);

	/** The driver is ready and accepted net->features; frames may move. */
	int32_t (*activate)(struct net_backend *backend);

	/** Frames must not move any more. Called only after activate. */
	void (*deactivate)(struct net_backend *backend);

	/** There may be new buffers for frames to the guest. */
	void (*rx_ready)(struct net_backend *backend, uint32_t pair);

	/** There may be frames from the guest. */
	void (*tx_ready)(struct net_backend *backend, uint32_t pair);

	/** The driver uses net->pairs pairs of queues now. Optional. */
	int32_t (*pairs_changed)(struct net_backend *backend);
};

/** The common part, first in each back end. */
struct net_backend {
	const struct net_backend_ops *ops;
	struct net *net;
	uint64_t features; /* offloads that it can do: NET_F_... */
};

/** Checks the options of the back end "user". Pure. */
int32_t net_user_validate(const struct vmm_value *const *values, struct vmm_error *error);

/** User-mode networking by libslirp. [config], create */
int32_t net_user_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error);

/** A tap device, with vhost-net where that is wanted and possible. [config], create */
int32_t net_tap_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error);

/** A cable that is not plugged in anywhere: sends are dropped. [config], create */
int32_t net_none_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error);

#endif
