/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over PCI: one function for each device, and the registers in its BARs.
 *
 * BAR 0 is 32 bits wide and not prefetchable: reading the ISR has a side effect, and the 32-bit
 * window can be reached by guests that do not use addresses above 4 GiB. Common configuration, ISR,
 * device configuration and doorbells have a page each.
 *
 * Each queue has a doorbell of its own, four bytes apart, so no data needs to be matched. Doorbells
 * are there twice. The kernel turns a write to a port into an eventfd without looking at the
 * instruction, while for a write to memory AMD's processors have it decode one: more than twice the
 * time where it was measured (docs/testbed.md). So the ports come first, and a driver takes what
 * comes first; they never reach this file. Those in memory do, and ring the same eventfd; they are
 * for drivers without ports. A device of more queues than a BAR of ports has room for has them in
 * memory only, and there the kernel catches them. Of a device that serves its queues on vCPUs the
 * kernel catches none.
 */
#include <stdlib.h>

#include "pci.h"

/* A register of the common configuration structure (4.1.4.3), or half of a 64-bit one. */
struct field {
	uint8_t width;
	uint8_t reg; /* enum vio_register */
};

static const struct field fields[PCI_COMMON_END] = {
	[0x00] = {4, REG_DEVICE_FEATURE_SELECT},
	[0x04] = {4, REG_DEVICE_FEATURE},
	[0x08] = {4, REG_DRIVER_FEATURE_SELECT},
	[0x0c] = {4, REG_DRIVER_FEATURE},
	[0x10] = {2, REG_CONFIG_VECTOR},
	[0x12] = {2, REG_NUM_QUEUES},
	[0x14] = {1, REG_STATUS},
	[0x15] = {1, REG_GENERATION},
	[0x16] = {2, REG_QUEUE_SELECT},
	[0x18] = {2, REG_QUEUE_SIZE},
	[0x1a] = {2, REG_QUEUE_VECTOR},
	[0x1c] = {2, REG_QUEUE_ENABLE},
	[0x1e] = {2, REG_QUEUE_NOTIFY_OFF},
	[0x20] = {4, REG_QUEUE_DESC_LOW},
	[0x24] = {4, REG_QUEUE_DESC_HIGH},
	[0x28] = {4, REG_QUEUE_DRIVER_LOW},
	[0x2c] = {4, REG_QUEUE_DRIVER_HIGH},
	[0x30] = {4, REG_QUEUE_DEVICE_LOW},
	[0x34] = {4, REG_QUEUE_DEVICE_HIGH},
};

/* The register at an offset, if it is accessed as a whole. */
static enum vio_register field_at(uint64_t offset, uint32_t width)
{
	if (offset >= PCI_COMMON_END || fields[offset].width != width)
		return REG_NONE;
	return (enum vio_register)fields[offset].reg;
}

int32_t vio_bar_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct vio_device *d = ctx;
	enum vio_register reg = field_at(offset, width);

	if (reg != REG_NONE)
		*ret_value = vio_register_read(d, reg);
	else if (offset == PCI_ISR && width == 1)
		*ret_value = vio_irq_take(d);
	else if (offset >= PCI_CONFIG && offset < PCI_NOTIFY)
		*ret_value = vio_config_read(d, offset - PCI_CONFIG, width);
	else
		*ret_value = 0;
	return 0;
}

int32_t vio_bar_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct vio_device *d = ctx;
	enum vio_register reg = field_at(offset, width);

	if (reg != REG_NONE)
		vio_register_write(d, reg, (uint32_t)value);
	else if (offset >= PCI_CONFIG && offset < PCI_NOTIFY)
		vio_config_write(d, offset - PCI_CONFIG, width, value);
	else if (offset >= PCI_NOTIFY && !(offset % PCI_NOTIFY_STEP) && width >= 2)
		vio_doorbell_ring(d, (offset - PCI_NOTIFY) / PCI_NOTIFY_STEP);
	return 0;
}

int32_t vio_ports_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	*ret_value = 0;
	return 0;
}

int32_t vio_ports_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	(void)value;
	if (!(offset % PCI_NOTIFY_STEP) && width >= 2)
		vio_doorbell_ring(ctx, offset / PCI_NOTIFY_STEP);
	return 0;
}

static void msix_changed(void *ctx, uint32_t enabled)
{
	struct vio_device *d = ctx;

	atomic_store_explicit(&d->irq.msix, enabled, memory_order_relaxed);
}

static void bus_master_changed(void *ctx, uint32_t enabled)
{
	struct vio_device *d = ctx;

	if (!enabled) {
		atomic_fetch_or_explicit(&d->gate, GATE_NO_DMA, memory_order_release);
		vio_work_add(d, WORK_TAKE);
		return;
	}
	atomic_fetch_and_explicit(&d->gate, ~GATE_NO_DMA, memory_order_release);
	vio_work_add(d, WORK_RESCAN);
}

static const struct vmm_io_ops bar_ops = {
	.size = sizeof(bar_ops),
	.read = vio_bar_read,
	.write = vio_bar_write,
};

static const struct vmm_io_ops ports_ops = {
	.size = sizeof(ports_ops),
	.read = vio_ports_read,
	.write = vio_ports_write,
};

static const struct vmm_pci_function_ops function_ops = {
	.size = sizeof(function_ops),
	.cap_read = vio_cap_read,
	.cap_write = vio_cap_write,
	.msix_changed = msix_changed,
	.bus_master_changed = bus_master_changed,
};

/* Size of the BAR for the doorbells of that many queues; 0: no room. */
static uint32_t ports_bytes(uint32_t queues)
{
	uint32_t bytes = PCI_NOTIFY_STEP;

	while (bytes < queues * PCI_NOTIFY_STEP)
		bytes *= 2;
	return bytes <= PCI_PORTS_BYTES ? bytes : 0;
}

static int32_t add_function(
	struct vio_device *d, struct vio_function *f, const struct vmm_virtio_device *request)
{
	struct vmm_pci_cap cap[PCI_CAPS_MAX];
	const struct vmm_pci_cap *caps[PCI_CAPS_MAX];
	const struct vmm_pci_bar bar = {
		.struct_size = sizeof(bar),
		.index = PCI_BAR,
		.kind = VMM_PCI_BAR_MEM32,
		.bytes = PCI_BAR_BYTES,
		.ops = &bar_ops,
		.ctx = d,
		.width_max = 4,
	};
	const struct vmm_pci_bar ports = {
		.struct_size = sizeof(ports),
		.index = PCI_PORTS_BAR,
		.kind = VMM_PCI_BAR_IO,
		.bytes = f->ports_bytes,
		.ops = &ports_ops,
		.ctx = d,
		.width_max = 4,
	};
	const struct vmm_pci_bar *const bars[] = {&bar, &ports};
	struct vmm_pci_function function = {
		.struct_size = sizeof(function),
		.owner = d->transport->host,
		.name = d->name,
		.slot = request->slot == VMM_VIRTIO_SLOT_AUTO ? VMM_PCI_SLOT_AUTO : request->slot,
		.vendor_id = 0x1af4,
		.device_id = (uint16_t)(0x1040 + d->device_id),
		.subsystem_vendor_id = 0x1af4,
		.subsystem_id = (uint16_t)(0x1040 + d->device_id),
		.class_code = request->class_code,
		.revision = 1,
		.msix_vectors = d->queue_count + 1,
		.msix_bar = PCI_MSIX_BAR,
		.intx = 1,
		.bars = bars,
		.bar_count = f->ports_bytes ? 2 : 1,
		.caps = caps,
		.ops = &function_ops,
		.ctx = d,
		.error = request->error,
	};
	int32_t ret;

	vio_caps_make(d, cap, caps);
	function.cap_count = f->cap_count;
	ret = d->transport->pci.add(d->transport->pci_bus, &function, &f->handle);
	f->added = ret >= 0;
	return ret;
}

static int32_t open_vectors(struct vio_device *d, const struct vio_function *f)
{
	uint32_t count = d->queue_count + 1;

	d->irq.vector_fds = calloc(count, sizeof(*d->irq.vector_fds));
	if (!d->irq.vector_fds)
		return VMM_E_NOMEM;
	for (uint32_t i = 0; i < count; i++) {
		int32_t ret = d->transport->pci.msix_fd(
			d->transport->pci_bus, f->handle, i, &d->irq.vector_fds[i]);

		if (ret < 0)
			return ret;
	}
	d->irq.vector_count = count;
	return 0;
}

static int32_t add_doorbells(struct vio_device *d, const struct vio_function *f)
{
	uint64_t first = f->ports_bytes ? 0 : PCI_NOTIFY;

	if (d->ops->serve)
		return 0; /* attach.c has made them */
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct vio_queue *queue = &d->queues[i];
		const struct vmm_doorbell doorbell = {
			.struct_size = sizeof(doorbell),
			.region = f->ports_bytes ? PCI_PORTS_BAR : PCI_BAR,
			.offset = first + i * PCI_NOTIFY_STEP,
			.width = 0, /* KVM is fastest when it need not decode the write */
		};
		int32_t ret = d->transport->pci.doorbell_add(d->transport->pci_bus, f->handle,
			&doorbell, &queue->doorbell, &queue->doorbell_fd);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int32_t attach(
	struct vio_device *d, const struct vmm_virtio_device *request, uint64_t *ret_space)
{
	struct vio_transport *t = d->transport;
	struct vio_function *f = calloc(1, sizeof(*f));
	int32_t ret;

	if (!f)
		return VMM_E_NOMEM;
	d->bus = f;
	f->ports_bytes = ports_bytes(d->queue_count);
	ret = add_function(d, f, request);
	if (ret < 0)
		return ret;
	ret = open_vectors(d, f);
	if (ret < 0)
		goto failed;
	ret = add_doorbells(d, f);
	if (ret < 0)
		goto failed;
	if (t->pci.bus_master(t->pci_bus, f->handle) != 1)
		atomic_fetch_or_explicit(&d->gate, GATE_NO_DMA, memory_order_release);
	*ret_space = t->pci.dma_space(t->pci_bus, f->handle);
	return 0;
failed:
	vmm_set_error(request->error, "virtio: no vectors or doorbells for %u queues: %s",
		d->queue_count, vmm_error_text(ret));
	return ret;
}

static void detach(struct vio_device *d)
{
	struct vio_function *f = d->bus;

	if (f && f->added)
		d->transport->pci.remove(d->transport->pci_bus, f->handle);
	free(f);
	d->bus = NULL;
}

static void set_line(struct vio_device *d, uint32_t level)
{
	const struct vio_function *f = d->bus;

	d->transport->pci.intx_set(d->transport->pci_bus, f->handle, level);
}

const struct vio_bus vio_pci_bus = {
	.attach = attach,
	.detach = detach,
	.set_line = set_line,
};
