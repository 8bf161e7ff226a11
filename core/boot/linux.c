/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol"). All in the setup header is untrusted.
 */
#include <asm/bootparam.h>

#include "boot/load.h"

#define HEADER_AT    0x1f1u      /* of struct setup_header in the file, and in the zero page */
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define BOOT_FLAG    0xaa55u
#define VERSION_MIN  0x20cu /* 2.12 has xloadflags, which say whether there is a 64-bit entry */
#define SECTOR       512u
#define ENTRY_64     0x200u
#define LOADER_OTHER 0xffu
#define VIDEO_NORMAL 0xffffu
#define ALIGN_MAX    (UINT64_C(1) << 30)
#define CMDLINE_NONE 255u /* limit of a kernel that names none */

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page is a page");
_Static_assert(offsetof(struct boot_params, hdr) == HEADER_AT, "setup header in the zero page");
_Static_assert(MAP_ENTRIES_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "the memory map fits");

/* What is derived from the setup header, checked. */
struct image {
	struct setup_header header;
	uint64_t payload_at, payload_bytes; /* in the file */
	uint64_t start, end;                /* in guest memory, with what the kernel unpacks to */
	uint64_t initrd, initrd_bytes;
};

bool linux_is(const struct load *load)
{
	return load->head_bytes >= HEADER_AT + sizeof(struct setup_header) &&
	       load_le16(load->head + 0x1fe) == BOOT_FLAG &&
	       load_le32(load->head + 0x202) == HEADER_MAGIC;
}

static int check_header(struct load *load, struct image *image)
{
	struct setup_header *header = &image->header;
	/* The header ends where its jump instruction leads; older kernels have a shorter one. */
	size_t bytes = 0x202u + load->head[0x201] - HEADER_AT;
	uint64_t setup_sectors;

	if (bytes > sizeof(*header))
		bytes = sizeof(*header);
	memcpy(header, load->head + HEADER_AT, bytes);
	if (header->version < VERSION_MIN)
		return load_fail(load, VMM_E_INVAL,
			"speaks Linux boot protocol %u.%02u; at least 2.12 (Linux 3.8) is needed",
			header->version >> 8, header->version & 0xffu);
	if (!(header->loadflags & LOADED_HIGH))
		return load_fail(load, VMM_E_INVAL, "is a zImage; a bzImage is needed");
	if (!(header->xloadflags & XLF_KERNEL_64))
		return load_fail(load, VMM_E_INVAL,
			"has no 64-bit entry: it is a 32-bit kernel, or one built without "
			"CONFIG_X86_64");
	setup_sectors = header->setup_sects ? header->setup_sects : 4;
	image->payload_at = (setup_sectors + 1) * SECTOR;
	image->payload_bytes = (uint64_t)header->syssize * 16;
	/* syssize counts paragraphs, so the last one may be a part of one. */
	if (image->payload_at >= load->kernel.bytes ||
		image->payload_bytes > load->kernel.bytes - image->payload_at + 15)
		return load_fail(load, VMM_E_INVAL,
			"is cut off: it has %llu bytes and should have %llu",
			(unsigned long long)load->kernel.bytes,
			(unsigned long long)(image->payload_at + image->payload_bytes));
	if (image->payload_bytes > load->kernel.bytes - image->payload_at)
		image->payload_bytes = load->kernel.bytes - image->payload_at;
	if (image->payload_bytes <= ENTRY_64 || !header->init_size)
		return load_fail(load, VMM_E_INVAL, "has a setup header without a kernel's size");
	if (header->relocatable_kernel &&
		(!header->kernel_alignment || header->kernel_alignment > ALIGN_MAX ||
			(header->kernel_alignment & (header->kernel_alignment - 1))))
		return load_fail(load, VMM_E_INVAL,
			"has a setup header with alignment %#x, which is no power of two",
			header->kernel_alignment);
	return 0;
}

/*
 * At the address that the kernel prefers; a relocatable one elsewhere above it if something is
 * there. (It would move itself up to that address from anywhere below.)
 */
static int place(struct load *load, struct image *image)
{
	const struct setup_header *header = &image->header;
	char text[256];
	struct map_want want = {.bytes = header->init_size,
		.align = header->kernel_alignment,
		.min = header->pref_address,
		.end = MAP_4G,
		.what = "the kernel"};

	if (want.bytes < image->payload_bytes)
		want.bytes = image->payload_bytes;
	if (want.min >= MAP_4G || want.min < MAP_HOLE_END)
		return load_fail(load, VMM_E_INVAL,
			"has a setup header that prefers address %#llx, outside of 1 MiB to 4 GiB",
			(unsigned long long)want.min);
	image->start = want.min;
	if (map_take(&load->map, want.min, want.bytes, want.what, text, sizeof(text)) < 0 &&
		(!header->relocatable_kernel || map_find(&load->map, &want, &image->start) < 0))
		return load_fail(load, VMM_E_LIMIT,
			"needs %llu MiB of RAM up to %llu MiB to start; the guest has %llu MiB",
			load_mib(want.bytes), load_mib(want.min + want.bytes),
			load_mib(memory_bytes(load->memory)));
	image->end = image->start + want.bytes;
	return file_load(&load->kernel, image->payload_at, image->payload_bytes, load->memory,
		image->start, load->error);
}

static int initrd_misfit(
	struct load *load, const struct image *image, const struct boot_file *file, uint64_t end)
{
	uint64_t needed = image->end + file->bytes + MAP_PAGE;

	if (needed <= end && needed > memory_bytes(load->memory))
		return file_fail(file, load->error, VMM_E_LIMIT,
			"its %llu MiB do not fit: with this kernel the guest needs at least %llu "
			"MiB of RAM and has %llu MiB",
			load_mib(file->bytes), load_mib(needed),
			load_mib(memory_bytes(load->memory)));
	return file_fail(file, load->error, VMM_E_LIMIT,
		"its %llu MiB do not fit between the end of the kernel at %llu MiB and %llu MiB, "
		"below which this kernel wants it",
		load_mib(file->bytes), load_mib(image->end), load_mib(end));
}

static int load_initrd(struct load *load, struct image *image)
{
	uint64_t max = image->header.initrd_addr_max ? image->header.initrd_addr_max : 0x37ffffff;
	struct map_want want = {.align = MAP_PAGE,
		.min = image->end,
		.end = max + 1,
		.direction = MAP_TOP_DOWN,
		.what = "the initrd"};
	struct boot_file file;
	int ret;

	if (!load->config->initrd_path)
		return 0;
	ret = file_open("initrd", load->config->initrd_place, load->config->initrd_path, &file,
		load->error);
	if (ret < 0)
		return ret;
	want.bytes = file.bytes;
	ret = map_find(&load->map, &want, &image->initrd);
	if (ret < 0)
		ret = initrd_misfit(load, image, &file, want.end);
	else
		ret = file_load(&file, 0, file.bytes, load->memory, image->initrd, load->error);
	image->initrd_bytes = file.bytes;
	file_close(&file);
	return ret;
}

static void fill_e820(const struct boot_map *map, struct boot_params *params)
{
	for (uint32_t i = 0; i < map->entry_count; i++) {
		const struct map_entry *entry = &map->entries[i];

		params->e820_table[i] = (struct boot_e820_entry){.addr = entry->start,
			.size = entry->end - entry->start,
			.type = entry->type};
	}
	params->e820_entries = (uint8_t)map->entry_count;
}

static int put_zero_page(
	struct load *load, const struct image *image, uint64_t cmdline, uint64_t *ret_gpa)
{
	struct boot_params params = {.hdr = image->header};

	params.hdr.type_of_loader = LOADER_OTHER;
	params.hdr.vid_mode = VIDEO_NORMAL;
	params.hdr.code32_start = (uint32_t)image->start;
	params.hdr.cmd_line_ptr = (uint32_t)cmdline;
	params.hdr.ramdisk_image = (uint32_t)image->initrd;
	params.hdr.ramdisk_size = (uint32_t)image->initrd_bytes;
	params.hdr.setup_data = 0;
	params.hdr.hardware_subarch = 0;
	params.hdr.hardware_subarch_data = 0;
	params.acpi_rsdp_addr = load->config->rsdp.value;
	fill_e820(&load->map, &params);
	return load_put(load, &params, sizeof(params), "the zero page", ret_gpa);
}

int linux_load(struct load *load)
{
	struct image image = {0};
	uint64_t cmdline, zero_page, cr3, cmdline_max;
	struct vcpu_table gdt;
	int ret = check_header(load, &image);

	if (ret < 0)
		return ret;
	if (load->config->module_count)
		return load_fail(load, VMM_E_INVAL,
			"is a Linux bzImage, which takes no modules; use the initrd");
	cmdline_max = image.header.cmdline_size ? image.header.cmdline_size : CMDLINE_NONE;
	ret = load_check_cmdline(load, cmdline_max, "this kernel");
	if (ret < 0)
		return ret;
	ret = place(load, &image);
	if (ret < 0)
		return ret;
	/* Ours go below 1 MiB; before the initrd, so that it does not take the last free place. */
	if ((ret = load_string(load, load->cmdline, "the command line", &cmdline)) < 0 ||
		(ret = paging_gdt(load, &gdt)) < 0 || (ret = paging_long_mode(load, &cr3)) < 0 ||
		(ret = load_initrd(load, &image)) < 0 ||
		(ret = put_zero_page(load, &image, cmdline, &zero_page)) < 0)
		return ret;

	vcpu_state_long64(&load->bsp, LOAD_SELECTOR_CODE, LOAD_SELECTOR_DATA, cr3);
	load->bsp.gdt = gdt;
	load->bsp.rip = image.start + ENTRY_64;
	load->bsp.rsi = zero_page;
	load->result.protocol = "linux";
	load->result.entry.value = load->bsp.rip;
	return 0;
}
