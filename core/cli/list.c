/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that are installed. The version is asked of each plugin itself, in a child. */
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "cli/child.h"
#include "cli/describe.h"
#include "cli/json.h"

struct job {
	struct plugin_registry *registry;
	const char *file;
};

static int ask_version(void *ctx, FILE *out, struct vmm_error *error)
{
	const struct job *job = ctx;
	const struct plugin *plugin = NULL;
	int ret = plugin_load(job->registry, job->file, &plugin, error);

	if (!ret)
		fputs(plugin->version, out);
	return ret;
}

/* An error text without the path it starts with: that is printed already. */
static const char *without_path(const char *text, const char *path)
{
	size_t bytes = strlen(path);

	return !strncmp(text, path, bytes) && !strncmp(text + bytes, ": ", 2) ? text + bytes + 2
									      : text;
}

static void write_json(
	struct json *json, const struct plugin_info *info, const char *version, const char *problem)
{
	char abi[32];

	json_open(json, NULL, '{');
	json_text(json, "file", info->file);
	json_text(json, "id", info->id[0] ? info->id : NULL);
	json_text(json, "version", version);
	snprintf(abi, sizeof(abi), "%u.%u", info->abi_major, info->abi_minor);
	json_text(json, "abi", info->id[0] ? abi : NULL);
	json_open(json, "types", '[');
	for (size_t i = 0; i < info->type_count && info->id[0]; i++)
		json_text(json, NULL, info->types[i]);
	json_close(json, ']');
	json_text(json, "problem", problem);
	json_close(json, '}');
}

static void write_text(
	FILE *out, const struct plugin_info *info, const char *version, const char *problem)
{
	char abi[32] = "-";

	if (info->id[0])
		snprintf(abi, sizeof(abi), "%u.%u", info->abi_major, info->abi_minor);
	fprintf(out, "%-20s  %-10s  %-5s  ", strrchr(info->file, '/') + 1, version ? version : "-",
		abi);
	if (problem) {
		fprintf(out, "not usable: %s\n", problem);
		return;
	}
	for (size_t i = 0; i < info->type_count; i++)
		fprintf(out, "%s%s", i ? ", " : "", info->types[i]);
	putc('\n', out);
}

static void write_plugin(FILE *out, struct json *json, struct plugin_registry *registry,
	const struct plugin_info *info)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct job job = {registry, info->file};
	const char *problem = info->refusal;
	char *version = NULL;

	if (!problem && child_run(ask_version, &job, &version, &error))
		problem = without_path(text, info->file);
	if (json)
		write_json(json, info, version, problem);
	else
		write_text(out, info, version, problem);
	free(version);
}

int describe_plugins(
	FILE *out, bool as_json, struct plugin_registry *registry, struct vmm_error *error)
{
	const struct plugin_info *infos = NULL;
	struct json json = {out, true};
	size_t count = 0;
	int ret = plugin_list(registry, &infos, &count, error);

	if (ret)
		return ret;
	if (as_json) {
		json_open(&json, NULL, '[');
	} else {
		fprintf(out, "Searched: %s\n", plugin_search_text(registry));
		if (count)
			fprintf(out, "%-20s  %-10s  %-5s  %s\n", "FILE", "VERSION", "ABI", "TYPES");
		else
			fputs("There are no plugins.\n", out);
	}
	for (size_t i = 0; i < count; i++)
		write_plugin(out, as_json ? &json : NULL, registry, &infos[i]);
	if (as_json) {
		json_close(&json, ']');
		putc('\n', out);
	}
	return 0;
}
