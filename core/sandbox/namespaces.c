/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces: the process sees an empty read-only file system, no network unless it needs one, no
 * IPC objects and no host name of others. Files that are open stay open.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/private.h"

#define RESOLVER       "/etc/resolv.conf"
#define RESOLVER_BYTES 65536u

/* The mount point only has to be there: nobody else sees what is mounted on it. */
#define MOUNT_POINT "/proc"

#define ROOT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int write_file(const char *path, const char *text, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	ssize_t done;
	int error;

	if (fd < 0)
		return -errno;
	done = write(fd, text, bytes);
	error = errno;
	close(fd);
	return done == (ssize_t)bytes ? 0 : done < 0 ? -error : -EIO;
}

static int map_id(const char *path, unsigned id)
{
	char text[64];
	int bytes = snprintf(text, sizeof(text), "%u %u 1", id, id);

	return write_file(path, text, (size_t)bytes);
}

int namespaces_prepare(void)
{
	unsigned user = geteuid();
	unsigned group = getegid();
	int ret;

	/* Otherwise the files below are root's. sandbox_enter() has the last word. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (unshare(CLONE_NEWUSER))
		return -errno;
	ret = write_file("/proc/self/setgroups", "deny", 4);
	if (ret == 0 || ret == -ENOENT)
		ret = map_id("/proc/self/uid_map", user);
	if (ret == 0)
		ret = map_id("/proc/self/gid_map", group);
	return ret;
}

static ssize_t read_resolver(char *text, size_t bytes)
{
	int fd = open(RESOLVER, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, text, bytes);
	close(fd);
	return got;
}

/* libslirp reads it now and then, for the addresses of name servers. */
static int add_resolver(const char *text, size_t bytes)
{
	if (mkdir("etc", 0755))
		return -errno;
	return write_file("etc/resolv.conf", text, bytes);
}

/* The working directory becomes the root; the old one goes. */
static int change_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) ? -errno : 0;
	/* The first file system of a kernel cannot be left in this way. */
	if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		return -errno;
	return 0;
}

static int enter_ipc(bool network)
{
	(void)network;
	return unshare(CLONE_NEWIPC | CLONE_NEWUTS) ? -errno : 0;
}

static int enter_network(bool network)
{
	return !network && unshare(CLONE_NEWNET) ? -errno : 0;
}

static int enter_files(bool network)
{
	char resolver[RESOLVER_BYTES];
	ssize_t bytes = network ? read_resolver(resolver, sizeof(resolver)) : -1;
	int ret;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("vmm", MOUNT_POINT, "tmpfs", ROOT_FLAGS, "mode=0755,size=128k") ||
		chdir(MOUNT_POINT))
		return -errno;
	if (bytes >= 0) {
		ret = add_resolver(resolver, (size_t)bytes);
		if (ret < 0)
			return ret;
	}
	if (mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY | ROOT_FLAGS, NULL))
		return -errno;
	ret = change_root();
	if (ret == 0 && chdir("/"))
		ret = -errno;
	return ret;
}

const struct sandbox_namespace namespaces[] = {
	{"IPC and a host name of its own", enter_ipc},
	{"a network of its own", enter_network},
	{"a file system of its own", enter_files},
	{NULL, NULL},
};
