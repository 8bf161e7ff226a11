/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations. The real ones are not looked up with dlsym(), which allocates: they are the C
 * library's by its own names, or the address sanitizer's by its.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *memory);

__attribute__((weak)) void *__interceptor_malloc(size_t bytes);
__attribute__((weak)) void *__interceptor_calloc(size_t count, size_t bytes);
__attribute__((weak)) void *__interceptor_realloc(void *memory, size_t bytes);
__attribute__((weak)) void *__interceptor_memalign(size_t align, size_t bytes);
__attribute__((weak)) void __interceptor_free(void *memory);

#define REAL(name) (__interceptor_##name ? __interceptor_##name : __libc_##name)

static bool fails(const char *call, const void *caller)
{
	if (fault_ask(call, caller, ENOMEM, FAULT_CAN_FAIL) != FAULT_FAIL)
		return false;
	errno = ENOMEM;
	return true;
}

CALL_EXPORT void *malloc(size_t bytes)
{
	void *memory;

	if (fails("malloc", CALL_CALLER))
		return NULL;
	memory = REAL(malloc)(bytes);
	fault_allocated(memory, CALL_CALLER, "malloc");
	return memory;
}

CALL_EXPORT void *calloc(size_t count, size_t bytes)
{
	void *memory;

	if (fails("calloc", CALL_CALLER))
		return NULL;
	memory = REAL(calloc)(count, bytes);
	fault_allocated(memory, CALL_CALLER, "calloc");
	return memory;
}

static void *resize(void *memory, size_t bytes, const void *caller, const char *call)
{
	void *moved;

	if (fails(call, caller))
		return NULL;
	fault_freed(memory);
	moved = REAL(realloc)(memory, bytes);
	fault_allocated(moved, caller, call);
	return moved;
}

CALL_EXPORT void *realloc(void *memory, size_t bytes)
{
	return resize(memory, bytes, CALL_CALLER, "realloc");
}

CALL_EXPORT void *reallocarray(void *memory, size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(memory, total, CALL_CALLER, "reallocarray");
}

CALL_EXPORT void *aligned_alloc(size_t align, size_t bytes)
{
	void *memory;

	if (fails("aligned_alloc", CALL_CALLER))
		return NULL;
	memory = REAL(memalign)(align, bytes);
	fault_allocated(memory, CALL_CALLER, "aligned_alloc");
	return memory;
}

CALL_EXPORT void free(void *memory)
{
	fault_freed(memory);
	REAL(free)(memory);
}

static char *copy(const char *text, size_t bytes, const void *caller, const char *call)
{
	char *memory;

	if (fails(call, caller))
		return NULL;
	memory = REAL(malloc)(bytes + 1);
	if (memory) {
		memcpy(memory, text, bytes);
		memory[bytes] = '\0';
	}
	fault_allocated(memory, caller, call);
	return memory;
}

CALL_EXPORT char *strdup(const char *text)
{
	return copy(text, strlen(text), CALL_CALLER, "strdup");
}

CALL_EXPORT char *strndup(const char *text, size_t bytes)
{
	return copy(text, strnlen(text, bytes), CALL_CALLER, "strndup");
}
