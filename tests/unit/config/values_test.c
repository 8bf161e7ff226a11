/* SPDX-License-Identifier: Apache-2.0 */
/* Units, the nearest name, UTF-8, the arena, and the core's own schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/nearest.h"
#include "config/schema.h"
#include "config/utf8.h"
#include "config/value.h"

static void sizes_have_binary_suffixes(void **state)
{
	int64_t bytes = -1;

	(void)state;
	assert_true(value_parse_size("4096", &bytes));
	assert_int_equal(bytes, 4096);
	assert_true(value_parse_size("3K", &bytes));
	assert_int_equal(bytes, 3072);
	assert_true(value_parse_size("5G", &bytes));
	assert_int_equal(bytes, 5ll << 30);
	assert_true(value_parse_size("8388607T", &bytes));
	assert_int_equal(bytes, 8388607ll << 40);
}

static void sizes_that_are_none_are_refused(void **state)
{
	static const char *const texts[] = {"", "K", "1k", "1MB", "1 M", " 1", "-1", "+1", "1.5G",
		"0x10", "8388608T", "9223372036854775808", "1M1"};
	int64_t bytes = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(value_parse_size(texts[i], &bytes));
	assert_int_equal(bytes, 77);
}

static void durations_need_a_unit(void **state)
{
	int64_t time_ns = -1;

	(void)state;
	assert_true(value_parse_duration("0", &time_ns));
	assert_int_equal(time_ns, 0);
	assert_true(value_parse_duration("10ms", &time_ns));
	assert_int_equal(time_ns, 10000000);
	assert_true(value_parse_duration("2s", &time_ns));
	assert_int_equal(time_ns, 2000000000);
	assert_false(value_parse_duration("10", &time_ns));
	assert_false(value_parse_duration("10m", &time_ns));
	assert_false(value_parse_duration("9223372037s", &time_ns));
}

static void mac_addresses_have_six_bytes(void **state)
{
	int64_t address = -1;

	(void)state;
	assert_true(value_parse_mac("52:54:00:aB:cd:ef", &address));
	assert_int_equal(address, 0x525400abcdef);
	assert_false(value_parse_mac("52:54:00:ab:cd", &address));
	assert_false(value_parse_mac("52:54:00:ab:cd:ef:01", &address));
	assert_false(value_parse_mac("52-54-00-ab-cd-ef", &address));
	assert_false(value_parse_mac("5:4:0:a:c:e", &address));
	assert_false(value_parse_mac("52:54:00:ab:cd:eg", &address));
	assert_false(value_parse_mac("", &address));
}

static void what_is_written_reads_as_the_same(void **state)
{
	static const int64_t numbers[] = {
		0, 1, 1023, 1024, 1025, 1 << 20, 1000000000, 1500000, INT64_MAX, 3ll << 40};
	char text[64];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		value_format_size(numbers[i], text, sizeof(text));
		assert_true(value_parse_size(text, &back));
		assert_int_equal(back, numbers[i]);
		value_format_duration(numbers[i], text, sizeof(text));
		assert_true(value_parse_duration(text, &back));
		assert_int_equal(back, numbers[i]);
	}
	assert_string_equal(value_format_size(5ll << 30, text, sizeof(text)), "5G");
	assert_string_equal(value_format_duration(1500000, text, sizeof(text)), "1500us");
	assert_string_equal(
		value_format_mac(0x525400123456, text, sizeof(text)), "52:54:00:12:34:56");
}

static const char *nearest_of(const char *wanted, const char *const *names)
{
	struct nearest nearest = {.wanted = wanted};

	for (; *names; names++)
		nearest_offer(&nearest, *names);
	return nearest.best ? nearest.best : "";
}

static void a_typing_mistake_finds_its_name(void **state)
{
	static const char *const names[] = {
		"cache", "path", "readonly", "queues", "virtio-blk", "io", "mac", NULL};

	(void)state;
	assert_string_equal(nearest_of("chache", names), "cache");
	assert_string_equal(nearest_of("ptah", names), "path");
	assert_string_equal(nearest_of("mca", names), "mac");
	assert_string_equal(nearest_of("read_only", names), "readonly");
	assert_string_equal(nearest_of("virtio_bkl", names), "virtio-blk");
	assert_string_equal(nearest_of("queue", names), "queues");
}

static void a_far_name_is_not_offered(void **state)
{
	static const char *const names[] = {"cache", "path", "io", NULL};
	char long_name[200];

	(void)state;
	assert_string_equal(nearest_of("memory", names), "");
	assert_string_equal(nearest_of("xx", names), "");
	assert_string_equal(nearest_of("", names), "");
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_string_equal(nearest_of(long_name, names), "");
}

static void utf8_is_what_rfc_3629_says(void **state)
{
	(void)state;
	assert_int_equal(utf8_bytes("a", 1), 1);
	assert_int_equal(utf8_bytes("\xc3\xa4", 2), 2);
	assert_int_equal(utf8_bytes("\xe2\x82\xac", 3), 3);
	assert_int_equal(utf8_bytes("\xf0\x9f\x98\x80", 4), 4);
	assert_int_equal(utf8_bytes("\xf4\x8f\xbf\xbf", 4), 4);
	assert_int_equal(utf8_bytes("\xc3", 1), 0);
	assert_int_equal(utf8_bytes("\xe2\x82\xac", 2), 0);
	assert_int_equal(utf8_bytes("\x80", 1), 0);
	assert_int_equal(utf8_bytes("\xc0\x80", 2), 0);
	assert_int_equal(utf8_bytes("\xe0\x80\x80", 3), 0);
	assert_int_equal(utf8_bytes("\xed\xa0\x80", 3), 0);
	assert_int_equal(utf8_bytes("\xf0\x80\x80\x80", 4), 0);
	assert_int_equal(utf8_bytes("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(utf8_bytes("\xff", 1), 0);
	assert_int_equal(utf8_bytes("", 0), 0);
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
		unsigned char *memory = arena_alloc(&arena, bytes, 1);

		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xff, bytes);
	}
	assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(&arena, SIZE_MAX, 1));
	assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
	assert_string_equal(arena_strndup(&arena, "abc", 2), "ab");
	arena_fini(&arena);
	arena_fini(&arena);
}

static void the_cores_own_schema_is_sound(void **state)
{
	char text[512] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	size_t count = 0;

	(void)state;
	for (const struct schema_group *group = schema_core_groups; group->name; group++, count++)
		if (schema_validate(group->options, group->count, &error))
			fail_msg("%s: %s", group->name, text);
	assert_int_equal(count, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_binary_suffixes),
		cmocka_unit_test(sizes_that_are_none_are_refused),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(mac_addresses_have_six_bytes),
		cmocka_unit_test(what_is_written_reads_as_the_same),
		cmocka_unit_test(a_typing_mistake_finds_its_name),
		cmocka_unit_test(a_far_name_is_not_offered),
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
		cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
		cmocka_unit_test(the_cores_own_schema_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
