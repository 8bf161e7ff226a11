/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading and description, by the code of vmm itself: what vmm would refuse is refused here with
 * the same words. Who may write the file does not matter here, so a copy of it is loaded.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "plugin/plugin.h"
#include "usage.h"

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char block[65536];
	ssize_t got = 0;

	while (in >= 0 && out >= 0 && (got = read(in, block, sizeof(block))) > 0)
		if (write(out, block, (size_t)got) != got)
			got = -1;
	if (in < 0 || out < 0 || got < 0)
		skip("%s: %s", in < 0 ? from : to, strerror(errno));
	close(in);
	close(out);
}

/* Loads a copy with the same name. Says what is wrong itself; then NULL. */
static const struct plugin *load_copy(
	const struct subject *subject, struct plugin_registry *registry)
{
	char text[TEXT_BYTES] = "", path[4096];
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	const struct plugin *plugin = NULL;
	const char *reason = text;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", subject->directory,
		strrchr(subject->real_path, '/') + 1);
	copy_file(subject->real_path, path);
	doing("loading");
	ret = plugin_load(registry, path, &plugin, &error);
	doing("%s", "");
	if (!ret)
		return plugin;
	if (!strncmp(text, path, strlen(path)))
		reason += strlen(path) + 2;
	finding("this is what vmm says when it loads the file; docs/abi.md has the rules", "%s",
		reason);
	return NULL;
}

static struct plugin_registry *open_registry(const char *const *search)
{
	char text[TEXT_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct plugin_registry *registry = NULL;
	size_t count = 0;

	while (search[count])
		count++;
	if (plugin_registry_create(search, count, NULL, &registry, &error))
		skip("%s", text);
	return registry;
}

static void check_load(struct subject *subject, const char *type)
{
	const char *const nowhere[] = {"/nonexistent", NULL};
	const struct plugin *plugin = load_copy(subject, open_registry(nowhere));

	(void)type;
	for (size_t i = 0; plugin && i < plugin->type_count; i++)
		teach('T', plugin->types[i]->name);
}

static void check_pure(struct subject *subject, const char *type)
{
	const struct vmm_plugin_desc *first, *second;
	struct usage before, after;

	(void)type;
	if (!subject->type_count)
		skip("it cannot be loaded");
	usage_read(&before);
	doing("loading");
	first = usage_entry(subject->real_path);
	doing("the second call of the entry function");
	second = usage_entry(subject->real_path);
	doing("%s", "");
	usage_read(&after);
	if (first != second)
		finding("return the address of one static, constant table",
			"the entry function gives another description each time");
	if (after.threads > before.threads)
		finding("start threads in create()", "a thread runs after loading");
	if (after.fds > before.fds)
		finding("open files in create()", "%u files stay open after loading",
			after.fds - before.fds);
}

/* Which plugins offer the interfaces that this one's devices refer to? */
static void survey_plugin(const struct plugin *plugin)
{
	char text[TEXT_BYTES];

	for (size_t i = 0; i < plugin->type_count; i++) {
		const struct vmm_device_type *type = plugin->types[i];

		for (uint64_t j = 0; j < type->provides_count; j++) {
			snprintf(text, sizeof(text), "%s %s %s", type->provides[j], type->name,
				plugin->file);
			teach('P', text);
		}
	}
}

static void check_others(struct subject *subject, const char *type)
{
	struct plugin_registry *registry = open_registry(subject->search);
	char text[TEXT_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	const struct plugin_info *infos = NULL;
	size_t count = 0;

	(void)type;
	if (!subject->type_count)
		skip("it cannot be loaded");
	if (plugin_list(registry, &infos, &count, &error))
		skip("%s", text);
	for (size_t i = 0; i < count; i++) {
		const struct plugin *plugin = NULL;

		doing("loading %s", infos[i].file);
		if (!infos[i].refusal && !plugin_load(registry, infos[i].file, &plugin, &error))
			survey_plugin(plugin);
	}
}

const struct check load_checks[] = {
	{"load.rules", "vmm loads it: description, types and options are right", check_load},
	{"load.pure", "the entry function starts and opens nothing", check_pure},
	{"load.others", "the plugins next to it can be loaded", check_others},
	{0},
};
