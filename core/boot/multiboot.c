/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multiboot 1 kernels (Multiboot Specification 0.6.96): the header in the first 8 KiB, ELF or the
 * load addresses in the header, modules, memory map. Entered in 32-bit protected mode.
 */
#include <stdlib.h>

#include "boot/elf.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define LOADER_NAME  "vmm"

/* Header flags; the low 16 are demands that have to be met. */
#define WANT_PAGE_ALIGNED 0x1u
#define WANT_MEMORY       0x2u
#define WANT_VIDEO        0x4u
#define HAS_ADDRESSES     0x10000u

/* Information flags. */
#define INFO_MEMORY  0x1u
#define INFO_CMDLINE 0x4u
#define INFO_MODULES 0x8u
#define INFO_MMAP    0x40u
#define INFO_LOADER  0x200u

struct header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};
#define HEADER_BYTES_MIN 12u

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	uint32_t boot_loader_name, apm_table;
	uint32_t video[7]; /* VBE and framebuffer fields, none offered */
};
_Static_assert(offsetof(struct info, mmap_length) == 44, "Multiboot information, 3.3");
_Static_assert(offsetof(struct info, boot_loader_name) == 64, "Multiboot information, 3.3");

struct module {
	uint32_t start, end, cmdline, reserved;
};

struct mmap_entry {
	uint32_t size; /* of what follows */
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct mmap_entry) == 24, "memory map entry with its size field");

/* Finds the header; *ret_at is its offset in the file. */
static bool find_header(const struct load *load, struct header *ret_header, uint64_t *ret_at)
{
	for (uint64_t at = 0; at + HEADER_BYTES_MIN <= load->head_bytes; at += 4) {
		struct header header = {0};
		uint64_t left = load->head_bytes - at;

		memcpy(&header, load->head + at, left < sizeof(header) ? left : sizeof(header));
		if (header.magic != HEADER_MAGIC || header.magic + header.flags + header.checksum)
			continue;
		if ((header.flags & HAS_ADDRESSES) && left < sizeof(header))
			continue;
		*ret_header = header;
		*ret_at = at;
		return true;
	}
	return false;
}

bool multiboot_is(const struct load *load)
{
	struct header header;
	uint64_t at;

	return find_header(load, &header, &at);
}

/* Loads by the addresses in the header (specification, 3.1.3). */
static int load_by_addresses(
	struct load *load, const struct header *header, uint64_t at, uint64_t *ret_end)
{
	uint64_t before, offset, file_bytes, bytes;
	char text[256];
	int ret;

	if (header->load_addr > header->header_addr)
		return load_fail(load, VMM_E_INVAL,
			"has a Multiboot header at %#x, before the load address %#x",
			header->header_addr, header->load_addr);
	before = header->header_addr - header->load_addr;
	if (before > at)
		return load_fail(load, VMM_E_INVAL,
			"has a Multiboot header whose load address lies before the file's start");
	offset = at - before;
	file_bytes = load->kernel.bytes - offset;
	if (header->load_end_addr) {
		if (header->load_end_addr <= header->load_addr ||
			header->load_end_addr - header->load_addr > file_bytes)
			return load_fail(load, VMM_E_INVAL,
				"is cut off or damaged: its Multiboot header loads %#x to %#x, the "
				"file has %#llx bytes for that",
				header->load_addr, header->load_end_addr,
				(unsigned long long)file_bytes);
		file_bytes = header->load_end_addr - header->load_addr;
	}
	bytes = file_bytes;
	if (header->bss_end_addr) {
		if (header->bss_end_addr < header->load_addr ||
			header->bss_end_addr - header->load_addr < file_bytes)
			return load_fail(load, VMM_E_INVAL,
				"has a Multiboot header whose bss ends at %#x, before its data",
				header->bss_end_addr);
		bytes = header->bss_end_addr - header->load_addr;
	}
	if (header->entry_addr < header->load_addr ||
		header->entry_addr - header->load_addr >= bytes)
		return load_fail(load, VMM_E_INVAL,
			"has a Multiboot header with entry %#x, which is outside of what it loads",
			header->entry_addr);
	ret = map_take(&load->map, header->load_addr, bytes, "the kernel", text, sizeof(text));
	if (ret < 0)
		return load_fail(load, ret, "%s (the guest has %llu MiB)", text,
			load_mib(memory_bytes(load->memory)));
	*ret_end = header->load_addr + bytes;
	return file_load(
		&load->kernel, offset, file_bytes, load->memory, header->load_addr, load->error);
}

static int load_elf(struct load *load, uint64_t *ret_entry, uint64_t *ret_end)
{
	struct elf_image *image = malloc(sizeof(*image));
	int ret;

	if (!image)
		return load_fail(load, VMM_E_NOMEM, "out of memory");
	ret = elf_parse(load, image);
	if (ret == 0 && !elf_find_entry(image, ret_entry))
		ret = load_fail(load, VMM_E_INVAL,
			"has entry %#llx, which is in none of its segments",
			(unsigned long long)image->entry);
	if (ret == 0)
		ret = elf_load_segments(load, image);
	*ret_end = image->end;
	free(image);
	return ret;
}

static int put_modules(struct load *load, uint64_t min, struct info *info)
{
	struct load_module modules[BOOT_MODULES_MAX + 1];
	struct module list[BOOT_MODULES_MAX + 1] = {0};
	uint64_t gpa;
	uint32_t count;
	int ret = load_modules(load, min, modules, &count);

	if (ret < 0 || !count)
		return ret;
	for (uint32_t i = 0; i < count; i++) {
		ret = load_string(load, modules[i].cmdline, "a module's command line", &gpa);
		if (ret < 0)
			return ret;
		list[i] = (struct module){.start = (uint32_t)modules[i].gpa,
			.end = (uint32_t)(modules[i].gpa + modules[i].bytes),
			.cmdline = (uint32_t)gpa};
	}
	ret = load_put(load, list, count * sizeof(list[0]), "the list of modules", &gpa);
	if (ret < 0)
		return ret;
	info->flags |= INFO_MODULES;
	info->mods_count = count;
	info->mods_addr = (uint32_t)gpa;
	return 0;
}

static int put_memory_map(struct load *load, struct info *info)
{
	struct mmap_entry list[MAP_ENTRIES_MAX];
	const struct boot_map *map = &load->map;
	uint64_t gpa, low = map_ram_end(map, 0);
	int ret;

	for (uint32_t i = 0; i < map->entry_count; i++)
		list[i] = (struct mmap_entry){.size = sizeof(list[0]) - sizeof(list[0].size),
			.gpa = map->entries[i].start,
			.bytes = map->entries[i].end - map->entries[i].start,
			.type = map->entries[i].type};
	ret = load_put(load, list, map->entry_count * sizeof(list[0]), "the memory map", &gpa);
	if (ret < 0)
		return ret;
	info->flags |= INFO_MEMORY | INFO_MMAP;
	info->mem_lower = (uint32_t)(low >> 10);
	info->mem_upper = (uint32_t)((map_ram_end(map, MAP_HOLE_END) - MAP_HOLE_END) >> 10);
	info->mmap_length = (uint32_t)(map->entry_count * sizeof(list[0]));
	info->mmap_addr = (uint32_t)gpa;
	return 0;
}

static int put_strings(struct load *load, struct info *info)
{
	uint64_t gpa;
	int ret = load_string(load, load->cmdline, "the command line", &gpa);

	if (ret < 0)
		return ret;
	info->cmdline = (uint32_t)gpa;
	ret = load_string(load, LOADER_NAME, "the boot loader's name", &gpa);
	if (ret < 0)
		return ret;
	info->boot_loader_name = (uint32_t)gpa;
	info->flags |= INFO_CMDLINE | INFO_LOADER;
	return 0;
}

static int check_flags(struct load *load, uint32_t flags)
{
	const uint32_t known = WANT_PAGE_ALIGNED | WANT_MEMORY;

	if (flags & WANT_VIDEO)
		return load_fail(load, VMM_E_INVAL,
			"asks for a video mode in its Multiboot header (flag 2); this machine has "
			"no display");
	if (flags & 0xffffu & ~known)
		return load_fail(load, VMM_E_INVAL,
			"demands what this loader does not know: flags %#x in its Multiboot header",
			flags & 0xffffu & ~known);
	return 0;
}

int multiboot_load(struct load *load)
{
	struct info info = {0};
	struct header header;
	uint64_t at, end, entry, gpa;
	int ret;

	if (!find_header(load, &header, &at))
		return load_fail(load, VMM_E_INVAL, "has no Multiboot header");
	if ((ret = check_flags(load, header.flags)) < 0 ||
		(ret = load_check_cmdline(
			 load, BOOT_CMDLINE_BYTES_MAX - 1, "the Multiboot protocol here")) < 0)
		return ret;
	if (header.flags & HAS_ADDRESSES) {
		entry = header.entry_addr;
		ret = load_by_addresses(load, &header, at, &end);
	} else if (elf_is(load)) {
		ret = load_elf(load, &entry, &end);
	} else {
		return load_fail(load, VMM_E_INVAL,
			"has a Multiboot header without load addresses, and is no ELF file");
	}
	if (ret < 0 || (ret = put_strings(load, &info)) < 0 ||
		(ret = put_memory_map(load, &info)) < 0 ||
		(ret = put_modules(load, end, &info)) < 0 ||
		(ret = load_put(load, &info, sizeof(info), "the Multiboot information", &gpa)) < 0)
		return ret;
	vcpu_state_protected32(&load->bsp, LOAD_SELECTOR_CODE, LOAD_SELECTOR_DATA);
	load->bsp.rip = entry;
	load->bsp.rax = LOADER_MAGIC;
	load->bsp.rbx = gpa;
	load->result.protocol = "multiboot";
	load->result.entry.value = entry;
	return 0;
}
