/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin, a device type or a group of the core, as text or JSON. */
#include <string.h>

#include "cli/describe.h"
#include "cli/json.h"
#include "config/value.h"

static const char *thread_model_name(uint32_t model)
{
	return model == VMM_THREADS_LOOP     ? "loop"
	       : model == VMM_THREADS_SERIAL ? "serial"
					     : "parallel";
}

/* Words for VMM_NEED_...; NULL: none is known for this bit. */
static const char *need_name(unsigned bit)
{
	static const char *const names[] = {"network", "tap", "disk", "io_uring"};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

static void json_options(struct json *json, const char *name,
	const struct vmm_option *const *options, uint64_t count)
{
	json_open(json, name, '[');
	for (uint64_t i = 0; i < count; i++) {
		const struct vmm_option *option = options[i];

		json_open(json, NULL, '{');
		json_text(json, "name", option->name);
		json_text(json, "type", schema_type_name(option->type));
		json_text(json, "doc", option->doc);
		json_bool(json, "required", option->flags & VMM_OPT_REQUIRED);
		json_bool(json, "deprecated", option->flags & VMM_OPT_DEPRECATED);
		json_bool(json, "secret", option->flags & VMM_OPT_SECRET);
		json_bool(json, "live", option->flags & VMM_OPT_LIVE);
		json_text(json, "default", option->default_text);
		if (option->min || option->max) {
			json_number(json, "min", option->min);
			json_number(json, "max", option->max);
		}
		if (option->unit)
			json_text(json, "unit", option->unit);
		if (option->type == VMM_OPT_ENUM) {
			json_open(json, "values", '[');
			for (uint64_t j = 0; j < option->enum_count; j++)
				json_text(json, NULL, option->enum_names[j]);
			json_close(json, ']');
		}
		if (option->type == VMM_OPT_REF)
			json_text(json, "interface", option->interface_id);
		if (option->type == VMM_OPT_LIST || option->type == VMM_OPT_GROUP)
			json_options(json, "members", option->members, option->member_count);
		json_number(json, "since_minor", option->since_minor);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void text_options(
	FILE *out, const struct vmm_option *const *options, uint64_t count, unsigned indent)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct vmm_option *option = options[i];
		char expected[VALUE_TEXT_BYTES];

		fprintf(out, "%*s%s", (int)indent, "", option->name);
		if (option->flags & VMM_OPT_REQUIRED)
			fputs(" (required)", out);
		if (option->flags & VMM_OPT_DEPRECATED)
			fputs(" (deprecated)", out);
		if (option->flags & VMM_OPT_LIVE)
			fputs(" (can be changed while the guest runs)", out);
		fprintf(out, "\n%*s%s\n", (int)indent + 4, "", option->doc);
		fprintf(out, "%*s%s: %s", (int)indent + 4, "", schema_type_name(option->type),
			value_expected(option, expected, sizeof(expected)));
		if (option->default_text && option->default_text[0])
			fprintf(out, "; default: %s", option->default_text);
		putc('\n', out);
		if (option->type == VMM_OPT_GROUP || option->type == VMM_OPT_LIST)
			text_options(out, option->members, option->member_count, indent + 4);
	}
}

void describe_group(FILE *out, bool as_json, const struct schema_group *group)
{
	struct json json = {out, true};

	if (!as_json) {
		fprintf(out, "%s: %s\n\n", group->name, group->summary);
		text_options(out, group->options, group->count, 2);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "group", group->name);
	json_text(&json, "summary", group->summary);
	json_options(&json, "options", group->options, group->count);
	json_close(&json, '}');
	putc('\n', out);
}

static void json_plugin(struct json *json, const struct plugin *plugin)
{
	char abi[32];

	json_open(json, "plugin", '{');
	json_text(json, "id", plugin->id);
	json_text(json, "version", plugin->version);
	json_text(json, "summary", plugin->summary);
	json_text(json, "file", plugin->file);
	snprintf(abi, sizeof(abi), "%u.%u", plugin->abi_major, plugin->abi_minor);
	json_text(json, "abi", abi);
	json_number(json, "min_host_minor", plugin->min_host_minor);
	json_close(json, '}');
}

static void json_type(struct json *json, const struct vmm_device_type *type)
{
	json_text(json, "type", type->name);
	json_text(json, "summary", type->summary);
	json_text(json, "threads", thread_model_name(type->thread_model));
	json_open(json, "provides", '[');
	for (uint64_t i = 0; i < type->provides_count; i++)
		json_text(json, NULL, type->provides[i]);
	json_close(json, ']');
	json_open(json, "needs", '[');
	for (unsigned i = 0; need_name(i); i++)
		if (type->needs >> i & 1)
			json_text(json, NULL, need_name(i));
	json_close(json, ']');
	json_options(json, "options", type->options, type->option_count);
}

static void text_plugin(FILE *out, const struct plugin *plugin)
{
	fprintf(out, "  plugin %s %s, %s\n", plugin->id, plugin->version, plugin->file);
	fprintf(out, "  built with ABI %u.%u, works from %u.%u on\n", plugin->abi_major,
		plugin->abi_minor, plugin->abi_major, plugin->min_host_minor);
}

static void text_type(FILE *out, const struct vmm_device_type *type)
{
	fprintf(out, "  threads: %s\n", thread_model_name(type->thread_model));
	for (uint64_t i = 0; i < type->provides_count; i++)
		fprintf(out, "  offers %s\n", type->provides[i]);
	for (unsigned i = 0; need_name(i); i++)
		if (type->needs >> i & 1)
			fprintf(out, "  may need of the host: %s\n", need_name(i));
	putc('\n', out);
	if (!type->option_count)
		fputs("  no options\n", out);
	text_options(out, type->options, type->option_count, 2);
}

void describe_type(
	FILE *out, bool as_json, const struct vmm_device_type *type, const struct plugin *plugin)
{
	struct json json = {out, true};

	if (!as_json) {
		fprintf(out, "%s: %s\n", type->name, type->summary);
		text_plugin(out, plugin);
		text_type(out, type);
		fputs("\nKeys that every device has: vmm --describe device\n", out);
		return;
	}
	json_open(&json, NULL, '{');
	json_type(&json, type);
	json_plugin(&json, plugin);
	json_close(&json, '}');
	putc('\n', out);
}

void describe_plugin(FILE *out, bool as_json, const struct plugin *plugin)
{
	struct json json = {out, true};

	if (!as_json) {
		fprintf(out, "%s: %s\n", plugin->id, plugin->summary);
		text_plugin(out, plugin);
		for (size_t i = 0; i < plugin->type_count; i++) {
			fprintf(out, "\n%s: %s\n", plugin->types[i]->name,
				plugin->types[i]->summary);
			text_type(out, plugin->types[i]);
		}
		fputs("\nKeys that every device has: vmm --describe device\n", out);
		return;
	}
	json_open(&json, NULL, '{');
	json_plugin(&json, plugin);
	json_open(&json, "types", '[');
	for (size_t i = 0; i < plugin->type_count; i++) {
		json_open(&json, NULL, '{');
		json_type(&json, plugin->types[i]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	putc('\n', out);
}
