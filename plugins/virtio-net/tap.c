/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "tap": frames go to and come from a tap device of the kernel, read and written
 * straight into and out of the guest's buffers, header included. Where vhost-net is there and
 * wanted, the kernel does that itself and this file only sets it up.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"
#include "vhost.h"

/* Frames that are read in one go before other devices have their turn. */
#define RX_BUDGET 256u

#define OFFLOADS                                                                                   \
	(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN |   \
		NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN)

struct tap_queue {
	struct tap *tap;
	uint32_t pair;
	int fd;
	uint64_t watch;
	bool watched;
	bool rx_stalled; /* the guest has no buffers */
	bool tx_blocked; /* the tap takes no more */
};

struct tap {
	struct net_backend backend;
	struct tap_queue queues[NET_PAIRS_MAX];
	uint32_t count;
	uint32_t attached; /* queues that the kernel spreads frames over */
	struct vhost *vhost;
	bool vhost_running;
	bool gone; /* the device was deleted */
};

static void update_watch(struct tap_queue *queue)
{
	struct net *net = queue->tap->backend.net;
	uint32_t events = (queue->rx_stalled || !net->config.status ? 0 : VMM_WATCH_READ) |
			  (queue->tx_blocked ? VMM_WATCH_WRITE : 0);

	if (queue->watched)
		net->loop.watch_set(net->host, queue->watch, events);
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
	for (uint32_t i = 0; i < tap->count; i++)
		update_watch(&tap->queues[i]);
}

/* Longest frame with header that may come, by what the driver takes. */
static uint64_t longest(const struct net *net)
{
	if (net->features & (NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6))
		return NET_HDR_BYTES + NET_FRAME_MAX;
	return NET_HDR_BYTES + 18u + (net->config.mtu ? net->config.mtu : 1500u);
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
	if ((uint64_t)bytes < NET_HDR_BYTES + NET_FRAME_MIN || (uint64_t)bytes > window->bytes) {
		net->counters.rx_dropped++;
		return 1;
	}
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

static void tap_tx_ready(struct net_backend *backend, uint32_t pair)
{
	struct tap *tap = (struct tap *)backend;
	struct tap_queue *queue = &tap->queues[pair];
	struct net *net = backend->net;
	struct net_frame frame;

	while (!tap->vhost_running && !queue->tx_blocked && net_tx_pop(net, pair, &frame)) {
		ssize_t bytes = -1;

		if (net->config.status)
			bytes = writev(queue->fd, frame.iov, (int)frame.iov_count);
		if (bytes < 0 && net->config.status && (errno == EAGAIN || errno == EINTR)) {
			net_tx_again(net, pair, &frame);
			queue->tx_blocked = true;
			update_watch(queue);
			return;
		}
		if (bytes < 0 && net->config.status && (errno == EBADFD || errno == ENODEV))
			tap_gone(tap);
		net_tx_done(net, pair, &frame, bytes >= 0);
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

	for (uint32_t i = 0; tap->count > 1 && i < tap->count; i++) {
		struct ifreq request = {
			.ifr_flags = (short)(i < pairs ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};

		if ((i < pairs) == (i < tap->attached))
			continue;
		if (ioctl(tap->queues[i].fd, TUNSETQUEUE, &request) < 0)
			return VMM_E_IO;
	}
	tap->attached = pairs;
	return 0;
}

static int32_t start_watches(struct tap *tap)
{
	struct net *net = tap->backend.net;

	for (uint32_t i = 0; i < tap->count; i++) {
		struct tap_queue *queue = &tap->queues[i];
		int32_t ret;

		queue->rx_stalled = false;
		queue->tx_blocked = false;
		ret = net->loop.watch_add(net->host, net->loop.own(net->host), queue->fd,
			net->config.status ? VMM_WATCH_READ : 0, tap_watch_cb, queue,
			&queue->watch);
		if (ret < 0)
			return ret;
		queue->watched = true;
	}
	return 0;
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

static int32_t tap_activate(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;
	struct net *net = backend->net;
	int32_t ret;

	set_offload(tap);
	ret = tap_pairs_changed(backend);
	if (ret == 0 && tap->vhost && net->config.status) {
		int fds[NET_PAIRS_MAX];

		for (uint32_t i = 0; i < tap->count; i++)
			fds[i] = tap->queues[i].fd;
		if (vhost_start(tap->vhost, fds) == 0) {
			tap->vhost_running = true;
			return 0;
		}
		vmm_logf(&net->log, net->host, VMM_LOG_WARN,
			"vhost-net could not be started; vmm moves the frames itself");
	}
	if (ret == 0)
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

static void tap_close(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;

	vhost_close(tap->vhost);
	for (uint32_t i = 0; i < tap->count; i++)
		close(tap->queues[i].fd);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.close = tap_close,
	.activate = tap_activate,
	.deactivate = tap_deactivate,
	.rx_ready = tap_rx_ready,
	.tx_ready = tap_tx_ready,
	.pairs_changed = tap_pairs_changed,
};

static int32_t attach_failed(const char *ifname, uint32_t pairs, struct vmm_error *error)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		vmm_set_error(error,
			"no permission to make or open tap device \"%s\": run with CAP_NET_ADMIN, "
			"or "
			"make it beforehand: ip tuntap add dev %s mode tap user USER%s vnet_hdr",
			ifname, ifname, pairs > 1 ? " multi_queue" : "");
		return VMM_E_PERM;
	case EBUSY:
		vmm_set_error(error, "tap device \"%s\" is in use by another process", ifname);
		return VMM_E_BUSY;
	case EINVAL:
		vmm_set_error(error,
			"\"%s\" is not a tap device that fits: expected one made with mode tap%s",
			ifname, pairs > 1 ? " and multi_queue" : " and without multi_queue");
		return VMM_E_INVAL;
	default:
		vmm_set_error(error, "tap device \"%s\": %s", ifname, strerror(errno));
		return VMM_E_IO;
	}
}

static int32_t open_named(struct net *net, const char *ifname, int *ret_fd, struct vmm_error *error)
{
	struct vmm_file_open req = {
		.struct_size = sizeof(req),
		.path = "/dev/net/tun",
		.kinds = VMM_FILE_CHAR,
		.error = error,
	};
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int32_t ret = net->file.open(net->host, &req, ret_fd);

	if (ret < 0)
		return ret;
	if (net->pairs_max > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(request.ifr_name, ifname, strlen(ifname));
	if (ioctl(*ret_fd, TUNSETIFF, &request) == 0)
		return 0;
	ret = attach_failed(ifname, net->pairs_max, error);
	close(*ret_fd);
	return ret;
}

static int32_t open_inherited(struct net *net, int given, int *ret_fd, struct vmm_error *error)
{
	struct ifreq request = {0};
	int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0 && ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_TAP) &&
		(request.ifr_flags & IFF_VNET_HDR)) {
		*ret_fd = fd;
		return 0;
	}
	vmm_set_error(error, "fd %d is not an open tap device with IFF_VNET_HDR", given);
	if (fd >= 0)
		close(fd);
	(void)net;
	return VMM_E_INVAL;
}

static int32_t set_up_queue(int fd, struct vmm_error *error)
{
	int header = NET_HDR_BYTES;
	int flags = fcntl(fd, F_GETFL);

	if (ioctl(fd, TUNSETVNETHDRSZ, &header) == 0 && flags >= 0 &&
		fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		return 0;
	vmm_set_error(error, "cannot set up the tap device: %s", strerror(errno));
	return VMM_E_IO;
}

static int32_t open_queues(struct tap *tap, struct vmm_error *error)
{
	struct net *net = tap->backend.net;
	const struct vmm_value *fd = net->values[NET_OPT_FD];
	int32_t ret = 0;

	for (uint32_t i = 0; ret == 0 && i < net->pairs_max; i++) {
		struct tap_queue *queue = &tap->queues[i];

		if (fd->flags & VMM_VALUE_PRESENT)
			ret = open_inherited(net, (int)fd->number, &queue->fd, error);
		else
			ret = open_named(net, net->values[NET_OPT_IFNAME]->text, &queue->fd, error);
		if (ret < 0)
			break;
		queue->tap = tap;
		queue->pair = i;
		tap->count = i + 1;
		ret = set_up_queue(queue->fd, error);
	}
	tap->attached = tap->count;
	return ret;
}

int32_t net_tap_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	int64_t vhost = net->values[NET_OPT_VHOST]->number;
	int32_t ret;

	if (!tap)
		return VMM_E_NOMEM;
	tap->backend.ops = &tap_ops;
	tap->backend.net = net;
	tap->backend.features = OFFLOADS;
	ret = open_queues(tap, error);
	if (ret == 0 && vhost != NET_VHOST_OFF) {
		ret = vhost_open(net, &tap->vhost, error);
		if (ret < 0 && vhost == NET_VHOST_AUTO) {
			vmm_logf(&net->log, net->host, VMM_LOG_DEBUG, "no vhost-net: %s",
				error->text);
			ret = 0;
		}
	}
	if (ret < 0) {
		tap_close(&tap->backend);
		return ret;
	}
	*ret_backend = &tap->backend;
	return 0;
}
