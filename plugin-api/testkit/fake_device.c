/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plugins, device types, device instances and their phases.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

#define QUIESCE_LIMIT_MS 10000u

typedef int32_t (*entry_fn)(const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc);

void fake_type_add(struct fake_host *host, const struct vmm_device_type *type)
{
	struct fake_type_entry *entry = fake_alloc(sizeof(*entry));

	entry->type = type;
	entry->next = host->types;
	host->types = entry;
}

const struct vmm_device_type *fake_type(struct fake_host *host, const char *name)
{
	const struct fake_type_entry *entry;

	for (entry = host->types; entry; entry = entry->next)
		if (strcmp(entry->type->name, name) == 0)
			return entry->type;
	return NULL;
}

void fake_plugin_load(struct fake_host *host, const char *path)
{
	const struct vmm_plugin_desc *desc = NULL;
	entry_fn entry;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol;
	uint64_t i;

	if (!library)
		fake_fail("%s", dlerror());
	symbol = dlsym(library, "vmm_plugin_entry_v1");
	if (!symbol)
		fake_fail("%s does not export vmm_plugin_entry_v1", path);
	memcpy(&entry, &symbol, sizeof(entry));
	if (entry(&host->hello, &desc) < 0 || !desc || desc->size < sizeof(*desc))
		fake_fail("%s: its entry gives no plugin description", path);
	for (i = 0; i < desc->type_count; i++)
		fake_type_add(host, desc->types[i]);
	/* Never closed, as in the core. */
}

/*
 * ---- Instances ----
 */

static vmm_host *device_new(
	struct fake_host *host, const char *id, uint32_t thread_model, const char *loop)
{
	vmm_host *device = fake_alloc(sizeof(*device)), **link;
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&device->serial, &attr);
	pthread_mutexattr_destroy(&attr);
	device->host = host;
	device->id = fake_strdup(id);
	device->thread_model = thread_model;
	device->number = ++host->next_number;
	device->alive = 1;
	device->loop = fake_loop_get(host, loop);
	for (link = &host->devices; *link; link = &(*link)->next)
		;
	*link = device;
	return device;
}

static void device_free(vmm_host *device)
{
	struct fake_host *host = device->host;
	vmm_host **link;
	uint64_t i;

	fake_posts_drop(host, device);
	for (link = &host->devices; *link != device; link = &(*link)->next)
		;
	*link = device->next;
	for (i = 0; i < device->value_count; i++)
		fake_value_free(device->values[i]);
	free(device->values);
	device->values = NULL;
	device->alive = 0;
	device->next = host->graveyard;
	host->graveyard = device;
}

vmm_host *fake_device_bare(struct fake_host *host, const char *id, uint32_t thread_model)
{
	vmm_host *device = device_new(host, id, thread_model, "main");

	device->phase = PHASE_BARE;
	return device;
}

static vmm_host *device_find(struct fake_host *host, const char *id)
{
	vmm_host *device;

	for (device = host->devices; device; device = device->next)
		if (strcmp(device->id, id) == 0)
			return device;
	return NULL;
}

vmm_host *fake_device(struct fake_host *host, const char *id)
{
	vmm_host *device = device_find(host, id);

	if (!device)
		fake_fail("there is no device \"%s\"", id);
	return device;
}

void *fake_device_ctx(vmm_host *device)
{
	return device->ctx;
}

const struct vmm_value *const *fake_device_values(vmm_host *device)
{
	return device->args.values;
}

int32_t fake_interface(struct fake_host *host, const char *id, const char *interface_id,
	const void **ret_table, void **ret_object)
{
	vmm_host *device = fake_device(host, id);
	uint32_t before;
	int32_t ret;
	uint64_t i;

	for (i = 0; device->type && i < device->type->provides_count; i++)
		if (strcmp(device->type->provides[i], interface_id) == 0)
			break;
	if (!device->type || i == device->type->provides_count || !device->ops.get_interface)
		return VMM_E_UNSUPPORTED;
	before = fake_ctx_enter(CTX_CONFIG, 0);
	ret = device->ops.get_interface(device->ctx, interface_id, ret_table, ret_object);
	fake_ctx_leave(before);
	return ret;
}

/* The table as it is, or as it was before 0.2 brought `needs` and vmm.borrow; NULL: not there. */
static const void *table_of(const vmm_host *device, const void *table)
{
	if (device->host->hello.abi_minor >= 2)
		return table;
	if (table == &fake_machine_service)
		return &device->host->older_machine;
	return table == &fake_borrow_service ? NULL : table;
}

int32_t fake_query(vmm_host *device, const char *id, uint64_t min_size, const void **ret_table)
{
	const void *table;
	static const struct {
		const char *id;
		const void *table;
	} services[] = {
		{VMM_ACPI_ID, &fake_acpi_service},
		{VMM_BORROW_ID, &fake_borrow_service},
		{VMM_FILE_ID, &fake_file_service},
		{VMM_IO_ID, &fake_io_service},
		{VMM_IRQ_ID, &fake_irq_service},
		{VMM_LOG_ID, &fake_log_service},
		{VMM_LOOP_ID, &fake_loop_service},
		{VMM_MACHINE_ID, &fake_machine_service},
		{VMM_MEMORY_ID, &fake_memory_service},
		{VMM_STREAM_ID, &fake_stream_service},
		{VMM_WORKER_ID, &fake_worker_service},
	};
	uint64_t bytes, i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].id, id) != 0)
			continue;
		table = table_of(device, services[i].table);
		if (!table)
			return VMM_E_UNSUPPORTED;
		memcpy(&bytes, table, sizeof(bytes));
		if (bytes < min_size)
			return VMM_E_UNSUPPORTED;
		*ret_table = table;
		return 0;
	}
	return VMM_E_UNSUPPORTED;
}

/* Callbacks of a SERIAL device come one at a time; one inside of another is the device's fault. */
void fake_device_guard(vmm_host *device, int enter)
{
	if (device->thread_model != VMM_THREADS_SERIAL)
		return;
	if (!enter)
		pthread_mutex_unlock(&device->serial);
	else if (pthread_mutex_lock(&device->serial))
		fake_fail("device \"%s\" is entered while it is in a callback", device->id);
}

/*
 * ---- Adding ----
 */

/* The value of "name=value" in options if its name is `name`. */
static const char *option_text(const char *const *options, const char *name)
{
	size_t bytes = strlen(name);

	for (; options && *options; options++)
		if (strncmp(*options, name, bytes) == 0 && (*options)[bytes] == '=')
			return *options + bytes + 1;
	return NULL;
}

static int32_t options_known(struct fake_host *host, const struct vmm_device_type *type,
	const char *id, const char *const *options)
{
	uint64_t i;

	for (; options && *options; options++) {
		size_t bytes = strcspn(*options, "=");

		if (strncmp(*options, "iothread=", 9) == 0)
			continue;
		for (i = 0; i < type->option_count; i++)
			if (strlen(type->options[i]->name) == bytes &&
				strncmp(type->options[i]->name, *options, bytes) == 0)
				break;
		if (i == type->option_count || !(*options)[bytes]) {
			vmm_set_error(&host->error_arg,
				"device \"%s\": type %s has no option \"%s\"", id, type->name,
				*options);
			return VMM_E_INVAL;
		}
	}
	return 0;
}

static int32_t values_make(vmm_host *device, const char *const *options)
{
	const struct vmm_device_type *type = device->type;
	uint64_t i;

	device->values = fake_alloc(type->option_count * sizeof(device->values[0]));
	for (i = 0; i < type->option_count; i++) {
		const char *text = option_text(options, type->options[i]->name);

		device->values[i] = fake_value_parse(device->host, type->options[i], text,
			VMM_VALUE_PRESENT | VMM_VALUE_GIVEN, device->id);
		if (!device->values[i])
			return VMM_E_INVAL;
		device->value_count++;
	}
	return 0;
}

static int32_t device_create(vmm_host *device)
{
	struct fake_host *host = device->host;
	struct vmm_validate_args args = {
		.struct_size = sizeof(args),
		.device_id = device->id,
		.values = (const struct vmm_value *const *)device->values,
		.value_count = device->value_count,
		.error = &host->error_arg,
	};
	uint32_t before = fake_ctx_enter(CTX_CONFIG, 0);
	int32_t ret = 0;

	if (device->ops.validate)
		ret = device->ops.validate(&args);
	if (ret >= 0) {
		device->phase = PHASE_CREATE;
		device->args = (struct vmm_create_args){
			.struct_size = sizeof(device->args),
			.hello = &host->hello,
			.host = device,
			.device_id = device->id,
			.values = args.values,
			.value_count = args.value_count,
			.error = &host->error_arg,
			.compat_level = host->layout.compat_level,
		};
		ret = device->ops.create(&device->args, &device->ctx);
	}
	fake_ctx_leave(before);
	return ret;
}

int32_t fake_device_add(struct fake_host *host, const char *type_name, const char *id,
	const char *const *options, vmm_host **ret_device)
{
	const struct vmm_device_type *type = fake_type(host, type_name);
	const char *loop = option_text(options, "iothread");
	vmm_host *device;
	int32_t ret;

	host->error[0] = 0;
	if (!type)
		fake_fail("no plugin that was loaded has a device type \"%s\"", type_name);
	if (device_find(host, id))
		fake_fail("there is a device \"%s\" already", id);
	ret = options_known(host, type, id, options);
	if (ret < 0)
		return ret;
	device = device_new(host, id, type->thread_model, loop ? loop : "main");
	device->type = type;
	memcpy(&device->ops, type->ops,
		type->ops->size < sizeof(device->ops) ? type->ops->size : sizeof(device->ops));
	ret = values_make(device, options);
	if (ret >= 0)
		ret = device_create(device);
	if (ret < 0) {
		device_free(device);
		return ret;
	}
	if (ret_device)
		*ret_device = device;
	return 0;
}

/*
 * ---- Phases ----
 */

static int32_t device_step(vmm_host *device, enum fake_phase phase)
{
	struct fake_host *host = device->host;
	int32_t (*step)(void *ctx, struct vmm_error *error) = device->ops.realize;
	uint32_t before;
	int32_t ret = 0;

	if (phase == PHASE_BIND)
		step = device->ops.bind;
	else if (phase == PHASE_START)
		step = device->ops.start;
	if (phase == PHASE_REALIZE)
		device->realize_called = 1;
	device->phase = phase;
	before = fake_ctx_enter(CTX_CONFIG, 0);
	if (step)
		ret = step(device->ctx, &host->error_arg);
	fake_ctx_leave(before);
	return ret;
}

static int32_t host_step(struct fake_host *host, enum fake_phase phase)
{
	vmm_host *device;
	int32_t ret;

	host->error[0] = 0;
	for (device = host->devices; device; device = device->next) {
		if (device->phase >= phase)
			continue;
		ret = device_step(device, phase);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int32_t fake_host_bind(struct fake_host *host)
{
	return host_step(host, PHASE_BIND);
}

int32_t fake_host_realize(struct fake_host *host)
{
	int32_t ret = host_step(host, PHASE_BIND);

	return ret < 0 ? ret : host_step(host, PHASE_REALIZE);
}

int32_t fake_host_start(struct fake_host *host)
{
	int32_t ret = fake_host_realize(host);

	if (ret >= 0)
		ret = host_step(host, PHASE_START);
	if (ret >= 0 && (host->flags & FAKE_LOOP_THREADS))
		fake_loop_threads(host, 1);
	return ret;
}

static vmm_host *last_device(struct fake_host *host, enum fake_phase phase)
{
	vmm_host *device, *last = NULL;

	for (device = host->devices; device; device = device->next)
		if (device->type && device->phase == phase)
			last = device;
	return last;
}

static void quiesce_call(void *ctx)
{
	vmm_host *device = ctx;
	int32_t ret;

	fake_device_guard(device, 1);
	ret = device->ops.quiesce(device->ctx);
	fake_device_guard(device, 0);
	if (ret != VMM_PENDING) {
		fake_lock(device->host);
		device->quiesced = 1;
		fake_unlock(device->host);
	}
}

static int quiesce_done(void *ctx)
{
	vmm_host *device = ctx;
	int done;

	fake_lock(device->host);
	done = device->quiesced;
	fake_unlock(device->host);
	return done;
}

void fake_host_quiesce(struct fake_host *host)
{
	vmm_host *device;

	while ((device = last_device(host, PHASE_START))) {
		device->phase = PHASE_QUIESCE;
		if (!device->ops.quiesce)
			continue;
		fake_call_on(host, device->loop, quiesce_call, device);
		if (!fake_run_until(host, quiesce_done, device, QUIESCE_LIMIT_MS))
			fake_fail("device \"%s\" does not get done with quiesce", device->id);
	}
}

static int no_jobs(void *ctx)
{
	struct fake_host *host = ctx;
	int none;

	fake_lock(host);
	none = host->jobs == 0;
	fake_unlock(host);
	return none;
}

static void device_take_down(vmm_host *device)
{
	uint32_t before = fake_ctx_enter(CTX_CONFIG, 0);

	device->phase = PHASE_UNREALIZE;
	if (device->realize_called && device->ops.unrealize)
		device->ops.unrealize(device->ctx);
	device->ops.destroy(device->ctx);
	fake_ctx_leave(before);
	device_free(device);
}

void fake_host_stop(struct fake_host *host)
{
	vmm_host *device, *last;

	fake_host_quiesce(host);
	if (!fake_run_until(host, no_jobs, host, QUIESCE_LIMIT_MS))
		fake_fail("work that was submitted does not end");
	fake_loop_threads(host, 0);
	for (;;) {
		for (last = NULL, device = host->devices; device; device = device->next)
			if (device->type)
				last = device;
		if (!last)
			break;
		device_take_down(last);
	}
	while (host->devices)
		device_free(host->devices);
}
