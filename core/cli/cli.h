/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what it asks for, and the commands that only print something.
 *
 * main() is: cli_parse() -> cli_run_info() -> cli_load() -> cli_run_config() -> run the machine.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmm/entry.h>

#include "config/config.h"
#include "plugin/plugin.h"

/* Exit statuses: even ones are ours, odd ones the guest's (debug-exit). */
#define CLI_EXIT_OK        0
#define CLI_EXIT_USAGE     2 /* command line or configuration */
#define CLI_EXIT_HOST      4 /* no KVM, a missing capability */
#define CLI_EXIT_DEVICE    6 /* a device, a plugin or a file */
#define CLI_EXIT_KERNEL    8 /* kernel, initrd or modules */
#define CLI_EXIT_RESET     10
#define CLI_EXIT_TRIPLE    12
#define CLI_EXIT_INTERNAL  14
#define CLI_EXIT_INTERRUPT 130

enum cli_action {
	CLI_RUN,
	CLI_CHECK,
	CLI_DUMP_CONFIG,
	CLI_DESCRIBE,
	CLI_LIST_PLUGINS,
	CLI_ABI_INFO,
	CLI_VERSION,
	CLI_HELP,
};

/** What the command line asks for. Texts are those of argv. */
struct cli {
	enum cli_action action;
	const char *config_path;      /* NULL only for actions that do not need it */
	const char *const *overrides; /* "path=value" */
	size_t override_count;
	const char *describe_name; /* a type, a group or a plugin */
	bool json;
	uint32_t log_level; /* VMM_LOG_...; 0: not given */
	const char **override_storage;
};

/**
 * Reads the command line. VMM_E_INVAL: it is wrong; the error text says what and hints at --help.
 * cli_fini() afterwards, also on failure.
 */
int cli_parse(int argc, char **argv, struct cli *ret_cli, struct vmm_error *error);
void cli_fini(struct cli *cli);

/**
 * --help, --version, --describe, --list-plugins, --abi-info. Returns true if the action was one of
 * these; then *ret_status is the exit status and errors have been printed.
 */
bool cli_run_info(const struct cli *cli, int *ret_status);

/**
 * Reads the configuration, finds and loads the plugins that it needs and checks it all. hello is
 * what the plugins get; NULL for one that offers nothing (--check). On failure *ret_status is the
 * exit status that fits. Destroy with config_free() and plugin_registry_destroy().
 */
int cli_load(const struct cli *cli, const struct vmm_hello *hello, struct config **ret_config,
	struct plugin_registry **ret_registry, int *ret_status, struct vmm_error *error);

/** --check and --dump-config, as cli_run_info(). */
bool cli_run_config(const struct cli *cli, const struct config *config, int *ret_status);

/** Prints "vmm: " and the text to standard error. */
void cli_print_error(const struct vmm_error *error);

#endif
