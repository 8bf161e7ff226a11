/* SPDX-License-Identifier: Apache-2.0 */
/* Where plugin files are looked for, and what their notes say. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/support.h>

#include "plugin/note.h"
#include "plugin/private.h"

const char *plugin_builtin_directory(struct arena *arena)
{
	static const char below[] = "/lib/vmm/plugins";
	char path[PATH_MAX + sizeof(below)];
	ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX);
	struct stat info;

	/* <prefix>/bin/vmm: the build tree, or wherever the installed tree was moved to. */
	for (unsigned i = 0; i < 2 && bytes > 0; i++)
		while (bytes > 0 && path[--bytes] != '/')
			;
	if (bytes > 0) {
		memcpy(path + bytes, below, sizeof(below));
		if (!stat(path, &info) && S_ISDIR(info.st_mode))
			return arena_strdup(arena, path);
	}
	return VMM_PLUGIN_DIR;
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Splits the note's list of types; an empty one means the name of the file. */
static int set_types(struct arena *arena, const char *list, struct plugin_info *info)
{
	const char **types = arena_alloc(arena, PLUGIN_TYPES_MAX, sizeof(char *));
	size_t count = 0;

	if (!types)
		return VMM_E_NOMEM;
	if (!list[0]) {
		const char *name = base_name(info->file);
		const char *dot = strrchr(name, '.');

		types[count++] =
			arena_strndup(arena, name, dot ? (size_t)(dot - name) : strlen(name));
	}
	while (*list && count < PLUGIN_TYPES_MAX) {
		size_t bytes = strcspn(list, ",");

		if (bytes)
			types[count++] = arena_strndup(arena, list, bytes);
		list += bytes + (list[bytes] == ',');
	}
	for (size_t i = 0; i < count; i++)
		if (!types[i])
			return VMM_E_NOMEM;
	info->types = types;
	info->type_count = count;
	return 0;
}

/* Returns 0 also for a file that is refused. */
static int read_info(struct plugin_registry *registry, struct plugin_entry *entry)
{
	char text[PLUGIN_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct vmm_plugin_note note = {0};
	int fd = -1;
	int ret = plugin_trust_open(&registry->trust, entry->info.file, &fd, &error);

	if (!ret) {
		ret = plugin_note_read(fd, &note, &error);
		close(fd);
	}
	entry->info.id = arena_strdup(&registry->arena, note.plugin_id);
	entry->info.abi_major = note.abi_major;
	entry->info.abi_minor = note.abi_minor;
	entry->info.min_host_minor = note.min_host_minor;
	if (!ret)
		ret = plugin_note_check(&note, &error);
	if (ret) {
		entry->refusal_code = ret;
		entry->info.refusal = arena_strdup(&registry->arena, text);
		if (!entry->info.refusal)
			return VMM_E_NOMEM;
	}
	return entry->info.id ? set_types(&registry->arena, note.types, &entry->info) : VMM_E_NOMEM;
}

int plugin_entry_read(
	struct plugin_registry *registry, const char *path, struct plugin_entry **ret_entry)
{
	struct plugin_entry *entry = arena_alloc(&registry->arena, 1, sizeof(*entry));
	int ret;

	if (!entry)
		return VMM_E_NOMEM;
	entry->info.file = arena_strdup(&registry->arena, path);
	if (!entry->info.file)
		return VMM_E_NOMEM;
	ret = read_info(registry, entry);
	if (ret)
		return ret;
	if (registry->last)
		registry->last->next = entry;
	else
		registry->entries = entry;
	registry->last = entry;
	registry->entry_count++;
	*ret_entry = entry;
	return 0;
}

static int is_plugin_file(const struct dirent *file)
{
	size_t bytes = strlen(file->d_name);

	return file->d_name[0] != '.' && bytes > 3 && !strcmp(file->d_name + bytes - 3, ".so");
}

/* A file of the same name in a directory that is searched earlier wins. */
static bool is_hidden(const struct plugin_registry *registry, const char *name)
{
	for (const struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		if (entry->is_listed && !strcmp(base_name(entry->info.file), name))
			return true;
	return false;
}

/* Adds a directory to the text that messages give, with the reason if it cannot be read. */
static int add_search_text(struct plugin_registry *registry, const char *directory, int number)
{
	const char *text = registry->search_text;

	registry->search_text = arena_printf(&registry->arena, "%s%s%s%s%s", text ? text : "",
		text ? ", " : "", directory, number ? ": " : "", number ? strerror(number) : "");
	return registry->search_text ? 0 : VMM_E_NOMEM;
}

static int scan_directory(
	struct plugin_registry *registry, const char *directory, struct vmm_error *error)
{
	struct dirent **files = NULL;
	int count = scandir(directory, &files, is_plugin_file, alphasort);
	int ret = add_search_text(registry, directory, count < 0 ? errno : 0);

	for (int i = 0; i < count; i++) {
		struct plugin_entry *entry = NULL;
		char *path = NULL;

		if (!ret && registry->entry_count >= PLUGIN_FILES_MAX) {
			vmm_set_error(
				error, "%s: more than %u plugins", directory, PLUGIN_FILES_MAX);
			ret = VMM_E_LIMIT;
		}
		if (!ret && !is_hidden(registry, files[i]->d_name)) {
			path = arena_printf(&registry->arena, "%s/%s", directory, files[i]->d_name);
			ret = path ? plugin_entry_read(registry, path, &entry) : VMM_E_NOMEM;
			if (!ret)
				entry->is_listed = true;
		}
		free(files[i]);
	}
	free(files);
	return ret;
}

int plugin_scan(struct plugin_registry *registry, struct vmm_error *error)
{
	if (registry->is_scanned)
		return 0;
	registry->search_text = NULL;
	for (size_t i = 0; i < registry->search_count; i++) {
		int ret = scan_directory(registry, registry->search[i], error);

		if (ret) {
			if (ret == VMM_E_NOMEM)
				vmm_set_error(error, "no memory for the list of plugins");
			return ret;
		}
	}
	registry->is_scanned = true;
	return 0;
}
