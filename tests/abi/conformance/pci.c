/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function on a PCI bus: BARs, a capability, MSI-X, INTx, a doorbell and DMA.
 */
#include "conformance.h"

static int32_t cap_read(
	void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value)
{
	(void)ctx;
	(void)cap;
	(void)width;
	*ret_value = offset;
	return 0;
}

static int32_t cap_write(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value)
{
	(void)ctx;
	(void)cap;
	(void)offset;
	(void)width;
	(void)value;
	return 0;
}

static void changed(void *ctx, uint32_t enabled)
{
	(void)ctx;
	(void)enabled;
}

static int32_t add(struct conformance *c, struct vmm_error *error)
{
	static const struct vmm_pci_function_ops ops = {
		.size = sizeof(ops),
		.cap_read = cap_read,
		.cap_write = cap_write,
		.msix_changed = changed,
		.bus_master_changed = changed,
	};
	static const uint8_t body[] = {16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	struct vmm_pci_bar bar = {0};
	struct vmm_pci_cap cap = {0};
	const struct vmm_pci_bar *const bars[] = {&bar};
	const struct vmm_pci_cap *const caps[] = {&cap};
	struct vmm_pci_function function = {0};

	bar.struct_size = sizeof(bar);
	bar.kind = VMM_PCI_BAR_MEM32;
	bar.bytes = 4096;
	bar.ops = &conformance_registers;
	bar.ctx = c;
	bar.width_max = 4;
	cap.struct_size = sizeof(cap);
	cap.id = 9;
	cap.flags = VMM_PCI_CAP_HOOKED;
	cap.body = body;
	cap.body_bytes = sizeof(body);
	function.struct_size = sizeof(function);
	function.owner = c->host;
	function.name = "conformance";
	function.slot = VMM_PCI_SLOT_AUTO;
	function.vendor_id = 0x1234;
	function.device_id = 0x5678;
	function.class_code = 0x088000;
	function.msix_vectors = 2;
	function.msix_bar = 1;
	function.intx = 1;
	function.bars = bars;
	function.bar_count = COUNT(bars);
	function.caps = caps;
	function.cap_count = COUNT(caps);
	function.ops = &ops;
	function.ctx = c;
	function.error = error;
	return c->pci.add(c->bus, &function, &c->function);
}

int32_t pci_try(struct conformance *c, struct vmm_error *error)
{
	struct vmm_doorbell doorbell = {0};
	uint64_t bell;
	int32_t fd = -1;

	MUST(add(c, error));
	c->has_function = 1;
	MUST(c->pci.msix_fd(c->bus, c->function, 1, &fd));
	EXPECT(fd >= 0);
	EXPECT(c->pci.msix_fd(c->bus, c->function, 2, &fd) == VMM_E_RANGE);
	EXPECT(c->pci.msix_enabled(c->bus, c->function) == 0);
	EXPECT(c->pci.bus_master(c->bus, c->function) == 0);
	MUST(c->pci.intx_set(c->bus, c->function, 1));
	MUST(c->pci.intx_set(c->bus, c->function, 0));
	EXPECT(c->pci.dma_space(c->bus, c->function) == VMM_SPACE_SYSTEM);
	doorbell.struct_size = sizeof(doorbell);
	doorbell.offset = 0x100;
	doorbell.width = 4;
	MUST(c->pci.doorbell_add(c->bus, c->function, &doorbell, &bell, &fd));
	return 0;
}

void pci_drop(struct conformance *c)
{
	if (c->has_function)
		c->pci.remove(c->bus, c->function);
	c->has_function = 0;
}
