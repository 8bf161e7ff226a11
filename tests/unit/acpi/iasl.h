/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges ACPI tables by iasl's disassembler. For tests.
 */
#ifndef TESTS_UNIT_ACPI_IASL_H
#define TESTS_UNIT_ACPI_IASL_H

#include <stdint.h>

/**
 * Disassembles a table and returns what iasl wrote of it (free() it), or NULL if iasl complained.
 * name is for the files it leaves in the build tree.
 */
char *iasl_disassemble(const char *name, const void *table, uint32_t bytes);

#endif
