/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device configuration space. The guest reads a shadow that lives here, so that a vCPU never waits
 * for the device; the device changes it by config_update and is told of the driver's writes. A
 * reset takes the driver's writes back.
 */
#include <stdlib.h>
#include <string.h>

#include "transport.h"

int32_t vio_config_init(struct vio_config *config, const struct vmm_virtio_device *request)
{
	uint32_t bytes = request->config_bytes;
	uint8_t *memory;

	if (!bytes)
		return 0;
	memory = calloc(4, bytes);
	if (!memory)
		return VMM_E_NOMEM;
	config->bytes = bytes;
	config->device = memory;
	config->shadow = memory + bytes;
	config->write_mask = memory + 2 * (size_t)bytes;
	config->seen = memory + 3 * (size_t)bytes;
	memcpy(config->device, request->config, bytes);
	memcpy(config->shadow, request->config, bytes);
	if (request->config_write_mask)
		memcpy(config->write_mask, request->config_write_mask, bytes);
	return 0;
}

void vio_config_fini(struct vio_config *config)
{
	free(config->device);
	*config = (struct vio_config){0};
}

void vio_config_reset_locked(struct vio_config *config)
{
	if (config->bytes)
		memcpy(config->shadow, config->device, config->bytes);
	config->written_from = 0;
	config->written_to = 0;
	atomic_store_explicit(&config->written, false, memory_order_relaxed);
	config->generation = 0;
	config->changed = false;
}

/*
 * 4.1.4.3.1: the generation must differ if something changed since the driver read any of it. It
 * has 8 bits, so counting changes would come round to the same number after 256 of them between
 * two reads; counting reads that follow a change does not.
 */
uint32_t vio_config_generation_locked(struct vio_config *config)
{
	if (config->changed)
		config->generation = (config->generation + 1) & 0xff;
	config->changed = false;
	return config->generation;
}

static bool inside(const struct vio_config *config, uint64_t offset, uint64_t bytes)
{
	return offset < config->bytes && bytes <= config->bytes - offset;
}

uint64_t vio_config_read(struct vio_device *d, uint64_t offset, uint32_t width)
{
	uint64_t value = 0;

	pthread_mutex_lock(&d->lock);
	if (inside(&d->config, offset, width))
		memcpy(&value, d->config.shadow + offset, width);
	pthread_mutex_unlock(&d->lock);
	return value;
}

/* Makes [from, to) part of what the loop has to be told. */
static void note_written(struct vio_config *config, uint32_t from, uint32_t to)
{
	bool nothing = config->written_from == config->written_to;

	if (nothing || from < config->written_from)
		config->written_from = from;
	if (nothing || to > config->written_to)
		config->written_to = to;
	atomic_store_explicit(&config->written, true, memory_order_relaxed);
}

void vio_config_write(struct vio_device *d, uint64_t offset, uint32_t width, uint64_t value)
{
	struct vio_config *config = &d->config;
	uint8_t bytes[8];
	bool any = false;

	memcpy(bytes, &value, sizeof(bytes));
	pthread_mutex_lock(&d->lock);
	if (inside(config, offset, width) && !d->registers.resetting) {
		for (uint32_t i = 0; i < width; i++) {
			uint8_t mask = config->write_mask[offset + i];
			uint8_t *byte = &config->shadow[offset + i];

			*byte = (uint8_t)((*byte & ~mask) | (bytes[i] & mask));
			any |= mask;
		}
	}
	if (any)
		note_written(config, (uint32_t)offset, (uint32_t)offset + width);
	pthread_mutex_unlock(&d->lock);
	if (any)
		vio_work_add(d, WORK_CONFIG);
	else
		vmm_guest_errorf(&d->transport->log, d->owner, "config",
			"a write to configuration that cannot be written; ignored");
}

int32_t vio_config_update(
	struct vio_device *d, uint32_t offset, const uint8_t *data, uint32_t bytes)
{
	int32_t ret = VMM_E_RANGE;

	pthread_mutex_lock(&d->lock);
	if (inside(&d->config, offset, bytes)) {
		memcpy(d->config.device + offset, data, bytes);
		memcpy(d->config.shadow + offset, data, bytes);
		d->config.changed = true;
		ret = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

void vio_config_deliver(struct vio_device *d)
{
	struct vio_config *config = &d->config;
	uint32_t from, to;

	pthread_mutex_lock(&d->lock);
	from = config->written_from;
	to = config->written_to;
	config->written_from = 0;
	config->written_to = 0;
	atomic_store_explicit(&config->written, false, memory_order_relaxed);
	if (config->bytes)
		memcpy(config->seen, config->shadow, config->bytes);
	pthread_mutex_unlock(&d->lock);
	if (from != to && d->ops->config_written)
		d->ops->config_written(d->ctx, from, to - from, config->seen);
}
