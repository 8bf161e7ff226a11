/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the core's own groups. vmm.cfg(5) says the same; a test compares the two. */
#include "config/private.h"

#define OPTION(...)                                                                                \
	&(const struct vmm_option)                                                                 \
	{                                                                                          \
		.struct_size = sizeof(struct vmm_option), __VA_ARGS__                              \
	}
#define NAMES(array)   .enum_names = (array), .enum_count = sizeof(array) / sizeof((array)[0])
#define MEMBERS(array) .members = (array), .member_count = sizeof(array) / sizeof((array)[0])

static const char *const machine_types[] = {"pc-1.0"};
static const char *const on_reset_names[] = {"exit", "restart"};
static const char *const sandbox_names[] = {"off", "on", "strict"};
static const char *const log_levels[] = {"error", "warn", "info", "debug"};

static const struct vmm_option *const machine_options[MACHINE_COUNT] = {
	[MACHINE_TYPE] = OPTION(.name = "type", .type = VMM_OPT_ENUM, NAMES(machine_types),
		.default_text = "pc-1.0", .doc = "hardware that the guest sees, fixed for ever"),
	[MACHINE_CPUS] = OPTION(.name = "cpus", .type = VMM_OPT_UINT, .default_text = "1", .min = 1,
		.max = CONFIG_CPUS_MAX, .doc = "number of virtual CPUs"),
	[MACHINE_MEMORY] = OPTION(.name = "memory", .type = VMM_OPT_SIZE, .default_text = "256M",
		.min = 16ll << 20, .max = 1ll << 40,
		.doc = "RAM of the guest, a multiple of 4K (2M with hugepages)"),
	[MACHINE_HUGEPAGES] = OPTION(.name = "hugepages", .type = VMM_OPT_BOOL,
		.default_text = "false", .doc = "take RAM from the host's pool of 2M pages"),
	[MACHINE_SHARED_MEMORY] =
		OPTION(.name = "shared_memory", .type = VMM_OPT_BOOL, .default_text = "false",
			.doc = "make RAM a file that devices can hand to other processes"),
	[MACHINE_PREALLOC] = OPTION(.name = "prealloc", .type = VMM_OPT_BOOL,
		.default_text = "false", .doc = "get all RAM from the host at start"),
	[MACHINE_LOCK_MEMORY] = OPTION(.name = "lock_memory", .type = VMM_OPT_BOOL,
		.default_text = "false", .doc = "keep RAM from being swapped out"),
	[MACHINE_ON_RESET] = OPTION(.name = "on_reset", .type = VMM_OPT_ENUM, NAMES(on_reset_names),
		.default_text = "exit",
		.doc = "what a reset by the guest does: end vmm with status 10, or start again"),
	[MACHINE_SANDBOX] = OPTION(.name = "sandbox", .type = VMM_OPT_ENUM, NAMES(sandbox_names),
		.default_text = "on",
		.doc = "whether vmm gives up what it does not need before the guest runs; strict: "
		       "or does not start"),
	[MACHINE_USER] = OPTION(.name = "user", .type = VMM_OPT_STRING, .min = 1, .max = 256,
		.doc = "user that a vmm started by root becomes before the guest runs"),
};

static const struct vmm_option *const module_options[MODULE_COUNT] = {
	[MODULE_PATH] = OPTION(.name = "path", .type = VMM_OPT_PATH, .flags = VMM_OPT_REQUIRED,
		.doc = "file of the module"),
	[MODULE_CMDLINE] = OPTION(.name = "cmdline", .type = VMM_OPT_STRING, .default_text = "",
		.doc = "text that is handed over with the module"),
};

static const struct vmm_option *const module_option[] = {
	OPTION(.name = "module", .type = VMM_OPT_GROUP, MEMBERS(module_options),
		.doc = "a Multiboot module"),
};

static const struct vmm_option *const boot_options[BOOT_COUNT] = {
	[BOOT_KERNEL] = OPTION(.name = "kernel", .type = VMM_OPT_PATH, .flags = VMM_OPT_REQUIRED,
		.doc = "kernel: a Linux bzImage, an ELF vmlinux with PVH, or a Multiboot 1 file"),
	[BOOT_INITRD] = OPTION(.name = "initrd", .type = VMM_OPT_PATH,
		.doc = "initial RAM disk of the kernel"),
	[BOOT_CMDLINE] = OPTION(.name = "cmdline", .type = VMM_OPT_STRING, .default_text = "",
		.doc = "command line of the kernel"),
	[BOOT_MODULES] = OPTION(.name = "modules", .type = VMM_OPT_LIST, MEMBERS(module_option),
		.default_text = "", .max = 64, .doc = "modules of a Multiboot kernel"),
};

static const struct vmm_option *const search_option[] = {
	OPTION(.name = "directory", .type = VMM_OPT_PATH, .doc = "a directory"),
};

static const struct vmm_option *const pin_members[PIN_COUNT] = {
	[PIN_PLUGIN] = OPTION(.name = "plugin", .type = VMM_OPT_STRING, .flags = VMM_OPT_REQUIRED,
		.min = 1, .max = 4095, .doc = "plugin file: a name or an absolute path"),
	[PIN_SHA256] = OPTION(.name = "sha256", .type = VMM_OPT_STRING, .flags = VMM_OPT_REQUIRED,
		.min = 64, .max = 64, .doc = "its SHA-256 digest in hexadecimal"),
};

static const struct vmm_option *const pin_option[] = {
	OPTION(.name = "pin", .type = VMM_OPT_GROUP, MEMBERS(pin_members),
		.doc = "a plugin file and its digest"),
};

static const char *const policy_names[] = {"trusted", "pinned"};

static const struct vmm_option *const plugins_options[PLUGINS_COUNT] = {
	[PLUGINS_SEARCH] = OPTION(.name = "search", .type = VMM_OPT_LIST, MEMBERS(search_option),
		.default_text = "", .max = 16,
		.doc = "directories of plugins, instead of the built-in one; the first that has "
		       "a file wins"),
	[PLUGINS_POLICY] = OPTION(.name = "policy", .type = VMM_OPT_ENUM, NAMES(policy_names),
		.default_text = "trusted",
		.doc = "which files are loaded: those that only trusted users can write, or of "
		       "these only those in pins"),
	[PLUGINS_PINS] = OPTION(.name = "pins", .type = VMM_OPT_LIST, MEMBERS(pin_option),
		.default_text = "", .max = 256, .doc = "plugin files that must have a digest"),
};

static const struct vmm_option *const log_options[LOG_COUNT] = {
	[LOG_LEVEL] = OPTION(.name = "level", .type = VMM_OPT_ENUM, NAMES(log_levels),
		.default_text = "info", .doc = "the least important lines that are written"),
	[LOG_FILE] = OPTION(.name = "file", .type = VMM_OPT_PATH,
		.doc = "file to append to, instead of standard error"),
};

static const struct vmm_option *const iothread_option[] = {
	OPTION(.name = "iothread", .type = VMM_OPT_STRING, .min = 1, .max = NODE_NAME_BYTES_MAX,
		.doc = "name of an I/O thread"),
};

static const struct vmm_option *const any_option[] = {
	OPTION(.name = "device", .type = SCHEMA_OPT_ANY, .doc = "a device"),
};

const struct vmm_option *const root_options[ROOT_COUNT] = {
	[ROOT_MACHINE] = OPTION(.name = "machine", .type = VMM_OPT_GROUP, MEMBERS(machine_options),
		.default_text = "", .doc = "CPUs, memory and policy"),
	[ROOT_BOOT] = OPTION(.name = "boot", .type = VMM_OPT_GROUP, MEMBERS(boot_options),
		.default_text = "", .doc = "what the guest starts with"),
	[ROOT_IOTHREADS] = OPTION(.name = "iothreads", .type = VMM_OPT_LIST,
		MEMBERS(iothread_option), .default_text = "", .max = 64,
		.doc = "names of threads that devices can be put on"),
	[ROOT_PLUGINS] = OPTION(.name = "plugins", .type = VMM_OPT_GROUP, MEMBERS(plugins_options),
		.default_text = "", .doc = "where plugins are looked for"),
	[ROOT_LOG] = OPTION(.name = "log", .type = VMM_OPT_GROUP, MEMBERS(log_options),
		.default_text = "", .doc = "messages for the operator"),
	[ROOT_DEVICES] = OPTION(.name = "devices", .type = VMM_OPT_LIST, MEMBERS(any_option),
		.default_text = "", .max = CONFIG_DEVICES_MAX,
		.doc = "the devices, each a group with a type"),
};

const struct vmm_option *const device_options[DEVICE_COUNT] = {
	[DEVICE_TYPE] = OPTION(.name = "type", .type = VMM_OPT_STRING, .flags = VMM_OPT_REQUIRED,
		.min = 1, .max = 32, .doc = "device type; vmm --list-plugins lists them"),
	[DEVICE_ID] =
		OPTION(.name = "id", .type = VMM_OPT_STRING, .min = 1, .max = NODE_NAME_BYTES_MAX,
			.doc = "unique name of the device; if absent, the type and a number"),
	[DEVICE_IOTHREAD] = OPTION(.name = "iothread", .type = VMM_OPT_STRING, .min = 1,
		.max = NODE_NAME_BYTES_MAX, .default_text = "main",
		.doc = "thread that does the device's work: one of iothreads, or \"main\""),
	[DEVICE_PLUGIN] = OPTION(.name = "plugin", .type = VMM_OPT_STRING, .min = 1, .max = 4095,
		.doc = "plugin file that must provide the type: a name or an absolute path"),
};

#define GROUP(group_name, text, array)                                                             \
	{                                                                                          \
		.name = (group_name), .summary = (text), .options = (array),                       \
		.count = sizeof(array) / sizeof((array)[0])                                        \
	}

const struct schema_group schema_core_groups[] = {
	GROUP("machine", "CPUs, memory and policy", machine_options),
	GROUP("boot", "what the guest starts with", boot_options),
	GROUP("plugins", "where plugins are looked for", plugins_options),
	GROUP("log", "messages for the operator", log_options),
	GROUP("device", "keys that every device has", device_options),
	{0},
};
