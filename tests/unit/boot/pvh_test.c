/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels by PVH: what is put where, and what is refused.
 */
#include "boot_kit.h"

/* Offsets in struct hvm_start_info, hvm_modlist_entry and hvm_memmap_table_entry. */
#define INFO_VERSION  4
#define INFO_MODULES  12
#define INFO_MODLIST  16
#define INFO_CMDLINE  24
#define INFO_RSDP     32
#define INFO_MEMMAP   40
#define INFO_MEMMAP_N 48

#define PHDR64      64 /* in the file: first program header, ELF64 */
#define PHDR64_NOTE (64 + 56)

static struct kit_image image;

static void boot(struct kit *kit)
{
	if (kit_boot_image(kit, &image) != 0)
		fail_msg("%s", kit->text);
	assert_string_equal(kit->result.protocol, "pvh");
}

static void check_entry(struct kit *kit)
{
	assert_int_equal(kit->state.rip, KIT_ELF_ENTRY);
	assert_int_equal(kit->result.entry.value, KIT_ELF_ENTRY);
	assert_int_equal(kit->state.cr0 & ~VCPU_CR0_ET, VCPU_CR0_PE);
	assert_int_equal(kit->state.cr4, 0);
	assert_int_equal(kit->state.efer, 0);
	assert_int_equal(kit->state.rflags, 2);
	assert_int_equal(kit->state.cs.access, VCPU_SEG_CODE32);
	assert_int_equal(kit->state.cs.limit, 0xffffffff);
	assert_int_equal(kit->state.tr.limit, 0x67);
	assert_int_equal(kit_get(kit, KIT_ELF_GPA, 8), 0x5566778800000000u);
	assert_int_equal(kit_get(kit, KIT_ELF_GPA + KIT_ELF_FILE - 8, 8),
		0x5566778800000000u + KIT_ELF_FILE - 8);
	assert_int_equal(kit_get(kit, KIT_ELF_GPA + KIT_ELF_FILE, 8), 0);
}

static void both_elf_classes_are_entered_by_the_note(void **state)
{
	struct kit *kit = *state;

	for (int wide = 0; wide < 2; wide++) {
		kit_pvh(&image, wide);
		kit_put(&image, 24, 0xdead, 4); /* the ELF entry is for others */
		boot(kit);
		check_entry(kit);
	}
}

static void start_info_has_everything(void **state)
{
	static const struct boot_range reserved = {{0xe0000}, 0x20000, BOOT_RANGE_ACPI};
	struct kit *kit = *state;
	uint64_t info, at;

	kit_pvh(&image, 1);
	kit->config.cmdline = "hello world";
	kit->config.reserved = &reserved;
	kit->config.reserved_count = 1;
	boot(kit);
	info = kit->state.rbx;
	assert_int_equal(kit_get(kit, info, 4), 0x336ec578);
	assert_int_equal(kit_get(kit, info + INFO_VERSION, 4), 1);
	assert_int_equal(kit_get(kit, info + 8, 4), 0);
	assert_int_equal(kit_get(kit, info + INFO_MODULES, 4), 0);
	assert_int_equal(kit_get(kit, info + INFO_RSDP, 8), KIT_RSDP);
	assert_string_equal(kit_string(kit, kit_get(kit, info + INFO_CMDLINE, 8)), "hello world");
	assert_int_equal(kit_get(kit, info + INFO_MEMMAP_N, 4), 3);
	at = kit_get(kit, info + INFO_MEMMAP, 8);
	assert_int_equal(kit_get(kit, at, 8), 0);
	assert_int_equal(kit_get(kit, at + 8, 8), 0xa0000);
	assert_int_equal(kit_get(kit, at + 16, 4), 1);
	assert_int_equal(kit_get(kit, at + 24, 8), 0xe0000);
	assert_int_equal(kit_get(kit, at + 32, 8), 0x20000);
	assert_int_equal(kit_get(kit, at + 40, 4), 3);
	assert_int_equal(kit_get(kit, at + 48, 8), 0x100000);
	assert_int_equal(kit_get(kit, at + 56, 8), 63 * KIT_MIB);
	assert_int_equal(kit_get(kit, at + 64, 4), 1);
}

static void the_initrd_is_the_first_module(void **state)
{
	struct boot_module modules[2] = {{.cmdline = "first one"}, {.cmdline = NULL}};
	struct kit *kit = *state;
	uint64_t info, list, gpa;

	modules[0].path = kit_file(kit, "one", 3);
	modules[1].path = kit_file(kit, "second", 6);
	kit->config.initrd_path = kit_sparse(kit, 2 * KIT_MIB, 0x5a);
	kit->config.modules = modules;
	kit->config.module_count = 2;
	kit_pvh(&image, 1);
	boot(kit);
	info = kit->state.rbx;
	assert_int_equal(kit_get(kit, info + INFO_MODULES, 4), 3);
	list = kit_get(kit, info + INFO_MODLIST, 8);
	gpa = kit_get(kit, list, 8);
	assert_true(gpa >= KIT_ELF_GPA + KIT_ELF_MEM && gpa % 0x1000 == 0);
	assert_int_equal(kit_get(kit, list + 8, 8), 2 * KIT_MIB);
	assert_int_equal(kit_get(kit, gpa, 1), 0x5a);
	assert_int_equal(kit_get(kit, list + 16, 8), 0); /* no command line */
	gpa = kit_get(kit, list + 32, 8);
	assert_int_equal(gpa % 0x1000, 0);
	assert_int_equal(kit_get(kit, list + 40, 8), 3);
	assert_string_equal(kit_string(kit, gpa), "one");
	assert_string_equal(kit_string(kit, kit_get(kit, list + 48, 8)), "first one");
	assert_string_equal(kit_string(kit, kit_get(kit, list + 64, 8)), "second");
	assert_int_equal(kit_get(kit, list + 80, 8), 0);
}

static void a_note_may_have_8_bytes_and_8_byte_alignment(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 1);
	memset(image.bytes + 0x200, 0, 64);
	kit_put_bytes(&image, 0x200, "\4\0\0\0\x8\0\0\0\x12\0\0\0Xen\0", 16);
	kit_put(&image, 0x210, KIT_ELF_ENTRY, 8);
	boot(kit);
	assert_int_equal(kit->state.rip, KIT_ELF_ENTRY);
	kit_put(&image, PHDR64_NOTE + 48, 8, 8);
	kit_put_bytes(&image, 0x200, "\4\0\0\0\1\0\0\0\x63\0\0\0GNU\0\x55\0\0\0\0\0\0\0", 24);
	kit_put_bytes(&image, 0x218, "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0", 16);
	kit_put(&image, 0x228, KIT_ELF_ENTRY, 4);
	boot(kit);
}

static void notes_that_lie_about_their_size_are_not_followed(void **state)
{
	struct kit *kit = *state;

	for (unsigned at = 0; at < 8; at += 4) {
		kit_pvh(&image, 1);
		kit_put(&image, 0x200 + at, 0xffffffff, 4);
		kit_expect(kit, &image, VMM_E_INVAL, "without a PVH note");
	}
	for (uint64_t bytes = 0x14; bytes < 0x28; bytes++) { /* the segment ends in the note */
		kit_pvh(&image, 1);
		kit_put(&image, PHDR64_NOTE + 32, bytes, 8);
		kit_expect(kit, &image, VMM_E_INVAL, "without a PVH note");
	}
	kit_pvh(&image, 1);
	kit_put(&image, 0x218, 5, 4); /* PVH entry with 5 bytes */
	kit_expect(kit, &image, VMM_E_INVAL, "without a PVH note");
	kit_pvh(&image, 1);
	kit_put(&image, PHDR64_NOTE + 32, 0x200000, 8);
	kit_expect(kit, &image, VMM_E_INVAL, "ELF note segment of 2097152 bytes");
	kit_pvh(&image, 1);
	kit_put(&image, PHDR64_NOTE + 8, UINT64_MAX - 8, 8);
	kit_expect(kit, &image, VMM_E_INVAL, "is cut off");
}

static void the_entry_must_lie_in_the_kernel(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 1);
	kit_put(&image, 0x224, KIT_ELF_GPA + KIT_ELF_MEM, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "which is in none of its segments");
	kit_put(&image, 0x224, KIT_ELF_GPA + KIT_ELF_MEM - 1, 4);
	boot(kit);
}

static void segments_must_be_in_the_file_and_in_ram(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 1);
	kit_put(&image, PHDR64 + 32, KIT_ELF_MEM + 1, 8); /* filesz > memsz */
	kit_expect(kit, &image, VMM_E_INVAL, "cut off or damaged");
	kit_pvh(&image, 1);
	image.length = KIT_ELF_DATA + KIT_ELF_FILE - 1;
	kit_expect(kit, &image, VMM_E_INVAL, "cut off or damaged");
	kit_pvh(&image, 1);
	kit_put(&image, PHDR64 + 8, UINT64_MAX, 8); /* offset */
	kit_expect(kit, &image, VMM_E_INVAL, "cut off or damaged");
	kit_pvh(&image, 1);
	kit_put(&image, PHDR64 + 24, UINT64_MAX - 0xfff, 8); /* paddr wraps */
	kit_expect(kit, &image, VMM_E_INVAL, "below 4 GiB");
	kit_put(&image, PHDR64 + 24, 0xffffffff, 8);
	kit_expect(kit, &image, VMM_E_INVAL, "below 4 GiB");
	kit_put(&image, PHDR64 + 24, 64 * KIT_MIB - KIT_ELF_MEM + 1, 8);
	kit_put(&image, 0x224, 64 * KIT_MIB - 1, 4);
	kit_expect(
		kit, &image, VMM_E_RANGE, "not all free RAM of the guest (the guest has 64 MiB)");
	kit_put(&image, PHDR64 + 24, 0x9f000, 8); /* into the hole below 1 MiB */
	kit_put(&image, 0x224, 0x9f000, 4);
	kit_expect(kit, &image, VMM_E_RANGE, "not all free RAM");
	kit_pvh(&image, 1);
	kit_put(&image, PHDR64, 6, 4); /* PT_PHDR: nothing is left to load */
	kit_expect(kit, &image, VMM_E_INVAL, "nothing to load");
}

static void segments_must_not_overlap(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 1);
	kit_put(&image, 56, 3, 2);
	kit_put_bytes(&image, PHDR64 + 2 * 56, image.bytes + PHDR64, 56);
	kit_put(&image, PHDR64 + 2 * 56 + 24, KIT_ELF_GPA + KIT_ELF_MEM - 1, 8);
	kit_expect(kit, &image, VMM_E_EXISTS, "overlaps a kernel segment at 0x200000 to 0x202fff");
	kit_put(&image, PHDR64 + 2 * 56 + 24, KIT_ELF_GPA + KIT_ELF_MEM, 8);
	boot(kit);
}

static void structures_go_around_a_kernel_in_low_memory(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 1);
	kit_put(&image, PHDR64 + 24, 0x1000, 8);
	kit_put(&image, PHDR64 + 40, 0x9f000, 8); /* all of it */
	kit_put(&image, 0x224, 0x1000, 4);
	kit->config.cmdline = "x";
	boot(kit);
	assert_true(kit->state.rbx >= 0x100000);
	assert_string_equal(kit_string(kit, kit_get(kit, kit->state.rbx + INFO_CMDLINE, 8)), "x");
	assert_int_equal(kit_get(kit, 0x1000, 8), 0x5566778800000000u);
}

static void a_module_that_does_not_fit_says_so(void **state)
{
	struct boot_module module = {0};
	struct kit *kit = *state;

	module.path = kit_sparse(kit, 63 * KIT_MIB, 1);
	kit->config.modules = &module;
	kit->config.module_count = 1;
	kit_pvh(&image, 1);
	kit_expect(kit, &image, VMM_E_LIMIT, "the guest has 64 MiB and needs at least 66 MiB");
}

static void the_command_line_has_a_limit(void **state)
{
	static char cmdline[BOOT_CMDLINE_BYTES_MAX + 1];
	struct kit *kit = *state;

	memset(cmdline, 'y', BOOT_CMDLINE_BYTES_MAX);
	kit->config.cmdline = cmdline;
	kit_pvh(&image, 1);
	kit_expect(kit, &image, VMM_E_LIMIT, "has 65536 characters");
	cmdline[BOOT_CMDLINE_BYTES_MAX - 1] = '\0';
	boot(kit);
	assert_string_equal(
		kit_string(kit, kit_get(kit, kit->state.rbx + INFO_CMDLINE, 8)), cmdline);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_elf_classes_are_entered_by_the_note),
		TEST(start_info_has_everything),
		TEST(the_initrd_is_the_first_module),
		TEST(a_note_may_have_8_bytes_and_8_byte_alignment),
		TEST(notes_that_lie_about_their_size_are_not_followed),
		TEST(the_entry_must_lie_in_the_kernel),
		TEST(segments_must_be_in_the_file_and_in_ram),
		TEST(segments_must_not_overlap),
		TEST(structures_go_around_a_kernel_in_low_memory),
		TEST(a_module_that_does_not_fit_says_so),
		TEST(the_command_line_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
