/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that print something and end, and the way from a config file to checked devices. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/log.h>
#include <vmm/support.h>

#include "cli/child.h"
#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/options.h"
#include "config/schema.h"
#include "log/log.h"
#include "version.h"

void cli_print_error(const struct vmm_error *error)
{
	fprintf(stderr, "vmm: %s\n", error->text);
}

/* What was printed is worth nothing if it could not be written. */
static int finish_output(struct vmm_error *error)
{
	if (!fflush(stdout) && !ferror(stdout))
		return CLI_EXIT_OK;
	vmm_set_error(error, "standard output: %s", strerror(errno));
	cli_print_error(error);
	return CLI_EXIT_DEVICE;
}

static void print_version(void)
{
	const struct vmm_option *type = schema_core_groups[0].options[0];

	printf("vmm %s\nplugin ABI %u.0 to %u.%u\nmachine types:", VMM_CORE_VERSION, VMM_ABI_MAJOR,
		VMM_ABI_MAJOR, VMM_ABI_MINOR);
	for (uint64_t i = 0; i < type->enum_count; i++)
		printf(" %s", type->enum_names[i]);
	putchar('\n');
}

static void pin_plugins(struct plugin_registry *registry, const struct config *config)
{
	plugin_registry_pin(registry, config->plugin_pins, config->plugin_pin_count,
		config->plugin_policy == CONFIG_PLUGINS_PINNED);
}

/* A registry for commands without a machine; -c and -s may say where plugins are. */
static int open_registry(const struct cli *cli, struct config **ret_config,
	struct plugin_registry **ret_registry, struct vmm_error *error)
{
	struct config *config = NULL;
	int ret = config_load(cli->config_path, cli->overrides, cli->override_count,
		CONFIG_LOAD_PLUGINS_ONLY, &config, error);

	if (ret)
		return ret;
	log_set_level(cli->log_level ? cli->log_level : config->log.level);
	ret = plugin_registry_create(
		config->plugin_search, config->plugin_search_count, NULL, ret_registry, error);
	if (ret)
		config_free(config);
	else
		pin_plugins(*ret_registry, config);
	if (!ret)
		*ret_config = config;
	return ret;
}

struct describe_job {
	const struct cli *cli;
	struct plugin_registry *registry;
};

/* Types have no dot and no slash in their names; a file or an id of a plugin has one. */
static bool names_plugin(const char *name)
{
	return strpbrk(name, "./") != NULL;
}

/* A path, the name of a file in the search directories, or the id of one of them. */
static int find_plugin(struct plugin_registry *registry, const char *name,
	const struct plugin **ret_plugin, struct vmm_error *error)
{
	const struct plugin_info *infos = NULL;
	char *path = strchr(name, '/') ? realpath(name, NULL) : NULL;
	size_t count = 0;
	int ret;

	if (strchr(name, '/') && !path) {
		vmm_set_error(error, "%s: %s", name, strerror(errno));
		return VMM_E_NOT_FOUND;
	}
	ret = plugin_list(registry, &infos, &count, error);
	for (size_t i = 0; !ret && !path && i < count; i++)
		if (!strcmp(infos[i].id, name))
			name = infos[i].file;
	if (!ret)
		ret = plugin_load(registry, path ? path : name, ret_plugin, error);
	free(path);
	return ret;
}

static int describe_in_child(void *ctx, FILE *out, struct vmm_error *error)
{
	const struct describe_job *job = ctx;
	const struct cli *cli = job->cli;
	const struct vmm_device_type *type = NULL;
	const struct plugin *plugin = NULL;
	int ret;

	if (names_plugin(cli->describe_name)) {
		ret = find_plugin(job->registry, cli->describe_name, &plugin, error);
		if (!ret)
			describe_plugin(out, cli->json, plugin);
		return ret;
	}
	ret = plugin_find_type(job->registry, cli->describe_name, NULL, &type, &plugin, error);
	if (!ret)
		describe_type(out, cli->json, type, plugin);
	return ret;
}

static int describe(
	const struct cli *cli, struct plugin_registry *registry, struct vmm_error *error)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error inner = {sizeof(inner), text, sizeof(text)};
	struct describe_job job = {cli, registry};
	char *answer = NULL;
	int ret = child_run(describe_in_child, &job, &answer, &inner);

	if (ret == VMM_E_GONE)
		vmm_set_error(error, "the plugin %s\"%s\" %s when it was asked for its options",
			names_plugin(cli->describe_name) ? "" : "for ", cli->describe_name, text);
	else if (ret)
		vmm_set_error(error, "%s", text);
	else
		fputs(answer, stdout);
	free(answer);
	return ret;
}

static bool describe_core_group(const struct cli *cli)
{
	for (const struct schema_group *group = schema_core_groups; group->name; group++) {
		if (strcmp(group->name, cli->describe_name) != 0)
			continue;
		describe_group(stdout, cli->json, group);
		return true;
	}
	return false;
}

static int run_plugin_command(const struct cli *cli, struct vmm_error *error)
{
	struct plugin_registry *registry = NULL;
	struct config *config = NULL;
	int status = CLI_EXIT_OK;
	int ret;

	if (cli->action == CLI_DESCRIBE && describe_core_group(cli))
		return finish_output(error);
	ret = open_registry(cli, &config, &registry, error);
	if (ret) {
		cli_print_error(error);
		return CLI_EXIT_USAGE;
	}
	if (cli->action == CLI_DESCRIBE)
		ret = describe(cli, registry, error);
	else
		ret = describe_plugins(stdout, cli->json, registry, error);
	if (ret) {
		cli_print_error(error);
		status = CLI_EXIT_DEVICE;
	}
	plugin_registry_destroy(registry);
	config_free(config);
	return status ? status : finish_output(error);
}

bool cli_run_info(const struct cli *cli, int *ret_status)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	switch (cli->action) {
	case CLI_HELP:
		cli_write_help(stdout);
		*ret_status = finish_output(&error);
		return true;
	case CLI_VERSION:
		print_version();
		*ret_status = finish_output(&error);
		return true;
	case CLI_ABI_INFO:
		describe_abi(stdout, cli->json);
		*ret_status = finish_output(&error);
		return true;
	case CLI_DESCRIBE:
	case CLI_LIST_PLUGINS:
		*ret_status = run_plugin_command(cli, &error);
		return true;
	default:
		return false;
	}
}

/* Tells apart "the configuration is wrong" and "a plugin cannot be used". */
struct find_job {
	struct config_types types;
	bool failed;
};

static int find_and_note(void *ctx, const char *type, const char *plugin,
	const struct vmm_device_type **ret_type, const char **ret_plugin_file,
	struct vmm_error *error)
{
	struct find_job *job = ctx;
	int ret = job->types.find(job->types.ctx, type, plugin, ret_type, ret_plugin_file, error);

	job->failed = ret != 0;
	return ret;
}

static int configure_log(const struct config *config, struct vmm_error *error)
{
	struct log_config log = {.level = config->log.level, .path = config->log.file};
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};
	char place[CONFIG_ERROR_BYTES];
	int ret = log_configure(&log, &own);

	if (ret < 0)
		vmm_set_error(error, "%s: log: %s",
			config_place_text(config->log.file_place, place, sizeof(place)), text);
	return ret;
}

int cli_load(const struct cli *cli, const struct vmm_hello *hello, struct config **ret_config,
	struct plugin_registry **ret_registry, int *ret_status, struct vmm_error *error)
{
	struct plugin_registry *registry = NULL;
	struct config *config = NULL;
	struct find_job job = {0};
	struct config_types types = {&job, find_and_note};
	int ret = config_load(
		cli->config_path, cli->overrides, cli->override_count, 0, &config, error);

	if (!ret) {
		if (cli->log_level)
			config->log.level = cli->log_level;
		log_set_level(config->log.level);
		/* What plugins are said to be goes there, too. */
		if (cli->action == CLI_RUN)
			ret = configure_log(config, error);
		job.failed = ret != 0;
	}
	if (!ret) {
		ret = plugin_registry_create(config->plugin_search, config->plugin_search_count,
			hello, &registry, error);
	}
	if (!ret) {
		pin_plugins(registry, config);
		job.types = plugin_config_types(registry);
		ret = config_check(config, &types, error);
	}
	for (size_t i = 0; !ret && config_warning(config, i); i++)
		log_write(VMM_LOG_WARN, "config", "%s", config_warning(config, i));
	if (ret) {
		*ret_status = job.failed ? CLI_EXIT_DEVICE : CLI_EXIT_USAGE;
		config_free(config);
		plugin_registry_destroy(registry);
		return ret;
	}
	plugin_registry_settle(registry);
	*ret_config = config;
	*ret_registry = registry;
	return 0;
}

bool cli_run_config(const struct cli *cli, const struct config *config, int *ret_status)
{
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	if (cli->action == CLI_CHECK)
		printf("%s: ok\n", config->path);
	else if (cli->action == CLI_DUMP_CONFIG)
		config_dump(config, stdout);
	else
		return false;
	*ret_status = finish_output(&error);
	return true;
}
