/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot files: see file.h.
 */
#include "boot/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES 512

int file_fail(
	const struct boot_file *file, struct vmm_error *error, int code, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_set_error(error, "%s%s%s \"%s\": %s", file->place ? file->place : "",
		file->place ? ": " : "", file->role, file->path, text);
	return code;
}

static int fail_errno(const struct boot_file *file, struct vmm_error *error, int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return file_fail(file, error, VMM_E_NOT_FOUND, "there is no such file");
	case EACCES:
	case EPERM:
		return file_fail(file, error, VMM_E_PERM, "no permission to read it");
	default:
		return file_fail(file, error, VMM_E_IO, "cannot be read: %s", strerror(err));
	}
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFBLK:
		return "a block device";
	case S_IFCHR:
		return "a character device";
	case S_IFIFO:
		return "a pipe";
	default:
		return "a special file";
	}
}

int file_open(const char *role, const char *place, const char *path, struct boot_file *ret_file,
	struct vmm_error *error)
{
	struct boot_file file = {.role = role, .place = place, .path = path, .fd = -1};
	struct stat st;
	int ret;

	/* O_NONBLOCK: a pipe is to be refused, not waited for. */
	file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file.fd < 0)
		return fail_errno(&file, error, errno);
	if (fstat(file.fd, &st)) {
		ret = fail_errno(&file, error, errno);
		goto close;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = file_fail(&file, error, VMM_E_INVAL, "is %s; a regular file is needed",
			kind_name(st.st_mode));
		goto close;
	}
	if (st.st_size <= 0) {
		ret = file_fail(&file, error, VMM_E_INVAL, "is empty");
		goto close;
	}
	file.bytes = (uint64_t)st.st_size;
	*ret_file = file;
	return 0;
close:
	file_close(&file);
	return ret;
}

void file_close(struct boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* The caller has checked the range against file->bytes; it can still have become shorter. */
static int read_exactly(const struct boot_file *file, uint64_t offset, void *dst, uint64_t bytes,
	struct vmm_error *error)
{
	char *at = dst;

	while (bytes) {
		ssize_t n = pread(file->fd, at, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(file, error, errno);
		if (n == 0)
			return file_fail(file, error, VMM_E_IO,
				"became shorter while it was read; start again");
		at += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int check_range(
	const struct boot_file *file, uint64_t offset, uint64_t bytes, struct vmm_error *error)
{
	if (offset <= file->bytes && bytes <= file->bytes - offset)
		return 0;
	return file_fail(file, error, VMM_E_INVAL,
		"is cut off: it has %llu bytes and should have more",
		(unsigned long long)file->bytes);
}

int file_read(const struct boot_file *file, uint64_t offset, void *dst, uint64_t bytes,
	struct vmm_error *error)
{
	int ret = check_range(file, offset, bytes, error);

	return ret < 0 ? ret : read_exactly(file, offset, dst, bytes, error);
}

int file_load(const struct boot_file *file, uint64_t offset, uint64_t bytes,
	const struct memory *memory, uint64_t gpa, struct vmm_error *error)
{
	struct vmm_iovec iov[MEMORY_RANGES_MAX];
	int count, ret = check_range(file, offset, bytes, error);

	if (ret < 0)
		return ret;
	count = memory_map(memory, (vmm_gpa){gpa}, bytes, iov, MEMORY_RANGES_MAX);
	if (count < 0)
		return file_fail(file, error, count, "guest address %#llx is not RAM",
			(unsigned long long)gpa);
	for (int i = 0; i < count; i++) {
		ret = read_exactly(file, offset, iov[i].base, iov[i].bytes, error);
		if (ret < 0)
			return ret;
		offset += iov[i].bytes;
	}
	return 0;
}
