/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fds that vmm was started with. Nothing uses them but what the configuration names, and such a
 * user makes a copy of its own; so at the end all of them are closed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "sandbox/private.h"

#define INHERITED_MAX 1024u

static int inherited[INHERITED_MAX];
static size_t inherited_count;

static void remember(int fd)
{
	if (inherited_count < INHERITED_MAX)
		inherited[inherited_count++] = fd;
	else
		close(fd);
}

/* The next fd that is open, but for the standard ones and that of the directory; -1: no more. */
static int next_fd(DIR *directory)
{
	struct dirent *entry;

	while ((entry = readdir(directory))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != dirfd(directory))
			return fd;
	}
	return -1;
}

void fds_remember(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int next;

	inherited_count = 0;
	if (!directory) {
		for (int fd = STDERR_FILENO + 1; fd < (int)INHERITED_MAX; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				remember(fd);
		return;
	}
	while ((next = next_fd(directory)) >= 0)
		remember(next);
	closedir(directory);
}

int fds_highest(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int highest = STDERR_FILENO;
	int next;

	if (!directory)
		return (int)INHERITED_MAX;
	while ((next = next_fd(directory)) >= 0)
		highest = next > highest ? next : highest;
	closedir(directory);
	return highest;
}

static bool is_kept(int fd, const int *keep, size_t keep_count)
{
	for (size_t i = 0; i < keep_count; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

void fds_close_inherited(const int *keep, size_t keep_count)
{
	size_t left = 0;

	for (size_t i = 0; i < inherited_count; i++) {
		if (is_kept(inherited[i], keep, keep_count))
			inherited[left++] = inherited[i];
		else
			close(inherited[i]);
	}
	inherited_count = left;
}
