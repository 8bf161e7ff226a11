/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug-exit device: a guest ends the process with a status of its choice. For tests of
 * kernels; a type of its own so that no machine has it by accident.
 *
 * Threads: PARALLEL. There is no state to guard, and stop() may be called from any thread.
 */
#include <stdlib.h>

#include "platform.h"

#define PORT_BYTES 4u /* so that outb, outw and outl all carry their value in one access */

struct debug_exit {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_machine machine;
	uint32_t port;
	uint64_t region;
	bool has_region;
};

static int32_t exit_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	*ret_value = 0;
	return 0;
}

static int32_t exit_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct debug_exit *device = ctx;

	(void)offset;
	(void)width;
	/* A process has 8 bits of status; never even, so never taken for one of vmm's own. */
	device->machine.stop(
		device->host, VMM_STOP_EXIT, (uint32_t)((value << 1 | 1) & UINT64_C(0xff)));
	return 0;
}

static const struct vmm_io_ops exit_ops = {
	.size = sizeof(exit_ops), .read = exit_read, .write = exit_write};

static const struct vmm_option port_option = {.struct_size = sizeof(port_option),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0xf4",
	.min = 0,
	.max = 0x10000 - PORT_BYTES,
	.doc = "first of the 4 I/O ports; writing V ends vmm with status (V << 1) | 1"};

static const struct vmm_option *const options[] = {&port_option};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct debug_exit *device = calloc(1, sizeof(*device));
	int32_t ret;

	if (!device) {
		vmm_set_error(args->error, "out of memory");
		return VMM_E_NOMEM;
	}
	device->host = args->host;
	device->port = (uint32_t)args->values[0]->number;
	if ((ret = vmm_query(args->hello, device->host, VMM_IO_ID, sizeof(device->io), &device->io,
		     sizeof(device->io), args->error)) < 0 ||
		(ret = vmm_query(args->hello, device->host, VMM_MACHINE_ID,
			 offsetof(struct vmm_machine, needs), &device->machine,
			 sizeof(device->machine), args->error)) < 0) {
		free(device);
		return ret;
	}
	*ret_ctx = device;
	return 0;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct debug_exit *device = ctx;
	const struct vmm_io_region region = {.struct_size = sizeof(region),
		.name = "debug-exit",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = device->port,
		.bytes = PORT_BYTES,
		.width_max = PORT_BYTES,
		.ops = &exit_ops,
		.ctx = device};
	int32_t ret = device->io.region_add(device->host, &region, &device->region);

	device->has_region = ret == 0;
	if (ret < 0)
		vmm_set_error(error, "port %#x cannot be had: %s; choose another with \"port\"",
			device->port,
			ret == VMM_E_EXISTS ? "another device has it" : vmm_error_text(ret));
	return ret;
}

static void unrealize(void *ctx)
{
	struct debug_exit *device = ctx;

	if (device->has_region)
		device->io.region_remove(device->host, device->region);
	device->has_region = false;
}

static void destroy(void *ctx)
{
	free(ctx);
}

static const struct vmm_device_ops ops = {.size = sizeof(ops),
	.create = create,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = destroy};

const struct vmm_device_type debug_exit_type = {.size = sizeof(debug_exit_type),
	.name = "debug-exit",
	.summary = "a port by which the guest ends vmm with a status, for tests",
	.thread_model = VMM_THREADS_PARALLEL,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.ops = &ops};
