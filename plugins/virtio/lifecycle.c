/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's half of a device's life: activation, reset, failure and stop. vCPU threads leave work
 * (registers.c); here it is done, in the order reset, activate, the rest, all on the loop.
 *
 * From DRIVER_OK to the end of a reset nobody writes features or queue registers: the register
 * file refuses it. So the loop reads them here without the lock.
 */
#include <unistd.h>

#include "transport.h"

static uint64_t driver_features(const struct vio_device *d)
{
	return (uint64_t)d->registers.driver_features[1] << 32 | d->registers.driver_features[0];
}

static const char *start_queues(struct vio_device *d, uint64_t features)
{
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];
		const struct virtq_setup setup = {
			.size = queue->registers.size,
			.desc = {queue->registers.desc},
			.avail = {queue->registers.driver},
			.used = {queue->registers.device},
			.event_idx = features & VMM_VIRTIO_F_EVENT_IDX,
			.indirect = features & VMM_VIRTIO_F_INDIRECT_DESC,
		};
		const char *wrong;

		if (!queue->registers.enabled)
			continue;
		wrong = virtq_start(&queue->ring, &d->ram, &setup);
		if (wrong)
			return wrong;
		queue->look = (struct vio_look){0};
		queue->live = true;
	}
	return NULL;
}

static void stop_queues(struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++)
		vio_queue_stop(&d->queues[i]);
}

/* Kicks that came when the device was not there, or could not look, are made up for. */
static void rescan(struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++)
		vio_queue_notify(&d->queues[i]);
}

static void activate(struct vio_device *d)
{
	uint64_t features = driver_features(d);
	const char *wrong = start_queues(d, features);

	if (!wrong) {
		d->active = true;
		if (d->ops->activate(d->ctx, features) < 0)
			wrong = "the device could not start";
	}
	if (wrong) {
		d->active = false;
		stop_queues(d);
		vio_break(d, wrong);
		return;
	}
	rescan(d);
}

static bool has_given(const struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++)
		if (d->queues[i].given)
			return true;
	return false;
}

/*
 * A kernel back end goes on whatever the gate says. So a device that gave queues away is reset,
 * which makes it take them back, and activated again: it cannot give them away while the gate is
 * closed. One that takes its time for that, or keeps them, is left to the driver's reset.
 */
static void take_given(struct vio_device *d)
{
	if (d->reset_called || !has_given(d))
		return;
	d->reset_called = true;
	if (d->ops->reset(d->ctx) != VMM_PENDING && d->reset_called) {
		d->reset_called = false;
		if (!has_given(d) && d->ops->activate(d->ctx, driver_features(d)) == 0)
			return;
		d->active = false;
		stop_queues(d);
	}
	vio_break(d, "its queues were taken back from the kernel");
}

static void finish_reset(struct vio_device *d)
{
	d->reset_called = false;
	d->active = false;
	stop_queues(d);
	/* From here on nothing raises an interrupt; the status says so below. */
	vio_irq_take(d);
	pthread_mutex_lock(&d->lock);
	if (d->registers.resetting) {
		vio_registers_reset_locked(d);
		atomic_fetch_and_explicit(
			&d->gate, ~(GATE_RESET | GATE_BROKEN), memory_order_release);
		pthread_cond_broadcast(&d->reset_end);
	}
	pthread_mutex_unlock(&d->lock);
	if (d->stopping) {
		d->stopping = false;
		vio_stopped(d->transport);
	}
}

static void begin_reset(struct vio_device *d)
{
	int32_t ret = 0;

	if (d->reset_called)
		return;
	d->reset_called = true;
	if (d->active)
		ret = d->ops->reset(d->ctx);
	/* The device may have called reset_done already. */
	if (ret != VMM_PENDING && d->reset_called)
		finish_reset(d);
}

void vio_reset_done(struct vio_device *d)
{
	if (d->reset_called)
		finish_reset(d);
}

void vio_work_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct vio_device *d = ctx;
	uint64_t count;
	uint32_t work;

	(void)events;
	/* First: what is added after the look below rings again. */
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&d->lock);
	work = d->work;
	d->work = 0;
	pthread_mutex_unlock(&d->lock);
	if (work & WORK_STOP)
		d->stopping = true;
	if (work & (WORK_RESET | WORK_STOP)) {
		begin_reset(d);
		return;
	}
	if (work & WORK_ACTIVATE)
		activate(d);
	if (d->active && work & (WORK_ACTIVATE | WORK_CONFIG))
		vio_config_deliver(d);
	if (d->active && work & WORK_TAKE && !vio_gate_open(d))
		take_given(d);
	if (d->active && work & WORK_RESCAN)
		rescan(d);
}

void vio_doorbell_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct vio_queue *queue = ctx;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		vio_queue_notify(queue);
}

void vio_break(struct vio_device *d, const char *text)
{
	bool told = false;

	if (atomic_fetch_or_explicit(&d->gate, GATE_BROKEN, memory_order_release) & GATE_BROKEN)
		return;
	pthread_mutex_lock(&d->lock);
	if (d->registers.status & STATUS_DRIVER_OK && !d->registers.resetting) {
		d->registers.status |= STATUS_NEEDS_RESET;
		told = true;
	}
	pthread_mutex_unlock(&d->lock);
	vio_work_add(d, WORK_TAKE);
	vmm_guest_errorf(&d->transport->log, d->owner, "needs-reset",
		"the device stops until the driver resets it: %s", text);
	if (told)
		vio_irq_config(d);
}
