/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which plugin files are trusted: a plugin is part of the program, so nobody may be able to write
 * one who could not write the program itself. Checked on the opened file, never on a name.
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

/* The directory of path, whose writers could put another file in place. */
static int check_directory(
	const struct plugin_trust *trust, const char *path, struct vmm_error *error)
{
	char *directory = strdup(path);
	char text[PLUGIN_ERROR_BYTES / 2] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	struct stat info;
	int ret;

	if (!directory) {
		vmm_set_error(error, "cannot be opened: no memory");
		return VMM_E_NOMEM;
	}
	*(strrchr(directory, '/') + (strrchr(directory, '/') == directory)) = '\0';
	if (stat(directory, &info)) {
		vmm_set_error(error, "cannot be opened: %s", strerror(errno));
		ret = node_errno_code(errno);
	} else {
		ret = check_writers(trust, &info, &inner);
		if (ret)
			vmm_set_error(error, "is in a directory that %s", text);
	}
	free(directory);
	return ret;
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

int plugin_trust_open(
	const struct plugin_trust *trust, const char *path, int *ret_fd, struct vmm_error *error)
{
	int ret = check_directory(trust, path, error);
	int fd;

	if (ret)
		return ret;
	/* Without O_NONBLOCK a pipe would wait for its other end. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
