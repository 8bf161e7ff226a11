/* SPDX-License-Identifier: Apache-2.0 */
/* A child that answers, and the ways in which one does not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/support.h>

#include "cli/child.h"

static char error_text[256];
static struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};

static int answer(void *ctx, FILE *out, struct vmm_error *inner)
{
	(void)inner;
	for (int i = 0; i < *(int *)ctx; i++)
		fputs("line\n", out);
	return 0;
}

static int refuse(void *ctx, FILE *out, struct vmm_error *inner)
{
	(void)ctx;
	fputs("half an answer", out);
	vmm_set_error(inner, "will not");
	return VMM_E_INVAL;
}

static int die(void *ctx, FILE *out, struct vmm_error *inner)
{
	(void)inner;
	fputs("half an answer", out);
	raise(*(int *)ctx);
	return 0;
}

static int leave(void *ctx, FILE *out, struct vmm_error *inner)
{
	(void)inner;
	fputs("half an answer", out);
	_exit(*(int *)ctx);
}

static void an_answer_comes_whole(void **state)
{
	char *text = NULL;
	int lines = 50000;

	(void)state;
	assert_int_equal(child_run(answer, &lines, &text, &error), 0);
	assert_int_equal(strlen(text), 250000);
	free(text);
	lines = 0;
	text = NULL;
	assert_int_equal(child_run(answer, &lines, &text, &error), 0);
	assert_string_equal(text, "");
	free(text);
}

static void an_error_comes_with_its_text(void **state)
{
	char *text = NULL;

	(void)state;
	assert_true(child_run(refuse, NULL, &text, &error) < 0);
	assert_null(text);
	assert_string_equal(error_text, "will not");
}

static void a_crash_is_named(void **state)
{
	char *text = NULL;
	int number = SIGKILL;

	(void)state;
	assert_int_equal(child_run(die, &number, &text, &error), VMM_E_GONE);
	assert_null(text);
	assert_string_equal(error_text, "crashed (Killed)");
	number = SIGALRM;
	assert_int_equal(child_run(die, &number, &text, &error), VMM_E_GONE);
	assert_string_equal(error_text, "did not answer within 10 s");
}

static void an_exit_is_no_answer(void **state)
{
	char *text = NULL;
	int status = 0;

	(void)state;
	assert_int_equal(child_run(leave, &status, &text, &error), VMM_E_GONE);
	assert_null(text);
	assert_string_equal(error_text, "ended the process with exit status 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_whole),
		cmocka_unit_test(an_error_comes_with_its_text),
		cmocka_unit_test(a_crash_is_named),
		cmocka_unit_test(an_exit_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
