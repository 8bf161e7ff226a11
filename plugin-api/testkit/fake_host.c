/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake host as a whole: its making and its end, problems, faults, contexts, and the list of
 * resources.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_internal.h"

#define TEXT_BYTES 1024

static void fail_and_abort(const char *text)
{
	fprintf(stderr, "testkit: %s\n", text);
	abort();
}

static void (*fail_handler)(const char *text) = fail_and_abort;

/* What plugin code on this thread is inside of. */
static _Thread_local uint32_t ctx_now;
static _Thread_local uint64_t ctx_loop;

void fake_set_fail_handler(void (*handler)(const char *text))
{
	fail_handler = handler;
}

void fake_fail(const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail_handler(text);
	abort(); /* a handler that returns has not understood */
}

void *fake_alloc(uint64_t bytes)
{
	void *data = calloc(1, bytes ? bytes : 1);

	if (!data)
		fail_and_abort("out of memory");
	return data;
}

char *fake_strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(fake_alloc(bytes), text, bytes);
}

void fake_lock(struct fake_host *host)
{
	pthread_mutex_lock(&host->lock);
}

void fake_unlock(struct fake_host *host)
{
	pthread_mutex_unlock(&host->lock);
}

void fake_problem(struct fake_host *host, const char *format, ...)
{
	struct fake_log_line *line = fake_alloc(sizeof(*line));
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	line->text = fake_strdup(text);
	fake_lock(host);
	line->next = host->problems;
	host->problems = line;
	fake_unlock(host);
}

int fake_problem_taken(struct fake_host *host, const char *part)
{
	struct fake_log_line **link, *line;

	fake_lock(host);
	for (link = &host->problems; *link; link = &(*link)->next)
		if (strstr((*link)->text, part))
			break;
	line = *link;
	if (line)
		*link = line->next;
	fake_unlock(host);
	if (!line)
		return 0;
	free(line->text);
	free(line);
	return 1;
}

/*
 * ---- Contexts and faults ----
 */

uint32_t fake_ctx_enter(uint32_t ctx, uint64_t loop)
{
	uint32_t before = ctx_now | (uint32_t)(ctx_loop << 8);

	ctx_now = ctx;
	ctx_loop = loop;
	return before;
}

void fake_ctx_leave(uint32_t before)
{
	ctx_now = before & 0xff;
	ctx_loop = before >> 8;
}

uint64_t fake_ctx_loop(void)
{
	return ctx_loop;
}

static int context_wrong(vmm_host *device, const char *what, uint32_t allowed)
{
	static const char *const names[] = {[CTX_CONFIG] = "[config]",
		[CTX_LOOP] = "[loop]",
		[CTX_VCPU] = "[vcpu]",
		[CTX_WORKER] = "a worker"};

	if (ctx_now == CTX_FREE || (ctx_now & allowed))
		return 0;
	fake_problem(device->host, "device \"%s\" calls %s in %s, where it may not", device->id,
		what, names[ctx_now]);
	return 1;
}

int32_t fake_service(vmm_host *device, const char *what, uint32_t allowed)
{
	struct fake_host *host = device->host;
	int hit = 0;

	if (context_wrong(device, what, allowed))
		return VMM_E_PHASE;
	fake_lock(host);
	if (host->fail_after && !--host->fail_after) {
		hit = 1;
		host->fail_after = host->fail_on ? 1 : 0;
		host->fault_hit = 1;
		snprintf(host->error, sizeof(host->error), "injected fault in %s", what);
	}
	fake_unlock(host);
	return hit ? VMM_E_NOMEM : 0;
}

void fake_service_void(vmm_host *device, const char *what, uint32_t allowed)
{
	(void)context_wrong(device, what, allowed);
}

void fake_host_fail_after(struct fake_host *host, uint32_t n)
{
	fake_lock(host);
	host->fail_after = n;
	host->fail_on = 0;
	host->fault_hit = 0;
	fake_unlock(host);
}

void fake_host_fail_from(struct fake_host *host, uint32_t n)
{
	fake_host_fail_after(host, n);
	fake_lock(host);
	host->fail_on = 1;
	fake_unlock(host);
}

int fake_host_fault_hit(struct fake_host *host)
{
	int hit;

	fake_lock(host);
	hit = host->fault_hit;
	fake_unlock(host);
	return hit;
}

const char *fake_error(struct fake_host *host)
{
	return host->error;
}

/*
 * ---- Resources ----
 */

static const char *const kind_names[] = {
	[KIND_REGION] = "region",
	[KIND_DOORBELL] = "doorbell",
	[KIND_LINE] = "interrupt line",
	[KIND_VECTOR] = "MSI vector",
	[KIND_WATCH] = "watch",
	[KIND_TIMER] = "timer",
	[KIND_STREAM] = "stream",
	[KIND_MAP] = "memory map",
	[KIND_EVENT] = "event subscription",
};

void *fake_object_add(vmm_host *owner, enum fake_kind kind, uint64_t bytes, const char *format, ...)
{
	struct fake_host *host = owner->host;
	struct fake_object *object = fake_alloc(bytes), **link;
	va_list args;

	va_start(args, format);
	vsnprintf(object->name, sizeof(object->name), format, args);
	va_end(args);
	object->owner = owner;
	object->kind = kind;
	object->id = ((uint64_t)kind + 1) << 32 | ++host->next_id;
	for (link = &host->objects; *link; link = &(*link)->next)
		;
	*link = object;
	return object;
}

void *fake_object_peek(struct fake_host *host, enum fake_kind kind, uint64_t id)
{
	struct fake_object *object;

	for (object = host->objects; object; object = object->next)
		if (object->kind == kind && object->id == id)
			return object;
	return NULL;
}

void *fake_object_get(vmm_host *user, enum fake_kind kind, uint64_t id, const char *what)
{
	struct fake_object *object = fake_object_peek(user->host, kind, id);

	if (object)
		return object;
	fake_unlock(user->host);
	fake_problem(user->host, "device \"%s\" calls %s with handle %#llx, which is no %s",
		user->id, what, (unsigned long long)id, kind_names[kind]);
	fake_lock(user->host);
	return NULL;
}

void fake_object_drop(struct fake_host *host, void *data)
{
	struct fake_object *object = data, **link;

	for (link = &host->objects; *link != object; link = &(*link)->next)
		;
	*link = object->next;
	free(object);
}

static void object_release(struct fake_host *host, struct fake_object *object)
{
	struct fake_line *line;

	switch (object->kind) {
	case KIND_DOORBELL:
		close(((struct fake_doorbell *)(void *)object)->fd);
		break;
	case KIND_VECTOR:
		close(((struct fake_msi_vector *)(void *)object)->fd);
		break;
	case KIND_LINE:
		line = (void *)object;
		if (line->trigger_fd >= 0)
			close(line->trigger_fd);
		if (line->resample_fd >= 0)
			close(line->resample_fd);
		break;
	case KIND_STREAM:
		fake_stream_free(host, (void *)object);
		return;
	default:
		break;
	}
	fake_object_drop(host, object);
}

/* Event subscriptions have no removal in the ABI: the core drops them with the device. */
static void objects_report(struct fake_host *host)
{
	struct fake_object *object;

	while ((object = host->objects)) {
		if (object->kind != KIND_EVENT && object->owner->type)
			fake_problem(host, "device \"%s\" left %s %s behind", object->owner->id,
				kind_names[object->kind], object->name);
		object_release(host, object);
	}
}

/*
 * ---- Making and end ----
 */

void fake_layout_default(struct vmm_layout *layout)
{
	*layout = (struct vmm_layout){
		.struct_size = sizeof(*layout),
		.vcpus = 1,
		.compat_level = 10,
		.pci_mmio32_base = 0xc0000000,
		.pci_mmio32_bytes = 0x20000000,
		.pci_mmio64_base = 0x800000000,
		.pci_mmio64_bytes = 0x800000000,
		.pci_ecam_base = 0xe0000000,
		.pci_ecam_bytes = 0x100000,
		.device_mmio_base = 0xf0000000,
		.device_mmio_bytes = 0x1000000,
		.pci_io_base = 0xc000,
		.pci_io_bytes = 0x4000,
		.pci_gsi_base = 16,
		.pci_gsi_count = 4,
		.device_gsi_base = 20,
		.device_gsi_count = 4,
	};
}

static int32_t hello_query(
	vmm_host *device, const char *id, uint64_t min_size, const void **ret_table)
{
	int32_t ret = fake_service(device, "query", CTX_CONFIG);

	return ret < 0 ? ret : fake_query(device, id, min_size, ret_table);
}

static vmm_host *device_by_number(struct fake_host *host, uint64_t number)
{
	vmm_host *device;

	for (device = host->devices; device; device = device->next)
		if (device->number == number)
			return device;
	return NULL;
}

static int32_t hello_query_ref(vmm_host *device, uint64_t ref, const char *id, uint64_t min_size,
	const void **ret_table, void **ret_object)
{
	int32_t ret = fake_service(device, "query_ref", CTX_CONFIG);
	vmm_host *other = device_by_number(device->host, ref);
	const void *table = NULL;
	uint64_t bytes;

	if (ret < 0)
		return ret;
	if (device->phase < PHASE_BIND) {
		fake_problem(device->host, "device \"%s\" calls query_ref before bind", device->id);
		return VMM_E_PHASE;
	}
	if (!other)
		return VMM_E_NOT_FOUND;
	ret = fake_interface(device->host, other->id, id, &table, ret_object);
	if (ret < 0)
		return ret;
	memcpy(&bytes, table, sizeof(bytes));
	if (bytes < min_size)
		return VMM_E_UNSUPPORTED;
	*ret_table = table;
	return 0;
}

const struct vmm_hello *fake_hello(struct fake_host *host)
{
	return &host->hello;
}

void fake_host_minor(struct fake_host *host, uint32_t minor)
{
	host->hello.abi_minor = minor;
	memcpy(&host->older_machine, &fake_machine_service, offsetof(struct vmm_machine, needs));
	host->older_machine.size = offsetof(struct vmm_machine, needs);
}

struct fake_host *fake_host_create(const struct fake_config *config)
{
	static const struct fake_ram ram_default = {0, 16 << 20};
	static const struct fake_config none;
	struct fake_host *host = fake_alloc(sizeof(*host));
	uint32_t i;

	ctx_now = CTX_FREE; /* an earlier test may have failed inside of a callback */
	ctx_loop = 0;
	if (!config)
		config = &none;
	pthread_mutex_init(&host->lock, NULL);
	host->flags = config->flags;
	host->msi_limit = config->msi_limit ? config->msi_limit : 1024;
	host->log_level = VMM_LOG_DEBUG;
	host->lines_tail = &host->lines;
	host->error_arg =
		(struct vmm_error){sizeof(struct vmm_error), host->error, sizeof(host->error)};
	host->hello = (struct vmm_hello){
		.size = sizeof(host->hello),
		.abi_major = VMM_ABI_MAJOR,
		.abi_minor = VMM_ABI_MINOR,
		.core_version = "testkit",
		.query = hello_query,
		.query_ref = hello_query_ref,
	};
	if (config->layout)
		host->layout = *config->layout;
	else
		fake_layout_default(&host->layout);
	fake_memory_init(host, config->ram ? config->ram : &ram_default,
		config->ram ? config->ram_count : 1);
	for (i = 0; !host->layout.ram_bytes && i < host->ram_count; i++)
		host->layout.ram_bytes = host->ram[i].what.bytes;
	for (; i < host->ram_count; i++)
		host->layout.ram_bytes += host->ram[i].what.bytes;
	fake_loop_init(host);
	return host;
}

/* All problems in one text, the oldest first; NULL if there is none. */
static char *problems_text(struct fake_host *host)
{
	struct fake_log_line *line, *reversed = NULL;
	size_t bytes = 1;
	char *text, *at;

	while ((line = host->problems)) {
		host->problems = line->next;
		line->next = reversed;
		reversed = line;
		bytes += strlen(line->text) + 2;
	}
	if (!reversed)
		return NULL;
	text = fake_alloc(bytes);
	at = text;
	while ((line = reversed)) {
		reversed = line->next;
		at = stpcpy(at, line->text);
		if (reversed)
			at = stpcpy(at, "\n");
		free(line->text);
		free(line);
	}
	return text;
}

static void types_free(struct fake_host *host)
{
	struct fake_type_entry *type;

	while ((type = host->types)) {
		host->types = type->next;
		free(type);
	}
}

void fake_host_destroy(struct fake_host *host)
{
	char text[TEXT_BYTES];
	vmm_host *device;
	char *problems;

	fake_host_fail_after(host, 0);
	fake_host_stop(host);
	objects_report(host);
	fake_loop_fini(host);
	fake_memory_fini(host);
	fake_acpi_fini(host);
	fake_log_fini(host);
	types_free(host);
	free(host->messages);
	while ((device = host->graveyard)) {
		host->graveyard = device->next;
		pthread_mutex_destroy(&device->serial);
		free(device->id);
		free(device);
	}
	problems = problems_text(host);
	pthread_mutex_destroy(&host->lock);
	free(host);
	if (!problems)
		return;
	snprintf(text, sizeof(text), "%s", problems);
	free(problems);
	fake_fail("%s", text);
}
