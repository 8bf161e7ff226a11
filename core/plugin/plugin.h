/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins: finds the file that offers a device type, checks it before any of its code runs, loads
 * it, and keeps private checked copies of its tables. What devices then do is core/machine.
 *
 * Order for each file: ownership and mode of the opened file -> ELF and the note
 * .note.vmm.plugin -> version rules -> load (that very file, by its descriptor) -> entry function
 * -> tables. Only files that the configuration needs get beyond the note. Nothing is unloaded.
 *
 * Everything here is called on the main thread.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include <vmm/entry.h>

#include "config/config.h"

struct plugin_registry;

/** What the note of a plugin file says; no code of the plugin has run. */
struct plugin_info {
	const char *file; /* path */
	const char *id;   /* of the note; "" if it was refused */
	const char *const *types;
	size_t type_count;
	uint32_t abi_major;
	uint32_t abi_minor;
	uint32_t min_host_minor;
	const char *refusal; /* why it cannot be used, or NULL */
};

/** A loaded plugin: private copies of its tables. */
struct plugin {
	const char *file;
	const char *id;
	const char *version;
	const char *summary;
	uint32_t abi_major; /* built with */
	uint32_t abi_minor;
	uint32_t min_host_minor;
	const struct vmm_device_type *const *types;
	size_t type_count;
};

/**
 * search: directories, the first is looked at first; count 0 means the built-in ones. hello is
 * what plugins get; NULL: one whose query() offers nothing, for describing. Both must live as long
 * as the registry. Reads nothing yet.
 */
int plugin_registry_create(const char *const *search, size_t count, const struct vmm_hello *hello,
	struct plugin_registry **ret_registry, struct vmm_error *error);

/**
 * Closes what is kept open for the next look-up, which opens it again: the directory of the last
 * file. Before the guest runs.
 */
void plugin_registry_settle(struct plugin_registry *registry);

/** Forgets the registry. Loaded plugins stay in the process. NULL is fine. */
void plugin_registry_destroy(struct plugin_registry *registry);

/**
 * The device type `type`, loading its plugin if that is not loaded yet. file: bare name or absolute
 * path of the plugin that must provide it, or NULL. *ret_plugin may be NULL if it is not wanted.
 * Errors: VMM_E_NOT_FOUND no plugin offers it; VMM_E_EXISTS several do; VMM_E_UNSUPPORTED its ABI
 * does not fit; VMM_E_PERM ownership or mode; VMM_E_INVAL the plugin is broken.
 */
int plugin_find_type(struct plugin_registry *registry, const char *type, const char *file,
	const struct vmm_device_type **ret_type, const struct plugin **ret_plugin,
	struct vmm_error *error);

/** plugin_find_type() in the form that config_check() wants. */
struct config_types plugin_config_types(struct plugin_registry *registry);

/** The plugin files in the search directories, sorted by path; refused ones too. */
int plugin_list(struct plugin_registry *registry, const struct plugin_info **ret_infos,
	size_t *ret_count, struct vmm_error *error);

/** Loads the plugin in `file` (a path from plugin_list()). */
int plugin_load(struct plugin_registry *registry, const char *file,
	const struct plugin **ret_plugin, struct vmm_error *error);

/**
 * Only files with these digests are loaded where there is one for them; required: and no others.
 * pins must live as long as the registry. Before the first file is loaded.
 */
void plugin_registry_pin(struct plugin_registry *registry, const struct config_pin *pins,
	size_t count, bool required);

/** Tells where the code of each loaded plugin is, for reports of crashes; the end is behind it. */
void plugin_each_code(const struct plugin_registry *registry,
	void (*tell)(const char *file, uintptr_t start, uintptr_t end));

/** Directories that were searched, joined by ", "; for messages, after plugin_list(). */
const char *plugin_search_text(const struct plugin_registry *registry);

#endif
