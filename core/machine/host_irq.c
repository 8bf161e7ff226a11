/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.irq/1: interrupt lines and message-signalled vectors, by core/kvm.
 */
#include <stdlib.h>

#include <vmm/irq.h>

#include "kvm/irq.h"
#include "machine/host.h"
#include "machine/machine.h"

struct host_line {
	struct host_object object;
	struct irq_line *line;
};

struct host_msi {
	struct host_object object;
	struct irq_msi *msi;
};

static void line_release(struct host_object *object)
{
	struct host_line *line = (struct host_line *)object;

	host_object_remove(object);
	irq_line_close(line->line);
	free(line);
}

static void msi_release(struct host_object *object)
{
	struct host_msi *msi = (struct host_msi *)object;

	host_object_remove(object);
	irq_msi_close(msi->msi);
	free(msi);
}

static int32_t host_line_open(vmm_host *host, uint32_t gsi, uint32_t trigger, uint64_t *ret_line)
{
	struct host_line *line;
	int ret;

	HOST_NEEDS_CONFIG(host, "vmm.irq line_open");
	line = calloc(1, sizeof(*line));
	if (!line)
		return VMM_E_NOMEM;
	ret = irq_line_open(host->machine->vm, gsi, trigger, &line->line);
	if (ret < 0) {
		free(line);
		return ret;
	}
	host_object_add(host, &line->object, HOST_LINE, line_release);
	*ret_line = (uintptr_t)line;
	return 0;
}

static int32_t host_line_set(vmm_host *host, uint64_t handle, uint32_t level)
{
	struct host_line *line = host_object_get(host, handle, HOST_LINE, "vmm.irq line_set");

	if (!line || level > 1)
		return VMM_E_INVAL;
	return irq_line_set(line->line, level);
}

static int32_t host_line_fds(
	vmm_host *host, uint64_t handle, int32_t *ret_trigger_fd, int32_t *ret_resample_fd)
{
	struct host_line *line;

	HOST_NEEDS_CONFIG(host, "vmm.irq line_fds");
	line = host_object_get(host, handle, HOST_LINE, "vmm.irq line_fds");
	if (!line)
		return VMM_E_INVAL;
	return irq_line_fds(line->line, ret_trigger_fd, ret_resample_fd);
}

static void host_line_close(vmm_host *host, uint64_t handle)
{
	struct host_line *line = host_object_get(host, handle, HOST_LINE, "vmm.irq line_close");

	if (line)
		line_release(&line->object);
}

static int32_t host_msi_open(vmm_host *host, uint64_t *ret_vector, int32_t *ret_fd)
{
	struct host_msi *msi;
	int ret;

	HOST_NEEDS_CONFIG(host, "vmm.irq msi_open");
	msi = calloc(1, sizeof(*msi));
	if (!msi)
		return VMM_E_NOMEM;
	ret = irq_msi_open(host->machine->vm, &msi->msi, ret_fd);
	if (ret < 0) {
		free(msi);
		return ret;
	}
	host_object_add(host, &msi->object, HOST_MSI, msi_release);
	*ret_vector = (uintptr_t)msi;
	return 0;
}

static int32_t host_msi_set(vmm_host *host, uint64_t handle, uint64_t address, uint32_t data)
{
	struct host_msi *msi = host_object_get(host, handle, HOST_MSI, "vmm.irq msi_set");

	return msi ? irq_msi_set(msi->msi, address, data) : VMM_E_INVAL;
}

static int32_t host_msi_mask(vmm_host *host, uint64_t handle)
{
	struct host_msi *msi = host_object_get(host, handle, HOST_MSI, "vmm.irq msi_mask");

	return msi ? irq_msi_mask(msi->msi) : VMM_E_INVAL;
}

static int32_t host_msi_pending(vmm_host *host, uint64_t handle)
{
	struct host_msi *msi = host_object_get(host, handle, HOST_MSI, "vmm.irq msi_pending");

	return msi ? irq_msi_pending(msi->msi) : VMM_E_INVAL;
}

static void host_msi_clear(vmm_host *host, uint64_t handle)
{
	struct host_msi *msi = host_object_get(host, handle, HOST_MSI, "vmm.irq msi_clear");

	if (msi)
		irq_msi_clear(msi->msi);
}

static void host_msi_close(vmm_host *host, uint64_t handle)
{
	struct host_msi *msi = host_object_get(host, handle, HOST_MSI, "vmm.irq msi_close");

	if (msi)
		msi_release(&msi->object);
}

const struct vmm_irq host_irq_table = {
	.size = sizeof(host_irq_table),
	.line_open = host_line_open,
	.line_set = host_line_set,
	.line_fds = host_line_fds,
	.line_close = host_line_close,
	.msi_open = host_msi_open,
	.msi_set = host_msi_set,
	.msi_mask = host_msi_mask,
	.msi_pending = host_msi_pending,
	.msi_clear = host_msi_clear,
	.msi_close = host_msi_close,
};
