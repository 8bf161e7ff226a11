/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register file of a device: features, status, queue set-up. All of it runs on vCPU threads
 * under the device's lock and never waits for the loop: what needs the loop is left as work.
 *
 * Status, as the driver moves it (virtio 1.2, 2.1 and 3.1.1), and what happens:
 *
 *   ACKNOWLEDGE, DRIVER   noted
 *   FEATURES_OK           sticks if the features are a set that we offered, with VERSION_1
 *   DRIVER_OK             sticks if a queue is enabled; the loop activates the device. Kicks that
 *                         come before it did are not lost, because it looks at every queue then
 *   0                     the loop resets the device; reads as the old status until that is done,
 *                         and every other write but to the selectors is ignored meanwhile
 *
 * Bits can be added but not taken away. A write that breaks this is ignored (response A).
 */
#include <time.h>

#include "transport.h"

#define DRIVER_BITS                                                                                \
	(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | STATUS_FEATURES_OK | STATUS_FAILED)

/* Longest time that a vCPU of virtio-mmio waits for the end of a reset. */
#define RESET_WAIT_NS 100000000

static void complain(const struct vio_device *d, const char *site, const char *text)
{
	vmm_guest_errorf(&d->transport->log, d->owner, site, "%s", text);
}

/* The queue that is selected, or NULL. */
static struct vio_queue *selected(const struct vio_device *d)
{
	uint32_t select = d->registers.queue_select;

	return select < d->queue_count ? &d->queues[select] : NULL;
}

static uint32_t offered_word(const struct vio_device *d)
{
	switch (d->registers.device_feature_select) {
	case 0:
		return (uint32_t)d->offered;
	case 1:
		return (uint32_t)(d->offered >> 32);
	default:
		return 0;
	}
}

static uint32_t driver_features_word(const struct vio_device *d)
{
	uint32_t select = d->registers.driver_feature_select;

	return select < FEATURE_WORDS ? d->registers.driver_features[select] : 0;
}

static uint32_t queue_read(const struct vio_device *d, enum vio_register reg)
{
	const struct vio_queue *queue = selected(d);

	if (!queue)
		return reg == REG_QUEUE_VECTOR ? NO_VECTOR : 0;
	switch (reg) {
	case REG_QUEUE_SIZE:
		return queue->registers.size;
	case REG_QUEUE_SIZE_MAX:
		return queue->size_max;
	case REG_QUEUE_VECTOR:
		return atomic_load_explicit(&queue->vector, memory_order_relaxed);
	case REG_QUEUE_ENABLE:
		return queue->registers.enabled;
	case REG_QUEUE_NOTIFY_OFF:
		return queue->index;
	case REG_QUEUE_DESC_LOW:
		return (uint32_t)queue->registers.desc;
	case REG_QUEUE_DESC_HIGH:
		return (uint32_t)(queue->registers.desc >> 32);
	case REG_QUEUE_DRIVER_LOW:
		return (uint32_t)queue->registers.driver;
	case REG_QUEUE_DRIVER_HIGH:
		return (uint32_t)(queue->registers.driver >> 32);
	case REG_QUEUE_DEVICE_LOW:
		return (uint32_t)queue->registers.device;
	case REG_QUEUE_DEVICE_HIGH:
		return (uint32_t)(queue->registers.device >> 32);
	default:
		return 0;
	}
}

static uint32_t read_locked(struct vio_device *d, enum vio_register reg)
{
	switch (reg) {
	case REG_DEVICE_FEATURE_SELECT:
		return d->registers.device_feature_select;
	case REG_DEVICE_FEATURE:
		return offered_word(d);
	case REG_DRIVER_FEATURE_SELECT:
		return d->registers.driver_feature_select;
	case REG_DRIVER_FEATURE:
		return driver_features_word(d);
	case REG_CONFIG_VECTOR:
		return atomic_load_explicit(&d->irq.config_vector, memory_order_relaxed);
	case REG_NUM_QUEUES:
		return d->queue_count;
	case REG_STATUS:
		return d->registers.status;
	case REG_GENERATION:
		return vio_config_generation_locked(&d->config);
	case REG_QUEUE_SELECT:
		return d->registers.queue_select;
	default:
		return queue_read(d, reg);
	}
}

uint32_t vio_register_read(struct vio_device *d, enum vio_register reg)
{
	uint32_t value;

	pthread_mutex_lock(&d->lock);
	value = read_locked(d, reg);
	pthread_mutex_unlock(&d->lock);
	return value;
}

static bool features_good(const struct vio_device *d)
{
	const uint32_t *words = d->registers.driver_features;
	uint64_t features = (uint64_t)words[1] << 32 | words[0];

	for (uint32_t i = 2; i < FEATURE_WORDS; i++)
		if (words[i])
			return false;
	return !(features & ~d->offered) && features & VMM_VIRTIO_F_VERSION_1;
}

static bool any_queue_enabled(const struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++)
		if (d->queues[i].registers.enabled)
			return true;
	return false;
}

static uint32_t ask_reset(struct vio_device *d)
{
	struct vio_registers *r = &d->registers;

	if (!(r->status & STATUS_DRIVER_OK)) {
		/* The loop has never heard of this driver; nothing is in flight or interrupted. */
		vio_registers_reset_locked(d);
		return 0;
	}
	r->resetting = true;
	atomic_fetch_or_explicit(&d->gate, GATE_RESET, memory_order_release);
	return WORK_RESET;
}

/* Returns work for the loop. */
static uint32_t write_status(struct vio_device *d, uint32_t value)
{
	struct vio_registers *r = &d->registers;
	uint32_t set = value & ~r->status;
	uint32_t needed = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

	if (!value)
		return ask_reset(d);
	if (r->status & DRIVER_BITS & ~value || set & ~DRIVER_BITS) {
		complain(d, "status", "status bits were cleared or reserved ones set; ignored");
		return 0;
	}
	r->status |= set & (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FAILED);
	if (set & STATUS_FEATURES_OK) {
		if ((r->status & needed) == needed && features_good(d))
			r->status |= STATUS_FEATURES_OK;
		else
			complain(d, "features", "the driver's features are refused");
	}
	if (!(set & STATUS_DRIVER_OK))
		return 0;
	needed |= STATUS_FEATURES_OK;
	if ((r->status & needed) != needed || !any_queue_enabled(d)) {
		complain(d, "driver-ok", "DRIVER_OK without features or queues; ignored");
		return 0;
	}
	r->status |= STATUS_DRIVER_OK;
	return WORK_ACTIVATE;
}

static void write_driver_features(struct vio_device *d, uint32_t value)
{
	uint32_t select = d->registers.driver_feature_select;

	if (d->registers.status & STATUS_FEATURES_OK || select >= FEATURE_WORDS)
		complain(d, "features", "features were written when they are fixed; ignored");
	else
		d->registers.driver_features[select] = value;
}

static void write_low(uint64_t *field, uint32_t value)
{
	*field = (*field & ~(uint64_t)UINT32_MAX) | value;
}

static void write_high(uint64_t *field, uint32_t value)
{
	*field = (*field & UINT32_MAX) | (uint64_t)value << 32;
}

static void write_queue_size(struct vio_queue *queue, uint32_t value)
{
	if (!value || value > queue->size_max || value & (value - 1))
		complain(queue->device, "queue-size", "a queue size that is not possible; ignored");
	else
		queue->registers.size = value;
}

static void write_queue(struct vio_device *d, enum vio_register reg, uint32_t value)
{
	struct vio_queue *queue = selected(d);

	if (!queue)
		return;
	if (reg == REG_QUEUE_VECTOR) {
		atomic_store_explicit(
			&queue->vector, vio_irq_vector(d, value), memory_order_relaxed);
		return;
	}
	if (queue->registers.enabled || d->registers.status & STATUS_DRIVER_OK) {
		complain(d, "queue-fixed", "a queue was changed when it is in use; ignored");
		return;
	}
	switch (reg) {
	case REG_QUEUE_SIZE:
		write_queue_size(queue, value);
		break;
	case REG_QUEUE_ENABLE:
		queue->registers.enabled = value == 1;
		break;
	case REG_QUEUE_DESC_LOW:
		write_low(&queue->registers.desc, value);
		break;
	case REG_QUEUE_DESC_HIGH:
		write_high(&queue->registers.desc, value);
		break;
	case REG_QUEUE_DRIVER_LOW:
		write_low(&queue->registers.driver, value);
		break;
	case REG_QUEUE_DRIVER_HIGH:
		write_high(&queue->registers.driver, value);
		break;
	case REG_QUEUE_DEVICE_LOW:
		write_low(&queue->registers.device, value);
		break;
	case REG_QUEUE_DEVICE_HIGH:
		write_high(&queue->registers.device, value);
		break;
	default:
		break;
	}
}

/* Returns work for the loop. */
static uint32_t write_locked(struct vio_device *d, enum vio_register reg, uint32_t value)
{
	switch (reg) {
	case REG_DEVICE_FEATURE_SELECT:
		d->registers.device_feature_select = value;
		return 0;
	case REG_DRIVER_FEATURE_SELECT:
		d->registers.driver_feature_select = value;
		return 0;
	case REG_QUEUE_SELECT:
		d->registers.queue_select = value;
		return 0;
	default:
		break;
	}
	if (d->registers.resetting)
		return 0;
	switch (reg) {
	case REG_DRIVER_FEATURE:
		write_driver_features(d, value);
		return 0;
	case REG_CONFIG_VECTOR:
		atomic_store_explicit(
			&d->irq.config_vector, vio_irq_vector(d, value), memory_order_relaxed);
		return 0;
	case REG_STATUS:
		return write_status(d, value);
	default:
		write_queue(d, reg, value);
		return 0;
	}
}

/* True if the loop is to be woken for it. */
static bool add_work_locked(struct vio_device *d, uint32_t work)
{
	bool wake = work && !d->work;

	d->work |= work;
	return wake;
}

/* The work is there with the write that it comes of: what another vCPU writes later, such as a
 * reset, does not overtake it. */
void vio_register_write(struct vio_device *d, enum vio_register reg, uint32_t value)
{
	bool wake;

	pthread_mutex_lock(&d->lock);
	wake = add_work_locked(d, write_locked(d, reg, value));
	pthread_mutex_unlock(&d->lock);
	if (wake)
		vio_signal(d->work_fd);
}

void vio_queue_disable(struct vio_device *d)
{
	struct vio_queue *queue;

	pthread_mutex_lock(&d->lock);
	queue = selected(d);
	if (queue && !(d->registers.status & STATUS_DRIVER_OK))
		queue->registers.enabled = false;
	pthread_mutex_unlock(&d->lock);
}

void vio_registers_reset_locked(struct vio_device *d)
{
	d->registers = (struct vio_registers){0};
	vio_config_reset_locked(&d->config);
	atomic_store_explicit(&d->irq.config_vector, NO_VECTOR, memory_order_relaxed);
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];

		queue->registers = (struct vio_queue_registers){.size = queue->size_max};
		atomic_store_explicit(&queue->vector, NO_VECTOR, memory_order_relaxed);
	}
}

void vio_reset_wait(struct vio_device *d)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += RESET_WAIT_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_mutex_lock(&d->lock);
	while (d->registers.resetting &&
		!pthread_cond_clockwait(&d->reset_end, &d->lock, CLOCK_MONOTONIC, &end))
		;
	pthread_mutex_unlock(&d->lock);
}

void vio_work_add(struct vio_device *d, uint32_t work)
{
	bool wake;

	pthread_mutex_lock(&d->lock);
	wake = add_work_locked(d, work);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		vio_signal(d->work_fd);
}

/* Serves a queue on this thread, if its loop is idle. */
static bool serve(struct vio_queue *queue)
{
	const struct vio_device *d = queue->device;
	const struct vmm_borrow *borrow = &d->transport->borrow;
	bool done;

	if (borrow->borrow(d->owner, d->loop) < 0)
		return false;
	done = vio_queue_serve(queue);
	borrow->give_back(d->owner, d->loop);
	return done;
}

void vio_doorbell_ring(struct vio_device *d, uint64_t queue)
{
	if (queue >= d->queue_count)
		complain(d, "notify", "a notification for a queue that does not exist; ignored");
	else if (!d->ops->serve || !serve(&d->queues[queue]))
		vio_signal(d->queues[queue].doorbell_fd);
}
