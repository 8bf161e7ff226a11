/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a check in a child process, because a sandbox is never left. */
#ifndef TESTS_SANDBOX_KIT_H
#define TESTS_SANDBOX_KIT_H

/* cmocka needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** In a child: ends it with a message unless cond. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			kit_fail(__FILE__, __LINE__, #cond);                                       \
	} while (0)

void kit_fail(const char *file, int line, const char *cond) __attribute__((noreturn));

/** Wait status of a child that runs check(arg) and exits with 0. */
int kit_status(void (*check)(uintptr_t arg), uintptr_t arg);

/** The child must get to its end. */
void kit_passes(void (*check)(uintptr_t arg), uintptr_t arg);

/** In a child: prepare and enter, with all that this host can do. */
void kit_enter(uint64_t needs);

/** In a child: an ordinary user, if this is root. */
void kit_become_ordinary(void);

/** True if an ordinary user may make namespaces here. */
bool kit_has_user_namespaces(void);

/** In a child: this system call fails from now on if its first argument has these flags; 0: always.
 */
void kit_refuse(int call, uint64_t flags, int error);

/** In a child: what is logged goes to kit_log() from now on. */
void kit_catch_log(void);

const char *kit_log(void);

#endif
