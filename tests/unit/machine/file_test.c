/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a device's options name: what is opened, what is refused, and in which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/file.h>

#include "fixture.h"

struct files {
	struct fixture fixture;
	char directory[64];
	char path[128];
	char text[512];
	struct vmm_error error;
};

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));
	int fd;

	strncpy(files->directory, "/tmp/vmm-file-test-XXXXXX", sizeof(files->directory) - 1);
	assert_non_null(mkdtemp(files->directory));
	snprintf(files->path, sizeof(files->path), "%s/image", files->directory);
	fd = open(files->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "image", 5), 5);
	close(fd);
	fixture_init(&files->fixture, VMM_THREADS_LOOP);
	files->fixture.host->phase = HOST_CREATE;
	files->error = (struct vmm_error){sizeof(files->error), files->text, sizeof(files->text)};
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;

	fixture_fini(&files->fixture);
	unlink(files->path);
	rmdir(files->directory);
	free(files);
	return 0;
}

static int32_t open_file(
	struct files *files, const char *path, uint32_t kinds, uint32_t flags, int32_t *ret_fd)
{
	struct vmm_file_open req = {
		.struct_size = sizeof(req),
		.path = path,
		.kinds = kinds,
		.flags = flags,
		.error = &files->error,
	};

	return host_file_table.open(files->fixture.host, &req, ret_fd);
}

static void file_is_opened_blocking_and_close_on_exec(void **state)
{
	struct files *files = *state;
	int32_t fd = -1;

	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR, 0, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void missing_file_is_named(void **state)
{
	struct files *files = *state;
	int32_t fd = -7;

	assert_int_equal(
		open_file(files, "/nowhere/disk.img", VMM_FILE_REGULAR, 0, &fd), VMM_E_NOT_FOUND);
	assert_string_equal(files->text, "cannot open \"/nowhere/disk.img\" for reading and "
					 "writing: No such file or directory");
	assert_int_equal(fd, -7);
}

static void directory_is_refused_by_name_and_kind(void **state)
{
	struct files *files = *state;
	char expected[256];
	int32_t fd;

	snprintf(expected, sizeof(expected),
		"\"%s\" is a directory; expected a regular file or a block device",
		files->directory);
	assert_int_equal(
		open_file(files, files->directory, VMM_FILE_REGULAR | VMM_FILE_BLOCK, 0, &fd),
		VMM_E_INVAL);
	assert_string_equal(files->text, expected);
}

static void fifo_and_devices_are_refused_without_being_opened(void **state)
{
	struct files *files = *state;
	int32_t fd;

	unlink(files->path);
	assert_int_equal(mkfifo(files->path, 0600), 0);
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR, VMM_FILE_READ_ONLY, &fd),
		VMM_E_INVAL);
	assert_non_null(strstr(files->text, "is a FIFO; expected a regular file"));
	assert_int_equal(open_file(files, "/dev/zero", VMM_FILE_REGULAR, 0, &fd), VMM_E_INVAL);
	assert_non_null(strstr(files->text, "is a character device"));
}

static void locked_image_is_in_use(void **state)
{
	struct files *files = *state;
	int32_t first = -1;
	int32_t second = -1;

	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR, VMM_FILE_LOCK, &first), 0);
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR, VMM_FILE_LOCK, &second),
		VMM_E_BUSY);
	assert_non_null(strstr(files->text, "is in use: another process holds a lock on it"));
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR,
				 VMM_FILE_LOCK | VMM_FILE_READ_ONLY, &second),
		VMM_E_BUSY);
	close(first);
	/* Readers share. */
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR,
				 VMM_FILE_LOCK | VMM_FILE_READ_ONLY, &first),
		0);
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR,
				 VMM_FILE_LOCK | VMM_FILE_READ_ONLY, &second),
		0);
	close(first);
	close(second);
}

static void files_are_opened_in_create_only(void **state)
{
	struct files *files = *state;
	int32_t fd;

	files->fixture.host->phase = HOST_REALIZE;
	assert_int_equal(open_file(files, files->path, VMM_FILE_REGULAR, 0, &fd), VMM_E_PHASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			file_is_opened_blocking_and_close_on_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_file_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			directory_is_refused_by_name_and_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(
			fifo_and_devices_are_refused_without_being_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(locked_image_is_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_opened_in_create_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
