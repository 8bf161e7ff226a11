/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef PLUGIN_PRIVATE_H
#define PLUGIN_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/arena.h"
#include "plugin/plugin.h"

#define PLUGIN_ERROR_BYTES 1024
#define PLUGIN_FILES_MAX   4096u /* in all search directories */
#define PLUGIN_TYPES_MAX   64u   /* in one plugin */

/** A plugin file that was seen. */
struct plugin_entry {
	struct plugin_entry *next;
	struct plugin_info info;
	int refusal_code; /* VMM_E_... that goes with info.refusal */
	bool is_listed;   /* found in a search directory, not named by path */
	bool is_loaded;   /* plugin is set */
	int load_code;    /* why it could not be loaded, for the next one that asks */
	const char *load_error;
	struct plugin plugin;
	const char *code_begin; /* addresses of the loaded file */
	const char *code_end;
};

/** Who may write a plugin: nobody who could not write vmm itself. */
struct plugin_trust {
	uid_t user;  /* effective user of this process */
	uid_t owner; /* of the vmm program */
	gid_t group;
	bool group_may_write; /* the vmm program */
	char *directory;      /* that was judged last, and found good; NULL: none */
	int directory_fd;
};

struct plugin_registry {
	struct arena arena;
	const struct vmm_hello *hello;
	struct plugin_trust trust;
	const struct config_pin *pins;
	size_t pin_count;
	bool pins_required;
	const char **search;
	size_t search_count;
	const char *search_text; /* made by plugin_scan() */
	bool is_scanned;
	struct plugin_entry *entries; /* sorted by search directory, then name; named ones first */
	struct plugin_entry *last;
	size_t entry_count;
};

/** Reads who owns the program that runs. */
void plugin_trust_init(struct plugin_trust *trust);

void plugin_trust_fini(struct plugin_trust *trust);

/**
 * Opens path if the rules of ownership and mode hold for it and for each directory on the way to
 * it. Never blocks. Error texts are predicates ("is a directory").
 */
int plugin_trust_open(
	struct plugin_trust *trust, const char *path, int *ret_fd, struct vmm_error *error);

/** The built-in search directory. NULL: no memory. */
const char *plugin_builtin_directory(struct arena *arena);

/** Opens, checks and reads the note of one file. An unusable file is an entry with a refusal. */
int plugin_entry_read(
	struct plugin_registry *registry, const char *path, struct plugin_entry **ret_entry);

/** Reads the notes of all files in the search directories, once. */
int plugin_scan(struct plugin_registry *registry, struct vmm_error *error);

/** Loads the file of an entry and checks its tables. The error text starts with the path. */
int plugin_entry_load(
	struct plugin_registry *registry, struct plugin_entry *entry, struct vmm_error *error);

/** Checked private copy of what a plugin's entry function gave. Error texts are predicates. */
int plugin_copy_desc(struct arena *arena, const struct plugin_info *info,
	const struct vmm_plugin_desc *desc, struct plugin *ret_plugin, struct vmm_error *error);

/** Checked private copy of an options table; depth is 0 for a type's own. */
int plugin_copy_options(struct arena *arena, const struct vmm_option *const *options,
	uint64_t count, unsigned depth, const struct vmm_option *const **ret_options,
	struct vmm_error *error);

/** True if name is the path of file, or its last part with or without ".so". */
bool plugin_is_named(const char *file, const char *name);

/**
 * If the file is pinned: puts a sealed copy of it in place of *fd, with the right digest. Error
 * texts are predicates.
 */
int plugin_pin_open(
	const struct plugin_registry *registry, const char *file, int *fd, struct vmm_error *error);

/** "a, b" for messages. NULL: no memory. */
const char *plugin_types_text(struct arena *arena, const struct plugin_info *info);

#endif
