/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every host service shares: the way to a service's table, the thread models of callbacks, and
 * the checks of VMM_ABI_CHECK=1.
 */
#include "machine/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/plugin.h>

#include "config/config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "machine/device.h"
#include "machine/machine.h"
#include "version.h"

static const struct {
	const char *id;
	const void *table;
	uint64_t bytes;
} services[] = {
	{VMM_ACPI_ID, &host_acpi_table, sizeof(host_acpi_table)},
	{VMM_FILE_ID, &host_file_table, sizeof(host_file_table)},
	{VMM_IO_ID, &host_io_table, sizeof(host_io_table)},
	{VMM_IRQ_ID, &host_irq_table, sizeof(host_irq_table)},
	{VMM_LOG_ID, &host_log_table, sizeof(host_log_table)},
	{VMM_LOOP_ID, &host_loop_table, sizeof(host_loop_table)},
	{VMM_BORROW_ID, &host_borrow_table, sizeof(host_borrow_table)},
	{VMM_WORKER_ID, &host_worker_table, sizeof(host_worker_table)},
	{VMM_MACHINE_ID, &host_machine_table, sizeof(host_machine_table)},
	{VMM_MEMORY_ID, &host_memory_table, sizeof(host_memory_table)},
	{VMM_STREAM_ID, &host_stream_table, sizeof(host_stream_table)},
};

bool machine_service(size_t index, struct machine_service *ret_service)
{
	if (index >= sizeof(services) / sizeof(services[0]))
		return false;
	ret_service->id = services[index].id;
	ret_service->bytes = services[index].bytes;
	return true;
}

static int32_t host_query(vmm_host *host, const char *id, uint64_t min_size, const void **ret_table)
{
	HOST_NEEDS_CONFIG(host, "query");
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].id, id) != 0)
			continue;
		if (services[i].bytes < min_size)
			return VMM_E_UNSUPPORTED;
		*ret_table = services[i].table;
		return 0;
	}
	return VMM_E_UNSUPPORTED;
}

static int32_t host_query_ref(vmm_host *host, uint64_t ref, const char *id, uint64_t min_size,
	const void **ret_table, void **ret_object)
{
	struct vmm_host *provider;
	const void *table;
	void *object;
	uint64_t bytes;
	int32_t ret;

	HOST_NEEDS_CONFIG(host, "query_ref");
	if (host->phase < HOST_BIND)
		return host_misuse(host, "query_ref", "may be called from bind on");
	provider = machine_host(host->machine, ref);
	if (!provider || !device_provides(provider, id))
		return VMM_E_UNSUPPORTED;
	ret = provider->type->ops->get_interface(provider->ctx, id, &table, &object);
	if (ret < 0)
		return ret;
	memcpy(&bytes, table, sizeof(bytes));
	if (bytes < min_size)
		return VMM_E_UNSUPPORTED;
	*ret_table = table;
	*ret_object = object;
	return 0;
}

static const struct vmm_hello hello = {
	.size = sizeof(hello),
	.abi_major = VMM_ABI_MAJOR,
	.abi_minor = VMM_ABI_MINOR,
	.core_version = VMM_CORE_VERSION,
	.query = host_query,
	.query_ref = host_query_ref,
};

const struct vmm_hello *machine_hello(void)
{
	return &hello;
}

void host_enter(struct vmm_host *host)
{
	if (host->type->thread_model == VMM_THREADS_SERIAL)
		pthread_mutex_lock(&host->serial_lock);
}

void host_leave(struct vmm_host *host)
{
	if (host->type->thread_model == VMM_THREADS_SERIAL)
		pthread_mutex_unlock(&host->serial_lock);
}

bool host_in_config(const struct vmm_host *host)
{
	return !machine_is_running(host->machine);
}

bool host_checks_on(void)
{
	static atomic_int state; /* 0: not asked yet, 1: off, 2: on */
	int now = atomic_load_explicit(&state, memory_order_relaxed);

	if (now == 0) {
		const char *text = getenv("VMM_ABI_CHECK");

		now = text && strcmp(text, "1") == 0 ? 2 : 1;
		atomic_store_explicit(&state, now, memory_order_relaxed);
	}
	return now == 2;
}

bool host_on_loop(const struct vmm_host *host, const struct loop *loop)
{
	return host_in_config(host) || loop_is_current(loop);
}

int32_t host_misuse(struct vmm_host *host, const char *function, const char *rule)
{
	log_write(VMM_LOG_ERROR, host->id, "ABI: the plugin's call of %s: %s", function, rule);
	machine_count_misuse(host->machine);
	return VMM_E_PHASE;
}

int32_t host_copy_request(const void *req, uint64_t min_bytes, void *copy, uint64_t copy_bytes)
{
	const uint8_t *bytes = req;
	uint64_t size;

	memcpy(&size, req, sizeof(size));
	if (size < min_bytes || size > 4096)
		return VMM_E_INVAL;
	for (uint64_t i = copy_bytes; i < size; i++)
		if (bytes[i])
			return VMM_E_TOO_NEW;
	memset(copy, 0, copy_bytes);
	memcpy(copy, req, size < copy_bytes ? size : copy_bytes);
	return 0;
}
