/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm itself, run inside of a test, with the files that its configurations name.
 */
#ifndef TESTS_FAULT_PROGRAM_H
#define TESTS_FAULT_PROGRAM_H

#include <stdbool.h>

#include "user.h"

#define PROGRAM_ARGUMENTS_MAX 16

/* Two of program_setup()'s: one of each device, behind a PCI bus and without one. */
#define PROGRAM_PCI  "pci.cfg"
#define PROGRAM_MMIO "mmio.cfg"

struct program {
	const char *arguments[PROGRAM_ARGUMENTS_MAX];
	const char *config;            /* a file in the folder, given with -c; NULL: none */
	const struct user_plan *guest; /* NULL: there is none */
	bool has_terminal;             /* standard input is one */
};

/** Makes a folder with configurations, images and an initrd. For cmocka, as its counterpart. */
int program_setup(void **state);

/** Fails if something is in the folder that was not there before. */
int program_teardown(void **state);

/** Standard input and the guest as the program wants them, for the rest of this process. */
void program_prepare(const struct program *program);

/** Runs it; returns its exit status. */
int program_run(const struct program *program);

/** The status of a run in which nothing failed. */
int program_success(const struct program *program);

#endif
