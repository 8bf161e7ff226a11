/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin, and the phases of its type "conformance".
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "conformance.h"

#define INTERFACE "org.example.conformance/1"

static void conformance_destroy(void *ctx)
{
	struct conformance *c = ctx;

	if (c->file_fd >= 0)
		close(c->file_fd);
	if (c->event_fd >= 0)
		close(c->event_fd);
	free(c);
}

static int32_t query_services(struct conformance *c, struct vmm_error *error)
{
	const struct {
		const char *id;
		void *copy;
		uint64_t bytes;
	} services[] = {
		{VMM_MEMORY_ID, &c->memory, sizeof(c->memory)},
		{VMM_IO_ID, &c->io, sizeof(c->io)},
		{VMM_IRQ_ID, &c->irq, sizeof(c->irq)},
		{VMM_LOOP_ID, &c->loop, sizeof(c->loop)},
		{VMM_WORKER_ID, &c->worker, sizeof(c->worker)},
#if VMM_ABI_MINOR >= 2
		{VMM_BORROW_ID, &c->borrow, sizeof(c->borrow)},
#endif
		{VMM_LOG_ID, &c->log, sizeof(c->log)},
		{VMM_STREAM_ID, &c->stream, sizeof(c->stream)},
		{VMM_FILE_ID, &c->file, sizeof(c->file)},
		{VMM_ACPI_ID, &c->acpi, sizeof(c->acpi)},
		{VMM_MACHINE_ID, &c->machine, sizeof(c->machine)},
	};
	size_t i;

	for (i = 0; i < COUNT(services); i++) {
		int32_t ret = vmm_query(c->hello, c->host, services[i].id, services[i].bytes,
			services[i].copy, services[i].bytes, error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int32_t begin(struct conformance *c, struct vmm_error *error)
{
	struct vmm_file_open request = {0};
	int32_t ret = query_services(c, error);

	if (ret < 0)
		return ret;
	EXPECT(c->hello->abi_major == VMM_ABI_MAJOR && c->hello->abi_minor >= VMM_ABI_MINOR);
#if VMM_ABI_MINOR >= 2
	MUST(c->machine.needs(c->host, 0));
	EXPECT(c->machine.needs(c->host, VMM_NEED_TAP) == VMM_E_INVAL);
#endif
	request.struct_size = sizeof(request);
	request.path = c->values[OPTION_PATH]->text;
	request.kinds = VMM_FILE_REGULAR;
	request.flags = VMM_FILE_READ_ONLY;
	request.error = error;
	ret = c->file.open(c->host, &request, &c->file_fd);
	if (ret < 0)
		return ret;
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	EXPECT(c->event_fd >= 0);
	return 0;
}

static int32_t conformance_validate(const struct vmm_validate_args *args)
{
	if (args->value_count == 3 && args->values[OPTION_PORT]->number % 8 == 0)
		return 0;
	vmm_set_error(args->error, "a port that is no multiple of 8");
	return VMM_E_INVAL;
}

static int32_t conformance_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct conformance *c = calloc(1, sizeof(*c));
	int32_t ret;

	if (!c)
		return VMM_E_NOMEM;
	c->host = args->host;
	c->hello = args->hello;
	c->values = args->values;
	c->file_fd = -1;
	c->event_fd = -1;
	ret = begin(c, args->error);
	if (ret < 0) {
		conformance_destroy(c);
		return ret;
	}
	*ret_ctx = c;
	return 0;
}

static int32_t conformance_bind(void *ctx, struct vmm_error *error)
{
	struct conformance *c = ctx;

	return vmm_query_ref(c->hello, c->host, c->values[OPTION_BUS], VMM_PCI_BUS_ID,
		sizeof(c->pci), &c->pci, sizeof(c->pci), &c->bus, error);
}

static void quiesced(void *ctx)
{
	struct conformance *c = ctx;

	c->machine.quiesced(c->host);
}

static int32_t conformance_get_interface(
	void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	static const struct {
		uint64_t size;
		void (*quiesced)(void *ctx);
	} table = {sizeof(table), quiesced};

	if (strcmp(id, INTERFACE) != 0)
		return VMM_E_UNSUPPORTED;
	*ret_table = &table;
	*ret_object = ctx;
	return 0;
}

static void conformance_unrealize(void *ctx)
{
	pci_drop(ctx);
	services_drop(ctx);
}

static int32_t conformance_realize(void *ctx, struct vmm_error *error)
{
	int32_t ret = services_try(ctx, error);

	if (ret >= 0)
		ret = pci_try(ctx, error);
	if (ret < 0)
		conformance_unrealize(ctx);
	return ret < 0 ? ret : 0;
}

static int32_t conformance_start(void *ctx, struct vmm_error *error)
{
	return services_start(ctx, error);
}

static int32_t conformance_quiesce(void *ctx)
{
	struct conformance *c = ctx;

	return c->loop.post(c->host, c->loop.own(c->host), quiesced, c) < 0 ? 0 : VMM_PENDING;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.validate = conformance_validate,
	.create = conformance_create,
	.bind = conformance_bind,
	.get_interface = conformance_get_interface,
	.realize = conformance_realize,
	.start = conformance_start,
	.quiesce = conformance_quiesce,
	.unrealize = conformance_unrealize,
	.destroy = conformance_destroy,
};

static const struct vmm_option option_port = {
	.struct_size = sizeof(option_port),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0x580",
	.min = 0x100,
	.max = 0xfff8,
	.doc = "first of its 8 I/O ports",
};

static const struct vmm_option option_path = {
	.struct_size = sizeof(option_path),
	.name = "path",
	.type = VMM_OPT_PATH,
	.flags = VMM_OPT_REQUIRED,
	.doc = "a file to open",
};

static const struct vmm_option option_bus = {
	.struct_size = sizeof(option_bus),
	.name = "bus",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_PCI_BUS_ID,
	.doc = "PCI bus that it sits on",
};

static const struct vmm_option *const options[] = {&option_port, &option_path, &option_bus};
static const char *const provides[] = {INTERFACE};

static const struct vmm_device_type conformance_type = {
	.size = sizeof(conformance_type),
	.name = "conformance",
	.summary = "uses every service of the host",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = COUNT(options),
	.provides = provides,
	.provides_count = 1,
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&conformance_type, &conformance_virtio};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "org.example.conformance",
	.version = "1.0",
	.summary = "for tests",
	.types = types,
	.type_count = COUNT(types),
};

VMM_PLUGIN_TYPES(desc, "org.example.conformance", VMM_ABI_MINOR, "conformance,conformance-virtio");
