/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the typed values of options out of text. The grammar is a small one for tests, not that of
 * config files; the meaning of types, units, ranges and defaults is that of vmm/option.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

/* What is being parsed; fails by a text in host->error. */
struct parser {
	struct fake_host *host;
	const char *device;
	const char *at;
	uint32_t flags;
};

static struct vmm_value *value_parse(
	struct parser *parser, const struct vmm_option *option, int nested);

static void *bad(struct parser *parser, const struct vmm_option *option, const char *expected)
{
	vmm_set_error(&parser->host->error_arg, "device \"%s\": option %s: expected %s at \"%s\"",
		parser->device, option->name, expected, parser->at);
	return NULL;
}

void fake_value_free(struct vmm_value *value)
{
	struct vmm_value **items;
	uint64_t i;

	if (!value)
		return;
	memcpy(&items, &value->items, sizeof(items));
	for (i = 0; i < value->item_count; i++)
		fake_value_free(items[i]);
	free(items);
	if (value->text) {
		char *text;

		memcpy(&text, &value->text, sizeof(text));
		free(text);
	}
	free(value);
}

static void skip_space(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

/* Takes a scalar off: a quoted one, all that is left, or (nested) up to the next delimiter. */
static char *take_text(struct parser *parser, int nested)
{
	const char *end;
	char *text;

	if (nested)
		skip_space(parser);
	if (nested && *parser->at == '"') {
		parser->at++;
		end = strchr(parser->at, '"');
		end = end ? end : parser->at + strlen(parser->at);
		text = strndup(parser->at, (size_t)(end - parser->at));
		parser->at = *end ? end + 1 : end;
		return text;
	}
	end = nested ? parser->at + strcspn(parser->at, ",;)]}") : parser->at + strlen(parser->at);
	text = strndup(parser->at, (size_t)(end - parser->at));
	parser->at = end;
	while (nested && *text && isspace((unsigned char)text[strlen(text) - 1]))
		text[strlen(text) - 1] = 0;
	return text;
}

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit size_units[] = {
	{"", 1}, {"K", 1ll << 10}, {"M", 1ll << 20}, {"G", 1ll << 30}, {"T", 1ll << 40}, {NULL, 0}};
static const struct unit time_units[] = {
	{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static int parse_number(const char *text, const struct unit *units, int64_t *ret_number)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 0);
	if (end == text || errno)
		return 0;
	for (; units->suffix; units++) {
		if (strcmp(end, units->suffix) == 0)
			return !__builtin_mul_overflow(number, units->factor, ret_number);
	}
	return 0;
}

static int parse_mac(const char *text, int64_t *ret_number)
{
	unsigned b[6];
	char end;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		    &end) != 6)
		return 0;
	*ret_number = (int64_t)((uint64_t)b[0] << 40 | (uint64_t)b[1] << 32 | (uint64_t)b[2] << 24 |
				(uint64_t)b[3] << 16 | (uint64_t)b[4] << 8 | b[5]);
	return 1;
}

static int parse_enum(const struct vmm_option *option, const char *text, int64_t *ret_number)
{
	uint64_t i;

	for (i = 0; i < option->enum_count; i++) {
		if (strcmp(option->enum_names[i], text) == 0) {
			*ret_number = (int64_t)i;
			return 1;
		}
	}
	return 0;
}

static int parse_bool(const char *text, int64_t *ret_number)
{
	*ret_number = strcmp(text, "true") == 0;
	return *ret_number || strcmp(text, "false") == 0;
}

static int device_provides(const vmm_host *device, const char *interface_id)
{
	uint64_t i;

	for (i = 0; device->type && i < device->type->provides_count; i++)
		if (strcmp(device->type->provides[i], interface_id) == 0)
			return 1;
	return 0;
}

static int parse_ref(
	struct fake_host *host, const struct vmm_option *option, const char *id, int64_t *ret_ref)
{
	const vmm_host *device;

	for (device = host->devices; device; device = device->next) {
		if (strcmp(device->id, id) == 0 && device_provides(device, option->interface_id)) {
			*ret_ref = (int64_t)device->number;
			return 1;
		}
	}
	return 0;
}

/* A ref that was not given: the only device that offers the interface. Returns how many do. */
static uint32_t find_ref(
	struct fake_host *host, const struct vmm_option *option, const char **ret_id)
{
	const vmm_host *device;
	uint32_t count = 0;

	for (device = host->devices; device; device = device->next) {
		if (device_provides(device, option->interface_id)) {
			*ret_id = device->id;
			count++;
		}
	}
	return count;
}

static int in_range(const struct vmm_option *option, int64_t number)
{
	return (!option->min && !option->max) || (number >= option->min && number <= option->max);
}

static int parse_scalar(
	struct fake_host *host, const struct vmm_option *option, struct vmm_value *value)
{
	switch (option->type) {
	case VMM_OPT_BOOL:
		return parse_bool(value->text, &value->number);
	case VMM_OPT_UINT:
	case VMM_OPT_FD:
		return parse_number(value->text, no_units, &value->number) && value->number >= 0 &&
		       in_range(option, value->number);
	case VMM_OPT_INT:
		return parse_number(value->text, no_units, &value->number) &&
		       in_range(option, value->number);
	case VMM_OPT_SIZE:
		return parse_number(value->text, size_units, &value->number) &&
		       in_range(option, value->number);
	case VMM_OPT_DURATION:
		return parse_number(value->text, time_units, &value->number) &&
		       in_range(option, value->number);
	case VMM_OPT_STRING:
		return in_range(option, (int64_t)strlen(value->text));
	case VMM_OPT_PATH:
		return 1;
	case VMM_OPT_ENUM:
		return parse_enum(option, value->text, &value->number);
	case VMM_OPT_MAC:
		return parse_mac(value->text, &value->number);
	case VMM_OPT_REF:
		return parse_ref(host, option, value->text, &value->number);
	default:
		return 0;
	}
}

static struct vmm_value *value_new(const struct vmm_option *option, uint32_t flags)
{
	struct vmm_value *value = fake_alloc(sizeof(*value));

	value->struct_size = sizeof(*value);
	value->type = option->type;
	value->flags = flags;
	return value;
}

static void value_append(struct vmm_value *value, struct vmm_value *item)
{
	struct vmm_value **items;

	memcpy(&items, &value->items, sizeof(items));
	items = realloc(items, (value->item_count + 1) * sizeof(struct vmm_value *));
	items[value->item_count++] = item;
	memcpy(&value->items, &items, sizeof(items));
}

static struct vmm_value *parse_list(struct parser *parser, const struct vmm_option *option)
{
	struct vmm_value *value = value_new(option, parser->flags), *item;
	char close = *parser->at == '(' ? ')' : ']';

	if (*parser->at != '(' && *parser->at != '[') {
		fake_value_free(value);
		return bad(parser, option, "a list");
	}
	parser->at++;
	for (;;) {
		skip_space(parser);
		if (*parser->at == close)
			break;
		item = value_parse(parser, option->members[0], 1);
		if (!item) {
			fake_value_free(value);
			return NULL;
		}
		value_append(value, item);
		skip_space(parser);
		if (*parser->at == ',')
			parser->at++;
	}
	parser->at++;
	if (!in_range(option, (int64_t)value->item_count)) {
		fake_value_free(value);
		return bad(parser, option, "a list of another length");
	}
	return value;
}

/* The member that `name = ` at the parser's place means, behind which the parser is then. */
static int64_t take_member(struct parser *parser, const struct vmm_option *option)
{
	size_t bytes = strcspn(parser->at, "=:,;} ");
	uint64_t i;

	for (i = 0; i < option->member_count; i++) {
		const char *name = option->members[i]->name;

		if (strlen(name) != bytes || strncmp(name, parser->at, bytes) != 0)
			continue;
		parser->at += bytes;
		skip_space(parser);
		if (*parser->at != '=' && *parser->at != ':')
			return -1;
		parser->at++;
		return (int64_t)i;
	}
	return -1;
}

static int fill_group(struct fake_host *host, const struct vmm_option *option,
	struct vmm_value **items, const char *device)
{
	uint64_t i;

	for (i = 0; i < option->member_count; i++) {
		if (items[i])
			continue;
		items[i] = fake_value_parse(host, option->members[i], NULL, 0, device);
		if (!items[i])
			return 0;
	}
	return 1;
}

static struct vmm_value *parse_group(struct parser *parser, const struct vmm_option *option)
{
	struct vmm_value *value = value_new(option, parser->flags);
	struct vmm_value **items = fake_alloc(option->member_count * sizeof(struct vmm_value *));
	int64_t i;

	memcpy(&value->items, &items, sizeof(items));
	value->item_count = option->member_count;
	if (*parser->at != '{') {
		fake_value_free(value);
		return bad(parser, option, "a group");
	}
	parser->at++;
	for (;;) {
		skip_space(parser);
		if (*parser->at == '}')
			break;
		i = take_member(parser, option);
		if (i < 0 || items[i]) {
			fake_value_free(value);
			return bad(parser, option, "a member's name and =");
		}
		items[i] = value_parse(parser, option->members[i], 1);
		if (!items[i]) {
			fake_value_free(value);
			return NULL;
		}
		skip_space(parser);
		if (*parser->at == ',' || *parser->at == ';')
			parser->at++;
	}
	parser->at++;
	if (!fill_group(parser->host, option, items, parser->device)) {
		fake_value_free(value);
		return NULL;
	}
	return value;
}

static struct vmm_value *value_parse(
	struct parser *parser, const struct vmm_option *option, int nested)
{
	struct vmm_value *value;

	if (nested || option->type == VMM_OPT_LIST || option->type == VMM_OPT_GROUP)
		skip_space(parser);
	if (option->type == VMM_OPT_LIST)
		return parse_list(parser, option);
	if (option->type == VMM_OPT_GROUP)
		return parse_group(parser, option);
	value = value_new(option, parser->flags);
	value->text = take_text(parser, nested);
	if (!parse_scalar(parser->host, option, value)) {
		vmm_set_error(&parser->host->error_arg,
			"device \"%s\": option %s: \"%s\" is no value for it", parser->device,
			option->name, value->text);
		fake_value_free(value);
		return NULL;
	}
	return value;
}

/* text NULL: not given, so the default, or absent. NULL with host->error set: cannot be. */
struct vmm_value *fake_value_parse(struct fake_host *host, const struct vmm_option *option,
	const char *text, uint32_t flags, const char *device)
{
	struct parser parser = {host, device, text, flags};
	struct vmm_value *value;
	uint32_t refs = 0;

	if (!text) {
		parser.flags = VMM_VALUE_PRESENT;
		text = option->default_text;
		if (option->type == VMM_OPT_REF) {
			refs = find_ref(host, option, &text);
			if (refs > 1) {
				vmm_set_error(&host->error_arg,
					"device \"%s\": option %s: several devices offer %s",
					device, option->name, option->interface_id);
				return NULL;
			}
		}
		if (!text && (option->flags & VMM_OPT_REQUIRED)) {
			vmm_set_error(&host->error_arg, "device \"%s\": option %s is missing",
				device, option->name);
			return NULL;
		}
		if (!text)
			return value_new(option, 0);
		parser.at = text;
	}
	value = value_parse(&parser, option, 0);
	if (value && *parser.at) {
		fake_value_free(value);
		return bad(&parser, option, "nothing more");
	}
	return value;
}
