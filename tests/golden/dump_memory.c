/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map as the boot protocol tells it (hvm_start_info of PVH; the e820 of the other
 * protocols is made from the same list), and ports that answer.
 */
#include <string.h>

#include "dump.h"
#include "fake_internal.h"

#define START_MAGIC     0x336ec578u
#define LINE_BYTES      16u
#define PORTS           0x800u
#define RTC_INDEX       0x70u
#define RTC_DATA        0x71u
#define RTC_STATUS_D    0x0du
#define NOBODY          0xffu
#define BYTES_OF_NUMBER 8u

struct start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct start_memory {
	uint64_t gpa, bytes;
	uint32_t type, reserved;
};

static const char *name_of(uint32_t type)
{
	static const char *const names[] = {"?", "RAM", "reserved", "ACPI tables"};

	return type < sizeof(names) / sizeof(*names) ? names[type] : "?";
}

void dump_bytes(FILE *out, const uint8_t *bytes, uint64_t count)
{
	static const uint8_t zeros[LINE_BYTES];

	for (uint64_t at = 0; at < count; at += LINE_BYTES) {
		uint64_t n = count - at < LINE_BYTES ? count - at : LINE_BYTES;

		if (!memcmp(bytes + at, zeros, n))
			continue;
		fprintf(out, "  %04llx ", (unsigned long long)at);
		for (uint64_t i = 0; i < n; i++)
			fprintf(out, " %02x", bytes[at + i]);
		fprintf(out, "%*s", (int)(3 * (LINE_BYTES - n) + 2), "");
		for (uint64_t i = 0; i < n; i++)
			fputc(bytes[at + i] >= ' ' && bytes[at + i] <= '~' ? bytes[at + i] : '.',
				out);
		fputc('\n', out);
	}
}

void dump_memory_map(FILE *out, struct fake_host *host, uint64_t gpa)
{
	const struct start_info *info = fake_ram(host, gpa, sizeof(*info));
	const struct start_memory *list;

	if (!info || info->magic != START_MAGIC)
		fake_fail("no start info at %#llx", (unsigned long long)gpa);
	list = fake_ram(host, info->memmap, info->memmap_entries * sizeof(*list));
	if (!list)
		fake_fail("no memory map at %#llx", (unsigned long long)info->memmap);
	fprintf(out, "RSDP at %#llx\n", (unsigned long long)info->rsdp);
	for (uint32_t i = 0; i < info->memmap_entries; i++)
		fprintf(out, "%016llx to %016llx  %s\n", (unsigned long long)list[i].gpa,
			(unsigned long long)(list[i].gpa + list[i].bytes - 1),
			name_of(list[i].type));
}

void dump_ports(FILE *out, struct fake_host *host)
{
	/* Not the seconds, which go on: a register that stays. */
	fake_pio_write(host, RTC_INDEX, 1, RTC_STATUS_D);
	for (uint32_t port = 0; port < PORTS; port++) {
		uint32_t value = (uint32_t)fake_pio_read(host, port, 1);

		if (value != NOBODY)
			fprintf(out, "%03x  %02x\n", port, value);
	}
}
