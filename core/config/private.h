/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share about a configuration beyond the public struct. */
#ifndef CONFIG_PRIVATE_H
#define CONFIG_PRIVATE_H

#include "config/arena.h"
#include "config/config.h"
#include "config/node.h"
#include "config/schema.h"

/** Options of the root group, in this order. */
enum root_option {
	ROOT_MACHINE,
	ROOT_BOOT,
	ROOT_IOTHREADS,
	ROOT_PLUGINS,
	ROOT_LOG,
	ROOT_DEVICES,
	ROOT_COUNT,
};
extern const struct vmm_option *const root_options[ROOT_COUNT];

enum machine_option {
	MACHINE_TYPE,
	MACHINE_CPUS,
	MACHINE_MEMORY,
	MACHINE_HUGEPAGES,
	MACHINE_SHARED_MEMORY,
	MACHINE_PREALLOC,
	MACHINE_LOCK_MEMORY,
	MACHINE_ON_RESET,
	MACHINE_SANDBOX,
	MACHINE_USER,
	MACHINE_COUNT,
};

enum boot_option {
	BOOT_KERNEL,
	BOOT_INITRD,
	BOOT_CMDLINE,
	BOOT_MODULES,
	BOOT_COUNT,
};

enum module_option {
	MODULE_PATH,
	MODULE_CMDLINE,
	MODULE_COUNT,
};

enum plugins_option {
	PLUGINS_SEARCH,
	PLUGINS_POLICY,
	PLUGINS_PINS,
	PLUGINS_COUNT,
};

enum pin_option {
	PIN_PLUGIN,
	PIN_SHA256,
	PIN_COUNT,
};

enum log_option {
	LOG_LEVEL,
	LOG_FILE,
	LOG_COUNT,
};

/** Keys that every device has, whatever its type. */
enum device_option {
	DEVICE_TYPE,
	DEVICE_ID,
	DEVICE_IOTHREAD,
	DEVICE_PLUGIN,
	DEVICE_COUNT,
};
extern const struct vmm_option *const device_options[DEVICE_COUNT];

/** What config_check() keeps of a device beside struct config_device. */
struct device_state {
	const struct node *node;
	const struct vmm_option **options; /* device_options, then those of the type */
	uint64_t option_count;
	const struct vmm_value *const *values; /* of options */
	struct schema_ref *refs;
};

struct config_private {
	struct config public;
	struct arena arena;
	struct node *root;
	const struct vmm_value *const *root_values;
	struct device_state *states; /* one for each device */
	const char *base_dir;
	const char *working_dir;
	struct schema_warning *warnings;
};

static inline struct config_private *config_private(struct config *config)
{
	return (struct config_private *)config;
}

/** Sets `error` to "place: path: text" of a device or value; returns VMM_E_INVAL. */
int config_fail(struct vmm_error *error, struct config_place place, const char *path,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/** May text be the name of a device or I/O thread: lower-case letters, digits, '_', '-'. */
bool config_is_id(const char *text);

/** May text name a plugin file: a file name, or an absolute path without "..". */
bool config_is_plugin_name(const char *text);

/** Fills in the devices' common keys. Of devices.c. */
int config_load_devices(struct config_private *config, struct vmm_error *error);

/** Turns the refs of all devices into numbers and computes create_order. Of graph.c. */
int config_resolve_refs(struct config_private *config, struct vmm_error *error);
int config_order_devices(struct config_private *config, struct vmm_error *error);

#endif
