/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "user": a network inside of this process, by libslirp. Needs no privileges. The
 * guest sees a router with DHCP and name service; its connections become sockets of this process.
 *
 * libslirp wants to be polled; slirp_poll.c does that with watches of the loop. Frames are copied
 * once on their way in, because libslirp parses what it is given in place and the guest could
 * change it meanwhile, and once on their way out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "slirp_poll.h"

/* Frames for which the guest has no buffer yet. What comes beyond is dropped, as on a wire. */
#define QUEUE_FRAMES 256u

/* In the order of the members in plugin.c. */
enum net_hostfwd { FWD_PROTO, FWD_HOST_ADDR, FWD_HOST_PORT, FWD_GUEST_ADDR, FWD_GUEST_PORT };

struct queued {
	struct queued *next;
	uint64_t bytes;
	uint8_t frame[];
};

struct user {
	struct net_backend backend;
	Slirp *slirp;
	struct slirp_poll *poll;
	struct in_addr network;
	struct in_addr mask;
	struct queued *first; /* oldest */
	struct queued **last;
	uint32_t queued;
};

static void queue_clear(struct user *user)
{
	while (user->first) {
		struct queued *next = user->first->next;

		free(user->first);
		user->first = next;
	}
	user->last = &user->first;
	user->queued = 0;
}

static void queue_add(struct user *user, const uint8_t *frame, uint64_t bytes)
{
	struct queued *queued = NULL;

	if (user->queued < QUEUE_FRAMES)
		queued = malloc(sizeof(*queued) + bytes);
	if (!queued) {
		user->backend.net->counters.rx_dropped++;
		return;
	}
	queued->next = NULL;
	queued->bytes = bytes;
	memcpy(queued->frame, frame, bytes);
	*user->last = queued;
	user->last = &queued->next;
	user->queued++;
}

/* slirp's send_packet: a frame for the guest. */
static ssize_t user_send(const void *data, size_t bytes, void *opaque)
{
	struct user *user = opaque;
	struct net *net = user->backend.net;

	if (!net->active || !net->config.status || bytes > NET_FRAME_MAX)
		return (ssize_t)bytes;
	if (user->first || net_rx_copy(net, 0, data, bytes) == VMM_E_AGAIN)
		queue_add(user, data, bytes);
	return (ssize_t)bytes;
}

static void user_guest_error(const char *text, void *opaque)
{
	struct user *user = opaque;
	struct net *net = user->backend.net;

	vmm_guest_errorf(&net->log, net->host, "slirp", "%s", text);
}

static void user_rx_ready(struct net_backend *backend, uint32_t pair)
{
	struct user *user = (struct user *)backend;
	struct net *net = backend->net;

	while (user->first) {
		struct queued *queued = user->first;

		if (net_rx_copy(net, pair, queued->frame, queued->bytes) == VMM_E_AGAIN)
			return;
		user->first = queued->next;
		if (!user->first)
			user->last = &user->first;
		user->queued--;
		free(queued);
	}
}

static void user_tx_ready(struct net_backend *backend, uint32_t pair)
{
	struct user *user = (struct user *)backend;
	struct net *net = backend->net;
	struct net_frame frame;

	while (net_tx_pop(net, pair, &frame)) {
		uint8_t *to = net->scratch;

		for (uint32_t i = 1; i < frame.iov_count; i++) {
			memcpy(to, frame.iov[i].iov_base, frame.iov[i].iov_len);
			to += frame.iov[i].iov_len;
		}
		net_tx_done(net, pair, &frame, net->config.status);
		if (net->config.status)
			slirp_input(user->slirp, net->scratch, (int)frame.bytes);
	}
	slirp_poll_sync(user->poll);
}

static int32_t user_activate(struct net_backend *backend)
{
	struct user *user = (struct user *)backend;

	slirp_poll_start(user->poll);
	return 0;
}

static void user_deactivate(struct net_backend *backend)
{
	struct user *user = (struct user *)backend;

	slirp_poll_stop(user->poll);
	queue_clear(user);
}

static void user_close(struct net_backend *backend)
{
	struct user *user = (struct user *)backend;

	queue_clear(user);
	if (user->slirp)
		slirp_cleanup(user->slirp);
	slirp_poll_destroy(user->poll);
	free(user);
}

/* "10.0.2.0/24" */
static int32_t parse_network(struct user *user, const char *text, struct vmm_error *error)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	char *end = NULL;
	long prefix = slash ? strtol(slash + 1, &end, 10) : 0;
	size_t length = slash ? (size_t)(slash - text) : sizeof(address);

	if (length < sizeof(address) && *end == '\0' && end != slash + 1 && prefix >= 8 &&
		prefix <= 27) {
		memcpy(address, text, length);
		address[length] = '\0';
		user->mask.s_addr = htonl(UINT32_MAX << (32 - prefix));
		if (inet_pton(AF_INET, address, &user->network) == 1 &&
			(user->network.s_addr & ~user->mask.s_addr) == 0)
			return 0;
	}
	vmm_set_error(error,
		"network is \"%s\"; expected an IPv4 network with a prefix of 8 to 27, such as "
		"\"10.0.2.0/24\"",
		text);
	return VMM_E_INVAL;
}

static struct in_addr address_in(const struct user *user, uint32_t number)
{
	return (struct in_addr){user->network.s_addr | htonl(number)};
}

static int32_t parse_address(
	const char *text, struct in_addr *ret_address, const char *what, struct vmm_error *error)
{
	if (inet_pton(AF_INET, text, ret_address) == 1)
		return 0;
	vmm_set_error(error, "hostfwd: %s is \"%s\"; expected an IPv4 address", what, text);
	return VMM_E_INVAL;
}

static int32_t add_forward(
	struct user *user, const struct vmm_value *forward, struct vmm_error *error)
{
	const struct vmm_value *const *values = forward->items;
	const char *guest = values[FWD_GUEST_ADDR]->text;
	int host_port = (int)values[FWD_HOST_PORT]->number;
	int udp = values[FWD_PROTO]->number == 1;
	struct in_addr host_addr;
	struct in_addr guest_addr = address_in(user, 15);
	int32_t ret = parse_address(values[FWD_HOST_ADDR]->text, &host_addr, "host_addr", error);

	if (ret == 0 && *guest)
		ret = parse_address(guest, &guest_addr, "guest_addr", error);
	if (ret < 0)
		return ret;
	if (slirp_add_hostfwd(user->slirp, udp, host_addr, host_port, guest_addr,
		    (int)values[FWD_GUEST_PORT]->number) == 0)
		return 0;
	vmm_set_error(error, "hostfwd: cannot listen on %s port %d of %s: %s", udp ? "udp" : "tcp",
		host_port, values[FWD_HOST_ADDR]->text, strerror(errno));
	return errno == EADDRINUSE ? VMM_E_BUSY : errno == EACCES ? VMM_E_PERM : VMM_E_IO;
}

static const struct net_backend_ops user_ops = {
	.close = user_close,
	.activate = user_activate,
	.deactivate = user_deactivate,
	.rx_ready = user_rx_ready,
	.tx_ready = user_tx_ready,
};

static int32_t start_slirp(struct user *user)
{
	struct net *net = user->backend.net;
	SlirpConfig config = {
		.version = 4,
		.restricted = (int)net->values[NET_OPT_RESTRICT]->number,
		.in_enabled = true,
		.vnetwork = user->network,
		.vnetmask = user->mask,
		.vhost = address_in(user, 2),
		.vdhcp_start = address_in(user, 15),
		.vnameserver = address_in(user, 3),
		.in6_enabled = true,
		.vprefix_len = 64,
		.if_mtu = net->config.mtu,
		.if_mru = net->config.mtu,
	};

	inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &config.vhost6);
	inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
	user->poll = slirp_poll_create(net, user_send, user_guest_error, user);
	if (!user->poll)
		return VMM_E_NOMEM;
	user->slirp = slirp_new(&config, slirp_poll_callbacks(user->poll), user->poll);
	if (!user->slirp)
		return VMM_E_NOMEM;
	slirp_poll_attach(user->poll, user->slirp);
	return 0;
}

int32_t net_user_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error)
{
	const struct vmm_value *forwards = net->values[NET_OPT_HOSTFWD];
	struct user *user = calloc(1, sizeof(*user));
	int32_t ret;

	if (!user)
		return VMM_E_NOMEM;
	user->backend.ops = &user_ops;
	user->backend.net = net;
	/* libslirp checks checksums and does not cut segments: only what it sends is vouched for.
	 */
	user->backend.features = NET_F_GUEST_CSUM;
	user->last = &user->first;
	ret = parse_network(user, net->values[NET_OPT_NETWORK]->text, error);
	if (ret == 0)
		ret = start_slirp(user);
	for (uint64_t i = 0; ret == 0 && i < forwards->item_count; i++)
		ret = add_forward(user, forwards->items[i], error);
	if (ret < 0) {
		user_close(&user->backend);
		return ret;
	}
	*ret_backend = &user->backend;
	return 0;
}
