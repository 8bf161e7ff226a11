/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multiboot 1 kernels: what is put where, and what is refused.
 */
#include "boot_kit.h"

/* Offsets in the Multiboot information. */
#define INFO_MEM_LOWER 4
#define INFO_MEM_UPPER 8
#define INFO_CMDLINE   16
#define INFO_MODS      20
#define INFO_MODS_ADDR 24
#define INFO_MMAP      44
#define INFO_MMAP_ADDR 48
#define INFO_LOADER    64

/* Offsets in the flat image's header. */
#define HEADER_FLAGS    (KIT_FLAT_HEADER + 4)
#define HEADER_CHECKSUM (KIT_FLAT_HEADER + 8)
#define HEADER_ADDR     (KIT_FLAT_HEADER + 12)
#define HEADER_LOAD     (KIT_FLAT_HEADER + 16)
#define HEADER_LOAD_END (KIT_FLAT_HEADER + 20)
#define HEADER_BSS_END  (KIT_FLAT_HEADER + 24)
#define HEADER_ENTRY    (KIT_FLAT_HEADER + 28)

static struct kit_image image;

static void boot(struct kit *kit)
{
	if (kit_boot_image(kit, &image) != 0)
		fail_msg("%s", kit->text);
	assert_string_equal(kit->result.protocol, "multiboot");
	assert_int_equal(kit->state.rax, 0x2badb002);
	assert_int_equal(kit->state.cr0 & ~VCPU_CR0_ET, VCPU_CR0_PE);
	assert_int_equal(kit->state.rflags, 2);
	assert_int_equal(kit->state.cs.access, VCPU_SEG_CODE32);
	assert_int_equal(kit->state.ss.limit, 0xffffffff);
}

static void elf_kernels_are_entered_at_the_elf_entry(void **state)
{
	struct kit *kit = *state;

	for (int wide = 0; wide < 2; wide++) {
		kit_multiboot_elf(&image, wide, 3);
		boot(kit);
		assert_int_equal(kit->state.rip, KIT_ELF_ENTRY);
		assert_int_equal(kit_get(kit, KIT_ELF_GPA, 4), 0x1badb002);
		assert_int_equal(kit_get(kit, KIT_ELF_GPA + KIT_ELF_FILE - 8, 8),
			0x5566778800000000u + KIT_ELF_FILE - 8);
	}
}

static void flat_kernels_are_loaded_by_their_header(void **state)
{
	struct kit *kit = *state;

	kit_multiboot_flat(&image);
	boot(kit);
	assert_int_equal(kit->state.rip, KIT_FLAT_GPA + 0x100);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA, 8), 0x99aabbcc00000000u);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA + 0x2f8, 8), 0x99aabbcc000002f8u);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA + 0x300, 8), 0); /* behind load_end_addr */
}

static void a_load_end_of_zero_means_the_whole_file(void **state)
{
	struct kit *kit = *state;

	kit_multiboot_flat(&image);
	kit_put(&image, HEADER_LOAD_END, 0, 4);
	kit_put(&image, HEADER_BSS_END, 0, 4);
	boot(kit);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA + 0x3f8, 8), 0x99aabbcc000003f8u);
}

static void load_addresses_may_leave_the_files_start_out(void **state)
{
	struct kit *kit = *state;

	kit_multiboot_flat(&image);
	kit_put(&image, HEADER_LOAD, KIT_FLAT_GPA + 0x40, 4);
	boot(kit);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA + 0x38, 8), 0);
	assert_int_equal(kit_get(kit, KIT_FLAT_GPA + 0x40, 4), 0x1badb002);
}

static void information_has_memory_command_line_and_loader(void **state)
{
	static const struct boot_range reserved = {{0xe0000}, 0x20000, BOOT_RANGE_ACPI};
	struct kit *kit = *state;
	uint64_t info, at;

	kit->config.cmdline = "run fast";
	kit->config.reserved = &reserved;
	kit->config.reserved_count = 1;
	kit_multiboot_elf(&image, 0, 3);
	boot(kit);
	info = kit->state.rbx;
	assert_int_equal(kit_get(kit, info, 4), 0x1 | 0x4 | 0x40 | 0x200);
	assert_int_equal(kit_get(kit, info + INFO_MEM_LOWER, 4), 640);
	assert_int_equal(kit_get(kit, info + INFO_MEM_UPPER, 4), 63 * 1024);
	assert_string_equal(kit_string(kit, kit_get(kit, info + INFO_CMDLINE, 4)), "run fast");
	assert_string_equal(kit_string(kit, kit_get(kit, info + INFO_LOADER, 4)), "vmm");
	assert_int_equal(kit_get(kit, info + INFO_MMAP, 4), 3 * 24);
	at = kit_get(kit, info + INFO_MMAP_ADDR, 4);
	assert_int_equal(kit_get(kit, at, 4), 20);
	assert_int_equal(kit_get(kit, at + 4, 8), 0);
	assert_int_equal(kit_get(kit, at + 12, 8), 0xa0000);
	assert_int_equal(kit_get(kit, at + 20, 4), 1);
	assert_int_equal(kit_get(kit, at + 24, 4), 20);
	assert_int_equal(kit_get(kit, at + 28, 8), 0xe0000);
	assert_int_equal(kit_get(kit, at + 44, 4), 3);
	assert_int_equal(kit_get(kit, at + 52, 8), 0x100000);
	assert_int_equal(kit_get(kit, at + 60, 8), 63 * KIT_MIB);
}

static void modules_are_page_aligned_with_their_command_lines(void **state)
{
	struct boot_module modules[2] = {{.cmdline = "mod=1 a b"}, {0}};
	struct kit *kit = *state;
	uint64_t info, list, first, second;

	modules[0].path = kit_sparse(kit, 0x1001, 'm');
	modules[1].path = kit_file(kit, "two", 3);
	kit->config.modules = modules;
	kit->config.module_count = 2;
	kit_multiboot_elf(&image, 0, 3);
	boot(kit);
	info = kit->state.rbx;
	assert_int_equal(kit_get(kit, info, 4) & 8, 8);
	assert_int_equal(kit_get(kit, info + INFO_MODS, 4), 2);
	list = kit_get(kit, info + INFO_MODS_ADDR, 4);
	first = kit_get(kit, list, 4);
	second = kit_get(kit, list + 16, 4);
	assert_int_equal(first, KIT_ELF_GPA + KIT_ELF_MEM);
	assert_int_equal(kit_get(kit, list + 4, 4), first + 0x1001);
	assert_int_equal(kit_get(kit, first, 1), 'm');
	assert_string_equal(kit_string(kit, kit_get(kit, list + 8, 4)), "mod=1 a b");
	assert_int_equal(second, first + 0x2000);
	assert_string_equal(kit_string(kit, second), "two");
	assert_string_equal(kit_string(kit, kit_get(kit, list + 24, 4)), "");
}

static void the_header_must_be_whole_in_the_first_8_kib_and_aligned(void **state)
{
	struct kit *kit = *state;

	kit_multiboot_flat(&image);
	memset(&image, 0, sizeof(image));
	image.length = 0x4000;
	kit_put(&image, 8192 - 12, 0x1badb002, 4);
	kit_put(&image, 8192 - 8, 3, 4);
	kit_put(&image, 8192 - 4, -(0x1badb002u + 3), 4);
	kit_expect(kit, &image, VMM_E_INVAL, "without load addresses, and is no ELF file");
	memmove(image.bytes + 8192 - 8, image.bytes + 8192 - 12, 12);
	memset(image.bytes + 8192 - 12, 0, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "cannot be booted");
	memset(&image, 0, sizeof(image));
	image.length = 0x4000;
	kit_put(&image, 0x102, 0x1badb002, 4);
	kit_put(&image, 0x106, 3, 4);
	kit_put(&image, 0x10a, -(0x1badb002u + 3), 4);
	kit_expect(kit, &image, VMM_E_INVAL, "cannot be booted");
}

static void a_wrong_checksum_is_no_header(void **state)
{
	kit_multiboot_flat(&image);
	kit_put(&image, HEADER_CHECKSUM, 0, 4);
	kit_expect(*state, &image, VMM_E_INVAL, "cannot be booted");
}

static void demands_that_cannot_be_met_are_named(void **state)
{
	kit_multiboot_elf(&image, 0, 7);
	kit_expect(*state, &image, VMM_E_INVAL, "asks for a video mode");
	kit_multiboot_elf(&image, 0, 0x8003);
	kit_expect(*state, &image, VMM_E_INVAL, "does not know: flags 0x8000");
	kit_multiboot_elf(&image, 0, 0x20000); /* the high ones are only hints */
	boot(*state);
}

static void refuse(struct kit *kit, uint64_t at, uint32_t value, int code, const char *part)
{
	kit_multiboot_flat(&image);
	kit_put(&image, at, value, 4);
	kit_expect(kit, &image, code, part);
}

static void load_addresses_are_checked(void **state)
{
	const uint32_t gpa = KIT_FLAT_GPA;

	refuse(*state, HEADER_LOAD, gpa + 0x44, VMM_E_INVAL, "before the load address");
	refuse(*state, HEADER_LOAD, gpa - 4, VMM_E_INVAL, "before the file's start");
	refuse(*state, HEADER_LOAD, 0, VMM_E_INVAL, "before the file's start");
	refuse(*state, HEADER_ADDR, 0xffffffff, VMM_E_INVAL, "before the file's start");
	refuse(*state, HEADER_LOAD_END, gpa + 0x401, VMM_E_INVAL, "cut off or damaged");
	refuse(*state, HEADER_LOAD_END, gpa, VMM_E_INVAL, "cut off or damaged");
	refuse(*state, HEADER_LOAD_END, 1, VMM_E_INVAL, "cut off or damaged");
	refuse(*state, HEADER_BSS_END, gpa + 0x2ff, VMM_E_INVAL, "before its data");
	refuse(*state, HEADER_BSS_END, 1, VMM_E_INVAL, "before its data");
	refuse(*state, HEADER_BSS_END, 0xffffffff, VMM_E_RANGE, "not all free RAM");
	refuse(*state, HEADER_ENTRY, gpa - 1, VMM_E_INVAL, "outside of what it loads");
	refuse(*state, HEADER_ENTRY, gpa + 0x1000, VMM_E_INVAL, "outside of what it loads");
}

static void a_header_with_addresses_must_not_be_cut_off(void **state)
{
	kit_multiboot_flat(&image);
	image.length = KIT_FLAT_HEADER + 31;
	kit_expect(*state, &image, VMM_E_INVAL, "cannot be booted");
}

/* A kernel of the higher half: both addresses are those that it has with page tables. */
static void an_elf_entry_may_be_virtual(void **state)
{
	static const uint64_t vaddr_at[] = {52 + 8, 64 + 16};
	struct kit *kit = *state;

	for (int wide = 0; wide < 2; wide++) {
		kit_multiboot_elf(&image, wide, 3);
		kit_put(&image, vaddr_at[wide], KIT_ELF_GPA + 0xc0000000u, wide ? 8 : 4);
		kit_put(&image, 24, KIT_ELF_ENTRY + 0xc0000000u, wide ? 8 : 4);
		boot(kit);
		assert_int_equal(kit->state.rip, KIT_ELF_ENTRY);
	}
}

static void the_elf_entry_must_lie_in_the_kernel(void **state)
{
	kit_multiboot_elf(&image, 0, 3);
	kit_put(&image, 24, KIT_ELF_GPA - 1, 4);
	kit_expect(*state, &image, VMM_E_INVAL, "which is in none of its segments");
}

static void pvh_is_taken_where_both_are_there(void **state)
{
	struct kit *kit = *state;

	kit_pvh(&image, 0);
	kit_put(&image, KIT_ELF_DATA, 0x1badb002, 4);
	kit_put(&image, KIT_ELF_DATA + 4, 3, 4);
	kit_put(&image, KIT_ELF_DATA + 8, -(0x1badb002u + 3), 4);
	assert_int_equal(kit_boot_image(kit, &image), 0);
	assert_string_equal(kit->result.protocol, "pvh");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(elf_kernels_are_entered_at_the_elf_entry),
		TEST(flat_kernels_are_loaded_by_their_header),
		TEST(a_load_end_of_zero_means_the_whole_file),
		TEST(load_addresses_may_leave_the_files_start_out),
		TEST(information_has_memory_command_line_and_loader),
		TEST(modules_are_page_aligned_with_their_command_lines),
		TEST(the_header_must_be_whole_in_the_first_8_kib_and_aligned),
		TEST(a_wrong_checksum_is_no_header),
		TEST(demands_that_cannot_be_met_are_named),
		TEST(load_addresses_are_checked),
		TEST(a_header_with_addresses_must_not_be_cut_off),
		TEST(an_elf_entry_may_be_virtual),
		TEST(the_elf_entry_must_lie_in_the_kernel),
		TEST(pvh_is_taken_where_both_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
