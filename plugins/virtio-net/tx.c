/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from the guest: the header is copied and checked, the frame itself stays where it is.
 */
#include <string.h>

#include "net.h"

_Static_assert(sizeof(struct vmm_iovec) == sizeof(struct iovec), "same layout");
_Static_assert(offsetof(struct vmm_iovec, bytes) == offsetof(struct iovec, iov_len), "likewise");

/* Copies the header out of the chain; returns the number of entries and bytes to skip. */
static uint32_t take_header(struct vmm_iovec *iov, uint32_t count, struct net_hdr *ret_hdr)
{
	uint8_t *to = (uint8_t *)ret_hdr;
	uint64_t left = NET_HDR_BYTES;
	uint32_t i = 0;

	while (i < count && left > 0) {
		uint64_t now = iov[i].bytes < left ? iov[i].bytes : left;

		memcpy(to, iov[i].base, now);
		to += now;
		left -= now;
		iov[i].base = (uint8_t *)iov[i].base + now;
		iov[i].bytes -= now;
		if (iov[i].bytes == 0)
			i++;
	}
	return i;
}

int32_t net_tx_pop(struct net *net, uint32_t pair, struct net_frame *frame)
{
	for (;;) {
		struct vmm_virtio_chain chain = {
			.struct_size = sizeof(chain),
			.iov = &net->tx_iov[1],
			.iov_max = NET_IOV_MAX,
		};
		uint32_t skip;

		if (net->virtio.pop(net->transport, net->device, net_tx_queue(pair), &chain) != 1)
			return 0;
		frame->id = chain.id;
		if (chain.readable_bytes >= NET_HDR_BYTES && !chain.writable) {
			skip = take_header(&net->tx_iov[1], chain.readable, &frame->hdr);
			frame->bytes = chain.readable_bytes - NET_HDR_BYTES;
			if (net_hdr_check(&frame->hdr, frame->bytes, net->features) == 0) {
				net->tx_iov[skip] = (struct vmm_iovec){&frame->hdr, NET_HDR_BYTES};
				frame->iov = (const struct iovec *)&net->tx_iov[skip];
				frame->iov_count = chain.readable - skip + 1;
				return 1;
			}
		}
		vmm_guest_errorf(&net->log, net->host, "tx-frame",
			"dropped a frame to send: %llu bytes with header",
			(unsigned long long)chain.readable_bytes);
		net_tx_done(net, pair, frame, false);
	}
}

void net_tx_done(struct net *net, uint32_t pair, const struct net_frame *frame, bool sent)
{
	net->virtio.push(net->transport, net->device, net_tx_queue(pair), frame->id, 0);
	if (sent)
		net->counters.tx_frames++;
	else
		net->counters.tx_dropped++;
}

void net_tx_again(struct net *net, uint32_t pair, const struct net_frame *frame)
{
	net->virtio.unpop(net->transport, net->device, net_tx_queue(pair), frame->id);
}
