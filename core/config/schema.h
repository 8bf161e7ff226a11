/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option schemas (vmm/option.h): is a schema itself sound, and does what a user wrote fit it.
 * The core's own groups and the devices of plugins go through the same code.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdint.h>

#include <vmm/option.h>
#include <vmm/types.h>

#include "config/arena.h"
#include "config/config.h"

struct node;

#define SCHEMA_DEPTH_MAX   4u   /* lists and groups within each other */
#define SCHEMA_OPTIONS_MAX 256u /* options of a type, members of a group, names of an enum */

/**
 * Is a table of options sound: names, documentation, known types and flags, limits, defaults. The
 * entries have the size that this core knows (plugin_copy_options() does that). The error text
 * names the option.
 */
int schema_validate(
	const struct vmm_option *const *options, uint64_t count, struct vmm_error *error);

#define SCHEMA_IGNORE_UNKNOWN 0x1u

/* In the core's own tables only: taken as it is, checked later. The value has no contents. */
#define SCHEMA_OPT_ANY 1u

/** A VMM_OPT_REF value, given or not, that is resolved once all devices are known. */
struct schema_ref {
	struct schema_ref *next;
	const struct vmm_option *option;
	struct vmm_value *value;
	const char *path; /* "devices.disk0.bus" */
};

/** Something that is not an error. */
struct schema_warning {
	struct schema_warning *next;
	const char *text; /* starts with the place */
};

struct schema_check {
	struct arena *arena; /* values are made here */
	struct vmm_error *error;
	const char *path; /* of the group, for messages: "devices.disk0"; "" for the root */
	struct config_place place;        /* of the group, if no node is given */
	const char *base_dir;             /* relative paths in defaults start here; absolute */
	const char *working_dir;          /* those of overrides start here; absolute */
	uint32_t flags;                   /* SCHEMA_... */
	struct schema_ref **refs;         /* each ref is put in front; NULL: refs are not wanted */
	struct schema_warning **warnings; /* likewise: deprecated options that are used */
};

/**
 * Checks the group `node` (NULL: nothing is given) against a schema and makes one value for each
 * option, in the order of the options. The error text starts with the place.
 */
int schema_check(struct schema_check *check, const struct vmm_option *const *options,
	uint64_t count, const struct node *node, const struct vmm_value *const **ret_values);

/** The word for a VMM_OPT_... type in messages and --describe: "size"; NULL if unknown. */
const char *schema_type_name(uint32_t type);

/** A group that the core itself defines, for --describe and the test of the man page. */
struct schema_group {
	const char *name; /* "machine"; "device" for the keys that every device has */
	const char *summary;
	const struct vmm_option *const *options;
	uint64_t count;
};

/** All of them; the last one has a NULL name. */
extern const struct schema_group schema_core_groups[];

#endif
