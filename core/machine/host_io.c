/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.io/1: regions and doorbells, by core/io, and the thread models of accesses: a
 * PARALLEL device is called straight from the vCPU, a SERIAL one under its lock, a LOOP one on its
 * loop while the vCPU waits.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/io.h>

#include "io/io.h"
#include "log/log.h"
#include "loop/crash_text.h"
#include "loop/loop.h"
#include "loop/signals.h"
#include "machine/host.h"
#include "machine/machine.h"

struct host_doorbell {
	struct host_object object;
	struct io_doorbell *doorbell;
	struct host_region *region;
	struct host_doorbell *next; /* of the region */
};

struct host_region {
	struct host_object object;
	struct io_region *region;
	struct host_doorbell *doorbells;
	struct vmm_io_ops ops;
	void *ctx;
};

/* An access on its way to the loop of a LOOP device; lives on the vCPU's stack. */
struct loop_access {
	struct host_region *region;
	uint64_t offset;
	uint32_t width;
	uint64_t value;
	bool is_write;
	int32_t ret;
};

static int32_t serial_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct host_region *region = ctx;
	int32_t ret;

	host_enter(region->object.host);
	ret = region->ops.read(region->ctx, offset, width, ret_value);
	host_leave(region->object.host);
	return ret;
}

static int32_t serial_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct host_region *region = ctx;
	int32_t ret;

	host_enter(region->object.host);
	ret = region->ops.write(region->ctx, offset, width, value);
	host_leave(region->object.host);
	return ret;
}

/* For the report of a crash: on the loop's thread, the access that a vCPU waits for. */
static void describe_access(const void *ctx, struct crash_text *text)
{
	const struct loop_access *access = ctx;

	crash_put(text, access->is_write ? "write of " : "read of ");
	crash_put_number(text, access->width);
	crash_put(text, " bytes at offset ");
	crash_put_hex(text, access->offset);
	crash_put(text, " of a region of device ");
	crash_put(text, access->region->object.host->id);
}

static void loop_read_cb(void *ctx)
{
	struct loop_access *access = ctx;
	struct host_region *region = access->region;

	signals_describe_thread(describe_access, access);
	access->ret = region->ops.read(region->ctx, access->offset, access->width, &access->value);
	signals_describe_thread(NULL, NULL);
}

static void loop_write_cb(void *ctx)
{
	struct loop_access *access = ctx;
	struct host_region *region = access->region;

	signals_describe_thread(describe_access, access);
	access->ret = region->ops.write(region->ctx, access->offset, access->width, access->value);
	signals_describe_thread(NULL, NULL);
}

static int32_t loop_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct host_region *region = ctx;
	struct loop_access access = {.region = region, .offset = offset, .width = width};
	int ret = loop_call_sync(region->object.host->loop, loop_read_cb, &access);

	if (ret < 0)
		return ret;
	*ret_value = access.value;
	return access.ret;
}

static int32_t loop_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct host_region *region = ctx;
	struct loop_access access = {.region = region,
		.offset = offset,
		.width = width,
		.value = value,
		.is_write = true};
	int ret = loop_call_sync(region->object.host->loop, loop_write_cb, &access);

	return ret < 0 ? ret : access.ret;
}

/* Which functions the vCPU calls, and with what. */
static void region_callbacks(struct host_region *region, struct io_region_config *config)
{
	switch (region->object.host->type->thread_model) {
	case VMM_THREADS_PARALLEL:
		config->ops = (struct io_ops){region->ops.read, region->ops.write};
		config->ctx = region->ctx;
		return;
	case VMM_THREADS_SERIAL:
		config->ops = (struct io_ops){serial_read, serial_write};
		break;
	default:
		config->ops = (struct io_ops){loop_read, loop_write};
		break;
	}
	if (!region->ops.read)
		config->ops.read = NULL;
	if (!region->ops.write)
		config->ops.write = NULL;
	config->ctx = region;
}

static void doorbell_free(struct host_doorbell *doorbell)
{
	struct host_doorbell **at = &doorbell->region->doorbells;

	while (*at != doorbell)
		at = &(*at)->next;
	*at = doorbell->next;
	host_object_remove(&doorbell->object);
	io_doorbell_remove(doorbell->object.host->machine->io, doorbell->doorbell);
	free(doorbell);
}

static void doorbell_release(struct host_object *object)
{
	doorbell_free((struct host_doorbell *)object);
}

static void region_free(struct host_region *region)
{
	while (region->doorbells)
		doorbell_free(region->doorbells);
	host_object_remove(&region->object);
	io_region_remove(region->object.host->machine->io, region->region);
	free(region);
}

static void region_release(struct host_object *object)
{
	region_free((struct host_region *)object);
}

static int32_t host_region_add(
	vmm_host *host, const struct vmm_io_region *request, uint64_t *ret_region)
{
	struct io_region_config config = {0};
	struct host_region *region;
	struct vmm_io_region req;
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	int32_t ret;

	HOST_NEEDS_CONFIG(host, "vmm.io region_add");
	ret = host_copy_request(request, sizeof(req), &req, sizeof(req));
	if (ret < 0)
		return ret;
	if ((req.flags & ~VMM_IO_ENABLED) || req.reserved || !req.ops || !req.name)
		return VMM_E_INVAL;
	region = calloc(1, sizeof(*region));
	if (!region)
		return VMM_E_NOMEM;
	region->object.host = host;
	region->ctx = req.ctx;
	memcpy(&region->ops, req.ops,
		req.ops->size < sizeof(region->ops) ? req.ops->size : sizeof(region->ops));
	config.name = req.name;
	config.space = req.space;
	config.base = req.base;
	config.bytes = req.bytes;
	config.width_max = req.width_max;
	config.enabled = req.flags & VMM_IO_ENABLED;
	region_callbacks(region, &config);
	ret = io_region_add(host->machine->io, &config, &error, &region->region);
	if (ret < 0) {
		log_write(VMM_LOG_ERROR, host->id, "%s", text);
		free(region);
		return ret;
	}
	host_object_add(host, &region->object, HOST_REGION, region_release);
	*ret_region = (uintptr_t)region;
	return 0;
}

static int32_t host_region_set(vmm_host *host, uint64_t handle, uint64_t base, uint32_t flags)
{
	struct host_region *region = host_object_get(host, handle, HOST_REGION, "region_set");

	if (!region || (flags & ~VMM_IO_ENABLED))
		return VMM_E_INVAL;
	return io_region_set(host->machine->io, region->region, base, flags & VMM_IO_ENABLED);
}

static int32_t host_region_remove(vmm_host *host, uint64_t handle)
{
	struct host_region *region;

	HOST_NEEDS_CONFIG(host, "vmm.io region_remove");
	region = host_object_get(host, handle, HOST_REGION, "vmm.io region_remove");
	if (!region)
		return VMM_E_INVAL;
	region_free(region);
	return 0;
}

static int32_t host_doorbell_add(
	vmm_host *host, const struct vmm_doorbell *request, uint64_t *ret_doorbell, int32_t *ret_fd)
{
	struct io_doorbell_config config;
	struct host_doorbell *doorbell;
	struct host_region *region;
	struct vmm_doorbell req;
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	int32_t ret;

	HOST_NEEDS_CONFIG(host, "vmm.io doorbell_add");
	ret = host_copy_request(request, sizeof(req), &req, sizeof(req));
	if (ret < 0)
		return ret;
	region = host_object_get(host, req.region, HOST_REGION, "vmm.io doorbell_add");
	if (!region || (req.flags & ~VMM_DOORBELL_MATCH))
		return VMM_E_INVAL;
	doorbell = calloc(1, sizeof(*doorbell));
	if (!doorbell)
		return VMM_E_NOMEM;
	config = (struct io_doorbell_config){
		.offset = req.offset,
		.width = req.width,
		.match = req.flags & VMM_DOORBELL_MATCH,
		.value = req.value,
	};
	ret = io_doorbell_add(
		host->machine->io, region->region, &config, &error, &doorbell->doorbell, ret_fd);
	if (ret < 0) {
		log_write(VMM_LOG_ERROR, host->id, "%s", text);
		free(doorbell);
		return ret;
	}
	doorbell->region = region;
	doorbell->next = region->doorbells;
	region->doorbells = doorbell;
	host_object_add(host, &doorbell->object, HOST_DOORBELL, doorbell_release);
	*ret_doorbell = (uintptr_t)doorbell;
	return 0;
}

static int32_t host_doorbell_remove(vmm_host *host, uint64_t handle)
{
	struct host_doorbell *doorbell;

	HOST_NEEDS_CONFIG(host, "vmm.io doorbell_remove");
	doorbell = host_object_get(host, handle, HOST_DOORBELL, "vmm.io doorbell_remove");
	if (!doorbell)
		return VMM_E_INVAL;
	doorbell_free(doorbell);
	return 0;
}

const struct vmm_io host_io_table = {
	.size = sizeof(host_io_table),
	.region_add = host_region_add,
	.region_set = host_region_set,
	.region_remove = host_region_remove,
	.doorbell_add = host_doorbell_add,
	.doorbell_remove = host_doorbell_remove,
};
