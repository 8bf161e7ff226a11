/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the tables that a plugin's entry function gives, with sizes of other versions, wrong
 * values and missing pointers. Each table lies in memory of exactly its size. What the core takes
 * is a schema that holds for the core's own rules.
 */
#include <stdbool.h>

#include <vmm/support.h>

#include "config/schema.h"
#include "fuzz.h"
#include "plugin/private.h"

#define BLOCKS_MAX  4096u
#define TABLE_MAX   6u
#define DEPTH_LIMIT 5u /* as deep as tables are looked at */

/* Sizes in the first release. */
#define DESC_BYTES   48u
#define TYPE_BYTES   72u
#define OPS_BYTES    80u
#define OPTION_BYTES 112u

/* What a table is made in, to be freed at the end. */
static void *blocks[BLOCKS_MAX];
static uint32_t block_count;
static bool has_bad_size;

static void *block(size_t bytes)
{
	void *memory = block_count < BLOCKS_MAX ? calloc(1, bytes ? bytes : 1) : NULL;

	if (!memory)
		abort();
	blocks[block_count++] = memory;
	return memory;
}

/* Copies a table to memory of the size that it says it has: often ours, else shorter or longer. */
static void *table(struct fuzz_input *in, const void *from, size_t bytes, size_t first_bytes)
{
	uint8_t how = fuzz_u8(in);
	uint64_t size = bytes;
	uint8_t *copy;

	if (how >= 0xc0)
		size = bytes + (how & 0x1f) - 0x10;
	if (how >= 0xf0)
		size = fuzz_u8(in);
	if (size < sizeof(size)) /* its size is what every table has */
		size = sizeof(size);
	has_bad_size |= size < first_bytes || size % 8;
	copy = block(size);
	memcpy(copy, from, size < bytes ? size : bytes);
	memcpy(copy, &size, sizeof(size));
	if (size > bytes && how & 0x20)
		copy[bytes] = how;
	return copy;
}

static const char *text(struct fuzz_input *in)
{
	static const char *const words[] = {"a", "mode", "bus/1", "10", "true", "64K", "1ms",
		"fast", "52:54:00:12:34:56", "1,2", "test", "x-1", "type", "", "on"};
	uint8_t how = fuzz_u8(in);
	const uint8_t *from;
	size_t bytes;
	char *copy;

	if (how < 0xd0)
		return words[how % (sizeof(words) / sizeof(words[0]))];
	if (how < 0xe0)
		return NULL;
	from = fuzz_some(in, &bytes);
	copy = block(bytes + 1);
	if (bytes)
		memcpy(copy, from, bytes);
	return copy;
}

static const char *const *texts(struct fuzz_input *in, uint64_t *ret_count)
{
	const char **list;

	*ret_count = fuzz_below(in, TABLE_MAX);
	list = block(*ret_count * sizeof(*list));
	for (uint64_t i = 0; i < *ret_count; i++)
		list[i] = text(in);
	return list;
}

/* A count that is right, or one that nobody can have meant. */
static uint64_t count_of(struct fuzz_input *in, uint64_t count)
{
	uint8_t how = fuzz_u8(in);

	return how < 0xf8 ? count : UINT64_MAX >> (how & 7);
}

static const struct vmm_option *const *options(
	struct fuzz_input *in, uint32_t depth, uint64_t *ret_count);

static const struct vmm_option *option(
	struct fuzz_input *in, uint32_t depth, const struct vmm_option *const *siblings)
{
	struct vmm_option made = {0};
	uint8_t how = fuzz_u8(in);

	if (how == 0xff)
		return NULL;
	made.name = text(in);
	made.type = (1u + how % 13) * 100;
	if (how & 0x80)
		made.type = fuzz_u16(in);
	made.flags = fuzz_u8(in) & 0x1f;
	made.default_text = how & 0x10 ? text(in) : NULL;
	made.doc = how & 0x20 ? text(in) : "what it is for";
	if (how & 0x40) {
		made.min = (int64_t)fuzz_number(in);
		made.max = (int64_t)fuzz_number(in);
	}
	made.enum_names = texts(in, &made.enum_count);
	made.interface_id = text(in);
	if (how == 0xfe) { /* without an end */
		made.members = siblings;
		made.member_count = 1;
	} else if (in->left && depth < DEPTH_LIMIT)
		made.members = options(in, depth + 1, &made.member_count);
	made.enum_count = count_of(in, made.enum_count);
	made.reserved = fuzz_u8(in) == 0xff;
	return table(in, &made, sizeof(made), OPTION_BYTES);
}

static const struct vmm_option *const *options(
	struct fuzz_input *in, uint32_t depth, uint64_t *ret_count)
{
	uint64_t count = fuzz_below(in, TABLE_MAX);
	const struct vmm_option **list = block(count * sizeof(struct vmm_option *));
	bool had_bad_size = has_bad_size;

	for (uint64_t i = 0; i < count; i++)
		list[i] = option(in, depth, list);
	*ret_count = count_of(in, count);
	if (fuzz_u8(in) != 0xff)
		return list;
	has_bad_size = had_bad_size; /* nobody sees them */
	return NULL;
}

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	(void)args;
	*ret_ctx = NULL;
	return VMM_E_UNSUPPORTED;
}

static void destroy(void *ctx)
{
	(void)ctx;
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	(void)ctx, (void)id, (void)ret_table, (void)ret_object;
	return VMM_E_UNSUPPORTED;
}

static const struct vmm_device_type *type(struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	struct vmm_device_ops ops = {
		.create = how & 1 ? NULL : create,
		.destroy = how & 2 ? NULL : destroy,
		.get_interface = how & 4 ? NULL : get_interface,
	};
	struct vmm_device_type made = {
		.name = text(in),
		.summary = how & 8 ? text(in) : "a type",
		.thread_model = 1000u * (1 + (how >> 4 & 3)),
		.flags = how == 0xff,
	};

	made.provides = texts(in, &made.provides_count);
	made.provides_count = count_of(in, made.provides_count);
	made.options = options(in, 0, &made.option_count);
	made.ops = how >= 0xf0 ? NULL : table(in, &ops, sizeof(ops), OPS_BYTES);
	return how == 0xf1 ? NULL : table(in, &made, sizeof(made), TYPE_BYTES);
}

static const struct vmm_plugin_desc *description(struct fuzz_input *in)
{
	struct vmm_plugin_desc made = {.id = "test", .version = "1", .summary = "a plugin"};
	const struct vmm_device_type **types;
	uint8_t how = fuzz_u8(in);

	if (how == 0xff)
		return NULL;
	made.type_count = 1 + fuzz_below(in, 3);
	types = block(made.type_count * sizeof(struct vmm_device_type *));
	for (uint64_t i = 0; i < made.type_count; i++)
		types[i] = type(in);
	made.types = types;
	made.type_count = count_of(in, made.type_count);
	if (how & 0x80) {
		made.id = text(in);
		made.version = text(in);
		made.summary = text(in);
	}
	return table(in, &made, sizeof(made), DESC_BYTES);
}

/* The options of a type that was taken: every default has a value of its type. */
static void check_type(struct arena *arena, const struct vmm_device_type *type)
{
	char error_text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};
	struct schema_check check = {
		.arena = arena, .error = &error, .path = "", .base_dir = "/", .working_dir = "/"};
	const struct vmm_value *const *values = NULL;

	FUZZ_CHECK(type->name && type->ops->create && type->ops->destroy);
	FUZZ_CHECK(schema_validate(type->options, type->option_count, &error) == 0);
	if (schema_check(&check, type->options, type->option_count, NULL, &values)) {
		FUZZ_CHECK(strstr(error_text, "required") || strstr(error_text, "missing"));
		return;
	}
	for (uint64_t i = 0; i < type->option_count; i++)
		FUZZ_CHECK(values[i] && values[i]->type == type->options[i]->type);
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	static const char *const listed[] = {"a", "test", "x-1"};
	const struct plugin_info info = {.file = "/test.so",
		.id = "test",
		.types = listed,
		.type_count = 1 + fuzz_below(&in, 3)};
	char error_text[PLUGIN_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};
	struct plugin plugin = {0};
	struct arena arena;
	int ret;

	arena_init(&arena);
	has_bad_size = false;
	ret = plugin_copy_desc(&arena, &info, description(&in), &plugin, &error);
	FUZZ_CHECK(ret <= 0 && !ret == !error_text[0] && (ret || !has_bad_size));
	for (size_t i = 0; !ret && i < plugin.type_count; i++)
		check_type(&arena, plugin.types[i]);
	arena_fini(&arena);
	while (block_count)
		free(blocks[--block_count]);
	return 0;
}
