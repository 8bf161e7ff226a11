/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See net_rig.h. The transport checks what the device gives back: no head twice, no more bytes than
 * the chain has.
 */
#include "net_rig.h"

static uint32_t index_of(const struct net_rig *rig, uint32_t queue)
{
	FUZZ_CHECK(queue >= rig->queue_first && queue - rig->queue_first < NET_RIG_QUEUES);
	return queue - rig->queue_first;
}

static int32_t pop(void *transport, uint64_t device, uint32_t queue, struct vmm_virtio_chain *chain)
{
	struct net_rig *rig = transport;
	uint32_t q = index_of(rig, queue);
	int32_t ret = virtq_pop(&rig->queues[q], chain);

	(void)device;
	if (ret != 1)
		return ret;
	guest_chain_check(chain);
	FUZZ_CHECK(!(rig->held[q] & 1ull << chain->id));
	rig->held[q] |= 1ull << chain->id;
	return 1;
}

static int32_t unpop(void *transport, uint64_t device, uint32_t queue, uint32_t id)
{
	struct net_rig *rig = transport;
	uint32_t q = index_of(rig, queue);

	(void)device;
	FUZZ_CHECK(virtq_unpop(&rig->queues[q], id) == 0);
	rig->held[q] &= ~(1ull << id);
	return 0;
}

static int32_t push(void *transport, uint64_t device, uint32_t queue, uint32_t id, uint64_t written)
{
	struct net_rig *rig = transport;
	uint32_t q = index_of(rig, queue);

	(void)device;
	FUZZ_CHECK(virtq_push(&rig->queues[q], id, written) == 0);
	rig->held[q] &= ~(1ull << id);
	rig->written += written;
	rig->pushed++;
	return 0;
}

static void flush(void *transport, uint64_t device, uint32_t queue)
{
	struct net_rig *rig = transport;
	struct virtq *q = &rig->queues[index_of(rig, queue)];

	(void)device;
	virtq_flush(q);
	if (q->starved)
		virtq_refill(q);
}

static void guest_error(vmm_host *host, const char *site, const char *text)
{
	(void)host;
	FUZZ_CHECK(site[0] && text[0]);
}

void net_rig_init(struct net_rig *rig, uint32_t size, uint32_t how)
{
	memset(rig, 0, sizeof(*rig));
	rig->net.log.guest_error = guest_error;
	rig->net.virtio.pop = pop;
	rig->net.virtio.unpop = unpop;
	rig->net.virtio.push = push;
	rig->net.virtio.flush = flush;
	rig->net.transport = rig;
	rig->net.backend = &rig->backend;
	rig->backend.net = &rig->net;
	guest_ram(false);
	for (uint32_t q = 0; q < NET_RIG_QUEUES; q++)
		guest_queue_start(&rig->queues[q], q, size, how);
}

void net_rig_fini(struct net_rig *rig)
{
	for (uint32_t q = 0; q < NET_RIG_QUEUES; q++)
		virtq_fini(&rig->queues[q]);
}

void net_rig_drive(struct net_rig *rig, struct fuzz_input *in)
{
	uint32_t how = fuzz_u8(in);
	uint32_t q = how & 1;
	uint32_t size = rig->queues[q].size;
	const uint8_t *from;
	uint64_t room;
	uint8_t *to;
	size_t bytes;

	switch (how >> 1 & 3) {
	case 0:
		guest_desc_fill(in, q, false);
		break;
	case 1:
		guest_desc_fill(in, q, true);
		break;
	case 2:
		guest_offer(q, size, (uint16_t)(how >> 3));
		break;
	default:
		to = guest_at(guest_gpa(in), &room);
		from = fuzz_some(in, &bytes);
		if (to && bytes)
			memcpy(to, from, bytes < room ? bytes : room);
		break;
	}
}

void net_rig_notify(struct net_rig *rig)
{
	for (uint32_t q = 0; q < NET_RIG_QUEUES; q++)
		virtq_refill(&rig->queues[q]);
}
