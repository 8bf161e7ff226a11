/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of vmm.virtio/1: checks what device plugins pass and hands it on. A device's handle is
 * the address of its struct vio_device.
 */
#include "transport.h"

static struct vio_device *device_of(uint64_t device)
{
	return (struct vio_device *)(uintptr_t)device;
}

/* The queue, or NULL: there is no such one, or it has not been activated. */
static struct vio_queue *queue_of(uint64_t device, uint32_t queue)
{
	struct vio_device *d = device_of(device);

	return queue < d->queue_count && d->queues[queue].live ? &d->queues[queue] : NULL;
}

static int32_t pop(void *transport, uint64_t device, uint32_t queue, struct vmm_virtio_chain *chain)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	if (chain->struct_size < sizeof(*chain))
		return VMM_E_INVAL;
	return q ? vio_queue_pop(q, chain) : 0;
}

static int32_t unpop(void *transport, uint64_t device, uint32_t queue, uint32_t id)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	return q ? virtq_unpop(&q->ring, id) : VMM_E_INVAL;
}

static int32_t push(void *transport, uint64_t device, uint32_t queue, uint32_t id, uint64_t written)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	return q ? virtq_push(&q->ring, id, written) : VMM_E_INVAL;
}

static void flush(void *transport, uint64_t device, uint32_t queue)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	if (q)
		vio_queue_flush(q);
}

static void kick(void *transport, uint64_t device, uint32_t queue)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	if (q && !q->given)
		vio_signal(q->doorbell_fd);
}

static int32_t config_update(void *transport, uint64_t device, uint32_t offset, const uint8_t *data,
	uint32_t bytes, uint32_t notify_driver)
{
	struct vio_device *d = device_of(device);
	int32_t ret = vio_config_update(d, offset, data, bytes);

	(void)transport;
	if (ret < 0)
		return ret;
	if (notify_driver && d->active && vio_gate_open(d))
		vio_irq_config(d);
	return 0;
}

static void reset_done(void *transport, uint64_t device)
{
	(void)transport;
	vio_reset_done(device_of(device));
}

static void fail(void *transport, uint64_t device)
{
	struct vio_device *d = device_of(device);

	(void)transport;
	if (d->active)
		vio_break(d, "the device failed");
}

static int32_t ring_give(
	void *transport, uint64_t device, uint32_t queue, struct vmm_virtio_ring *ret_ring)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	return q ? vio_queue_give(q, ret_ring) : VMM_E_PHASE;
}

static int32_t ring_take(void *transport, uint64_t device, uint32_t queue, uint32_t next_available)
{
	struct vio_queue *q = queue_of(device, queue);

	(void)transport;
	return q ? vio_queue_take(q, next_available) : VMM_E_INVAL;
}

const struct vmm_virtio vio_table = {
	.size = sizeof(vio_table),
	.attach = vio_attach,
	.detach = vio_detach,
	.pop = pop,
	.unpop = unpop,
	.push = push,
	.flush = flush,
	.kick = kick,
	.config_update = config_update,
	.reset_done = reset_done,
	.fail = fail,
	.ring_give = ring_give,
	.ring_take = ring_take,
};
