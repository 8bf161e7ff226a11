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

struct schema_check {
	struct arena *arena;  /* values are made here */
	const char *path;     /* of the group, for messages: "devices.disk0"; "" for the root */
	const char *base_dir; /* directory of relative paths in defaults */
	uint32_t flags;       /* SCHEMA_... */
};

/**
 * Checks the group `node` (NULL: nothing is given) against a schema and makes one value for each
 * option, in the order of the options. The error text starts with the place.
 */
int schema_check(const struct schema_check *check, const struct vmm_option *const *options,
	uint64_t count, const struct node *node, const struct vmm_value *const **ret_values,
	struct vmm_error *error);

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
