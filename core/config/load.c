/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a configuration and fills the core's own structs from the checked values. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/log.h>
#include <vmm/support.h>

#include "config/private.h"

#define COMPAT_PC_1_0 10u

int config_fail(struct vmm_error *error, struct config_place place, const char *path,
	const char *format, ...)
{
	char where[CONFIG_ERROR_BYTES / 2];
	char text[CONFIG_ERROR_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_set_error(
		error, "%s: %s: %s", config_place_text(place, where, sizeof(where)), path, text);
	return VMM_E_INVAL;
}

static struct config_place place_of(const struct vmm_value *value)
{
	return (struct config_place){value->file, value->line};
}

static bool is_present(const struct vmm_value *value)
{
	return value->flags & VMM_VALUE_PRESENT;
}

static const char *text_of(const struct vmm_value *value)
{
	return is_present(value) ? value->text : NULL;
}

/* Names of I/O threads and devices. */
bool config_is_id(const char *text)
{
	return text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")];
}

static int fill_machine(struct config_private *config, struct vmm_error *error)
{
	const struct vmm_value *const *values = config->root_values[ROOT_MACHINE]->items;
	struct config_machine *machine = &config->public.machine;
	uint64_t page_bytes;

	machine->type = values[MACHINE_TYPE]->text;
	machine->compat_level = COMPAT_PC_1_0;
	machine->cpus = (uint32_t)values[MACHINE_CPUS]->number;
	machine->memory_bytes = (uint64_t)values[MACHINE_MEMORY]->number;
	machine->memory_place = place_of(values[MACHINE_MEMORY]);
	machine->hugepages = values[MACHINE_HUGEPAGES]->number;
	machine->shared_memory = values[MACHINE_SHARED_MEMORY]->number;
	machine->prealloc = values[MACHINE_PREALLOC]->number;
	machine->lock_memory = values[MACHINE_LOCK_MEMORY]->number;
	machine->on_reset = (enum config_on_reset)values[MACHINE_ON_RESET]->number;
	machine->sandbox = (enum config_sandbox)values[MACHINE_SANDBOX]->number;
	machine->user = text_of(values[MACHINE_USER]);
	page_bytes = machine->hugepages ? 2u << 20 : 4096;
	if (machine->memory_bytes % page_bytes)
		return config_fail(error, machine->memory_place, "machine.memory",
			"expected a multiple of %s%s, found %llu bytes",
			machine->hugepages ? "2M" : "4K",
			machine->hugepages ? " (machine.hugepages is true)" : "",
			(unsigned long long)machine->memory_bytes);
	return 0;
}

static int fill_boot(struct config_private *config)
{
	const struct vmm_value *const *values = config->root_values[ROOT_BOOT]->items;
	const struct vmm_value *list = values[BOOT_MODULES];
	struct config_boot *boot = &config->public.boot;
	struct config_module *modules;

	boot->kernel = values[BOOT_KERNEL]->text;
	boot->kernel_place = place_of(values[BOOT_KERNEL]);
	boot->initrd = text_of(values[BOOT_INITRD]);
	boot->initrd_place = place_of(values[BOOT_INITRD]);
	boot->cmdline = values[BOOT_CMDLINE]->text;
	boot->cmdline_place = place_of(values[BOOT_CMDLINE]);
	modules = arena_alloc(&config->arena, list->item_count + 1, sizeof(*modules));
	if (!modules)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < list->item_count; i++) {
		const struct vmm_value *const *members = list->items[i]->items;

		modules[i].path = members[MODULE_PATH]->text;
		modules[i].cmdline = members[MODULE_CMDLINE]->text;
		modules[i].place = place_of(members[MODULE_PATH]);
	}
	boot->modules = modules;
	boot->module_count = list->item_count;
	return 0;
}

static int fill_iothreads(struct config_private *config, struct vmm_error *error)
{
	const struct vmm_value *list = config->root_values[ROOT_IOTHREADS];
	const char **names = arena_alloc(&config->arena, list->item_count + 1, sizeof(char *));

	if (!names)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < list->item_count; i++) {
		const struct vmm_value *item = list->items[i];

		names[i] = item->text;
		if (!config_is_id(names[i]))
			return config_fail(error, place_of(item), "iothreads",
				"the name \"%.60s\" may have lower-case letters, digits, '_' and "
				"'-'",
				names[i]);
		if (!strcmp(names[i], "main"))
			return config_fail(error, place_of(item), "iothreads",
				"\"main\" is always there and cannot be made");
		for (uint64_t j = 0; j < i; j++)
			if (!strcmp(names[i], names[j]))
				return config_fail(error, place_of(item), "iothreads",
					"the name \"%s\" is there twice", names[i]);
	}
	config->public.iothreads = names;
	config->public.iothread_count = list->item_count;
	return 0;
}

static int fill_pins(
	struct config_private *config, const struct vmm_value *list, struct vmm_error *error)
{
	struct config_pin *pins = arena_alloc(&config->arena, list->item_count + 1, sizeof(*pins));

	if (!pins)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < list->item_count; i++) {
		const struct vmm_value *const *members = list->items[i]->items;
		const char *plugin = members[PIN_PLUGIN]->text;

		if (!config_is_plugin_name(plugin))
			return config_fail(error, place_of(members[PIN_PLUGIN]), "plugins.pins",
				"\"%.200s\": expected the name of a file, or an absolute path "
				"without \"..\"",
				plugin);
		pins[i] = (struct config_pin){plugin, members[PIN_SHA256]->text};
	}
	config->public.plugin_pins = pins;
	config->public.plugin_pin_count = list->item_count;
	return 0;
}

static int fill_plugins_and_log(struct config_private *config, struct vmm_error *error)
{
	static const uint32_t levels[] = {VMM_LOG_ERROR, VMM_LOG_WARN, VMM_LOG_INFO, VMM_LOG_DEBUG};
	const struct vmm_value *const *plugins = config->root_values[ROOT_PLUGINS]->items;
	const struct vmm_value *list = plugins[PLUGINS_SEARCH];
	const struct vmm_value *const *log = config->root_values[ROOT_LOG]->items;
	const char **search = arena_alloc(&config->arena, list->item_count + 1, sizeof(char *));

	if (!search)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < list->item_count; i++)
		search[i] = list->items[i]->text;
	config->public.plugin_policy = (enum config_plugin_policy)plugins[PLUGINS_POLICY]->number;
	config->public.plugin_search = search;
	config->public.plugin_search_count = list->item_count;
	config->public.log.level = levels[log[LOG_LEVEL]->number];
	config->public.log.file = text_of(log[LOG_FILE]);
	config->public.log.file_place = place_of(log[LOG_FILE]);
	return fill_pins(config, plugins[PLUGINS_PINS], error);
}

static int set_directories(struct config_private *config, const char *path)
{
	char buffer[PATH_MAX];
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!getcwd(buffer, sizeof(buffer)))
		return node_errno_code(errno);
	config->working_dir = arena_strdup(&config->arena, buffer);
	if (!slash)
		config->base_dir = config->working_dir;
	else if (path[0] == '/')
		config->base_dir = arena_strndup(&config->arena, path, (size_t)(slash - path));
	else if (config->working_dir)
		config->base_dir = arena_printf(
			&config->arena, "%s/%.*s", config->working_dir, (int)(slash - path), path);
	return config->working_dir && config->base_dir ? 0 : VMM_E_NOMEM;
}

static int check_device_count(const struct node *root, struct vmm_error *error)
{
	const struct node *devices = node_child(root, "devices");

	if (devices && devices->bare && devices->text && *devices->text)
		return config_fail(error, devices->place, "devices",
			"expected a list of groups, ( { type = \"...\"; ... } ), found \"%.60s\"",
			devices->text);
	if (!devices || devices->child_count <= CONFIG_DEVICES_MAX)
		return 0;
	return config_fail(error, devices->place, "devices",
		"expected at most %u devices, found %zu", CONFIG_DEVICES_MAX, devices->child_count);
}

static int read_tree(struct config_private *config, const char *path, const char *const *overrides,
	size_t override_count, struct vmm_error *error)
{
	int ret;

	if (path) {
		config->public.path = arena_strdup(&config->arena, path);
		if (!config->public.path)
			return VMM_E_NOMEM;
		ret = node_read_file(&config->arena, config->public.path, &config->root, error);
		if (ret)
			return ret;
	} else {
		config->public.path = "(no file)";
		config->root = node_create(&config->arena, NODE_GROUP, (struct config_place){0});
		if (!config->root)
			return VMM_E_NOMEM;
	}
	config->root->place = (struct config_place){config->public.path, 0};
	ret = check_device_count(config->root, error);
	for (size_t i = 0; i < override_count && !ret; i++) {
		ret = node_override(&config->arena, config->root, overrides[i], error);
		if (!ret)
			ret = check_device_count(config->root, error);
	}
	return ret;
}

/* For --describe: a config that is not finished yet must not be in the way. */
static void keep_plugins_only(struct node *root)
{
	struct node *children = root->children;

	root->children = root->last = NULL;
	root->child_count = 0;
	while (children) {
		struct node *next = children->next;

		if (!strcmp(children->name, "plugins") || !strcmp(children->name, "log"))
			node_append(root, children);
		children = next;
	}
}

static int load(struct config_private *config, uint32_t flags, struct vmm_error *error)
{
	struct schema_check check = {
		.arena = &config->arena,
		.error = error,
		.path = "",
		.base_dir = config->base_dir,
		.working_dir = config->working_dir,
		.warnings = &config->warnings,
	};
	const struct vmm_option *options[ROOT_COUNT];
	struct vmm_option without_boot = *root_options[ROOT_BOOT];
	int ret;

	memcpy(options, root_options, sizeof(options));
	if (flags & CONFIG_LOAD_PLUGINS_ONLY) {
		keep_plugins_only(config->root);
		without_boot.default_text = NULL;
		options[ROOT_BOOT] = &without_boot;
	}
	ret = schema_check(&check, options, ROOT_COUNT, config->root, &config->root_values);
	if (!ret)
		ret = fill_plugins_and_log(config, error);
	if (ret || flags & CONFIG_LOAD_PLUGINS_ONLY)
		return ret;
	ret = fill_machine(config, error);
	if (!ret)
		ret = fill_boot(config);
	if (!ret)
		ret = fill_iothreads(config, error);
	if (!ret)
		ret = config_load_devices(config, error);
	return ret;
}

int config_load(const char *path, const char *const *overrides, size_t override_count,
	uint32_t flags, struct config **ret_config, struct vmm_error *error)
{
	struct config_private *config = calloc(1, sizeof(*config));
	int ret;

	if (!config) {
		vmm_set_error(error, "no memory for the configuration");
		return VMM_E_NOMEM;
	}
	arena_init(&config->arena);
	ret = set_directories(config, path);
	if (ret)
		vmm_set_error(error, "the working directory cannot be found: %s", strerror(errno));
	else
		ret = read_tree(config, path, overrides, override_count, error);
	if (!ret)
		ret = load(config, flags, error);
	if (ret == VMM_E_NOMEM)
		vmm_set_error(error, "no memory for the configuration");
	if (ret) {
		config_free(&config->public);
		return ret;
	}
	*ret_config = &config->public;
	return 0;
}

void config_free(struct config *config)
{
	struct config_private *private;

	if (!config)
		return;
	private = config_private(config);
	arena_fini(&private->arena);
	free(private);
}
