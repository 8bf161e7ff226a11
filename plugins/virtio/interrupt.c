/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts to the driver: by MSI-X when the guest has enabled it, else by causes that the driver
 * reads and a line that is up while there are any.
 */
#include <stdlib.h>
#include <unistd.h>

#include "transport.h"

int32_t vio_irq_init(struct vio_irq *irq)
{
	atomic_init(&irq->config_vector, NO_VECTOR);
	atomic_init(&irq->msix, 0);
	return pthread_mutex_init(&irq->lock, NULL) ? VMM_E_NOMEM : 0;
}

void vio_irq_fini(struct vio_irq *irq)
{
	pthread_mutex_destroy(&irq->lock);
	free(irq->vector_fds);
}

void vio_signal(int32_t fd)
{
	const uint64_t one = 1;
	/* EAGAIN: the counter is full, so the other side has not looked yet and will. */
	ssize_t ignored = write(fd, &one, sizeof(one));

	(void)ignored;
}

/* A vector is only ever one that exists, see vio_irq_vector(). */
static void raise_interrupt(struct vio_device *d, _Atomic uint32_t *vector, uint32_t cause)
{
	struct vio_irq *irq = &d->irq;

	if (atomic_load_explicit(&irq->msix, memory_order_relaxed)) {
		uint32_t number = atomic_load_explicit(vector, memory_order_relaxed);

		if (number != NO_VECTOR)
			vio_signal(irq->vector_fds[number]);
		return;
	}
	pthread_mutex_lock(&irq->lock);
	if (!irq->causes)
		d->transport->bus->set_line(d, 1);
	irq->causes |= cause;
	pthread_mutex_unlock(&irq->lock);
}

void vio_irq_queue(struct vio_queue *queue)
{
	raise_interrupt(queue->device, &queue->vector, ISR_QUEUE);
}

void vio_irq_config(struct vio_device *d)
{
	raise_interrupt(d, &d->irq.config_vector, ISR_CONFIG);
}

uint32_t vio_irq_causes(struct vio_device *d)
{
	uint32_t causes;

	pthread_mutex_lock(&d->irq.lock);
	causes = d->irq.causes;
	pthread_mutex_unlock(&d->irq.lock);
	return causes;
}

/* Takes causes away and returns what there was. */
static uint32_t clear(struct vio_device *d, uint32_t causes)
{
	struct vio_irq *irq = &d->irq;
	uint32_t old;

	pthread_mutex_lock(&irq->lock);
	old = irq->causes;
	irq->causes &= ~causes;
	if (old && !irq->causes)
		d->transport->bus->set_line(d, 0);
	pthread_mutex_unlock(&irq->lock);
	return old;
}

uint32_t vio_irq_take(struct vio_device *d)
{
	return clear(d, ISR_QUEUE | ISR_CONFIG);
}

void vio_irq_ack(struct vio_device *d, uint32_t causes)
{
	clear(d, causes);
}

uint32_t vio_irq_vector(const struct vio_device *d, uint32_t value)
{
	return value < d->irq.vector_count ? value : NO_VECTOR;
}

int32_t vio_irq_queue_fd(const struct vio_queue *queue)
{
	const struct vio_irq *irq = &queue->device->irq;
	uint32_t number = atomic_load_explicit(&queue->vector, memory_order_relaxed);

	if (!atomic_load_explicit(&irq->msix, memory_order_relaxed) || number == NO_VECTOR)
		return -1;
	return irq->vector_fds[number];
}
