/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back all at once: for trees of small objects with one lifetime, such as a
 * config file and the values made from it. Not for anything on a data path.
 */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);

/** Zeroed memory for count objects, aligned for any type; NULL if there is none left. */
void *arena_alloc(struct arena *arena, size_t count, size_t bytes);

/** Copies; NULL if there is no memory left. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t bytes);

/** A formatted text; NULL if there is no memory left. */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
