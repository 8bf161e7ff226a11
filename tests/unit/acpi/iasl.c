/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging ACPI tables: see iasl.h.
 */
#include "iasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static int write_all(const char *path, const void *data, uint32_t bytes)
{
	FILE *file = fopen(path, "w");
	int ok = file && fwrite(data, 1, bytes, file) == bytes;

	if (file && fclose(file))
		ok = 0;
	return ok;
}

char *iasl_disassemble(const char *name, const void *table, uint32_t bytes)
{
	char path[512], command[2048];
	char *log, *text = NULL;

	snprintf(path, sizeof(path), TEST_DIR "/%s.dat", name);
	if (!write_all(path, table, bytes))
		return NULL;
	snprintf(command, sizeof(command),
		"cd '" TEST_DIR "' && rm -f %s.dsl && '" TEST_IASL "' -d %s.dat >%s.log 2>&1", name,
		name, name);
	if (system(command))
		return NULL;
	snprintf(path, sizeof(path), TEST_DIR "/%s.log", name);
	log = read_all(path);
	if (log && !strcasestr(log, "error") && !strcasestr(log, "warning") &&
		!strcasestr(log, "invalid")) {
		snprintf(path, sizeof(path), TEST_DIR "/%s.dsl", name);
		text = read_all(path);
	} else {
		fprintf(stderr, "iasl -d of %s said:\n%s\n", name, log ? log : "nothing");
	}
	free(log);
	if (text && (strcasestr(text, "error") || strcasestr(text, "invalid") ||
			    strstr(text, "should be"))) {
		fprintf(stderr, "iasl -d of %s gave:\n%s\n", name, text);
		free(text);
		text = NULL;
	}
	return text;
}
