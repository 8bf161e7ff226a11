/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bus adds to ACPI. The meaning of the AML is checked by the guest tests.
 */
#include "pci_rig.h"

static struct rig rig;

static uint64_t number(const uint8_t *at, uint32_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

/* The integer behind Name (NAME, ...) in the AML. */
static uint64_t named(const uint8_t *table, uint64_t bytes, const char *name)
{
	uint64_t i;

	for (i = 36; i + 13 < bytes; i++)
		if (table[i] == 0x08 && memcmp(table + i + 1, name, 4) == 0)
			return number(table + i + 6, table[i + 5] == 0x0e ? 8 : 4);
	fail_msg("no Name (%s) in the table", name);
	return 0;
}

static void mcfg_names_the_ecam(void **state)
{
	const uint8_t *mcfg;
	uint64_t bytes, i;
	uint8_t sum = 0;

	(void)state;
	rig_up(&rig, NULL);
	mcfg = fake_acpi_table(rig.host, "MCFG", 0, &bytes);
	assert_non_null(mcfg);
	assert_int_equal(bytes, 60);
	assert_int_equal(number(mcfg + 4, 4), 60);
	assert_int_equal(number(mcfg + 44, 8), 0xe0000000);
	assert_int_equal(number(mcfg + 52, 8), 0); /* segment 0, bus 0 to 0 */
	for (i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + mcfg[i]);
	assert_int_equal(sum, 0);
	rig_down(&rig);
}

static void the_ssdt_carries_the_layout_of_the_machine(void **state)
{
	struct vmm_layout layout;
	struct fake_config config = {.layout = &layout};
	const uint8_t *ssdt;
	uint64_t bytes;

	(void)state;
	fake_layout_default(&layout);
	layout.pci_mmio64_base = 0x4000000000;
	layout.pci_mmio64_bytes = 0x1000000000;
	layout.pci_mmio32_base = 0xb0000000;
	layout.pci_mmio32_bytes = 0x30000000;
	rig_up(&rig, &config);
	ssdt = fake_acpi_table(rig.host, "SSDT", 0, &bytes);
	assert_non_null(ssdt);
	assert_int_equal(named(ssdt, bytes, "M6BA"), 0x4000000000);
	assert_int_equal(named(ssdt, bytes, "M6LE"), 0x1000000000);
	assert_int_equal(named(ssdt, bytes, "M3BA"), 0xb0000000);
	assert_int_equal(named(ssdt, bytes, "M3LE"), 0x30000000);
	assert_int_equal(named(ssdt, bytes, "IOBA"), 0xc000);
	assert_int_equal(named(ssdt, bytes, "IOLE"), 0x4000);
	assert_int_equal(named(ssdt, bytes, "GSIB"), 16);
	assert_int_equal(named(ssdt, bytes, "GSIC"), 4);
	assert_int_equal(named(ssdt, bytes, "ECBA"), 0xe0000000);
	assert_int_equal(named(ssdt, bytes, "ECLE"), 0x100000);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mcfg_names_the_ecam),
		cmocka_unit_test(the_ssdt_carries_the_layout_of_the_machine),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
