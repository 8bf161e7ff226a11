/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of a config file, between source.c, which reads files, and libconfig, which knows the
 * grammar. What is checked here is what libconfig accepts in silence (numbers that do not fit,
 * unknown escapes, NUL, bad UTF-8) or reports without a reason (brackets and quotes left open, text
 * without quotes).
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/source.h"

/** A file, or the text of an override, that is being scanned. */
struct scan_file {
	const struct scan_file *parent; /* the file that includes this one, or NULL */
	const char *name;
	const char *next;
	const char *end;
	uint32_t line;   /* of next; 0 in the text of an override */
	uint32_t depth;  /* how many files include it */
	size_t brackets; /* that were open where it starts */
	bool is_text;
	dev_t device;
	ino_t inode;
	char before;       /* the token before: a mark, or a letter of scan.c */
	bool line_is_open; /* something was written to the line of the result */
};

/** Appends the file to the result. */
int scan(struct source *source, struct scan_file *file);

/** Includes path at place. Of source.c, called by scan(). */
int source_include(struct source *source, const char *path, const struct scan_file *parent,
	struct config_place place);

#endif
