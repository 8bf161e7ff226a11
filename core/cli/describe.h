/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of a device type or of a group of the core, as text or JSON. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "config/schema.h"
#include "plugin/plugin.h"

void describe_type(
	FILE *out, bool json, const struct vmm_device_type *type, const struct plugin *plugin);
void describe_group(FILE *out, bool json, const struct schema_group *group);

/** The plugins that are installed. */
int describe_plugins(
	FILE *out, bool json, struct plugin_registry *registry, struct vmm_error *error);

#endif
