/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello-port: the smallest device that does something. It answers at one I/O port: each read gives
 * the next character of a text, any write starts the text again.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

/* The order of `options` below, and so of the values that create() gets. */
enum {
	OPTION_PORT,
	OPTION_TEXT,
};

struct hello_port {
	vmm_host *host;
	struct vmm_io io;
	uint32_t port;
	const char *text;
	uint64_t text_bytes;
	uint64_t next; /* index of the character that the next read gets */
	uint64_t region;
	int has_region;
};

static int32_t port_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct hello_port *device = ctx;

	(void)offset;
	(void)width; /* both fixed by the region: one byte wide, one byte long */
	*ret_value = (uint8_t)device->text[device->next];
	device->next = (device->next + 1) % device->text_bytes;
	return 0;
}

static int32_t port_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct hello_port *device = ctx;

	(void)offset;
	(void)width;
	(void)value;
	device->next = 0;
	return 0;
}

static const struct vmm_io_ops io_ops = {
	.size = sizeof(io_ops),
	.read = port_read,
	.write = port_write,
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct hello_port *device = calloc(1, sizeof(*device));
	int32_t ret;

	if (!device) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	device->host = args->host;
	device->port = (uint32_t)args->values[OPTION_PORT]->number;
	device->text = args->values[OPTION_TEXT]->text; /* valid until destroy */
	device->text_bytes = strlen(device->text);
	ret = vmm_query(args->hello, args->host, VMM_IO_ID, sizeof(device->io), &device->io,
		sizeof(device->io), args->error);
	if (ret < 0) {
		free(device);
		return ret;
	}
	*ret_ctx = device;
	return 0;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct hello_port *device = ctx;
	const struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = "hello-port",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = device->port,
		.bytes = 1,
		.width_max = 1,
		.ops = &io_ops,
		.ctx = device,
	};
	int32_t ret = device->io.region_add(device->host, &region, &device->region);

	if (ret < 0) {
		vmm_set_error(error, "port 0x%x is not free", device->port);
		return ret;
	}
	device->has_region = 1;
	return 0;
}

/* Comes after each realize, also after one that failed. */
static void unrealize(void *ctx)
{
	struct hello_port *device = ctx;

	if (device->has_region)
		device->io.region_remove(device->host, device->region);
	device->has_region = 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

static const struct vmm_option option_port = {
	.struct_size = sizeof(option_port),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0x580",
	.min = 0x100,
	.max = 0xffff,
	.doc = "the I/O port",
};

static const struct vmm_option option_text = {
	.struct_size = sizeof(option_text),
	.name = "text",
	.type = VMM_OPT_STRING,
	.default_text = "hello",
	.min = 1,
	.max = 1024,
	.doc = "what the guest reads, a character at a time",
};

static const struct vmm_option *const options[] = {
	[OPTION_PORT] = &option_port,
	[OPTION_TEXT] = &option_text,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "hello-port",
	.summary = "an I/O port that says hello",
	.thread_model = VMM_THREADS_SERIAL, /* `next` needs no lock: one access at a time */
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "com.example.hello-port",
	.version = "0.1.0",
	.summary = "an I/O port that says hello",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "com.example.hello-port", 1);
