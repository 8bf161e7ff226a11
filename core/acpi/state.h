/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices contributed, as contribute.c keeps it and build.c uses it. Internal to core/acpi.
 */
#ifndef ACPI_STATE_H
#define ACPI_STATE_H

#include "acpi/acpi.h"
#include "acpi/layout.h"

struct acpi_table {
	uint8_t *bytes;
	uint32_t length;
};

struct acpi {
	struct acpi_table tables[ACPI_TABLES_MAX]; /* patched; build.c sets length and checksum */
	uint32_t table_count;
	struct vmm_acpi_fixed fixed; /* the sum */
};

/** Sets the checksum byte at `at` so that the sum of all bytes is 0. */
void acpi_checksum(void *table, uint32_t length, uint32_t at);

/** Applies one patch to a table of `length` bytes, behind its header. */
int acpi_patch(uint8_t *table, uint32_t length, const struct vmm_acpi_patch *patch,
	struct vmm_error *error);

#endif
