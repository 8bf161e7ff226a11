/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X: table, pending bits, masks, delivery (rows P10 to P15, P18, and P8 for bus master).
 */
#include <sys/eventfd.h>

#include "pci_rig.h"

#define VECTORS 5u
#define DATA    0x4000u

static struct rig rig;
static struct rig_function function;

static int setup(void **state)
{
	(void)state;
	memset(&function, 0, sizeof(function));
	function.vectors = VECTORS;
	function.msix_bar = 2;
	rig_up(&rig, NULL);
	rig_add(&rig, &function);
	fake_pci_enable(&function.pci);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_remove(&function);
	rig_down(&rig);
	return 0;
}

static void raise_vector(uint32_t vector)
{
	int32_t fd;

	assert_int_equal(rig.bus->msix_fd(rig.object, function.handle, vector, &fd), 0);
	assert_int_equal(eventfd_write(fd, 1), 0);
}

static uint64_t got(uint32_t vector)
{
	return fake_msi_count(rig.host, DATA + vector);
}

static void enable_with_vectors(void)
{
	uint32_t i;

	fake_msix_enable(&function.pci, 1);
	for (i = 0; i < VECTORS; i++)
		fake_msix_program(&function.pci, i, DATA + i);
}

static uint64_t table(uint64_t offset, uint32_t width)
{
	return fake_bar_read(&function.pci, 2, offset, width);
}

static void table_put(uint64_t offset, uint32_t width, uint64_t value)
{
	fake_bar_write(&function.pci, 2, offset, width, value);
}

static void the_capability_describes_table_and_pending_bits(void **state)
{
	(void)state;
	assert_int_equal(function.pci.msix_vectors, VECTORS);
	assert_int_equal(function.pci.msix_bar, 2);
	assert_int_equal(function.pci.msix_table, 0);
	assert_int_equal(function.pci.msix_pba, 0x800);
	assert_int_equal(function.pci.bars[2].bytes, 4096);
	assert_int_equal(fake_vector_count(rig.host), VECTORS);
}

static void a_large_table_has_its_pending_bits_behind_it(void **state)
{
	struct rig_function large = {.vectors = 2048, .msix_bar = 0};
	struct fake_config config = {.msi_limit = 4096};
	int32_t fd;

	(void)state;
	rig_remove(&function);
	rig_down(&rig);
	rig_up(&rig, &config);
	rig_add(&rig, &large);
	assert_int_equal(large.pci.msix_vectors, 2048);
	assert_int_equal(large.pci.msix_pba, 0x8000);
	assert_int_equal(large.pci.bars[0].bytes, 0x10000);
	fake_pci_enable(&large.pci);
	fake_msix_enable(&large.pci, 1);
	assert_int_equal(rig.bus->msix_fd(rig.object, large.handle, 2047, &fd), 0);
	eventfd_write(fd, 1);
	assert_int_equal(fake_bar_read(&large.pci, 0, 0x80fc, 4), 0x80000000);
	assert_int_equal(fake_bar_read(&large.pci, 0, 0x80f8, 8), 0x8000000000000000);
	assert_int_equal(fake_bar_read(&large.pci, 0, 0x8100, 8), 0);
	fake_msix_program(&large.pci, 2047, 77);
	assert_int_equal(fake_msi_count(rig.host, 77), 1);
	rig_remove(&large);
	rig_add(&rig, &function);
}

static void raised_vectors_reach_the_guest_with_their_message(void **state)
{
	struct fake_msi msi;

	(void)state;
	enable_with_vectors();
	raise_vector(3);
	assert_true(fake_msi_take(rig.host, &msi));
	assert_int_equal(msi.address, 0xfee00000);
	assert_int_equal(msi.data, DATA + 3);
	assert_false(fake_msi_take(rig.host, &msi));
	assert_int_equal(function.msix_changes, 1);
	assert_int_equal(function.msix_enabled, 1);
}

static void P10_the_table_takes_4_and_8_bytes_aligned(void **state)
{
	(void)state;
	table_put(16, 8, 0x11223344fee01004);
	assert_int_equal(table(16, 8), 0x11223344fee01004);
	table_put(24, 4, 0xdeadbeef);
	assert_int_equal(table(24, 8), 0x00000001deadbeef);
	table_put(24, 8, 0x00000000cafecafe);
	assert_int_equal(table(28, 4), 0);
	assert_int_equal(table(24, 4), 0xcafecafe);
	/* Bits 0 and 1 of the address and bits 1 to 31 of the control are 0. */
	table_put(16, 4, 0xffffffff);
	table_put(28, 4, 0xffffffff);
	assert_int_equal(table(16, 4), 0xfffffffc);
	assert_int_equal(table(28, 4), 1);
}

static void P10_other_accesses_to_the_table_are_ignored(void **state)
{
	static const struct {
		uint64_t offset;
		uint32_t width;
	} bad[] = {{0, 1}, {3, 1}, {0, 2}, {2, 2}, {2, 4}, {14, 4}, {1, 4}, {4, 8}, {12, 8}, {1, 8},
		{VECTORS * 16, 4}, {VECTORS * 16, 8}, {VECTORS * 16 - 2, 4}, {0x7fc, 4}, {4092, 4}};
	uint32_t i, offset;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		table_put(bad[i].offset, bad[i].width, UINT64_MAX);
		assert_int_equal(table(bad[i].offset, bad[i].width), 0);
	}
	for (offset = 0; offset < 4096; offset += 4)
		assert_int_equal(
			table(offset, 4), offset < VECTORS * 16 && offset % 16 == 12 ? 1 : 0);
	/* Past the end of the BAR is nobody's. */
	assert_int_equal(table(4092, 8), 0xffffffff00000000);
	assert_true(fake_guest_errors(rig.host, "pci: MSI-X write") > 0);
}

static void P11_pending_bits_are_read_only_and_end_with_zeros(void **state)
{
	(void)state;
	raise_vector(1);
	assert_int_equal(table(0x800, 8), 2);
	table_put(0x800, 8, 0);
	table_put(0x800, 4, 0xffffffff);
	assert_int_equal(table(0x800, 4), 2);
	assert_int_equal(table(0x804, 4), 0);
	assert_int_equal(table(0x808, 8), 0);
	assert_int_equal(table(0xff8, 8), 0);
	assert_int_equal(table(0x800, 1), 0);
	assert_int_equal(table(0x802, 4), 0);
}

static void P12_a_vector_beyond_the_table_has_no_fd(void **state)
{
	int32_t fd = -5;

	(void)state;
	assert_int_equal(rig.bus->msix_fd(rig.object, function.handle, VECTORS, &fd), VMM_E_RANGE);
	assert_int_equal(rig.bus->msix_fd(rig.object, function.handle, 0xffff, &fd), VMM_E_RANGE);
	assert_int_equal(rig.bus->msix_fd(rig.object, 30, 0, &fd), VMM_E_INVAL);
	assert_int_equal(fd, -5);
}

static void P13_a_message_that_is_none_kills_the_vector_only(void **state)
{
	static const uint64_t bad[] = {0, 0x1000, 0xfed00000, 0xfef00000, 0x1fee00000};
	uint32_t i;

	(void)state;
	enable_with_vectors();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_msix_mask(&function.pci, 0, 1);
		table_put(0, 8, bad[i]);
		fake_msix_mask(&function.pci, 0, 0);
		raise_vector(0);
		raise_vector(1);
		assert_int_equal(got(0), 0);
		assert_int_equal(got(1), i + 1);
	}
	assert_true(fake_guest_errors(rig.host, "pci: MSI-X message refused") > 0);
	/* A good message revives it, with what was raised in between. */
	fake_msix_program(&function.pci, 0, DATA);
	assert_int_equal(got(0), 1);
}

static void P14_a_masked_vector_is_pending_and_comes_once_when_unmasked(void **state)
{
	(void)state;
	enable_with_vectors();
	fake_msix_mask(&function.pci, 2, 1);
	raise_vector(2);
	raise_vector(2);
	assert_true(fake_msix_pending(&function.pci, 2));
	assert_false(fake_msix_pending(&function.pci, 1));
	assert_int_equal(got(2), 0);
	fake_msix_mask(&function.pci, 2, 0);
	assert_int_equal(got(2), 1);
	assert_false(fake_msix_pending(&function.pci, 2));
}

static void P14_the_function_mask_holds_all_vectors_back(void **state)
{
	(void)state;
	enable_with_vectors();
	fake_msix_function_mask(&function.pci, 1);
	raise_vector(0);
	raise_vector(4);
	assert_int_equal(got(0) + got(4), 0);
	assert_int_equal(table(0x800, 8), 0x11);
	fake_msix_function_mask(&function.pci, 0);
	assert_int_equal(got(0), 1);
	assert_int_equal(got(4), 1);
	/* Changing the mask is no change of enable. */
	assert_int_equal(function.msix_changes, 1);
}

static void P14_disable_and_enable_loses_nothing(void **state)
{
	(void)state;
	enable_with_vectors();
	fake_msix_enable(&function.pci, 0);
	assert_int_equal(rig.bus->msix_enabled(rig.object, function.handle), 0);
	raise_vector(1);
	assert_int_equal(got(1), 0);
	fake_msix_enable(&function.pci, 1);
	assert_int_equal(got(1), 1);
	assert_int_equal(function.msix_changes, 3);
}

static void P14_retargeting_goes_to_the_new_place(void **state)
{
	(void)state;
	enable_with_vectors();
	table_put(16, 4, 0xfee03000);
	table_put(24, 4, 0x99);
	raise_vector(1);
	assert_int_equal(fake_msi_count(rig.host, 0x99), 1);
	assert_int_equal(got(1), 0);
}

static void P14_a_storm_of_masks_makes_no_call_without_a_change_and_leaks_nothing(void **state)
{
	struct fake_vector before, after;
	uint32_t i;

	(void)state;
	enable_with_vectors();
	fake_vector(rig.host, 3, &before);
	for (i = 0; i < 1000; i++) {
		fake_msix_program(&function.pci, 3, DATA + 3); /* the same again */
		fake_msix_enable(&function.pci, 1);
	}
	fake_vector(rig.host, 3, &after);
	assert_int_equal(before.updates, after.updates);
	for (i = 0; i < 1000; i++) {
		fake_msix_mask(&function.pci, 3, 1);
		raise_vector(3);
		fake_msix_mask(&function.pci, 3, 0);
		fake_msix_function_mask(&function.pci, 1);
		fake_msix_function_mask(&function.pci, 0);
		fake_msix_enable(&function.pci, 0);
		fake_msix_enable(&function.pci, 1);
	}
	assert_int_equal(got(3), 1000);
	assert_int_equal(fake_vector_count(rig.host), VECTORS);
}

static void P8_without_bus_master_there_is_no_message(void **state)
{
	(void)state;
	enable_with_vectors();
	fake_pci_command(&function.pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	raise_vector(1);
	assert_int_equal(got(1), 0);
	assert_true(fake_msix_pending(&function.pci, 1));
	fake_pci_command(&function.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	assert_int_equal(got(1), 1);
}

static void P15_nothing_comes_before_a_vector_is_programmed(void **state)
{
	struct fake_msi msi;
	uint32_t i;

	(void)state;
	fake_msix_enable(&function.pci, 1);
	for (i = 0; i < VECTORS; i++)
		raise_vector(i);
	assert_false(fake_msi_take(rig.host, &msi));
}

static void P18_too_many_vectors_are_an_error_of_the_configuration(void **state)
{
	struct rig_function greedy = {.vectors = 2048};

	(void)state;
	assert_int_equal(rig_try_add(&rig, &greedy), VMM_E_LIMIT);
	assert_non_null(strstr(rig.error, "1019 of 2048"));
	assert_int_equal(fake_vector_count(rig.host), VECTORS);
	greedy.vectors = 2049;
	assert_int_equal(rig_try_add(&rig, &greedy), VMM_E_INVAL);
}

static void the_table_can_be_reached_only_with_decode_on(void **state)
{
	(void)state;
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 0);
	assert_int_equal(table(0, 4), 0xffffffff);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_capability_describes_table_and_pending_bits),
		TEST(a_large_table_has_its_pending_bits_behind_it),
		TEST(raised_vectors_reach_the_guest_with_their_message),
		TEST(P10_the_table_takes_4_and_8_bytes_aligned),
		TEST(P10_other_accesses_to_the_table_are_ignored),
		TEST(P11_pending_bits_are_read_only_and_end_with_zeros),
		TEST(P12_a_vector_beyond_the_table_has_no_fd),
		TEST(P13_a_message_that_is_none_kills_the_vector_only),
		TEST(P14_a_masked_vector_is_pending_and_comes_once_when_unmasked),
		TEST(P14_the_function_mask_holds_all_vectors_back),
		TEST(P14_disable_and_enable_loses_nothing),
		TEST(P14_retargeting_goes_to_the_new_place),
		TEST(P14_a_storm_of_masks_makes_no_call_without_a_change_and_leaks_nothing),
		TEST(P8_without_bus_master_there_is_no_message),
		TEST(P15_nothing_comes_before_a_vector_is_programmed),
		TEST(P18_too_many_vectors_are_an_error_of_the_configuration),
		TEST(the_table_can_be_reached_only_with_decode_on),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
