/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the note of a plugin. All numbers come from a file that nobody has vouched for: each one is
 * checked against the size of the file before it is used, and every walk is bounded.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/support.h>

#include "plugin/note.h"

#define HEADERS_MAX      256u
#define NOTES_BYTES_MAX  (64u * 1024)
#define DYNAMIC_MAX      1024u
#define NOTE_FIRST_BYTES 88u /* the descriptor's size when the note was new */
#define HEAD_BYTES       4096u
#define DYNAMIC_AT_ONCE  64u

struct reader {
	int fd;
	uint64_t file_bytes;
	struct vmm_error *error;
	size_t head_bytes; /* of head that are filled */
	/* The beginning of the file, where linkers put headers and notes: one system call for all.
	 */
	unsigned char head[HEAD_BYTES];
};

static bool fits(const struct reader *reader, uint64_t offset, uint64_t bytes)
{
	return offset <= reader->file_bytes && bytes <= reader->file_bytes - offset;
}

static int read_at(const struct reader *reader, uint64_t offset, void *memory, size_t bytes)
{
	unsigned char *at = memory;

	if (!fits(reader, offset, bytes)) {
		vmm_set_error(reader->error, "is truncated: its headers point behind its end");
		return VMM_E_INVAL;
	}
	if (offset <= reader->head_bytes && bytes <= reader->head_bytes - offset) {
		memcpy(memory, reader->head + offset, bytes);
		return 0;
	}
	while (bytes) {
		ssize_t got = pread(reader->fd, at, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			vmm_set_error(reader->error, "cannot be read: %s",
				got ? strerror(errno) : "it became shorter");
			return VMM_E_IO;
		}
		at += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

static int read_header(struct reader *reader, Elf64_Ehdr *ret_header)
{
	size_t head_bytes = reader->file_bytes < HEAD_BYTES ? reader->file_bytes : HEAD_BYTES;
	int ret;

	if (!reader->file_bytes) {
		vmm_set_error(reader->error, "is empty");
		return VMM_E_INVAL;
	}
	ret = read_at(reader, 0, reader->head, head_bytes);
	if (ret)
		return ret;
	reader->head_bytes = head_bytes;
	memset(ret_header, 0, sizeof(*ret_header));
	if (reader->file_bytes < sizeof(*ret_header)) {
		char magic[SELFMAG] = "";

		if (fits(reader, 0, SELFMAG) && read_at(reader, 0, magic, SELFMAG))
			return VMM_E_IO;
		vmm_set_error(reader->error, memcmp(magic, ELFMAG, SELFMAG)
						     ? "is not an ELF file"
						     : "is truncated: its ELF header is cut");
		return VMM_E_INVAL;
	}
	return read_at(reader, 0, ret_header, sizeof(*ret_header));
}

static int check_header(const struct reader *reader, const Elf64_Ehdr *header)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
		vmm_set_error(reader->error, "is not an ELF file");
		return VMM_E_INVAL;
	}
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
		header->e_machine != EM_X86_64) {
		vmm_set_error(reader->error,
			"is for another processor (ELF machine %u), not x86-64", header->e_machine);
		return VMM_E_UNSUPPORTED;
	}
	if (header->e_type != ET_DYN) {
		vmm_set_error(reader->error, "is an ELF file, but not a shared object");
		return VMM_E_INVAL;
	}
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
		header->e_phnum > HEADERS_MAX) {
		vmm_set_error(reader->error, "has damaged ELF headers");
		return VMM_E_INVAL;
	}
	/* Sections come last in a file: without them it was cut. Stripped of them is fine. */
	if (header->e_shoff &&
		!fits(reader, header->e_shoff, (uint64_t)header->e_shnum * header->e_shentsize)) {
		vmm_set_error(reader->error, "is truncated: its section headers are cut");
		return VMM_E_INVAL;
	}
	return 0;
}

/* Looks for ours in a block of notes. Returns 1 if it is there, 0 if not, or an error. */
static int find_note(const struct reader *reader, const unsigned char *block, size_t bytes,
	size_t align, struct vmm_plugin_note *ret_note)
{
	size_t at = 0;

	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		size_t name, desc, next;

		memcpy(&header, block + at, sizeof(header));
		name = at + sizeof(header);
		if (header.n_namesz > bytes - name)
			break;
		desc = (name + header.n_namesz + align - 1) / align * align;
		if (desc > bytes || header.n_descsz > bytes - desc)
			break;
		if (header.n_type == VMM_NOTE_TYPE && header.n_namesz == sizeof(ret_note->name) &&
			!memcmp(block + name, VMM_NOTE_NAME, sizeof(ret_note->name))) {
			size_t known = VMM_NOTE_DESC_BYTES;

			if (header.n_descsz < NOTE_FIRST_BYTES) {
				vmm_set_error(reader->error,
					"has a damaged note %s: it is too short", VMM_NOTE_SECTION);
				return VMM_E_INVAL;
			}
			memset(ret_note, 0, sizeof(*ret_note));
			if (header.n_descsz < known)
				known = header.n_descsz;
			memcpy(&ret_note->abi_major, block + desc, known);
			return 1;
		}
		next = (desc + header.n_descsz + align - 1) / align * align;
		if (next > bytes)
			break;
		at = next;
	}
	return 0;
}

static int find_note_in_segment(
	const struct reader *reader, const Elf64_Phdr *segment, struct vmm_plugin_note *ret_note)
{
	size_t align = segment->p_align == 8 ? 8 : 4;
	unsigned char *block;
	int ret;

	if (segment->p_filesz > NOTES_BYTES_MAX) {
		vmm_set_error(reader->error, "has damaged ELF headers");
		return VMM_E_INVAL;
	}
	block = malloc(segment->p_filesz + 1);
	if (!block) {
		vmm_set_error(reader->error, "cannot be read: no memory");
		return VMM_E_NOMEM;
	}
	ret = read_at(reader, segment->p_offset, block, segment->p_filesz);
	if (!ret)
		ret = find_note(reader, block, segment->p_filesz, align, ret_note);
	free(block);
	return ret;
}

/* Returns 1 if all symbols are bound when the file is loaded, 0 if not, or an error. */
static int binds_now(const struct reader *reader, const Elf64_Phdr *dynamic)
{
	uint64_t count = dynamic->p_filesz / sizeof(Elf64_Dyn);
	Elf64_Dyn entries[DYNAMIC_AT_ONCE];

	if (count > DYNAMIC_MAX)
		count = DYNAMIC_MAX;
	for (uint64_t i = 0; i < count; i++) {
		const Elf64_Dyn *entry = &entries[i % DYNAMIC_AT_ONCE];

		if (i % DYNAMIC_AT_ONCE == 0) {
			uint64_t left = count - i;
			size_t some = left < DYNAMIC_AT_ONCE ? left : DYNAMIC_AT_ONCE;
			int ret = read_at(reader, dynamic->p_offset + i * sizeof(entries[0]),
				entries, some * sizeof(entries[0]));

			if (ret)
				return ret;
		}
		if (entry->d_tag == DT_NULL)
			break;
		if (entry->d_tag == DT_BIND_NOW ||
			(entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_BIND_NOW) ||
			(entry->d_tag == DT_FLAGS_1 && entry->d_un.d_val & DF_1_NOW))
			return 1;
	}
	return 0;
}

static int walk_segments(
	const struct reader *reader, const Elf64_Ehdr *header, struct vmm_plugin_note *ret_note)
{
	bool has_note = false;
	bool is_bound = false;

	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment = {0};
		int ret = read_at(
			reader, header->e_phoff + i * sizeof(segment), &segment, sizeof(segment));

		if (ret)
			return ret;
		if ((segment.p_type == PT_LOAD || segment.p_type == PT_NOTE ||
			    segment.p_type == PT_DYNAMIC) &&
			!fits(reader, segment.p_offset, segment.p_filesz)) {
			vmm_set_error(reader->error, "is truncated: a part of its code or data is "
						     "behind its end");
			return VMM_E_INVAL;
		}
		if (segment.p_type == PT_NOTE && !has_note) {
			ret = find_note_in_segment(reader, &segment, ret_note);
			has_note = ret == 1;
		} else if (segment.p_type == PT_DYNAMIC) {
			ret = binds_now(reader, &segment);
			is_bound = ret == 1;
		}
		if (ret < 0)
			return ret;
	}
	if (!has_note) {
		vmm_set_error(reader->error, "is not a plugin of vmm: it has no note %s",
			VMM_NOTE_SECTION);
		return VMM_E_INVAL;
	}
	if (!is_bound) {
		vmm_set_error(reader->error,
			"is not linked with -z now, so a missing symbol would be noticed only when "
			"the guest runs; link it with -Wl,-z,now");
		return VMM_E_INVAL;
	}
	return 0;
}

int plugin_note_read(int fd, struct vmm_plugin_note *ret_note, struct vmm_error *error)
{
	struct reader reader = {.fd = fd, .error = error};
	struct vmm_plugin_note note = {0};
	Elf64_Ehdr header;
	struct stat info;
	int ret;

	if (fstat(fd, &info)) {
		vmm_set_error(error, "cannot be read: %s", strerror(errno));
		return VMM_E_IO;
	}
	reader.file_bytes = (uint64_t)info.st_size;
	ret = read_header(&reader, &header);
	if (!ret)
		ret = check_header(&reader, &header);
	if (!ret)
		ret = walk_segments(&reader, &header, &note);
	if (ret)
		return ret;
	if (!memchr(note.plugin_id, '\0', sizeof(note.plugin_id)) || !note.plugin_id[0] ||
		!memchr(note.types, '\0', sizeof(note.types))) {
		vmm_set_error(
			error, "has a damaged note %s: its texts do not end", VMM_NOTE_SECTION);
		return VMM_E_INVAL;
	}
	*ret_note = note;
	return 0;
}

int plugin_note_check(const struct vmm_plugin_note *note, struct vmm_error *error)
{
	if (note->abi_major != VMM_ABI_MAJOR) {
		vmm_set_error(error,
			"is built for plugin ABI %u.%u, but this vmm speaks ABI %u.%u; %s",
			note->abi_major, note->abi_minor, VMM_ABI_MAJOR, VMM_ABI_MINOR,
			note->abi_major > VMM_ABI_MAJOR ? "update vmm" : "update the plugin");
		return VMM_E_UNSUPPORTED;
	}
	if (note->min_host_minor > VMM_ABI_MINOR) {
		vmm_set_error(error,
			"needs plugin ABI %u.%u or newer, but this vmm speaks ABI %u.%u; update "
			"vmm",
			note->abi_major, note->min_host_minor, VMM_ABI_MAJOR, VMM_ABI_MINOR);
		return VMM_E_UNSUPPORTED;
	}
	if (note->arch != VMM_NOTE_ARCH_X86_64) {
		vmm_set_error(error, "is for another processor (%u), not x86-64", note->arch);
		return VMM_E_UNSUPPORTED;
	}
	if (note->libc != VMM_NOTE_LIBC) {
		vmm_set_error(error, "is built for another C library than this vmm");
		return VMM_E_UNSUPPORTED;
	}
	if (note->reserved) {
		vmm_set_error(error, "has a note with flags that this vmm does not know");
		return VMM_E_TOO_NEW;
	}
	return 0;
}
