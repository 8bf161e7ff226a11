/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices contribute to the ACPI tables: checked, copied and patched here, put into guest
 * memory by build.c.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "acpi/state.h"

#define PORT_MAX 0xffffu
#define BOOT_KNOWN                                                                                 \
	(VMM_ACPI_BOOT_LEGACY | VMM_ACPI_BOOT_8042 | VMM_ACPI_BOOT_VGA | VMM_ACPI_BOOT_RTC)

int acpi_create(struct acpi **ret_acpi)
{
	struct acpi *acpi = calloc(1, sizeof(*acpi));

	if (!acpi)
		return VMM_E_NOMEM;
	*ret_acpi = acpi;
	return 0;
}

void acpi_destroy(struct acpi *acpi)
{
	if (!acpi)
		return;
	for (uint32_t i = 0; i < acpi->table_count; i++)
		free(acpi->tables[i].bytes);
	free(acpi);
}

void acpi_checksum(void *table, uint32_t length, uint32_t at)
{
	uint8_t *bytes = table;
	uint8_t sum = 0;

	bytes[at] = 0;
	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	bytes[at] = (uint8_t)-sum;
}

static int check_table(const void *table, uint64_t bytes, struct vmm_error *error)
{
	static const char *const ours[] = {"RSDT", "XSDT", "DSDT", "FACP", "FACS", "APIC"};
	char signature[5] = {0};

	if (bytes < sizeof(struct acpi_header) || bytes > ACPI_AREA_BYTES) {
		vmm_set_error(error, "an ACPI table of %llu bytes; it can have %zu to %u",
			(unsigned long long)bytes, sizeof(struct acpi_header), ACPI_AREA_BYTES);
		return VMM_E_INVAL;
	}
	memcpy(signature, table, 4);
	for (int i = 0; i < 4; i++) {
		const char c = signature[i];

		if ((c < 'A' || c > 'Z') && (c < '0' || c > '9')) {
			vmm_set_error(error, "an ACPI table without a signature");
			return VMM_E_INVAL;
		}
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strcmp(signature, ours[i]) == 0) {
			vmm_set_error(error, "ACPI table %s is made by vmm itself", signature);
			return VMM_E_INVAL;
		}
	}
	return 0;
}

int acpi_add_table(struct acpi *acpi, const void *table, uint64_t bytes,
	const struct vmm_acpi_patch *patches, uint64_t patch_count, struct vmm_error *error)
{
	const uint32_t length = (uint32_t)bytes;
	uint8_t *copy;
	int ret = check_table(table, bytes, error);

	if (ret < 0)
		return ret;
	if (acpi->table_count == ACPI_TABLES_MAX) {
		vmm_set_error(error, "devices add more than %d ACPI tables", ACPI_TABLES_MAX);
		return VMM_E_LIMIT;
	}
	copy = malloc(length);
	if (!copy) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	memcpy(copy, table, length);
	for (uint64_t i = 0; i < patch_count; i++) {
		ret = acpi_patch(copy, length, &patches[i], error);
		if (ret < 0) {
			free(copy);
			return ret;
		}
	}
	acpi->tables[acpi->table_count++] = (struct acpi_table){.bytes = copy, .length = length};
	return 0;
}

/* A request may be longer than we know if what we do not know is zero. */
static int copy_fixed(const struct vmm_acpi_fixed *fixed, struct vmm_acpi_fixed *ret_fixed,
	struct vmm_error *error)
{
	const unsigned char *tail = (const unsigned char *)fixed;

	if (fixed->struct_size < sizeof(*fixed) || fixed->struct_size % 8) {
		vmm_set_error(error, "set_fixed: the struct has %llu bytes, expected %zu",
			(unsigned long long)fixed->struct_size, sizeof(*fixed));
		return VMM_E_INVAL;
	}
	for (uint64_t i = sizeof(*fixed); i < fixed->struct_size; i++) {
		if (tail[i]) {
			vmm_set_error(
				error, "set_fixed: the plugin wants what this vmm does not know");
			return VMM_E_TOO_NEW;
		}
	}
	*ret_fixed = *fixed;
	return 0;
}

static int check_fixed(const struct vmm_acpi_fixed *fixed, struct vmm_error *error)
{
	if (fixed->sleep_control_port > PORT_MAX || fixed->sleep_status_port > PORT_MAX ||
		fixed->reset_port > PORT_MAX || fixed->reset_value > UINT8_MAX) {
		vmm_set_error(error, "set_fixed: a port is above 0xffff or a value above 0xff");
		return VMM_E_INVAL;
	}
	if (!fixed->sleep_control_port != !fixed->sleep_status_port) {
		vmm_set_error(error, "set_fixed: sleep registers come in pairs");
		return VMM_E_INVAL;
	}
	if (fixed->reserved || (fixed->boot_flags & ~BOOT_KNOWN)) {
		vmm_set_error(error, "set_fixed: the plugin wants what this vmm does not know");
		return VMM_E_TOO_NEW;
	}
	return 0;
}

int acpi_set_fixed(struct acpi *acpi, const struct vmm_acpi_fixed *fixed, struct vmm_error *error)
{
	struct vmm_acpi_fixed new, *sum = &acpi->fixed;
	int ret = copy_fixed(fixed, &new, error);

	if (ret < 0)
		return ret;
	ret = check_fixed(&new, error);
	if (ret < 0)
		return ret;
	if ((new.sleep_control_port && sum->sleep_control_port) ||
		(new.reset_port && sum->reset_port)) {
		vmm_set_error(error, "another device has the ACPI %s register already",
			new.reset_port && sum->reset_port ? "reset" : "sleep");
		return VMM_E_EXISTS;
	}
	if (new.sleep_control_port) {
		sum->sleep_control_port = new.sleep_control_port;
		sum->sleep_status_port = new.sleep_status_port;
	}
	if (new.reset_port) {
		sum->reset_port = new.reset_port;
		sum->reset_value = new.reset_value;
	}
	sum->boot_flags |= new.boot_flags;
	return 0;
}
