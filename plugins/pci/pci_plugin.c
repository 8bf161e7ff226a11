/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin: device type "pci", a PCI bus that offers vmm.pci.bus/1.
 */
#include <stdlib.h>
#include <string.h>

#include "pci.h"

/*
 * The rule of requests (docs/abi.md): members that the caller does not know read as 0, members
 * that we do not know must be 0. All requests of this interface are as long as at first.
 */
int32_t pci_request_copy(void *copy, uint64_t copy_bytes, const void *request)
{
	const uint8_t *bytes = request;
	uint64_t size, i;

	memcpy(&size, request, sizeof(size));
	if (size < copy_bytes)
		return VMM_E_INVAL;
	for (i = copy_bytes; i < size; i++)
		if (bytes[i])
			return VMM_E_TOO_NEW;
	memcpy(copy, request, copy_bytes);
	return 0;
}

static int32_t services_get(struct pci_bus *bus, const struct vmm_create_args *args)
{
	static const struct {
		const char *id;
		uint64_t bytes;
		uint64_t offset;
	} services[] = {
		{VMM_IO_ID, sizeof(struct vmm_io), offsetof(struct pci_bus, io)},
		{VMM_IRQ_ID, sizeof(struct vmm_irq), offsetof(struct pci_bus, irq)},
		{VMM_LOG_ID, sizeof(struct vmm_log), offsetof(struct pci_bus, log)},
		{VMM_MACHINE_ID, offsetof(struct vmm_machine, needs),
			offsetof(struct pci_bus, machine)}, /* as in ABI 0.1 */
		{VMM_ACPI_ID, sizeof(struct vmm_acpi), offsetof(struct pci_bus, acpi)},
	};
	int32_t ret;
	size_t i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		ret = vmm_query(args->hello, args->host, services[i].id, services[i].bytes,
			(uint8_t *)bus + services[i].offset, services[i].bytes, args->error);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void destroy(void *ctx)
{
	struct pci_bus *bus = ctx;

	pthread_mutex_destroy(&bus->write_lock);
	pthread_mutex_destroy(&bus->lock);
	pthread_mutex_destroy(&bus->irq_lock);
	free(bus);
}

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct pci_bus *bus = calloc(1, sizeof(*bus));
	int32_t ret;

	if (!bus)
		return VMM_E_NOMEM;
	bus->host = args->host;
	pthread_mutex_init(&bus->write_lock, NULL);
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->irq_lock, NULL);
	ret = services_get(bus, args);
	bus->layout.struct_size = sizeof(bus->layout);
	if (ret >= 0) {
		ret = bus->machine.layout(bus->host, &bus->layout);
		if (ret < 0)
			vmm_set_error(args->error, "the machine's layout cannot be had");
	}
	if (ret < 0) {
		destroy(bus);
		return ret;
	}
	*ret_ctx = bus;
	return 0;
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	if (strcmp(id, VMM_PCI_BUS_ID) != 0)
		return VMM_E_UNSUPPORTED;
	*ret_table = &pci_bus_table;
	*ret_object = ctx;
	return 0;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	return pci_bus_realize(ctx, error);
}

static void unrealize(void *ctx)
{
	pci_bus_unrealize(ctx);
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.get_interface = get_interface,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = destroy,
};

static const char *const provides[] = {VMM_PCI_BUS_ID};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "pci",
	.summary = "PCI bus with a host bridge, for other devices to sit on",
	.thread_model = VMM_THREADS_PARALLEL,
	.provides = provides,
	.provides_count = 1,
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "vmm.pci",
	.version = "0.1.1",
	.summary = "PCI bus",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "vmm.pci", 1);
