/* SPDX-License-Identifier: Apache-2.0 */
/* Which device needs which: references by id, the only provider as default, creation order. */
#include <stdio.h>
#include <string.h>

#include "config/nearest.h"
#include "config/private.h"
#include "config/value.h"

#define NO_DEVICE SIZE_MAX

int64_t config_ref_number(size_t index)
{
	return (int64_t)index + 1;
}

const struct config_device *config_ref(const struct config *config, const struct vmm_value *ref)
{
	if (!(ref->flags & VMM_VALUE_PRESENT) || ref->number < 1 ||
		(uint64_t)ref->number > config->device_count)
		return NULL;
	return &config->devices[ref->number - 1];
}

static size_t ref_index(const struct schema_ref *ref)
{
	return ref->value->flags & VMM_VALUE_PRESENT ? (size_t)ref->value->number - 1 : NO_DEVICE;
}

static bool provides(const struct config_device *device, const char *interface_id)
{
	for (uint64_t i = 0; i < device->type->provides_count; i++)
		if (!strcmp(device->type->provides[i], interface_id))
			return true;
	return false;
}

static struct config_place ref_place(
	const struct schema_ref *ref, const struct config_device *device)
{
	if (ref->value->file)
		return (struct config_place){ref->value->file, ref->value->line};
	return device->place;
}

/* What a device offers, for the message that it is not what is needed. */
static const char *offers_text(const struct config_device *device, char *buffer, size_t bytes)
{
	size_t used = 0;

	snprintf(buffer, bytes, "nothing");
	for (uint64_t i = 0; i < device->type->provides_count && used < bytes; i++)
		used += (size_t)snprintf(buffer + used, bytes - used, "%s%s", i ? ", " : "",
			device->type->provides[i]);
	return buffer;
}

static int resolve_given(struct config_private *config, const struct config_device *owner,
	const struct schema_ref *ref, struct vmm_error *error)
{
	struct nearest nearest = {.wanted = ref->value->text};
	const struct config *public = &config->public;
	char text[VALUE_TEXT_BYTES];

	for (size_t i = 0; i < public->device_count; i++) {
		const struct config_device *device = &public->devices[i];

		if (strcmp(device->id, ref->value->text) != 0) {
			if (provides(device, ref->option->interface_id))
				nearest_offer(&nearest, device->id);
			continue;
		}
		if (!provides(device, ref->option->interface_id))
			return config_fail(error, ref_place(ref, owner), ref->path,
				"expected a device that offers %s, but \"%s\" (%s) offers %s",
				ref->option->interface_id, device->id, device->type_name,
				offers_text(device, text, sizeof(text)));
		ref->value->number = config_ref_number(i);
		return 0;
	}
	return config_fail(error, ref_place(ref, owner), ref->path,
		"there is no device \"%.60s\"%s", ref->value->text,
		nearest_text(&nearest, text, sizeof(text)));
}

static int resolve_default(struct config_private *config, const struct config_device *owner,
	const struct schema_ref *ref, struct vmm_error *error)
{
	const struct config *public = &config->public;
	const struct config_device *found = NULL;

	for (size_t i = 0; i < public->device_count; i++) {
		const struct config_device *device = &public->devices[i];

		if (device == owner || !provides(device, ref->option->interface_id))
			continue;
		if (found)
			return config_fail(error, ref_place(ref, owner), ref->path,
				"is needed, for several devices offer %s: \"%s\", \"%s\"",
				ref->option->interface_id, found->id, device->id);
		found = device;
		ref->value->number = config_ref_number(i);
	}
	if (found) {
		ref->value->text = found->id;
		ref->value->flags |= VMM_VALUE_PRESENT;
		return 0;
	}
	if (!(ref->option->flags & VMM_OPT_REQUIRED))
		return 0;
	return config_fail(error, ref_place(ref, owner), ref->path,
		"there is no device that offers %s; add one to devices", ref->option->interface_id);
}

int config_resolve_refs(struct config_private *config, struct vmm_error *error)
{
	for (size_t i = 0; i < config->public.device_count; i++) {
		const struct config_device *owner = &config->public.devices[i];

		for (struct schema_ref *ref = config->states[i].refs; ref; ref = ref->next) {
			bool given = ref->value->flags & VMM_VALUE_PRESENT;
			int ret = given ? resolve_given(config, owner, ref, error)
					: resolve_default(config, owner, ref, error);

			if (ret)
				return ret;
		}
	}
	return 0;
}

/* The first device that this one needs and that has no place in the order yet. */
static size_t missing(
	const struct config_private *config, size_t index, const bool *done, const char **ret_path)
{
	for (const struct schema_ref *ref = config->states[index].refs; ref; ref = ref->next) {
		size_t needed = ref_index(ref);

		if (needed == NO_DEVICE || done[needed])
			continue;
		if (ret_path)
			*ret_path = ref->path;
		return needed;
	}
	return NO_DEVICE;
}

static int fail_cycle(
	struct config_private *config, size_t start, const bool *done, struct vmm_error *error)
{
	const struct config_device *devices = config->public.devices;
	char text[CONFIG_ERROR_BYTES / 2];
	const char *path = "";
	size_t used = 0;
	size_t at = start;

	/* After as many steps as there are devices one is surely on the cycle. */
	for (size_t i = 0; i < config->public.device_count; i++)
		at = missing(config, at, done, NULL);
	start = at;
	do {
		size_t next = missing(config, at, done, at == start ? &path : NULL);

		if (used < sizeof(text))
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "\"%s\" -> ", devices[at].id);
		at = next;
	} while (at != start);
	return config_fail(error, devices[start].place, path,
		"devices refer to each other in a circle: %s\"%s\"", text, devices[start].id);
}

int config_order_devices(struct config_private *config, struct vmm_error *error)
{
	size_t count = config->public.device_count;
	uint32_t *order = arena_alloc(&config->arena, count + 1, sizeof(*order));
	bool *done = arena_alloc(&config->arena, count + 1, sizeof(*done));
	size_t ordered = 0;

	if (!order || !done)
		return VMM_E_NOMEM;
	/* As in the file, but what a device needs comes first. */
	while (ordered < count) {
		size_t next = NO_DEVICE;
		size_t stuck = NO_DEVICE;

		for (size_t i = 0; i < count && next == NO_DEVICE; i++) {
			if (done[i])
				continue;
			if (missing(config, i, done, NULL) == NO_DEVICE)
				next = i;
			else if (stuck == NO_DEVICE)
				stuck = i;
		}
		if (next == NO_DEVICE)
			return fail_cycle(config, stuck, done, error);
		done[next] = true;
		order[ordered++] = (uint32_t)next;
	}
	config->public.create_order = order;
	return 0;
}
