/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back all at once: chunks that are cut up from the front. */
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

#define CHUNK_BYTES ((size_t)16 * 1024)
#define ALIGN       alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t bytes;
	alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena)
{
	arena->chunks = NULL;
}

void arena_fini(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	arena->chunks = NULL;
}

void *arena_alloc(struct arena *arena, size_t count, size_t bytes)
{
	struct arena_chunk *chunk = arena->chunks;
	size_t total;
	void *memory;

	if (__builtin_mul_overflow(count, bytes, &total) || total > SIZE_MAX / 2)
		return NULL;
	total = (total + ALIGN - 1) / ALIGN * ALIGN;
	if (!chunk || chunk->bytes - chunk->used < total) {
		size_t room = total > CHUNK_BYTES ? total : CHUNK_BYTES;

		chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->bytes = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	memory = chunk->data + chunk->used;
	chunk->used += total;
	return memory;
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes)
{
	char *copy = arena_alloc(arena, bytes + 1, 1);

	if (copy)
		memcpy(copy, text, bytes);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (bytes < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)bytes + 1, 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)bytes + 1, format, args);
	va_end(args);
	return text;
}
