/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/log.h>
#include <vmm/support.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "config/nearest.h"
#include "log/log.h"

enum key {
	KEY_CHECK = 256,
	KEY_DUMP_CONFIG,
	KEY_DESCRIBE,
	KEY_JSON,
	KEY_LIST_PLUGINS,
	KEY_ABI_INFO,
	KEY_LOG_LEVEL,
	KEY_VERSION,
	KEY_HELP,
};

const struct cli_option cli_options[] = {
	{'c', 'c', "config", "FILE", "run the guest that FILE describes"},
	{'s', 's', "set", "PATH=VALUE", "change or add one setting; may be repeated"},
	{0, KEY_CHECK, "check", NULL, "check the configuration, start nothing"},
	{0, KEY_DUMP_CONFIG, "dump-config", NULL, "print the configuration with all defaults"},
	{0, KEY_DESCRIBE, "describe", "NAME", "print what a device type, group or plugin is"},
	{0, KEY_LIST_PLUGINS, "list-plugins", NULL, "print the plugins that are installed"},
	{0, KEY_ABI_INFO, "abi-info", NULL, "print the plugin ABI that this vmm speaks"},
	{0, KEY_JSON, "json", NULL, "with the three above: print JSON"},
	{0, KEY_LOG_LEVEL, "log-level", "LEVEL", "error, warn, info or debug"},
	{0, KEY_VERSION, "version", NULL, "print the versions of vmm, its ABI and machines"},
	{'h', KEY_HELP, "help", NULL, "print this help"},
	{0},
};

_Static_assert(sizeof(cli_options) / sizeof(cli_options[0]) == CLI_OPTION_COUNT, "see options.h");

void cli_write_help(FILE *out)
{
	fputs("Usage: vmm -c FILE [-s PATH=VALUE]... [OPTION]...\n"
	      "Runs a virtual machine; its devices are plugins.\n\n",
		out);
	for (const struct cli_option *option = cli_options; option->name; option++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s%s%s", option->name, option->argument ? " " : "",
			option->argument ? option->argument : "");
		if (option->letter)
			fprintf(out, "  -%c, %-22s  %s\n", option->letter, text, option->doc);
		else
			fprintf(out, "      %-22s  %s\n", text, option->doc);
	}
	fputs("\nManual pages: vmm(1), vmm.cfg(5).\n", out);
}

static int fail(struct vmm_error *error, const char *text, const char *what, const char *hint)
{
	vmm_set_error(error, "%s%s%s%s; see vmm --help", text, what ? " " : "", what ? what : "",
		hint ? hint : "");
	return VMM_E_INVAL;
}

/* getopt says only that it does not know the word: which one is near? */
static int fail_unknown(char *word, struct vmm_error *error)
{
	struct nearest nearest = {.wanted = word + strspn(word, "-")};
	char hint[64] = "";
	char *equals = strchr(word, '=');

	if (equals)
		*equals = '\0';
	for (const struct cli_option *option = cli_options; option->name; option++)
		nearest_offer(&nearest, option->name);
	if (nearest.best)
		snprintf(hint, sizeof(hint), "; did you mean --%s?", nearest.best);
	return fail(error, "unknown option", word, hint);
}

static int set_action(struct cli *cli, enum cli_action action, struct vmm_error *error)
{
	if (cli->action != CLI_RUN && cli->action != action)
		return fail(error,
			"--check, --dump-config, --describe, --list-plugins, --abi-info, "
			"--version and --help exclude each other",
			NULL, NULL);
	cli->action = action;
	return 0;
}

static int handle(struct cli *cli, int key, struct vmm_error *error)
{
	switch (key) {
	case 'c':
		if (cli->config_path)
			return fail(error,
				"-c is there twice; a guest has one config file, which can "
				"@include others",
				NULL, NULL);
		cli->config_path = optarg;
		return 0;
	case 's':
		cli->override_storage[cli->override_count++] = optarg;
		return 0;
	case KEY_CHECK:
		return set_action(cli, CLI_CHECK, error);
	case KEY_DUMP_CONFIG:
		return set_action(cli, CLI_DUMP_CONFIG, error);
	case KEY_DESCRIBE:
		cli->describe_name = optarg;
		return set_action(cli, CLI_DESCRIBE, error);
	case KEY_LIST_PLUGINS:
		return set_action(cli, CLI_LIST_PLUGINS, error);
	case KEY_ABI_INFO:
		return set_action(cli, CLI_ABI_INFO, error);
	case KEY_JSON:
		cli->json = true;
		return 0;
	case KEY_LOG_LEVEL:
		cli->log_level = log_level_from_name(optarg);
		if (!cli->log_level)
			return fail(error, "--log-level is error, warn, info or debug, not", optarg,
				NULL);
		return 0;
	case KEY_VERSION:
		return set_action(cli, CLI_VERSION, error);
	case 'h':
	case KEY_HELP:
		return set_action(cli, CLI_HELP, error);
	default:
		return VMM_E_INVAL;
	}
}

static int check_combination(const struct cli *cli, int argc, char **argv, struct vmm_error *error)
{
	bool needs_config = cli->action == CLI_RUN || cli->action == CLI_CHECK ||
			    cli->action == CLI_DUMP_CONFIG;

	if (optind < argc)
		return fail(error, "unexpected argument", argv[optind],
			cli->config_path ? NULL : "; a config file is given with -c FILE");
	if (needs_config && !cli->config_path)
		return fail(error, "no config file; give one with -c FILE", NULL, NULL);
	if (cli->json && cli->action != CLI_DESCRIBE && cli->action != CLI_LIST_PLUGINS &&
		cli->action != CLI_ABI_INFO)
		return fail(error, "--json goes with --describe, --list-plugins or --abi-info",
			NULL, NULL);
	return 0;
}

int cli_parse(int argc, char **argv, struct cli *ret_cli, struct vmm_error *error)
{
	struct option options[CLI_OPTION_COUNT] = {0};
	struct cli cli = {.action = CLI_RUN};
	int ret = 0;

	for (size_t i = 0; cli_options[i].name; i++)
		options[i] = (struct option){cli_options[i].name,
			cli_options[i].argument ? required_argument : no_argument, NULL,
			cli_options[i].key};
	cli.override_storage = calloc((size_t)argc + 1, sizeof(char *));
	*ret_cli = cli;
	if (!cli.override_storage) {
		vmm_set_error(error, "no memory");
		return VMM_E_NOMEM;
	}
	optind = 0;
	opterr = 0;
	while (!ret) {
		int before = optind ? optind : 1;
		int key = getopt_long(argc, argv, ":c:s:h", options, NULL);
		char letter[3] = {'-', (char)optopt, '\0'};

		if (key == -1)
			break;
		if (key == ':')
			ret = fail(error, argv[optind - 1], "needs a value", NULL);
		else if (key == '?' && optopt && optopt < 256)
			ret = fail(error, "unknown option", letter, NULL);
		else if (key == '?' && optopt)
			ret = fail(error, argv[before], "takes no value", NULL);
		else if (key == '?')
			ret = fail_unknown(argv[optind - 1], error);
		else
			ret = handle(&cli, key, error);
	}
	if (!ret)
		ret = check_combination(&cli, argc, argv, error);
	cli.overrides = cli.override_storage;
	*ret_cli = cli;
	return ret;
}

void cli_fini(struct cli *cli)
{
	free(cli->override_storage);
	cli->override_storage = NULL;
	cli->overrides = NULL;
}
