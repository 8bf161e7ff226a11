/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels by PVH (xen/include/public/arch-x86/hvm/start_info.h): entered in 32-bit protected
 * mode at the address in a note, with EBX at the start info.
 */
#include <stdlib.h>

#include "boot/elf.h"

#define START_MAGIC   0x336ec578u
#define START_VERSION 1u

struct start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info of version 1");
_Static_assert(offsetof(struct start_info, rsdp) == 32, "rsdp_paddr");

struct start_module {
	uint64_t gpa, bytes, cmdline, reserved;
};
_Static_assert(sizeof(struct start_module) == 32, "hvm_modlist_entry");

struct start_memory {
	uint64_t gpa, bytes;
	uint32_t type, reserved;
};
_Static_assert(sizeof(struct start_memory) == 24, "hvm_memmap_table_entry");

static int put_modules(struct load *load, uint64_t min, struct start_info *info)
{
	struct load_module modules[BOOT_MODULES_MAX + 1];
	struct start_module list[BOOT_MODULES_MAX + 1] = {0};
	uint32_t count;
	int ret = load_modules(load, min, modules, &count);

	if (ret < 0 || !count)
		return ret;
	for (uint32_t i = 0; i < count; i++) {
		list[i].gpa = modules[i].gpa;
		list[i].bytes = modules[i].bytes;
		if (!modules[i].cmdline[0])
			continue;
		ret = load_string(
			load, modules[i].cmdline, "a module's command line", &list[i].cmdline);
		if (ret < 0)
			return ret;
	}
	info->module_count = count;
	return load_put(load, list, count * sizeof(list[0]), "the list of modules", &info->modules);
}

static int put_memory_map(struct load *load, struct start_info *info)
{
	struct start_memory list[MAP_ENTRIES_MAX] = {0};

	for (uint32_t i = 0; i < load->map.entry_count; i++) {
		const struct map_entry *entry = &load->map.entries[i];

		list[i] = (struct start_memory){.gpa = entry->start,
			.bytes = entry->end - entry->start,
			.type = entry->type};
	}
	info->memmap_entries = load->map.entry_count;
	return load_put(load, list, load->map.entry_count * sizeof(list[0]), "the memory map",
		&info->memmap);
}

static int load_image(struct load *load, const struct elf_image *image)
{
	struct start_info info = {
		.magic = START_MAGIC, .version = START_VERSION, .rsdp = load->config->rsdp.value};
	uint64_t gpa;
	int ret;

	if (!elf_contains(image, image->note_entry))
		return load_fail(load, VMM_E_INVAL,
			"has a PVH note with entry %#llx, which is in none of its segments",
			(unsigned long long)image->note_entry);
	if ((ret = elf_load_segments(load, image)) < 0 ||
		(ret = load_string(load, load->cmdline, "the command line", &info.cmdline)) < 0 ||
		(ret = put_memory_map(load, &info)) < 0 ||
		(ret = put_modules(load, image->end, &info)) < 0 ||
		(ret = load_put(load, &info, sizeof(info), "the start info", &gpa)) < 0)
		return ret;
	vcpu_state_protected32(&load->bsp, LOAD_SELECTOR_CODE, LOAD_SELECTOR_DATA);
	load->bsp.rip = image->note_entry;
	load->bsp.rbx = gpa;
	load->result.protocol = "pvh";
	load->result.entry.value = image->note_entry;
	return 0;
}

int elf_load_pvh(struct load *load)
{
	struct elf_image *image = malloc(sizeof(*image));
	int ret;

	if (!image)
		return load_fail(load, VMM_E_NOMEM, "out of memory");
	ret = elf_parse(load, image);
	if (ret < 0)
		goto out;
	if (image->has_note) {
		ret = load_check_cmdline(load, BOOT_CMDLINE_BYTES_MAX - 1, "the PVH protocol here");
		if (ret == 0)
			ret = load_image(load, image);
	} else if (multiboot_is(load)) {
		ret = ELF_NO_PVH;
	} else {
		ret = load_fail(load, VMM_E_INVAL,
			"is an ELF file without a PVH note or Multiboot header; a Linux vmlinux "
			"needs CONFIG_PVH, or use its bzImage");
	}
out:
	free(image);
	return ret;
}
