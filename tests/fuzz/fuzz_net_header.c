/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: frames from and to the guest, header.c, tx.c and rx.c. What leaves the device
 * towards the host has a header that every kernel takes, whatever the guest wrote and whatever it
 * negotiated.
 */
#include "net_rig.h"

#define TX 1u /* its queue */

static struct net_rig rig;

static bool has(uint64_t feature)
{
	return (rig.net.features & feature) == feature;
}

static void check_gso(const struct net_hdr *hdr, uint64_t bytes)
{
	uint8_t type = hdr->gso_type & (uint8_t)~NET_GSO_ECN;

	if (hdr->gso_type == NET_GSO_NONE) {
		FUZZ_CHECK(!hdr->gso_size && !hdr->hdr_len);
		return;
	}
	FUZZ_CHECK((type == NET_GSO_TCPV4 && has(NET_F_HOST_TSO4)) ||
		   (type == NET_GSO_TCPV6 && has(NET_F_HOST_TSO6)));
	FUZZ_CHECK(!(hdr->gso_type & NET_GSO_ECN) || has(NET_F_HOST_ECN));
	FUZZ_CHECK(hdr->gso_size && hdr->hdr_len <= bytes);
	FUZZ_CHECK(hdr->flags & NET_HDR_NEEDS_CSUM);
}

static void check_frame(const struct net_frame *frame)
{
	const struct net_hdr *hdr = &frame->hdr;
	uint64_t bytes = 0;

	FUZZ_CHECK(frame->bytes >= NET_FRAME_MIN && frame->bytes <= NET_FRAME_MAX);
	FUZZ_CHECK(!(hdr->flags & ~NET_HDR_NEEDS_CSUM) && !hdr->num_buffers);
	if (hdr->flags) {
		FUZZ_CHECK(has(NET_F_CSUM));
		FUZZ_CHECK(hdr->csum_start + hdr->csum_offset + 2u <= frame->bytes);
	} else {
		FUZZ_CHECK(!hdr->csum_start && !hdr->csum_offset);
	}
	check_gso(hdr, frame->bytes);
	FUZZ_CHECK(frame->iov_count >= 1 && frame->iov_count <= NET_IOV_MAX + 1);
	FUZZ_CHECK(frame->iov[0].iov_base == hdr && frame->iov[0].iov_len == NET_HDR_BYTES);
	for (uint32_t i = 1; i < frame->iov_count; i++) {
		volatile uint8_t *at = frame->iov[i].iov_base;

		(void)at[0];
		(void)at[frame->iov[i].iov_len - 1];
		bytes += frame->iov[i].iov_len;
	}
	FUZZ_CHECK(bytes == frame->bytes);
}

static void send_frames(struct fuzz_input *in)
{
	uint32_t how = fuzz_u8(in);
	struct net_frame frame;

	while (net_tx_pop(&rig.net, 0, &frame)) {
		check_frame(&frame);
		if (how & 1) {
			net_tx_again(&rig.net, 0, &frame);
			break;
		}
		net_tx_done(&rig.net, 0, &frame, how & 2);
		how >>= 2;
	}
	virtq_flush(&rig.queues[TX]);
}

static void check_window(void)
{
	const struct net_window *window = &rig.net.windows[0];
	uint64_t bytes = 0;
	uint32_t entries = 0;

	for (uint32_t i = 0; i < window->count; i++) {
		FUZZ_CHECK(window->buffers[i].iov_first == entries);
		FUZZ_CHECK(window->buffers[i].bytes >= NET_HDR_BYTES);
		entries += window->buffers[i].iov_count;
		bytes += window->buffers[i].bytes;
	}
	FUZZ_CHECK(entries == window->iov_count && bytes == window->bytes);
}

/* A frame arrives in a buffer of the back end's. */
static void receive_copy(struct fuzz_input *in)
{
	static const uint8_t frame[NET_FRAME_MAX];
	uint64_t bytes = fuzz_number(in) % NET_FRAME_MAX;
	uint64_t dropped = rig.net.counters.rx_dropped;
	const struct net_hdr hdr = {0};
	int32_t ret;

	rig.written = 0;
	ret = net_rx_copy(&rig.net, 0, &hdr, frame, bytes);
	FUZZ_CHECK(ret == 0 || ret == VMM_E_AGAIN || ret == VMM_E_LIMIT);
	FUZZ_CHECK(rig.written == (ret == 0 ? NET_HDR_BYTES + bytes : 0));
	FUZZ_CHECK(rig.net.counters.rx_dropped - dropped == (ret == VMM_E_LIMIT));
}

/* A back end reads a frame straight into the window. */
static void receive_in_place(struct fuzz_input *in)
{
	struct net_window *window = &rig.net.windows[0];
	uint64_t bytes = NET_HDR_BYTES + fuzz_number(in) % NET_FRAME_MAX;

	if (!net_rx_fill(&rig.net, 0, bytes))
		return;
	if (bytes > window->bytes) {
		net_rx_drop(&rig.net, 0);
		return;
	}
	rig.written = 0;
	net_rx_done(&rig.net, 0, bytes);
	FUZZ_CHECK(rig.written == bytes);
}

static uint64_t features(struct fuzz_input *in)
{
	static const uint64_t bits[] = {NET_F_CSUM, NET_F_HOST_TSO4, NET_F_HOST_TSO6,
		NET_F_HOST_ECN, NET_F_MRG_RXBUF, NET_F_GUEST_CSUM};
	uint8_t chosen = fuzz_u8(in);
	uint64_t all = 0;

	for (uint32_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (chosen & 1u << i)
			all |= bits[i];
	return all;
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};

	net_rig_init(&rig, GUEST_QUEUE_MAX, GUEST_INDIRECT);
	rig.net.features = features(&in);
	while (in.left) {
		net_rig_notify(&rig);
		switch (fuzz_below(&in, 6)) {
		case 0:
			send_frames(&in);
			break;
		case 1:
			receive_copy(&in);
			break;
		case 2:
			receive_in_place(&in);
			break;
		default:
			net_rig_drive(&rig, &in);
			break;
		}
		check_window();
	}
	net_rig_fini(&rig);
	return 0;
}
