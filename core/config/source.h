/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a config file on its way to libconfig: includes put in place, tokens and limits
 * checked, with a map from each line of the result to the file and line it came from.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

#include "config/arena.h"
#include "config/config.h"
#include "config/node.h"

struct source_bracket {
	char open;
	struct config_place place;
};

struct source {
	struct arena *arena; /* file names of places */
	struct vmm_error *error;

	char *text; /* the result; NUL-terminated after source_finish() */
	size_t bytes;
	size_t room;
	struct config_place *lines; /* places of the result's lines */
	size_t line_count;
	size_t line_room;

	struct source_bracket brackets[NODE_DEPTH_MAX];
	size_t depth;
	size_t file_bytes; /* read so far, of all files */
	size_t files;
	size_t values;
};

void source_init(struct source *source, struct arena *arena, struct vmm_error *error);
void source_fini(struct source *source);

/** Adds a file with its includes, or a text. The error text starts with the place. */
int source_add_file(struct source *source, const char *path);
int source_add_text(struct source *source, const char *text, const char *file);

/** Where line number `line` (from 1) of the result was written. */
struct config_place source_place(const struct source *source, unsigned line);

#endif
