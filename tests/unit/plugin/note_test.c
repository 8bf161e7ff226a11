/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note of a plugin file: read from a good one, and from a good one with bytes changed or cut
 * anywhere (H30). The reader runs on anything; what it accepts has a note that is whole.
 */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugin/note.h"

#define HEAD_BYTES 1024u /* headers and notes are in the first bytes of the file */

struct image {
	unsigned char *bytes;
	size_t size;
	int fd; /* a memfd with the same bytes */
};

static char error_text[512];

static int read_note(int fd, struct vmm_plugin_note *ret_note)
{
	struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};

	error_text[0] = '\0';
	return plugin_note_read(fd, ret_note, &error);
}

static int set_up(void **state)
{
	static struct image image;
	int fd = open(FIXTURES "/test.so", O_RDONLY | O_CLOEXEC);
	struct stat info;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &info), 0);
	image.size = (size_t)info.st_size;
	image.bytes = malloc(image.size);
	assert_non_null(image.bytes);
	assert_int_equal(read(fd, image.bytes, image.size), (ssize_t)image.size);
	close(fd);
	image.fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(image.fd >= 0);
	assert_int_equal(pwrite(image.fd, image.bytes, image.size, 0), (ssize_t)image.size);
	*state = &image;
	return 0;
}

static int tear_down(void **state)
{
	struct image *image = *state;

	close(image->fd);
	free(image->bytes);
	return 0;
}

static void the_note_of_a_good_file_is_read(void **state)
{
	const struct image *image = *state;
	struct vmm_plugin_note note;

	assert_int_equal(read_note(image->fd, &note), 0);
	assert_string_equal(note.plugin_id, "org.example.test");
	assert_int_equal(note.abi_major, VMM_ABI_MAJOR);
	assert_int_equal(note.abi_minor, VMM_ABI_MINOR);
	assert_int_equal(strncmp(note.types, "test-bus,", 9), 0);
}

static void a_file_that_is_cut_anywhere_is_refused(void **state)
{
	const struct image *image = *state;
	struct vmm_plugin_note note;

	for (size_t size = 0; size < image->size; size += size < HEAD_BYTES ? 1 : 509) {
		assert_int_equal(ftruncate(image->fd, 0), 0);
		assert_int_equal(pwrite(image->fd, image->bytes, size, 0), (ssize_t)size);
		assert_true(read_note(image->fd, &note) < 0);
		assert_true(error_text[0]);
	}
}

static void a_changed_byte_is_refused_or_gives_a_whole_note(void **state)
{
	static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	const struct image *image = *state;

	for (size_t at = 0; at < HEAD_BYTES; at++) {
		for (size_t i = 0; i < sizeof(values); i++) {
			struct vmm_plugin_note note;

			assert_int_equal(pwrite(image->fd, &values[i], 1, (off_t)at), 1);
			if (!read_note(image->fd, &note)) {
				assert_non_null(memchr(note.plugin_id, 0, sizeof(note.plugin_id)));
				assert_non_null(memchr(note.types, 0, sizeof(note.types)));
			} else {
				assert_true(error_text[0]);
			}
		}
		assert_int_equal(pwrite(image->fd, image->bytes + at, 1, (off_t)at), 1);
	}
}

static void large_numbers_in_headers_do_not_wrap(void **state)
{
	static const uint64_t values[] = {UINT64_MAX, UINT64_MAX - 7, 1ull << 63, 1ull << 32};
	const struct image *image = *state;
	struct vmm_plugin_note note;

	for (size_t at = 0; at + 8 <= HEAD_BYTES; at += 4) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			assert_int_equal(pwrite(image->fd, &values[i], 8, (off_t)at), 8);
			(void)read_note(image->fd, &note);
		}
		assert_int_equal(pwrite(image->fd, image->bytes + at, 8, (off_t)at), 8);
	}
}

static struct vmm_plugin_note good_note(void)
{
	return (struct vmm_plugin_note){
		.abi_major = VMM_ABI_MAJOR,
		.abi_minor = VMM_ABI_MINOR,
		.arch = VMM_NOTE_ARCH_X86_64,
		.libc = VMM_NOTE_LIBC,
		.plugin_id = "x",
	};
}

static void an_older_plugin_loads_in_a_newer_core(void **state)
{
	struct vmm_plugin_note note = good_note();

	(void)state;
	note.abi_minor = 0;
	assert_int_equal(plugin_note_check(&note, NULL), 0);
}

static void a_newer_plugin_loads_if_it_says_that_it_can_do_with_less(void **state)
{
	struct vmm_plugin_note note = good_note();

	(void)state;
	note.abi_minor = VMM_ABI_MINOR + 5;
	note.min_host_minor = VMM_ABI_MINOR;
	assert_int_equal(plugin_note_check(&note, NULL), 0);
	note.min_host_minor = VMM_ABI_MINOR + 1;
	assert_int_equal(plugin_note_check(&note, NULL), VMM_E_UNSUPPORTED);
}

static void another_major_arch_or_libc_does_not_load(void **state)
{
	struct vmm_plugin_note note = good_note();

	(void)state;
	note.abi_major++;
	assert_int_equal(plugin_note_check(&note, NULL), VMM_E_UNSUPPORTED);
	note = good_note();
	note.arch = EM_AARCH64;
	assert_int_equal(plugin_note_check(&note, NULL), VMM_E_UNSUPPORTED);
	note = good_note();
	note.libc = VMM_NOTE_LIBC_OTHER;
	assert_int_equal(plugin_note_check(&note, NULL), VMM_E_UNSUPPORTED);
	note = good_note();
	note.reserved = 1;
	assert_int_equal(plugin_note_check(&note, NULL), VMM_E_TOO_NEW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_note_of_a_good_file_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_cut_anywhere_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_changed_byte_is_refused_or_gives_a_whole_note, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			large_numbers_in_headers_do_not_wrap, set_up, tear_down),
		cmocka_unit_test(an_older_plugin_loads_in_a_newer_core),
		cmocka_unit_test(a_newer_plugin_loads_if_it_says_that_it_can_do_with_less),
		cmocka_unit_test(another_major_arch_or_libc_does_not_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
