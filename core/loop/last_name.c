/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are removed at the end. */
#include "loop/last_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

static int open_directory(const char *path, const char *slash)
{
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	free(directory);
	return fd;
}

int last_name_init(struct last_name *name, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *base = strdup(slash ? slash + 1 : path);
	int fd = open_directory(path, slash);

	if (!base || fd < 0) {
		free(base);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	name->directory = fd;
	name->base = base;
	sandbox_allow_removal(fd);
	return 0;
}

void last_name_fini(struct last_name *name)
{
	if (name->directory)
		close(name->directory);
	free(name->base);
	*name = (struct last_name){0};
}

int last_name_stat(const struct last_name *name, struct stat *ret_info)
{
	return fstatat(name->directory, name->base, ret_info, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

ssize_t last_name_read_link(const struct last_name *name, char *target, size_t bytes)
{
	ssize_t length = readlinkat(name->directory, name->base, target, bytes - 1);

	if (length < 0)
		return -errno;
	target[length] = '\0';
	return length;
}

void last_name_remove(const struct last_name *name)
{
	unlinkat(name->directory, name->base, 0);
}
