/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are no kernels, and how the error says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot_kit.h"

static struct kit_image image;

static void expect_path(struct kit *kit, const char *path, int code, const char *part)
{
	kit->config.kernel_path = path;
	assert_int_equal(kit_boot(kit), code);
	if (!strstr(kit->text, part) || !strstr(kit->text, path))
		fail_msg("the error is \"%s\", not \"%s\"", kit->text, part);
}

static void a_missing_kernel_is_named(void **state)
{
	expect_path(*state, "/nonexistent/vmlinuz", VMM_E_NOT_FOUND,
		"kernel \"/nonexistent/vmlinuz\": there is no such file");
	expect_path(*state, "/dev/null/vmlinuz", VMM_E_NOT_FOUND, "there is no such file");
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
	char dir[] = "/tmp/boot-test-XXXXXX", fifo[64];

	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	expect_path(*state, dir, VMM_E_INVAL, "is a directory; a regular file is needed");
	expect_path(*state, fifo, VMM_E_INVAL, "is a pipe");
	expect_path(*state, "/dev/zero", VMM_E_INVAL, "is a character device");
	unlink(fifo);
	rmdir(dir);
}

static void a_file_that_may_not_be_read_is_named(void **state)
{
	char path[] = "/tmp/boot-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	if (geteuid() == 0) {
		if (seteuid(65534) != 0) {
			unlink(path);
			skip();
		}
		assert_int_equal(access("/", R_OK), 0);
	}
	chmod(path, 0);
	expect_path(*state, path, VMM_E_PERM, "no permission to read it");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	unlink(path);
}

static void an_empty_file_is_refused(void **state)
{
	image.length = 0;
	kit_expect(*state, &image, VMM_E_INVAL, "is empty");
}

static void start(const void *bytes, uint64_t length)
{
	memset(&image, 0, sizeof(image));
	image.length = 0x4000;
	kit_put_bytes(&image, 0, bytes, length);
}

static void other_files_are_called_what_they_are(void **state)
{
	static const struct {
		const char *start, *part;
	} kinds[] = {
		{"\x1f\x8b\x08", "compressed with gzip"},
		{"\xfd"
		 "7zXZ",
			NULL}, /* its sixth byte is a NUL: below */
		{"BZh9", "compressed with bzip2"},
		{"\x28\xb5\x2f\xfd", "compressed with zstd"},
		{"070701", "cpio archive, which is what an initrd looks like"},
		{"!<arch>\n", "Debian package"},
		{"QFI\xfb", "qcow2 disk image"},
		{"MZ", "EFI or Windows program"},
		{"#!/bin/sh\n", "a script"},
		{"\xd6\x50\x52\xe8", "Multiboot 2 kernel without"},
		{"\xd6", "its kind is not known"},
		{"", "its start is all zeros"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!kinds[i].part)
			continue;
		start(kinds[i].start, strlen(kinds[i].start));
		kit_expect(*state, &image, VMM_E_INVAL, kinds[i].part);
		kit_expect(*state, &image, VMM_E_INVAL, "a Linux bzImage, an ELF kernel");
	}
	start("\xfd"
	      "7zXZ\0",
		6);
	kit_expect(*state, &image, VMM_E_INVAL, "compressed with xz");
	start("", 0);
	kit_put(&image, 510, 0xaa55, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "disk image or boot sector");
	start("MZ", 2);
	kit_put_bytes(&image, 56, "ARM\x64", 4);
	kit_expect(*state, &image, VMM_E_INVAL, "64-bit ARM");
	start("", 0);
	kit_put(&image, 1080, 0xef53, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "ext2, ext3 or ext4");
	memset(image.bytes, 'a', 0x4000);
	kit_expect(*state, &image, VMM_E_INVAL, "looks like text");
	for (uint64_t length = 1; length < 16; length++) {
		start("\x7f"
		      "ELF",
			4);
		image.length = length;
		assert_int_equal(kit_boot_image(*state, &image), VMM_E_INVAL);
	}
}

static void elf_files_that_are_no_kernels_say_why(void **state)
{
	kit_pvh(&image, 1);
	kit_put(&image, 18, 183, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "for another kind of machine (number 183)");
	kit_pvh(&image, 1);
	kit_put(&image, 5, 2, 1); /* big-endian */
	kit_expect(*state, &image, VMM_E_INVAL, "for another kind of machine");
	kit_pvh(&image, 1);
	kit_put(&image, 4, 3, 1); /* no such class */
	kit_expect(*state, &image, VMM_E_INVAL, "for another kind of machine");
	kit_pvh(&image, 1);
	kit_put(&image, 16, 3, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "a program for Linux");
	kit_put(&image, 16, 1, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "an object file or kernel module");
	kit_put(&image, 16, 4, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "a core dump");
	kit_pvh(&image, 1);
	kit_put_bytes(&image, 0x220, "Yen", 3);
	kit_expect(*state, &image, VMM_E_INVAL,
		"without a PVH note or Multiboot header; a Linux vmlinux needs CONFIG_PVH");
	kit_pvh(&image, 1);
	kit_put(&image, 56, 0, 2);
	kit_expect(*state, &image, VMM_E_INVAL, "without program headers");
}

static void a_module_that_is_missing_is_named(void **state)
{
	static const struct boot_module module = {.path = "/nonexistent/module"};
	struct kit *kit = *state;

	kit->config.modules = &module;
	kit->config.module_count = 1;
	kit_multiboot_elf(&image, 0, 3);
	kit_expect(
		kit, &image, VMM_E_NOT_FOUND, "module \"/nonexistent/module\": there is no such");
	kit_pvh(&image, 1);
	kit_expect(
		kit, &image, VMM_E_NOT_FOUND, "module \"/nonexistent/module\": there is no such");
	kit->config.module_count = BOOT_MODULES_MAX + 1;
	kit_expect(kit, &image, VMM_E_LIMIT, "there are 65 modules; at most 64 are possible");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_kernel_is_named),
		TEST(what_is_no_regular_file_is_refused_without_waiting),
		TEST(a_file_that_may_not_be_read_is_named),
		TEST(an_empty_file_is_refused),
		TEST(other_files_are_called_what_they_are),
		TEST(elf_files_that_are_no_kernels_say_why),
		TEST(a_module_that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
