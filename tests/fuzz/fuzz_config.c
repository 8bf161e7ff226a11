/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: config files and overrides, against device types with options of every kind. What is
 * refused is refused with a place; what is accepted means the same when it is written out and read
 * again.
 *
 * An input has up to three parts, with a line "%%%" between them: the file, a file that it may
 * include as "901", and overrides, one in each line.
 */
#include "config/config.h"
#include "memfile.h"

#include <vmm/entry.h>
#include <vmm/support.h>

#define SEPARATOR     "\n%%%\n"
#define PARTS         3u
#define OVERRIDES_MAX 4u

/* Of the leak checker: libconfig loses a string where the syntax is wrong (tests/config/lsan.supp).
 */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

struct part {
	const char *text;
	size_t bytes;
};

static void split(const uint8_t *data, size_t bytes, struct part parts[PARTS])
{
	const char *at = (const char *)data;
	const char *end = at + bytes;

	for (uint32_t i = 0; i < PARTS; i++) {
		const char *next =
			at < end && i + 1 < PARTS
				? memmem(at, (size_t)(end - at), SEPARATOR, sizeof(SEPARATOR) - 1)
				: NULL;

		parts[i] = (struct part){at, (size_t)((next ? next : end) - at)};
		at = next ? next + sizeof(SEPARATOR) - 1 : end;
	}
}

/* A config may include any file of this machine; an input only those that belong to it. */
static int includes_others(const struct part *part)
{
	static const char word[] = "@include", own[] = "@include \"901\"";
	const char *at = part->text;
	size_t left = part->bytes;

	while ((at = memmem(at, left, word, sizeof(word) - 1))) {
		left = part->bytes - (size_t)(at - part->text);
		if (left < sizeof(own) - 1 || memcmp(at, own, sizeof(own) - 1) != 0)
			return 1;
		at++;
		left--;
	}
	return 0;
}

/* Types of tests/config/plugins/test.c. */
static int find_type(void *ctx, const char *type, const char *plugin,
	const struct vmm_device_type **ret_type, const char **ret_plugin_file,
	struct vmm_error *error)
{
	const struct vmm_plugin_desc *desc = ctx;

	for (uint64_t i = 0; i < desc->type_count && !plugin; i++) {
		if (strcmp(desc->types[i]->name, type) != 0)
			continue;
		*ret_type = desc->types[i];
		*ret_plugin_file = "/test.so";
		return 0;
	}
	vmm_set_error(error, "no plugin offers the type \"%.60s\"", type);
	return VMM_E_NOT_FOUND;
}

/* The configuration of a file, checked as a whole; NULL: it was refused. */
static struct config *load(const char *path, const char *const *overrides, size_t count)
{
	const struct vmm_plugin_desc *desc = NULL;
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct config_types types = {.find = find_type};
	struct config *config = NULL;
	int ret;

	FUZZ_CHECK(vmm_plugin_entry_v1(NULL, &desc) == 0);
	types.ctx = (void *)(uintptr_t)desc;
	ret = config_load(path, overrides, count, 0, &config, &error);
	FUZZ_CHECK(!ret == !!config);
	if (!ret)
		ret = config_check(config, &types, &error);
	FUZZ_CHECK(!ret == !text[0]);
	/* That of the file, of what it includes, or of an override. */
	FUZZ_CHECK(!ret || !strncmp(text, path, strlen(path) - 1) || !strncmp(text, "-s ", 3));
	if (!ret)
		return config;
	config_free(config);
	return NULL;
}

static char *dump(const struct config *config, size_t *ret_bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_bytes);

	if (!out)
		abort();
	FUZZ_CHECK(config_dump(config, out) == 0);
	fclose(out);
	return text;
}

static void check_order(const struct config *config)
{
	uint64_t seen[CONFIG_DEVICES_MAX / 64] = {0};

	FUZZ_CHECK(config->device_count <= CONFIG_DEVICES_MAX);
	for (size_t i = 0; i < config->device_count; i++) {
		uint32_t index = config->create_order[i];

		FUZZ_CHECK(index < config->device_count);
		FUZZ_CHECK(!(seen[index / 64] & 1ull << index % 64));
		seen[index / 64] |= 1ull << index % 64;
		FUZZ_CHECK(config->devices[index].value_count ==
			   config->devices[index].type->option_count);
	}
}

/* Written out, read again and written out it is the same; but what is secret is left out. */
static void check_same(const struct config *config)
{
	size_t bytes = 0, bytes_again = 0;
	char *text = dump(config, &bytes);
	struct config *again = load(memfile(2, text, bytes), NULL, 0);
	char *text_again;

	FUZZ_CHECK(again);
	text_again = dump(again, &bytes_again);
	FUZZ_CHECK(!strcmp(text, text_again) || strstr(text, "is secret"));
	config_free(again);
	free(text);
	free(text_again);
}

/* Lines as strings; returns how many. They are parts of *ret_copy, which is to be freed. */
static size_t lines(const struct part *part, char **ret_copy, const char *ret_lines[OVERRIDES_MAX])
{
	char *next = strndup(part->bytes ? part->text : "", part->bytes);
	size_t count = 0;

	*ret_copy = next;
	if (!next)
		abort();
	while (next && *next && count < OVERRIDES_MAX)
		ret_lines[count++] = strsep(&next, "\n");
	return count;
}

FUZZ_TARGET(data, bytes)
{
	const char *overrides[OVERRIDES_MAX];
	struct part parts[PARTS];
	struct config *config;
	char *copy;
	size_t count;

	split(data, bytes, parts);
	if (includes_others(&parts[0]) || includes_others(&parts[1]))
		return 0;
	count = lines(&parts[2], &copy, overrides);
	memfile(1, parts[1].text, parts[1].bytes);
	config = load(memfile(0, parts[0].text, parts[0].bytes), overrides, count);
	if (config) {
		check_order(config);
		check_same(config);
	}
	config_free(config);
	free(copy);
	return 0;
}
