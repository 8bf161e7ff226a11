/* SPDX-License-Identifier: Apache-2.0 */
/* The whole effective configuration, as a config file. */
#include "config/private.h"
#include "config/value.h"

int config_dump(const struct config *public, FILE *out)
{
	const struct config_private *config = (const struct config_private *)public;

	/* All but the devices: their types have the schema. */
	value_write_group(out, root_options, ROOT_DEVICES, config->root_values, 0);
	fputs("devices = (", out);
	for (size_t i = 0; i < public->device_count; i++) {
		const struct device_state *state = &config->states[i];

		fprintf(out, "%s\n  {\n", i ? "," : "");
		value_write_group(out, state->options, state->option_count, state->values, 2);
		fputs("  }", out);
	}
	fputs(public->device_count ? "\n);\n" : ");\n", out);
	return fflush(out) || ferror(out) ? VMM_E_IO : 0;
}
