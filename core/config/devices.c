/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of a configuration: the keys that all have, then those of their types. */
#include <stdarg.h>
#include <string.h>

#include <vmm/support.h>

#include "config/nearest.h"
#include "config/private.h"
#include "config/value.h"

/* Sets the text of an error of a device as a whole. */
static int fail_device(const struct config_device *device, struct vmm_error *error,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail_device(
	const struct config_device *device, struct vmm_error *error, const char *format, ...)
{
	char path[2 * NODE_NAME_BYTES_MAX];
	char text[CONFIG_ERROR_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "devices.%s", device->id);
	return config_fail(error, device->place, path, "%s", text);
}

static int set_iothread(
	struct config_private *config, struct config_device *device, struct vmm_error *error)
{
	struct nearest nearest = {.wanted = device->iothread};
	char hint[VALUE_TEXT_BYTES];
	const struct config *public = &config->public;

	device->iothread_index = CONFIG_MAIN_LOOP;
	if (!strcmp(device->iothread, "main"))
		return 0;
	for (size_t i = 0; i < public->iothread_count; i++) {
		if (!strcmp(device->iothread, public->iothreads[i])) {
			device->iothread_index = (int32_t)i;
			return 0;
		}
		nearest_offer(&nearest, public->iothreads[i]);
	}
	nearest_offer(&nearest, "main");
	return fail_device(device, error, "iothread \"%s\" is not in the list iothreads%s",
		device->iothread, nearest_text(&nearest, hint, sizeof(hint)));
}

/* Only what cannot lead out of the search directories, or a whole path. */
bool config_is_plugin_name(const char *name)
{
	if (name[0] == '/')
		return !strstr(name, "/../") && name[1];
	return !strchr(name, '/') && name[0] != '.';
}

/* A device without an id gets one, as if it had been written. */
static int add_id(struct config_private *config, struct node *node, const char *id)
{
	struct node *child;

	if (node_child(node, "id"))
		return 0;
	child = node_create(&config->arena, NODE_STRING, (struct config_place){0});
	if (!child)
		return VMM_E_NOMEM;
	child->name = "id";
	child->text = id;
	node_append(node, child);
	return 0;
}

static int load_device(
	struct config_private *config, struct node *node, size_t index, struct vmm_error *error)
{
	const struct node *list = node_child(config->root, "devices");
	struct config_device *device = &config->public.devices[index];
	struct schema_check check = {
		.arena = &config->arena,
		.error = error,
		.path = arena_printf(&config->arena, "devices[%zu]", index),
		.base_dir = config->base_dir,
		.working_dir = config->working_dir,
		.flags = SCHEMA_IGNORE_UNKNOWN,
	};
	const struct vmm_value *const *values;
	int ret;

	if (!check.path)
		return VMM_E_NOMEM;
	ret = schema_check(&check, device_options, DEVICE_COUNT, node, &values);
	if (ret)
		return ret;
	config->states[index].node = node;
	device->place = node->place;
	device->type_name = values[DEVICE_TYPE]->text;
	device->id = node_device_id(&config->arena, list, node);
	device->iothread = values[DEVICE_IOTHREAD]->text;
	device->plugin = values[DEVICE_PLUGIN]->text;
	if (!device->id || add_id(config, node, device->id))
		return VMM_E_NOMEM;
	if (!config_is_id(device->id))
		return config_fail(error, device->place, check.path,
			"the id \"%.60s\" may have lower-case letters, digits, '_' and '-'",
			device->id);
	if (device->plugin && !config_is_plugin_name(device->plugin))
		return fail_device(device, error,
			"plugin \"%.200s\": expected the name of a file, or an absolute path "
			"without \"..\"",
			device->plugin);
	for (size_t i = 0; i < index; i++) {
		const struct config_device *other = &config->public.devices[i];
		char where[CONFIG_ERROR_BYTES / 2];

		if (!strcmp(device->id, other->id))
			return config_fail(error, device->place, check.path,
				"the id \"%s\" is taken by the device of %s; ids are unique",
				device->id, config_place_text(other->place, where, sizeof(where)));
	}
	return set_iothread(config, device, error);
}

int config_load_devices(struct config_private *config, struct vmm_error *error)
{
	const struct node *list = node_child(config->root, "devices");
	size_t count = list ? list->child_count : 0;
	size_t index = 0;

	config->public.devices =
		arena_alloc(&config->arena, count + 1, sizeof(*config->public.devices));
	config->states = arena_alloc(&config->arena, count + 1, sizeof(*config->states));
	if (!config->public.devices || !config->states)
		return VMM_E_NOMEM;
	for (struct node *node = list ? list->children : NULL; node; node = node->next) {
		int ret = load_device(config, node, index, error);

		if (ret)
			return ret;
		config->public.device_count = ++index;
	}
	return 0;
}

static int find_type(
	struct config_device *device, const struct config_types *types, struct vmm_error *error)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	int ret = types->find(types->ctx, device->type_name, device->plugin, &device->type,
		&device->plugin_file, &inner);

	if (ret)
		fail_device(device, error, "%s", text);
	return ret;
}

/* Checks all keys of a device, its own and those of its type. */
static int check_device(struct config_private *config, size_t index, struct vmm_error *error)
{
	struct config_device *device = &config->public.devices[index];
	struct device_state *state = &config->states[index];
	const struct vmm_device_type *type = device->type;
	struct schema_check check = {
		.arena = &config->arena,
		.error = error,
		.path = arena_printf(&config->arena, "devices.%s", device->id),
		.base_dir = config->base_dir,
		.working_dir = config->working_dir,
		.refs = &state->refs,
		.warnings = &config->warnings,
	};
	int ret;

	state->option_count = DEVICE_COUNT + type->option_count;
	state->options =
		arena_alloc(&config->arena, state->option_count, sizeof(struct vmm_option *));
	if (!check.path || !state->options)
		return VMM_E_NOMEM;
	memcpy(state->options, device_options, sizeof(device_options));
	for (uint64_t i = 0; i < type->option_count; i++)
		state->options[DEVICE_COUNT + i] = type->options[i];
	ret = schema_check(
		&check, state->options, state->option_count, state->node, &state->values);
	if (ret)
		return ret;
	device->values = state->values + DEVICE_COUNT;
	device->value_count = type->option_count;
	return 0;
}

static int ask_type(const struct config_device *device, struct vmm_error *error)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	struct vmm_validate_args args = {
		.struct_size = sizeof(args),
		.device_id = device->id,
		.values = device->values,
		.value_count = device->value_count,
		.error = &inner,
	};
	int32_t ret;

	if (!device->type->ops->validate)
		return 0;
	ret = device->type->ops->validate(&args);
	if (ret >= 0)
		return 0;
	if (!text[0])
		vmm_set_error(&inner, "its options do not fit together (error %d)", ret);
	fail_device(device, error, "%s", text);
	return ret;
}

int config_check(struct config *public, const struct config_types *types, struct vmm_error *error)
{
	struct config_private *config = config_private(public);
	int ret = 0;

	for (size_t i = 0; i < public->device_count && !ret; i++) {
		ret = find_type(&public->devices[i], types, error);
		if (!ret)
			ret = check_device(config, i, error);
	}
	if (!ret)
		ret = config_resolve_refs(config, error);
	if (!ret)
		ret = config_order_devices(config, error);
	for (size_t i = 0; i < public->device_count && !ret; i++)
		ret = ask_type(&public->devices[i], error);
	if (ret == VMM_E_NOMEM)
		vmm_set_error(error, "no memory for the configuration");
	return ret;
}

const char *config_warning(const struct config *public, size_t number)
{
	const struct config_private *config = (const struct config_private *)public;
	const struct schema_warning *warning;
	size_t count = 0;

	/* The newest is in front. */
	for (warning = config->warnings; warning; warning = warning->next)
		count++;
	if (number >= count)
		return NULL;
	warning = config->warnings;
	for (size_t i = count - 1; i > number; i--)
		warning = warning->next;
	return warning->text;
}

static size_t value_fds(const struct vmm_value *value, int *ret_fds, size_t max)
{
	size_t count = 0;

	if (value->type == VMM_OPT_FD && value->flags & VMM_VALUE_PRESENT && max > 0)
		ret_fds[count++] = (int)value->number;
	for (uint64_t i = 0; i < value->item_count; i++)
		count += value_fds(value->items[i], ret_fds + count, max - count);
	return count;
}

size_t config_fds(const struct config *config, int *ret_fds, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < config->device_count; i++)
		for (uint64_t j = 0; j < config->devices[i].value_count; j++)
			count += value_fds(
				config->devices[i].values[j], ret_fds + count, max - count);
	return count;
}
