/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "tap": frames go to and come from a tap device of the kernel, read and written
 * straight into and out of the guest's buffers, header included. Where vhost-net is there and
 * wanted, the kernel does that itself and this file only sets it up.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tap.h"

/* Frames that are read in one go before other devices have their turn. */
#define RX_BUDGET 256u

/* Frames that may wait in a tap: more than the usual length of its queue. */
#define STALE_MAX 4096u

static void update_watch(struct tap_queue *queue)
{
	struct tap *tap = queue->tap;
	struct net *net = tap->backend.net;
	bool read = net->config.status && !queue->rx_stalled && queue->pair < net->pairs;
	uint32_t events = (read ? VMM_WATCH_READ : 0) |
			  (queue->tx_blocked || tap->down ? VMM_WATCH_WRITE : 0);

	if (queue->watched)
		net->loop.watch_set(net->host, queue->watch, events);
}

static void update_watches(struct tap *tap)
{
	for (uint32_t i = 0; i < tap->count; i++)
		update_watch(&tap->queues[i]);
}

static void stop_watches(struct tap *tap)
{
	struct net *net = tap->backend.net;

	for (uint32_t i = 0; i < tap->count; i++) {
		if (tap->queues[i].watched)
			net->loop.watch_remove(net->host, tap->queues[i].watch);
		tap->queues[i].watched = false;
	}
}

/* The tap was deleted or its kernel module is gone: the guest sees a pulled cable. */
static void tap_gone(struct tap *tap)
{
	struct net *net = tap->backend.net;

	if (tap->gone)
		return;
	tap->gone = true;
	vmm_logf(&net->log, net->host, VMM_LOG_WARN, "the tap device is gone");
	net_set_link(net, false);
	stop_watches(tap);
}

/* The kernel says that a tap is writable only while it is up, so that can be waited for. */
static void tap_set_down(struct tap *tap, bool down)
{
	if (tap->gone || tap->down == down)
		return;
	tap->down = down;
	net_set_link(tap->backend.net, !down);
	update_watches(tap);
}

/* Longest frame with header that may come, by what the driver takes. */
static uint64_t longest(const struct net *net)
{
	if (net->features & (NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6))
		return NET_HDR_BYTES + NET_FRAME_MAX;
	return NET_HDR_BYTES + NET_FRAME_MIN + NET_VLAN_BYTES +
	       (net->config.mtu ? net->config.mtu : 1500u);
}

/* Reads one frame into the window. Returns 1 if there may be more, else 0. */
static int read_frame(struct tap_queue *queue)
{
	struct tap *tap = queue->tap;
	struct net *net = tap->backend.net;
	struct net_window *window = &net->windows[queue->pair];
	ssize_t bytes;

	if (!net_rx_fill(net, queue->pair, longest(net))) {
		queue->rx_stalled = true;
		update_watch(queue);
		return 0;
	}
	/* What does not fit into the window ends in the scratch: then the frame is dropped. */
	window->iov[window->iov_count] = (struct vmm_iovec){net->scratch, sizeof(net->scratch)};
	bytes = readv(queue->fd, (const struct iovec *)window->iov, (int)window->iov_count + 1);
	if (bytes < 0) {
		if (errno == EBADFD || errno == ENODEV)
			tap_gone(tap);
		return errno == EINTR;
	}
	if ((uint64_t)bytes < NET_HDR_BYTES + NET_FRAME_MIN)
		net->counters.rx_dropped++;
	else if ((uint64_t)bytes > window->bytes)
		net_rx_drop(net, queue->pair);
	else if (net_rx_accept(net, queue->pair, (uint64_t)bytes))
		net_rx_done(net, queue->pair, (uint64_t)bytes);
	return 1;
}

static void read_frames(struct tap_queue *queue)
{
	struct net *net = queue->tap->backend.net;

	for (uint32_t i = 0; i < RX_BUDGET; i++)
		if (!read_frame(queue))
			break;
	net->virtio.flush(net->transport, net->device, net_rx_queue(queue->pair));
}

static void tap_watch_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct tap_queue *queue = ctx;
	struct net *net = queue->tap->backend.net;

	(void)fd;
	if (events & VMM_WATCH_WRITE) {
		queue->tx_blocked = false;
		tap_set_down(queue->tap, false);
		update_watch(queue);
		net->virtio.kick(net->transport, net->device, net_tx_queue(queue->pair));
	}
	if (events & VMM_WATCH_READ)
		read_frames(queue);
	else if (events & VMM_WATCH_ERROR)
		tap_gone(queue->tap);
}

static void tap_rx_ready(struct net_backend *backend, uint32_t pair)
{
	struct tap *tap = (struct tap *)backend;
	struct tap_queue *queue = &tap->queues[pair];

	if (tap->vhost_running || !queue->rx_stalled)
		return;
	queue->rx_stalled = false;
	update_watch(queue);
}

/* Sends a frame, or drops it where the tap cannot take it. False: it has to wait. */
static bool write_frame(struct tap *tap, struct tap_queue *queue, const struct net_frame *frame)
{
	struct net *net = tap->backend.net;
	bool sent = false;

	if (net->config.status) {
		sent = writev(queue->fd, frame->iov, (int)frame->iov_count) >= 0;
		if (!sent && (errno == EAGAIN || errno == EINTR))
			return false;
		if (!sent && (errno == EBADFD || errno == ENODEV))
			tap_gone(tap);
		else if (!sent && errno == EIO)
			tap_set_down(tap, true);
	}
	net_tx_done(net, queue->pair, frame, sent);
	return true;
}

static void tap_tx_ready(struct net_backend *backend, uint32_t pair)
{
	struct tap *tap = (struct tap *)backend;
	struct tap_queue *queue = &tap->queues[pair];
	struct net_frame frame;

	while (!tap->vhost_running && !queue->tx_blocked &&
		net_tx_pop(backend->net, pair, &frame)) {
		if (write_frame(tap, queue, &frame))
			continue;
		net_tx_again(backend->net, pair, &frame);
		queue->tx_blocked = true;
		update_watch(queue);
	}
}

/* Which offloads the guest can take from the tap. */
static void set_offload(struct tap *tap)
{
	uint64_t features = tap->backend.net->features;
	unsigned int flags = 0;

	if (features & NET_F_GUEST_CSUM) {
		flags |= TUN_F_CSUM;
		flags |= features & NET_F_GUEST_TSO4 ? TUN_F_TSO4 : 0;
		flags |= features & NET_F_GUEST_TSO6 ? TUN_F_TSO6 : 0;
		if (flags & (TUN_F_TSO4 | TUN_F_TSO6))
			flags |= features & NET_F_GUEST_ECN ? TUN_F_TSO_ECN : 0;
	}
	for (uint32_t i = 0; i < tap->count; i++)
		ioctl(tap->queues[i].fd, TUNSETOFFLOAD, (unsigned long)flags);
}

/* Spreads frames over the queues that the driver uses, and over no others. */
static int32_t tap_pairs_changed(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;
	uint32_t pairs = backend->net->pairs;

	for (uint32_t i = 0; tap->count > 1 && !tap->gone && i < tap->count; i++) {
		bool attach = i < pairs;
		struct ifreq request = {
			.ifr_flags = (short)(attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};

		if (attach == tap->queues[i].attached)
			continue;
		if (ioctl(tap->queues[i].fd, TUNSETQUEUE, &request) < 0)
			return VMM_E_IO;
		tap->queues[i].attached = attach;
	}
	update_watches(tap);
	return 0;
}

/* Frames that came for an earlier driver may be in a form that this one did not accept. */
static void drop_stale(struct tap *tap)
{
	struct net *net = tap->backend.net;

	for (uint32_t i = 0; i < tap->count; i++)
		for (uint32_t n = 0; n < STALE_MAX; n++)
			if (read(tap->queues[i].fd, net->scratch, sizeof(net->scratch)) < 0)
				break;
}

static int32_t start_watches(struct tap *tap)
{
	struct net *net = tap->backend.net;

	for (uint32_t i = 0; i < tap->count && !tap->gone; i++) {
		struct tap_queue *queue = &tap->queues[i];
		int32_t ret;

		queue->rx_stalled = false;
		queue->tx_blocked = false;
		ret = net->loop.watch_add(net->host, net->loop.own(net->host), queue->fd, 0,
			tap_watch_cb, queue, &queue->watch);
		if (ret < 0)
			return ret;
		queue->watched = true;
		update_watch(queue);
	}
	return 0;
}

static bool start_vhost(struct tap *tap)
{
	struct net *net = tap->backend.net;
	uint32_t pairs = net->features & NET_F_MQ ? tap->count : 1;
	int fds[NET_PAIRS_MAX];

	if (!tap->vhost || !net->config.status)
		return false;
	for (uint32_t i = 0; i < pairs; i++)
		fds[i] = tap->queues[i].fd;
	if (vhost_start(tap->vhost, fds, pairs) == 0)
		return true;
	/* As often as a driver likes: one without all of its queues is a reason. */
	vmm_guest_errorf(&net->log, net->host, "vhost",
		"vhost-net could not be started; vmm moves the frames itself");
	return false;
}

static int32_t tap_activate(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;
	int32_t ret;

	set_offload(tap);
	drop_stale(tap);
	ret = tap_pairs_changed(backend);
	if (ret < 0)
		return ret;
	tap->vhost_running = start_vhost(tap);
	if (tap->vhost_running)
		return 0;
	ret = start_watches(tap);
	if (ret < 0)
		stop_watches(tap);
	return ret;
}

static void tap_deactivate(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;

	if (tap->vhost_running)
		vhost_stop(tap->vhost);
	tap->vhost_running = false;
	stop_watches(tap);
}

void tap_close(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;

	vhost_close(tap->vhost);
	for (uint32_t i = 0; i < tap->count; i++)
		close(tap->queues[i].fd);
	free(tap);
}

const struct net_backend_ops tap_ops = {
	.close = tap_close,
	.activate = tap_activate,
	.deactivate = tap_deactivate,
	.rx_ready = tap_rx_ready,
	.tx_ready = tap_tx_ready,
	.pairs_changed = tap_pairs_changed,
};
