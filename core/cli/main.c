/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vmm program: command line, configuration and plugins, machine; each step may end it.
 */
#include "cli/cli.h"
#include "log/log.h"
#include "loop/signals.h"
#include "loop/terminal.h"
#include "machine/machine.h"

static int exit_status(enum machine_end end, int guest_status)
{
	switch (end) {
	case MACHINE_END_RESET:
		return CLI_EXIT_RESET;
	case MACHINE_END_EXIT:
		return guest_status;
	case MACHINE_END_SIGINT:
		return CLI_EXIT_INTERRUPT;
	case MACHINE_END_CRASH:
		return CLI_EXIT_TRIPLE;
	case MACHINE_END_INTERNAL:
		return CLI_EXIT_INTERNAL;
	case MACHINE_END_NO_HOST:
		return CLI_EXIT_HOST;
	case MACHINE_END_NO_DEVICE:
		return CLI_EXIT_DEVICE;
	case MACHINE_END_NO_KERNEL:
		return CLI_EXIT_KERNEL;
	default:
		return CLI_EXIT_OK;
	}
}

static int start_log(const struct config *config, struct vmm_error *error)
{
	struct log_config log = {.level = config->log.level, .path = config->log.file};
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};
	char place[CONFIG_ERROR_BYTES];
	int ret = log_configure(&log, &own);

	if (ret == 0)
		ret = log_start(&own);
	if (ret < 0)
		vmm_set_error(error, "%s: log: %s",
			config_place_text(config->log.file_place, place, sizeof(place)), text);
	return ret;
}

static int run(const struct config *config, struct vmm_error *error)
{
	enum machine_end end;
	int guest_status = 0;

	if (start_log(config, error) < 0) {
		cli_print_error(error);
		return CLI_EXIT_DEVICE;
	}
	do {
		end = machine_run(config, &guest_status, error);
	} while (end == MACHINE_END_RESET && config->machine.on_reset == CONFIG_ON_RESET_RESTART);
	log_stop();
	if (end == MACHINE_END_NO_HOST || end == MACHINE_END_NO_DEVICE ||
		end == MACHINE_END_NO_KERNEL)
		cli_print_error(error);
	return exit_status(end, guest_status);
}

static int load_and_run(const struct cli *cli, struct vmm_error *error)
{
	bool runs = cli->action == CLI_RUN;
	struct plugin_registry *registry = NULL;
	struct config *config = NULL;
	int status = CLI_EXIT_USAGE;

	if (cli_load(cli, runs ? machine_hello() : NULL, &config, &registry, &status, error)) {
		cli_print_error(error);
	} else if (!cli_run_config(cli, config, &status)) {
		plugin_each_code(registry, signals_name_code);
		status = run(config, error);
	}
	config_free(config);
	plugin_registry_destroy(registry);
	return status;
}

int main(int argc, char **argv)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	int status = CLI_EXIT_USAGE;
	struct cli cli;

	terminal_fill_standard_fds();
	if (cli_parse(argc, argv, &cli, &error))
		cli_print_error(&error);
	else if (!cli_run_info(&cli, &status))
		status = load_and_run(&cli, &error);
	cli_fini(&cli);
	return status;
}
