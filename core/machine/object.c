/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles that host services give to plugins: lists, look-up, and taking back what was left.
 */
#include <stddef.h>
#include <string.h>

#include "log/log.h"
#include "machine/host.h"
#include "machine/machine.h"

void host_object_add(struct vmm_host *host, struct host_object *object, enum host_object_kind kind,
	void (*release)(struct host_object *object))
{
	object->kind = kind;
	object->host = host;
	object->release = release;
	object->previous = NULL;
	pthread_mutex_lock(&host->objects_lock);
	object->next = host->objects;
	if (object->next)
		object->next->previous = object;
	host->objects = object;
	pthread_mutex_unlock(&host->objects_lock);
}

void host_object_remove(struct host_object *object)
{
	struct vmm_host *host = object->host;

	pthread_mutex_lock(&host->objects_lock);
	if (object->previous)
		object->previous->next = object->next;
	else
		host->objects = object->next;
	if (object->next)
		object->next->previous = object->previous;
	pthread_mutex_unlock(&host->objects_lock);
	object->kind = 0;
}

static bool host_owns(struct vmm_host *host, const struct host_object *object)
{
	bool found = false;

	pthread_mutex_lock(&host->objects_lock);
	for (const struct host_object *at = host->objects; at && !found; at = at->next)
		found = at == object;
	pthread_mutex_unlock(&host->objects_lock);
	return found;
}

/* Only with VMM_ABI_CHECK=1: no device of the machine has it. */
static bool object_is_foreign(struct vmm_host *host, const struct host_object *object)
{
	return host_checks_on() && !host_owns(host, object) &&
	       !machine_find_host(host->machine, host_owns, object);
}

void *host_object_get(
	struct vmm_host *host, uint64_t handle, enum host_object_kind kind, const char *what)
{
	struct host_object *object = (struct host_object *)(uintptr_t)handle;

	/* In create, the machine does not know the host yet. */
	if (!object || object_is_foreign(host, object) || object->kind != kind) {
		host_misuse(host, what, "got a handle that is not one of its own");
		return NULL;
	}
	return object;
}

static const char *object_name(enum host_object_kind kind)
{
	switch (kind) {
	case HOST_REGION:
		return "a region";
	case HOST_DOORBELL:
		return "a doorbell";
	case HOST_LINE:
		return "an interrupt line";
	case HOST_MSI:
		return "an MSI vector";
	case HOST_WATCH:
		return "a watch";
	case HOST_TIMER:
		return "a timer";
	case HOST_STREAM:
		return "a stream";
	case HOST_CALL:
		return "a call";
	}
	return "an object";
}

static struct host_object *first_of(struct vmm_host *host, bool calls)
{
	struct host_object *at = host->objects;

	while (at && (at->kind == HOST_CALL) != calls)
		at = at->next;
	return at;
}

void host_objects_release(struct vmm_host *host)
{
	struct host_object *object;

	while ((object = first_of(host, false))) {
		if (host_checks_on())
			log_write(VMM_LOG_ERROR, host->id,
				"ABI check: the plugin left %s behind after unrealize and destroy",
				object_name(object->kind));
		object->release(object);
	}
}

void host_calls_free(struct vmm_host *host)
{
	struct host_object *object;

	while ((object = first_of(host, true)))
		object->release(object);
}
