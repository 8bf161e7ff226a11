/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables as bytes, found as a kernel finds them. Which compiler made AML is not part of the
 * machine: iasl's version, and with it the checksum of such a table, are shown as zeros.
 */
#include <string.h>

#include "acpi/acpi.h"
#include "dump.h"
#include "fake_internal.h"

#define RSDP_BYTES       36u
#define RSDP_XSDT        24u
#define HEADER_BYTES     36u
#define HEADER_LENGTH    4u
#define HEADER_CHECKSUM  9u
#define HEADER_CREATOR   28u
#define HEADER_REVISION  32u
#define FADT_X_DSDT      140u
#define TABLE_BYTES_MAX  65536u
#define RESET_VECTOR_GPA (ACPI_AREA_BASE + ACPI_AREA_BYTES - ACPI_RESET_VECTOR_BYTES)

static const uint8_t *ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	const uint8_t *at = fake_ram(host, gpa, bytes);

	if (!at)
		fake_fail("no RAM at %#llx", (unsigned long long)gpa);
	return at;
}

static uint64_t number(const uint8_t *at, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static const char *sum_of(const uint8_t *bytes, uint64_t count)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum ? "WRONG CHECKSUM" : "checksum good";
}

static void show_table(FILE *out, struct fake_host *host, uint64_t gpa)
{
	const uint8_t *table = ram(host, gpa, HEADER_BYTES);
	uint64_t length = number(table + HEADER_LENGTH, 4);
	uint8_t copy[TABLE_BYTES_MAX];

	if (length < HEADER_BYTES || length > sizeof(copy))
		fake_fail("ACPI table of %llu bytes", (unsigned long long)length);
	memcpy(copy, ram(host, gpa, length), length);
	fprintf(out, "\n%.4s at %#llx, %llu bytes, %s\n", (const char *)copy,
		(unsigned long long)gpa, (unsigned long long)length, sum_of(copy, length));
	if (!memcmp(copy + HEADER_CREATOR, "INTL", 4)) {
		memset(copy + HEADER_REVISION, 0, 4);
		copy[HEADER_CHECKSUM] = 0;
	}
	dump_bytes(out, copy, length);
}

void dump_acpi(FILE *out, struct fake_host *host)
{
	const uint8_t *rsdp = ram(host, ACPI_AREA_BASE, RSDP_BYTES);
	uint64_t xsdt = number(rsdp + RSDP_XSDT, 8);
	uint64_t bytes = number(ram(host, xsdt, HEADER_BYTES) + HEADER_LENGTH, 4);

	fprintf(out, "RSDP at %#x, %u bytes, %s\n", ACPI_AREA_BASE, RSDP_BYTES,
		sum_of(rsdp, RSDP_BYTES));
	dump_bytes(out, rsdp, RSDP_BYTES);
	show_table(out, host, xsdt);
	for (uint64_t at = HEADER_BYTES; at + 8 <= bytes; at += 8) {
		uint64_t table = number(ram(host, xsdt + at, 8), 8);

		show_table(out, host, table);
		if (!memcmp(ram(host, table, 4), "FACP", 4))
			show_table(out, host, number(ram(host, table + FADT_X_DSDT, 8), 8));
	}
	fprintf(out, "\nreset vector at %#x\n", RESET_VECTOR_GPA);
	dump_bytes(
		out, ram(host, RESET_VECTOR_GPA, ACPI_RESET_VECTOR_BYTES), ACPI_RESET_VECTOR_BYTES);
}
