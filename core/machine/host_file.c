/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host service vmm.file/1: opens the files that a device's options name, with the same checks and
 * the same words for all devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/file.h>
#include <vmm/support.h>

#include "machine/host.h"

#define KINDS (VMM_FILE_REGULAR | VMM_FILE_BLOCK | VMM_FILE_CHAR)
#define FLAGS (VMM_FILE_READ_ONLY | VMM_FILE_LOCK | VMM_FILE_DIRECT)

static uint32_t kind_of(mode_t mode)
{
	return S_ISREG(mode)   ? VMM_FILE_REGULAR
	       : S_ISBLK(mode) ? VMM_FILE_BLOCK
	       : S_ISCHR(mode) ? VMM_FILE_CHAR
			       : 0;
}

static const char *kind_name(mode_t mode)
{
	return S_ISREG(mode)    ? "a regular file"
	       : S_ISBLK(mode)  ? "a block device"
	       : S_ISCHR(mode)  ? "a character device"
	       : S_ISDIR(mode)  ? "a directory"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
				: "of an unknown kind";
}

static const char *kinds_wanted(uint32_t kinds)
{
	return kinds == VMM_FILE_REGULAR                      ? "a regular file"
	       : kinds == (VMM_FILE_REGULAR | VMM_FILE_BLOCK) ? "a regular file or a block device"
	       : kinds == VMM_FILE_CHAR                       ? "a character device"
							      : "another kind of file";
}

static int32_t open_failed(const struct vmm_file_open *req, int err)
{
	const char *access = req->flags & VMM_FILE_READ_ONLY ? "reading" : "reading and writing";
	const char *hint = "";

	if ((err == EACCES || err == EPERM || err == EROFS) && !(req->flags & VMM_FILE_READ_ONLY))
		hint = "; if the device may be read-only, say readonly = true";
	vmm_set_error(req->error, "cannot open \"%s\" for %s: %s%s", req->path, access,
		strerror(err), hint);
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return VMM_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return VMM_E_PERM;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return VMM_E_NOMEM;
	default:
		return VMM_E_IO;
	}
}

static int32_t check_kind(const struct vmm_file_open *req, mode_t mode)
{
	if (kind_of(mode) & req->kinds)
		return 0;
	vmm_set_error(req->error, "\"%s\" is %s; expected %s", req->path, kind_name(mode),
		kinds_wanted(req->kinds));
	return VMM_E_INVAL;
}

static int32_t lock(const struct vmm_file_open *req, int fd)
{
	int read_only = req->flags & VMM_FILE_READ_ONLY;
	struct flock range = {
		.l_type = (short)(read_only ? F_RDLCK : F_WRLCK), .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		vmm_set_error(req->error, "cannot lock \"%s\": %s", req->path, strerror(errno));
		return VMM_E_IO;
	}
	vmm_set_error(req->error, "\"%s\" is in use: another process holds a lock on it%s",
		req->path, read_only ? " for writing" : "");
	return VMM_E_BUSY;
}

static int32_t host_file_open(vmm_host *host, const struct vmm_file_open *request, int32_t *ret_fd)
{
	struct vmm_file_open req;
	struct stat info;
	int32_t ret;
	int flags;
	int fd;

	if (host->phase != HOST_CREATE)
		return host_misuse(host, "vmm.file open", "may be called in create only");
	ret = host_copy_request(request, sizeof(req), &req, sizeof(req));
	if (ret < 0)
		return ret;
	if ((req.flags & ~FLAGS) || (req.kinds & ~KINDS) || !req.path)
		return VMM_E_INVAL;
	/* Looked at before it is opened: opening a device or a FIFO can have effects. */
	if (stat(req.path, &info) < 0)
		return open_failed(&req, errno);
	ret = check_kind(&req, info.st_mode);
	if (ret < 0)
		return ret;
	flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	flags |= req.flags & VMM_FILE_READ_ONLY ? O_RDONLY : O_RDWR;
	flags |= req.flags & VMM_FILE_DIRECT ? O_DIRECT : 0;
	fd = open(req.path, flags);
	if (fd < 0)
		return open_failed(&req, errno);
	if (fstat(fd, &info) < 0)
		ret = open_failed(&req, errno);
	else
		ret = check_kind(&req, info.st_mode);
	if (ret == 0 && !S_ISCHR(info.st_mode) && fcntl(fd, F_SETFL, flags & O_DIRECT) < 0)
		ret = open_failed(&req, errno);
	if (ret == 0 && (req.flags & VMM_FILE_LOCK))
		ret = lock(&req, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

const struct vmm_file host_file_table = {
	.size = sizeof(host_file_table),
	.open = host_file_open,
};
