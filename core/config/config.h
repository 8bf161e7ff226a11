/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's configuration: what a config file and `-s` overrides say, checked, with every default
 * filled in. Nothing here opens what the configuration names (kernel, images, plugins): reading a
 * configuration has no side effects.
 *
 * Use: config_load(), then config_check() with the device types that the plugins offer, then read
 * the structs; config_free() at the end. All that a struct config points to lives until then.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/device.h>
#include <vmm/option.h>

/** Enough for every error text of this folder. */
#define CONFIG_ERROR_BYTES 1024

/** Where something was written. line is 0 for an override; then file is "-s path". */
struct config_place {
	const char *file; /* NULL: a default */
	uint32_t line;
};

enum config_on_reset {
	CONFIG_ON_RESET_EXIT,
	CONFIG_ON_RESET_RESTART,
};

enum config_sandbox {
	CONFIG_SANDBOX_OFF,
	CONFIG_SANDBOX_ON,
	CONFIG_SANDBOX_STRICT,
};

struct config_machine {
	const char *type; /* "pc-1.0" */
	uint32_t compat_level;
	uint32_t cpus;
	uint64_t memory_bytes;
	bool hugepages;
	bool shared_memory;
	bool prealloc;
	bool lock_memory;
	enum config_on_reset on_reset;
	enum config_sandbox sandbox;
	const char *user; /* or NULL */
	struct config_place memory_place;
};

/** A Multiboot module. */
struct config_module {
	const char *path;
	const char *cmdline;
	struct config_place place;
};

struct config_boot {
	const char *kernel;
	const char *initrd;  /* or NULL */
	const char *cmdline; /* "" if not given */
	const struct config_module *modules;
	size_t module_count;
	struct config_place kernel_place;
	struct config_place initrd_place;
	struct config_place cmdline_place;
};

/** The digest that a plugin file must have. */
struct config_pin {
	const char *plugin; /* its name, with or without ".so", or a path */
	const char *sha256; /* hexadecimal */
};

enum config_plugin_policy {
	CONFIG_PLUGINS_TRUSTED,
	CONFIG_PLUGINS_PINNED,
};

struct config_log {
	uint32_t level;   /* VMM_LOG_... of vmm/log.h */
	const char *file; /* NULL: standard error */
	struct config_place file_place;
};

#define CONFIG_CPUS_MAX    64
#define CONFIG_DEVICES_MAX 256

#define CONFIG_MAIN_LOOP (-1)

struct config_device {
	const char *id;
	const char *type_name;
	const char *plugin;     /* the `plugin` key: bare name or absolute path, or NULL */
	const char *iothread;   /* "main", or a name in iothreads */
	int32_t iothread_index; /* index in iothreads, or CONFIG_MAIN_LOOP */
	struct config_place place;

	/* Set by config_check(). */
	const struct vmm_device_type *type;
	const char *plugin_file;               /* the file that the type comes from */
	const struct vmm_value *const *values; /* one for each option of the type, in its order */
	uint64_t value_count;
};

struct config {
	const char *path; /* as given to config_load(), for messages */
	struct config_machine machine;
	struct config_boot boot;
	struct config_log log;
	const char *const *iothreads;
	size_t iothread_count;
	const char *const *plugin_search; /* absolute; empty: the built-in directories */
	size_t plugin_search_count;
	const struct config_pin *plugin_pins;
	size_t plugin_pin_count;
	enum config_plugin_policy plugin_policy;
	struct config_device *devices; /* in the order of the file */
	size_t device_count;

	/**
	 * Set by config_check(): indexes of devices, each after those it refers to; destroy in
	 * reverse.
	 */
	const uint32_t *create_order;
};

/** How config_check() gets at device types. The core's plugin folder implements it. */
struct config_types {
	void *ctx;

	/**
	 * Finds the type `type`; plugin is the device's `plugin` key or NULL. *ret_type and
	 * *ret_plugin_file must live as long as the config. Fills error.
	 */
	int (*find)(void *ctx, const char *type, const char *plugin,
		const struct vmm_device_type **ret_type, const char **ret_plugin_file,
		struct vmm_error *error);
};

#define CONFIG_LOAD_PLUGINS_ONLY 0x1u /* for --describe: only `plugins` and `log` are looked at */

/**
 * Reads a file and applies overrides ("path=value") to it; checks all that does not depend on
 * device types. path may be NULL with CONFIG_LOAD_PLUGINS_ONLY. The error text starts with the
 * place. VMM_E_INVAL: the configuration is wrong; VMM_E_NOT_FOUND, VMM_E_PERM, VMM_E_IO: the file
 * cannot be read; VMM_E_NOMEM.
 */
int config_load(const char *path, const char *const *overrides, size_t override_count,
	uint32_t flags, struct config **ret_config, struct vmm_error *error);

/**
 * Checks every device against its type's schema, resolves references, computes create_order, and
 * asks each type's validate(). Nothing is created. Errors as config_load(), and what
 * types->find() returned.
 */
int config_check(struct config *config, const struct config_types *types, struct vmm_error *error);

/** The device that a VMM_OPT_REF value stands for; NULL if the value is absent. */
const struct config_device *config_ref(const struct config *config, const struct vmm_value *ref);

/** `number` of a VMM_OPT_REF value that stands for devices[index]; never 0. */
int64_t config_ref_number(size_t index);

/** The numbers of all VMM_OPT_FD values of devices; returns how many, at most max. */
size_t config_fds(const struct config *config, int *ret_fds, size_t max);

/** "guest.cfg:12", "-s machine.cpus" or "(default)"; cut if it does not fit. Returns buffer. */
const char *config_place_text(struct config_place place, char *buffer, size_t bytes);

/**
 * Writes the whole effective configuration, after config_check(), in the syntax of a config file.
 * Values of secret options are left out. Returns 0 or VMM_E_IO.
 */
int config_dump(const struct config *config, FILE *out);

/**
 * What is not an error but should be told: deprecated options that are used. Number 0 is the first;
 * NULL: there is none of that number. Complete after config_check().
 */
const char *config_warning(const struct config *config, size_t number);

/** config may be NULL. */
void config_free(struct config *config);

#endif
