/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into vmm with LD_PRELOAD: faults of a disk with aio = "worker", to show that a test sees
 * them and to hold vmm up where a test needs that; and a KVM that lacks something.
 *
 *   VMM_FAULT_LOSE=FILE   once FILE exists, writes are confirmed and not done
 *   VMM_FAULT_HANG=FILE   once FILE exists, fdatasync() does not return
 *   VMM_FAULT_SYNC=1      fdatasync() does nothing
 *   VMM_FAULT_CAP=NUMBER  KVM does not have the capability of that number
 */
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static int asked_for(const char *name)
{
	const char *file = getenv(name);

	return file && access(file, F_OK) == 0;
}

/* The C library's own function, which ours hides. */
static void find(const char *name, void *ret_function, size_t bytes)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(ret_function, &found, bytes);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t);
	ssize_t bytes = 0;

	if (!asked_for("VMM_FAULT_LOSE")) {
		find("pwritev", &real, sizeof(real));
		return real(fd, iov, count, offset);
	}
	for (int i = 0; i < count; i++)
		bytes += (ssize_t)iov[i].iov_len;
	return bytes;
}

int fdatasync(int fd)
{
	int (*real)(int);

	if (getenv("VMM_FAULT_SYNC"))
		return 0;
	while (asked_for("VMM_FAULT_HANG"))
		usleep(100000);
	find("fdatasync", &real, sizeof(real));
	return real(fd);
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, void *);
	const char *lacks = getenv("VMM_FAULT_CAP");
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (lacks && request == KVM_CHECK_EXTENSION &&
		(unsigned long)(uintptr_t)argument == strtoul(lacks, NULL, 10))
		return 0;
	find("ioctl", &real, sizeof(real));
	return real(fd, request, argument);
}
