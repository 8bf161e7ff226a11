/* SPDX-License-Identifier: Apache-2.0 */
/* The few pieces of JSON (RFC 8259) that the command line prints. Does not read any. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Writes JSON: `first` is true before the first member or element of what is open. */
struct json {
	FILE *out;
	bool first;
};

/** Opens and closes with '{' '}' or '[' ']'; name is NULL within an array and for the root. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

/** A member, or with a NULL name an element. A NULL text is null. */
void json_text(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, int64_t number);
void json_bool(struct json *json, const char *name, bool value);

#endif
