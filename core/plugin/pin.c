/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins that the configuration pins to a digest. The file is copied to memory that nobody can
 * change any more, and the copy is what is judged and loaded: so the bytes that were checked are
 * the bytes that run, also if somebody writes to the file meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/support.h>

#include "plugin/private.h"

#define PLUGIN_BYTES_MAX ((off_t)256 * 1024 * 1024)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: where executable memory has to be asked for */
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* An absolute path means the file there, however the search directories spell it. */
static bool is_at(int fd, const char *path)
{
	struct stat there, here;

	return path[0] == '/' && stat(path, &there) == 0 && fstat(fd, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* One by path is more exact than one by name. */
static const struct config_pin *find_pin(
	const struct plugin_registry *registry, const char *file, int fd)
{
	const struct config_pin *named = NULL;

	for (size_t i = 0; i < registry->pin_count; i++) {
		const struct config_pin *pin = &registry->pins[i];

		if (is_at(fd, pin->plugin))
			return pin;
		if (!named && plugin_is_named(file, pin->plugin))
			named = pin;
	}
	return named;
}

static int make_memory(void)
{
	int fd = memfd_create("plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	/* Older kernels do not know the flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int copy_all(int from, int to, off_t bytes)
{
	off_t offset = 0;

	while (offset < bytes) {
		char buffer[65536];
		ssize_t got = pread(from, buffer, sizeof(buffer), offset);

		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		if (write(to, buffer, (size_t)got) != got)
			return -EIO;
		offset += got;
	}
	return fcntl(to, F_ADD_SEALS, SEALS) ? -errno : 0;
}

static int copy_sealed(int fd, int *ret_copy, off_t *ret_bytes, struct vmm_error *error)
{
	struct stat info;
	int copy = -1;
	int ret = fstat(fd, &info) ? -errno : 0;

	if (ret == 0 && info.st_size > PLUGIN_BYTES_MAX)
		ret = -EFBIG;
	if (ret == 0) {
		copy = make_memory();
		ret = copy < 0 ? -errno : copy_all(fd, copy, info.st_size);
	}
	if (ret == 0 && fstat(copy, &info))
		ret = -errno;
	if (ret < 0) {
		if (copy >= 0)
			close(copy);
		vmm_set_error(error, "cannot be copied to be checked: %s", strerror(-ret));
		return VMM_E_IO;
	}
	*ret_copy = copy;
	*ret_bytes = info.st_size;
	return 0;
}

static int compare(const struct config_pin *pin, int copy, off_t bytes, struct vmm_error *error)
{
	void *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, copy, 0);
	char text[SHA256_DIGEST_STRING_LENGTH];

	if (data == MAP_FAILED) {
		vmm_set_error(error, "cannot be read to be checked: %s", strerror(errno));
		return VMM_E_IO;
	}
	SHA256Data(data, (size_t)bytes, text);
	munmap(data, (size_t)bytes);
	if (!strcasecmp(text, pin->sha256))
		return 0;
	vmm_set_error(error, "is not the file that plugins.pins names: its sha256 is %s", text);
	return VMM_E_PERM;
}

int plugin_pin_open(
	const struct plugin_registry *registry, const char *file, int *fd, struct vmm_error *error)
{
	const struct config_pin *pin = find_pin(registry, file, *fd);
	off_t bytes = 0;
	int copy = -1;
	int ret;

	if (!pin && !registry->pins_required)
		return 0;
	if (!pin) {
		vmm_set_error(error, "is not in plugins.pins, and plugins.policy is \"pinned\"");
		return VMM_E_PERM;
	}
	ret = copy_sealed(*fd, &copy, &bytes, error);
	if (ret == 0)
		ret = compare(pin, copy, bytes, error);
	if (ret < 0) {
		if (copy >= 0)
			close(copy);
		return ret;
	}
	close(*fd);
	*fd = copy;
	return 0;
}
