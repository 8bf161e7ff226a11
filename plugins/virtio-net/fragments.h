/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts fragments of IPv4 datagrams together (RFC 791, 3.2), so that libslirp gets whole ones only:
 * itself it keeps any number of fragments for half a minute, and looks for each when that is over.
 * Here a few datagrams are under way at a time, and the oldest gives way to a new one.
 *
 * For the thread that owns it.
 */
#ifndef VIRTIO_NET_FRAGMENTS_H
#define VIRTIO_NET_FRAGMENTS_H

#include <stdint.h>

#define NET_DATAGRAMS_MAX 8u /* of 66 KiB each, which are had when they are needed first */

struct net_datagram;

struct net_fragments {
	struct net_datagram *datagrams[NET_DATAGRAMS_MAX];
};

/**
 * Takes a frame of the guest, in memory of NET_FRAME_MAX bytes that only we change. Returns the
 * length of what is to be passed on: that of the frame if it is no fragment; if it is the one that
 * makes its datagram complete, that of the whole, which is in `frame` then; else 0.
 */
uint64_t net_fragments_add(
	struct net_fragments *fragments, uint64_t now_ns, uint8_t *frame, uint64_t bytes);

/** Forgets what is under way. */
void net_fragments_clear(struct net_fragments *fragments);

#endif
