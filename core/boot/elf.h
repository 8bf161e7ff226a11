/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels: program headers and the PVH note, read from an untrusted file, and loading of the
 * segments. Sections and symbols are not looked at.
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "boot/load.h"

#define ELF_SEGMENTS_MAX 64u

/** What elf_load_pvh returns for a file that has no PVH note. */
#define ELF_NO_PVH 1

struct elf_segment {
	uint64_t offset, file_bytes; /* in the file, checked */
	uint64_t gpa, bytes;         /* in guest memory, below 4 GiB, checked */
	uint64_t vaddr;              /* where the kernel has it when it has page tables */
};

struct elf_image {
	uint64_t entry;
	uint64_t note_entry; /* of the PVH note */
	bool has_note;
	uint16_t machine; /* EM_386 or EM_X86_64 */
	uint32_t count;
	uint64_t end; /* of the highest segment */
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

bool elf_is(const struct load *load);

/** Reads the headers and the notes of the kernel file. */
int elf_parse(struct load *load, struct elf_image *image);

/**
 * Where in guest memory the entry is: an address there, or one that the kernel has with page
 * tables, as Multiboot kernels of the higher half say it. False: in no segment.
 */
bool elf_find_entry(const struct elf_image *image, uint64_t *ret_gpa);

/** Takes the segments' places and reads them in. */
int elf_load_segments(struct load *load, const struct elf_image *image);

/** 1 if the address lies in a segment. */
int elf_contains(const struct elf_image *image, uint64_t address);

/** Loads a kernel by its PVH note, or returns ELF_NO_PVH if it can only be something else. */
int elf_load_pvh(struct load *load);

#endif
