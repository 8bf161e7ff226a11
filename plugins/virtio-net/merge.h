/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins TCP segments over IPv4 that follow each other to one frame, which a driver with
 * VIRTIO_NET_F_GUEST_TSO4 takes as it is (virtio 1.2, 5.1.6.4): what a segment costs a guest it
 * costs for each frame, however long that is. Pure.
 *
 * Segments are joined that differ in nothing but their place in the stream, their IPv4 id and PSH.
 * All but the last have the same length, and the last ends it if it is shorter or has PSH.
 */
#ifndef VIRTIO_NET_MERGE_H
#define VIRTIO_NET_MERGE_H

#include <stdbool.h>

#include "header.h"

struct net_merge {
	uint64_t limit;         /* most bytes of a joined frame; at most NET_MERGE_MAX */
	uint64_t bytes;         /* of what is there; 0: nothing */
	uint32_t segments;      /* in it */
	uint32_t segment_bytes; /* of data in all but the last */
	bool ended;             /* takes no more */
	uint8_t frame[NET_FRAME_MAX];
};

/** 64 KiB of IPv4 and an Ethernet header. */
#define NET_MERGE_MAX (65535u + NET_FRAME_MIN)

/** Adds a frame to what is there, or begins with it. False: it is not of this kind, or does not
 * follow on what is there, which then has to be taken first. bytes is at most NET_FRAME_MAX. */
bool net_merge_add(struct net_merge *merge, const uint8_t *frame, uint64_t bytes);

/** Takes what is there: the length of merge->frame, 0 if there is nothing. The frame is good until
 * the next add, and goes with the header *ret_hdr. */
uint64_t net_merge_take(struct net_merge *merge, struct net_hdr *ret_hdr);

#endif
