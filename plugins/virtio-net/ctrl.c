/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control queue (virtio 1.2, 5.1.6.5): only the number of queue pairs is offered. Everything
 * else is answered with an error, as the specification wants.
 */
#include <string.h>

#include "net.h"

#define CTRL_MQ              4u
#define CTRL_MQ_VQ_PAIRS_SET 0u
#define CTRL_OK              0u
#define CTRL_ERR             1u

struct ctrl_command {
	uint8_t class_id;
	uint8_t command;
	uint16_t pairs;
};
_Static_assert(sizeof(struct ctrl_command) == 4, "virtio 1.2, 5.1.6.5.5");

/* Copies at most bytes bytes out of the readable part; returns how many there were. */
static uint64_t gather(const struct vmm_virtio_chain *chain, void *to, uint64_t bytes)
{
	uint64_t done = 0;

	for (uint32_t i = 0; i < chain->readable && done < bytes; i++) {
		uint64_t now = chain->iov[i].bytes;

		if (now > bytes - done)
			now = bytes - done;
		memcpy((uint8_t *)to + done, chain->iov[i].base, now);
		done += now;
	}
	return done;
}

static uint8_t answer(struct net *net, const struct vmm_virtio_chain *chain)
{
	struct ctrl_command command;

	if (chain->readable_bytes != sizeof(command) ||
		gather(chain, &command, sizeof(command)) != sizeof(command))
		return CTRL_ERR;
	if (command.class_id != CTRL_MQ || command.command != CTRL_MQ_VQ_PAIRS_SET ||
		!(net->features & NET_F_MQ))
		return CTRL_ERR;
	if (command.pairs < 1 || command.pairs > net->pairs_max)
		return CTRL_ERR;
	return net_pairs_changed(net, command.pairs) < 0 ? CTRL_ERR : CTRL_OK;
}

/* Without VIRTIO_NET_F_MQ there is one pair, whatever the device has (5.1.2). */
uint32_t net_ctrl_queue(const struct net *net)
{
	return 2 * (net->features & NET_F_MQ ? net->pairs_max : 1);
}

void net_ctrl_notify(struct net *net)
{
	uint32_t queue = net_ctrl_queue(net);

	for (;;) {
		struct vmm_virtio_chain chain = {
			.struct_size = sizeof(chain),
			.iov = net->tx_iov,
			.iov_max = NET_IOV_MAX,
		};
		uint8_t *ack;
		uint64_t written = 0;

		if (net->virtio.pop(net->transport, net->device, queue, &chain) != 1)
			return;
		if (chain.writable) {
			ack = net->tx_iov[chain.readable].base;
			*ack = answer(net, &chain);
			written = 1;
		} else {
			vmm_guest_errorf(&net->log, net->host, "ctrl",
				"control command without a place for its answer");
		}
		net->virtio.push(net->transport, net->device, queue, chain.id, written);
	}
}
