/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables and descriptor table for a kernel that is entered in 64-bit mode: addresses below
 * 4 GiB mapped to themselves in pages of 2 MiB.
 */
#include "boot/load.h"

#define ENTRIES      512u
#define DIRECTORIES  4u /* of 1 GiB each */
#define PAGE_PRESENT UINT64_C(0x1)
#define PAGE_WRITE   UINT64_C(0x2)
#define PAGE_LARGE   UINT64_C(0x80)

struct tables {
	uint64_t pml4[ENTRIES];
	uint64_t pdpt[ENTRIES];
	uint64_t pd[DIRECTORIES][ENTRIES];
};
_Static_assert(sizeof(struct tables) == 6 * MAP_PAGE, "page tables are whole pages");

static void fill(struct tables *tables, uint64_t gpa)
{
	tables->pml4[0] = (gpa + offsetof(struct tables, pdpt)) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < DIRECTORIES; i++) {
		uint64_t pd = gpa + offsetof(struct tables, pd) + i * sizeof(tables->pd[0]);

		tables->pdpt[i] = pd | PAGE_PRESENT | PAGE_WRITE;
		for (uint64_t j = 0; j < ENTRIES; j++)
			tables->pd[i][j] =
				((i * ENTRIES + j) << 21) | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	}
}

int paging_long_mode(struct load *load, uint64_t *ret_cr3)
{
	static const char what[] = "page tables";
	struct tables tables = {0};
	uint64_t gpa;
	int ret = load_place(load, sizeof(tables), what, &gpa);

	if (ret < 0)
		return ret;
	fill(&tables, gpa);
	ret = load_write(load, gpa, &tables, sizeof(tables));
	if (ret < 0)
		return ret;
	*ret_cr3 = gpa;
	return 0;
}

int paging_gdt(struct load *load, struct vcpu_table *ret_gdt)
{
	/* Unused, unused, 64-bit code, data, TSS (two entries; nobody switches to it). */
	static const uint64_t gdt[] = {0, 0, UINT64_C(0x00af9b000000ffff),
		UINT64_C(0x00cf93000000ffff), UINT64_C(0x00008b0000000067), 0};
	uint64_t gpa;
	int ret = load_put(load, gdt, sizeof(gdt), "descriptor table", &gpa);

	if (ret < 0)
		return ret;
	*ret_gdt = (struct vcpu_table){.base = gpa, .limit = sizeof(gdt) - 1};
	return 0;
}
