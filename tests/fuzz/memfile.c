/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See memfile.h. Descriptors with fixed numbers, that are made once and emptied each time.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfile.h"

const char *memfile(uint32_t number, const void *data, size_t bytes)
{
	static char paths[MEMFILE_MAX][32];
	int fd = memfile_fd(number);

	if (!paths[number][0]) {
		int made = memfd_create("fuzz", 0);

		/* As a file that only its owner writes. */
		if (made < 0 || fchmod(made, 0600) || dup2(made, fd) != fd)
			abort();
		close(made);
		snprintf(paths[number], sizeof(paths[number]), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || (bytes && pwrite(fd, data, bytes, 0) != (ssize_t)bytes))
		abort();
	return paths[number];
}
