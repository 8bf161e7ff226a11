/* SPDX-License-Identifier: Apache-2.0 */
/* Values in the syntax of config files, for --dump-config. */
#include <inttypes.h>

#include "config/value.h"

static void write_indent(FILE *out, unsigned indent)
{
	fprintf(out, "%*s", (int)(2 * indent), "");
}

static void write_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte == '\n')
			fputs("\\n", out);
		else if (byte == '\t')
			fputs("\\t", out);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\x%02x", byte);
		else
			putc(byte, out);
	}
	putc('"', out);
}

static void write_list(
	FILE *out, const struct vmm_option *option, const struct vmm_value *value, unsigned indent)
{
	const struct vmm_option *member = option->members[0];

	if (!value->item_count) {
		fputs("()", out);
		return;
	}
	fputs("(\n", out);
	for (uint64_t i = 0; i < value->item_count; i++) {
		write_indent(out, indent + 1);
		value_write(out, member, value->items[i], indent + 1);
		fputs(i + 1 < value->item_count ? ",\n" : "\n", out);
	}
	write_indent(out, indent);
	putc(')', out);
}

void value_write(
	FILE *out, const struct vmm_option *option, const struct vmm_value *value, unsigned indent)
{
	char text[64];

	switch (option->type) {
	case VMM_OPT_BOOL:
		fputs(value->number ? "true" : "false", out);
		break;
	case VMM_OPT_INT:
	case VMM_OPT_UINT:
	case VMM_OPT_FD:
		fprintf(out, "%" PRId64, value->number);
		break;
	case VMM_OPT_SIZE:
		fprintf(out, "\"%s\"", value_format_size(value->number, text, sizeof(text)));
		break;
	case VMM_OPT_DURATION:
		fprintf(out, "\"%s\"", value_format_duration(value->number, text, sizeof(text)));
		break;
	case VMM_OPT_MAC:
		fprintf(out, "\"%s\"", value_format_mac(value->number, text, sizeof(text)));
		break;
	case VMM_OPT_LIST:
		write_list(out, option, value, indent);
		break;
	case VMM_OPT_GROUP:
		fputs("{\n", out);
		value_write_group(
			out, option->members, option->member_count, value->items, indent + 1);
		write_indent(out, indent);
		putc('}', out);
		break;
	default:
		write_string(out, value->text);
		break;
	}
}

void value_write_group(FILE *out, const struct vmm_option *const *options, uint64_t count,
	const struct vmm_value *const *values, unsigned indent)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!(values[i]->flags & VMM_VALUE_PRESENT))
			continue;
		write_indent(out, indent);
		if (options[i]->flags & VMM_OPT_SECRET) {
			fprintf(out, "# %s is secret\n", options[i]->name);
			continue;
		}
		fprintf(out, "%s = ", options[i]->name);
		value_write(out, options[i], values[i], indent);
		fputs(";\n", out);
	}
}
