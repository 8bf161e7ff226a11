/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map, and finding places in it.
 */
#include <stdlib.h>

#include "boot_kit.h"

static struct boot_map map;

static int init(struct kit *kit, const struct boot_range *reserved, size_t count)
{
	return map_init(&map, kit->memory, reserved, count, &kit->error);
}

static void assert_entry(uint32_t index, uint64_t start, uint64_t end, uint32_t type)
{
	assert_true(index < map.entry_count);
	assert_int_equal(map.entries[index].start, start);
	assert_int_equal(map.entries[index].end, end);
	assert_int_equal(map.entries[index].type, type);
}

static void reserved_ranges_cut_ram(void **state)
{
	static const struct boot_range reserved[] = {
		{{0x3f00000}, 0x200000, BOOT_RANGE_RESERVED}, /* past the end of RAM */
		{{0x200000}, 0x1000, BOOT_RANGE_ACPI},        /* inside */
		{{0x100000}, 0x1000, BOOT_RANGE_RESERVED},    /* at a start */
		{{0x80000}, 0x20000, BOOT_RANGE_RESERVED},    /* at an end */
		{{0xe0000000}, 0x1000, BOOT_RANGE_RESERVED},  /* outside */
	};

	assert_int_equal(init(*state, reserved, 5), 0);
	assert_int_equal(map.entry_count, 8);
	assert_entry(0, 0, 0x80000, 1);
	assert_entry(1, 0x80000, 0xa0000, 2);
	assert_entry(2, 0x100000, 0x101000, 2);
	assert_entry(3, 0x101000, 0x200000, 1);
	assert_entry(4, 0x200000, 0x201000, 3);
	assert_entry(5, 0x201000, 0x3f00000, 1);
	assert_entry(6, 0x3f00000, 0x4100000, 2);
	assert_entry(7, 0xe0000000, 0xe0001000, 2);
	assert_int_equal(map_ram_end(&map, 0x150000), 0x200000);
	assert_int_equal(map_ram_end(&map, 0x200000), 0x200000);
}

static void a_range_may_reserve_all_ram(void **state)
{
	static const struct boot_range reserved = {{0}, 0x10000000, BOOT_RANGE_RESERVED};

	assert_int_equal(init(*state, &reserved, 1), 0);
	assert_int_equal(map.entry_count, 1);
	assert_entry(0, 0, 0x10000000, 2);
}

static void wrong_ranges_are_refused(void **state)
{
	static const struct boot_range overlap[] = {{{0x1000}, 0x1000, 2}, {{0x1fff}, 1, 2}};
	static const struct boot_range wraps = {{UINT64_MAX}, 1, 2};
	static const struct boot_range empty = {{0x1000}, 0, 2};
	static const struct boot_range ram = {{0x1000}, 0x1000, 1};
	struct boot_range many[MAP_RESERVED_MAX + 1];

	assert_int_equal(init(*state, overlap, 2), VMM_E_INVAL);
	assert_int_equal(init(*state, &wraps, 1), VMM_E_INVAL);
	assert_int_equal(init(*state, &empty, 1), VMM_E_INVAL);
	assert_int_equal(init(*state, &ram, 1), VMM_E_INVAL);
	for (uint32_t i = 0; i <= MAP_RESERVED_MAX; i++)
		many[i] = (struct boot_range){{0x100000 + i * UINT64_C(0x2000)}, 0x1000, 2};
	assert_int_equal(init(*state, many, MAP_RESERVED_MAX + 1), VMM_E_LIMIT);
	assert_int_equal(init(*state, many, MAP_RESERVED_MAX), 0);
	assert_int_equal(map.entry_count, 2 * MAP_RESERVED_MAX + 1);
}

/* Against a plain model: a byte for each page. */
static void found_places_are_free_ram_and_apart(void **state)
{
	static uint8_t pages[0x4000];
	static const struct boot_range reserved = {{0x1000000}, 0x800000, BOOT_RANGE_RESERVED};

	srand(3);
	for (int round = 0; round < 50; round++) {
		assert_int_equal(init(*state, &reserved, 1), 0);
		memset(pages, 0, sizeof(pages));
		pages[0] = 1;
		memset(pages + 0xa0, 1, 0x60);
		memset(pages + 0x1000, 1, 0x800);
		for (int i = 0; i < 200; i++) {
			struct map_want want = {.bytes = ((uint64_t)rand() % 0x80 + 1) << 12,
				.align = UINT64_C(0x1000) << rand() % 10,
				.min = ((uint64_t)rand() % 0x4000) << 12,
				.direction = rand() % 2,
				.what = "test"};
			uint64_t start, room = 0, fits = 0;
			int ret;

			want.end = want.min + (((uint64_t)rand() % 0x2000) << 12);
			ret = map_find(&map, &want, &start);
			for (uint64_t p = want.min >> 12; p < want.end >> 12 && p < 0x4000; p++) {
				room = pages[p] ? 0 : room + 1;
				if (room >= want.bytes >> 12)
					fits |= ((p + 1) << 12) % want.align ==
						want.bytes % want.align;
			}
			assert_int_equal(ret, fits ? 0 : VMM_E_NOT_FOUND);
			if (ret < 0)
				continue;
			assert_true(start >= want.min && start + want.bytes <= want.end);
			assert_int_equal(start % want.align, 0);
			for (uint64_t p = start >> 12; p < (start + want.bytes) >> 12; p++) {
				assert_int_equal(pages[p], 0);
				pages[p] = 1;
			}
		}
	}
}

static void searches_begin_at_the_end_that_was_asked_for(void **state)
{
	struct map_want want = {.bytes = 0x1000, .align = 0x1000, .end = MAP_4G, .what = "test"};
	uint64_t start;

	assert_int_equal(init(*state, NULL, 0), 0);
	assert_int_equal(map_find(&map, &want, &start), 0);
	assert_int_equal(start, 0x1000); /* never page 0 */
	want.direction = MAP_TOP_DOWN;
	assert_int_equal(map_find(&map, &want, &start), 0);
	assert_int_equal(start, 0x3fff000);
	want.align = 0x200000;
	assert_int_equal(map_find(&map, &want, &start), 0);
	assert_int_equal(start, 0x3e00000);
}

static void the_list_of_places_has_an_end(void **state)
{
	struct map_want want = {.bytes = 0x1000, .align = 0x1000, .end = MAP_4G, .what = "test"};
	uint64_t start;
	char text[256];

	assert_int_equal(init(*state, NULL, 0), 0);
	for (uint32_t i = 0; i < MAP_TAKEN_MAX; i++)
		assert_int_equal(map_find(&map, &want, &start), 0);
	assert_int_equal(map_find(&map, &want, &start), VMM_E_LIMIT);
	assert_int_equal(map_take(&map, 0x3000000, 1, "it", text, sizeof(text)), VMM_E_LIMIT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reserved_ranges_cut_ram),
		TEST(a_range_may_reserve_all_ram),
		TEST(wrong_ranges_are_refused),
		TEST(found_places_are_free_ram_and_apart),
		TEST(searches_begin_at_the_end_that_was_asked_for),
		TEST(the_list_of_places_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
