/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a device behind the transport and taking it away: checks the description, builds the
 * device with everything that it will ever need, and lets the bus make it visible.
 *
 * A detached device is kept until the transport goes, which walks the list of its devices when the
 * machine stops.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "transport.h"

/* Of struct vmm_virtio_ops in ABI 0.1. */
#define OPS_FIRST_BYTES offsetof(struct vmm_virtio_ops, serve)

/* Feature bits 24 to 41 are the transport's (virtio 1.2, 6). */
#define RESERVED_FEATURES (((1ull << 18) - 1) << 24)

static const char *wrong_queues(const struct vmm_virtio_device *r)
{
	if (!r->queue_count || r->queue_count > QUEUES_MAX || !r->queue_sizes)
		return "a device has 1 to 1024 queues";
	for (uint32_t i = 0; i < r->queue_count; i++) {
		uint32_t size = r->queue_sizes[i];

		if (!size || size > QUEUE_SIZE_MAX || size & (size - 1))
			return "the size of a queue is a power of two up to 32768";
	}
	return NULL;
}

static const char *wrong_description(const struct vmm_virtio_device *r)
{
	const struct vmm_virtio_ops *ops = r->ops;

	if (r->reserved || !r->owner || !r->name || !r->device_id || r->device_id > 63)
		return "owner, name and a device id of 1 to 63 are needed, reserved must be 0";
	if (!ops || ops->size < OPS_FIRST_BYTES || !ops->activate || !ops->notify || !ops->reset)
		return "activate, notify and reset are needed";
	if (r->features & RESERVED_FEATURES)
		return "feature bits 24 to 41 belong to the transport";
	if (r->config_bytes > CONFIG_BYTES_MAX || (r->config_bytes && !r->config))
		return "configuration space has at most 2048 bytes";
	return wrong_queues(r);
}

/* The rule of requests: docs/abi.md. */
static int32_t check_request(const struct vmm_virtio_device *request)
{
	const uint8_t *tail = (const uint8_t *)request;
	const char *wrong;

	if (request->struct_size < sizeof(*request))
		return VMM_E_INVAL;
	for (uint64_t i = sizeof(*request); i < request->struct_size; i++)
		if (tail[i])
			return VMM_E_TOO_NEW;
	wrong = wrong_description(request);
	if (!wrong)
		return 0;
	vmm_set_error(request->error, "virtio: %s", wrong);
	return VMM_E_INVAL;
}

static int32_t make_queues(struct vio_device *d, const struct vmm_virtio_device *request)
{
	d->queues = calloc(request->queue_count, sizeof(*d->queues));
	if (!d->queues)
		return VMM_E_NOMEM;
	for (uint32_t i = 0; i < request->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];

		queue->device = d;
		queue->index = i;
		queue->size_max = request->queue_sizes[i];
		queue->doorbell_fd = -1;
		queue->relay_fd = -1;
		atomic_init(&queue->vector, NO_VECTOR);
		if (virtq_init(&queue->ring, queue->size_max) < 0)
			return VMM_E_NOMEM;
		d->queue_count++;
	}
	return 0;
}

/* A condition whose limits are of the monotonic clock is asked for where it is waited on. */
static int32_t make_locks(struct vio_device *d)
{
	if (pthread_mutex_init(&d->lock, NULL))
		return VMM_E_NOMEM;
	if (pthread_cond_init(&d->reset_end, NULL))
		goto no_cond;
	if (vio_irq_init(&d->irq) < 0)
		goto no_irq;
	return 0;
no_irq:
	pthread_cond_destroy(&d->reset_end);
no_cond:
	pthread_mutex_destroy(&d->lock);
	return VMM_E_NOMEM;
}

void vio_device_free(struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++) {
		virtq_fini(&d->queues[i].ring);
		if (d->ops->serve && d->queues[i].doorbell_fd >= 0)
			close(d->queues[i].doorbell_fd);
	}
	free(d->queues);
	vio_config_fini(&d->config);
	ram_map_fini(&d->ram);
	vio_irq_fini(&d->irq);
	if (d->work_fd >= 0)
		close(d->work_fd);
	pthread_cond_destroy(&d->reset_end);
	pthread_mutex_destroy(&d->lock);
	free(d->name);
	free(d);
}

static void copy_ops(struct vmm_virtio_ops *copy, const struct vmm_virtio_ops *ops)
{
	*copy = (struct vmm_virtio_ops){0};
	memcpy(copy, ops, ops->size < sizeof(*copy) ? ops->size : sizeof(*copy));
}

static struct vio_device *make_device(
	struct vio_transport *t, const struct vmm_virtio_device *request)
{
	struct vio_device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->transport = t;
	d->owner = request->owner;
	d->loop = request->loop;
	copy_ops(&d->ops_copy, request->ops);
	if (!t->borrow.borrow)
		d->ops_copy.serve = NULL;
	d->ops = &d->ops_copy;
	d->ctx = request->ctx;
	d->device_id = request->device_id;
	d->offered = request->features | TRANSPORT_FEATURES;
	d->work_fd = -1;
	atomic_init(&d->gate, 0);
	if (make_locks(d) < 0) {
		free(d);
		return NULL;
	}
	d->name = strdup(request->name);
	if (!d->name || vio_config_init(&d->config, request) < 0 || make_queues(d, request) < 0) {
		vio_device_free(d);
		return NULL;
	}
	pthread_mutex_lock(&d->lock);
	vio_registers_reset_locked(d);
	pthread_mutex_unlock(&d->lock);
	return d;
}

/* A device that serves queues on vCPUs has doorbells that leave the kernel, and fds for its loop.
 */
static int32_t own_doorbells(struct vio_device *d, struct vmm_error *error)
{
	if (!d->ops->serve)
		return 0;
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];

		queue->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (queue->doorbell_fd < 0) {
			vmm_set_error(error, "virtio: no doorbells for %u queues: %s",
				d->queue_count, strerror(errno));
			return VMM_E_LIMIT;
		}
	}
	return 0;
}

static int32_t watch_work(struct vio_device *d)
{
	int32_t ret;

	d->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->work_fd < 0)
		return VMM_E_LIMIT;
	ret = d->transport->loop.watch_add(
		d->owner, d->loop, d->work_fd, VMM_WATCH_READ, vio_work_cb, d, &d->work_watch);
	d->work_watched = ret == 0;
	return ret;
}

static int32_t watch_doorbells(struct vio_device *d)
{
	const struct vmm_loop *loop = &d->transport->loop;

	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];
		int32_t ret = loop->watch_add(d->owner, d->loop, queue->doorbell_fd, VMM_WATCH_READ,
			vio_doorbell_cb, queue, &queue->watch);

		if (ret < 0)
			return ret;
		queue->watched = true;
	}
	return 0;
}

static void take_apart(struct vio_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++) {
		vio_queue_stop(&d->queues[i]);
		if (d->queues[i].watched)
			d->transport->loop.watch_remove(d->owner, d->queues[i].watch);
		d->queues[i].watched = false;
	}
	if (d->work_watched)
		d->transport->loop.watch_remove(d->owner, d->work_watch);
	d->work_watched = false;
	d->transport->bus->detach(d);
}

int32_t vio_attach(void *transport, const struct vmm_virtio_device *request, uint64_t *ret_device)
{
	struct vio_transport *t = transport;
	struct vio_device *d;
	uint64_t space;
	int32_t ret = check_request(request);

	if (ret < 0)
		return ret;
	d = make_device(t, request);
	if (!d)
		goto no_memory;
	ret = own_doorbells(d, request->error);
	if (ret >= 0)
		ret = t->bus->attach(d, request, &space);
	if (ret >= 0)
		ret = ram_map_init(&d->ram, &t->memory, t->host, space);
	if (ret >= 0)
		ret = watch_doorbells(d);
	if (ret >= 0)
		ret = watch_work(d);
	if (ret < 0) {
		take_apart(d);
		vio_device_free(d);
		return ret;
	}
	d->attached = true;
	d->next = t->devices;
	t->devices = d;
	*ret_device = (uint64_t)(uintptr_t)d;
	return 0;
no_memory:
	vmm_set_error(request->error, "virtio: no memory");
	return VMM_E_NOMEM;
}

void vio_detach(void *transport, uint64_t device)
{
	struct vio_device *d = (struct vio_device *)(uintptr_t)device;

	(void)transport;
	take_apart(d);
	d->attached = false;
}
