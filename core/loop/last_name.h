/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name in the file system that a console made and removes at its end. Then the sandbox may be
 * closed and the path lead nowhere, so the directory is held open.
 */
#ifndef LOOP_LAST_NAME_H
#define LOOP_LAST_NAME_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct last_name {
	int directory; /* 0: none; it is never a standard fd */
	char *base;
};

/** Opens the directory of path. Returns 0 or a negative errno. [config] */
int last_name_init(struct last_name *name, const char *path);

/** Forgets the name; what it stands for stays. A zeroed one is fine. [config] */
void last_name_fini(struct last_name *name);

/** lstat(2). 0 or a negative errno. [any] */
int last_name_stat(const struct last_name *name, struct stat *ret_info);

/** readlink(2), NUL-terminated. Length or a negative errno. [any] */
ssize_t last_name_read_link(const struct last_name *name, char *target, size_t bytes);

/** unlink(2). [any] */
void last_name_remove(const struct last_name *name);

#endif
