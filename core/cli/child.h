/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs code of plugins in a child process, for commands that only look at them: a plugin that
 * crashes, exits or hangs takes the child with it and nothing else.
 */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdio.h>

#include <vmm/types.h>

#define CHILD_SECONDS 10u

/** Writes the answer to out; on failure fills error. Runs in the child. */
typedef int (*child_work)(void *ctx, FILE *out, struct vmm_error *error);

/**
 * Runs work in a child and waits for it. *ret_text is what it wrote; free() it. The error text says
 * how the child ended if it did not answer: "crashed (Segmentation fault)".
 */
int child_run(child_work work, void *ctx, char **ret_text, struct vmm_error *error);

#endif
