/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the ACPI tables: ours and those of devices, one behind the other, RSDP first; and the
 * reset vector.
 */
#include <stdbool.h>
#include <string.h>

#include <vmm/support.h>

#include "acpi/state.h"
#include "dsdt.aml.h"

#define OEM_ID       "VMM   "
#define OEM_TABLE_ID "VMMPC1  "
#define CREATOR_ID   "VMM "

#define TABLE_ALIGN     16u
#define APIC_ID_8BIT    254u /* the highest that a local APIC entry can have */
#define UID_ALL_8BIT    0xffu
#define UID_ALL         0xffffffffu
#define LINT_NMI        1u
#define FADT_REVISION   6u
#define FADT_MINOR      3u
#define MADT_REVISION   5u
#define XSDT_TABLES_MAX (3u + ACPI_TABLES_MAX)

/* Where the next table goes. */
struct writer {
	uint8_t *buffer;
	uint64_t bytes;
	uint64_t used;
	uint64_t base; /* guest address of buffer */
	bool full;     /* something did not fit */
};

/* Room for `bytes` bytes at the end, or NULL. */
static void *extend(struct writer *writer, uint64_t bytes)
{
	void *at;

	if (writer->full || bytes > writer->bytes - writer->used) {
		writer->full = true;
		return NULL;
	}
	at = writer->buffer + writer->used;
	writer->used += bytes;
	return at;
}

static void append(struct writer *writer, const void *data, uint64_t bytes)
{
	void *at = extend(writer, bytes);

	if (at)
		memcpy(at, data, bytes);
}

/* Starts a table on an aligned address; gives its offset in the buffer. */
static uint64_t begin(struct writer *writer)
{
	uint64_t pad = -writer->used % TABLE_ALIGN;

	extend(writer, pad);
	return writer->used;
}

static struct acpi_header header_of(const char *signature, uint8_t revision)
{
	struct acpi_header header = {
		.revision = revision, .oem_revision = 1, .creator_revision = 1};

	memcpy(header.signature, signature, sizeof(header.signature));
	memcpy(header.oem_id, OEM_ID, sizeof(header.oem_id));
	memcpy(header.oem_table_id, OEM_TABLE_ID, sizeof(header.oem_table_id));
	memcpy(header.creator_id, CREATOR_ID, sizeof(header.creator_id));
	return header;
}

/* Ends the table that starts at `at`: length and checksum. Gives its guest address. */
static uint64_t end(struct writer *writer, uint64_t at)
{
	struct acpi_header *header = (struct acpi_header *)(writer->buffer + at);
	uint32_t length = (uint32_t)(writer->used - at);

	if (writer->full)
		return 0;
	header->length = length;
	acpi_checksum(header, length, offsetof(struct acpi_header, checksum));
	return writer->base + at;
}

static struct acpi_gas gas(uint32_t port)
{
	struct acpi_gas out = {0};

	if (port)
		out = (struct acpi_gas){.space = ACPI_GAS_IO,
			.bit_width = 8,
			.access_size = ACPI_GAS_BYTE,
			.address = port};
	return out;
}

static uint16_t boot_arch(uint32_t there)
{
	uint32_t out = there & (VMM_ACPI_BOOT_LEGACY | VMM_ACPI_BOOT_8042);

	if (!(there & VMM_ACPI_BOOT_VGA))
		out |= ACPI_BOOT_NO_VGA;
	if (!(there & VMM_ACPI_BOOT_RTC))
		out |= ACPI_BOOT_NO_CMOS;
	return (uint16_t)out;
}

static uint64_t write_fadt(struct writer *writer, const struct vmm_acpi_fixed *fixed, uint64_t dsdt)
{
	uint64_t at = begin(writer);
	struct acpi_fadt fadt = {
		.header = header_of("FACP", FADT_REVISION),
		.dsdt = dsdt <= UINT32_MAX ? (uint32_t)dsdt : 0,
		.x_dsdt = dsdt,
		.iapc_boot_arch = boot_arch(fixed->boot_flags),
		.flags = ACPI_FADT_WBINVD | ACPI_FADT_PROC_C1 | ACPI_FADT_PWR_BUTTON |
			 ACPI_FADT_SLP_BUTTON | ACPI_FADT_FIX_RTC | ACPI_FADT_HW_REDUCED |
			 (fixed->reset_port ? ACPI_FADT_RESET_REG_SUP : 0),
		.reset = gas(fixed->reset_port),
		.reset_value = (uint8_t)fixed->reset_value,
		.minor = FADT_MINOR,
		.sleep_control = gas(fixed->sleep_control_port),
		.sleep_status = gas(fixed->sleep_status_port),
	};

	append(writer, &fadt, sizeof(fadt));
	return end(writer, at);
}

static void write_vcpu(struct writer *writer, uint32_t id)
{
	const struct acpi_madt_lapic lapic = {.type = 0,
		.length = sizeof(lapic),
		.uid = (uint8_t)id,
		.apic_id = (uint8_t)id,
		.flags = ACPI_MADT_ENABLED};
	const struct acpi_madt_x2apic x2apic = {.type = 9,
		.length = sizeof(x2apic),
		.apic_id = id,
		.flags = ACPI_MADT_ENABLED,
		.uid = id};

	if (id <= APIC_ID_8BIT)
		append(writer, &lapic, sizeof(lapic));
	else
		append(writer, &x2apic, sizeof(x2apic));
}

static uint64_t write_madt(struct writer *writer, const struct acpi_machine *machine)
{
	uint64_t at = begin(writer);
	const struct acpi_madt madt = {.header = header_of("APIC", MADT_REVISION),
		.lapic = machine->lapic_base,
		.flags = ACPI_MADT_PCAT_COMPAT};
	const struct acpi_madt_ioapic ioapic = {.type = 1,
		.length = sizeof(ioapic),
		.id = (uint8_t)machine->ioapic_id,
		.address = machine->ioapic_base};
	const struct acpi_madt_override timer = {
		.type = 2, .length = sizeof(timer), .gsi = machine->timer_gsi};
	const struct acpi_madt_nmi nmi = {
		.type = 4, .length = sizeof(nmi), .uid = UID_ALL_8BIT, .lint = LINT_NMI};
	const struct acpi_madt_x2apic_nmi x2nmi = {
		.type = 10, .length = sizeof(x2nmi), .uid = UID_ALL, .lint = LINT_NMI};

	append(writer, &madt, sizeof(madt));
	for (uint32_t i = 0; i < machine->vcpus && !writer->full; i++)
		write_vcpu(writer, i);
	append(writer, &ioapic, sizeof(ioapic));
	if (machine->timer_gsi)
		append(writer, &timer, sizeof(timer));
	append(writer, &nmi, sizeof(nmi));
	if (machine->vcpus > APIC_ID_8BIT + 1)
		append(writer, &x2nmi, sizeof(x2nmi));
	return end(writer, at);
}

/* A table that is complete but for its length and checksum. */
static uint64_t write_table(struct writer *writer, const void *table, uint64_t bytes)
{
	uint64_t at = begin(writer);

	append(writer, table, bytes);
	return end(writer, at);
}

static uint64_t write_xsdt(struct writer *writer, const uint64_t *tables, uint32_t count)
{
	uint64_t at = begin(writer);
	const struct acpi_header header = header_of("XSDT", 1);

	append(writer, &header, sizeof(header));
	append(writer, tables, count * sizeof(tables[0]));
	return end(writer, at);
}

static void write_rsdp(struct acpi_rsdp *rsdp, uint64_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, OEM_ID, sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt;
	acpi_checksum(rsdp, 20, offsetof(struct acpi_rsdp, checksum));
	acpi_checksum(rsdp, sizeof(*rsdp), offsetof(struct acpi_rsdp, extended_checksum));
}

/* 16-bit code: out reset_port, reset_value; then sleep for ever, also if there is no such port. */
static void write_reset_vector(uint8_t *at, const struct vmm_acpi_fixed *fixed)
{
	const uint8_t out[] = {0xba, (uint8_t)fixed->reset_port, (uint8_t)(fixed->reset_port >> 8),
		0xb0, (uint8_t)fixed->reset_value, 0xee}; /* mov dx; mov al; out dx, al */
	const uint8_t stay[] = {0xfa, 0xf4, 0xeb, 0xfd};  /* cli; hlt; jmp to hlt */

	_Static_assert(sizeof(out) + sizeof(stay) <= ACPI_RESET_VECTOR_BYTES, "reset vector");
	if (fixed->reset_port) {
		memcpy(at, out, sizeof(out));
		at += sizeof(out);
	}
	memcpy(at, stay, sizeof(stay));
}

int acpi_build(const struct acpi *acpi, const struct acpi_machine *machine, vmm_gpa base,
	void *buffer, uint64_t buffer_bytes, struct vmm_error *error)
{
	struct writer writer = {.buffer = buffer, .base = base.value};
	uint64_t tables[XSDT_TABLES_MAX], dsdt, xsdt;
	struct acpi_rsdp *rsdp;
	uint32_t count = 0;

	memset(buffer, 0, buffer_bytes);
	if (buffer_bytes > ACPI_RESET_VECTOR_BYTES)
		writer.bytes = buffer_bytes - ACPI_RESET_VECTOR_BYTES;
	rsdp = extend(&writer, sizeof(*rsdp));
	dsdt = write_table(&writer, dsdt_aml, sizeof(dsdt_aml));
	tables[count++] = write_fadt(&writer, &acpi->fixed, dsdt);
	tables[count++] = write_madt(&writer, machine);
	for (uint32_t i = 0; i < acpi->table_count; i++)
		tables[count++] =
			write_table(&writer, acpi->tables[i].bytes, acpi->tables[i].length);
	xsdt = write_xsdt(&writer, tables, count);
	if (writer.full) {
		vmm_set_error(error,
			"the ACPI tables of this machine do not fit into %llu KiB: fewer vCPUs or "
			"devices are possible",
			(unsigned long long)buffer_bytes / 1024);
		return VMM_E_LIMIT;
	}
	write_rsdp(rsdp, xsdt);
	write_reset_vector(writer.buffer + writer.bytes, &acpi->fixed);
	return 0;
}
