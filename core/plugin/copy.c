/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private copies of a plugin's tables, made once by the rules of sized structs: a table of another
 * version is shorter or longer than ours; what it lacks reads as zero, what it has more is not
 * looked at. After this nobody needs to ask for a size or a required slot again.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <vmm/support.h>

#include "config/schema.h"
#include "plugin/private.h"

/* Sizes in the first release of ABI 0; a struct never gets smaller. */
#define DESC_FIRST_BYTES   48u
#define TYPE_FIRST_BYTES   72u
#define OPS_FIRST_BYTES    80u
#define OPTION_FIRST_BYTES 112u
#define PROVIDES_MAX       16u

#define NEEDS_KNOWN (VMM_NEED_NETWORK | VMM_NEED_TAP | VMM_NEED_DISK | VMM_NEED_IO_URING)

static const char *const reserved_names[] = {"type", "id", "iothread", "plugin"};

/* Copies min(sizes) of a table into a zeroed one of ours. */
static int copy_table(const void *table, uint64_t first_bytes, void *copy, uint64_t bytes,
	const char *what, struct vmm_error *error)
{
	uint64_t size;

	if (!table) {
		vmm_set_error(error, "has a NULL %s", what);
		return VMM_E_INVAL;
	}
	memcpy(&size, table, sizeof(size));
	if (size < first_bytes || size % 8) {
		vmm_set_error(error,
			"has a %s of %" PRIu64 " bytes; the first release had %" PRIu64, what, size,
			first_bytes);
		return VMM_E_INVAL;
	}
	memset(copy, 0, bytes);
	memcpy(copy, table, size < bytes ? size : bytes);
	memcpy(copy, &bytes, sizeof(bytes));
	return 0;
}

/* A type from before there was a place to say what it needs may do all that it could then. */
static void add_needs(const struct vmm_device_type *type, struct vmm_device_type *copy)
{
	if (type->size <= offsetof(struct vmm_device_type, needs))
		copy->needs = NEEDS_KNOWN;
}

static int copy_option(struct arena *arena, const struct vmm_option *option, unsigned depth,
	const struct vmm_option **ret_option, struct vmm_error *error)
{
	struct vmm_option *copy = arena_alloc(arena, 1, sizeof(*copy));
	const unsigned char *bytes = (const unsigned char *)option;
	int ret;

	if (!copy)
		return VMM_E_NOMEM;
	ret = copy_table(option, OPTION_FIRST_BYTES, copy, sizeof(*copy), "vmm_option", error);
	if (ret)
		return ret;
	for (uint64_t i = sizeof(*copy); i < option->struct_size; i++) {
		if (!bytes[i])
			continue;
		vmm_set_error(error, "option \"%s\" says things that this vmm does not know",
			copy->name ? copy->name : "");
		return VMM_E_TOO_NEW;
	}
	*ret_option = copy;
	/* Deeper ones are refused by schema_validate(). */
	if (!copy->members || depth > SCHEMA_DEPTH_MAX)
		return 0;
	return plugin_copy_options(
		arena, copy->members, copy->member_count, depth + 1, &copy->members, error);
}

int plugin_copy_options(struct arena *arena, const struct vmm_option *const *options,
	uint64_t count, unsigned depth, const struct vmm_option *const **ret_options,
	struct vmm_error *error)
{
	const struct vmm_option **copies;

	if (count > SCHEMA_OPTIONS_MAX || (count && !options)) {
		vmm_set_error(error, "says that a table has %" PRIu64 " options", count);
		return VMM_E_INVAL;
	}
	copies = arena_alloc(arena, count + 1, sizeof(struct vmm_option *));
	if (!copies)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < count; i++) {
		int ret = copy_option(arena, options[i], depth, &copies[i], error);

		if (ret)
			return ret;
	}
	*ret_options = copies;
	return 0;
}

static bool is_type_name(const char *name)
{
	size_t bytes;

	if (!name || name[0] < 'a' || name[0] > 'z')
		return false;
	bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return !name[bytes] && bytes <= 32;
}

static int check_ops(const struct vmm_device_type *type, const struct vmm_device_ops *ops,
	struct vmm_error *error)
{
	const char *missing = NULL;

	if (!ops->create)
		missing = "create";
	else if (!ops->destroy)
		missing = "destroy";
	else if (type->provides_count && !ops->get_interface)
		missing = "get_interface";
	if (!missing)
		return 0;
	vmm_set_error(error, "its type \"%s\" has no %s()", type->name, missing);
	return VMM_E_INVAL;
}

static int check_type(const struct vmm_device_type *type, struct vmm_error *error)
{
	if (!is_type_name(type->name)) {
		vmm_set_error(error,
			"has a type named \"%.60s\"; a name is a letter, then lower-case letters, "
			"digits and '-', at most 32",
			type->name ? type->name : "");
		return VMM_E_INVAL;
	}
	if (!type->summary || !type->summary[0]) {
		vmm_set_error(error, "its type \"%s\" has no summary", type->name);
		return VMM_E_INVAL;
	}
	if (type->flags || (type->thread_model != VMM_THREADS_LOOP &&
				   type->thread_model != VMM_THREADS_SERIAL &&
				   type->thread_model != VMM_THREADS_PARALLEL)) {
		vmm_set_error(error,
			"its type \"%s\" has a thread model or flags that this vmm does not know",
			type->name);
		return VMM_E_TOO_NEW;
	}
	if (type->needs & ~NEEDS_KNOWN) {
		vmm_set_error(error, "its type \"%s\" needs things that this vmm does not know",
			type->name);
		return VMM_E_TOO_NEW;
	}
	if (type->provides_count > PROVIDES_MAX || (type->provides_count && !type->provides)) {
		vmm_set_error(error, "its type \"%s\" says that it provides %" PRIu64 " interfaces",
			type->name, type->provides_count);
		return VMM_E_INVAL;
	}
	for (uint64_t i = 0; i < type->provides_count; i++) {
		if (type->provides[i] && strchr(type->provides[i], '/'))
			continue;
		vmm_set_error(error,
			"its type \"%s\" provides an interface without an id such as \"name/1\"",
			type->name);
		return VMM_E_INVAL;
	}
	return 0;
}

static int check_schema(const struct vmm_device_type *type, struct vmm_error *error)
{
	char text[PLUGIN_ERROR_BYTES / 2] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	int ret = schema_validate(type->options, type->option_count, &inner);

	if (ret) {
		vmm_set_error(error, "its type \"%s\" has a bad schema: %s", type->name, text);
		return ret;
	}
	for (uint64_t i = 0; i < type->option_count; i++) {
		for (size_t j = 0; j < sizeof(reserved_names) / sizeof(reserved_names[0]); j++) {
			if (strcmp(type->options[i]->name, reserved_names[j]) != 0)
				continue;
			vmm_set_error(error,
				"its type \"%s\" has a bad schema: every device has a key \"%s\" "
				"already",
				type->name, reserved_names[j]);
			return VMM_E_INVAL;
		}
	}
	return 0;
}

static int copy_type(struct arena *arena, const struct vmm_device_type *type,
	const struct vmm_device_type **ret_type, struct vmm_error *error)
{
	struct vmm_device_type *copy = arena_alloc(arena, 1, sizeof(*copy));
	struct vmm_device_ops *ops = arena_alloc(arena, 1, sizeof(*ops));
	char text[PLUGIN_ERROR_BYTES / 2] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	int ret;

	if (!copy || !ops)
		return VMM_E_NOMEM;
	ret = copy_table(type, TYPE_FIRST_BYTES, copy, sizeof(*copy), "vmm_device_type", error);
	if (!ret)
		ret = check_type(copy, error);
	if (!ret)
		add_needs(type, copy);
	if (!ret)
		ret = copy_table(
			copy->ops, OPS_FIRST_BYTES, ops, sizeof(*ops), "vmm_device_ops", error);
	if (!ret)
		ret = check_ops(copy, ops, error);
	if (ret)
		return ret;
	copy->ops = ops;
	ret = plugin_copy_options(
		arena, copy->options, copy->option_count, 0, &copy->options, &inner);
	if (ret) {
		vmm_set_error(error, "its type \"%s\" has a bad schema: %s", copy->name, text);
		return ret;
	}
	ret = check_schema(copy, error);
	if (!ret)
		*ret_type = copy;
	return ret;
}

/* The types of the note, which the loader went by, must be those of the table. */
static int compare_types(
	const struct plugin_info *info, const struct plugin *plugin, struct vmm_error *error)
{
	for (size_t i = 0; i < plugin->type_count; i++) {
		const char *name = plugin->types[i]->name;
		bool found = false;

		for (size_t j = 0; j < i; j++) {
			if (strcmp(plugin->types[j]->name, name) != 0)
				continue;
			vmm_set_error(error, "has two types named \"%s\"", name);
			return VMM_E_EXISTS;
		}
		for (size_t j = 0; j < info->type_count; j++)
			found = found || !strcmp(info->types[j], name);
		if (!found) {
			vmm_set_error(error, "has a type \"%s\" that its note does not list", name);
			return VMM_E_INVAL;
		}
	}
	if (plugin->type_count == info->type_count)
		return 0;
	vmm_set_error(error, "lists %zu types in its note, but has %zu", info->type_count,
		plugin->type_count);
	return VMM_E_INVAL;
}

int plugin_copy_desc(struct arena *arena, const struct plugin_info *info,
	const struct vmm_plugin_desc *table, struct plugin *ret_plugin, struct vmm_error *error)
{
	const struct vmm_device_type **types;
	struct plugin plugin = {
		.file = info->file,
		.abi_major = info->abi_major,
		.abi_minor = info->abi_minor,
		.min_host_minor = info->min_host_minor,
	};
	struct vmm_plugin_desc desc;
	int ret =
		copy_table(table, DESC_FIRST_BYTES, &desc, sizeof(desc), "vmm_plugin_desc", error);

	if (ret)
		return ret;
	if (!desc.id || strcmp(desc.id, info->id) != 0) {
		vmm_set_error(error, "calls itself \"%.60s\", but \"%s\" in its note",
			desc.id ? desc.id : "", info->id);
		return VMM_E_INVAL;
	}
	if (!desc.version || !desc.version[0] || !desc.summary || !desc.summary[0]) {
		vmm_set_error(error, "has no version or no summary");
		return VMM_E_INVAL;
	}
	if (!desc.types || !desc.type_count || desc.type_count > PLUGIN_TYPES_MAX) {
		vmm_set_error(error, "says that it has %" PRIu64 " types; 1 to %u are possible",
			desc.type_count, PLUGIN_TYPES_MAX);
		return VMM_E_INVAL;
	}
	types = arena_alloc(arena, desc.type_count, sizeof(struct vmm_device_type *));
	if (!types)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < desc.type_count; i++) {
		ret = copy_type(arena, desc.types[i], &types[i], error);
		if (ret)
			return ret;
	}
	plugin.id = desc.id;
	plugin.version = desc.version;
	plugin.summary = desc.summary;
	plugin.types = types;
	plugin.type_count = desc.type_count;
	ret = compare_types(info, &plugin, error);
	if (!ret)
		*ret_plugin = plugin;
	return ret;
}
