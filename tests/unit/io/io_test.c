/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O map with one thread: who answers, how accesses are split, what nobody answers for, and
 * what may overlap. Ids such as S9 are rows of the catalogue of hostile guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/io.h"
#include "probe.h"

static char text[256];
static struct vmm_error error = {sizeof(error), text, sizeof(text)};

static int setup(void **state)
{
	text[0] = 0;
	return io_map_create(2, (struct io_map **)state);
}

static int teardown(void **state)
{
	io_map_destroy(*state);
	return 0;
}

static struct io_region *add(struct io_map *map, struct io_region_config config)
{
	struct io_region *region = NULL;
	int ret = io_region_add(map, &config, &error, &region);

	if (ret)
		fail_msg("%d: %s", ret, text);
	return region;
}

/* Reads with the bytes before and behind the buffer watched. */
static void expect_read(
	struct io_map *map, uint32_t space, uint64_t address, uint32_t len, const uint8_t *expected)
{
	uint8_t data[32];

	memset(data, 0xa5, sizeof(data));
	io_read(map, 1, space, address, data + 8, len);
	assert_memory_equal(data + 8, expected, len);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(data[i], 0xa5);
		assert_int_equal(data[8 + len + i], 0xa5);
	}
}

static void expect_call(
	const struct probe *p, uint32_t i, char kind, uint64_t offset, uint32_t width)
{
	assert_true(i < p->count);
	assert_int_equal(p->calls[i].kind, kind);
	assert_int_equal(p->calls[i].offset, offset);
	assert_int_equal(p->calls[i].width, width);
}

static void S11_nobody_answers_with_ones_and_only_as_many_as_asked(void **state)
{
	const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
	const uint8_t zeros[8] = {0};

	for (uint32_t len = 1; len <= 8; len++) {
		expect_read(*state, VMM_IO_PIO, 0x1234, len, ones);
		expect_read(*state, VMM_IO_MMIO, 0xd0000000, len, ones);
	}
	io_write(*state, 0, VMM_IO_MMIO, 0xd0000000, zeros, 8);
	assert_int_equal(io_unclaimed(*state), 17);
}

static void accesses_reach_the_region_at_their_offset(void **state)
{
	struct probe p = {.tag = 0x10};
	const uint8_t in[4] = {0x78, 0x56, 0x34, 0x12};

	add(*state, probe_region(&p, VMM_IO_MMIO, 0xd0000000, 0x1000, 8));
	expect_read(*state, VMM_IO_MMIO, 0xd0000004, 4, (const uint8_t[]){0x14, 0x15, 0x16, 0x17});
	io_write(*state, 0, VMM_IO_MMIO, 0xd0000ffc, in, 4);
	expect_call(&p, 0, 'r', 4, 4);
	expect_call(&p, 1, 'w', 0xffc, 4);
	assert_int_equal(p.calls[1].value, 0x12345678);
	assert_int_equal(p.count, 2);
}

static void the_two_spaces_are_apart(void **state)
{
	struct probe pio = {.tag = 1}, mmio = {.tag = 2};

	add(*state, probe_region(&pio, VMM_IO_PIO, 0x100, 8, 1));
	add(*state, probe_region(&mmio, VMM_IO_MMIO, 0x100, 8, 1));
	expect_read(*state, VMM_IO_PIO, 0x100, 1, (const uint8_t[]){1});
	expect_read(*state, VMM_IO_MMIO, 0x100, 1, (const uint8_t[]){2});
}

static void among_many_regions_the_right_one_is_found(void **state)
{
	struct probe p[40];

	/* added in an order that is not that of the addresses; each second place stays free */
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t n = (i * 17) % 40;

		p[n] = (struct probe){.tag = (uint8_t)n};
		add(*state, probe_region(&p[n], VMM_IO_PIO, 0x1000 + n * 16, 8, 1));
	}
	for (uint32_t n = 0; n < 40; n++) {
		uint16_t base = (uint16_t)(0x1000 + n * 16);

		expect_read(*state, VMM_IO_PIO, base, 1, (const uint8_t[]){(uint8_t)n});
		expect_read(*state, VMM_IO_PIO, base + 7u, 1, (const uint8_t[]){(uint8_t)(n + 7)});
		expect_read(*state, VMM_IO_PIO, base + 8u, 1, (const uint8_t[]){0xff});
	}
}

static void S7_wide_accesses_to_8_bit_ports_come_as_bytes(void **state)
{
	struct probe p = {.tag = 0x40};
	const uint8_t in[4] = {1, 2, 3, 4};

	add(*state, probe_region(&p, VMM_IO_PIO, 0x3f8, 8, 1));
	expect_read(*state, VMM_IO_PIO, 0x3f8, 4, (const uint8_t[]){0x40, 0x41, 0x42, 0x43});
	io_write(*state, 0, VMM_IO_PIO, 0x3f8, in, 4);
	for (uint32_t i = 0; i < 4; i++) {
		expect_call(&p, i, 'r', i, 1);
		expect_call(&p, 4 + i, 'w', i, 1);
		assert_int_equal(p.calls[4 + i].value, i + 1);
	}
	assert_int_equal(p.count, 8);
}

static void too_wide_accesses_come_in_aligned_pieces(void **state)
{
	struct probe p = {.tag = 0};

	add(*state, probe_region(&p, VMM_IO_MMIO, 0, 0x100, 4));
	expect_read(*state, VMM_IO_MMIO, 0x12, 8,
		(const uint8_t[]){0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19});
	expect_call(&p, 0, 'r', 0x12, 2);
	expect_call(&p, 1, 'r', 0x14, 4);
	expect_call(&p, 2, 'r', 0x18, 2);
	assert_int_equal(p.count, 3);
}

static void odd_lengths_come_in_powers_of_two(void **state)
{
	struct probe p = {.tag = 0};

	add(*state, probe_region(&p, VMM_IO_MMIO, 0, 0x100, 8));
	expect_read(*state, VMM_IO_MMIO, 0x10, 3, (const uint8_t[]){0x10, 0x11, 0x12});
	expect_read(*state, VMM_IO_MMIO, 0x11, 7,
		(const uint8_t[]){0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17});
	expect_call(&p, 0, 'r', 0x10, 2);
	expect_call(&p, 1, 'r', 0x12, 1);
	expect_call(&p, 2, 'r', 0x11, 1);
	expect_call(&p, 3, 'r', 0x12, 2);
	expect_call(&p, 4, 'r', 0x14, 4);
	assert_int_equal(p.count, 5);
}

static void narrow_misaligned_accesses_come_as_they_are(void **state)
{
	struct probe p = {.tag = 0};

	add(*state, probe_region(&p, VMM_IO_PIO, 0xcf8, 8, 4));
	expect_read(*state, VMM_IO_PIO, 0xcf9, 2, (const uint8_t[]){1, 2});
	expect_call(&p, 0, 'r', 1, 2);
	assert_int_equal(p.count, 1);
}

static void S9_access_over_the_end_of_a_device_is_split(void **state)
{
	struct probe com = {.tag = 0x50}, next = {.tag = 0x60};

	add(*state, probe_region(&com, VMM_IO_PIO, 0x3f8, 8, 1));
	expect_read(*state, VMM_IO_PIO, 0x3ff, 4, (const uint8_t[]){0x57, 255, 255, 255});
	add(*state, probe_region(&next, VMM_IO_PIO, 0x401, 1, 1));
	expect_read(*state, VMM_IO_PIO, 0x3ff, 4, (const uint8_t[]){0x57, 255, 0x60, 255});
	expect_read(*state, VMM_IO_PIO, 0x3f7, 2, (const uint8_t[]){255, 0x50});
}

static void S9_last_port_does_not_wrap_to_port_0(void **state)
{
	struct probe zero = {.tag = 0}, last = {.tag = 0x77};
	const uint8_t in[4] = {9, 9, 9, 9};

	add(*state, probe_region(&zero, VMM_IO_PIO, 0, 4, 1));
	add(*state, probe_region(&last, VMM_IO_PIO, 0xffff, 1, 1));
	expect_read(*state, VMM_IO_PIO, 0xffff, 4, (const uint8_t[]){0x77, 255, 255, 255});
	io_write(*state, 0, VMM_IO_PIO, 0xffff, in, 4);
	assert_int_equal(zero.count, 0);
	assert_int_equal(last.count, 2);
	expect_read(*state, VMM_IO_PIO, 0x10000, 2, (const uint8_t[]){255, 255});
	assert_int_equal(zero.count, 0);
}

static void S10_mmio_over_two_devices_and_a_hole_is_split(void **state)
{
	struct probe a = {.tag = 0x20}, b = {.tag = 0x30};
	const uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	add(*state, probe_region(&a, VMM_IO_MMIO, 0x1000, 0x10, 8));
	add(*state, probe_region(&b, VMM_IO_MMIO, 0x1012, 0x10, 8));
	expect_read(*state, VMM_IO_MMIO, 0x100e, 8,
		(const uint8_t[]){0x2e, 0x2f, 255, 255, 0x30, 0x31, 0x32, 0x33});
	io_write(*state, 0, VMM_IO_MMIO, 0x100e, in, 8);
	expect_call(&a, 1, 'w', 0xe, 2);
	assert_int_equal(a.calls[1].value, 0x0201);
	expect_call(&b, 1, 'w', 0, 4);
	assert_int_equal(b.calls[1].value, 0x08070605);
}

static void S10_last_byte_of_the_address_space_does_not_wrap(void **state)
{
	struct probe low = {.tag = 0}, high = {.tag = 0x80};

	add(*state, probe_region(&low, VMM_IO_MMIO, 0, 16, 8));
	add(*state, probe_region(&high, VMM_IO_MMIO, UINT64_MAX, 1, 8));
	expect_read(*state, VMM_IO_MMIO, UINT64_MAX - 1, 8,
		(const uint8_t[]){255, 0x80, 255, 255, 255, 255, 255, 255});
	assert_int_equal(low.count, 0);
	assert_int_equal(high.count, 1);
}

static void a_region_may_be_the_whole_address_space(void **state)
{
	struct probe p = {.tag = 0};
	struct io_region_config config = probe_region(&p, VMM_IO_MMIO, 1, UINT64_MAX, 1);

	add(*state, config);
	expect_read(*state, VMM_IO_MMIO, 0, 2, (const uint8_t[]){255, 0});
	expect_read(*state, VMM_IO_MMIO, UINT64_MAX, 2, (const uint8_t[]){0xfe, 255});
}

static void a_failing_read_gives_ones_of_its_width(void **state)
{
	struct probe p = {.tag = 0, .result = VMM_E_INVAL};

	add(*state, probe_region(&p, VMM_IO_PIO, 0x100, 4, 2));
	expect_read(*state, VMM_IO_PIO, 0x100, 2, (const uint8_t[]){255, 255});
}

static void a_region_without_functions_reads_as_ones(void **state)
{
	struct io_region_config config = probe_region(NULL, VMM_IO_PIO, 0x100, 4, 2);
	const uint8_t in[2] = {0};

	config.ops = (struct io_ops){NULL, NULL};
	add(*state, config);
	expect_read(*state, VMM_IO_PIO, 0x100, 2, (const uint8_t[]){255, 255});
	io_write(*state, 0, VMM_IO_PIO, 0x100, in, 2);
}

static void overlap_is_refused_and_names_both(void **state)
{
	struct probe p = {0};
	struct io_region *region;
	struct io_region_config config = probe_region(&p, VMM_IO_PIO, 0x100, 8, 1);

	config.name = "first";
	add(*state, config);
	config.name = "second";
	for (uint64_t base = 0xf9; base <= 0x107; base++) {
		config.base = base;
		assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_EXISTS);
	}
	assert_non_null(strstr(text, "\"second\""));
	assert_non_null(strstr(text, "\"first\""));
	config.base = 0x108;
	add(*state, config);
	config.base = 0xf8;
	add(*state, config);
}

static void reserved_ranges_are_kept_free(void **state)
{
	struct probe p = {0};
	struct io_region *region;
	struct io_region_config config = probe_region(&p, VMM_IO_MMIO, 0xfee00000, 0x1000, 4);

	assert_int_equal(io_reserve(*state, "lapic", VMM_IO_MMIO, 0xfee00000, 0x1000, &error), 0);
	assert_int_equal(io_reserve(*state, "all", VMM_IO_MMIO, 0xfee00000, 0x100000, &error), 0);
	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_EXISTS);
	config.base = 0xfe000000;
	region = add(*state, config);
	assert_int_equal(io_region_set(*state, region, 0xfee00fff, true), VMM_E_EXISTS);
	assert_int_equal(io_reserve(*state, "x", VMM_IO_PIO, 0xffff, 2, &error), VMM_E_RANGE);
	assert_int_equal(io_reserve(*state, "x", VMM_IO_MMIO, UINT64_MAX, 2, &error), VMM_E_RANGE);
}

static void reserving_what_a_region_has_is_refused(void **state)
{
	struct probe p = {0};

	add(*state, probe_region(&p, VMM_IO_PIO, 0x100, 8, 1));
	assert_int_equal(io_reserve(*state, "x", VMM_IO_PIO, 0x107, 1, &error), VMM_E_EXISTS);
	assert_int_equal(io_reserve(*state, "x", VMM_IO_PIO, 0x108, 1, &error), 0);
}

static void a_moved_region_answers_only_at_its_new_place(void **state)
{
	struct probe p = {.tag = 7};
	struct io_region *region =
		add(*state, probe_region(&p, VMM_IO_MMIO, 0xd0000000, 0x1000, 4));

	assert_int_equal(io_region_set(*state, region, 0xd1000000, true), 0);
	expect_read(*state, VMM_IO_MMIO, 0xd0000000, 1, (const uint8_t[]){255});
	expect_read(*state, VMM_IO_MMIO, 0xd1000000, 1, (const uint8_t[]){7});
	assert_int_equal(io_region_set(*state, region, 0xd1000000, false), 0);
	expect_read(*state, VMM_IO_MMIO, 0xd1000000, 1, (const uint8_t[]){255});
	assert_int_equal(io_region_set(*state, region, 0xd1000800, true), 0);
	expect_read(*state, VMM_IO_MMIO, 0xd1000800, 1, (const uint8_t[]){7});
	/* a step that overlaps the old place */
	assert_int_equal(io_region_set(*state, region, 0xd1000000, true), 0);
	expect_read(*state, VMM_IO_MMIO, 0xd1000001, 1, (const uint8_t[]){8});
}

static void P6_a_bad_new_place_makes_the_region_unreachable(void **state)
{
	struct probe p = {.tag = 7}, other = {.tag = 9};
	struct io_region *region =
		add(*state, probe_region(&p, VMM_IO_MMIO, 0xd0000000, 0x1000, 4));

	add(*state, probe_region(&other, VMM_IO_MMIO, 0xd2000000, 0x1000, 4));
	assert_int_equal(io_region_set(*state, region, 0xd2000ffc, true), VMM_E_EXISTS);
	expect_read(*state, VMM_IO_MMIO, 0xd0000000, 1, (const uint8_t[]){255});
	expect_read(*state, VMM_IO_MMIO, 0xd2000000, 1, (const uint8_t[]){9});
	assert_int_equal(io_region_set(*state, region, 0xd0000000, true), 0);
	expect_read(*state, VMM_IO_MMIO, 0xd0000000, 1, (const uint8_t[]){7});
	assert_int_equal(io_region_set(*state, region, UINT64_MAX - 0xffe, true), VMM_E_RANGE);
	expect_read(*state, VMM_IO_MMIO, 0xd0000000, 1, (const uint8_t[]){255});
	assert_int_equal(io_region_set(*state, region, UINT64_MAX - 0xfff, true), 0);
}

static void P7_a_region_moved_away_leaves_the_place_to_another(void **state)
{
	struct probe a = {.tag = 1}, b = {.tag = 2};
	struct io_region_config config = probe_region(&b, VMM_IO_PIO, 0xc000, 8, 1);
	struct io_region *first = add(*state, probe_region(&a, VMM_IO_PIO, 0xc000, 8, 1));
	struct io_region *second;

	config.enabled = false;
	second = add(*state, config);
	assert_int_equal(io_region_set(*state, second, 0xc000, true), VMM_E_EXISTS);
	assert_int_equal(io_region_set(*state, first, 0xc100, true), 0);
	assert_int_equal(io_region_set(*state, second, 0xc000, true), 0);
	expect_read(*state, VMM_IO_PIO, 0xc000, 1, (const uint8_t[]){2});
	/* one that is switched off takes no place, at either end of the exchange */
	assert_int_equal(io_region_set(*state, second, 0xc000, false), 0);
	assert_int_equal(io_region_set(*state, first, 0xc000, true), 0);
	expect_read(*state, VMM_IO_PIO, 0xc000, 1, (const uint8_t[]){1});
	assert_int_equal(io_region_set(*state, first, 0xc100, true), 0);
	assert_int_equal(io_region_set(*state, second, 0xc000, true), 0);
	io_region_remove(*state, second);
	expect_read(*state, VMM_IO_PIO, 0xc000, 1, (const uint8_t[]){255});
	expect_read(*state, VMM_IO_PIO, 0xc100, 1, (const uint8_t[]){1});
}

static void P7_the_place_of_a_region_that_went_away_after_an_access_is_anothers(void **state)
{
	struct probe low = {.tag = 1}, high = {.tag = 2};

	struct io_region *first = add(*state, probe_region(&low, VMM_IO_PIO, 0xc000, 8, 1));
	struct io_region *top;

	top = add(*state, probe_region(&low, VMM_IO_PIO, 0xe000, 8, 1));
	/* several times, with an odd number of changes, so that every snapshot has held it */
	for (int i = 0; i < 8; i++) {
		struct io_region *region =
			add(*state, probe_region(&high, VMM_IO_PIO, 0xd000, 8, 1));

		expect_read(*state, VMM_IO_PIO, 0xd000, 1, (const uint8_t[]){2});
		io_region_remove(*state, region);
		assert_int_equal(io_region_set(*state, first, 0xd000, true), 0);
		expect_read(*state, VMM_IO_PIO, 0xd000, 1, (const uint8_t[]){1});
		assert_int_equal(io_region_set(*state, first, 0xc000, true), 0);
		assert_int_equal(io_region_set(*state, top, 0xe000, i % 2), 0);
	}
}

static void bad_descriptions_are_refused(void **state)
{
	struct probe p = {0};
	struct io_region *region;
	struct io_region_config config = probe_region(&p, VMM_IO_PIO, 0xffff, 2, 1);

	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_RANGE);
	config = probe_region(&p, VMM_IO_PIO, 0x100, 0, 1);
	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_INVAL);
	config = probe_region(&p, VMM_IO_PIO, 0x100, 4, 3);
	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_INVAL);
	config = probe_region(&p, VMM_IO_PIO, 0x100, 4, 16);
	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_INVAL);
	config = probe_region(&p, 7, 0x100, 4, 4);
	assert_int_equal(io_region_add(*state, &config, &error, &region), VMM_E_INVAL);
}

static void the_map_can_be_printed(void **state)
{
	struct probe p = {0};
	char *out = NULL;
	size_t bytes;
	FILE *file = open_memstream(&out, &bytes);

	add(*state, probe_region(&p, VMM_IO_PIO, 0x3f8, 8, 1));
	assert_int_equal(io_reserve(*state, "lapic", VMM_IO_MMIO, 0xfee00000, 0x1000, NULL), 0);
	io_map_print(*state, file);
	fclose(file);
	assert_non_null(strstr(out, "0x00000000000003f8-0x00000000000003ff region probe"));
	assert_non_null(strstr(out, "reserved lapic"));
	free(out);
}

#define IO_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IO_TEST(S11_nobody_answers_with_ones_and_only_as_many_as_asked),
		IO_TEST(accesses_reach_the_region_at_their_offset),
		IO_TEST(the_two_spaces_are_apart),
		IO_TEST(among_many_regions_the_right_one_is_found),
		IO_TEST(S7_wide_accesses_to_8_bit_ports_come_as_bytes),
		IO_TEST(too_wide_accesses_come_in_aligned_pieces),
		IO_TEST(odd_lengths_come_in_powers_of_two),
		IO_TEST(narrow_misaligned_accesses_come_as_they_are),
		IO_TEST(S9_access_over_the_end_of_a_device_is_split),
		IO_TEST(S9_last_port_does_not_wrap_to_port_0),
		IO_TEST(S10_mmio_over_two_devices_and_a_hole_is_split),
		IO_TEST(S10_last_byte_of_the_address_space_does_not_wrap),
		IO_TEST(a_region_may_be_the_whole_address_space),
		IO_TEST(a_failing_read_gives_ones_of_its_width),
		IO_TEST(a_region_without_functions_reads_as_ones),
		IO_TEST(overlap_is_refused_and_names_both),
		IO_TEST(reserved_ranges_are_kept_free),
		IO_TEST(reserving_what_a_region_has_is_refused),
		IO_TEST(a_moved_region_answers_only_at_its_new_place),
		IO_TEST(P6_a_bad_new_place_makes_the_region_unreachable),
		IO_TEST(P7_a_region_moved_away_leaves_the_place_to_another),
		IO_TEST(P7_the_place_of_a_region_that_went_away_after_an_access_is_anothers),
		IO_TEST(bad_descriptions_are_refused),
		IO_TEST(the_map_can_be_printed),
	};

	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
