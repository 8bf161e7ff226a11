/* SPDX-License-Identifier: Apache-2.0 */
/* Single values from nodes, and what is said of them in messages. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "config/value.h"

#define PATH_BYTES_MAX 4095

static bool has_limits(const struct vmm_option *option)
{
	return option->min || option->max;
}

static bool in_limits(const struct vmm_option *option, int64_t number)
{
	return !has_limits(option) || (number >= option->min && number <= option->max);
}

static int set_path(
	struct arena *arena, const char *text, const char *base_dir, struct vmm_value *value)
{
	if (!text[0] || strlen(text) + strlen(base_dir) >= PATH_BYTES_MAX)
		return VMM_E_INVAL;
	if (text[0] == '/')
		value->text = arena_strdup(arena, text);
	else
		value->text = arena_printf(arena, "%s/%s", base_dir, text);
	return value->text ? 0 : VMM_E_NOMEM;
}

static int set_enum(const struct vmm_option *option, const char *text, struct vmm_value *value)
{
	for (uint64_t i = 0; i < option->enum_count; i++) {
		if (strcmp(option->enum_names[i], text) != 0)
			continue;
		value->number = (int64_t)i;
		value->text = option->enum_names[i];
		return 0;
	}
	return VMM_E_INVAL;
}

static int set_text(struct arena *arena, const struct vmm_option *option, const struct node *node,
	const char *base_dir, struct vmm_value *value)
{
	if (node->kind != NODE_STRING && !node->bare)
		return VMM_E_INVAL;
	switch (option->type) {
	case VMM_OPT_ENUM:
		return set_enum(option, node->text, value);
	case VMM_OPT_PATH:
		return set_path(arena, node->text, base_dir, value);
	case VMM_OPT_MAC:
		return value_parse_mac(node->text, &value->number) ? 0 : VMM_E_INVAL;
	case VMM_OPT_DURATION:
		if (!value_parse_duration(node->text, &value->number))
			return VMM_E_INVAL;
		return in_limits(option, value->number) ? 0 : VMM_E_INVAL;
	case VMM_OPT_REF:
		value->text = node->text;
		return node->text[0] ? 0 : VMM_E_INVAL;
	default:
		value->text = node->text;
		return in_limits(option, (int64_t)strlen(node->text)) ? 0 : VMM_E_INVAL;
	}
}

int value_from_node(struct arena *arena, const struct vmm_option *option, const struct node *node,
	const char *base_dir, struct vmm_value *value)
{
	switch (option->type) {
	case VMM_OPT_BOOL:
		value->number = node->number;
		return node->kind == NODE_BOOL ? 0 : VMM_E_INVAL;
	case VMM_OPT_INT:
	case VMM_OPT_UINT:
	case VMM_OPT_FD:
		value->number = node->number;
		if (node->kind != NODE_INT || (option->type != VMM_OPT_INT && node->number < 0))
			return VMM_E_INVAL;
		if (option->type == VMM_OPT_FD && node->number > INT32_MAX)
			return VMM_E_INVAL;
		return in_limits(option, value->number) ? 0 : VMM_E_INVAL;
	case VMM_OPT_SIZE:
		value->number = node->number;
		if (node->kind == NODE_STRING && !value_parse_size(node->text, &value->number))
			return VMM_E_INVAL;
		if ((node->kind != NODE_STRING && node->kind != NODE_INT) || value->number < 0)
			return VMM_E_INVAL;
		return in_limits(option, value->number) ? 0 : VMM_E_INVAL;
	case VMM_OPT_DURATION:
		if (node->kind == NODE_INT && !node->bare && !node->number)
			return in_limits(option, 0) ? 0 : VMM_E_INVAL;
		break;
	default:
		break;
	}
	return set_text(arena, option, node, base_dir, value);
}

/* Text that is made piece by piece and cut where the buffer ends. */
struct text {
	char *at;
	size_t left;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (bytes < 0)
		return;
	if ((size_t)bytes >= text->left)
		bytes = text->left ? (int)text->left - 1 : 0;
	text->at += bytes;
	text->left -= (size_t)bytes;
}

static void add_number(struct text *text, const struct vmm_option *option, int64_t number)
{
	char buffer[64];

	if (option->type == VMM_OPT_SIZE)
		add(text, "%s", value_format_size(number, buffer, sizeof(buffer)));
	else if (option->type == VMM_OPT_DURATION)
		add(text, "%s", value_format_duration(number, buffer, sizeof(buffer)));
	else
		add(text, "%" PRId64, number);
}

static void add_limits(struct text *text, const struct vmm_option *option, const char *of)
{
	if (!has_limits(option))
		return;
	if (option->max == INT64_MAX && option->min <= 0 && option->type != VMM_OPT_INT)
		return;
	if (option->max == INT64_MAX) {
		add(text, " of at least ");
		add_number(text, option, option->min);
	} else if (option->min == INT64_MIN || (*of && option->min <= 0)) {
		add(text, " of at most ");
		add_number(text, option, option->max);
	} else {
		add(text, *of ? " of " : " from ");
		add_number(text, option, option->min);
		add(text, " to ");
		add_number(text, option, option->max);
	}
	add(text, "%s", of);
}

static void add_enum(struct text *text, const struct vmm_option *option)
{
	for (uint64_t i = 0; i < option->enum_count; i++)
		add(text, "%s\"%s\"",
			i == 0                        ? ""
			: i + 1 == option->enum_count ? " or "
						      : ", ",
			option->enum_names[i]);
}

const char *value_expected(const struct vmm_option *option, char *buffer, size_t bytes)
{
	struct text text = {buffer, bytes};

	buffer[0] = '\0';
	switch (option->type) {
	case VMM_OPT_BOOL:
		add(&text, "true or false");
		break;
	case VMM_OPT_INT:
	case VMM_OPT_UINT:
		add(&text, "a whole number");
		add_limits(&text, option, "");
		if (option->type == VMM_OPT_UINT && !has_limits(option))
			add(&text, " of at least 0");
		if (option->unit)
			add(&text, " (%s)", option->unit);
		break;
	case VMM_OPT_SIZE:
		add(&text, "a size");
		add_limits(&text, option, "");
		add(&text, " such as \"256M\" (K, M, G, T, or a number of bytes)");
		break;
	case VMM_OPT_DURATION:
		add(&text, "a duration");
		add_limits(&text, option, "");
		add(&text, " such as \"10ms\" (ns, us, ms, s)");
		break;
	case VMM_OPT_ENUM:
		add_enum(&text, option);
		break;
	case VMM_OPT_PATH:
		add(&text, "the path of a file in double quotes");
		break;
	case VMM_OPT_FD:
		add(&text, "the number of an inherited file descriptor");
		break;
	case VMM_OPT_MAC:
		add(&text, "a MAC address such as \"52:54:00:12:34:56\"");
		break;
	case VMM_OPT_LIST:
		add(&text, "a list ( ... ) or [ ... ]");
		add_limits(&text, option, " values");
		break;
	case VMM_OPT_GROUP:
		add(&text, "a group { ... }");
		break;
	case VMM_OPT_REF:
		add(&text, "the id of a device that offers %s", option->interface_id);
		break;
	default:
		add(&text, "text in double quotes");
		add_limits(&text, option, " bytes");
		break;
	}
	return buffer;
}

const char *value_found(const struct node *node, char *buffer, size_t bytes)
{
	if (node->bare || node->kind == NODE_STRING) {
		size_t length = strlen(node->text);

		snprintf(buffer, bytes, "\"%.60s%s\"", node->text, length > 60 ? "..." : "");
		return buffer;
	}
	switch (node->kind) {
	case NODE_BOOL:
		snprintf(buffer, bytes, "%s", node->number ? "true" : "false");
		break;
	case NODE_INT:
		snprintf(buffer, bytes, "%" PRId64, node->number);
		break;
	case NODE_REAL:
		snprintf(buffer, bytes, "a number with a fraction");
		break;
	case NODE_LIST:
		snprintf(buffer, bytes, "a list");
		break;
	default:
		snprintf(buffer, bytes, "a group");
		break;
	}
	return buffer;
}
