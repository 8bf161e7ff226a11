/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vmm program: command line, configuration and plugins, machine; each step may end it.
 */
#include "cli/cli.h"
#include "cli/supervise.h"
#include "log/log.h"
#include "loop/signals.h"
#include "loop/terminal.h"
#include "machine/machine.h"
#include "sandbox/sandbox.h"

/* Inherited fds that a configuration can name. */
#define FDS_MAX 256

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

static int prepare_sandbox(const struct config *config, struct vmm_error *error)
{
	static const enum sandbox_mode modes[] = {
		[CONFIG_SANDBOX_OFF] = SANDBOX_OFF,
		[CONFIG_SANDBOX_ON] = SANDBOX_ON,
		[CONFIG_SANDBOX_STRICT] = SANDBOX_STRICT,
	};
	int keep[FDS_MAX];
	struct sandbox_options options = {
		.mode = modes[config->machine.sandbox],
		.user = config->machine.user,
		.keep = keep,
		.keep_count = config_fds(config, keep, FDS_MAX),
	};

	return sandbox_prepare(&options, error);
}

static int run(void *ctx)
{
	const struct config *config = ctx;
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	enum machine_end end;
	int guest_status = 0;
	int ret;

	ret = prepare_sandbox(config, &error);
	if (ret < 0) {
		cli_print_error(&error);
		return ret == VMM_E_INVAL ? CLI_EXIT_USAGE : CLI_EXIT_HOST;
	}
	end = machine_run(config, &guest_status, &error);
	log_stop();
	if (end == MACHINE_END_NO_HOST || end == MACHINE_END_NO_DEVICE ||
		end == MACHINE_END_NO_KERNEL)
		cli_print_error(&error);
	return exit_status(end, guest_status);
}

/* A processor that shuts down by a triple fault is reset, too. */
static bool begins_again(int status)
{
	return status == CLI_EXIT_RESET || status == CLI_EXIT_TRIPLE;
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
		status = config->machine.on_reset == CONFIG_ON_RESET_RESTART
				 ? supervise(run, config, begins_again)
				 : run(config);
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
	if (sandbox_begin(&error) < 0) {
		cli_print_error(&error);
		return CLI_EXIT_USAGE;
	}
	if (cli_parse(argc, argv, &cli, &error))
		cli_print_error(&error);
	else if (!cli_run_info(&cli, &status))
		status = load_and_run(&cli, &error);
	cli_fini(&cli);
	return status;
}
