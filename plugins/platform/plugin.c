/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin "platform": which device types it has.
 */
#include "platform.h"

static const struct vmm_device_type *const types[] = {&platform_type, &debug_exit_type};

static const struct vmm_plugin_desc desc = {.size = sizeof(desc),
	.id = "platform",
	.version = "0.1.1",
	.summary = "the board of a PC: clock, resets, power; and debug-exit",
	.types = types,
	.type_count = sizeof(types) / sizeof(types[0])};

VMM_PLUGIN_TYPES(desc, "platform", 1, "platform,debug-exit");
