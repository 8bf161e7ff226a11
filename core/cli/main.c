/* SPDX-License-Identifier: Apache-2.0 */
/* The vmm program: command line, configuration, plugins, machine; each step may end it. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct plugin_registry *registry = NULL;
	struct config *config = NULL;
	int status = CLI_EXIT_USAGE;
	struct cli cli;

	if (cli_parse(argc, argv, &cli, &error)) {
		cli_print_error(&error);
		cli_fini(&cli);
		return CLI_EXIT_USAGE;
	}
	if (cli_run_info(&cli, &status)) {
		cli_fini(&cli);
		return status;
	}
	if (cli_load(&cli, NULL, &config, &registry, &status, &error))
		cli_print_error(&error);
	else
		cli_run_config(&cli, config, &status);
	config_free(config);
	plugin_registry_destroy(registry);
	cli_fini(&cli);
	return status;
}
