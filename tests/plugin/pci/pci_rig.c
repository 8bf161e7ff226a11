/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the test and the bus they sit on.
 */
#include "pci_rig.h"

static int32_t bar_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct rig_function *function = ctx;

	(void)width;
	function->reads++;
	*ret_value = RIG_READ | offset;
	return 0;
}

static int32_t bar_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct rig_function *function = ctx;

	function->writes++;
	function->offset = offset;
	function->width = width;
	function->value = value;
	return 0;
}

static const struct vmm_io_ops bar_ops = {sizeof(bar_ops), bar_read, bar_write};

static int32_t cap_read(
	void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value)
{
	struct rig_function *function = ctx;

	function->cap_reads++;
	function->cap = cap;
	function->cap_offset = offset;
	function->cap_width = width;
	if (function->cap_fails)
		return VMM_E_IO;
	*ret_value = 0xc0c1c2c3;
	return 0;
}

static int32_t cap_write(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value)
{
	struct rig_function *function = ctx;

	function->cap_writes++;
	function->cap = cap;
	function->cap_offset = offset;
	function->cap_width = width;
	function->cap_value = value;
	if (function->cap_enters_bar) {
		function->rig->bus->intx_set(function->rig->object, function->handle, 1);
		fake_bar_read(&function->pci, 0, 0, 4);
		fake_pci_read(&function->pci, FAKE_PCI_COMMAND, 2);
	}
	return 0;
}

static void msix_changed(void *ctx, uint32_t enabled)
{
	struct rig_function *function = ctx;

	function->msix_changes++;
	function->msix_enabled = enabled;
	/* The owner may ask the bus from here. */
	if (function->rig->bus->msix_enabled(function->rig->object, function->handle) !=
		(int32_t)enabled)
		function->msix_enabled = 99;
}

static void bus_master_changed(void *ctx, uint32_t enabled)
{
	struct rig_function *function = ctx;

	function->master_changes++;
	function->master = enabled;
}

static const struct vmm_pci_function_ops function_ops = {
	.size = sizeof(function_ops),
	.cap_read = cap_read,
	.cap_write = cap_write,
	.msix_changed = msix_changed,
	.bus_master_changed = bus_master_changed,
};

void rig_up(struct rig *rig, const struct fake_config *config)
{
	const void *table;

	memset(rig, 0, sizeof(*rig));
	rig->host = fake_host_create(config);
	fake_plugin_load(rig->host, FAKE_PLUGIN("pci"));
	assert_int_equal(fake_device_add(rig->host, "pci", "pci0", NULL, NULL), 0);
	rig->owner = fake_device_bare(rig->host, "owner", VMM_THREADS_PARALLEL);
	assert_int_equal(fake_host_start(rig->host), 0);
	assert_int_equal(
		fake_interface(rig->host, "pci0", VMM_PCI_BUS_ID, &table, &rig->object), 0);
	rig->bus = table;
}

void rig_down(struct rig *rig)
{
	fake_host_destroy(rig->host);
}

int32_t rig_try_add(struct rig *rig, struct rig_function *function)
{
	struct vmm_error error = {sizeof(error), rig->error, sizeof(rig->error)};
	struct vmm_pci_bar bars[8];
	const struct vmm_pci_bar *bar_list[8];
	const struct vmm_pci_cap *cap_list[32];
	struct vmm_pci_function what = {
		.struct_size = sizeof(what),
		.owner = rig->owner,
		.name = "rig",
		.slot = function->slot ? function->slot : VMM_PCI_SLOT_AUTO,
		.vendor_id = RIG_VENDOR,
		.device_id = RIG_DEVICE,
		.subsystem_vendor_id = 0x1111,
		.subsystem_id = 0x2222,
		.class_code = RIG_CLASS,
		.revision = 7,
		.msix_vectors = function->vectors,
		.msix_bar = function->msix_bar,
		.intx = function->intx,
		.bars = bar_list,
		.bar_count = function->bar_count,
		.caps = cap_list,
		.cap_count = function->cap_count,
		.ops = function->ops ? function->ops : &function_ops,
		.ctx = function,
		.error = &error,
	};
	uint32_t i;

	rig->error[0] = 0;
	function->rig = rig;
	for (i = 0; i < function->bar_count; i++) {
		bars[i] = function->bars[i];
		bars[i].ops = &bar_ops;
		bars[i].ctx = function;
		bar_list[i] = &bars[i];
	}
	for (i = 0; i < function->cap_count; i++)
		cap_list[i] = &function->caps[i];
	return rig->bus->add(rig->object, &what, &function->handle);
}

void rig_add(struct rig *rig, struct rig_function *function)
{
	assert_int_equal(rig_try_add(rig, function), 0);
	assert_true(fake_pci_probe(rig->host, (uint32_t)function->handle, &function->pci));
}

void rig_remove(struct rig_function *function)
{
	function->rig->bus->remove(function->rig->object, function->handle);
}
