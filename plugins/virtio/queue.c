/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device does with a queue, on its loop or while a vCPU has borrowed that: the ring (ring.c)
 * with the gate in front of it, the response to a bad one, interrupts behind it, and handing it to
 * a kernel back end.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "transport.h"

/* After so many entries the driver is interrupted without a look. */
#define UNTOLD_MAX 16u

static bool usable(const struct vio_queue *queue)
{
	return queue->live && !queue->given && vio_gate_open(queue->device);
}

/* Reports what the ring found wrong. */
static void respond(struct vio_queue *queue)
{
	struct vio_device *d = queue->device;

	if (queue->ring.complaint)
		vmm_guest_errorf(&d->transport->log, d->owner, "chain",
			"queue %u: a chain is given back unused: %s", queue->index,
			queue->ring.complaint);
	queue->ring.complaint = NULL;
	if (queue->ring.broken)
		vio_break(d, queue->ring.broken);
}

int32_t vio_queue_pop(struct vio_queue *queue, struct vmm_virtio_chain *chain)
{
	int32_t ret;

	if (!usable(queue))
		return 0;
	ret = virtq_pop(&queue->ring, chain);
	if (queue->ring.complaint || queue->ring.broken)
		respond(queue);
	/* The driver wrote configuration before it added the chain: the device has to be told
	 * first. */
	if (ret == 1 &&
		atomic_load_explicit(&queue->device->config.written, memory_order_relaxed)) {
		virtq_unpop(&queue->ring, chain->id);
		vio_signal(queue->doorbell_fd);
		return 0;
	}
	if (!ret && queue->ring.starved && !queue->notifying)
		vio_signal(queue->doorbell_fd);
	return ret;
}

/* Shows what was pushed, and interrupts the driver if it wants that. */
static void tell(struct vio_queue *queue)
{
	if (virtq_flush(&queue->ring))
		vio_irq_queue(queue);
}

/* Whether the interrupt can wait for a look, in notify: all that there was has been popped and has
 * ended, and it is not too much. So every chain that is found comes nearer to the limit. */
static bool may_look(const struct virtq *ring)
{
	return ring->unasked && !ring->in_flight && !ring->unpopped_count &&
	       ring->untold + ring->pushed_count <= UNTOLD_MAX;
}

void vio_queue_flush(struct vio_queue *queue)
{
	if (!usable(queue))
		return;
	if (may_look(&queue->ring))
		virtq_show(&queue->ring);
	else
		tell(queue);
	if (!queue->notifying)
		virtq_refill(&queue->ring);
}

/* Whether the driver adds a chain within a moment. */
static bool look(struct vio_queue *queue)
{
	uint32_t most = vio_look_readings(&queue->look);
	uint32_t readings = 0;
	bool found = false;

	for (; readings < most && !found && usable(queue); readings++) {
		__builtin_ia32_pause();
		found = virtq_waiting(&queue->ring);
	}
	vio_look_ended(&queue->look, found, readings);
	return found;
}

/* The device has returned from notify. True: it is to be called again, there is more. */
static bool go_on(struct vio_queue *queue)
{
	struct virtq *ring = &queue->ring;
	bool more = false;

	if (!ring->unasked)
		return false;
	vio_queue_flush(queue);
	if (ring->untold)
		more = look(queue);
	ring->ask_later = more;
	ring->unasked = false;
	if (!more && usable(queue))
		more = virtq_listen(ring);
	if (ring->broken)
		respond(queue);
	return more;
}

void vio_queue_notify(struct vio_queue *queue)
{
	struct vio_device *d = queue->device;

	if (!d->active || !usable(queue))
		return;
	queue->notifying = true;
	queue->ring.ask_later = vio_look_wanted(&queue->look);
	do {
		virtq_refill(&queue->ring);
		d->ops->notify(d->ctx, queue->index);
	} while (go_on(queue));
	queue->ring.ask_later = false;
	queue->notifying = false;
	/* More than its share is waiting, and the driver was not asked to say so: come again,
	 * behind others that are ready by now. The flush starts a new share, and forgets that. */
	if (queue->ring.starved)
		vio_signal(queue->doorbell_fd);
	vio_queue_flush(queue);
}

bool vio_queue_serve(struct vio_queue *queue)
{
	struct vio_device *d = queue->device;
	bool more;

	if (!usable(queue) || vio_look_due(&queue->look))
		return false;
	queue->notifying = true;
	more = d->ops->serve(d->ctx, queue->index) || queue->ring.starved;
	queue->notifying = false;
	vio_queue_flush(queue);
	return !more;
}

static void relay_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct vio_queue *queue = ctx;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		vio_irq_queue(queue);
}

static int32_t relay_open(struct vio_queue *queue)
{
	struct vio_device *d = queue->device;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int32_t ret;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? VMM_E_LIMIT : VMM_E_IO;
	ret = d->transport->loop.watch_add(
		d->owner, d->loop, fd, VMM_WATCH_READ, relay_cb, queue, &queue->relay_watch);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	queue->relay_fd = fd;
	return fd;
}

static void relay_close(struct vio_queue *queue)
{
	if (queue->relay_fd < 0)
		return;
	queue->device->transport->loop.watch_remove(queue->device->owner, queue->relay_watch);
	close(queue->relay_fd);
	queue->relay_fd = -1;
}

int32_t vio_queue_give(struct vio_queue *queue, struct vmm_virtio_ring *ret_ring)
{
	struct vio_device *d = queue->device;
	struct virtq *ring = &queue->ring;
	int32_t call_fd;

	if (ret_ring->struct_size < sizeof(*ret_ring))
		return VMM_E_INVAL;
	if (!usable(queue))
		return VMM_E_PHASE;
	tell(queue);
	if (!virtq_idle(ring))
		return VMM_E_BUSY;
	call_fd = vio_irq_queue_fd(queue);
	if (call_fd < 0)
		call_fd = relay_open(queue);
	if (call_fd < 0)
		return call_fd;
	queue->given = true;
	d->transport->loop.watch_set(d->owner, queue->watch, 0);
	*ret_ring = (struct vmm_virtio_ring){
		.struct_size = sizeof(*ret_ring),
		.queue_size = ring->size,
		.kick_fd = queue->doorbell_fd,
		.call_fd = call_fd,
		.next_available = ring->next_avail,
		.desc_gpa = {queue->registers.desc},
		.avail_gpa = {queue->registers.driver},
		.used_gpa = {queue->registers.device},
		.desc = (void *)(uintptr_t)ring->source.table,
		.avail = ring->avail,
		.used = ring->used,
	};
	/* Kicks that we took already must not be lost for the back end. */
	vio_signal(queue->doorbell_fd);
	return 0;
}

static void take_back(struct vio_queue *queue)
{
	struct vio_device *d = queue->device;

	relay_close(queue);
	d->transport->loop.watch_set(d->owner, queue->watch, VMM_WATCH_READ);
	queue->given = false;
}

int32_t vio_queue_take(struct vio_queue *queue, uint32_t next_available)
{
	if (!queue->given || next_available > UINT16_MAX)
		return VMM_E_INVAL;
	take_back(queue);
	virtq_resume(&queue->ring, (uint16_t)next_available);
	vio_signal(queue->doorbell_fd);
	return 0;
}

void vio_queue_stop(struct vio_queue *queue)
{
	if (queue->given)
		take_back(queue);
	queue->live = false;
}
