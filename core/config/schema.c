/* SPDX-License-Identifier: Apache-2.0 */
/* Does what a user wrote fit a schema: one group, its members, and values within lists. */
#include <stdio.h>
#include <string.h>

#include <vmm/support.h>

#include "config/nearest.h"
#include "config/node.h"
#include "config/schema.h"
#include "config/value.h"

const char *config_place_text(struct config_place place, char *buffer, size_t bytes)
{
	if (!place.file)
		snprintf(buffer, bytes, "(default)");
	else if (place.line)
		snprintf(buffer, bytes, "%s:%u", place.file, place.line);
	else
		snprintf(buffer, bytes, "%s", place.file);
	return buffer;
}

static int fail(const struct schema_check *check, struct config_place place, const char *path,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(const struct schema_check *check, struct config_place place, const char *path,
	const char *format, ...)
{
	char where[CONFIG_ERROR_BYTES / 2];
	char text[CONFIG_ERROR_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_set_error(check->error, "%s: %s: %s", config_place_text(place, where, sizeof(where)),
		path, text);
	return VMM_E_INVAL;
}

/* "devices.disk0" and "path" to "devices.disk0.path"; NULL if there is no memory. */
static const char *join(struct schema_check *check, const char *path, const char *name)
{
	return path[0] ? arena_printf(check->arena, "%s.%s", path, name)
		       : arena_strdup(check->arena, name);
}

static int fail_unknown(struct schema_check *check, const char *path,
	const struct vmm_option *const *options, uint64_t count, const struct node *node)
{
	struct nearest nearest = {.wanted = node->name};
	char known[CONFIG_ERROR_BYTES / 2];
	char hint[VALUE_TEXT_BYTES];
	size_t used = 0;

	known[0] = '\0';
	for (uint64_t i = 0; i < count; i++) {
		nearest_offer(&nearest, options[i]->name);
		if (options[i]->flags & VMM_OPT_DEPRECATED || used >= sizeof(known))
			continue;
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
			used ? ", " : "", options[i]->name);
	}
	path = join(check, path, node->name);
	if (!path)
		return VMM_E_NOMEM;
	return fail(check, node->place, path, "unknown key%s known keys: %s",
		nearest.best ? nearest_text(&nearest, hint, sizeof(hint)) : ";", known);
}

static int fail_value(struct schema_check *check, const char *path, const struct vmm_option *option,
	const struct node *node)
{
	struct nearest nearest = {.wanted = node->text ? node->text : ""};
	char expected[VALUE_TEXT_BYTES];
	char found[VALUE_TEXT_BYTES];
	char hint[VALUE_TEXT_BYTES] = "";

	value_expected(option, expected, sizeof(expected));
	if (option->flags & VMM_OPT_SECRET)
		return fail(check, node->place, path, "expected %s", expected);
	if (option->type == VMM_OPT_ENUM && node->text) {
		for (uint64_t i = 0; i < option->enum_count; i++)
			nearest_offer(&nearest, option->enum_names[i]);
		nearest_text(&nearest, hint, sizeof(hint));
	}
	return fail(check, node->place, path, "expected %s, found %s%s", expected,
		value_found(node, found, sizeof(found)), hint);
}

/* The directory that a relative path at this place starts from. */
static const char *base_dir(struct schema_check *check, struct config_place place)
{
	const char *slash;

	if (!place.file)
		return check->base_dir;
	if (!place.line)
		return check->working_dir;
	slash = strrchr(place.file, '/');
	if (!slash)
		return check->working_dir;
	if (place.file[0] == '/')
		return arena_strndup(check->arena, place.file, (size_t)(slash - place.file));
	return arena_printf(
		check->arena, "%s/%.*s", check->working_dir, (int)(slash - place.file), place.file);
}

static struct vmm_value *new_value(
	struct schema_check *check, const struct vmm_option *option, const struct node *node)
{
	struct vmm_value *value = arena_alloc(check->arena, 1, sizeof(*value));

	if (!value)
		return NULL;
	value->struct_size = sizeof(*value);
	value->type = option->type;
	if (node) {
		value->flags = VMM_VALUE_PRESENT;
		value->file = node->place.file;
		value->line = node->place.line;
		if (node->place.file)
			value->flags |= VMM_VALUE_GIVEN;
	}
	return value;
}

/* One word for a list, as in `-s iothreads=a,b` or a default: split at the commas. */
static struct node *split_word(struct schema_check *check, const struct node *node)
{
	struct node *list = node_create(check->arena, NODE_LIST, node->place);
	const char *at = node->text;

	if (!list)
		return NULL;
	while (*at) {
		size_t bytes = strcspn(at, ",");
		char *word = arena_strndup(check->arena, at, bytes);
		struct node *child = word ? node_word(check->arena, word, node->place) : NULL;

		if (!child)
			return NULL;
		node_append(list, child);
		at += bytes + (at[bytes] == ',');
	}
	return list;
}

static int make_value(struct schema_check *check, const char *path, const struct vmm_option *option,
	const struct node *node, struct vmm_value **ret_value);

static int make_list(struct schema_check *check, const char *path, const struct vmm_option *option,
	const struct node *node, struct vmm_value *value)
{
	const struct vmm_value **items;
	uint64_t count = 0;

	if (node->bare) {
		node = split_word(check, node);
		if (!node)
			return VMM_E_NOMEM;
	}
	if (node->kind != NODE_LIST)
		return fail_value(check, path, option, node);
	if ((option->min || option->max) && ((int64_t)node->child_count < option->min ||
						    (int64_t)node->child_count > option->max)) {
		char expected[VALUE_TEXT_BYTES];

		return fail(check, node->place, path, "expected %s, found %zu",
			value_expected(option, expected, sizeof(expected)), node->child_count);
	}
	items = arena_alloc(check->arena, node->child_count + 1, sizeof(struct vmm_value *));
	if (!items)
		return VMM_E_NOMEM;
	for (const struct node *child = node->children; child; child = child->next) {
		const char *item_path = arena_printf(check->arena, "%s[%u]", path, (unsigned)count);
		struct vmm_value *item = NULL;
		int ret;

		if (!item_path)
			return VMM_E_NOMEM;
		ret = make_value(check, item_path, option->members[0], child, &item);
		if (ret)
			return ret;
		items[count++] = item;
	}
	value->items = items;
	value->item_count = count;
	return 0;
}

static int make_group(struct schema_check *check, const char *path,
	const struct vmm_option *const *options, uint64_t count, const struct node *node,
	struct config_place place, const struct vmm_value *const **ret_values);

static int add_ref(struct schema_check *check, const char *path, const struct vmm_option *option,
	struct vmm_value *value)
{
	struct schema_ref *ref;

	if (!check->refs)
		return 0;
	ref = arena_alloc(check->arena, 1, sizeof(*ref));
	if (!ref)
		return VMM_E_NOMEM;
	ref->option = option;
	ref->value = value;
	ref->path = path;
	ref->next = *check->refs;
	*check->refs = ref;
	return 0;
}

static int make_value(struct schema_check *check, const char *path, const struct vmm_option *option,
	const struct node *node, struct vmm_value **ret_value)
{
	struct vmm_value *value = new_value(check, option, node);
	const char *dir;
	int ret;

	if (!value)
		return VMM_E_NOMEM;
	*ret_value = value;
	switch (option->type) {
	case SCHEMA_OPT_ANY:
		return 0;
	case VMM_OPT_LIST:
		return make_list(check, path, option, node, value);
	case VMM_OPT_GROUP:
		/* The default of a group is the word "": a group with all its defaults. */
		if (node->bare && !node->text[0])
			node = node_create(check->arena, NODE_GROUP, node->place);
		if (!node)
			return VMM_E_NOMEM;
		if (node->kind != NODE_GROUP)
			return fail_value(check, path, option, node);
		value->item_count = option->member_count;
		return make_group(check, path, option->members, option->member_count, node,
			node->place.file ? node->place : check->place, &value->items);
	default:
		break;
	}
	dir = option->type == VMM_OPT_PATH ? base_dir(check, node->place) : "";
	if (!dir)
		return VMM_E_NOMEM;
	ret = value_from_node(check->arena, option, node, dir, value);
	if (ret == VMM_E_INVAL)
		return fail_value(check, path, option, node);
	return ret;
}

static int warn_deprecated(struct schema_check *check, const char *path,
	const struct vmm_option *option, const struct node *node)
{
	struct schema_warning *warning;
	char where[CONFIG_ERROR_BYTES];

	if (!(option->flags & VMM_OPT_DEPRECATED) || !check->warnings)
		return 0;
	warning = arena_alloc(check->arena, 1, sizeof(*warning));
	if (!warning)
		return VMM_E_NOMEM;
	warning->text = arena_printf(check->arena, "%s: %s: is deprecated: %s",
		config_place_text(node->place, where, sizeof(where)), path, option->doc);
	if (!warning->text)
		return VMM_E_NOMEM;
	warning->next = *check->warnings;
	*check->warnings = warning;
	return 0;
}

/* The value of one option of a group: as given, else the default, else absent. */
static int make_member(struct schema_check *check, const char *group_path,
	const struct vmm_option *option, const struct node *group, struct config_place place,
	struct vmm_value **ret_value)
{
	const struct node *node = group ? node_child(group, option->name) : NULL;
	const char *path = join(check, group_path, option->name);
	int ret;

	if (!path)
		return VMM_E_NOMEM;
	if (node) {
		ret = warn_deprecated(check, path, option, node);
		if (ret)
			return ret;
	} else if (option->default_text) {
		node = node_word(check->arena, option->default_text, (struct config_place){0});
		if (!node)
			return VMM_E_NOMEM;
	} else if (option->flags & VMM_OPT_REQUIRED && option->type != VMM_OPT_REF) {
		return fail(check, place, path, "is required (%s)", option->doc);
	}
	if (node) {
		ret = make_value(check, path, option, node, ret_value);
	} else {
		*ret_value = new_value(check, option, NULL);
		ret = *ret_value ? 0 : VMM_E_NOMEM;
	}
	if (ret || option->type != VMM_OPT_REF)
		return ret;
	return add_ref(check, path, option, *ret_value);
}

static int make_group(struct schema_check *check, const char *path,
	const struct vmm_option *const *options, uint64_t count, const struct node *node,
	struct config_place place, const struct vmm_value *const **ret_values)
{
	const struct vmm_value **values;

	for (const struct node *child = node ? node->children : NULL; child; child = child->next) {
		bool known = check->flags & SCHEMA_IGNORE_UNKNOWN;

		for (uint64_t i = 0; i < count && !known; i++)
			known = !strcmp(options[i]->name, child->name);
		if (!known)
			return fail_unknown(check, path, options, count, child);
	}
	values = arena_alloc(check->arena, count + 1, sizeof(struct vmm_value *));
	if (!values)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < count; i++) {
		struct vmm_value *value = NULL;
		int ret = make_member(check, path, options[i], node, place, &value);

		if (ret)
			return ret;
		values[i] = value;
	}
	*ret_values = values;
	return 0;
}

int schema_check(struct schema_check *check, const struct vmm_option *const *options,
	uint64_t count, const struct node *node, const struct vmm_value *const **ret_values)
{
	int ret;

	if (node && node->kind != NODE_GROUP) {
		char found[VALUE_TEXT_BYTES];

		return fail(check, node->place, check->path, "expected a group { ... }, found %s",
			value_found(node, found, sizeof(found)));
	}
	if (node)
		check->place = node->place;
	ret = make_group(check, check->path, options, count, node, check->place, ret_values);
	if (ret == VMM_E_NOMEM)
		vmm_set_error(check->error, "no memory for the configuration");
	return ret;
}
