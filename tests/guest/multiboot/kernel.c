/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for tests of the boot loaders and of ends: prints on COM1 what it was given, and ends
 * the machine by the word on its command line: "halt" does not, "reset" by the keyboard controller,
 * "triple" by a triple fault, "nowhere" by code that is in no memory, otherwise through debug-exit
 * with the number behind "exit=". It needs no interrupts and no library.
 */
#include <stdint.h>

#include "console.h"

#define DEBUG_EXIT 0xf4
#define KEYBOARD   0x64
#define NOWHERE    0xe8000000u /* behind RAM; no device is there */

#define MULTIBOOT_MAGIC 0x2badb002u
#define PVH_MAGIC       0x336ec578u

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader;
};

struct multiboot_module {
	uint32_t start, end, cmdline, reserved;
};

struct multiboot_range {
	uint32_t size;
	uint64_t start, bytes;
	uint32_t type;
} __attribute__((packed));

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t range_count, reserved;
};

struct pvh_module {
	uint64_t start, bytes, cmdline, reserved;
};

struct pvh_range {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

void kernel_main(uint32_t eax, uint32_t ebx, uint32_t cr0, uint32_t eflags);

static void put_field(const char *name, uint64_t value)
{
	put(" ");
	put(name);
	put("=");
	put_hex(value);
}

static const void *pointer(uint64_t address)
{
	return (const void *)(uintptr_t)address; /* the loader puts everything below 4 GiB */
}

static const char *string(uint64_t address)
{
	return address ? pointer(address) : "";
}

static void show_range(uint64_t start, uint64_t bytes, uint32_t type)
{
	put("range");
	put_field("start", start);
	put_field("bytes", bytes);
	put_field("type", type);
	put("\n");
}

static void show_module(uint64_t start, uint64_t bytes, const char *cmdline)
{
	const uint8_t *at = pointer(start);
	uint32_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum = (sum << 1 | sum >> 31) + at[i];
	put("module cmdline=\"");
	put(cmdline);
	put("\"");
	put_field("bytes", bytes);
	put_field("sum", sum);
	put(start & 0xfff ? " NOT PAGE-ALIGNED\n" : " aligned\n");
}

static void show_rsdp(uint64_t address)
{
	const uint8_t *at = pointer(address);
	uint8_t sum = 0;

	for (int i = 0; i < 36; i++)
		sum = (uint8_t)(sum + at[i]);
	put(!sum && at[0] == 'R' && at[7] == ' ' ? "rsdp good" : "rsdp BAD");
	put_field("at", address);
	put("\n");
}

static const char *show_multiboot(const struct multiboot_info *info)
{
	const struct multiboot_module *modules = pointer(info->mods_addr);

	put("multiboot loader=");
	put(info->flags & 0x200 ? string(info->loader) : "?");
	put_field("flags", info->flags);
	put_field("lower", info->mem_lower);
	put_field("upper", info->mem_upper);
	put("\n");
	if (info->flags & 0x40) {
		uint32_t at = info->mmap_addr, end = at + info->mmap_length;

		while (at < end) {
			const struct multiboot_range *range = pointer(at);

			show_range(range->start, range->bytes, range->type);
			at += range->size + 4;
		}
	}
	if (info->flags & 8) {
		for (uint32_t i = 0; i < info->mods_count; i++)
			show_module(modules[i].start, modules[i].end - modules[i].start,
				string(modules[i].cmdline));
	}
	return info->flags & 4 ? string(info->cmdline) : "";
}

static const char *show_pvh(const struct pvh_info *info)
{
	const struct pvh_module *modules = pointer(info->modules);
	const struct pvh_range *ranges = pointer(info->memmap);

	put("pvh");
	put_field("version", info->version);
	put_field("flags", info->flags);
	put("\n");
	for (uint32_t i = 0; i < info->range_count; i++)
		show_range(ranges[i].start, ranges[i].bytes, ranges[i].type);
	for (uint32_t i = 0; i < info->module_count; i++)
		show_module(modules[i].start, modules[i].bytes, string(modules[i].cmdline));
	if (info->rsdp)
		show_rsdp(info->rsdp);
	return string(info->cmdline);
}

/* What follows the key on the command line, NULL if it is not there. */
static const char *after(const char *cmdline, const char *key)
{
	for (; *cmdline; cmdline++) {
		int i = 0;

		while (key[i] && cmdline[i] == key[i])
			i++;
		if (!key[i])
			return cmdline + i;
	}
	return 0;
}

static uint8_t number(const char *text)
{
	uint32_t value = 0;

	for (; text && *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	return (uint8_t)value;
}

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) no_idt = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
}

static void end(const char *cmdline)
{
	if (after(cmdline, "halt"))
		return;
	if (after(cmdline, "reset"))
		out(KEYBOARD, 0xfe);
	else if (after(cmdline, "triple"))
		triple_fault();
	else if (after(cmdline, "nowhere"))
		__asm__ volatile("jmp *%0" : : "r"(NOWHERE));
	else
		out(DEBUG_EXIT, number(after(cmdline, "exit=")));
}

void kernel_main(uint32_t eax, uint32_t ebx, uint32_t cr0, uint32_t eflags)
{
	const char *cmdline = "";
	const uint32_t *magic = pointer(ebx);

	if (eax == MULTIBOOT_MAGIC)
		cmdline = show_multiboot(pointer(ebx));
	else if (*magic == PVH_MAGIC)
		cmdline = show_pvh(pointer(ebx));
	else
		put("NO PROTOCOL\n");
	put((cr0 & 0x80000001u) == 1 && !(eflags & 0x20200u) ? "state good" : "state BAD");
	put_field("cr0", cr0);
	put_field("eflags", eflags);
	put("\ncmdline=\"");
	put(cmdline);
	put("\"\n");
	end(cmdline);
}
