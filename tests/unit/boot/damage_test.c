/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels with damage: cut off anywhere, bits flipped, fields replaced by extreme values. Whatever
 * comes out, it is an error with a text or a start inside of RAM; the sanitizers see the rest.
 */
#include <stdlib.h>

#include "boot_kit.h"

#define ROUNDS 1500

static struct kit_image good, bad;

static void make(int kind)
{
	switch (kind) {
	case 0:
		kit_linux(&good);
		break;
	case 1:
		kit_pvh(&good, 0);
		break;
	case 2:
		kit_pvh(&good, 1);
		break;
	case 3:
		kit_multiboot_elf(&good, 0, 3);
		break;
	case 4:
		kit_multiboot_elf(&good, 1, 3);
		break;
	default:
		kit_multiboot_flat(&good);
		break;
	}
}

static void attempt(struct kit *kit)
{
	int ret = kit_boot_image(kit, &bad);

	if (ret == 0) {
		assert_true(kit->state.rip < memory_bytes(kit->memory));
		assert_int_equal(kit->text[0], '\0');
	} else {
		assert_true(ret < 0);
		assert_true(strlen(kit->text) > 20);
	}
}

static void every_length_is_survived(void **state)
{
	for (int kind = 0; kind < 6; kind++) {
		make(kind);
		bad = good;
		for (uint64_t length = 1; length < good.length; length += length < 0x420 ? 1 : 61) {
			bad.length = length;
			attempt(*state);
		}
	}
}

static void flipped_bits_are_survived(void **state)
{
	srand(4);
	for (int kind = 0; kind < 6; kind++) {
		make(kind);
		for (int i = 0; i < ROUNDS; i++) {
			bad = good;
			for (int n = rand() % 4; n >= 0; n--)
				bad.bytes[(unsigned)rand() % 0x280] ^= (uint8_t)(1 << rand() % 8);
			attempt(*state);
		}
	}
}

static void extreme_fields_are_survived(void **state)
{
	static const uint64_t values[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0xa0000, 0xfffff,
		0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff, 0x100000000, INT64_MAX,
		UINT64_MAX - 0xfff, UINT64_MAX};
	static const unsigned widths[] = {1, 2, 4, 8};

	srand(5);
	for (int kind = 0; kind < 6; kind++) {
		make(kind);
		for (int i = 0; i < ROUNDS; i++) {
			bad = good;
			for (int n = rand() % 2; n >= 0; n--) {
				unsigned width = widths[rand() % 4];
				unsigned at = (unsigned)rand() % 0x280;

				kit_put(&bad, at & -width, values[rand() % 16], width);
			}
			attempt(*state);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_length_is_survived, kit_set_up, kit_tear_down),
		cmocka_unit_test_setup_teardown(
			flipped_bits_are_survived, kit_set_up, kit_tear_down),
		cmocka_unit_test_setup_teardown(
			extreme_fields_are_survived, kit_set_up, kit_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
