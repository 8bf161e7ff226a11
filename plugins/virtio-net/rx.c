/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to the guest. Buffers are popped ahead of the frame into a window, so that a back end can
 * read straight into them; what a frame did not take stays in the window for the next one.
 */
#include <string.h>

#include "net.h"

static bool mergeable(const struct net *net)
{
	return net->features & NET_F_MRG_RXBUF;
}

/* No further chain can be added. Without mergeable buffers a frame has one. */
static bool full(const struct net *net, const struct net_window *window)
{
	return window->count == (mergeable(net) ? NET_WINDOW_MAX : 1) ||
	       window->iov_count > NET_WINDOW_IOV_MAX - NET_IOV_MAX;
}

static void push_unused(struct net *net, uint32_t pair, uint32_t id, uint64_t bytes)
{
	vmm_guest_errorf(&net->log, net->host, "rx-buffer",
		"receive buffer of %llu bytes is no use: it is given back",
		(unsigned long long)bytes);
	net->virtio.push(net->transport, net->device, net_rx_queue(pair), id, 0);
}

static void pop_chains(struct net *net, uint32_t pair, uint64_t bytes)
{
	struct net_window *window = &net->windows[pair];

	while (window->bytes < bytes && !full(net, window)) {
		struct vmm_virtio_chain chain = {
			.struct_size = sizeof(chain),
			.iov = &window->iov[window->iov_count],
			.iov_max = NET_IOV_MAX,
		};

		if (net->virtio.pop(net->transport, net->device, net_rx_queue(pair), &chain) != 1)
			return;
		/* A receive buffer has nothing to read, and room for a header. */
		if (chain.readable || chain.writable_bytes < NET_HDR_BYTES) {
			push_unused(net, pair, chain.id, chain.writable_bytes);
			continue;
		}
		window->buffers[window->count++] = (struct net_buffer){
			.id = chain.id,
			.iov_first = window->iov_count,
			.iov_count = chain.writable,
			.bytes = chain.writable_bytes,
		};
		window->iov_count += chain.writable;
		window->bytes += chain.writable_bytes;
	}
}

/*
 * Chains that were popped before may only be written to while the driver lets the device use its
 * queues. Taking the last one again asks for that.
 */
static void put_back_last(struct net *net, uint32_t pair)
{
	struct net_window *window = &net->windows[pair];
	const struct net_buffer *last = &window->buffers[window->count - 1];

	net->virtio.unpop(net->transport, net->device, net_rx_queue(pair), last->id);
	window->iov_count -= last->iov_count;
	window->bytes -= last->bytes;
	window->count--;
}

bool net_rx_fill(struct net *net, uint32_t pair, uint64_t bytes)
{
	struct net_window *window = &net->windows[pair];
	uint32_t before = window->count;

	if (before) {
		put_back_last(net, pair);
		pop_chains(net, pair, window->bytes + 1);
		if (window->count < before) {
			net->virtio.flush(net->transport, net->device, net_rx_queue(pair));
			pop_chains(net, pair, window->bytes + 1);
		}
		if (window->count < before)
			return false;
	}
	pop_chains(net, pair, bytes);
	if (window->bytes < bytes && !full(net, window)) {
		/* The queue may only have given us our share: a flush starts a new one. */
		net->virtio.flush(net->transport, net->device, net_rx_queue(pair));
		pop_chains(net, pair, bytes);
	}
	return window->count > 0;
}

void net_rx_drop(struct net *net, uint32_t pair)
{
	struct net_window *window = &net->windows[pair];

	net->counters.rx_dropped++;
	if (!full(net, window))
		return;
	for (uint32_t i = 0; i < window->count; i++)
		push_unused(net, pair, window->buffers[i].id, window->buffers[i].bytes);
	window->count = 0;
	window->iov_count = 0;
	window->bytes = 0;
}

/* Writes into a list of buffers at an offset; the caller knows that it fits. */
static void iov_write(struct vmm_iovec *iov, uint64_t offset, const void *data, uint64_t bytes)
{
	const uint8_t *from = data;

	for (; bytes > 0; iov++) {
		uint64_t now;

		if (offset >= iov->bytes) {
			offset -= iov->bytes;
			continue;
		}
		now = iov->bytes - offset < bytes ? iov->bytes - offset : bytes;
		memcpy((uint8_t *)iov->base + offset, from, now);
		from += now;
		bytes -= now;
		offset = 0;
	}
}

/* The byte at an offset in a list of buffers; the caller knows that it is there. */
static uint8_t iov_byte(const struct vmm_iovec *iov, uint64_t offset)
{
	for (; offset >= iov->bytes; iov++)
		offset -= iov->bytes;
	return ((const uint8_t *)iov->base)[offset];
}

bool net_rx_accept(struct net *net, uint32_t pair, uint64_t bytes)
{
	struct net_window *window = &net->windows[pair];
	uint64_t most = NET_HDR_BYTES + NET_FRAME_MIN + NET_VLAN_BYTES + net->config.mtu;
	const uint8_t none = 0;

	if (net->features & NET_F_MTU && bytes > most &&
		(iov_byte(window->iov, offsetof(struct net_hdr, gso_type)) & ~NET_GSO_ECN) ==
			NET_GSO_NONE) {
		net->counters.rx_dropped++;
		return false;
	}
	if (!(net->features & NET_F_GUEST_CSUM))
		iov_write(window->iov, offsetof(struct net_hdr, flags), &none, sizeof(none));
	return true;
}

void net_rx_done(struct net *net, uint32_t pair, uint64_t bytes)
{
	struct net_window *window = &net->windows[pair];
	uint16_t taken = 0;
	uint32_t iov_taken;

	for (uint64_t left = bytes; left > 0; taken++)
		left -= left < window->buffers[taken].bytes ? left : window->buffers[taken].bytes;
	iov_write(window->iov, offsetof(struct net_hdr, num_buffers), &taken, sizeof(taken));
	for (uint32_t i = 0; i < taken; i++) {
		struct net_buffer *buffer = &window->buffers[i];
		uint64_t written = bytes < buffer->bytes ? bytes : buffer->bytes;

		net->virtio.push(
			net->transport, net->device, net_rx_queue(pair), buffer->id, written);
		bytes -= written;
		window->bytes -= buffer->bytes;
	}
	iov_taken = window->buffers[taken - 1].iov_first + window->buffers[taken - 1].iov_count;
	window->count -= taken;
	window->iov_count -= iov_taken;
	memmove(window->buffers, &window->buffers[taken], window->count * sizeof(*window->buffers));
	memmove(window->iov, &window->iov[iov_taken], window->iov_count * sizeof(*window->iov));
	for (uint32_t i = 0; i < window->count; i++)
		window->buffers[i].iov_first -= iov_taken;
	net->counters.rx_frames++;
}

int32_t net_rx_copy(struct net *net, uint32_t pair, const struct net_hdr *hdr, const uint8_t *frame,
	uint64_t bytes)
{
	struct net_window *window = &net->windows[pair];
	struct net_hdr sent = *hdr;

	if (!net_rx_fill(net, pair, NET_HDR_BYTES + bytes))
		return VMM_E_AGAIN;
	if (window->bytes < NET_HDR_BYTES + bytes) {
		if (!full(net, window))
			return VMM_E_AGAIN;
		net_rx_drop(net, pair);
		return VMM_E_LIMIT;
	}
	if (net->features & NET_F_GUEST_CSUM && !(sent.flags & NET_HDR_NEEDS_CSUM))
		sent.flags = NET_HDR_DATA_VALID;
	iov_write(window->iov, 0, &sent, NET_HDR_BYTES);
	iov_write(window->iov, NET_HDR_BYTES, frame, bytes);
	net_rx_done(net, pair, NET_HDR_BYTES + bytes);
	return 0;
}

void net_rx_reset(struct net *net)
{
	for (uint32_t i = 0; i < NET_PAIRS_MAX; i++) {
		net->windows[i].count = 0;
		net->windows[i].iov_count = 0;
		net->windows[i].bytes = 0;
	}
}
