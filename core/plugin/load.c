/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a checked file with libltdl and calls its entry function.
 *
 * The file is loaded as /proc/self/fd/N, so that the bytes that were checked are those that run.
 * Both libltdl and glibc recognise a library by its name: N must never become another file, so the
 * descriptor of a loaded plugin stays open until the process ends.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <ltdl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmm/log.h>
#include <vmm/support.h>

#include "log/log.h"
#include "plugin/note.h"
#include "plugin/private.h"

typedef int32_t (*entry_function)(
	const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc);

struct code_range {
	uintptr_t wanted;
	const char *begin;
	const char *end;
};

/* Finds the loaded file that the address is in, and all its addresses. */
static int find_range(struct dl_phdr_info *info, size_t bytes, void *ctx)
{
	struct code_range *range = ctx;
	uintptr_t begin = UINTPTR_MAX;
	uintptr_t end = 0;

	(void)bytes;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (start < begin)
			begin = start;
		if (start + segment->p_memsz > end)
			end = start + segment->p_memsz;
	}
	if (range->wanted < begin || range->wanted >= end)
		return 0;
	range->begin = (const char *)begin;
	range->end = (const char *)end;
	return 1;
}

/*
 * libltdl's text for whatever goes wrong is "file not found". Asks the dynamic linker itself, which
 * fails the same way and knows why.
 */
static void set_load_error(const char *name, struct vmm_error *error)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	const char *text = library ? NULL : dlerror();
	size_t name_bytes = strlen(name);

	if (library)
		dlclose(library);
	if (!text)
		text = "the dynamic linker gives no reason";
	if (!strncmp(text, name, name_bytes) && text[name_bytes] == ':')
		text += name_bytes + 1 + (text[name_bytes + 1] == ' ');
	vmm_set_error(error, "cannot be loaded: %s", text);
}

static int open_library(const char *name, lt_dlhandle *ret_library, struct vmm_error *error)
{
	lt_dlhandle library = NULL;
	lt_dladvise advise;

	if (lt_dlinit()) {
		vmm_set_error(error, "cannot be loaded: %s", lt_dlerror());
		return VMM_E_NOMEM;
	}
	if (lt_dladvise_init(&advise)) {
		vmm_set_error(error, "cannot be loaded: %s", lt_dlerror());
		lt_dlexit();
		return VMM_E_NOMEM;
	}
	if (!lt_dladvise_local(&advise) && !lt_dladvise_resident(&advise))
		library = lt_dlopenadvise(name, advise);
	lt_dladvise_destroy(&advise);
	if (!library) {
		set_load_error(name, error);
		lt_dlexit();
		return VMM_E_INVAL;
	}
	/* lt_dlexit() is never called from here on: it would unload. */
	*ret_library = library;
	return 0;
}

static int call_entry(struct plugin_registry *registry, struct plugin_entry *entry,
	lt_dlhandle library, struct vmm_error *error)
{
	const struct vmm_plugin_desc *desc = NULL;
	struct code_range range = {0};
	entry_function function;
	void *symbol = lt_dlsym(library, "vmm_plugin_entry_v1");
	int32_t ret;

	if (!symbol) {
		vmm_set_error(error, "does not export vmm_plugin_entry_v1()");
		return VMM_E_INVAL;
	}
	memcpy(&function, &symbol, sizeof(function));
	ret = function(registry->hello, &desc);
	if (ret < 0) {
		vmm_set_error(
			error, "does not want to be loaded: its entry function gave error %d", ret);
		return VMM_E_UNSUPPORTED;
	}
	ret = plugin_copy_desc(&registry->arena, &entry->info, desc, &entry->plugin, error);
	if (ret)
		return ret;
	range.wanted = (uintptr_t)symbol;
	if (dl_iterate_phdr(find_range, &range)) {
		entry->code_begin = range.begin;
		entry->code_end = range.end;
	}
	return 0;
}

/* ABI 0 promises nothing between minors, so only the very same one goes without a warning. */
static void tell_abi(const struct plugin_entry *entry)
{
	uint32_t level = entry->info.abi_minor == VMM_ABI_MINOR ? VMM_LOG_DEBUG : VMM_LOG_WARN;

	if (VMM_ABI_MAJOR == 0)
		log_write(level, "plugin",
			"%s: built with plugin ABI %u.%u, this vmm speaks %u.%u; ABI 0 is not "
			"stable yet",
			entry->info.file, entry->info.abi_major, entry->info.abi_minor,
			VMM_ABI_MAJOR, VMM_ABI_MINOR);
}

static int load(
	struct plugin_registry *registry, struct plugin_entry *entry, struct vmm_error *error)
{
	struct vmm_plugin_note note;
	lt_dlhandle library;
	char name[64];
	int fd = -1;
	int ret;

	/* The note was read before, but maybe from another file: only this descriptor counts. */
	ret = plugin_trust_open(&registry->trust, entry->info.file, &fd, error);
	if (ret)
		return ret;
	ret = plugin_pin_open(registry, entry->info.file, &fd, error);
	if (!ret)
		ret = plugin_note_read(fd, &note, error);
	if (!ret)
		ret = plugin_note_check(&note, error);
	if (!ret && strcmp(note.plugin_id, entry->info.id) != 0) {
		vmm_set_error(error, "was replaced while it was loaded; try again");
		ret = VMM_E_BUSY;
	}
	if (!ret) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		ret = open_library(name, &library, error);
	}
	if (ret) {
		close(fd);
		return ret;
	}
	return call_entry(registry, entry, library, error);
}

int plugin_entry_load(
	struct plugin_registry *registry, struct plugin_entry *entry, struct vmm_error *error)
{
	char text[PLUGIN_ERROR_BYTES] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	int ret = entry->refusal_code ? entry->refusal_code : entry->load_code;

	if (entry->is_loaded)
		return 0;
	if (ret) {
		vmm_set_error(error, "%s: %s", entry->info.file,
			entry->refusal_code ? entry->info.refusal : entry->load_error);
		return ret;
	}
	ret = load(registry, entry, &inner);
	if (!ret) {
		entry->is_loaded = true;
		tell_abi(entry);
		return 0;
	}
	if (ret == VMM_E_NOMEM && !text[0])
		vmm_set_error(&inner, "cannot be loaded: no memory");
	vmm_set_error(error, "%s: %s", entry->info.file, text);
	entry->load_code = ret;
	entry->load_error = arena_strdup(&registry->arena, text);
	if (!entry->load_error)
		entry->load_error = "cannot be loaded";
	return ret;
}
