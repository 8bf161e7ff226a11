/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux bzImage: what is put where, and what is refused.
 */
#include <asm/bootparam.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "boot_kit.h"

static struct kit_image image;

static struct boot_params zero_page(struct kit *kit)
{
	struct boot_params params;

	assert_int_equal(
		memory_read(kit->memory, (vmm_gpa){kit->state.rsi}, &params, sizeof(params)), 0);
	return params;
}

static void boot(struct kit *kit)
{
	if (kit_boot_image(kit, &image) != 0)
		fail_msg("%s", kit->text);
	assert_string_equal(kit->result.protocol, "linux");
	assert_int_equal(kit->result.entry.value, kit->state.rip);
}

static void the_kernel_is_at_its_address_and_entered_in_long_mode(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	boot(kit);
	assert_int_equal(kit->state.rip, KIT_LINUX_PREF + 0x200);
	assert_int_equal(kit_get(kit, KIT_LINUX_PREF, 8), 0x1122334400000000u);
	assert_int_equal(kit_get(kit, KIT_LINUX_PREF + KIT_LINUX_BYTES - 8, 8),
		0x1122334400000000u + KIT_LINUX_BYTES - 8);
	assert_int_equal(kit_get(kit, KIT_LINUX_PREF + KIT_LINUX_BYTES, 8), 0);
	assert_int_equal(kit->state.rflags, 2);
	assert_int_equal(kit->state.cs.selector, 0x10);
	assert_int_equal(kit->state.ds.selector, 0x18);
	assert_int_equal(kit->state.cs.access, VCPU_SEG_CODE64);
	assert_int_equal(kit->state.cr0 & (VCPU_CR0_PE | VCPU_CR0_PG), VCPU_CR0_PE | VCPU_CR0_PG);
	assert_int_equal(kit->state.efer, VCPU_EFER_LME | VCPU_EFER_LMA);
}

static void page_tables_map_4_gib_to_itself(void **state)
{
	struct kit *kit = *state;
	uint64_t pdpt;

	kit_linux(&image);
	boot(kit);
	pdpt = kit_get(kit, kit->state.cr3, 8);
	assert_int_equal(pdpt & 0xfff, 3);
	for (uint64_t address = 0; address < MAP_4G; address += 0x200000) {
		uint64_t pd = kit_get(kit, (pdpt & ~UINT64_C(0xfff)) + (address >> 30) * 8, 8);
		uint64_t entry =
			kit_get(kit, (pd & ~UINT64_C(0xfff)) + ((address >> 21) & 511) * 8, 8);

		assert_int_equal(pd & 0xfff, 3);
		assert_int_equal(entry, address | 0x83);
	}
}

static void the_descriptor_table_has_the_selectors_of_the_protocol(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	boot(kit);
	assert_true(kit->state.gdt.limit >= 0x1f);
	assert_int_equal(kit_get(kit, kit->state.gdt.base + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(kit_get(kit, kit->state.gdt.base + 0x18, 8), 0x00cf93000000ffff);
	assert_int_equal(kit->state.idt.limit, 0);
}

static void the_zero_page_has_header_command_line_and_rsdp(void **state)
{
	struct kit *kit = *state;
	struct boot_params params;

	kit_linux(&image);
	kit->config.cmdline = "console=ttyS0 quiet";
	memset(image.bytes + 0x100, 0xee, 0xf1); /* before the header: not ours to copy */
	boot(kit);
	params = zero_page(kit);
	assert_int_equal(params.hdr.boot_flag, 0xaa55);
	assert_int_equal(params.hdr.header, 0x53726448);
	assert_int_equal(params.hdr.version, 0x20f);
	assert_int_equal(params.hdr.type_of_loader, 0xff);
	assert_int_equal(params.hdr.code32_start, KIT_LINUX_PREF);
	assert_int_equal(params.hdr.ramdisk_size, 0);
	assert_int_equal(params.acpi_rsdp_addr, KIT_RSDP);
	assert_int_equal(params.sentinel, 0);
	assert_string_equal(kit_string(kit, params.hdr.cmd_line_ptr), "console=ttyS0 quiet");
}

static void without_a_command_line_it_is_empty(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	boot(kit);
	assert_string_equal(kit_string(kit, zero_page(kit).hdr.cmd_line_ptr), "");
}

static void e820_has_ram_the_hole_and_what_is_reserved(void **state)
{
	static const struct boot_range reserved[] = {
		{{0xe0000000}, 0x100000, BOOT_RANGE_RESERVED},
		{{0xe0000}, 0x20000, BOOT_RANGE_ACPI},
	};
	static const struct boot_e820_entry expected[] = {
		{0, 0xa0000, 1},
		{0xe0000, 0x20000, 3},
		{0x100000, 0xbff00000, 1},
		{0xe0000000, 0x100000, 2},
		{0x100000000, 0x80000000, 1},
	};
	struct kit *kit = kit_create(5 * 1024 * KIT_MIB);
	struct boot_params params;

	kit->config.reserved = reserved;
	kit->config.reserved_count = 2;
	kit_linux(&image);
	boot(kit);
	params = zero_page(kit);
	assert_int_equal(params.e820_entries, 5);
	assert_memory_equal(params.e820_table, expected, sizeof(expected));
	kit_destroy(kit);
	(void)state;
}

static void the_initrd_is_at_the_end_of_what_the_kernel_allows(void **state)
{
	struct kit *kit = *state;
	struct boot_params params;

	kit_linux(&image);
	kit->config.initrd_path = kit_sparse(kit, 5 * KIT_MIB + 1, 0x77);
	boot(kit);
	params = zero_page(kit);
	assert_int_equal(params.hdr.ramdisk_size, 5 * KIT_MIB + 1);
	assert_int_equal(params.hdr.ramdisk_image, 59 * KIT_MIB - 0x1000);
	assert_int_equal(kit_get(kit, params.hdr.ramdisk_image, 2), 0x77);
	kit_put(&image, 0x22c, 0x1ffeffe, 4); /* initrd_addr_max, not at a page's end */
	boot(kit);
	assert_int_equal(zero_page(kit).hdr.ramdisk_image, 27 * KIT_MIB - 0x2000);
}

static void the_initrd_goes_below_2_gib_in_a_large_guest(void **state)
{
	struct kit *kit = kit_create(3072 * KIT_MIB);

	kit_linux(&image);
	kit->config.initrd_path = kit_sparse(kit, KIT_MIB, 0x77);
	boot(kit);
	assert_int_equal(zero_page(kit).hdr.ramdisk_image, 2047 * KIT_MIB);
	kit_destroy(kit);
	(void)state;
}

static void an_initrd_that_does_not_fit_says_how_much_ram_is_needed(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	kit->config.initrd_path = kit_sparse(kit, 47 * KIT_MIB, 1);
	kit_expect(kit, &image, VMM_E_LIMIT,
		"its 47 MiB do not fit: with this kernel the guest needs at least 66 MiB of RAM "
		"and has 64 MiB");
	kit->config.initrd_path = kit_sparse(kit, 46 * KIT_MIB, 1);
	boot(kit);
	kit->config.initrd_path = kit_sparse(kit, 4096 * KIT_MIB, 1);
	kit_expect(kit, &image, VMM_E_LIMIT, "below which this kernel wants it");
	kit->config.initrd_path = kit_sparse(kit, UINT64_C(1) << 40, 1);
	kit_expect(kit, &image, VMM_E_LIMIT, "below which this kernel wants it");
}

static void the_initrd_must_be_a_file(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	kit->config.initrd_path = "/nonexistent/initrd";
	kit_expect(kit, &image, VMM_E_NOT_FOUND,
		"initrd \"/nonexistent/initrd\": there is no such file");
	kit->config.initrd_path = "/proc";
	kit_expect(kit, &image, VMM_E_INVAL, "initrd \"/proc\": is a directory");
	kit->config.initrd_path = kit_file(kit, "", 0);
	kit_expect(kit, &image, VMM_E_INVAL, "is empty");
}

static void the_kernels_limit_of_the_command_line_holds(void **state)
{
	struct kit *kit = *state;
	char cmdline[2049];

	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[2048] = '\0';
	kit->config.cmdline = cmdline;
	kit_linux(&image);
	kit_expect(kit, &image, VMM_E_LIMIT,
		"the kernel command line has 2048 characters; this kernel takes at most 2047");
	cmdline[2047] = '\0';
	boot(kit);
	assert_string_equal(kit_string(kit, zero_page(kit).hdr.cmd_line_ptr), cmdline);
	kit_put(&image, 0x238, 0, 4);
	kit_expect(kit, &image, VMM_E_LIMIT, "at most 255");
}

static void too_little_ram_says_how_much_is_needed(void **state)
{
	struct kit *kit = kit_create(16 * KIT_MIB);

	kit_linux(&image);
	kit_expect(kit, &image, VMM_E_LIMIT,
		"needs 2 MiB of RAM up to 18 MiB to start; the guest has 16 MiB");
	kit_destroy(kit);
	kit = kit_create(0x1000);
	kit_expect(kit, &image, VMM_E_LIMIT, "the guest has 1 MiB");
	kit_destroy(kit);
	(void)state;
}

static void a_relocatable_kernel_goes_around_what_is_reserved(void **state)
{
	static const struct boot_range reserved = {{0x1100000}, 0x1000, BOOT_RANGE_RESERVED};
	struct kit *kit = *state;

	kit->config.reserved = &reserved;
	kit->config.reserved_count = 1;
	kit_linux(&image);
	boot(kit);
	assert_int_equal(kit->state.rip, 0x1200200);
	kit_put(&image, 0x234, 0, 1);
	kit_expect(kit, &image, VMM_E_LIMIT, "to start");
}

static void old_small_and_32_bit_kernels_are_refused(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	kit_put(&image, 0x206, 0x205, 2);
	kit_expect(kit, &image, VMM_E_INVAL,
		"boot protocol 2.05; at least 2.12 (Linux 3.8) is needed");
	kit_put(&image, 0x206, 0x20b, 2);
	kit_expect(kit, &image, VMM_E_INVAL, "boot protocol 2.11");
	kit_put(&image, 0x206, 0x20c, 2);
	boot(kit);
	kit_put(&image, 0x236, 2, 2);
	kit_expect(kit, &image, VMM_E_INVAL, "has no 64-bit entry");
	kit_put(&image, 0x211, 0, 1);
	kit_expect(kit, &image, VMM_E_INVAL, "is a zImage");
}

static void a_cut_off_kernel_is_refused(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	/* syssize counts paragraphs: the file may end inside of the last one. */
	image.length -= 15;
	boot(kit);
	image.length -= 1;
	kit_expect(kit, &image, VMM_E_INVAL, "is cut off: it has 5104 bytes and should have 5120");
	image.length = 0x400;
	kit_expect(kit, &image, VMM_E_INVAL, "is cut off");
	kit_linux(&image);
	image.bytes[0x1f1] = 0; /* means 4 */
	kit_expect(kit, &image, VMM_E_INVAL, "is cut off: it has 5120 bytes and should have 6656");
	kit_put(&image, 0x1f4, 0xffffffff, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "is cut off");
}

static void what_lies_behind_the_kernel_is_not_loaded(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	kit_put(&image, image.length, 0xabab, 2); /* a signature */
	boot(kit);
	assert_int_equal(kit_get(kit, KIT_LINUX_PREF + KIT_LINUX_BYTES, 8), 0);
}

static void nonsense_in_the_header_is_refused(void **state)
{
	struct kit *kit = *state;

	kit_linux(&image);
	kit_put(&image, 0x260, 0, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "without a kernel's size");
	kit_linux(&image);
	kit_put(&image, 0x1f4, 0, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "without a kernel's size");
	kit_linux(&image);
	kit_put(&image, 0x230, 0x300000, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "alignment 0x300000");
	kit_linux(&image);
	kit_put(&image, 0x230, 0, 4);
	kit_expect(kit, &image, VMM_E_INVAL, "alignment 0");
	kit_linux(&image);
	kit_put(&image, 0x258, UINT64_MAX - 0xfff, 8);
	kit_expect(kit, &image, VMM_E_INVAL, "prefers address");
	kit_put(&image, 0x258, 0x9000, 8);
	kit_expect(kit, &image, VMM_E_INVAL, "prefers address");
	kit_linux(&image);
	kit_put(&image, 0x260, 0xffffffff, 4);
	kit_expect(kit, &image, VMM_E_LIMIT, "to start");
}

static void modules_are_not_for_linux(void **state)
{
	static const struct boot_module module = {.path = "/dev/null"};
	struct kit *kit = *state;

	kit->config.modules = &module;
	kit->config.module_count = 1;
	kit_linux(&image);
	kit_expect(kit, &image, VMM_E_INVAL, "takes no modules; use the initrd");
}

/* Each kernel that earlier runs of the tools left in the cache. */
static void debians_kernels_are_taken(void **state)
{
	const char *cache = getenv("VMM_CACHE"), *home = getenv("HOME");
	char pattern[512];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s%s/kernels/*/vmlinuz",
		cache ? cache : (home ? home : ""), cache ? "" : "/.cache/vmm");
	if (glob(pattern, 0, NULL, &found) != 0)
		skip();
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct kit *kit = kit_create(256 * KIT_MIB);

		kit->config.kernel_path = found.gl_pathv[i];
		kit->config.initrd_path = found.gl_pathv[i]; /* as good as any file */
		kit->config.cmdline = "console=ttyS0";
		if (kit_boot(kit) != 0)
			fail_msg("%s", kit->text);
		assert_string_equal(kit->result.protocol, "linux");
		assert_true(zero_page(kit).hdr.ramdisk_size > KIT_MIB);
		kit_destroy(kit);
	}
	globfree(&found);
	(void)state;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_is_at_its_address_and_entered_in_long_mode),
		TEST(page_tables_map_4_gib_to_itself),
		TEST(the_descriptor_table_has_the_selectors_of_the_protocol),
		TEST(the_zero_page_has_header_command_line_and_rsdp),
		TEST(without_a_command_line_it_is_empty),
		TEST(e820_has_ram_the_hole_and_what_is_reserved),
		TEST(the_initrd_is_at_the_end_of_what_the_kernel_allows),
		TEST(the_initrd_goes_below_2_gib_in_a_large_guest),
		TEST(an_initrd_that_does_not_fit_says_how_much_ram_is_needed),
		TEST(the_initrd_must_be_a_file),
		TEST(the_kernels_limit_of_the_command_line_holds),
		TEST(too_little_ram_says_how_much_is_needed),
		TEST(a_relocatable_kernel_goes_around_what_is_reserved),
		TEST(old_small_and_32_bit_kernels_are_refused),
		TEST(a_cut_off_kernel_is_refused),
		TEST(what_lies_behind_the_kernel_is_not_loaded),
		TEST(nonsense_in_the_header_is_refused),
		TEST(modules_are_not_for_linux),
		TEST(debians_kernels_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
