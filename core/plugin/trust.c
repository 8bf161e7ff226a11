/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which plugin files are trusted: a plugin is part of the program, so nobody may be able to write
 * one who could not write the program itself, nor put another file in its place. Checked on opened
 * files and directories, never on names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <vmm/support.h>

#include "config/node.h"
#include "plugin/private.h"

void plugin_trust_init(struct plugin_trust *trust)
{
	struct stat program;

	trust->user = geteuid();
	trust->owner = trust->user;
	trust->group = (gid_t)-1;
	trust->group_may_write = false;
	trust->directory = NULL;
	if (stat("/proc/self/exe", &program))
		return;
	trust->owner = program.st_uid;
	trust->group = program.st_gid;
	trust->group_may_write = program.st_mode & S_IWGRP;
}

static int check_writers(
	const struct plugin_trust *trust, const struct stat *info, struct vmm_error *error)
{
	bool group = info->st_mode & S_IWGRP &&
		     !(trust->group_may_write && info->st_gid == trust->group);

	if (info->st_uid != 0 && info->st_uid != trust->user && info->st_uid != trust->owner) {
		vmm_set_error(error,
			"belongs to user %u; it must belong to root, to the user that runs vmm, or "
			"to the owner of vmm",
			(unsigned)info->st_uid);
		return VMM_E_PERM;
	}
	if (group || info->st_mode & S_IWOTH) {
		vmm_set_error(error, "can be written by %s (mode %04o); use chmod %s-w",
			info->st_mode & S_IWOTH ? "everybody" : "its group",
			(unsigned)info->st_mode & 07777u, group ? "go" : "o");
		return VMM_E_PERM;
	}
	return 0;
}

static const char *kind_text(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a directory";
	if (S_ISFIFO(mode))
		return "is a pipe";
	if (S_ISSOCK(mode))
		return "is a socket";
	return "is a device";
}

/*
 * One directory on the way. Who can write it could put another one in place of what is below; with
 * the sticky bit only the owner of that can, who is judged next. The last one holds the file, and
 * there a stranger could leave one of a new name.
 */
static int check_directory(const struct plugin_trust *trust, int fd, const char *path, bool last,
	struct vmm_error *error)
{
	char text[PLUGIN_ERROR_BYTES / 2] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	struct stat info;
	int ret;

	if (fstat(fd, &info)) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		return node_errno_code(errno);
	}
	if (!last && info.st_mode & S_ISVTX)
		info.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	ret = check_writers(trust, &info, &inner);
	if (ret && last)
		vmm_set_error(error, "is in a directory that %s", text);
	else if (ret)
		vmm_set_error(error, "is below the directory %s, which %s", path, text);
	return ret;
}

/* Goes from the root to a directory without symbolic links, name by name. */
static int walk(const struct plugin_trust *trust, char *path, int *ret_fd, struct vmm_error *error)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *name = path + 1;
	int ret;

	if (fd < 0) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		return node_errno_code(errno);
	}
	ret = check_directory(trust, fd, "/", !*name, error);
	while (ret == 0 && *name) {
		char *end = strchrnul(name, '/');
		bool last = !*end;
		int next;

		*end = '\0';
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			vmm_set_error(error, "cannot be opened: %s", strerror(errno));
			ret = node_errno_code(errno);
			break;
		}
		close(fd);
		fd = next;
		ret = check_directory(trust, fd, path, last, error);
		*end = last ? '\0' : '/';
		name = end + !last;
	}
	if (ret == 0)
		*ret_fd = fd;
	else
		close(fd);
	return ret;
}

void plugin_trust_fini(struct plugin_trust *trust)
{
	if (trust->directory)
		close(trust->directory_fd);
	free(trust->directory);
	trust->directory = NULL;
}

/* Opens the directory of a file; that of the last file is known already. */
static int open_directory(
	struct plugin_trust *trust, const char *path, int *ret_fd, struct vmm_error *error)
{
	const char *slash = strrchr(path, '/');
	size_t bytes = (size_t)(slash - path) + (slash == path);
	char *name = strndup(path, bytes);
	char *real = NULL;
	int ret = 0;

	if (name && trust->directory && !strcmp(name, trust->directory)) {
		free(name);
		*ret_fd = trust->directory_fd;
		return 0;
	}
	plugin_trust_fini(trust);
	if (name)
		real = realpath(name, NULL);
	if (!real) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		ret = node_errno_code(errno);
	} else {
		ret = walk(trust, real, &trust->directory_fd, error);
	}
	free(real);
	if (ret) {
		free(name);
		return ret;
	}
	trust->directory = name;
	*ret_fd = trust->directory_fd;
	return 0;
}

static int check_file(const struct plugin_trust *trust, int fd, struct vmm_error *error)
{
	struct statvfs mount;
	struct stat info;
	int ret;

	if (fstat(fd, &info) || fstatvfs(fd, &mount)) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		return VMM_E_IO;
	}
	if (!S_ISREG(info.st_mode)) {
		vmm_set_error(error, "%s, not a plugin", kind_text(info.st_mode));
		return VMM_E_INVAL;
	}
	ret = check_writers(trust, &info, error);
	if (!ret && mount.f_flag & ST_NOEXEC) {
		vmm_set_error(error, "is on a file system that is mounted noexec");
		ret = VMM_E_PERM;
	}
	return ret;
}

/* A symbolic link to a file elsewhere: the way there is judged, too. */
static int open_link(
	struct plugin_trust *trust, const char *path, int *ret_fd, struct vmm_error *error)
{
	char *real = realpath(path, NULL);
	int ret;

	if (!real) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		return node_errno_code(errno);
	}
	ret = plugin_trust_open(trust, real, ret_fd, error);
	free(real);
	return ret;
}

int plugin_trust_open(
	struct plugin_trust *trust, const char *path, int *ret_fd, struct vmm_error *error)
{
	int directory = -1;
	int ret = open_directory(trust, path, &directory, error);
	int fd;

	if (ret)
		return ret;
	/* Without O_NONBLOCK a pipe would wait for its other end. */
	fd = openat(directory, strrchr(path, '/') + 1,
		O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ELOOP)
		return open_link(trust, path, ret_fd, error);
	if (fd < 0) {
		int number = errno;

		vmm_set_error(error, "cannot be opened: %s",
			number == ENXIO ? "it is a socket or a device" : strerror(number));
		return node_errno_code(number);
	}
	ret = check_file(trust, fd, error);
	if (ret)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}
