/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt pins: swizzle, sharing, disable bit, status (row P16).
 */
#include "pci_rig.h"

static struct rig rig;
static struct rig_function a, b;

static int setup(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	a.intx = 1;
	a.slot = 2;
	a.vectors = 1;
	b = a;
	b.slot = 6;
	rig_up(&rig, NULL);
	rig_add(&rig, &a);
	rig_add(&rig, &b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_remove(&a);
	rig_remove(&b);
	rig_down(&rig);
	return 0;
}

static void pin(struct rig_function *function, uint32_t level)
{
	assert_int_equal(rig.bus->intx_set(rig.object, function->handle, level), 0);
}

static uint32_t status(const struct rig_function *function)
{
	return fake_pci_read(&function->pci, FAKE_PCI_STATUS, 2) & 8;
}

static void slots_take_the_lines_in_turn(void **state)
{
	uint32_t slot;

	(void)state;
	for (slot = 8; slot < 16; slot++) {
		struct rig_function function = {.slot = slot, .intx = 1};

		rig_add(&rig, &function);
		assert_int_equal(fake_pci_read(&function.pci, 0x3d, 1), 1);
		assert_int_equal(fake_pci_read(&function.pci, 0x3c, 1), 16 + slot % 4);
		pin(&function, 1);
		assert_int_equal(fake_line_level(rig.host, 16 + slot % 4), 1);
		rig_remove(&function);
		assert_int_equal(fake_line_level(rig.host, 16 + slot % 4), 0);
	}
}

static void P16_a_shared_line_is_up_while_one_pin_is(void **state)
{
	(void)state;
	pin(&a, 1);
	pin(&b, 1);
	assert_int_equal(fake_line_rises(rig.host, 18), 1);
	pin(&a, 0);
	assert_int_equal(fake_line_level(rig.host, 18), 1);
	fake_line_eoi(rig.host, 18);
	assert_int_equal(fake_line_level(rig.host, 18), 1);
	pin(&b, 0);
	assert_int_equal(fake_line_level(rig.host, 18), 0);
}

static void P16_a_pin_that_is_never_served_costs_nothing(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++)
		pin(&a, 1);
	assert_int_equal(fake_line_rises(rig.host, 18), 1);
	assert_int_equal(fake_run_once(rig.host, 0), 0);
}

static void the_disable_bit_holds_the_line_down_but_shows_the_status(void **state)
{
	(void)state;
	pin(&a, 1);
	fake_pci_command(&a.pci, FAKE_PCI_CMD_INTX_OFF, 1);
	assert_int_equal(fake_line_level(rig.host, 18), 0);
	assert_int_equal(status(&a), 8);
	assert_int_equal(status(&b), 0);
	fake_pci_command(&a.pci, FAKE_PCI_CMD_INTX_OFF, 0);
	assert_int_equal(fake_line_level(rig.host, 18), 1);
	pin(&a, 0);
	assert_int_equal(status(&a), 0);
}

static void a_function_that_uses_msix_does_not_use_its_pin(void **state)
{
	(void)state;
	pin(&a, 1);
	fake_msix_enable(&a.pci, 1);
	assert_int_equal(fake_line_level(rig.host, 18), 0);
	fake_msix_enable(&a.pci, 0);
	assert_int_equal(fake_line_level(rig.host, 18), 1);
}

static void a_function_without_a_pin_has_none_to_set(void **state)
{
	struct rig_function function = {.slot = 0};

	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(fake_pci_read(&function.pci, 0x3d, 1), 0);
	assert_int_equal(rig.bus->intx_set(rig.object, function.handle, 1), VMM_E_INVAL);
	rig_remove(&function);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(slots_take_the_lines_in_turn),
		TEST(P16_a_shared_line_is_up_while_one_pin_is),
		TEST(P16_a_pin_that_is_never_served_costs_nothing),
		TEST(the_disable_bit_holds_the_line_down_but_shows_the_status),
		TEST(a_function_that_uses_msix_does_not_use_its_pin),
		TEST(a_function_without_a_pin_has_none_to_set),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
