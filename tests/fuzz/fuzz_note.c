/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: what the core reads of a plugin file before it lets any of its code run: ELF headers
 * and the note. Nothing is loaded.
 */
#include "memfile.h"
#include "plugin/note.h"
#include "plugin/private.h"

static void check_note(const struct vmm_plugin_note *note)
{
	FUZZ_CHECK(note->plugin_id[0]);
	FUZZ_CHECK(memchr(note->plugin_id, '\0', sizeof(note->plugin_id)));
	FUZZ_CHECK(memchr(note->types, '\0', sizeof(note->types)));
}

static void check_entry(const struct plugin_entry *entry, const struct vmm_plugin_note *note)
{
	size_t bytes = 0;

	FUZZ_CHECK(!entry->info.refusal == !entry->refusal_code && !entry->is_loaded);
	if (entry->refusal_code)
		return;
	FUZZ_CHECK(!strcmp(entry->info.id, note->plugin_id));
	FUZZ_CHECK(entry->info.type_count <= PLUGIN_TYPES_MAX);
	for (size_t i = 0; i < entry->info.type_count; i++)
		bytes += strlen(entry->info.types[i]) + 1;
	FUZZ_CHECK(bytes <= sizeof(note->types) || !note->types[0]);
}

FUZZ_TARGET(data, bytes)
{
	static const char *const search[] = {"/nonexistent"};
	const char *path = memfile(0, data, bytes);
	char text[PLUGIN_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct plugin_registry *registry = NULL;
	struct plugin_entry *entry = NULL;
	struct vmm_plugin_note note = {0};
	int ret = plugin_note_read(memfile_fd(0), &note, &error);

	FUZZ_CHECK(ret <= 0 && !ret == !text[0]);
	if (!ret) {
		check_note(&note);
		ret = plugin_note_check(&note, &error);
		FUZZ_CHECK(ret <= 0 && !ret == !text[0]);
	}
	if (plugin_registry_create(search, 1, NULL, &registry, NULL))
		abort();
	FUZZ_CHECK(plugin_entry_read(registry, path, &entry) == 0);
	/* The same bytes by their path; only who may write the file comes on top. */
	FUZZ_CHECK(!ret || entry->refusal_code);
	check_entry(entry, &note);
	plugin_registry_destroy(registry);
	return 0;
}
