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
#include "checksum.h"
#include "fragments.h"
#include "merge.h"
#include "slirp_poll.h"

/* Memory for frames for which the guest has no buffer yet. What comes beyond is dropped, as on a
 * wire. */
#define QUEUE_BYTES (1u << 20)

/* What a buffer of the guest takes of a joined frame, at least. */
#define BUFFER_BYTES 1024u

/* Last part of the first address that DHCP gives out. */
#define FIRST_GUEST 15u

/* In the order of the members in plugin.c. */
enum net_hostfwd { FWD_PROTO, FWD_HOST_ADDR, FWD_HOST_PORT, FWD_GUEST_ADDR, FWD_GUEST_PORT };

struct queued {
	struct queued *next;
	struct net_hdr hdr;
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
	uint64_t queued_bytes;
	struct net_fragments fragments;
	struct net_merge merge; /* what libslirp sent last, until its current use ends */
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
	user->queued_bytes = 0;
}

static void queue_add(
	struct user *user, const struct net_hdr *hdr, const uint8_t *frame, uint64_t bytes)
{
	struct queued *queued = NULL;

	if (user->queued_bytes + sizeof(*queued) + bytes <= QUEUE_BYTES)
		queued = malloc(sizeof(*queued) + bytes);
	if (!queued) {
		user->backend.net->counters.rx_dropped++;
		return;
	}
	queued->next = NULL;
	queued->hdr = *hdr;
	queued->bytes = bytes;
	memcpy(queued->frame, frame, bytes);
	*user->last = queued;
	user->last = &queued->next;
	user->queued++;
	user->queued_bytes += sizeof(*queued) + bytes;
}

static void deliver(
	struct user *user, const struct net_hdr *hdr, const uint8_t *frame, uint64_t bytes)
{
	struct net *net = user->backend.net;

	if (user->first || net_rx_copy(net, 0, hdr, frame, bytes) == VMM_E_AGAIN)
		queue_add(user, hdr, frame, bytes);
	/* Some buffers are there, but too few: user_rx_ready decides. */
	if (net->windows[0].count && user->queued == 1)
		net->virtio.kick(net->transport, net->device, net_rx_queue(0));
}

static void deliver_merged(struct user *user)
{
	struct net_hdr hdr;
	uint64_t bytes = net_merge_take(&user->merge, &hdr);

	if (bytes)
		deliver(user, &hdr, user->merge.frame, bytes);
}

/* slirp's send_packet: a frame for the guest. */
static ssize_t user_send(const void *data, size_t bytes, void *opaque)
{
	const uint64_t merging = NET_F_GUEST_TSO4 | NET_F_GUEST_CSUM;
	const struct net_hdr plain = {0};
	struct user *user = opaque;
	struct net *net = user->backend.net;

	if (!net->active || !net->config.status || bytes > NET_FRAME_MAX) {
		net->counters.rx_dropped++;
		return (ssize_t)bytes;
	}
	if ((net->features & merging) == merging) {
		if (net_merge_add(&user->merge, data, bytes))
			return (ssize_t)bytes;
		deliver_merged(user);
		if (net_merge_add(&user->merge, data, bytes))
			return (ssize_t)bytes;
	}
	deliver(user, &plain, data, bytes);
	return (ssize_t)bytes;
}

/* A use of libslirp ends. */
static void user_sent(void *opaque)
{
	struct user *user = opaque;
	struct net *net = user->backend.net;

	deliver_merged(user);
	net->virtio.flush(net->transport, net->device, net_rx_queue(0));
}

static void user_guest_error(const char *text, void *opaque)
{
	struct user *user = opaque;
	struct net *net = user->backend.net;

	vmm_guest_errorf(&net->log, net->host, "slirp", "%s", text);
}

static void queue_remove(struct user *user)
{
	struct queued *queued = user->first;

	user->first = queued->next;
	if (!user->first)
		user->last = &user->first;
	user->queued--;
	user->queued_bytes -= sizeof(*queued) + queued->bytes;
	free(queued);
}

/*
 * A frame for which there are too few buffers is dropped: a driver with a short queue may never
 * have more. But only the first: before it, all buffers of the queue could be had, while later the
 * queue may just have given us our share.
 */
static void user_rx_ready(struct net_backend *backend, uint32_t pair)
{
	struct user *user = (struct user *)backend;
	struct net *net = backend->net;

	for (bool fresh = true; user->first; fresh = false) {
		struct queued *queued = user->first;

		if (net_rx_copy(net, pair, &queued->hdr, queued->frame, queued->bytes) ==
			VMM_E_AGAIN) {
			if (net->windows[pair].count == 0)
				return;
			if (!fresh) {
				net->virtio.kick(net->transport, net->device, net_rx_queue(pair));
				return;
			}
			net_rx_drop(net, pair);
		}
		queue_remove(user);
	}
}

static void user_tx_ready(struct net_backend *backend, uint32_t pair)
{
	struct user *user = (struct user *)backend;
	struct net *net = backend->net;
	uint64_t now = net->loop.now(net->host, VMM_CLOCK_VM);
	struct net_frame frame;

	slirp_poll_begin(user->poll);
	while (net_tx_pop(net, pair, &frame)) {
		uint8_t *to = net->scratch;
		uint64_t bytes;

		for (uint32_t i = 1; i < frame.iov_count; i++) {
			memcpy(to, frame.iov[i].iov_base, frame.iov[i].iov_len);
			to += frame.iov[i].iov_len;
		}
		net_tx_done(net, pair, &frame, net->config.status);
		if (frame.hdr.flags & NET_HDR_NEEDS_CSUM)
			net_checksum_finish(net->scratch, frame.bytes, frame.hdr.csum_start,
				frame.hdr.csum_offset);
		bytes = net_fragments_add(&user->fragments, now, net->scratch, frame.bytes);
		if (bytes && net->config.status)
			slirp_input(user->slirp, net->scratch, (int)bytes);
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
	net_fragments_clear(&user->fragments);
	queue_clear(user);
}

static void user_close(struct net_backend *backend)
{
	struct user *user = (struct user *)backend;

	net_fragments_clear(&user->fragments);
	queue_clear(user);
	if (user->slirp)
		slirp_cleanup(user->slirp);
	slirp_poll_destroy(user->poll);
	free(user);
}

/* "10.0.2.0/24" */
static int32_t parse_network(
	const char *text, struct in_addr *ret_network, struct in_addr *ret_mask)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : sizeof(address);
	char *end;
	long prefix;

	if (length >= sizeof(address) || slash[1] < '1' || slash[1] > '9')
		return VMM_E_INVAL;
	prefix = strtol(slash + 1, &end, 10);
	if (*end || prefix < 8 || prefix > 27)
		return VMM_E_INVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	ret_mask->s_addr = htonl(UINT32_MAX << (32 - prefix));
	if (inet_pton(AF_INET, address, ret_network) != 1)
		return VMM_E_INVAL;
	return ret_network->s_addr & ~ret_mask->s_addr ? VMM_E_INVAL : 0;
}

static struct in_addr address_in(struct in_addr network, uint32_t number)
{
	return (struct in_addr){network.s_addr | htonl(number)};
}

/* Addresses of a forward. */
static int32_t parse_forward(const struct vmm_value *forward, struct in_addr network,
	struct in_addr mask, struct in_addr *ret_host, struct in_addr *ret_guest,
	struct vmm_error *error)
{
	const char *host = forward->items[FWD_HOST_ADDR]->text;
	const char *guest = forward->items[FWD_GUEST_ADDR]->text;

	if (inet_pton(AF_INET, host, ret_host) != 1) {
		vmm_set_error(
			error, "hostfwd: host_addr is \"%s\"; expected an IPv4 address", host);
		return VMM_E_INVAL;
	}
	*ret_guest = address_in(network, FIRST_GUEST);
	if (!*guest)
		return 0;
	if (inet_pton(AF_INET, guest, ret_guest) == 1 &&
		(ret_guest->s_addr & mask.s_addr) == network.s_addr)
		return 0;
	vmm_set_error(
		error, "hostfwd: guest_addr is \"%s\"; expected an IPv4 address in network", guest);
	return VMM_E_INVAL;
}

int32_t net_user_validate(const struct vmm_value *const *values, struct vmm_error *error)
{
	const struct vmm_value *forwards = values[NET_OPT_HOSTFWD];
	const char *text = values[NET_OPT_NETWORK]->text;
	struct in_addr network, mask, host, guest;
	int32_t ret = parse_network(text, &network, &mask);

	if (ret < 0)
		vmm_set_error(error,
			"network is \"%s\"; expected an IPv4 network with a prefix of 8 to 27, "
			"such as \"10.0.2.0/24\"",
			text);
	for (uint64_t i = 0; ret == 0 && i < forwards->item_count; i++)
		ret = parse_forward(forwards->items[i], network, mask, &host, &guest, error);
	return ret;
}

static int32_t add_forward(
	struct user *user, const struct vmm_value *forward, struct vmm_error *error)
{
	const struct vmm_value *const *values = forward->items;
	int port = (int)values[FWD_HOST_PORT]->number;
	bool udp = values[FWD_PROTO]->number == 1;
	struct in_addr host, guest;
	int32_t ret = parse_forward(forward, user->network, user->mask, &host, &guest, error);
	int why;

	if (ret < 0)
		return ret;
	if (slirp_add_hostfwd(
		    user->slirp, udp, host, port, guest, (int)values[FWD_GUEST_PORT]->number) == 0)
		return 0;
	why = errno;
	vmm_set_error(error, "hostfwd: cannot listen on %s port %d of %s: %s", udp ? "udp" : "tcp",
		port, values[FWD_HOST_ADDR]->text, strerror(why));
	return why == EADDRINUSE ? VMM_E_BUSY : why == EACCES ? VMM_E_PERM : VMM_E_IO;
}

static const struct net_backend_ops user_ops = {
	.close = user_close,
	.activate = user_activate,
	.deactivate = user_deactivate,
	.rx_ready = user_rx_ready,
	.tx_ready = user_tx_ready,
};

static int32_t start_slirp(struct user *user, struct vmm_error *error)
{
	struct net *net = user->backend.net;
	SlirpConfig config = {
		.version = 4,
		.restricted = (int)net->values[NET_OPT_RESTRICT]->number,
		.in_enabled = true,
		.vnetwork = user->network,
		.vnetmask = user->mask,
		.vhost = address_in(user->network, 2),
		.vdhcp_start = address_in(user->network, FIRST_GUEST),
		.vnameserver = address_in(user->network, 3),
		.in6_enabled = true,
		.vprefix_len = 64,
		.if_mtu = net->config.mtu,
		.if_mru = net->config.mtu,
	};

	static const struct slirp_poll_uses uses = {user_send, user_sent, user_guest_error};
	int32_t ret;

	inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &config.vhost6);
	inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
	ret = slirp_poll_create(net, &uses, user, &user->poll);
	if (ret < 0)
		return ret;
	user->slirp = slirp_new(&config, slirp_poll_callbacks(user->poll), user->poll);
	if (!user->slirp) {
		vmm_set_error(error, "libslirp does not take the settings of the user network");
		return VMM_E_UNSUPPORTED;
	}
	ret = slirp_poll_attach(user->poll, user->slirp);
	if (ret < 0)
		vmm_set_error(
			error, "no timer can be had for the user network: %s", vmm_error_text(ret));
	return ret;
}

/* Half of a short queue, in buffers for one segment each, has to have room for a joined frame. */
static uint64_t merge_limit(uint64_t queue_size)
{
	uint64_t bytes = queue_size / 2 * BUFFER_BYTES;

	return bytes < NET_MERGE_MAX ? bytes : NET_MERGE_MAX;
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
	/* What libslirp sends is vouched for. It takes long segments of IPv4, not of IPv6, and
	 * checks checksums, which so are finished before. */
	user->backend.features = NET_F_GUEST_CSUM;
	if (net->values[NET_OPT_OFFLOAD]->number)
		user->backend.features |= NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_GUEST_TSO4;
	user->merge.limit = merge_limit((uint64_t)net->values[NET_OPT_QUEUE_SIZE]->number);
	user->last = &user->first;
	ret = parse_network(net->values[NET_OPT_NETWORK]->text, &user->network, &user->mask);
	if (ret == 0)
		ret = start_slirp(user, error);
	for (uint64_t i = 0; ret == 0 && i < forwards->item_count; i++)
		ret = add_forward(user, forwards->items[i], error);
	if (ret < 0) {
		user_close(&user->backend);
		return ret;
	}
	*ret_backend = &user->backend;
	return 0;
}
