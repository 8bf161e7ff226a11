/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what a file that is no kernel looks like, so that the error helps. Only for texts: nothing
 * is decided by it.
 */
#include "boot/load.h"

struct magic {
	uint32_t at, bytes;
	const char *text; /* `bytes` bytes of it */
	const char *what;
};

static const struct magic magics[] = {
	{0, 2, "\x1f\x8b", "it is compressed with gzip, unpack it first"},
	{0, 6,
		"\xfd"
		"7zXZ",
		"it is compressed with xz, unpack it first"},
	{0, 4, "\x28\xb5\x2f\xfd", "it is compressed with zstd, unpack it first"},
	{0, 3, "BZh", "it is compressed with bzip2, unpack it first"},
	{0, 4, "\x04\x22\x4d\x18", "it is compressed with lz4, unpack it first"},
	{0, 4, "\x02\x21\x4c\x18", "it is compressed with lz4, unpack it first"},
	{0, 6, "070701", "it is a cpio archive, which is what an initrd looks like"},
	{0, 7, "!<arch>", "it is an archive or Debian package"},
	{0, 4, "PK\x03\x04", "it is a zip archive"},
	{257, 5, "ustar", "it is a tar archive"},
	{0, 4, "QFI\xfb", "it is a qcow2 disk image"},
	{56, 4, "ARM\x64", "it is a kernel for 64-bit ARM"},
	{56, 4, "RSC\x05", "it is a kernel for RISC-V"},
	{0, 4, "\x27\x05\x19\x56", "it is a U-Boot image"},
	{0, 4, "\xd0\x0d\xfe\xed", "it is a device tree or FIT image"},
	{1080, 2, "\x53\xef", "it is an ext2, ext3 or ext4 file system"},
	{0, 4, "hsqs", "it is a squashfs file system"},
	{512, 8, "EFI PART", "it is a disk image with a GPT"},
	{0, 2, "MZ", "it is an EFI or Windows program"},
	{0, 2, "#!", "it is a script"},
	{510, 2, "\x55\xaa", "it is a disk image or boot sector"},
};

static bool multiboot2(const struct load *load)
{
	for (uint64_t at = 0; at + 4 <= load->head_bytes; at += 8) {
		if (load_le32(load->head + at) == 0xe85250d6u)
			return true;
	}
	return false;
}

static bool all(const struct load *load, bool (*is)(unsigned char))
{
	for (uint64_t i = 0; i < load->head_bytes; i++) {
		if (!is(load->head[i]))
			return false;
	}
	return true;
}

static bool is_zero(unsigned char c)
{
	return c == 0;
}

static bool is_text(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || (c >= '\t' && c <= '\r');
}

const char *identify(const struct load *load)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *magic = &magics[i];

		if (load->head_bytes >= magic->at + magic->bytes &&
			memcmp(load->head + magic->at, magic->text, magic->bytes) == 0)
			return magic->what;
	}
	if (multiboot2(load))
		return "it is a Multiboot 2 kernel without a Multiboot 1 header";
	if (all(load, is_zero))
		return "its start is all zeros";
	if (all(load, is_text))
		return "it looks like text";
	return "its kind is not known";
}
