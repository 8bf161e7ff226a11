/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. Each step is a file; sandbox.c has their order. */
#ifndef SANDBOX_PRIVATE_H
#define SANDBOX_PRIVATE_H

#include <sys/types.h>

#include <vmm/support.h>

#include "sandbox/sandbox.h"

#define SANDBOX_DIRECTORIES_MAX 64u

/**
 * A step that the host cannot do: an error if strict, else a line in the log and 0. what: "no
 * namespaces: Operation not permitted".
 */
int sandbox_cannot(bool strict, struct vmm_error *error, const char *format, ...) VMM_PRINTF(3, 4);

/** Writes down the fds that are open now. */
void fds_remember(void);

/** Closes those that were, but for the standard ones and the kept; keep_count 0: all. */
void fds_close_inherited(const int *keep, size_t keep_count);

/** No privileges by exec, no core dumps. Refuses to run set-user-id. */
int limits_prepare(struct vmm_error *error);

/** A limit for fds a little above those in use, no debugger of the same user. */
int limits_enter(uint64_t needs, struct vmm_error *error);

/** Who to become. */
struct sandbox_user {
	bool given;
	uid_t uid;
	gid_t gid;
};

/** Looks the user up; not found, or not root: an error. */
int user_find(const char *name, struct sandbox_user *ret_user, struct vmm_error *error);

/** Capabilities that no later execve(2) can give; while there is one that allows it, and /proc. */
void privileges_drop_bounds(void);

/** Becomes the user, and loses all capabilities, for good. */
int privileges_drop(const struct sandbox_user *user, struct vmm_error *error);

/** True if this process may make namespaces. */
bool privileges_has_admin(void);

/** A user namespace in which this process may make others. Returns 0 or a negative errno. */
int namespaces_prepare(void);

/**
 * No other files, no host name, no IPC objects, no network (unless network). Returns 0 or a
 * negative errno, with *ret_what that failed; then some may have been done.
 */
int namespaces_enter(bool network, const char **ret_what);

/**
 * Forbids to open, make, change or remove files, to use TCP without network, and to signal or
 * connect to others, as far as this kernel can. Returns the version of the kernel's interface, or
 * a negative errno.
 */
int landlock_enter(bool network, const int *directories, uint32_t directory_count);

/** Makes the filters of all roles. */
int filters_prepare(uint64_t needs, struct vmm_error *error);

/** Loads the filter of a role into this thread. Returns 0 or a negative errno. */
int filters_load(enum sandbox_role role);

#endif
