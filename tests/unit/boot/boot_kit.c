/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of core/boot: see boot_kit.h. Files are memfds, opened again through /proc.
 */
#include "boot_kit.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct kit *kit_create(uint64_t ram_bytes)
{
	struct kit *kit = calloc(1, sizeof(*kit));
	struct memory_extent extents[2];
	struct memory_options options = {.extents = extents};
	int count;

	assert_non_null(kit);
	kit->error = (struct vmm_error){.struct_size = sizeof(kit->error),
		.text = kit->text,
		.text_bytes = sizeof(kit->text)};
	count = memory_layout_pc(ram_bytes, extents);
	assert_true(count > 0);
	options.extent_count = (uint32_t)count;
	assert_int_equal(memory_create(&options, &kit->error, &kit->memory), 0);
	kit->config.rsdp.value = KIT_RSDP;
	return kit;
}

void kit_destroy(struct kit *kit)
{
	memory_destroy(kit->memory);
	for (int i = 0; i < kit->fd_count; i++)
		close(kit->fds[i]);
	free(kit);
}

int kit_set_up(void **state)
{
	*state = kit_create(64 * KIT_MIB);
	return 0;
}

int kit_tear_down(void **state)
{
	kit_destroy(*state);
	return 0;
}

const char *kit_sparse(struct kit *kit, uint64_t length, uint8_t fill)
{
	int fd = memfd_create("kit", MFD_CLOEXEC);
	char *path = kit->paths[kit->fd_count];

	assert_true(fd >= 0);
	assert_true(kit->fd_count < 16);
	assert_int_equal(ftruncate(fd, (off_t)length), 0);
	assert_int_equal(pwrite(fd, &fill, 1, 0), 1);
	kit->fds[kit->fd_count++] = fd;
	snprintf(path, sizeof(kit->paths[0]), "/proc/self/fd/%d", fd);
	return path;
}

const char *kit_file(struct kit *kit, const void *bytes, uint64_t length)
{
	const char *path = kit_sparse(kit, length, 0);
	int fd = kit->fds[kit->fd_count - 1];

	assert_int_equal(ftruncate(fd, (off_t)length), 0);
	assert_int_equal(pwrite(fd, bytes, length, 0), (ssize_t)length);
	return path;
}

int kit_boot(struct kit *kit)
{
	memset(&kit->state, 0xa5, sizeof(kit->state));
	kit->text[0] = '\0';
	return boot_load(kit->memory, &kit->config, &kit->state, &kit->result, &kit->error);
}

int kit_boot_image(struct kit *kit, const struct kit_image *image)
{
	int ret;

	kit->config.kernel_path = kit_file(kit, image->bytes, image->length);
	ret = kit_boot(kit);
	close(kit->fds[--kit->fd_count]);
	return ret;
}

void kit_expect(struct kit *kit, const struct kit_image *image, int code, const char *part)
{
	int ret = kit_boot_image(kit, image);

	if (!strstr(kit->text, part))
		fail_msg("the error is \"%s\", not \"%s\"", kit->text, part);
	assert_int_equal(ret, code);
}

void kit_put_bytes(struct kit_image *image, uint64_t at, const void *bytes, uint64_t length)
{
	assert_true(at + length <= KIT_IMAGE_MAX);
	memcpy(image->bytes + at, bytes, length);
	if (at + length > image->length)
		image->length = at + length;
}

void kit_put(struct kit_image *image, uint64_t at, uint64_t value, unsigned bytes)
{
	kit_put_bytes(image, at, &value, bytes);
}

uint64_t kit_get(struct kit *kit, uint64_t gpa, unsigned bytes)
{
	uint64_t value = 0;

	assert_int_equal(memory_read(kit->memory, (vmm_gpa){gpa}, &value, bytes), 0);
	return value;
}

const char *kit_string(struct kit *kit, uint64_t gpa)
{
	static char text[BOOT_CMDLINE_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)kit_get(kit, gpa + i, 1);
		if (!text[i])
			return text;
	}
	fail();
	return NULL;
}

void kit_linux(struct kit_image *image)
{
	memset(image, 0, sizeof(*image));
	kit_put(image, 0x1f1, 1, 1);                    /* setup_sects */
	kit_put(image, 0x1f4, KIT_LINUX_BYTES / 16, 4); /* syssize */
	kit_put(image, 0x1fe, 0xaa55, 2);               /* boot_flag */
	kit_put(image, 0x200, 0x6aeb, 2);               /* jump over the header */
	kit_put_bytes(image, 0x202, "HdrS", 4);
	kit_put(image, 0x206, 0x20f, 2);      /* version */
	kit_put(image, 0x211, 1, 1);          /* loadflags: LOADED_HIGH */
	kit_put(image, 0x22c, 0x7fffffff, 4); /* initrd_addr_max */
	kit_put(image, 0x230, 0x200000, 4);   /* kernel_alignment */
	kit_put(image, 0x234, 1, 1);          /* relocatable_kernel */
	kit_put(image, 0x236, 3, 2);          /* xloadflags: 64-bit entry, above 4 GiB */
	kit_put(image, 0x238, 2047, 4);       /* cmdline_size */
	kit_put(image, 0x258, KIT_LINUX_PREF, 8);
	kit_put(image, 0x260, KIT_LINUX_INIT, 4);
	for (uint64_t i = 0; i < KIT_LINUX_BYTES; i += 8)
		kit_put(image, KIT_LINUX_PAYLOAD + i, 0x1122334400000000u + i, 8);
}

static void put_elf64(struct kit_image *image, uint16_t segments)
{
	Elf64_Ehdr header = {.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = KIT_ELF_ENTRY,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = segments};
	Elf64_Phdr parts[2] = {{.p_type = PT_LOAD,
				       .p_offset = KIT_ELF_DATA,
				       .p_paddr = KIT_ELF_GPA,
				       .p_filesz = KIT_ELF_FILE,
				       .p_memsz = KIT_ELF_MEM},
		{.p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = 64, .p_align = 4}};

	memcpy(header.e_ident, ELFMAG "\x02\x01\x01", 7);
	kit_put_bytes(image, 0, &header, sizeof(header));
	kit_put_bytes(image, sizeof(header), parts, sizeof(parts));
}

static void put_elf32(struct kit_image *image, uint16_t segments)
{
	Elf32_Ehdr header = {.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = 1,
		.e_entry = KIT_ELF_ENTRY,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = segments};
	Elf32_Phdr parts[2] = {{.p_type = PT_LOAD,
				       .p_offset = KIT_ELF_DATA,
				       .p_paddr = KIT_ELF_GPA,
				       .p_filesz = KIT_ELF_FILE,
				       .p_memsz = KIT_ELF_MEM},
		{.p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = 64, .p_align = 4}};

	memcpy(header.e_ident, ELFMAG "\x01\x01\x01", 7);
	kit_put_bytes(image, 0, &header, sizeof(header));
	kit_put_bytes(image, sizeof(header), parts, sizeof(parts));
}

static void put_data(struct kit_image *image)
{
	for (uint64_t i = 0; i < KIT_ELF_FILE; i += 8)
		kit_put(image, KIT_ELF_DATA + i, 0x5566778800000000u + i, 8);
}

void kit_pvh(struct kit_image *image, int wide)
{
	memset(image, 0, sizeof(*image));
	if (wide)
		put_elf64(image, 2);
	else
		put_elf32(image, 2);
	put_data(image);
	/* A note of another kind first: 3 bytes of text, padded. */
	kit_put_bytes(image, 0x200, "\4\0\0\0\3\0\0\0\1\0\0\0GNU\0abc\0", 20);
	kit_put_bytes(image, 0x214, "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0", 16);
	kit_put(image, 0x224, KIT_ELF_ENTRY, 4);
}

void kit_multiboot_elf(struct kit_image *image, int wide, uint32_t flags)
{
	memset(image, 0, sizeof(*image));
	if (wide)
		put_elf64(image, 1);
	else
		put_elf32(image, 1);
	put_data(image);
	kit_put(image, KIT_ELF_DATA, 0x1badb002, 4);
	kit_put(image, KIT_ELF_DATA + 4, flags, 4);
	kit_put(image, KIT_ELF_DATA + 8, -(0x1badb002u + flags), 4);
}

void kit_multiboot_flat(struct kit_image *image)
{
	static const uint32_t header[] = {0x1badb002, 0x10003, -(0x1badb002u + 0x10003u),
		KIT_FLAT_GPA + KIT_FLAT_HEADER, /* header_addr */
		KIT_FLAT_GPA,                   /* load_addr: the file's start */
		KIT_FLAT_GPA + 0x300, KIT_FLAT_GPA + 0x1000, KIT_FLAT_GPA + 0x100};

	memset(image, 0, sizeof(*image));
	for (uint64_t i = 0; i < 0x400; i += 8)
		kit_put(image, i, 0x99aabbcc00000000u + i, 8);
	kit_put_bytes(image, KIT_FLAT_HEADER, header, sizeof(header));
}
