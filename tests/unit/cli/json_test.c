/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line prints as JSON is JSON, whatever texts a plugin has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"

static void text_is(const char *text, const char *expected)
{
	char *answer = NULL;
	size_t bytes = 0;
	struct json json = {open_memstream(&answer, &bytes), true};

	assert_non_null(json.out);
	json_text(&json, NULL, text);
	fclose(json.out);
	assert_string_equal(answer, expected);
	free(answer);
}

static void texts_are_quoted(void **state)
{
	(void)state;
	text_is("a \"b\" \\ c", "\"a \\\"b\\\" \\\\ c\"");
	text_is("line\n\t\x01", "\"line\\u000a\\u0009\\u0001\"");
	text_is("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
	text_is(NULL, "null");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	(void)state;
	text_is("a\xff"
		"b",
		"\"a\\ufffdb\"");
	text_is("cut \xc3", "\"cut \\ufffd\"");
	text_is("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_quoted),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
