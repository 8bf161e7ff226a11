/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin: device types "virtio-pci" and "virtio-mmio", each an instance of the transport with
 * another bus under it. An instance shows the guest nothing by itself; devices that attach to it
 * through vmm.virtio/1 do.
 */
#include <stdlib.h>
#include <string.h>

#include "transport.h"

static const struct vmm_option pci_option_bus = {
	.struct_size = sizeof(pci_option_bus),
	.name = "bus",
	.type = VMM_OPT_REF,
	.interface_id = VMM_PCI_BUS_ID,
	.flags = VMM_OPT_REQUIRED,
	.doc = "PCI bus that the devices are functions of",
};

static const struct vmm_option *const pci_options[] = {&pci_option_bus};

static int32_t query_services(struct vio_transport *t, struct vmm_error *error)
{
	const struct vmm_hello *hello = t->hello;
	int32_t ret = vmm_query(
		hello, t->host, VMM_LOG_ID, sizeof(t->log), &t->log, sizeof(t->log), error);

	if (ret >= 0)
		ret = vmm_query(hello, t->host, VMM_LOOP_ID, sizeof(t->loop), &t->loop,
			sizeof(t->loop), error);
	if (ret >= 0)
		ret = vmm_query(hello, t->host, VMM_MEMORY_ID, sizeof(t->memory), &t->memory,
			sizeof(t->memory), error);
	if (ret >= 0)
		ret = vmm_query(hello, t->host, VMM_MACHINE_ID, offsetof(struct vmm_machine, needs),
			&t->machine, sizeof(t->machine), error);
	if (ret < 0)
		return ret;
	ret = vmm_query(hello, t->host, VMM_BORROW_ID, sizeof(t->borrow), &t->borrow,
		sizeof(t->borrow), error);
	/* A host of ABI 0.1 does not have it; no device serves then. */
	return ret == VMM_E_UNSUPPORTED ? 0 : ret;
}

static int32_t query_mmio(struct vio_transport *t, struct vmm_error *error)
{
	const struct vmm_hello *hello = t->hello;
	int32_t ret =
		vmm_query(hello, t->host, VMM_IO_ID, sizeof(t->io), &t->io, sizeof(t->io), error);

	if (ret >= 0)
		ret = vmm_query(
			hello, t->host, VMM_IRQ_ID, sizeof(t->irq), &t->irq, sizeof(t->irq), error);
	if (ret >= 0)
		ret = vmm_query(hello, t->host, VMM_ACPI_ID, sizeof(t->acpi), &t->acpi,
			sizeof(t->acpi), error);
	return ret;
}

static int32_t create(
	const struct vmm_create_args *args, const struct vio_bus *bus, struct vio_transport **ret)
{
	struct vio_transport *t = calloc(1, sizeof(*t));
	int32_t status;

	if (!t) {
		vmm_set_error(args->error, "virtio: no memory");
		return VMM_E_NOMEM;
	}
	t->hello = args->hello;
	t->host = args->host;
	t->bus = bus;
	status = query_services(t, args->error);
	if (status < 0) {
		free(t);
		return status;
	}
	*ret = t;
	return 0;
}

static int32_t pci_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct vio_transport *t;
	int32_t ret = create(args, &vio_pci_bus, &t);

	if (ret < 0)
		return ret;
	t->bus_ref = args->values[0];
	*ret_ctx = t;
	return 0;
}

static int32_t mmio_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct vio_transport *t;
	int32_t ret = create(args, &vio_mmio_bus, &t);

	if (ret < 0)
		return ret;
	ret = query_mmio(t, args->error);
	if (ret < 0) {
		free(t);
		return ret;
	}
	*ret_ctx = t;
	return 0;
}

static int32_t pci_bind(void *ctx, struct vmm_error *error)
{
	struct vio_transport *t = ctx;

	return vmm_query_ref(t->hello, t->host, t->bus_ref, VMM_PCI_BUS_ID, sizeof(t->pci), &t->pci,
		sizeof(t->pci), &t->pci_bus, error);
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	if (strcmp(id, VMM_VIRTIO_ID) != 0)
		return VMM_E_UNSUPPORTED;
	*ret_table = &vio_table;
	*ret_object = ctx;
	return 0;
}

void vio_stopped(struct vio_transport *t)
{
	if (atomic_fetch_sub(&t->stops, 1) == 1)
		t->machine.quiesced(t->host);
}

/* Devices hear of the stop as of a reset, each on its own loop. */
static int32_t quiesce(void *ctx)
{
	struct vio_transport *t = ctx;

	/* One for ourselves, so that the count cannot reach 0 while devices are being told. */
	atomic_store(&t->stops, 1);
	for (struct vio_device *d = t->devices; d; d = d->next) {
		if (!d->attached)
			continue;
		atomic_fetch_add(&t->stops, 1);
		atomic_fetch_or_explicit(&d->gate, GATE_STOP, memory_order_release);
		vio_work_add(d, WORK_STOP);
	}
	return atomic_fetch_sub(&t->stops, 1) == 1 ? 0 : VMM_PENDING;
}

static void destroy(void *ctx)
{
	struct vio_transport *t = ctx;

	while (t->devices) {
		struct vio_device *d = t->devices;

		t->devices = d->next;
		vio_device_free(d);
	}
	free(t);
}

static const char *const provides[] = {VMM_VIRTIO_ID};

static const struct vmm_device_ops pci_ops = {
	.size = sizeof(pci_ops),
	.create = pci_create,
	.bind = pci_bind,
	.get_interface = get_interface,
	.quiesce = quiesce,
	.destroy = destroy,
};

static const struct vmm_device_ops mmio_ops = {
	.size = sizeof(mmio_ops),
	.create = mmio_create,
	.get_interface = get_interface,
	.quiesce = quiesce,
	.destroy = destroy,
};

static const struct vmm_device_type pci_type = {
	.size = sizeof(pci_type),
	.name = "virtio-pci",
	.summary = "virtio transport over PCI",
	.thread_model = VMM_THREADS_PARALLEL,
	.options = pci_options,
	.option_count = 1,
	.provides = provides,
	.provides_count = 1,
	.ops = &pci_ops,
};

static const struct vmm_device_type mmio_type = {
	.size = sizeof(mmio_type),
	.name = "virtio-mmio",
	.summary = "virtio transport over memory-mapped I/O, for machines without PCI",
	.thread_model = VMM_THREADS_PARALLEL,
	.provides = provides,
	.provides_count = 1,
	.ops = &mmio_ops,
};

static const struct vmm_device_type *const types[] = {&pci_type, &mmio_type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "vmm.virtio",
	.version = "0.1.1",
	.summary = "virtio 1.2 transport: rings, registers, interrupts",
	.types = types,
	.type_count = sizeof(types) / sizeof(*types),
};

VMM_PLUGIN_TYPES(desc, "vmm.virtio", 1, "virtio-pci,virtio-mmio");
