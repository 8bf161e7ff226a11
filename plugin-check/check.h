/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm-plugin-check: does a plugin keep the rules of the plugin ABI? What the files here share: the
 * plugin that is looked at, the checks, and what a check says.
 *
 * main() -> for each check: outcome_of() runs it in a process of its own -> report_outcome().
 * Code of the plugin runs in those processes only; what the first ones find out about the plugin
 * (its types, who offers the interfaces that they need) is kept in struct subject for the others.
 */
#ifndef PLUGIN_CHECK_CHECK_H
#define PLUGIN_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/support.h>

#define TEXT_BYTES 1024u

/** A device type of another plugin that offers an interface. */
struct provider {
	struct provider *next;
	char *interface;
	char *file;
	char *type;
};

/** A plugin, and what the command line says of it. */
struct subject {
	const char *path;      /* as it was given */
	char *real_path;       /* absolute */
	const char **settings; /* "NAME=VALUE" or "TYPE.NAME=VALUE" */
	const char **second;   /* likewise, for the second instance */
	const char **search;   /* directories of plugins that it may need; ends with NULL */
	char *directory;       /* of files that checks need, removed in the end */
	char **types;          /* ends with NULL */
	size_t type_count;
	struct provider *providers;
};

struct check {
	const char *name; /* "file.note"; of a type: "phases" */
	const char *rule; /* what has to hold */
	void (*run)(struct subject *subject, const char *type); /* type: NULL for the file */
};

/* What a check says, in its process. remedy may be NULL. */
void finding(const char *remedy, const char *format, ...) VMM_PRINTF(2, 3);
void note(const char *format, ...) VMM_PRINTF(1, 2);
/** The check cannot be made; the text says why. Does not return. */
void skip(const char *format, ...) VMM_PRINTF(1, 2) __attribute__((noreturn));
/** What is being tried: the report of a crash or a hang says it. */
void doing(const char *format, ...) VMM_PRINTF(1, 2);
/** Ends the check here; what was said counts. */
void done(void) __attribute__((noreturn));
/** Tells the parent something about the subject: see subject_learn(). */
void teach(char kind, const char *text);

enum verdict {
	VERDICT_OK,
	VERDICT_FAIL,
	VERDICT_SKIP,
};

/** A text with its remedy; remedy "" is none. */
struct said {
	struct said *next;
	char *text;
	char *remedy;
};

struct outcome {
	enum verdict verdict;
	struct said *findings;
	struct said *notes; /* the reason, if skipped */
	char *output;       /* what the plugin printed; "" is nothing */
};

/** Runs a check in a process of its own, which has `seconds`. */
void outcome_of(const struct check *check, struct subject *subject, const char *type,
	unsigned seconds, struct outcome *ret_outcome);
void outcome_fini(struct outcome *outcome);

/** From now on SIGINT, SIGTERM and SIGHUP end the check that runs, no more. */
void outcome_catch_signals(void);
/** The signal that came, or 0. */
int outcome_signal(void);

/** Takes in what teach() said: 'T' a type, 'P' a provider "interface file type". */
void subject_learn(struct subject *subject, char kind, const char *text);

/* The checks; the last of each has no name. */
extern const struct check file_checks[]; /* file.c: no code of the plugin runs */
extern const struct check load_checks[]; /* load.c: types and providers are known after them */
extern const struct check life_checks[];
extern const struct check fault_checks[];
extern const struct check guest_checks[];

#define REPORT_TAP     0x1u
#define REPORT_VERBOSE 0x2u

/** Counts and prints outcomes. */
struct report {
	uint32_t flags;
	unsigned count[3]; /* by verdict */
};

void report_begin(const struct report *report, const char *path);
void report_outcome(struct report *report, const char *type, const struct check *check,
	const struct outcome *outcome);
/** The last lines. Returns true if nothing failed. */
bool report_end(const struct report *report);

#endif
