/* SPDX-License-Identifier: Apache-2.0 */
/* The command line options as a table: one source for the parser, --help and the tests. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdio.h>

struct cli_option {
	char letter; /* "-c", or '\0' */
	int key;     /* what getopt_long returns */
	const char *name;
	const char *argument; /* "FILE", or NULL */
	const char *doc;
};

/** The last one has a NULL name. */
extern const struct cli_option cli_options[];

#define CLI_OPTION_COUNT 12

/** The text of --help. */
void cli_write_help(FILE *out);

#endif
