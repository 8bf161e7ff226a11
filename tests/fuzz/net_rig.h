/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network device without a host: its parser of what the guest sends, on queues in a guest's
 * memory, with a back end of the target's.
 */
#ifndef TEST_FUZZ_NET_RIG_H
#define TEST_FUZZ_NET_RIG_H

#include "backend.h"
#include "guest.h"

#define NET_RIG_QUEUES 2u

struct net_rig {
	struct net net;
	struct net_backend backend;
	uint32_t queue_first; /* number of the first queue for the device */
	struct virtq queues[NET_RIG_QUEUES];
	uint64_t held[NET_RIG_QUEUES]; /* bit by head: popped */
	uint64_t written;              /* bytes of all chains given back, */
	uint32_t pushed;               /* and their number, since the target looked */
};

/** All queues started, with `size` descriptors, no feature negotiated. */
void net_rig_init(struct net_rig *rig, uint32_t size, uint32_t how);
void net_rig_fini(struct net_rig *rig);

/** The driver does something with a queue or its memory. */
void net_rig_drive(struct net_rig *rig, struct fuzz_input *in);

/** As a new notification: all queues may give out as many chains as they are long. */
void net_rig_notify(struct net_rig *rig);

#endif
