/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables byte by byte, as a guest reads them, and by iasl's judgement.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acpi/acpi.h"
#include "iasl.h"

#define BASE ACPI_AREA_BASE

/* A table with a Name of each size; what iasl makes of Name (VALn, ...). */
static const uint8_t ssdt[] = {'S', 'S', 'D', 'T', 0, 0, 0, 0, 2, 0, 'T', 'E', 'S', 'T', ' ', ' ',
	'T', 'E', 'S', 'T', ' ', ' ', ' ', ' ', 1, 0, 0, 0, 'I', 'N', 'T', 'L', 0x25, 0x09, 0x20,
	0x20,
	/* Name (VALB, 0x42) */ 0x08, 'V', 'A', 'L', 'B', 0x0a, 0x42,
	/* Name (VALW, 0x1234) */ 0x08, 'V', 'A', 'L', 'W', 0x0b, 0x34, 0x12,
	/* Name (\VALD, 0x12345678) */ 0x08, '\\', 'V', 'A', 'L', 'D', 0x0c, 0x78, 0x56, 0x34, 0x12,
	/* Name (VALQ, ...) */ 0x08, 'V', 'A', 'L', 'Q', 0x0e, 1, 2, 3, 4, 5, 6, 7, 8,
	/* Device (DEVX) { Name (_UID, Zero) } */ 0x5b, 0x82, 0x0b, 'D', 'E', 'V', 'X', 0x08, '_',
	'U', 'I', 'D', 0x00};

static const struct acpi_machine machine = {
	.vcpus = 2, .lapic_base = 0xfee00000, .ioapic_base = 0xfec00000, .timer_gsi = 2};

static char text[256];
static struct vmm_error error = {
	.struct_size = sizeof(error), .text = text, .text_bytes = sizeof(text)};
static uint8_t area[ACPI_AREA_BYTES];

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static uint8_t sum(const uint8_t *at, uint64_t bytes)
{
	uint8_t total = 0;

	while (bytes--)
		total = (uint8_t)(total + *at++);
	return total;
}

static const uint8_t *at_gpa(uint64_t gpa)
{
	assert_in_range(gpa, BASE, BASE + sizeof(area) - 36);
	return area + (gpa - BASE);
}

/* The n-th table of that signature that a guest finds by RSDP and XSDT. */
static const uint8_t *find_nth(const char *signature, int n)
{
	const uint8_t *xsdt = at_gpa(get(area + 24, 8));

	assert_memory_equal(xsdt, "XSDT", 4);
	for (uint64_t i = 36; i < get(xsdt + 4, 4); i += 8) {
		const uint8_t *table = at_gpa(get(xsdt + i, 8));

		assert_int_equal((uintptr_t)(table - area) % 16, 0);
		if (memcmp(table, signature, 4) == 0 && n-- == 0)
			return table;
	}
	return NULL;
}

static const uint8_t *find(const char *signature)
{
	const uint8_t *table;

	if (strcmp(signature, "DSDT") == 0)
		return at_gpa(get(find("FACP") + 140, 8));
	if (strcmp(signature, "XSDT") == 0)
		return at_gpa(get(area + 24, 8));
	table = find_nth(signature, 0);
	assert_non_null(table);
	return table;
}

static int set_up(void **state)
{
	text[0] = '\0';
	return acpi_create((struct acpi **)state);
}

static int tear_down(void **state)
{
	acpi_destroy(*state);
	return 0;
}

static void build(struct acpi *acpi, const struct acpi_machine *with)
{
	memset(area, 0xa5, sizeof(area));
	assert_int_equal(acpi_build(acpi, with, (vmm_gpa){BASE}, area, sizeof(area), &error), 0);
}

static void set_fixed(struct acpi *acpi)
{
	const struct vmm_acpi_fixed fixed = {.struct_size = sizeof(fixed),
		.sleep_control_port = 0x600,
		.sleep_status_port = 0x601,
		.reset_port = 0x602,
		.reset_value = 0x42,
		.boot_flags = VMM_ACPI_BOOT_RTC};

	assert_int_equal(acpi_set_fixed(acpi, &fixed, &error), 0);
}

static int add(struct acpi *acpi, const char *name, uint32_t kind, uint64_t value)
{
	struct vmm_acpi_patch patch = {.kind = kind, .value = value};

	memcpy(patch.name, name, sizeof(patch.name));
	return acpi_add_table(acpi, ssdt, sizeof(ssdt), &patch, 1, &error);
}

static void rsdp_is_at_the_start_with_both_checksums(void **state)
{
	build(*state, &machine);
	assert_memory_equal(area, "RSD PTR ", 8);
	assert_int_equal(sum(area, 20), 0);
	assert_int_equal(sum(area, 36), 0);
	assert_memory_equal(area + 9, "VMM   ", 6);
	assert_int_equal(area[15], 2);
	assert_int_equal(get(area + 16, 4), 0);
	assert_int_equal(get(area + 20, 4), 36);
	assert_int_equal(sum(find("FACP"), 276), 0);
}

static void what_no_table_uses_is_zero(void **state)
{
	build(*state, &machine);
	for (size_t i = 0x1000; i < sizeof(area) - 16; i++)
		assert_int_equal(area[i], 0);
}

static void fadt_describes_a_hardware_reduced_machine(void **state)
{
	const uint8_t *fadt;

	set_fixed(*state);
	build(*state, &machine);
	fadt = find("FACP");
	assert_int_equal(get(fadt + 4, 4), 276);
	assert_int_equal(fadt[8], 6);
	assert_int_equal(fadt[131], 3);
	/* HW_REDUCED, RESET_REG_SUP, no fixed RTC wake, buttons as devices, C1, WBINVD */
	assert_int_equal(get(fadt + 112, 4), 0x100475);
	assert_int_equal(get(fadt + 116, 4), 0x01000801);
	assert_int_equal(get(fadt + 120, 8), 0x602);
	assert_int_equal(fadt[128], 0x42);
	assert_int_equal(get(fadt + 244, 4), 0x01000801);
	assert_int_equal(get(fadt + 248, 8), 0x600);
	assert_int_equal(get(fadt + 256, 4), 0x01000801);
	assert_int_equal(get(fadt + 260, 8), 0x601);
	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
	/* No fixed hardware at all. */
	assert_int_equal(sum(fadt + 45, 109 - 45), 0);
	for (int i = 148; i < 244; i++)
		assert_int_equal(fadt[i], 0);
}

static void fadt_without_contributions_has_no_registers(void **state)
{
	const uint8_t *fadt;

	build(*state, &machine);
	fadt = find("FACP");
	assert_int_equal(get(fadt + 112, 4), 0x100075);
	for (int i = 116; i < 129; i++)
		assert_int_equal(fadt[i], 0);
	for (int i = 244; i < 268; i++)
		assert_int_equal(fadt[i], 0);
}

static void boot_flags_say_what_is_not_there(void **state)
{
	const struct vmm_acpi_fixed keyboard = {.struct_size = sizeof(keyboard),
		.boot_flags = VMM_ACPI_BOOT_8042 | VMM_ACPI_BOOT_LEGACY};
	const struct vmm_acpi_fixed display = {
		.struct_size = sizeof(display), .boot_flags = VMM_ACPI_BOOT_VGA};

	build(*state, &machine);
	assert_int_equal(get(find("FACP") + 109, 2), 0x24); /* no VGA, no RTC, no 8042 */
	set_fixed(*state);
	build(*state, &machine);
	assert_int_equal(get(find("FACP") + 109, 2), 0x04);
	assert_int_equal(acpi_set_fixed(*state, &keyboard, &error), 0);
	assert_int_equal(acpi_set_fixed(*state, &display, &error), 0);
	build(*state, &machine);
	assert_int_equal(get(find("FACP") + 109, 2), 0x03);
}

static void madt_lists_vcpus_ioapic_override_and_nmi(void **state)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,                    /* vCPU 0 */
		0, 8, 1, 1, 1, 0, 0, 0,                    /* vCPU 1 */
		1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, /* I/O APIC */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,             /* ISA 0 is GSI 2 */
		4, 6, 0xff, 0, 0, 1,                       /* NMI on LINT1 of all */
	};
	const uint8_t *madt;

	build(*state, &machine);
	madt = find("APIC");
	assert_int_equal(get(madt + 4, 4), 44 + sizeof(entries));
	assert_int_equal(sum(madt, 44 + sizeof(entries)), 0);
	assert_int_equal(get(madt + 36, 4), 0xfee00000);
	assert_int_equal(get(madt + 40, 4), 1);
	assert_memory_equal(madt + 44, entries, sizeof(entries));
}

static void madt_leaves_the_override_out_when_the_timer_is_on_gsi_0(void **state)
{
	struct acpi_machine direct = machine;

	direct.timer_gsi = 0;
	build(*state, &direct);
	assert_int_equal(get(find("APIC") + 4, 4), 44 + 8 + 8 + 12 + 6);
}

static void vcpus_from_255_on_are_x2apic_entries(void **state)
{
	struct acpi_machine large = machine;
	const uint8_t *madt, *at;

	large.vcpus = 255;
	build(*state, &large);
	assert_int_equal(get(find("APIC") + 4, 4), 44 + 255 * 8 + 12 + 10 + 6);
	large.vcpus = 257;
	build(*state, &large);
	madt = find("APIC");
	assert_int_equal(get(madt + 4, 4), 44 + 255 * 8 + 2 * 16 + 12 + 10 + 6 + 12);
	at = madt + 44 + 255 * 8;
	assert_int_equal(get(at, 4), 0x1009);
	assert_int_equal(get(at + 4, 4), 255);
	assert_int_equal(get(at + 8, 4), 1);
	assert_int_equal(get(at + 12, 4), 255);
	at = madt + get(madt + 4, 4) - 12;
	assert_int_equal(get(at, 8), 0xffffffff00000c0aull);
	assert_int_equal(at[8], 1);
}

static void values_are_patched_in_each_width(void **state)
{
	static const struct vmm_acpi_patch patches[] = {
		{.name = {'V', 'A', 'L', 'W'}, .kind = VMM_ACPI_PATCH_VALUE, .value = 0xffff},
		{.name = {'V', 'A', 'L', 'D'}, .kind = VMM_ACPI_PATCH_VALUE, .value = 0xdeadbeef},
		{.name = {'V', 'A', 'L', 'Q'},
			.kind = VMM_ACPI_PATCH_VALUE,
			.value = UINT64_MAX - 1},
		{.name = {'D', 'E', 'V', 'X'}, .kind = VMM_ACPI_PATCH_NAME, .value = 0x33564544},
	};
	uint8_t expected[sizeof(ssdt)];
	const uint8_t *table;

	memcpy(expected, ssdt, sizeof(ssdt));
	memcpy(expected + 49, "\xff\xff", 2);
	memcpy(expected + 58, "\xef\xbe\xad\xde", 4);
	memcpy(expected + 68, "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
	memcpy(expected + 79, "DEV3", 4);
	assert_int_equal(acpi_add_table(*state, ssdt, sizeof(ssdt), patches, 4, &error), 0);
	build(*state, &machine);
	table = find("SSDT");
	assert_int_equal(get(table + 4, 4), sizeof(ssdt));
	assert_int_equal(sum(table, sizeof(ssdt)), 0);
	assert_memory_equal(table + 10, expected + 10, sizeof(ssdt) - 10);
}

static void patches_that_do_not_apply_are_refused(void **state)
{
	const uint32_t value = VMM_ACPI_PATCH_VALUE, name = VMM_ACPI_PATCH_NAME;

	assert_int_equal(add(*state, "VALX", value, 1), VMM_E_INVAL);
	assert_string_equal(text, "ACPI table SSDT has no Name (VALX, <integer>) to patch");
	assert_int_equal(add(*state, "VALB", value, 1), VMM_E_INVAL);
	assert_non_null(strstr(text, "compiled to 2, 4 or 8 bytes"));
	assert_int_equal(add(*state, "_UID", value, 1), VMM_E_INVAL);
	assert_non_null(strstr(text, "compiled to 2, 4 or 8 bytes"));
	assert_int_equal(add(*state, "VALW", value, 0x10000), VMM_E_RANGE);
	assert_non_null(strstr(text, "0x10000 does not fit into the 2 bytes"));
	assert_int_equal(add(*state, "VALD", value, 0x100000000), VMM_E_RANGE);
	assert_int_equal(add(*state, "DEVY", name, 0x33564544), VMM_E_INVAL);
	assert_non_null(strstr(text, "has no name DEVY"));
	assert_int_equal(add(*state, "DEVX", name, 0x33564534), VMM_E_INVAL); /* "4EV3" */
	assert_int_equal(add(*state, "DEVX", name, 0x6456564544), VMM_E_INVAL);
	assert_int_equal(add(*state, "devx", name, 0x33564544), VMM_E_INVAL);
	assert_int_equal(add(*state, "DEVX", 1, 0x33564544), VMM_E_INVAL);
	assert_non_null(strstr(text, "unknown kind 1"));
	/* The header is not a place for names. */
	assert_int_equal(add(*state, "TEST", name, 0x33564544), VMM_E_INVAL);
	build(*state, &machine);
	assert_null(find_nth("SSDT", 0));
}

static void a_name_that_the_table_ends_in_is_not_read_past(void **state)
{
	static const struct vmm_acpi_patch patch = {
		.name = {'V', 'A', 'L', 'Q'}, .kind = VMM_ACPI_PATCH_VALUE, .value = 1};

	for (uint64_t bytes = 36; bytes < sizeof(ssdt) - 13; bytes++) {
		uint8_t *cut = malloc(bytes); /* its own block: a sanitizer sees its end */

		assert_non_null(cut);
		memcpy(cut, ssdt, bytes);
		assert_int_equal(
			acpi_add_table(*state, cut, bytes, &patch, 1, &error), VMM_E_INVAL);
		free(cut);
	}
}

static void what_is_no_table_is_refused(void **state)
{
	uint8_t table[sizeof(ssdt)];

	memcpy(table, ssdt, sizeof(ssdt));
	assert_int_equal(acpi_add_table(*state, table, 35, NULL, 0, &error), VMM_E_INVAL);
	assert_int_equal(
		acpi_add_table(*state, table, ACPI_AREA_BYTES + 1, NULL, 0, &error), VMM_E_INVAL);
	table[0] = 's';
	assert_int_equal(
		acpi_add_table(*state, table, sizeof(table), NULL, 0, &error), VMM_E_INVAL);
	memcpy(table, "FACP", 4);
	assert_int_equal(
		acpi_add_table(*state, table, sizeof(table), NULL, 0, &error), VMM_E_INVAL);
	assert_string_equal(text, "ACPI table FACP is made by vmm itself");
}

static void tables_are_limited_in_number(void **state)
{
	for (int i = 0; i < ACPI_TABLES_MAX; i++)
		assert_int_equal(acpi_add_table(*state, ssdt, sizeof(ssdt), NULL, 0, &error), 0);
	assert_int_equal(acpi_add_table(*state, ssdt, sizeof(ssdt), NULL, 0, &error), VMM_E_LIMIT);
	build(*state, &machine);
	assert_non_null(find_nth("SSDT", ACPI_TABLES_MAX - 1));
}

static void tables_that_do_not_fit_are_an_error_at_every_size(void **state)
{
	uint64_t used;

	set_fixed(*state);
	assert_int_equal(acpi_add_table(*state, ssdt, sizeof(ssdt), NULL, 0, &error), 0);
	build(*state, &machine);
	used = get(area + 24, 8) - BASE + get(at_gpa(get(area + 24, 8)) + 4, 4) + 16;
	for (uint64_t bytes = 0; bytes < used; bytes++) {
		uint8_t *buffer = malloc(bytes + 1);

		assert_non_null(buffer);
		assert_int_equal(
			acpi_build(*state, &machine, (vmm_gpa){BASE}, buffer, bytes, &error),
			VMM_E_LIMIT);
		free(buffer);
	}
	assert_int_equal(acpi_build(*state, &machine, (vmm_gpa){BASE}, area, used, &error), 0);
}

static void the_reset_vector_writes_the_reset_register(void **state)
{
	static const uint8_t none[16] = {0xfa, 0xf4, 0xeb, 0xfd};
	static const uint8_t code[16] = {
		0xba, 0x02, 0x06, 0xb0, 0x42, 0xee, 0xfa, 0xf4, 0xeb, 0xfd};

	build(*state, &machine);
	assert_memory_equal(area + sizeof(area) - 16, none, 16);
	set_fixed(*state);
	build(*state, &machine);
	assert_memory_equal(area + sizeof(area) - 16, code, 16);
	assert_int_equal(BASE + sizeof(area) - 16, 0xffff0);
}

static void fixed_registers_are_set_once(void **state)
{
	struct vmm_acpi_fixed fixed = {.struct_size = sizeof(fixed), .reset_port = 0x700};

	set_fixed(*state);
	assert_int_equal(acpi_set_fixed(*state, &fixed, &error), VMM_E_EXISTS);
	assert_string_equal(text, "another device has the ACPI reset register already");
	fixed = (struct vmm_acpi_fixed){.struct_size = sizeof(fixed),
		.sleep_control_port = 0x700,
		.sleep_status_port = 0x701};
	assert_int_equal(acpi_set_fixed(*state, &fixed, &error), VMM_E_EXISTS);
	assert_string_equal(text, "another device has the ACPI sleep register already");
	build(*state, &machine);
	assert_int_equal(get(find("FACP") + 120, 8), 0x602);
}

static void wrong_fixed_requests_are_refused(void **state)
{
	struct {
		struct vmm_acpi_fixed fixed;
		uint64_t tail;
	} request = {.fixed = {.struct_size = 24}};

	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_INVAL);
	request.fixed.struct_size = sizeof(request);
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), 0);
	request.tail = 1;
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_TOO_NEW);
	request.tail = 0;
	request.fixed.reset_port = 0x10000;
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_INVAL);
	request.fixed.reset_port = 0;
	request.fixed.sleep_control_port = 0x600;
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_INVAL);
	request.fixed.sleep_control_port = 0;
	request.fixed.boot_flags = 0x40;
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_TOO_NEW);
	request.fixed.boot_flags = 0;
	request.fixed.reserved = 1;
	assert_int_equal(acpi_set_fixed(*state, &request.fixed, &error), VMM_E_TOO_NEW);
}

static void judge(const char *signature, const char *expected)
{
	const uint8_t *table = find(signature);
	uint32_t bytes = (uint32_t)get(table + 4, 4);
	char *dsl = iasl_disassemble(signature, table, bytes);

	assert_non_null(dsl);
	if (!strstr(dsl, expected))
		fail_msg("iasl -d of %s has no \"%s\":\n%s", signature, expected, dsl);
	free(dsl);
}

static void iasl_finds_nothing_wrong(void **state)
{
	struct acpi_machine large = machine;

	large.vcpus = 300;
	set_fixed(*state);
	assert_int_equal(add(*state, "VALD", VMM_ACPI_PATCH_VALUE, 0xcafe), 0);
	build(*state, &large);
	judge("FACP", "Hardware Reduced (V5) : 1");
	judge("FACP", "CMOS RTC Not Present (V5) : 0");
	judge("FACP", "8042 Present on ports 60/64 (V2) : 0");
	judge("APIC", "[Local x2APIC NMI]");
	judge("XSDT", "ACPI Table Address   2");
	judge("DSDT", "PNP0C02");
	judge("SSDT", "0x0000CAFE");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsdp_is_at_the_start_with_both_checksums),
		TEST(what_no_table_uses_is_zero),
		TEST(fadt_describes_a_hardware_reduced_machine),
		TEST(fadt_without_contributions_has_no_registers),
		TEST(boot_flags_say_what_is_not_there),
		TEST(madt_lists_vcpus_ioapic_override_and_nmi),
		TEST(madt_leaves_the_override_out_when_the_timer_is_on_gsi_0),
		TEST(vcpus_from_255_on_are_x2apic_entries),
		TEST(values_are_patched_in_each_width),
		TEST(patches_that_do_not_apply_are_refused),
		TEST(a_name_that_the_table_ends_in_is_not_read_past),
		TEST(what_is_no_table_is_refused),
		TEST(tables_are_limited_in_number),
		TEST(tables_that_do_not_fit_are_an_error_at_every_size),
		TEST(the_reset_vector_writes_the_reset_register),
		TEST(fixed_registers_are_set_once),
		TEST(wrong_fixed_requests_are_refused),
		TEST(iasl_finds_nothing_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
