/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of interposed calls share. The program exports them, so that plugins, which are
 * loaded later, find them in front of the libraries' own.
 */
#ifndef TESTS_FAULT_CALLS_H
#define TESTS_FAULT_CALLS_H

#include <errno.h>
#include <stddef.h>

#include "fault.h"

#define CALL_EXPORT __attribute__((visibility("default")))
#define CALL_CALLER __builtin_return_address(0)

typedef void (*call_function)(void);

/** The function behind ours; *cache is NULL at first. */
call_function call_real(const char *name, call_function *cache);

#define CALL_REAL(name)                                                                            \
	__extension__({                                                                            \
		static call_function cache_;                                                       \
		(__typeof__(&name))call_real(#name, &cache_);                                      \
	})

/**
 * Defines a function that fails with `result` and errno `error`, or does what it always did.
 * CALL_CODE is for those that return the error, and CALL_SLOW for those that a signal interrupts.
 */
#define CALL_DEFINE(type, name, parameters, arguments, error, result, interrupted, kinds)          \
	CALL_EXPORT type name parameters                                                           \
	{                                                                                          \
		switch (fault_ask(#name, CALL_CALLER, error, kinds)) {                             \
		case FAULT_FAIL:                                                                   \
			errno = error;                                                             \
			return result;                                                             \
		case FAULT_EINTR:                                                                  \
			errno = EINTR;                                                             \
			return interrupted;                                                        \
		default:                                                                           \
			return CALL_REAL(name) arguments;                                          \
		}                                                                                  \
	}

#define CALL_ERRNO(name, parameters, arguments, error)                                             \
	CALL_DEFINE(int, name, parameters, arguments, error, -1, -1, FAULT_CAN_FAIL)
#define CALL_CODE(name, parameters, arguments, error)                                              \
	CALL_DEFINE(int, name, parameters, arguments, error, error, error, FAULT_CAN_FAIL)
#define CALL_SLOW(name, parameters, arguments, error)                                              \
	CALL_DEFINE(int, name, parameters, arguments, error, -1, -1,                               \
		FAULT_CAN_FAIL | FAULT_CAN_INTERRUPT)

/*
 * A kernel service that is not there, by whoever plays it: both are asked first if they are set,
 * and say 1 if the call was theirs.
 */
extern int (*call_open_hook)(const char *path, int *ret_fd);
extern int (*call_ioctl_hook)(int fd, unsigned long request, void *argument, int *ret_result);

#endif
