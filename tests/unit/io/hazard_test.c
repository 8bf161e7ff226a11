/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a snapshot may be written again, step by step on one thread: the rule that io/hazard.h
 * explains, which threads would break only now and then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/io_internal.h"

#define READERS 3u
#define MMIO    1u /* index of the space */

static struct io_map *map;
static struct io_region *region;

static int setup(void **state)
{
	const struct io_region_config config = {
		.name = "x",
		.space = VMM_IO_MMIO,
		.base = 0x1000,
		.bytes = 16,
		.width_max = 8,
		.enabled = true,
	};

	(void)state;
	return io_map_create(READERS, &map) || io_region_add(map, &config, NULL, &region);
}

static int teardown(void **state)
{
	(void)state;
	io_map_destroy(map);
	return 0;
}

/* To another place each time, so that each move makes another snapshot current. */
static void move(uint32_t times)
{
	for (uint32_t i = 0; i < times; i++)
		assert_int_equal(io_region_set(map, region, region->base + 0x1000, true), 0);
}

static struct snapshot *enter(uint32_t reader)
{
	return hazard_enter(&map->slots[reader], &map->spaces[MMIO].current);
}

static void what_a_reader_looks_at_stays_as_it_is(void **state)
{
	struct snapshot *seen[READERS];
	uint64_t bases[READERS];

	(void)state;
	/* every reader at another one: the pool is as empty as it can get */
	for (uint32_t i = 0; i < READERS; i++) {
		seen[i] = enter(i);
		bases[i] = seen[i]->entries[0].base;
		move(i + 1);
		for (uint32_t j = 0; j < i; j++)
			assert_ptr_not_equal(seen[i], seen[j]);
	}
	move(100);
	for (uint32_t i = 0; i < READERS; i++) {
		assert_int_equal(seen[i]->count, 1);
		assert_int_equal(seen[i]->entries[0].base, bases[i]);
	}
}

static void what_nobody_looks_at_is_used_again(void **state)
{
	struct snapshot *seen = enter(0);
	bool used_again = false;

	(void)state;
	hazard_leave(&map->slots[0]);
	for (uint32_t i = 0; i < READERS + 2 && !used_again; i++) {
		move(1);
		used_again = atomic_load(&map->spaces[MMIO].current) == seen;
	}
	assert_true(used_again);
}

static void a_reader_sees_the_newest_snapshot(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		struct snapshot *seen = enter(0);

		assert_ptr_equal(seen, atomic_load(&map->spaces[MMIO].current));
		assert_int_equal(seen->entries[0].base, region->base);
		hazard_leave(&map->slots[0]);
		move(i);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_a_reader_looks_at_stays_as_it_is),
		T(what_nobody_looks_at_is_used_again),
		T(a_reader_sees_the_newest_snapshot),
	};

	return cmocka_run_group_tests_name("io-hazard", tests, NULL, NULL);
}
