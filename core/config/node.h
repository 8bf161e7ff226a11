/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a config file says, as a tree of our own that knows where each value was written; and the
 * ways to make one: from a file, from an override, from one word. Says nothing of what the values
 * mean: that is the schema's.
 */
#ifndef CONFIG_NODE_H
#define CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

#include "config/arena.h"
#include "config/config.h"

enum node_kind {
	NODE_GROUP,
	NODE_LIST,
	NODE_BOOL,
	NODE_INT,
	NODE_REAL,
	NODE_STRING,
};

struct node {
	enum node_kind kind;
	bool bare;        /* a word without quotes (-s, defaults): `text` is what was written */
	const char *name; /* NULL for the root and in lists */
	struct config_place place;
	int64_t number;   /* NODE_BOOL, NODE_INT */
	const char *text; /* NODE_STRING, and whenever bare */
	struct node *children;
	struct node *last;
	struct node *next;
	size_t child_count;
};

/* Limits of a configuration as a whole; none is met by a config that a person would write. */
#define NODE_FILE_BYTES_MAX ((size_t)1024 * 1024) /* of all its files */
#define NODE_FILES_MAX      64u
#define NODE_INCLUDES_MAX   8u /* within each other */
#define NODE_DEPTH_MAX      16u
#define NODE_COUNT_MAX      10000u
#define NODE_NAME_BYTES_MAX 63u

/** Reads a file with its includes. The error text starts with the place. */
int node_read_file(
	struct arena *arena, const char *path, struct node **ret_root, struct vmm_error *error);

/** Reads text in the syntax of config files; all of it has the place {file, 0}. */
int node_read_text(struct arena *arena, const char *text, const char *file, struct node **ret_root,
	struct vmm_error *error);

/** Applies "path=value" to the tree. The error text starts with "-s path=value: ". */
int node_override(
	struct arena *arena, struct node *root, const char *assignment, struct vmm_error *error);

/** A node for one word as in `-s` or a default: bool, integer or string, by its looks. */
struct node *node_word(struct arena *arena, const char *text, struct config_place place);

struct node *node_create(struct arena *arena, enum node_kind kind, struct config_place place);
void node_append(struct node *parent, struct node *child);

/** The child of that name, or NULL. */
struct node *node_child(const struct node *parent, const char *name);

/**
 * The id of a device in the list `devices`: its `id`, else its type plus the smallest number that
 * is not in use. NULL if it has no type (or no memory is left).
 */
const char *node_device_id(
	struct arena *arena, const struct node *devices, const struct node *device);

/** 0, or an error code for errno after a failed open or read. */
int node_errno_code(int number);

#endif
