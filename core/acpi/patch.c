/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes in compiled tables: integers behind Name() and names. It knows just enough of AML (ACPI
 * 6.4, chapter 20) to find these two; it does not parse the table.
 */
#include <stdbool.h>
#include <string.h>

#include <vmm/support.h>

#include "acpi/state.h"

#define AML_NAME  0x08u /* NameOp */
#define AML_WORD  0x0bu
#define AML_DWORD 0x0cu
#define AML_QWORD 0x0eu

#define NAME_BYTES 4u

static bool is_name(const char name[NAME_BYTES])
{
	for (uint32_t i = 0; i < NAME_BYTES; i++) {
		const char c = name[i];

		if (c != '_' && !(c >= 'A' && c <= 'Z') && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return true;
}

/* Width in bytes of the integer that starts with this opcode, 0 if it has none. */
static uint32_t integer_bytes(uint8_t op)
{
	switch (op) {
	case AML_WORD:
		return 2;
	case AML_DWORD:
		return 4;
	case AML_QWORD:
		return 8;
	default:
		return 0;
	}
}

/* If a Name (name, ...) starts at `at`, the offset of what follows the name; else 0. */
static uint32_t match_name(
	const uint8_t *table, uint32_t length, uint32_t at, const char name[NAME_BYTES])
{
	if (table[at++] != AML_NAME)
		return 0;
	while (at < length && (table[at] == '\\' || table[at] == '^'))
		at++;
	if (length - at <= NAME_BYTES || memcmp(table + at, name, NAME_BYTES) != 0)
		return 0;
	return at + NAME_BYTES;
}

static int patch_value(uint8_t *table, uint32_t length, const struct vmm_acpi_patch *patch,
	struct vmm_error *error)
{
	bool found = false;

	for (uint32_t i = sizeof(struct acpi_header); i < length; i++) {
		uint32_t at = match_name(table, length, i, patch->name);
		uint32_t bytes;

		if (!at)
			continue;
		bytes = integer_bytes(table[at++]);
		if (!bytes || length - at < bytes) {
			vmm_set_error(error,
				"ACPI table %.4s: Name (%.4s) is not an integer compiled to 2, 4 "
				"or 8 bytes",
				(const char *)table, patch->name);
			return VMM_E_INVAL;
		}
		if (bytes < 8 && patch->value >> (8 * bytes)) {
			vmm_set_error(error,
				"ACPI table %.4s: %#llx does not fit into the %u bytes of Name "
				"(%.4s)",
				(const char *)table, (unsigned long long)patch->value, bytes,
				patch->name);
			return VMM_E_RANGE;
		}
		memcpy(table + at, &patch->value, bytes);
		found = true;
	}
	if (found)
		return 0;
	vmm_set_error(error, "ACPI table %.4s has no Name (%.4s, <integer>) to patch",
		(const char *)table, patch->name);
	return VMM_E_INVAL;
}

static int patch_name(uint8_t *table, uint32_t length, const struct vmm_acpi_patch *patch,
	struct vmm_error *error)
{
	char to[NAME_BYTES];
	bool found = false;

	memcpy(to, &patch->value, sizeof(to));
	if (!is_name(to) || patch->value >> 32) {
		vmm_set_error(error,
			"ACPI table %.4s: the new name for %.4s is not 4 capital letters, digits "
			"or '_'",
			(const char *)table, patch->name);
		return VMM_E_INVAL;
	}
	for (uint32_t i = sizeof(struct acpi_header); i + NAME_BYTES <= length; i++) {
		if (memcmp(table + i, patch->name, NAME_BYTES) != 0)
			continue;
		memcpy(table + i, to, NAME_BYTES);
		i += NAME_BYTES - 1;
		found = true;
	}
	if (found)
		return 0;
	vmm_set_error(error, "ACPI table %.4s has no name %.4s to patch", (const char *)table,
		patch->name);
	return VMM_E_INVAL;
}

int acpi_patch(uint8_t *table, uint32_t length, const struct vmm_acpi_patch *patch,
	struct vmm_error *error)
{
	if (!is_name(patch->name)) {
		vmm_set_error(error,
			"ACPI table %.4s: a patch's name is not 4 capital letters, digits or '_'",
			(const char *)table);
		return VMM_E_INVAL;
	}
	switch (patch->kind) {
	case VMM_ACPI_PATCH_VALUE:
		return patch_value(table, length, patch, error);
	case VMM_ACPI_PATCH_NAME:
		return patch_name(table, length, patch, error);
	default:
		vmm_set_error(error, "ACPI table %.4s: patch of unknown kind %u",
			(const char *)table, patch->kind);
		return VMM_E_INVAL;
	}
}
