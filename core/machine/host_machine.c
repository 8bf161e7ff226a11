/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host services vmm.machine/1 and vmm.acpi/1: the machine as a whole, and what a device adds to its
 * ACPI tables.
 */
#include <string.h>

#include <vmm/acpi.h>
#include <vmm/machine.h>

#include "acpi/acpi.h"
#include "log/log.h"
#include "loop/loop.h"
#include "machine/host.h"
#include "machine/machine.h"

static int32_t host_layout(vmm_host *host, struct vmm_layout *ret_layout)
{
	const struct vmm_layout *layout = &host->machine->layout;
	uint64_t bytes = ret_layout->struct_size;

	if (bytes < sizeof(uint64_t))
		return VMM_E_INVAL;
	if (bytes > sizeof(*layout))
		bytes = sizeof(*layout);
	memcpy(ret_layout, layout, bytes);
	ret_layout->struct_size = bytes;
	return 0;
}

static void host_stop(vmm_host *host, uint32_t reason, uint32_t status)
{
	switch (reason) {
	case VMM_STOP_POWER_OFF:
		machine_stop(host->machine, MACHINE_END_POWER_OFF, 0);
		break;
	case VMM_STOP_RESET:
		machine_stop(host->machine, MACHINE_END_RESET, 0);
		break;
	case VMM_STOP_EXIT:
		machine_stop(host->machine, MACHINE_END_EXIT, (int)(status & 0xff));
		break;
	default:
		host_misuse(host, "vmm.machine stop", "reason is not a VMM_STOP_... value");
		break;
	}
}

static void power_button_cb(void *ctx)
{
	struct vmm_host *host = ctx;

	host_enter(host);
	host->event_cb(host->event_ctx, VMM_EVENT_POWER_BUTTON);
	host_leave(host);
}

static int32_t host_subscribe(vmm_host *host, uint32_t events, vmm_event_cb cb, void *ctx)
{
	HOST_NEEDS_CONFIG(host, "vmm.machine subscribe");
	if ((events & ~VMM_EVENT_POWER_BUTTON) || !cb)
		return VMM_E_INVAL;
	host->event_mask = events;
	host->event_cb = cb;
	host->event_ctx = ctx;
	loop_post_init(&host->power_button_post, host->loop, host, power_button_cb, host);
	return 0;
}

void machine_power_button(struct machine *machine)
{
	bool heard = false;

	for (uint32_t i = 0; i < machine->host_count; i++) {
		struct vmm_host *host = machine->hosts[i];

		if (!(host->event_mask & VMM_EVENT_POWER_BUTTON))
			continue;
		heard = true;
		loop_post_queue(&host->power_button_post);
	}
	if (!heard)
		log_write(VMM_LOG_WARN, NULL,
			"power button: nobody listens; add a device of type \"platform\"");
}

static void host_quiesced(vmm_host *host)
{
	machine_quiesced(host);
}

static int32_t host_needs(vmm_host *host, uint64_t needs)
{
	if (host->phase != HOST_CREATE)
		return host_misuse(host, "vmm.machine needs", "may be called in create only");
	if (needs & ~host->type->needs)
		return VMM_E_INVAL;
	host->needs = needs;
	return 0;
}

const struct vmm_machine host_machine_table = {
	.size = sizeof(host_machine_table),
	.layout = host_layout,
	.stop = host_stop,
	.subscribe = host_subscribe,
	.quiesced = host_quiesced,
	.needs = host_needs,
};

static int32_t host_add_table(vmm_host *host, const void *table, uint64_t bytes,
	const struct vmm_acpi_patch *patches, uint64_t patch_count)
{
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	int ret;

	if (host->phase != HOST_REALIZE)
		return host_misuse(host, "vmm.acpi add_table", "may be called in realize only");
	ret = acpi_add_table(host->machine->acpi, table, bytes, patches, patch_count, &error);
	if (ret < 0)
		log_write(VMM_LOG_ERROR, host->id, "ACPI table: %s", text);
	return ret;
}

static int32_t host_set_fixed(vmm_host *host, const struct vmm_acpi_fixed *fixed)
{
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	int ret;

	if (host->phase != HOST_REALIZE)
		return host_misuse(host, "vmm.acpi set_fixed", "may be called in realize only");
	ret = acpi_set_fixed(host->machine->acpi, fixed, &error);
	if (ret < 0)
		log_write(VMM_LOG_ERROR, host->id, "ACPI registers: %s", text);
	return ret;
}

const struct vmm_acpi host_acpi_table = {
	.size = sizeof(host_acpi_table),
	.add_table = host_add_table,
	.set_fixed = host_set_fixed,
};
