/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (Documentation/userspace-api/landlock.rst), by system calls: the headers that this is
 * built with may be older than the kernel, and glibc has no functions for it. Each version of the
 * interface adds rights; all that the running kernel has are taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/private.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

#define FS_READ_FILE   (UINT64_C(1) << 2)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)

#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL               (UINT64_C(1) << 1)

/* The kernel takes it shorter, or longer with zeroes. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* version 4 */
	uint64_t scoped;             /* version 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

/* All rights of a version; bits are in the order in which they came. */
static uint64_t fs_rights(int version)
{
	unsigned bits = 13; /* EXECUTE to MAKE_SYM */

	if (version >= 2)
		bits = 14; /* REFER */
	if (version >= 3)
		bits = 15; /* TRUNCATE */
	if (version >= 5)
		bits = 16; /* IOCTL_DEV */
	return (UINT64_C(1) << bits) - 1;
}

static int allow_beneath(int ruleset, int directory, uint64_t rights)
{
	struct path_beneath_attr rule = {.allowed_access = rights, .parent_fd = directory};

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0u) ? -errno : 0;
}

/* For the resolver: its file, be it the copy in our own root or, without namespaces, the host's. */
static int allow_etc(int ruleset)
{
	int fd = open("/etc/resolv.conf", O_PATH | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return 0;
	ret = allow_beneath(ruleset, fd, FS_READ_FILE);
	close(fd);
	return ret;
}

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);

	return version < 0 ? -errno : (int)version;
}

static int make_ruleset(int version, bool network)
{
	struct ruleset_attr attr = {.handled_access_fs = fs_rights(version)};
	size_t bytes = sizeof(uint64_t);
	long fd;

	if (version >= 4) {
		bytes = 2 * sizeof(uint64_t);
		attr.handled_access_net = network ? 0 : NET_BIND_TCP | NET_CONNECT_TCP;
	}
	if (version >= 6) {
		bytes = sizeof(attr);
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	}
	fd = syscall(SYS_landlock_create_ruleset, &attr, bytes, 0u);
	return fd < 0 ? -errno : (int)fd;
}

int landlock_enter(int version, bool network, const int *directories, uint32_t directory_count)
{
	int ruleset = make_ruleset(version, network);
	int ret = 0;

	if (ruleset < 0)
		return ruleset;
	for (uint32_t i = 0; ret == 0 && i < directory_count; i++)
		ret = allow_beneath(ruleset, directories[i], FS_REMOVE_FILE);
	if (ret == 0 && network)
		ret = allow_etc(ruleset);
	if (ret == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0u))
		ret = -errno;
	close(ruleset);
	return ret;
}
