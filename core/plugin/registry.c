/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of a device type to the type itself. */
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "config/nearest.h"
#include "plugin/private.h"
#include "version.h"

static int32_t query_nothing(
	vmm_host *host, const char *id, uint64_t min_size, const void **ret_table)
{
	(void)host, (void)id, (void)min_size, (void)ret_table;
	return VMM_E_PHASE;
}

static int32_t query_ref_nothing(vmm_host *host, uint64_t ref, const char *id, uint64_t min_size,
	const void **ret_table, void **ret_object)
{
	(void)host, (void)ref, (void)id, (void)min_size, (void)ret_table, (void)ret_object;
	return VMM_E_PHASE;
}

/* What a plugin gets that is only looked at: there is no device, so there are no services. */
static const struct vmm_hello hello_nothing = {
	.size = sizeof(hello_nothing),
	.abi_major = VMM_ABI_MAJOR,
	.abi_minor = VMM_ABI_MINOR,
	.core_version = VMM_CORE_VERSION,
	.query = query_nothing,
	.query_ref = query_ref_nothing,
};

static int set_search(struct plugin_registry *registry, const char *const *search, size_t count)
{
	registry->search = arena_alloc(&registry->arena, count + 1, sizeof(char *));
	if (!registry->search)
		return VMM_E_NOMEM;
	for (size_t i = 0; i < count; i++)
		registry->search[i] = arena_strdup(&registry->arena, search[i]);
	registry->search_count = count ? count : 1;
	if (!count)
		registry->search[0] = plugin_builtin_directory(&registry->arena);
	for (size_t i = 0; i < registry->search_count; i++)
		if (!registry->search[i])
			return VMM_E_NOMEM;
	return 0;
}

int plugin_registry_create(const char *const *search, size_t count, const struct vmm_hello *hello,
	struct plugin_registry **ret_registry, struct vmm_error *error)
{
	struct plugin_registry *registry = calloc(1, sizeof(*registry));
	int ret = VMM_E_NOMEM;

	if (registry) {
		arena_init(&registry->arena);
		registry->hello = hello ? hello : &hello_nothing;
		plugin_trust_init(&registry->trust);
		ret = set_search(registry, search, count);
	}
	if (ret) {
		vmm_set_error(error, "no memory for the list of plugins");
		plugin_registry_destroy(registry);
		return ret;
	}
	*ret_registry = registry;
	return 0;
}

void plugin_registry_destroy(struct plugin_registry *registry)
{
	if (!registry)
		return;
	plugin_trust_fini(&registry->trust);
	arena_fini(&registry->arena);
	free(registry);
}

void plugin_registry_settle(struct plugin_registry *registry)
{
	plugin_trust_fini(&registry->trust);
}

const char *plugin_search_text(const struct plugin_registry *registry)
{
	return registry->search_text;
}

const char *plugin_types_text(struct arena *arena, const struct plugin_info *info)
{
	const char *text = "";

	for (size_t i = 0; i < info->type_count && text; i++)
		text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", info->types[i]);
	return text;
}

static bool offers(const struct plugin_entry *entry, const char *type)
{
	for (size_t i = 0; i < entry->info.type_count; i++)
		if (!strcmp(entry->info.types[i], type))
			return true;
	return false;
}

bool plugin_is_named(const char *file, const char *name)
{
	const char *base = strrchr(file, '/') + 1;
	size_t bytes = strlen(name);

	if (name[0] == '/')
		return !strcmp(file, name);
	return !strncmp(base, name, bytes) && (!base[bytes] || !strcmp(base + bytes, ".so"));
}

void plugin_registry_pin(struct plugin_registry *registry, const struct config_pin *pins,
	size_t count, bool required)
{
	registry->pins = pins;
	registry->pin_count = count;
	registry->pins_required = required;
}

/* The file that a device's `plugin` key names: "x", "x.so" in the search directories, or a path. */
static int find_named(struct plugin_registry *registry, const char *name,
	struct plugin_entry **ret_entry, struct vmm_error *error)
{
	for (struct plugin_entry *entry = registry->entries; entry; entry = entry->next) {
		if ((entry->is_listed || name[0] == '/') &&
			plugin_is_named(entry->info.file, name)) {
			*ret_entry = entry;
			return 0;
		}
	}
	if (name[0] == '/')
		return plugin_entry_read(registry, name, ret_entry);
	vmm_set_error(error, "there is no plugin file \"%s\" (searched: %s)", name,
		registry->search_text);
	return VMM_E_NOT_FOUND;
}

/* One that the host kept from being read: what it offers is not known. */
static const struct plugin_entry *find_unread(const struct plugin_registry *registry)
{
	for (const struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		if (entry->is_listed && !entry->info.id[0] &&
			(entry->refusal_code == VMM_E_NOMEM || entry->refusal_code == VMM_E_IO ||
				entry->refusal_code == VMM_E_LIMIT))
			return entry;
	return NULL;
}

static int fail_missing(struct plugin_registry *registry, const char *type, struct vmm_error *error)
{
	const struct plugin_entry *unread = find_unread(registry);
	struct nearest nearest = {.wanted = type};
	char hint[128];

	if (unread) {
		vmm_set_error(error, "no plugin offers the type \"%s\"; %s: %s", type,
			unread->info.file, unread->info.refusal);
		return VMM_E_NOT_FOUND;
	}
	for (const struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		for (size_t i = 0; i < entry->info.type_count && !entry->refusal_code; i++)
			nearest_offer(&nearest, entry->info.types[i]);
	vmm_set_error(error, "no plugin offers the type \"%s\" (searched: %s)%s", type,
		registry->search_text, nearest_text(&nearest, hint, sizeof(hint)));
	return VMM_E_NOT_FOUND;
}

/* The one usable file that offers the type; a refused one is taken if there is no other. */
static int find_offer(struct plugin_registry *registry, const char *type,
	struct plugin_entry **ret_entry, struct vmm_error *error)
{
	struct plugin_entry *usable = NULL;
	struct plugin_entry *refused = NULL;

	for (struct plugin_entry *entry = registry->entries; entry; entry = entry->next) {
		if (!entry->is_listed || !offers(entry, type))
			continue;
		if (entry->refusal_code) {
			refused = entry;
			continue;
		}
		if (usable) {
			vmm_set_error(error,
				"the type \"%s\" is offered by %s and by %s; say which with "
				"plugin = \"%s\"",
				type, usable->info.file, entry->info.file,
				strrchr(usable->info.file, '/') + 1);
			return VMM_E_EXISTS;
		}
		usable = entry;
	}
	if (!usable && !refused)
		return fail_missing(registry, type, error);
	*ret_entry = usable ? usable : refused;
	return 0;
}

int plugin_find_type(struct plugin_registry *registry, const char *type, const char *file,
	const struct vmm_device_type **ret_type, const struct plugin **ret_plugin,
	struct vmm_error *error)
{
	struct plugin_entry *entry = NULL;
	int ret = plugin_scan(registry, error);

	if (!ret)
		ret = file ? find_named(registry, file, &entry, error)
			   : find_offer(registry, type, &entry, error);
	if (!ret)
		ret = plugin_entry_load(registry, entry, error);
	if (ret) {
		if (ret == VMM_E_NOMEM)
			vmm_set_error(error, "no memory for the list of plugins");
		return ret;
	}
	for (size_t i = 0; i < entry->plugin.type_count; i++) {
		if (strcmp(entry->plugin.types[i]->name, type) != 0)
			continue;
		*ret_type = entry->plugin.types[i];
		if (ret_plugin)
			*ret_plugin = &entry->plugin;
		return 0;
	}
	vmm_set_error(error, "%s: does not offer the type \"%s\", but %s", entry->info.file, type,
		plugin_types_text(&registry->arena, &entry->info));
	return VMM_E_NOT_FOUND;
}

static int find_for_config(void *ctx, const char *type, const char *file,
	const struct vmm_device_type **ret_type, const char **ret_plugin_file,
	struct vmm_error *error)
{
	const struct plugin *plugin = NULL;
	int ret = plugin_find_type(ctx, type, file, ret_type, &plugin, error);

	if (!ret)
		*ret_plugin_file = plugin->file;
	return ret;
}

struct config_types plugin_config_types(struct plugin_registry *registry)
{
	return (struct config_types){.ctx = registry, .find = find_for_config};
}

int plugin_list(struct plugin_registry *registry, const struct plugin_info **ret_infos,
	size_t *ret_count, struct vmm_error *error)
{
	struct plugin_info *infos;
	size_t count = 0;
	int ret = plugin_scan(registry, error);

	if (ret)
		return ret;
	infos = arena_alloc(&registry->arena, registry->entry_count + 1, sizeof(*infos));
	if (!infos) {
		vmm_set_error(error, "no memory for the list of plugins");
		return VMM_E_NOMEM;
	}
	for (const struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		if (entry->is_listed)
			infos[count++] = entry->info;
	*ret_infos = infos;
	*ret_count = count;
	return 0;
}

int plugin_load(struct plugin_registry *registry, const char *file,
	const struct plugin **ret_plugin, struct vmm_error *error)
{
	struct plugin_entry *entry = NULL;
	int ret = plugin_scan(registry, error);

	if (!ret)
		ret = find_named(registry, file, &entry, error);
	if (!ret)
		ret = plugin_entry_load(registry, entry, error);
	if (!ret)
		*ret_plugin = &entry->plugin;
	return ret;
}

void plugin_each_code(const struct plugin_registry *registry,
	void (*tell)(const char *file, uintptr_t start, uintptr_t end))
{
	for (const struct plugin_entry *entry = registry->entries; entry; entry = entry->next)
		if (entry->is_loaded)
			tell(entry->info.file, (uintptr_t)entry->code_begin,
				(uintptr_t)entry->code_end);
}
