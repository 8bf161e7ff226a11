/* SPDX-License-Identifier: Apache-2.0 */
/* Is a schema itself sound? Run once for each device type of a plugin, before any value is read. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <vmm/support.h>

#include "config/node.h"
#include "config/schema.h"
#include "config/value.h"

#define FLAGS_KNOWN (VMM_OPT_REQUIRED | VMM_OPT_DEPRECATED | VMM_OPT_SECRET | VMM_OPT_LIVE)

struct type_name {
	uint32_t type;
	const char *name;
};

static const struct type_name type_names[] = {
	{VMM_OPT_BOOL, "bool"},
	{VMM_OPT_INT, "int"},
	{VMM_OPT_UINT, "uint"},
	{VMM_OPT_SIZE, "size"},
	{VMM_OPT_DURATION, "duration"},
	{VMM_OPT_STRING, "string"},
	{VMM_OPT_ENUM, "enum"},
	{VMM_OPT_PATH, "path"},
	{VMM_OPT_FD, "fd"},
	{VMM_OPT_MAC, "mac"},
	{VMM_OPT_LIST, "list"},
	{VMM_OPT_GROUP, "group"},
	{VMM_OPT_REF, "ref"},
};

const char *schema_type_name(uint32_t type)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return NULL;
}

static bool is_option_name(const char *name)
{
	size_t bytes;

	if (!name || name[0] < 'a' || name[0] > 'z')
		return false;
	bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return !name[bytes] && bytes <= NODE_NAME_BYTES_MAX;
}

static int check_enum(const struct vmm_option *option, struct vmm_error *error)
{
	if (!option->enum_count || option->enum_count > SCHEMA_OPTIONS_MAX || !option->enum_names) {
		vmm_set_error(error, "option \"%s\" has no enum_names", option->name);
		return VMM_E_INVAL;
	}
	for (uint64_t i = 0; i < option->enum_count; i++) {
		if (!option->enum_names[i] || !option->enum_names[i][0]) {
			vmm_set_error(error, "option \"%s\" has an empty name in its enum_names",
				option->name);
			return VMM_E_INVAL;
		}
		for (uint64_t j = 0; j < i; j++) {
			if (strcmp(option->enum_names[i], option->enum_names[j]) != 0)
				continue;
			vmm_set_error(error, "option \"%s\" has \"%s\" twice in its enum_names",
				option->name, option->enum_names[i]);
			return VMM_E_INVAL;
		}
	}
	return 0;
}

static bool is_interface_id(const char *id)
{
	const char *slash = id ? strrchr(id, '/') : NULL;

	return slash && slash != id && slash[1] >= '1' && slash[1] <= '9' &&
	       !slash[1 + strspn(slash + 1, "0123456789")];
}

/* A default goes through the code that a user's value goes through. */
static int check_default(const struct vmm_option *option, struct vmm_error *error)
{
	struct schema_check check = {.path = "", .base_dir = "/", .working_dir = "/"};
	const struct vmm_value *const *values;
	char expected[VALUE_TEXT_BYTES];
	struct arena arena;
	int ret;

	if (!option->default_text)
		return 0;
	if (option->flags & VMM_OPT_REQUIRED) {
		vmm_set_error(error, "option \"%s\" is required and has a default", option->name);
		return VMM_E_INVAL;
	}
	arena_init(&arena);
	check.arena = &arena;
	ret = schema_check(&check, &option, 1, NULL, &values);
	if (ret == VMM_E_INVAL)
		vmm_set_error(error, "the default \"%s\" of option \"%s\" is not %s",
			option->default_text, option->name,
			value_expected(option, expected, sizeof(expected)));
	arena_fini(&arena);
	return ret;
}

static int validate(const struct vmm_option *const *options, uint64_t count, unsigned depth,
	struct vmm_error *error);

static int check_members(const struct vmm_option *option, unsigned depth, struct vmm_error *error)
{
	if (option->type != VMM_OPT_LIST && option->type != VMM_OPT_GROUP)
		return 0;
	if (depth == SCHEMA_DEPTH_MAX) {
		vmm_set_error(error, "option \"%s\" is more than %u lists and groups deep",
			option->name, SCHEMA_DEPTH_MAX);
		return VMM_E_INVAL;
	}
	if (!option->members || (option->type == VMM_OPT_LIST && option->member_count != 1)) {
		vmm_set_error(error, "option \"%s\" needs %s in members", option->name,
			option->type == VMM_OPT_LIST ? "one option" : "its options");
		return VMM_E_INVAL;
	}
	return validate(option->members, option->member_count, depth + 1, error);
}

static int check_option(const struct vmm_option *option, unsigned depth, struct vmm_error *error)
{
	int ret = 0;

	if (!is_option_name(option->name)) {
		vmm_set_error(error,
			"an option is named \"%.60s\"; a name is a letter, then lower-case "
			"letters, digits and '_'",
			option->name ? option->name : "");
		return VMM_E_INVAL;
	}
	if (!schema_type_name(option->type)) {
		vmm_set_error(
			error, "option \"%s\" has the unknown type %u", option->name, option->type);
		return VMM_E_TOO_NEW;
	}
	if (option->flags & ~FLAGS_KNOWN || option->reserved) {
		vmm_set_error(
			error, "option \"%s\" has flags that this vmm does not know", option->name);
		return VMM_E_TOO_NEW;
	}
	if (!option->doc || !option->doc[0]) {
		vmm_set_error(error, "option \"%s\" has no doc", option->name);
		return VMM_E_INVAL;
	}
	if (option->min > option->max) {
		vmm_set_error(error, "option \"%s\" has a min over its max", option->name);
		return VMM_E_INVAL;
	}
	if (option->type == VMM_OPT_REF && !is_interface_id(option->interface_id)) {
		vmm_set_error(error, "option \"%s\" needs an interface_id such as \"name/1\"",
			option->name);
		return VMM_E_INVAL;
	}
	if (option->type == VMM_OPT_ENUM)
		ret = check_enum(option, error);
	if (!ret)
		ret = check_members(option, depth, error);
	if (!ret)
		ret = check_default(option, error);
	return ret;
}

static int validate(const struct vmm_option *const *options, uint64_t count, unsigned depth,
	struct vmm_error *error)
{
	if (count > SCHEMA_OPTIONS_MAX || (count && !options)) {
		vmm_set_error(error, "%s",
			options ? "it has too many options"
				: "it has a number of options but no table");
		return VMM_E_INVAL;
	}
	for (uint64_t i = 0; i < count; i++) {
		int ret;

		if (!options[i]) {
			vmm_set_error(error, "its table of options has a NULL entry");
			return VMM_E_INVAL;
		}
		ret = check_option(options[i], depth, error);
		if (ret)
			return ret;
		for (uint64_t j = 0; j < i; j++) {
			if (strcmp(options[i]->name, options[j]->name) != 0)
				continue;
			vmm_set_error(error, "it has two options named \"%s\"", options[i]->name);
			return VMM_E_EXISTS;
		}
	}
	return 0;
}

int schema_validate(
	const struct vmm_option *const *options, uint64_t count, struct vmm_error *error)
{
	return validate(options, count, 0, error);
}
