/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edu: a PCI device to learn with: registers in memory, a buffer, DMA, and two MSI-X vectors. The
 * device type has the thread model LOOP, so that nothing here needs a lock. README.md has the
 * registers.
 */
#include "edu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <vmm/support.h>

enum {
	OPTION_BUS,
	OPTION_SLOT,
};

struct edu {
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_log log;
	struct vmm_loop loop;
	struct vmm_memory memory;
	struct vmm_pci_bus bus;
	void *bus_object;
	uint64_t function;
	uint64_t space; /* that the function's DMA goes to */
	int has_function;

	uint32_t check;
	uint32_t status;
	uint32_t command; /* under way, while status is BUSY */
	uint32_t address[2];
	uint32_t bytes;
	uint8_t buffer[EDU_BUFFER_BYTES];
};

static void raise_vector(struct edu *edu, uint32_t vector)
{
	int32_t fd;

	if (edu->bus.msix_enabled(edu->bus_object, edu->function) &&
		edu->bus.msix_fd(edu->bus_object, edu->function, vector, &fd) >= 0)
		eventfd_write(fd, 1);
}

/* Later than the write that asked for it, as it is with a real device. */
static void dma_cb(void *ctx)
{
	struct edu *edu = ctx;
	const vmm_gpa gpa = {edu->address[0] | (uint64_t)edu->address[1] << 32};
	int32_t ret = VMM_E_PERM;

	if (!edu->bus.bus_master(edu->bus_object, edu->function))
		vmm_guest_errorf(&edu->log, edu->host, "bus-master", "DMA without bus master");
	else if (edu->command == EDU_TO_GUEST)
		ret = edu->memory.write(edu->host, edu->space, gpa, edu->buffer, edu->bytes);
	else
		ret = edu->memory.read(edu->host, edu->space, gpa, edu->buffer, edu->bytes);
	edu->status = ret < 0 ? EDU_FAILED : EDU_DONE;
	raise_vector(edu, EDU_VECTOR_DMA);
}

static void start_dma(struct edu *edu, uint32_t command)
{
	if (edu->status == EDU_BUSY)
		return;
	if ((command != EDU_TO_GUEST && command != EDU_FROM_GUEST) || !edu->bytes ||
		edu->bytes > EDU_BUFFER_BYTES) {
		edu->status = EDU_FAILED;
		return;
	}
	edu->command = command;
	edu->status = EDU_BUSY;
	if (edu->loop.post(edu->host, edu->loop.own(edu->host), dma_cb, edu) < 0)
		edu->status = EDU_FAILED;
}

static uint32_t register_read(const struct edu *edu, uint64_t offset)
{
	switch (offset) {
	case EDU_IDENT:
		return EDU_IDENT_VALUE;
	case EDU_CHECK:
		return ~edu->check;
	case EDU_STATUS:
		return edu->status;
	case EDU_ADDRESS:
		return edu->address[0];
	case EDU_ADDRESS + 4:
		return edu->address[1];
	case EDU_BYTES:
		return edu->bytes;
	default:
		return 0;
	}
}

static void register_write(struct edu *edu, uint64_t offset, uint32_t value)
{
	const int busy = edu->status == EDU_BUSY; /* what the DMA uses stays as it is */

	switch (offset) {
	case EDU_CHECK:
		edu->check = value;
		break;
	case EDU_COMMAND:
		start_dma(edu, value);
		break;
	case EDU_ADDRESS:
	case EDU_ADDRESS + 4:
		if (!busy)
			edu->address[(offset - EDU_ADDRESS) / 4] = value;
		break;
	case EDU_BYTES:
		if (!busy)
			edu->bytes = value;
		break;
	case EDU_RAISE:
		raise_vector(edu, EDU_VECTOR_RAISE);
		break;
	default:
		break;
	}
}

/* The core sees to it that offset + width does not pass the BAR's end. */
static int32_t bar_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	const struct edu *edu = ctx;
	uint64_t value = 0;

	if (offset >= EDU_BUFFER)
		memcpy(&value, edu->buffer + (offset - EDU_BUFFER), width);
	else if (width == 4)
		value = register_read(edu, offset);
	*ret_value = value;
	return 0;
}

static int32_t bar_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct edu *edu = ctx;

	if (offset >= EDU_BUFFER)
		memcpy(edu->buffer + (offset - EDU_BUFFER), &value, width);
	else if (width == 4)
		register_write(edu, offset, (uint32_t)value);
	return 0;
}

static const struct vmm_io_ops bar_ops = {
	.size = sizeof(bar_ops),
	.read = bar_read,
	.write = bar_write,
};

static int32_t query_services(struct edu *edu, struct vmm_error *error)
{
	int32_t ret = vmm_query(edu->hello, edu->host, VMM_LOG_ID, sizeof(edu->log), &edu->log,
		sizeof(edu->log), error);

	if (ret >= 0)
		ret = vmm_query(edu->hello, edu->host, VMM_LOOP_ID, sizeof(edu->loop), &edu->loop,
			sizeof(edu->loop), error);
	if (ret >= 0)
		ret = vmm_query(edu->hello, edu->host, VMM_MEMORY_ID, sizeof(edu->memory),
			&edu->memory, sizeof(edu->memory), error);
	return ret;
}

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct edu *edu = calloc(1, sizeof(*edu));
	int32_t ret;

	if (!edu) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	edu->hello = args->hello;
	edu->host = args->host;
	edu->id = args->device_id;
	edu->values = args->values;
	ret = query_services(edu, args->error);
	if (ret < 0) {
		free(edu);
		return ret;
	}
	*ret_ctx = edu;
	return 0;
}

/* Other devices exist from here on. */
static int32_t bind(void *ctx, struct vmm_error *error)
{
	struct edu *edu = ctx;

	return vmm_query_ref(edu->hello, edu->host, edu->values[OPTION_BUS], VMM_PCI_BUS_ID,
		sizeof(edu->bus), &edu->bus, sizeof(edu->bus), &edu->bus_object, error);
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct edu *edu = ctx;
	const struct vmm_value *slot = edu->values[OPTION_SLOT];
	const struct vmm_pci_bar bar = {
		.struct_size = sizeof(bar),
		.index = EDU_BAR,
		.kind = VMM_PCI_BAR_MEM32,
		.bytes = EDU_BAR_BYTES,
		.ops = &bar_ops,
		.ctx = edu,
		.width_max = 4,
	};
	const struct vmm_pci_bar *const bars[] = {&bar};
	const struct vmm_pci_function function = {
		.struct_size = sizeof(function),
		.owner = edu->host,
		.name = edu->id,
		.slot = slot->flags & VMM_VALUE_PRESENT ? (uint32_t)slot->number
							: VMM_PCI_SLOT_AUTO,
		.vendor_id = EDU_VENDOR_ID,
		.device_id = EDU_DEVICE_ID,
		.class_code = 0xff0000, /* no class fits */
		.msix_vectors = EDU_VECTORS,
		.msix_bar = EDU_MSIX_BAR,
		.bars = bars,
		.bar_count = 1,
		.ctx = edu,
		.error = error,
	};
	int32_t ret = edu->bus.add(edu->bus_object, &function, &edu->function);

	if (ret < 0)
		return ret; /* the bus has filled error */
	edu->has_function = 1;
	edu->space = edu->bus.dma_space(edu->bus_object, edu->function);
	return 0;
}

static void unrealize(void *ctx)
{
	struct edu *edu = ctx;

	if (edu->has_function)
		edu->bus.remove(edu->bus_object, edu->function);
	edu->has_function = 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.bind = bind,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

static const struct vmm_option option_bus = {
	.struct_size = sizeof(option_bus),
	.name = "bus",
	.type = VMM_OPT_REF,
	.flags = VMM_OPT_REQUIRED,
	.interface_id = VMM_PCI_BUS_ID,
	.doc = "PCI bus that the device sits on",
};

static const struct vmm_option option_slot = {
	.struct_size = sizeof(option_slot),
	.name = "slot",
	.type = VMM_OPT_UINT,
	.min = 1,
	.max = 31,
	.doc = "device number on the bus; the next free one if not given",
};

static const struct vmm_option *const options[] = {
	[OPTION_BUS] = &option_bus,
	[OPTION_SLOT] = &option_slot,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "edu",
	.summary = "a PCI device to learn with",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "com.example.edu",
	.version = "0.1.0",
	.summary = "a PCI device to learn with",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "com.example.edu", 1);
