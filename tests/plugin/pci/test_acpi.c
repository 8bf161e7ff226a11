/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bus adds to ACPI: the bytes of the tables, and what ACPICA's interpreter makes of the
 * methods.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* What acpiexec prints when it executes an object of the SSDT, or several behind "; execute". */
static void execute(const char *object, char *text, size_t bytes)
{
	char path[] = "/tmp/vmm-test-XXXXXX", command[1024];
	const uint8_t *ssdt;
	uint64_t table_bytes;
	size_t got = 0, n;
	int fd = mkstemp(path);
	FILE *pipe;

	ssdt = fake_acpi_table(rig.host, "SSDT", 0, &table_bytes);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, ssdt, table_bytes), table_bytes);
	close(fd);
	snprintf(command, sizeof(command), "%s -b 'execute %s' %s 2>&1", ACPIEXEC, object, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (got < bytes - 1 && (n = fread(text + got, 1, bytes - 1 - got, pipe)) > 0)
		got += n;
	text[got] = 0;
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
}

static uint32_t occurrences(const char *text, const char *part)
{
	uint32_t count = 0;

	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

static char output[65536];

static void crs_has_the_windows(void **state)
{
	(void)state;
	if (!ACPIEXEC[0])
		skip();
	rig_up(&rig, NULL);
	execute("\\_SB.PCI0._CRS; execute \\_SB.ECAM._CRS", output, sizeof(output));
	/* Bus 0 to 0; ports cf8 to cff; then minimum, maximum and length of each window. */
	assert_non_null(strstr(output, "88 0D 00 02 0C 00 00 00 00 00 00 00 00 00 01 00"));
	assert_non_null(strstr(output, "47 01 F8 0C F8 0C 01 08 87 17 00 01 0C 03 00 00"));
	assert_non_null(strstr(output, "00 00 00 C0 00 00 FF FF 00 00 00 00 00 00 00 40"));
	assert_non_null(strstr(output, "00 00 87 17 00 00 0C 01 00 00 00 00 00 00 00 C0"));
	assert_non_null(strstr(output, "FF FF FF DF 00 00 00 00 00 00 00 20 8A 2B 00 00"));
	assert_non_null(strstr(output, "0C 03 00 00 00 00 00 00 00 00 00 00 00 00 08 00"));
	assert_non_null(strstr(output, "00 00 FF FF FF FF 0F 00 00 00 00 00 00 00 00 00"));
	assert_non_null(strstr(output, "86 09 00 01 00 00 00 E0 00 00 10 00 79"));
	rig_down(&rig);
}

static void crs_leaves_out_a_64_bit_window_that_is_not_there(void **state)
{
	struct vmm_layout layout;
	struct fake_config config = {.layout = &layout};

	(void)state;
	if (!ACPIEXEC[0])
		skip();
	fake_layout_default(&layout);
	layout.pci_mmio64_bytes = 0;
	rig_up(&rig, &config);
	execute("\\_SB.PCI0._CRS", output, sizeof(output));
	assert_non_null(strstr(output, "FF FF FF DF 00 00 00 00 00 00 00 20 79"));
	rig_down(&rig);
}

static void prt_routes_every_pin(void **state)
{
	const char *slot_3, *pin_2;

	(void)state;
	if (!ACPIEXEC[0])
		skip();
	rig_up(&rig, NULL);
	execute("\\_SB.PCI0._PRT", output, sizeof(output));
	assert_int_equal(occurrences(output, "[Package] Contains 4 Elements"), 128);
	assert_int_equal(occurrences(output, "= 000000000003FFFF"), 4);
	/* Pin 0 of slot 3 is line 19, where pci_intx.c puts it; pin 2 is line 17. */
	slot_3 = strstr(output, "= 000000000003FFFF");
	assert_non_null(slot_3);
	assert_non_null(strstr(slot_3, "= 0000000000000013"));
	pin_2 = strstr(slot_3, "= 0000000000000002");
	assert_non_null(pin_2);
	assert_int_equal(strncmp(strstr(strstr(pin_2, "\n") + 1, "\n") + 1,
				 "      [Integer] = 0000000000000011", 34),
		0);
	rig_down(&rig);
}

static void osc_grants_the_express_capability_only(void **state)
{
	(void)state;
	if (!ACPIEXEC[0])
		skip();
	rig_up(&rig, NULL);
	/* Everything is asked for; only what is granted is asked for; another UUID. */
	execute("\\_SB.PCI0._OSC (5B4DDB33F71F1C4096577441C03DD766) 1 3 "
		"(000000001f0000001f000000); "
		"execute \\_SB.PCI0._OSC (5B4DDB33F71F1C4096577441C03DD766) 1 3 "
		"(000000001f00000010000000); "
		"execute \\_SB.PCI0._OSC (00000000000000000000000000000000) 1 3 "
		"(000000001f0000001f000000)",
		output, sizeof(output));
	assert_non_null(strstr(output, "10 00 00 00 1F 00 00 00 10 00 00 00"));
	assert_non_null(strstr(output, "00 00 00 00 1F 00 00 00 10 00 00 00"));
	assert_non_null(strstr(output, "04 00 00 00 1F 00 00 00 1F 00 00 00"));
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mcfg_names_the_ecam),
		cmocka_unit_test(the_ssdt_carries_the_layout_of_the_machine),
		cmocka_unit_test(crs_has_the_windows),
		cmocka_unit_test(crs_leaves_out_a_64_bit_window_that_is_not_there),
		cmocka_unit_test(prt_routes_every_pin),
		cmocka_unit_test(osc_grants_the_express_capability_only),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
