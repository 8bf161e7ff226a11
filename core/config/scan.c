/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of a config file. Comments are dropped, integers are written out as 64-bit decimals
 * (libconfig 1.5 cuts those over 32 bits without the suffix L), everything else is passed on.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "config/scan.h"
#include "config/utf8.h"

/* What came before, where that is not a mark that stands for itself. */
#define TOKEN_KEY   'k'
#define TOKEN_VALUE 'v'

static int fail(struct source *source, const struct scan_file *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct source *source, const struct scan_file *file, const char *format, ...)
{
	struct config_place place = {file->name, file->line};
	char where[CONFIG_ERROR_BYTES / 2];
	char text[CONFIG_ERROR_BYTES / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_set_error(
		source->error, "%s: %s", config_place_text(place, where, sizeof(where)), text);
	return VMM_E_INVAL;
}

static int grow(void **memory, size_t *room, size_t need, size_t entry_bytes)
{
	size_t target = *room ? *room : 256;
	void *bigger;

	if (need <= *room)
		return 0;
	while (target < need)
		target *= 2;
	bigger = reallocarray(*memory, target, entry_bytes);
	if (!bigger)
		return VMM_E_NOMEM;
	*memory = bigger;
	*room = target;
	return 0;
}

static int emit(struct source *source, struct scan_file *file, const char *text, size_t bytes)
{
	void *memory;
	int ret;

	if (!file->line_is_open) {
		memory = source->lines;
		ret = grow(&memory, &source->line_room, source->line_count + 1,
			sizeof(*source->lines));
		source->lines = memory;
		if (ret)
			return ret;
		source->lines[source->line_count++] = (struct config_place){file->name, file->line};
		file->line_is_open = true;
	}
	memory = source->text;
	ret = grow(&memory, &source->room, source->bytes + bytes + 1, 1);
	source->text = memory;
	if (ret)
		return ret;
	memcpy(source->text + source->bytes, text, bytes);
	source->bytes += bytes;
	source->text[source->bytes] = '\0';
	return 0;
}

static int end_line(struct source *source, struct scan_file *file)
{
	int ret = emit(source, file, "\n", 1);

	file->line_is_open = false;
	return ret;
}

static int newline(struct source *source, struct scan_file *file)
{
	int ret = end_line(source, file);

	if (!file->is_text)
		file->line++;
	return ret;
}

static bool escape_is_known(const char *at, const char *end)
{
	if (at >= end)
		return false;
	if (strchr("abfnrtv\\\"", *at))
		return true;
	return *at == 'x' && end - at > 2 && isxdigit((unsigned char)at[1]) &&
	       isxdigit((unsigned char)at[2]) && !(at[1] == '0' && at[2] == '0');
}

static int scan_string(struct source *source, struct scan_file *file)
{
	const char *at = file->next + 1;

	for (; at < file->end && *at != '"'; at++) {
		if (*at == '\n')
			break;
		if (*at != '\\')
			continue;
		if (!escape_is_known(at + 1, file->end))
			return fail(source, file,
				"unknown escape in a string; known are \\\\ \\\" \\n \\t \\r \\a "
				"\\b "
				"\\f \\v and \\x01 to \\xff");
		at++;
	}
	if (at >= file->end || *at != '"')
		return fail(source, file,
			"the string that starts here has no closing quote on its line; "
			"write \\n for a line break");
	at++;
	int ret = emit(source, file, file->next, (size_t)(at - file->next));

	file->next = at;
	return ret;
}

/* Skips to the end of a comment that starts at next; keeps the line breaks. */
static int skip_comment(struct source *source, struct scan_file *file)
{
	uint32_t start = file->line;

	if (file->next[0] == '#' || file->next[1] == '/') {
		while (file->next < file->end && *file->next != '\n')
			file->next++;
		return 0;
	}
	for (file->next += 2; file->end - file->next >= 2; file->next++) {
		if (file->next[0] == '*' && file->next[1] == '/') {
			file->next += 2;
			return 0;
		}
		if (*file->next == '\n') {
			int ret = newline(source, file);

			if (ret)
				return ret;
		}
	}
	file->line = start;
	return fail(source, file, "the comment that starts here is never closed");
}

static bool value_is_expected(const struct source *source, const struct scan_file *file)
{
	if (file->before == '=' || file->before == ':')
		return true;
	return source->depth && source->brackets[source->depth - 1].open != '{' &&
	       (file->before == ',' || file->before == '(' || file->before == '[');
}

static bool is_word(char byte)
{
	return isalnum((unsigned char)byte) || strchr("_-*+./%", byte);
}

static int scan_number(
	struct source *source, struct scan_file *file, const char *word, size_t bytes)
{
	char text[64];
	char decimal[32];
	char *end = NULL;
	long long number;
	bool is_hex;

	if (bytes >= sizeof(text))
		return fail(source, file, "the number %.20s... is too long", word);
	memcpy(text, word, bytes);
	text[bytes] = '\0';
	is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	errno = 0;
	number = strtoll(text, &end, is_hex ? 16 : 10);
	if (end == text + (is_hex ? 2 : 0))
		end = text;
	bool overflow = errno == ERANGE;
	size_t suffix = strspn(end, "lL");

	if (end != text && suffix <= 2 && !end[suffix]) {
		if (overflow)
			return fail(source, file, "the number %s is too large", text);
		snprintf(decimal, sizeof(decimal), "%lldL", number);
		return emit(source, file, decimal, strlen(decimal));
	}
	(void)strtod(text, &end);
	if (end != text && !*end && !is_hex && !isalpha((unsigned char)text[strspn(text, "+-")]))
		return emit(source, file, word, bytes);
	return fail(source, file, "%s is not a number; if it is text, write \"%s\"", text, text);
}

static int scan_word(struct source *source, struct scan_file *file)
{
	const char *word = file->next;
	size_t bytes = 0;

	while (word + bytes < file->end && is_word(word[bytes])) {
		if (word[bytes] == '/' && word + bytes + 1 < file->end &&
			(word[bytes + 1] == '/' || word[bytes + 1] == '*'))
			break;
		bytes++;
	}
	file->next += bytes;
	if (value_is_expected(source, file)) {
		if (isdigit((unsigned char)word[0]) || strchr("+-.", word[0]))
			return scan_number(source, file, word, bytes);
		if (!(bytes == 4 && !strncasecmp(word, "true", 4)) &&
			!(bytes == 5 && !strncasecmp(word, "false", 5)))
			return fail(source, file, "text is written in double quotes: \"%.*s\"",
				(int)(bytes < 60 ? bytes : 60), word);
	} else if (bytes > NODE_NAME_BYTES_MAX) {
		return fail(source, file, "a key may have at most %u bytes", NODE_NAME_BYTES_MAX);
	} else if (!isalpha((unsigned char)word[0]) || memchr(word, '.', bytes) ||
		   memchr(word, '/', bytes) || memchr(word, '+', bytes) ||
		   memchr(word, '%', bytes)) {
		return fail(source, file,
			"%.*s is not a key; a key is a letter, then letters, digits, '_' and '-'",
			(int)(bytes < 60 ? bytes : 60), word);
	}
	return emit(source, file, word, bytes);
}

static char closing(char open)
{
	return open == '{' ? '}' : open == '(' ? ')' : ']';
}

static int scan_open(struct source *source, struct scan_file *file)
{
	if (source->depth == NODE_DEPTH_MAX)
		return fail(
			source, file, "more than %u brackets within each other", NODE_DEPTH_MAX);
	source->brackets[source->depth++] =
		(struct source_bracket){*file->next, {file->name, file->line}};
	return 0;
}

static int scan_close(struct source *source, struct scan_file *file)
{
	char where[CONFIG_ERROR_BYTES / 2];
	const struct source_bracket *bracket;

	if (source->depth == file->brackets)
		return fail(source, file, "'%c' closes nothing", *file->next);
	bracket = &source->brackets[--source->depth];
	if (closing(bracket->open) != *file->next)
		return fail(source, file, "'%c' where the '%c' of %s needs a '%c'", *file->next,
			bracket->open, config_place_text(bracket->place, where, sizeof(where)),
			closing(bracket->open));
	return 0;
}

static int scan_mark(struct source *source, struct scan_file *file)
{
	char mark = *file->next;
	int ret = 0;

	if (strchr("{([", mark))
		ret = scan_open(source, file);
	else if (strchr("})]", mark))
		ret = scan_close(source, file);
	else if (!strchr("=:;,", mark))
		return fail(source, file,
			isprint((unsigned char)mark) ? "unexpected '%c'" : "unexpected byte 0x%02x",
			(unsigned char)mark);
	if (ret)
		return ret;
	if (strchr("=:,{", mark) && ++source->values > NODE_COUNT_MAX)
		return fail(
			source, file, "a configuration may have at most %u values", NODE_COUNT_MAX);
	file->next++;
	return emit(source, file, &mark, 1);
}

/* Handles a line that starts with @include "path". */
static int scan_include(struct source *source, struct scan_file *file)
{
	static const char word[] = "@include";
	struct config_place place = {file->name, file->line};
	const char *start = file->next + strlen(word);
	const char *end;
	const char *slash = strrchr(file->name, '/');
	char *path;
	int ret;

	while (start < file->end && (*start == ' ' || *start == '\t'))
		start++;
	end = start < file->end && *start == '"' ? start + 1 : file->end;
	while (end < file->end && *end != '"' && *end != '\n' && *end != '\\')
		end++;
	if (end >= file->end || *end != '"' || end == start + 1)
		return fail(source, file, "expected @include \"FILE\", without escapes");
	start++;
	if (*start == '/' || !slash)
		path = arena_strndup(source->arena, start, (size_t)(end - start));
	else
		path = arena_printf(source->arena, "%.*s%.*s", (int)(slash + 1 - file->name),
			file->name, (int)(end - start), start);
	if (!path)
		return VMM_E_NOMEM;
	file->next = end + 1;
	/* Blanks in front of it are a line of this file, and have its place. */
	ret = file->line_is_open ? end_line(source, file) : 0;
	if (ret)
		return ret;
	ret = source_include(source, path, file, place);
	file->line_is_open = false;
	return ret;
}

static int scan_token(struct source *source, struct scan_file *file, bool line_start)
{
	char byte = *file->next;
	size_t left = (size_t)(file->end - file->next);
	int ret;

	if (byte == '\n') {
		file->next++;
		return newline(source, file);
	}
	if (isspace((unsigned char)byte)) {
		file->next++;
		return emit(source, file, " ", 1);
	}
	if (byte == '#' || (byte == '/' && left > 1 && strchr("/*", file->next[1])))
		return skip_comment(source, file);
	if (byte == '@' && !file->is_text && left > 8 && !memcmp(file->next, "@include", 8)) {
		if (!line_start)
			return fail(source, file, "@include must be first on its line");
		return scan_include(source, file);
	}
	if (file->before == TOKEN_KEY && byte != '=' && byte != ':')
		return fail(source, file, "expected '=' after the key");
	if (byte == '"') {
		ret = scan_string(source, file);
		file->before = TOKEN_VALUE;
	} else if (is_word(byte)) {
		char token = value_is_expected(source, file) ? TOKEN_VALUE : TOKEN_KEY;

		ret = scan_word(source, file);
		file->before = token;
	} else {
		ret = scan_mark(source, file);
		file->before = byte;
	}
	return ret;
}

/* Bytes that no part of a config may have, found before anything is quoted in an error. */
static int check_bytes(struct source *source, struct scan_file *file)
{
	const char *at = file->next;
	uint32_t first = file->line;

	while (at < file->end) {
		size_t bytes = utf8_bytes(at, (size_t)(file->end - at));

		if (*at == '\0')
			return fail(source, file, "a NUL byte; a config file is text");
		if (!bytes)
			return fail(source, file, "byte 0x%02x is not UTF-8", (unsigned char)*at);
		if (*at == '\n' && !file->is_text)
			file->line++;
		at += bytes;
	}
	file->line = first;
	return 0;
}

int scan(struct source *source, struct scan_file *file)
{
	char where[CONFIG_ERROR_BYTES / 2];
	bool line_start = true;
	int ret = check_bytes(source, file);

	file->brackets = source->depth;
	if (!ret && file->end - file->next >= 3 && !memcmp(file->next, "\xef\xbb\xbf", 3))
		file->next += 3;
	while (!ret && file->next < file->end) {
		char byte = *file->next;

		ret = scan_token(source, file, line_start);
		line_start = byte == '\n' || (line_start && (byte == ' ' || byte == '\t'));
	}
	if (ret)
		return ret;
	if (source->depth > file->brackets) {
		const struct source_bracket *bracket = &source->brackets[source->depth - 1];

		vmm_set_error(source->error, "%s: the '%c' here is never closed",
			config_place_text(bracket->place, where, sizeof(where)), bracket->open);
		return VMM_E_INVAL;
	}
	return newline(source, file);
}
