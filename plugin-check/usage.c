/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin is bound in full when it is loaded, so the addresses of the functions that it calls
 * stand in its own relocated data: those of malloc() and the like are replaced there.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "usage.h"

/* Blocks that the plugin has: a hash table with open addressing. */
#define BLOCKS_MAX (1u << 20)
#define REMOVED    ((void *)1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards blocks and block_count */
static void **blocks;
static uint64_t block_count;
static atomic_uint fail_in; /* 0: nothing fails */
static atomic_int has_failed;

static uint32_t hash(const void *block)
{
	return (uint32_t)(((uintptr_t)block >> 4) * 2654435761u) % BLOCKS_MAX;
}

static void *add_block(void *block)
{
	uint32_t at = hash(block);

	if (!block)
		return NULL;
	pthread_mutex_lock(&lock);
	if (block_count >= BLOCKS_MAX / 2) {
		fputs("vmm-plugin-check: too many blocks of memory\n", stderr);
		abort();
	}
	while (blocks[at] && blocks[at] != REMOVED)
		at = (at + 1) % BLOCKS_MAX;
	blocks[at] = block;
	block_count++;
	pthread_mutex_unlock(&lock);
	return block;
}

/* What a library allocated and the plugin frees is not in the table. */
static void remove_block(const void *block)
{
	uint32_t at = hash(block);

	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; block && blocks[at] && i < BLOCKS_MAX;
		i++, at = (at + 1) % BLOCKS_MAX) {
		if (blocks[at] != block)
			continue;
		blocks[at] = REMOVED;
		block_count--;
		break;
	}
	pthread_mutex_unlock(&lock);
}

/* Counts an allocation; true: it is the one that fails. */
static bool fails(void)
{
	unsigned left = atomic_load_explicit(&fail_in, memory_order_relaxed);

	while (left && !atomic_compare_exchange_weak_explicit(&fail_in, &left, left - 1,
			       memory_order_relaxed, memory_order_relaxed))
		;
	if (left != 1)
		return false;
	atomic_store_explicit(&has_failed, 1, memory_order_relaxed);
	errno = ENOMEM;
	return true;
}

static void *watched_malloc(size_t bytes)
{
	return fails() ? NULL : add_block(malloc(bytes));
}

static void *watched_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : add_block(calloc(count, bytes));
}

static void *watched_realloc(void *block, size_t bytes)
{
	void *moved;

	if (fails())
		return NULL;
	remove_block(block);
	moved = realloc(block, bytes);
	if (!moved && bytes)
		add_block(block);
	return add_block(moved);
}

static void *watched_reallocarray(void *block, size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(count, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return watched_realloc(block, all);
}

static void *watched_aligned_alloc(size_t align, size_t bytes)
{
	return fails() ? NULL : add_block(aligned_alloc(align, bytes));
}

static int watched_posix_memalign(void **ret_block, size_t align, size_t bytes)
{
	int number = fails() ? ENOMEM : posix_memalign(ret_block, align, bytes);

	if (!number)
		add_block(*ret_block);
	return number;
}

static char *watched_strdup(const char *text)
{
	return fails() ? NULL : add_block(strdup(text));
}

static char *watched_strndup(const char *text, size_t bytes)
{
	return fails() ? NULL : add_block(strndup(text, bytes));
}

VMM_PRINTF(2, 0)
static int watched_vasprintf(char **ret_text, const char *format, va_list args)
{
	int bytes = fails() ? -1 : vasprintf(ret_text, format, args);

	if (bytes >= 0)
		add_block(*ret_text);
	return bytes;
}

VMM_PRINTF(2, 3)
static int watched_asprintf(char **ret_text, const char *format, ...)
{
	va_list args;
	int bytes;

	va_start(args, format);
	bytes = watched_vasprintf(ret_text, format, args);
	va_end(args);
	return bytes;
}

/* What _FORTIFY_SOURCE makes of the two above. */
VMM_PRINTF(3, 0)
static int watched_vasprintf_chk(char **ret_text, int flag, const char *format, va_list args)
{
	(void)flag;
	return watched_vasprintf(ret_text, format, args);
}

VMM_PRINTF(3, 4)
static int watched_asprintf_chk(char **ret_text, int flag, const char *format, ...)
{
	va_list args;
	int bytes;

	(void)flag;
	va_start(args, format);
	bytes = watched_vasprintf(ret_text, format, args);
	va_end(args);
	return bytes;
}

static void watched_free(void *block)
{
	remove_block(block);
	free(block);
}

typedef void (*function)(void);

static const struct {
	const char *name;
	function ours;
} watched[] = {
	{"malloc", (function)watched_malloc},
	{"calloc", (function)watched_calloc},
	{"realloc", (function)watched_realloc},
	{"reallocarray", (function)watched_reallocarray},
	{"aligned_alloc", (function)watched_aligned_alloc},
	{"memalign", (function)watched_aligned_alloc},
	{"posix_memalign", (function)watched_posix_memalign},
	{"strdup", (function)watched_strdup},
	{"__strdup", (function)watched_strdup},
	{"strndup", (function)watched_strndup},
	{"asprintf", (function)watched_asprintf},
	{"vasprintf", (function)watched_vasprintf},
	{"__asprintf_chk", (function)watched_asprintf_chk},
	{"__vasprintf_chk", (function)watched_vasprintf_chk},
	{"free", (function)watched_free},
};

static void replace(void *slot, function ours)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t page = (uintptr_t)slot & ~(page_bytes - 1);

	if (mprotect((void *)page, page_bytes, PROT_READ | PROT_WRITE))
		skip("memory cannot be watched: %s", strerror(errno));
	memcpy(slot, &ours, sizeof(ours));
}

/* The tables of the loaded file; the dynamic linker has made addresses of them. */
struct tables {
	const ElfW(Sym) * symbols;
	const char *names;
	const ElfW(Rela) * relocations[2];
	size_t bytes[2];
};

static void find_tables(const struct link_map *map, struct tables *ret_tables)
{
	for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
		const void *address = (const void *)(uintptr_t)entry->d_un.d_ptr;

		switch (entry->d_tag) {
		case DT_SYMTAB:
			ret_tables->symbols = address;
			break;
		case DT_STRTAB:
			ret_tables->names = address;
			break;
		case DT_RELA:
			ret_tables->relocations[0] = address;
			break;
		case DT_RELASZ:
			ret_tables->bytes[0] = entry->d_un.d_val;
			break;
		case DT_JMPREL:
			ret_tables->relocations[1] = address;
			break;
		case DT_PLTRELSZ:
			ret_tables->bytes[1] = entry->d_un.d_val;
			break;
		default:
			break;
		}
	}
}

static void watch_relocation(
	const struct link_map *map, const struct tables *tables, const ElfW(Rela) * relocation)
{
	uint32_t type = ELF64_R_TYPE(relocation->r_info);
	const char *name = tables->names + tables->symbols[ELF64_R_SYM(relocation->r_info)].st_name;

	if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64)
		return;
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (!strcmp(name, watched[i].name))
			replace((void *)(map->l_addr + relocation->r_offset), watched[i].ours);
}

void usage_watch(const char *path)
{
	struct tables tables = {0};
	struct link_map *map = NULL;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map))
		skip("%s", dlerror());
	blocks = mmap(NULL, BLOCKS_MAX * sizeof(*blocks), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (blocks == MAP_FAILED)
		skip("memory cannot be watched: %s", strerror(errno));
	find_tables(map, &tables);
	for (size_t i = 0; i < 2 && tables.symbols && tables.names; i++)
		for (size_t j = 0;
			tables.relocations[i] && j < tables.bytes[i] / sizeof(ElfW(Rela)); j++)
			watch_relocation(map, &tables, &tables.relocations[i][j]);
}

void usage_fail_after(uint32_t n)
{
	atomic_store_explicit(&has_failed, 0, memory_order_relaxed);
	atomic_store_explicit(&fail_in, n, memory_order_relaxed);
}

int usage_has_failed(void)
{
	return atomic_load_explicit(&has_failed, memory_order_relaxed);
}

static uint32_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	uint32_t count = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

void usage_read(struct usage *ret_usage)
{
	ret_usage->fds = count_entries("/proc/self/fd");
	ret_usage->threads = count_entries("/proc/self/task");
	pthread_mutex_lock(&lock);
	ret_usage->blocks = block_count;
	pthread_mutex_unlock(&lock);
}

const struct vmm_plugin_desc *usage_entry(const char *path)
{
	int32_t (*entry)(const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc);
	static const struct vmm_hello hello = {
		.size = sizeof(hello), .abi_major = VMM_ABI_MAJOR, .abi_minor = VMM_ABI_MINOR};
	const struct vmm_plugin_desc *desc = NULL;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol = library ? dlsym(library, "vmm_plugin_entry_v1") : NULL;

	if (!symbol)
		return NULL;
	memcpy(&entry, &symbol, sizeof(entry));
	return entry(&hello, &desc) < 0 ? NULL : desc;
}
