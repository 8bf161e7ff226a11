/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting a tap device of the kernel: by name, or as an fd that vmm inherited. Not for moving
 * frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tap.h"

#define OFFLOADS                                                                                   \
	(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN |   \
		NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN)

static int32_t attach_failed(const char *ifname, uint32_t pairs, struct vmm_error *error)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		vmm_set_error(error,
			"no permission to make or open tap device \"%s\": run with CAP_NET_ADMIN, "
			"or make it beforehand: ip tuntap add dev %s mode tap user USER%s vnet_hdr",
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

static int32_t open_inherited(int given, int *ret_fd, struct vmm_error *error)
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
			ret = open_inherited((int)fd->number, &queue->fd, error);
		else
			ret = open_named(net, net->values[NET_OPT_IFNAME]->text, &queue->fd, error);
		if (ret < 0)
			break;
		queue->tap = tap;
		queue->pair = i;
		queue->attached = true;
		tap->count = i + 1;
		ret = set_up_queue(queue->fd, error);
	}
	return ret;
}

int32_t net_tap_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	int64_t vhost = net->values[NET_OPT_VHOST]->number;
	char text[256] = "";
	struct vmm_error why = {sizeof(why), text, sizeof(text)};
	int32_t ret;

	if (!tap)
		return VMM_E_NOMEM;
	tap->backend.ops = &tap_ops;
	tap->backend.net = net;
	tap->backend.features = OFFLOADS;
	ret = open_queues(tap, error);
	if (ret == 0 && vhost == NET_VHOST_ON)
		ret = vhost_open(net, &tap->vhost, error);
	else if (ret == 0 && vhost == NET_VHOST_AUTO && vhost_open(net, &tap->vhost, &why) < 0)
		vmm_logf(&net->log, net->host, VMM_LOG_DEBUG, "no vhost-net: %s", text);
	if (ret < 0) {
		tap_close(&tap->backend);
		return ret;
	}
	*ret_backend = &tap->backend;
	return 0;
}
