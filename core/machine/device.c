/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the phases of a device instance and puts place and name in front of what goes wrong.
 */
#include "machine/device.h"

#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "config/config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "machine/host.h"
#include "machine/machine.h"

#define TEXT_BYTES 512

static void phase_failed(const struct vmm_host *host, const char *phase, int code, const char *text,
	struct vmm_error *error)
{
	char place[CONFIG_ERROR_BYTES];

	config_place_text(host->config->place, place, sizeof(place));
	if (*text)
		vmm_set_error(error, "%s: device \"%s\" (%s): %s", place, host->id,
			host->type->name, text);
	else
		vmm_set_error(error, "%s: device \"%s\" (%s): %s in %s (%d)", place, host->id,
			host->type->name, vmm_error_text(code), phase, code);
}

/* What a phase returned, as 0 or an error: a plugin may return anything. */
static int phase_result(const struct vmm_host *host, const char *phase, int32_t ret,
	const char *text, struct vmm_error *error)
{
	if (ret == 0)
		return 0;
	if (ret > 0) {
		log_write(
			VMM_LOG_ERROR, host->id, "ABI: the plugin returned %d from %s", ret, phase);
		ret = VMM_E_INVAL;
	}
	phase_failed(host, phase, ret, text, error);
	return ret;
}

static int host_init(struct vmm_host *host)
{
	const struct config_device *config = host->config;

	host->id = config->id;
	host->type = config->type;
	host->needs = config->type->needs;
	host->loop = config->iothread_index == CONFIG_MAIN_LOOP
			     ? host->machine->loop
			     : host->machine->iothreads[config->iothread_index];
	pthread_mutex_init(&host->serial_lock, NULL);
	pthread_mutex_init(&host->objects_lock, NULL);
	host->log = log_source_create(host->id);
	return host->log ? 0 : VMM_E_NOMEM;
}

static void host_free(struct vmm_host *host)
{
	log_source_destroy(host->log);
	pthread_mutex_destroy(&host->objects_lock);
	pthread_mutex_destroy(&host->serial_lock);
	free(host);
}

int device_create(struct machine *machine, const struct config_device *config,
	struct vmm_host **ret_host, struct vmm_error *error)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};
	struct vmm_host *host = calloc(1, sizeof(*host));
	struct vmm_create_args args;
	int ret;

	if (!host) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	host->machine = machine;
	host->config = config;
	ret = host_init(host);
	if (ret < 0) {
		vmm_set_error(error, "out of memory");
		host_free(host);
		return ret;
	}
	args = (struct vmm_create_args){
		.struct_size = sizeof(args),
		.hello = machine_hello(),
		.host = host,
		.device_id = host->id,
		.values = config->values,
		.value_count = config->value_count,
		.error = &own,
		.compat_level = machine->layout.compat_level,
	};
	host->phase = HOST_CREATE;
	ret = phase_result(host, "create", host->type->ops->create(&args, &host->ctx), text, error);
	if (ret < 0) {
		host->phase = HOST_NEW;
		device_destroy(host);
		return ret;
	}
	*ret_host = host;
	return 0;
}

int device_bind(struct vmm_host *host, struct vmm_error *error)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};

	host->phase = HOST_BIND;
	if (!host->type->ops->bind)
		return 0;
	return phase_result(host, "bind", host->type->ops->bind(host->ctx, &own), text, error);
}

int device_realize(struct vmm_host *host, struct vmm_error *error)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};

	host->phase = HOST_REALIZE;
	if (!host->type->ops->realize)
		return 0;
	return phase_result(
		host, "realize", host->type->ops->realize(host->ctx, &own), text, error);
}

int device_start(struct vmm_host *host, struct vmm_error *error)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};

	host->phase = HOST_START;
	if (!host->type->ops->start)
		return 0;
	return phase_result(host, "start", host->type->ops->start(host->ctx, &own), text, error);
}

int device_quiesce(struct vmm_host *host)
{
	int32_t ret = 0;

	if (host->type->ops->quiesce) {
		host_enter(host);
		ret = host->type->ops->quiesce(host->ctx);
		host_leave(host);
	}
	if (ret < 0)
		log_write(VMM_LOG_ERROR, host->id, "quiesce: %s (%d)", vmm_error_text(ret), ret);
	return ret;
}

/* Work of the instance that is still on its way; the loops have stopped. */
static void drain(struct vmm_host *host)
{
	struct machine *machine = host->machine;

	loop_work_drain(machine->loop, host);
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		loop_work_drain(machine->iothreads[i], host);
}

void device_unrealize(struct vmm_host *host)
{
	drain(host);
	if (host->phase < HOST_REALIZE)
		return;
	host->phase = HOST_UNREALIZE;
	if (host->type->ops->unrealize)
		host->type->ops->unrealize(host->ctx);
}

void device_destroy(struct vmm_host *host)
{
	struct machine *machine;

	if (!host)
		return;
	machine = host->machine;
	if (host->phase != HOST_NEW) {
		drain(host);
		host->phase = HOST_DESTROY;
		host->type->ops->destroy(host->ctx);
	}
	host_objects_release(host);
	loop_drop_owner(machine->loop, host);
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		loop_drop_owner(machine->iothreads[i], host);
	host_calls_free(host);
	host_free(host);
}

bool device_provides(const struct vmm_host *host, const char *id)
{
	for (uint64_t i = 0; i < host->type->provides_count; i++)
		if (strcmp(host->type->provides[i], id) == 0)
			return true;
	return false;
}
