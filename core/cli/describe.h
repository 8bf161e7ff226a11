/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin, a device type or a group of the core is, and what vmm offers to plugins. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "config/schema.h"
#include "plugin/plugin.h"

void describe_type(
	FILE *out, bool json, const struct vmm_device_type *type, const struct plugin *plugin);

/** A plugin with all its types. */
void describe_plugin(FILE *out, bool json, const struct plugin *plugin);

void describe_group(FILE *out, bool json, const struct schema_group *group);

/** The plugin ABI that vmm speaks: versions, how plugins are found to fit, host services. */
void describe_abi(FILE *out, bool json);

/** The plugins that are installed. */
int describe_plugins(
	FILE *out, bool json, struct plugin_registry *registry, struct vmm_error *error);

#endif
