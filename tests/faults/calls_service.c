/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open() and ioctl(), behind which there may be a service of the kernel that is played.
 */
#include "calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int (*call_open_hook)(const char *path, int *ret_fd);
int (*call_ioctl_hook)(int fd, unsigned long request, void *argument, int *ret_result);

/* The C library's own, for code that is built with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);

call_function call_real(const char *name, call_function *cache)
{
	void *symbol;

	if (*cache)
		return *cache;
	symbol = dlsym(RTLD_NEXT, name);
	if (!symbol)
		abort();
	*cache = (call_function)(uintptr_t)symbol;
	return *cache;
}

static int open_from(const char *path, int flags, mode_t mode, const void *caller)
{
	int fd;

	switch (fault_ask("open", caller, EMFILE, FAULT_CAN_FAIL | FAULT_CAN_INTERRUPT)) {
	case FAULT_FAIL:
		errno = EMFILE;
		return -1;
	default:
		break;
	}
	if (call_open_hook && call_open_hook(path, &fd))
		return fd;
	return CALL_REAL(open)(path, flags, mode);
}

CALL_EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (flags & O_CREAT) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return open_from(path, flags, mode, CALL_CALLER);
}

CALL_EXPORT int __open_2(const char *path, int flags)
{
	return open_from(path, flags, 0, CALL_CALLER);
}

CALL_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	/* A guest that cannot be run is the end of it, and a test of its own. */
	if (request != KVM_RUN &&
		fault_ask("ioctl", CALL_CALLER, EIO, FAULT_CAN_FAIL) == FAULT_FAIL) {
		errno = EIO;
		return -1;
	}
	if (call_ioctl_hook && call_ioctl_hook(fd, request, argument, &result))
		return result;
	return CALL_REAL(ioctl)(fd, request, argument);
}
