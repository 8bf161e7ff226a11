/* SPDX-License-Identifier: Apache-2.0 */
/* What a command line asks for, and what is wrong with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/log.h>

#include "cli/cli.h"
#include "cli/options.h"

static char error_text[CONFIG_ERROR_BYTES];
static struct cli cli;

/* Words are split at blanks; returns what cli_parse() does. */
static int parse(const char *line)
{
	static char copy[512];
	struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};
	char *words[32] = {NULL};
	char *rest = copy;
	int count = 0;

	cli_fini(&cli);
	memset(copy, 0, sizeof(copy));
	strncpy(copy, line, sizeof(copy) - 1);
	while (rest && count < 31)
		words[count++] = strsep(&rest, " ");
	error_text[0] = '\0';
	return cli_parse(count, words, &cli, &error);
}

static void a_config_and_overrides(void **state)
{
	(void)state;
	assert_int_equal(parse("vmm -c a.cfg -s x=1 --set y=2 --log-level debug"), 0);
	assert_int_equal(cli.action, CLI_RUN);
	assert_string_equal(cli.config_path, "a.cfg");
	assert_int_equal(cli.override_count, 2);
	assert_string_equal(cli.overrides[0], "x=1");
	assert_string_equal(cli.overrides[1], "y=2");
	assert_int_equal(cli.log_level, VMM_LOG_DEBUG);
	assert_int_equal(parse("vmm --config=a.cfg"), 0);
	assert_string_equal(cli.config_path, "a.cfg");
	assert_int_equal(cli.log_level, 0);
}

static void each_action(void **state)
{
	(void)state;
	assert_int_equal(parse("vmm -c a --check"), 0);
	assert_int_equal(cli.action, CLI_CHECK);
	assert_int_equal(parse("vmm -c a --dump-config"), 0);
	assert_int_equal(cli.action, CLI_DUMP_CONFIG);
	assert_int_equal(parse("vmm --describe virtio-blk --json"), 0);
	assert_int_equal(cli.action, CLI_DESCRIBE);
	assert_string_equal(cli.describe_name, "virtio-blk");
	assert_true(cli.json);
	assert_int_equal(parse("vmm --list-plugins"), 0);
	assert_int_equal(cli.action, CLI_LIST_PLUGINS);
	assert_int_equal(parse("vmm --abi-info --json"), 0);
	assert_int_equal(cli.action, CLI_ABI_INFO);
	assert_int_equal(parse("vmm --version"), 0);
	assert_int_equal(cli.action, CLI_VERSION);
	assert_int_equal(parse("vmm -h"), 0);
	assert_int_equal(cli.action, CLI_HELP);
}

static void refuse(const char *line, const char *text)
{
	assert_int_equal(parse(line), VMM_E_INVAL);
	assert_string_equal(error_text, text);
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	refuse("vmm", "no config file; give one with -c FILE; see vmm --help");
	refuse("vmm --check", "no config file; give one with -c FILE; see vmm --help");
	refuse("vmm a.cfg",
		"unexpected argument a.cfg; a config file is given with -c FILE; see vmm --help");
	refuse("vmm -c", "-c needs a value; see vmm --help");
	refuse("vmm -c a --describe", "--describe needs a value; see vmm --help");
	refuse("vmm -x", "unknown option -x; see vmm --help");
	refuse("vmm --chekc", "unknown option --chekc; did you mean --check?; see vmm --help");
	refuse("vmm --dump_config=1",
		"unknown option --dump_config; did you mean --dump-config?; see vmm --help");
	refuse("vmm --check=1", "--check=1 takes no value; see vmm --help");
	refuse("vmm --help=1", "--help=1 takes no value; see vmm --help");
	refuse("vmm -c a -c b",
		"-c is there twice; a guest has one config file, which can @include others; see "
		"vmm --help");
	refuse("vmm -c a --check --version", "--check, --dump-config, --describe, --list-plugins, "
					     "--abi-info, --version and --help exclude "
					     "each other; see vmm --help");
	refuse("vmm -c a --json",
		"--json goes with --describe, --list-plugins or --abi-info; see vmm --help");
	refuse("vmm -c a --log-level loud",
		"--log-level is error, warn, info or debug, not loud; see vmm --help");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_and_overrides),
		cmocka_unit_test(each_action),
		cmocka_unit_test(what_is_wrong_is_said),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	cli_fini(&cli);
	return failed;
}
