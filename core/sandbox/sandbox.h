/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process gives up, and when. docs/adr/0007 has the reasons. There is one sandbox for the
 * process, so its state is here and not the caller's.
 *
 *   sandbox_begin()     first thing in main(): remembers what was inherited
 *   sandbox_prepare()   once the configuration is known; nothing is open yet, there is one thread
 *   sandbox_enter()     once everything is open; still one thread
 *   sandbox_thread()    on each thread, before it looks at anything that a guest says
 *
 * With mode off only the first does anything.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

enum sandbox_mode {
	SANDBOX_OFF,
	SANDBOX_ON,     /* what is not possible here is left out, with a line in the log */
	SANDBOX_STRICT, /* what is not possible here is an error */
};

/** What a thread may do. */
enum sandbox_role {
	SANDBOX_MAIN,   /* the main loop, and taking everything down */
	SANDBOX_LOOP,   /* an I/O thread */
	SANDBOX_VCPU,   /* KVM_RUN and accesses of the guest */
	SANDBOX_WORKER, /* blocking file I/O */
	SANDBOX_HELPER, /* log, watchdog */
	SANDBOX_ROLES,
};

struct sandbox_options {
	enum sandbox_mode mode;
	const char *user; /* who to become when started by root; NULL: nobody else */
	const int *keep;  /* inherited fds that the configuration names */
	size_t keep_count;
};

/**
 * Remembers which fds were inherited; the first thing that opens fds comes later. Whatever the
 * mode: VMM_E_INVAL if privileges come from the program's file. [config]
 */
int sandbox_begin(struct vmm_error *error);

/**
 * Gives up what nothing needs: privileges by exec, core dumps, inherited fds that nobody named; and
 * goes into a user namespace if there are no privileges to make others with. There is one thread.
 * VMM_E_INVAL: the options cannot be; VMM_E_UNSUPPORTED: strict, and the host cannot. [config]
 */
int sandbox_prepare(const struct sandbox_options *options, struct vmm_error *error);

/**
 * Gives up the rest, but the system calls: files, network, other processes, user, capabilities.
 * needs: VMM_NEED_... of all devices. Errors as sandbox_prepare(). [config]
 */
int sandbox_enter(uint64_t needs, struct vmm_error *error);

/**
 * The system calls of this thread from now on, and of those that it starts. A thread that cannot
 * be limited ends the process. [any]
 */
void sandbox_thread(enum sandbox_role role);

/**
 * Names are removed from this directory later (an fd, also O_PATH), when a console is closed.
 * Before sandbox_enter(). [config]
 */
void sandbox_allow_removal(int directory);

#endif
