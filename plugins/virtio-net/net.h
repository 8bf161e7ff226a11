/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio network device: what its parts share. All of it runs on the device's loop.
 *
 *   plugin.c   options and the description of the plugin
 *   options.c  options that do not go together
 *   device.c   phases of the device, what the transport calls
 *   rx.c       frames to the guest      tx.c   frames from the guest
 *   ctrl.c     the control queue        header.c   the header in front of a frame
 *   merge.c    joins TCP segments       fragments.c joins IPv4 fragments
 *   checksum.c the Internet checksum    ipv4.h     what is where in a frame with IPv4
 *   backend.h  what moves frames: user.c with slirp_poll.c (libslirp), tap.c with vhost.c, none.c
 */
#ifndef VIRTIO_NET_NET_H
#define VIRTIO_NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <vmm/support.h>

#include "header.h"
#include "wire.h"

#define NET_PAIRS_MAX 8u
#define NET_DEVICE_ID 1u
#define NET_CTRL_SIZE 64u

/** Pieces of host memory that one chain may have. */
#define NET_IOV_MAX 256u

/** Pieces of the chains in a window: a chain is only taken where the longest has room, because the
 * transport gives one back unused that does not fit. */
#define NET_WINDOW_IOV_MAX (2 * NET_IOV_MAX)

/** Chains that are held ready for frames from outside, for each pair of queues. */
#define NET_WINDOW_MAX 256u

struct net_backend;

/** Where an option is in the table of options; see plugin.c. */
enum net_option {
	NET_OPT_TRANSPORT,
	NET_OPT_BACKEND,
	NET_OPT_MAC,
	NET_OPT_MTU,
	NET_OPT_LINK,
	NET_OPT_QUEUES,
	NET_OPT_QUEUE_SIZE,
	NET_OPT_NETWORK,
	NET_OPT_RESTRICT,
	NET_OPT_HOSTFWD,
	NET_OPT_OFFLOAD,
	NET_OPT_IFNAME,
	NET_OPT_FD,
	NET_OPT_VHOST,
	NET_OPT_SLOT,
	NET_OPT_COUNT,
};

enum net_backend_kind { NET_BACKEND_USER, NET_BACKEND_TAP, NET_BACKEND_NONE };
enum net_vhost { NET_VHOST_AUTO, NET_VHOST_ON, NET_VHOST_OFF };

/** A chain of the receive queue that waits for a frame; iov is in the window's array. */
struct net_buffer {
	uint32_t id;
	uint32_t iov_first;
	uint32_t iov_count;
	uint64_t bytes;
};

/** Receive buffers that were popped and not filled yet, oldest first. */
struct net_window {
	struct net_buffer buffers[NET_WINDOW_MAX];
	struct vmm_iovec iov[NET_WINDOW_IOV_MAX + 1]; /* one more for what does not fit */
	uint32_t count;
	uint32_t iov_count;
	uint64_t bytes;
};

struct net_counters {
	uint64_t rx_frames;
	uint64_t rx_dropped;
	uint64_t tx_frames;
	uint64_t tx_dropped;
};

struct net {
	vmm_host *host;
	const struct vmm_hello *hello;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_log log;
	struct vmm_memory memory;
	struct vmm_file file;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device; /* handle of the transport */
	bool attached;
	bool active;       /* between activate and reset */
	bool plugged;      /* the option "link": a cable is there */
	uint64_t features; /* negotiated */
	uint32_t pairs_max;
	uint32_t pairs; /* that the driver uses */
	struct net_config config;
	struct net_backend *backend;
	struct net_window windows[NET_PAIRS_MAX];
	struct vmm_iovec tx_iov[NET_IOV_MAX + 1];
	struct net_counters counters;
	uint8_t scratch[NET_HDR_BYTES + NET_FRAME_MAX];
};

static inline uint32_t net_rx_queue(uint32_t pair)
{
	return 2 * pair;
}

static inline uint32_t net_tx_queue(uint32_t pair)
{
	return 2 * pair + 1;
}

/* --- rx.c --- */

/**
 * Pops chains until the window has room for `bytes` with header, or the queue is empty. Returns
 * true if there is at least one chain. With mergeable buffers a frame may take several chains,
 * without it has one.
 */
bool net_rx_fill(struct net *net, uint32_t pair, uint64_t bytes);

/**
 * Judges a frame of `bytes`, header included, that somebody else wrote to the window's buffers from
 * the start. False: the driver may not be given it, and it is counted as dropped. What it did not
 * negotiate is taken out of the header (virtio 1.2, 5.1.4.1 and 5.1.6.4.1).
 */
bool net_rx_accept(struct net *net, uint32_t pair, uint64_t bytes);

/**
 * A frame of `bytes`, header included, was written to the window's buffers from the start: pushes
 * the chains that it took. The driver sees them at the next flush.
 */
void net_rx_done(struct net *net, uint32_t pair, uint64_t bytes);

/**
 * The frame that was to come does not fit into the window and is dropped. What could never take
 * such a frame, and would be in the way of all that follow, is given back to the driver unused.
 */
void net_rx_drop(struct net *net, uint32_t pair);

/**
 * Copies a frame to the guest, whose checksum is right, or by *hdr left to the driver. VMM_E_AGAIN:
 * there are no or too few buffers, the frame is still the caller's. VMM_E_LIMIT: the guest's
 * buffers are too small; it is dropped.
 */
int32_t net_rx_copy(struct net *net, uint32_t pair, const struct net_hdr *hdr, const uint8_t *frame,
	uint64_t bytes);

/** Forgets what was popped: the driver resets. */
void net_rx_reset(struct net *net);

/* --- tx.c --- */

/** A frame that the guest sends: iov[0] is the checked copy of the header. */
struct net_frame {
	struct net_hdr hdr;
	uint32_t id;
	uint32_t iov_count; /* the header's too */
	uint64_t bytes;     /* without the header */
	const struct iovec *iov;
};

/** Takes the next good frame from the queue; bad ones are given back and counted. 1 or 0. */
int32_t net_tx_pop(struct net *net, uint32_t pair, struct net_frame *frame);

/** The frame was sent or dropped. */
void net_tx_done(struct net *net, uint32_t pair, const struct net_frame *frame, bool sent);

/** The frame could not be sent now: it goes back to the queue. */
void net_tx_again(struct net *net, uint32_t pair, const struct net_frame *frame);

/* --- ctrl.c --- */

/** Number of the control queue, by what was negotiated. */
uint32_t net_ctrl_queue(const struct net *net);

/** Answers what is in the control queue. */
void net_ctrl_notify(struct net *net);

/* --- device.c --- */

extern const struct vmm_device_ops net_device_ops;

/** The back end's link is up or down: tells the driver, if a cable is plugged in. */
void net_set_link(struct net *net, bool up);

/** Tells the back end of pairs that came or went. On failure there are as many as before. */
int32_t net_pairs_changed(struct net *net, uint32_t pairs);

/* --- options.c --- */

/** Values that do not go together. */
int32_t net_validate(const struct vmm_validate_args *args);

#endif
