/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: what devices contribute to the ACPI tables, and the tables that are made of it. What
 * was taken is found in the area by the way that a guest takes, with checksums that are right.
 */
#include <stdbool.h>

#include <vmm/support.h>

#include "acpi/acpi.h"
#include "acpi/layout.h"
#include "fuzz.h"

/* Less than in a machine, so that it can be too little. */
#define AREA_BYTES 0x8000u

static uint8_t area[AREA_BYTES];

static uint8_t sum(const uint8_t *at, size_t bytes)
{
	uint8_t total = 0;

	while (bytes--)
		total = (uint8_t)(total + *at++);
	return total;
}

static uint64_t number(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

/* A table at a guest address lies in the area. */
static const uint8_t *check_table(uint64_t gpa)
{
	const uint8_t *table = area + (gpa - ACPI_AREA_BASE);
	uint64_t length;

	FUZZ_CHECK(gpa >= ACPI_AREA_BASE && gpa - ACPI_AREA_BASE <= AREA_BYTES - 36);
	length = number(table + 4, 4);
	FUZZ_CHECK(length >= 36 && length <= AREA_BYTES - (gpa - ACPI_AREA_BASE));
	FUZZ_CHECK(sum(table, length) == 0);
	return table;
}

static void check_area(uint32_t contributed)
{
	const uint8_t *xsdt;
	uint64_t count;

	FUZZ_CHECK(!memcmp(area, "RSD PTR ", 8) && !sum(area, 20) && !sum(area, 36));
	xsdt = check_table(number(area + 24, 8));
	count = (number(xsdt + 4, 4) - 36) / 8;
	FUZZ_CHECK(count == contributed + 2); /* FADT and MADT */
	for (uint64_t i = 0; i < count; i++)
		check_table(number(xsdt + 36 + i * 8, 8));
}

/* A table with a header that is right, or anything. */
static int add_table(struct acpi *acpi, struct fuzz_input *in, struct vmm_error *error)
{
	static const char *const names[] = {"BASE", "_UID", "XXXX", "A1_Z"};
	uint8_t how = fuzz_u8(in);
	struct vmm_acpi_patch patches[4] = {0};
	size_t bytes;
	const uint8_t *content = fuzz_some(in, &bytes);
	size_t header = how & 0x80 ? 0 : 36;
	uint8_t *copy;
	int ret;

	for (uint32_t i = 0; i < (how & 3u); i++) {
		uint8_t kind = fuzz_u8(in);

		memcpy(patches[i].name, names[kind & 3], 4);
		if (kind & 0x80)
			fuzz_bytes(in, patches[i].name, 4);
		patches[i].kind = kind & 0x40 ? fuzz_u8(in)
				  : kind & 4  ? VMM_ACPI_PATCH_NAME
					      : VMM_ACPI_PATCH_VALUE;
		patches[i].value = kind & 8 ? number((const uint8_t *)names[kind >> 4 & 3], 4)
					    : fuzz_number(in);
	}
	/* In memory of its own size. */
	copy = malloc(header + bytes + !(header + bytes));
	if (!copy)
		abort();
	if (header) {
		memset(copy, 0, header);
		memcpy(copy, how & 0x40 ? "APIC" : "SSDT", 4);
	}
	if (bytes)
		memcpy(copy + header, content, bytes);
	ret = acpi_add_table(acpi, copy, header + bytes, patches, how & 3, error);
	free(copy);
	return ret;
}

static int set_fixed(struct acpi *acpi, struct fuzz_input *in, struct vmm_error *error)
{
	uint8_t how = fuzz_u8(in);
	struct vmm_acpi_fixed fixed = {
		.struct_size = sizeof(fixed),
		.sleep_control_port = how & 1 ? (uint32_t)fuzz_number(in) : 0,
		.sleep_status_port = how & 2 ? (uint32_t)fuzz_number(in) : 0,
		.reset_port = how & 4 ? (uint32_t)fuzz_number(in) : 0,
		.reset_value = how & 8 ? fuzz_u16(in) : 0,
		.boot_flags = how & 16 ? fuzz_u8(in) : 0,
		.reserved = how == 0xff,
	};
	static const uint8_t sizes[] = {
		sizeof(fixed) - 8, sizeof(fixed) + 4, sizeof(fixed) + 8, sizeof(fixed) + 16};
	uint64_t size = how & 32 ? sizes[how >> 6] : sizeof(fixed);
	uint8_t *copy = calloc(1, size);
	int ret;

	if (!copy)
		abort();
	memcpy(copy, &fixed, size < sizeof(fixed) ? size : sizeof(fixed));
	memcpy(copy, &size, sizeof(size));
	if (size > sizeof(fixed))
		copy[size - 1] = how == 0xe0;
	ret = acpi_set_fixed(acpi, (const struct vmm_acpi_fixed *)(const void *)copy, error);
	FUZZ_CHECK(ret || (size >= sizeof(fixed) && size % 8 == 0));
	free(copy);
	return ret;
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	uint8_t how = fuzz_u8(&in);
	const struct acpi_machine machine = {
		.vcpus = 1u + how % 64,
		.lapic_base = 0xfee00000,
		.ioapic_base = 0xfec00000,
		.timer_gsi = how & 0x40 ? 2 : 0,
	};
	struct acpi *acpi = NULL;
	uint32_t tables = 0;
	int ret;

	if (acpi_create(&acpi))
		abort();
	while (in.left) {
		char text[512] = "";
		struct vmm_error error = {sizeof(error), text, sizeof(text)};
		int fixed = fuzz_u8(&in) & 1;

		ret = fixed ? set_fixed(acpi, &in, &error) : add_table(acpi, &in, &error);
		FUZZ_CHECK(ret <= 0 && !ret == !text[0]);
		tables += !fixed && !ret;
	}
	FUZZ_CHECK(tables <= ACPI_TABLES_MAX);
	ret = acpi_build(acpi, &machine, (vmm_gpa){ACPI_AREA_BASE}, area, sizeof(area), NULL);
	FUZZ_CHECK(ret == 0 || ret == VMM_E_LIMIT);
	if (!ret)
		check_area(tables);
	acpi_destroy(acpi);
	return 0;
}
