/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls by which files, memory and other things of the kernel are had and set. Those that
 * move data are in calls_transfer.c, open() and ioctl() in calls_service.c.
 */
#include "calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

CALL_EXPORT int fcntl(int fd, int command, ...)
{
	int error = command == F_OFD_SETLK ? ENOLCK : EIO;
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (fault_ask("fcntl", CALL_CALLER, error, FAULT_CAN_FAIL) == FAULT_FAIL) {
		errno = error;
		return -1;
	}
	return CALL_REAL(fcntl)(fd, command, argument);
}

CALL_DEFINE(void *, mmap, (void *at, size_t bytes, int prot, int flags, int fd, off_t offset),
	(at, bytes, prot, flags, fd, offset), ENOMEM, MAP_FAILED, MAP_FAILED, FAULT_CAN_FAIL)
CALL_ERRNO(mlock, (const void *at, size_t bytes), (at, bytes), ENOMEM)
CALL_ERRNO(madvise, (void *at, size_t bytes, int advice), (at, bytes, advice), ENOMEM)
CALL_ERRNO(memfd_create, (const char *name, unsigned int flags), (name, flags), EMFILE)
CALL_ERRNO(ftruncate, (int fd, off_t bytes), (fd, bytes), ENOSPC)
CALL_SLOW(fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes), ENOSPC)
CALL_SLOW(fdatasync, (int fd), (fd), EIO)
CALL_ERRNO(fstat, (int fd, struct stat *st), (fd, st), EIO)
CALL_ERRNO(stat, (const char *path, struct stat *st), (path, st), EACCES)
CALL_ERRNO(lstat, (const char *path, struct stat *st), (path, st), EACCES)
CALL_ERRNO(fstatfs, (int fd, struct statfs *fs), (fd, fs), EIO)
CALL_ERRNO(fstatvfs, (int fd, struct statvfs *fs), (fd, fs), EIO)
CALL_ERRNO(fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
CALL_ERRNO(symlink, (const char *target, const char *path), (target, path), EROFS)
CALL_DEFINE(ssize_t, readlink, (const char *path, char *target, size_t bytes),
	(path, target, bytes), EACCES, -1, -1, FAULT_CAN_FAIL)
CALL_DEFINE(char *, getcwd, (char *path, size_t bytes), (path, bytes), EACCES, NULL, NULL,
	FAULT_CAN_FAIL)
CALL_ERRNO(scandir,
	(const char *path, struct dirent ***entries, int (*select)(const struct dirent *),
		int (*compare)(const struct dirent **, const struct dirent **)),
	(path, entries, select, compare), EMFILE)

CALL_ERRNO(eventfd, (unsigned int count, int flags), (count, flags), EMFILE)
CALL_ERRNO(epoll_create1, (int flags), (flags), EMFILE)
CALL_ERRNO(epoll_ctl, (int fd, int op, int other, struct epoll_event *event),
	(fd, op, other, event), ENOSPC)
CALL_ERRNO(timerfd_create, (clockid_t clock, int flags), (clock, flags), EMFILE)
CALL_ERRNO(pipe2, (int fds[2], int flags), (fds, flags), EMFILE)
CALL_ERRNO(socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE)
CALL_ERRNO(
	bind, (int fd, __CONST_SOCKADDR_ARG address, socklen_t bytes), (fd, address, bytes), EACCES)
CALL_ERRNO(listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
CALL_ERRNO(connect, (int fd, __CONST_SOCKADDR_ARG address, socklen_t bytes), (fd, address, bytes),
	EACCES)
CALL_ERRNO(accept4, (int fd, __SOCKADDR_ARG address, socklen_t *bytes, int flags),
	(fd, address, bytes, flags), EMFILE)

CALL_ERRNO(posix_openpt, (int flags), (flags), EMFILE)
CALL_ERRNO(grantpt, (int fd), (fd), EACCES)
CALL_ERRNO(unlockpt, (int fd), (fd), EINVAL)
CALL_CODE(ptsname_r, (int fd, char *name, size_t bytes), (fd, name, bytes), ERANGE)
CALL_ERRNO(tcgetattr, (int fd, struct termios *mode), (fd, mode), EIO)
CALL_ERRNO(tcsetattr, (int fd, int when, const struct termios *mode), (fd, when, mode), EIO)
