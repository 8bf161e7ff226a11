/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels: see elf.h. Both classes are read into the 64-bit form and looked at in that.
 */
#include "boot/elf.h"

#include <elf.h>
#include <stdlib.h>

#define NOTE_BYTES_MAX UINT64_C(0x100000) /* of one PT_NOTE: real ones have some hundreds */
#define NOTE_NAME      "Xen"
#define NOTE_PVH_ENTRY 18u /* XEN_ELFNOTE_PHYS32_ENTRY */

bool elf_is(const struct load *load)
{
	return load->head_bytes >= EI_NIDENT && memcmp(load->head, ELFMAG, SELFMAG) == 0;
}

static Elf64_Ehdr widen_header(const Elf32_Ehdr *in)
{
	Elf64_Ehdr out = {.e_type = in->e_type,
		.e_machine = in->e_machine,
		.e_entry = in->e_entry,
		.e_phoff = in->e_phoff,
		.e_phentsize = in->e_phentsize,
		.e_phnum = in->e_phnum};

	return out;
}

static Elf64_Phdr widen_segment(const Elf32_Phdr *in)
{
	Elf64_Phdr out = {.p_type = in->p_type,
		.p_offset = in->p_offset,
		.p_vaddr = in->p_vaddr,
		.p_paddr = in->p_paddr,
		.p_filesz = in->p_filesz,
		.p_memsz = in->p_memsz,
		.p_align = in->p_align};

	return out;
}

static int read_header(struct load *load, Elf64_Ehdr *ret_header, bool *ret_wide)
{
	const bool wide = load->head[EI_CLASS] == ELFCLASS64;
	Elf64_Ehdr header = {0};
	size_t entry_bytes = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (load->head_bytes < (wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return load_fail(load, VMM_E_INVAL, "is cut off inside of its ELF header");
	if (wide) {
		memcpy(&header, load->head, sizeof(header));
	} else {
		Elf32_Ehdr narrow;

		memcpy(&narrow, load->head, sizeof(narrow));
		header = widen_header(&narrow);
	}
	if ((!wide && load->head[EI_CLASS] != ELFCLASS32) || load->head[EI_DATA] != ELFDATA2LSB ||
		(header.e_machine != EM_386 && header.e_machine != EM_X86_64))
		return load_fail(load, VMM_E_INVAL,
			"is an ELF file for another kind of machine (number %u); one for x86 is "
			"needed",
			header.e_machine);
	if (header.e_type != ET_EXEC)
		return load_fail(load, VMM_E_INVAL,
			"is an ELF file, but %s; a kernel that is linked to fixed addresses is "
			"needed",
			header.e_type == ET_REL    ? "an object file or kernel module"
			: header.e_type == ET_DYN  ? "a shared object or a program "
						     "for Linux"
			: header.e_type == ET_CORE ? "a core dump"
						   : "of an unknown type");
	if (!header.e_phnum || header.e_phentsize != entry_bytes)
		return load_fail(load, VMM_E_INVAL, "is an ELF file without program headers");
	*ret_header = header;
	*ret_wide = wide;
	return 0;
}

static uint64_t align_note(uint64_t bytes, uint64_t align)
{
	return (bytes + align - 1) & ~(align - 1);
}

/* notes has `bytes` bytes. Sizes in it are 32-bit, so the sums below cannot wrap. */
static void find_note(
	struct elf_image *image, const unsigned char *notes, uint64_t bytes, uint64_t align)
{
	uint64_t at = 0;

	align = align == 8 ? 8 : 4;
	while (!image->has_note && bytes >= sizeof(Elf64_Nhdr) &&
		at <= bytes - sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name_at = at + sizeof(note), desc_at;

		memcpy(&note, notes + at, sizeof(note));
		desc_at = align_note(name_at + note.n_namesz, align);
		at = align_note(desc_at + note.n_descsz, align);
		if (desc_at + note.n_descsz > bytes)
			return;
		if (note.n_type != NOTE_PVH_ENTRY || note.n_namesz != sizeof(NOTE_NAME) ||
			memcmp(notes + name_at, NOTE_NAME, sizeof(NOTE_NAME)) != 0 ||
			(note.n_descsz != 4 && note.n_descsz != 8))
			continue;
		memcpy(&image->note_entry, notes + desc_at, note.n_descsz);
		image->has_note = true;
	}
}

static int read_notes(struct load *load, const Elf64_Phdr *segment, struct elf_image *image)
{
	unsigned char *notes;
	int ret;

	if (!segment->p_filesz || image->has_note)
		return 0;
	if (segment->p_filesz > NOTE_BYTES_MAX)
		return load_fail(load, VMM_E_INVAL, "has an ELF note segment of %llu bytes",
			(unsigned long long)segment->p_filesz);
	notes = malloc(segment->p_filesz);
	if (!notes)
		return load_fail(load, VMM_E_NOMEM, "out of memory");
	ret = file_read(&load->kernel, segment->p_offset, notes, segment->p_filesz, load->error);
	if (ret == 0)
		find_note(image, notes, segment->p_filesz, segment->p_align);
	free(notes);
	return ret;
}

static int add_segment(struct load *load, const Elf64_Phdr *segment, struct elf_image *image)
{
	uint64_t end, file_end;

	if (!segment->p_memsz)
		return 0;
	if (image->count == ELF_SEGMENTS_MAX)
		return load_fail(
			load, VMM_E_LIMIT, "has more than %u segments to load", ELF_SEGMENTS_MAX);
	if (segment->p_filesz > segment->p_memsz ||
		__builtin_add_overflow(segment->p_offset, segment->p_filesz, &file_end) ||
		file_end > load->kernel.bytes)
		return load_fail(load, VMM_E_INVAL,
			"is cut off or damaged: a segment is %#llx bytes at %#llx of a file of "
			"%#llx bytes",
			(unsigned long long)segment->p_filesz,
			(unsigned long long)segment->p_offset,
			(unsigned long long)load->kernel.bytes);
	if (__builtin_add_overflow(segment->p_paddr, segment->p_memsz, &end) || end > MAP_4G)
		return load_fail(load, VMM_E_INVAL,
			"has a segment at physical address %#llx; all must lie below 4 GiB",
			(unsigned long long)segment->p_paddr);
	image->segments[image->count++] = (struct elf_segment){.offset = segment->p_offset,
		.file_bytes = segment->p_filesz,
		.gpa = segment->p_paddr,
		.bytes = segment->p_memsz,
		.vaddr = segment->p_vaddr};
	if (end > image->end)
		image->end = end;
	return 0;
}

static int parse_segment(
	struct load *load, const unsigned char *at, bool wide, struct elf_image *image)
{
	Elf64_Phdr segment;

	if (wide) {
		memcpy(&segment, at, sizeof(segment));
	} else {
		Elf32_Phdr narrow;

		memcpy(&narrow, at, sizeof(narrow));
		segment = widen_segment(&narrow);
	}
	if (segment.p_type == PT_LOAD)
		return add_segment(load, &segment, image);
	if (segment.p_type == PT_NOTE)
		return read_notes(load, &segment, image);
	return 0;
}

int elf_parse(struct load *load, struct elf_image *image)
{
	unsigned char *headers;
	Elf64_Ehdr header;
	uint64_t bytes;
	bool wide;
	int ret = read_header(load, &header, &wide);

	if (ret < 0)
		return ret;
	*image = (struct elf_image){.entry = header.e_entry, .machine = header.e_machine};
	bytes = (uint64_t)header.e_phnum * header.e_phentsize;
	headers = malloc(bytes);
	if (!headers)
		return load_fail(load, VMM_E_NOMEM, "out of memory");
	ret = file_read(&load->kernel, header.e_phoff, headers, bytes, load->error);
	for (uint32_t i = 0; ret == 0 && i < header.e_phnum; i++)
		ret = parse_segment(load, headers + (size_t)i * header.e_phentsize, wide, image);
	free(headers);
	if (ret == 0 && !image->count)
		ret = load_fail(load, VMM_E_INVAL, "is an ELF file with nothing to load");
	return ret;
}

int elf_load_segments(struct load *load, const struct elf_image *image)
{
	char text[256];

	for (uint32_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		int ret = map_take(&load->map, segment->gpa, segment->bytes, "a kernel segment",
			text, sizeof(text));

		if (ret < 0)
			return load_fail(load, ret, "%s (the guest has %llu MiB)", text,
				load_mib(memory_bytes(load->memory)));
		/* What the file does not fill is zero: RAM is fresh. */
		ret = file_load(&load->kernel, segment->offset, segment->file_bytes, load->memory,
			segment->gpa, load->error);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int elf_contains(const struct elf_image *image, uint64_t address)
{
	for (uint32_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (address >= segment->gpa && address - segment->gpa < segment->bytes)
			return 1;
	}
	return 0;
}

bool elf_find_entry(const struct elf_image *image, uint64_t *ret_gpa)
{
	*ret_gpa = image->entry;
	if (elf_contains(image, image->entry))
		return true;
	for (uint32_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		*ret_gpa = image->entry - segment->vaddr + segment->gpa;
		if (image->entry >= segment->vaddr &&
			image->entry - segment->vaddr < segment->bytes)
			return true;
	}
	return false;
}
