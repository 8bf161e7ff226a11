/* SPDX-License-Identifier: Apache-2.0 */
/* The few pieces of JSON (RFC 8259) that the command line prints. */
#include <inttypes.h>
#include <string.h>

#include "cli/json.h"
#include "config/utf8.h"

/* Texts of plugins and paths may be any bytes; what is no UTF-8 becomes U+FFFD. */
static void write_string(FILE *out, const char *text)
{
	size_t left = strlen(text);

	putc('"', out);
	while (left) {
		unsigned char byte = (unsigned char)*text;
		size_t bytes = utf8_bytes(text, left);

		if (!bytes)
			fputs("\\ufffd", out);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(out, "\\u%04x", byte);
		else
			fwrite(text, 1, bytes, out);
		text += bytes ? bytes : 1;
		left -= bytes ? bytes : 1;
	}
	putc('"', out);
}

static void begin(struct json *json, const char *name)
{
	if (!json->first)
		putc(',', json->out);
	json->first = false;
	if (!name)
		return;
	write_string(json->out, name);
	putc(':', json->out);
}

void json_open(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	putc(bracket, json->out);
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->out);
	json->first = false;
}

void json_text(struct json *json, const char *name, const char *text)
{
	begin(json, name);
	if (text)
		write_string(json->out, text);
	else
		fputs("null", json->out);
}

void json_number(struct json *json, const char *name, int64_t number)
{
	begin(json, name);
	fprintf(json->out, "%" PRId64, number);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin(json, name);
	fputs(value ? "true" : "false", json->out);
}
