/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map of machine type pc-1.0, which guests see and which must not change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "machine/layout.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void small_machine_has_the_published_map(void **state)
{
	struct vmm_layout layout;

	(void)state;
	assert_int_equal(layout_init(&layout, 2, 256 * MIB, 256 * MIB, 40, NULL), 0);
	assert_int_equal(layout.vcpus, 2);
	assert_int_equal(layout.compat_level, 10);
	assert_int_equal(layout.ram_bytes, 256 * MIB);
	assert_int_equal(layout.pci_mmio32_base, 0xc0000000);
	assert_int_equal(layout.pci_mmio32_bytes, 0x20000000);
	assert_int_equal(layout.pci_ecam_base, 0xe0000000);
	assert_int_equal(layout.pci_ecam_bytes, 0x100000);
	assert_int_equal(layout.device_mmio_base, 0xf0000000);
	assert_int_equal(layout.pci_io_base, 0xc000);
	assert_int_equal(layout.pci_gsi_base, 16);
	assert_int_equal(layout.device_gsi_base, 20);
	assert_int_equal(layout.pci_mmio64_base, 4 * GIB);
	assert_int_equal(layout.pci_mmio64_bytes, 32 * GIB);
}

static void window_64_is_above_ram_and_aligned(void **state)
{
	struct vmm_layout layout;

	(void)state;
	assert_int_equal(layout_init(&layout, 1, 5 * GIB, 6 * GIB + 4096, 40, NULL), 0);
	assert_int_equal(layout.pci_mmio64_base, 7 * GIB);
}

static void window_64_ends_where_the_cpu_ends(void **state)
{
	struct vmm_layout layout;

	(void)state;
	assert_int_equal(layout_init(&layout, 1, 60 * GIB, 61 * GIB, 36, NULL), 0);
	assert_int_equal(layout.pci_mmio64_base + layout.pci_mmio64_bytes, 64 * GIB);
}

static void too_much_ram_for_the_cpu_is_refused_and_says_so(void **state)
{
	struct vmm_layout layout = {.vcpus = 77};
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	(void)state;
	assert_int_equal(layout_init(&layout, 1, 64 * GIB, 65 * GIB, 36, &error), VMM_E_RANGE);
	assert_non_null(strstr(text, "machine.memory"));
	assert_non_null(strstr(text, "36 bits"));
	assert_int_equal(layout.vcpus, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_machine_has_the_published_map),
		cmocka_unit_test(window_64_is_above_ram_and_aligned),
		cmocka_unit_test(window_64_ends_where_the_cpu_ends),
		cmocka_unit_test(too_much_ram_for_the_cpu_is_refused_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
