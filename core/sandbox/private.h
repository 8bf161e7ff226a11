/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. Each step is a file; sandbox.c has their order. */
#ifndef SANDBOX_PRIVATE_H
#define SANDBOX_PRIVATE_H

#include <sys/types.h>

#include <vmm/support.h>

#include "sandbox/sandbox.h"

#define SANDBOX_DIRECTORIES_MAX 64u

/** Writes down the fds that are open now. */
void fds_remember(void);

/** Closes those that were, but for the standard ones and the kept; keep_count 0: all. */
void fds_close_inherited(const int *keep, size_t keep_count);

/** The highest fd in use; a guess that is high enough where /proc is not there. */
int fds_highest(void);

/** Forgets all variables but a few, and what they were. One thread. */
void environment_clean(void);

/** The C library does now what it could not do later. One thread. */
void library_prepare(void);

/** No privileges by exec, no core dumps. */
int limits_prepare(struct vmm_error *error);

/** A limit for fds a little above those in use, no debugger of the same user. */
int limits_enter(uint64_t needs, int highest_fd, struct vmm_error *error);

/** Who to become. */
struct sandbox_user {
	bool given;
	uid_t uid;
	gid_t gid;
};

/**
 * Refuses a start with privileges of the program's file, set-user-id or capabilities: whoever
 * starts vmm chooses the plugins.
 */
int privileges_check_origin(struct vmm_error *error);

/** Looks the user up; not found, or not root: an error. */
int user_find(const char *name, struct sandbox_user *ret_user, struct vmm_error *error);

/** True if this process may make namespaces. */
bool privileges_have_admin(void);

/** True if this process may do anything that an ordinary one may not. */
bool privileges_have_any(void);

/** No later execve(2) gives capabilities; if there is the one that allows to say so. */
void privileges_drop_bounds(void);

/** Becomes the user, if one is given. */
int privileges_become(const struct sandbox_user *user, struct vmm_error *error);

/** Loses all capabilities, for good. */
int privileges_drop(struct vmm_error *error);

/** A user namespace in which this process may make others. Returns 0 or a negative errno. */
int namespaces_prepare(void);

/** Something that the process has to itself from now on. */
struct sandbox_namespace {
	const char *what;
	/* network: it is needed. Returns 0 or a negative errno; then some may have been done. */
	int (*enter)(bool network);
};

/** No IPC objects or host name of others, no network unless needed, no files. The last is zero. */
extern const struct sandbox_namespace namespaces[];

/** The version of this kernel's interface, or a negative errno. */
int landlock_version(void);

/**
 * Forbids to open, make, change or remove files, to use TCP without network, and to signal or
 * connect to others, as far as this version can. New privileges are given up already. Returns 0 or
 * a negative errno.
 */
int landlock_enter(int version, bool network, const int *directories, uint32_t directory_count);

/** 0, or a negative errno: this kernel, or this build, has no filters. */
int filters_are_there(void);

/** Makes the filters of all roles. */
int filters_prepare(uint64_t needs, struct vmm_error *error);

/** Loads the filter of a role into this thread. Returns 0 or a negative errno. */
int filters_load(enum sandbox_role role);

#endif
