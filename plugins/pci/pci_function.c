/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a function out of its description: header, capabilities, BARs, MSI-X, pin; and undoes it.
 */
#include <stdlib.h>
#include <string.h>

#include "pci.h"

#define CAP_HEADER_BYTES 2u /* id and next */

static int32_t fail(struct vmm_error *error, const char *text)
{
	vmm_set_error(error, "%s", text);
	return VMM_E_INVAL;
}

static void header_fill(struct pci_function *function, const struct vmm_pci_function *what)
{
	uint8_t *config = function->config;

	pci_put(config + PCI_VENDOR_ID, 2, what->vendor_id);
	pci_put(config + PCI_DEVICE_ID, 2, what->device_id);
	pci_put(config + PCI_REVISION, 1, what->revision);
	pci_put(config + PCI_CLASS, 3, what->class_code);
	pci_put(config + PCI_SUBSYSTEM, 2, what->subsystem_vendor_id);
	pci_put(config + PCI_SUBSYSTEM + 2, 2, what->subsystem_id);

	pci_put(function->write_mask + PCI_COMMAND, 2,
		PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER |
			PCI_COMMAND_INTX_OFF);
	pci_put(function->clear_mask + PCI_STATUS, 2, PCI_STATUS_W1C);
	function->write_mask[PCI_CACHE_LINE] = 0xff;
	function->write_mask[PCI_INTR_LINE] = 0xff;
}

/*
 * ---- Capabilities ----
 */

/* Where the next capability goes, and the byte that has to point there. */
struct cap_list {
	uint32_t end;
	uint32_t link;
};

static int32_t cap_put(struct pci_function *function, struct cap_list *list,
	const struct vmm_pci_cap *cap, struct vmm_error *error)
{
	uint32_t at = list->end, body = at + CAP_HEADER_BYTES;

	if (cap->body_bytes > PCI_CONFIG_BYTES || body + cap->body_bytes > PCI_CONFIG_BYTES) {
		vmm_set_error(error, "configuration space has no room for all capabilities");
		return VMM_E_LIMIT;
	}
	function->config[at] = (uint8_t)cap->id;
	function->config[list->link] = (uint8_t)at;
	if (cap->body_bytes)
		memcpy(function->config + body, cap->body, cap->body_bytes);
	if (cap->write_mask)
		memcpy(function->write_mask + body, cap->write_mask, cap->body_bytes);
	function->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	list->link = at + 1;
	list->end = (body + cap->body_bytes + 3) & ~3u;
	return 0;
}

static int32_t caps_add(
	struct pci_function *function, struct cap_list *list, const struct vmm_pci_function *what)
{
	uint32_t i;
	int32_t ret;

	if (what->cap_count > PCI_CAPS_MAX)
		return fail(what->error, "there are too many capabilities");
	for (i = 0; i < what->cap_count; i++) {
		struct vmm_pci_cap cap;
		uint32_t body = list->end + CAP_HEADER_BYTES;

		ret = pci_request_copy(&cap, sizeof(cap), what->caps[i]);
		if (ret < 0)
			return ret;
		if (cap.id > 0xff || cap.reserved || (cap.flags & ~VMM_PCI_CAP_HOOKED) ||
			(cap.body_bytes && !cap.body))
			return fail(what->error, "a capability's description is wrong");
		ret = cap_put(function, list, &cap, what->error);
		if (ret < 0)
			return ret;
		if (cap.flags & VMM_PCI_CAP_HOOKED)
			function->hooks[function->hook_count++] =
				(struct pci_hook){i, body, cap.body_bytes};
	}
	return 0;
}

/* The BAR for the table comes with it. */
static int32_t msix_add(
	struct pci_function *function, struct cap_list *list, const struct vmm_pci_function *what)
{
	static const uint8_t write_mask[10] = {0, (PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL) >> 8};
	uint8_t body[10];
	struct vmm_pci_cap cap = {
		.struct_size = sizeof(cap),
		.id = PCI_CAP_ID_MSIX,
		.body = body,
		.write_mask = write_mask,
		.body_bytes = sizeof(body),
	};
	int32_t ret = pci_msix_add(function, what->msix_vectors, what->msix_bar, what->error);

	if (ret < 0)
		return ret;
	function->msix.cap = list->end;
	pci_msix_body(&function->msix, body);
	return cap_put(function, list, &cap, what->error);
}

/*
 * ---- The whole ----
 */

static int32_t bars_add(struct pci_function *function, const struct vmm_pci_function *what)
{
	struct vmm_pci_bar bar;
	uint64_t i;
	int32_t ret;

	if (what->bar_count > PCI_BARS)
		return fail(what->error, "there are more than 6 BARs");
	for (i = 0; i < what->bar_count; i++) {
		ret = pci_request_copy(&bar, sizeof(bar), what->bars[i]);
		if (ret < 0)
			return ret;
		ret = pci_bar_add(function, &bar, what->error);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int32_t slot_find(
	const struct pci_bus *bus, const struct vmm_pci_function *what, uint32_t *ret_slot)
{
	uint32_t slot = what->slot;

	if (slot == VMM_PCI_SLOT_AUTO) {
		for (slot = 1; slot < PCI_SLOTS && bus->slots[slot]; slot++)
			;
		if (slot == PCI_SLOTS) {
			vmm_set_error(what->error, "all 31 slots of the PCI bus are taken");
			return VMM_E_LIMIT;
		}
	}
	if (!slot || slot >= PCI_SLOTS) {
		vmm_set_error(what->error, "PCI slot %u does not exist; there are 1 to 31", slot);
		return VMM_E_INVAL;
	}
	if (bus->slots[slot]) {
		vmm_set_error(what->error, "PCI slot %u is taken by \"%s\"", slot,
			bus->slots[slot]->name);
		return VMM_E_BUSY;
	}
	*ret_slot = slot;
	return 0;
}

static int32_t function_fill(struct pci_function *function, const struct vmm_pci_function *what)
{
	struct cap_list list = {PCI_HEADER_BYTES, PCI_CAP_POINTER};
	int32_t ret;

	header_fill(function, what);
	ret = bars_add(function, what);
	if (ret >= 0)
		ret = caps_add(function, &list, what);
	if (ret >= 0 && what->msix_vectors)
		ret = msix_add(function, &list, what);
	if (ret >= 0 && what->intx)
		ret = pci_intx_add(function, what->error);
	return ret;
}

int32_t pci_function_create(struct pci_bus *bus, const struct vmm_pci_function *what,
	struct pci_function **ret_function)
{
	struct pci_function *function;
	uint32_t slot;
	int32_t ret;

	if (what->class_code > 0xffffff || what->revision > 0xff || what->intx > 1 ||
		!what->owner || !what->name)
		return fail(what->error, "the description of the PCI function is wrong");
	ret = slot_find(bus, what, &slot);
	if (ret < 0)
		return ret;
	function = calloc(1, sizeof(*function));
	if (!function)
		return VMM_E_NOMEM;
	function->bus = bus;
	function->owner = what->owner;
	function->slot = slot;
	function->ctx = what->ctx;
	if (what->ops) {
		uint64_t bytes = what->ops->size;

		memcpy(&function->ops, what->ops,
			bytes < sizeof(function->ops) ? bytes : sizeof(function->ops));
	}
	function->name = strdup(what->name);
	ret = function->name ? function_fill(function, what) : VMM_E_NOMEM;
	if (ret < 0) {
		pci_function_destroy(function);
		return ret;
	}
	*ret_function = function;
	return 0;
}

void pci_function_destroy(struct pci_function *function)
{
	uint32_t i;

	if (!function)
		return;
	pci_intx_remove(function);
	for (i = 0; i < PCI_BARS; i++)
		pci_bar_remove(function, &function->bars[i]);
	pci_msix_remove(function);
	free(function->name);
	free(function);
}
