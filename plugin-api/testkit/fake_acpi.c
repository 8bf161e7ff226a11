/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.acpi: tables are kept, with their patches applied as the core does it.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

#define HEADER_BYTES    36u
#define LENGTH_OFFSET   4u
#define CHECKSUM_OFFSET 9u
#define AML_NAME_OP     0x08u
#define AML_WORD        0x0bu
#define AML_DWORD       0x0cu
#define AML_QWORD       0x0eu

static uint64_t integer_bytes(uint8_t prefix)
{
	return prefix == AML_WORD ? 2 : prefix == AML_DWORD ? 4 : prefix == AML_QWORD ? 8 : 0;
}

/* How often the patch applied. */
static uint32_t patch_apply(struct fake_table *table, const struct vmm_acpi_patch *patch)
{
	uint64_t i, bytes;
	uint32_t count = 0;

	for (i = HEADER_BYTES; i + 4 <= table->bytes; i++) {
		if (table->data[i] != (uint8_t)patch->name[0] ||
			memcmp(table->data + i, patch->name, 4) != 0)
			continue;
		if (patch->kind == VMM_ACPI_PATCH_NAME) {
			memcpy(table->data + i, &patch->value, 4);
			count++;
			continue;
		}
		if (table->data[i - 1] != AML_NAME_OP || i + 5 > table->bytes)
			continue;
		bytes = integer_bytes(table->data[i + 4]);
		if (!bytes || i + 5 + bytes > table->bytes ||
			(bytes < 8 && patch->value >> (bytes * 8)))
			continue;
		memcpy(table->data + i + 5, &patch->value, bytes);
		count++;
	}
	return count;
}

static void table_finish(struct fake_table *table)
{
	uint32_t length = (uint32_t)table->bytes;
	uint8_t sum = 0;
	uint64_t i;

	memcpy(table->data + LENGTH_OFFSET, &length, sizeof(length));
	table->data[CHECKSUM_OFFSET] = 0;
	for (i = 0; i < table->bytes; i++)
		sum = (uint8_t)(sum + table->data[i]);
	table->data[CHECKSUM_OFFSET] = (uint8_t)-sum;
}

static int32_t acpi_add_table(vmm_host *device, const void *data, uint64_t bytes,
	const struct vmm_acpi_patch *patches, uint64_t patch_count)
{
	int32_t ret = fake_service(device, "vmm.acpi add_table", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_table *table, **link;
	uint64_t i;

	if (ret < 0)
		return ret;
	if (device->phase != PHASE_REALIZE && device->phase != PHASE_BARE)
		return VMM_E_PHASE;
	if (bytes < HEADER_BYTES)
		return VMM_E_INVAL;
	table = fake_alloc(sizeof(*table));
	table->data = fake_alloc(bytes);
	table->bytes = bytes;
	memcpy(table->data, data, bytes);
	for (i = 0; i < patch_count; i++) {
		if (!patch_apply(table, &patches[i])) {
			fake_problem(host, "device \"%s\": ACPI patch %.4s applies nowhere",
				device->id, patches[i].name);
			ret = VMM_E_INVAL;
		}
	}
	table_finish(table);
	for (link = &host->tables; *link; link = &(*link)->next)
		;
	*link = table;
	return ret;
}

static int set_port(uint32_t *ours, uint32_t theirs)
{
	if (theirs && *ours)
		return 0;
	if (theirs)
		*ours = theirs;
	return 1;
}

static int32_t acpi_set_fixed(vmm_host *device, const struct vmm_acpi_fixed *fixed)
{
	int32_t ret = fake_service(device, "vmm.acpi set_fixed", CTX_CONFIG);
	struct vmm_acpi_fixed *ours = &device->host->fixed;

	if (ret < 0)
		return ret;
	if (device->phase != PHASE_REALIZE && device->phase != PHASE_BARE)
		return VMM_E_PHASE;
	if (fixed->struct_size < sizeof(*fixed) || fixed->reserved)
		return VMM_E_INVAL;
	if (!set_port(&ours->sleep_control_port, fixed->sleep_control_port) ||
		!set_port(&ours->sleep_status_port, fixed->sleep_status_port) ||
		!set_port(&ours->reset_port, fixed->reset_port))
		return VMM_E_EXISTS;
	if (fixed->reset_port)
		ours->reset_value = fixed->reset_value;
	ours->boot_flags |= fixed->boot_flags;
	return 0;
}

const struct vmm_acpi fake_acpi_service = {
	.size = sizeof(fake_acpi_service),
	.add_table = acpi_add_table,
	.set_fixed = acpi_set_fixed,
};

const uint8_t *fake_acpi_table(
	struct fake_host *host, const char *signature, uint32_t n, uint64_t *ret_bytes)
{
	const struct fake_table *table;

	for (table = host->tables; table; table = table->next) {
		if (memcmp(table->data, signature, 4) != 0 || n--)
			continue;
		*ret_bytes = table->bytes;
		return table->data;
	}
	return NULL;
}

const struct vmm_acpi_fixed *fake_acpi_fixed(struct fake_host *host)
{
	return &host->fixed;
}

void fake_acpi_fini(struct fake_host *host)
{
	struct fake_table *table;

	while ((table = host->tables)) {
		host->tables = table->next;
		free(table->data);
		free(table);
	}
}
