/* SPDX-License-Identifier: Apache-2.0 */
/* What vmm offers to plugins: versions and host services, as text or JSON. */
#include <inttypes.h>

#include "cli/describe.h"
#include "cli/json.h"
#include "machine/machine.h"
#include "version.h"

#define ENTRY_NAME "vmm_plugin_entry_v1"
#define ARCH_NAME  "x86-64"

static const char *libc_name(void)
{
	return VMM_NOTE_LIBC == VMM_NOTE_LIBC_GNU ? "gnu" : "other";
}

static void write_text(FILE *out)
{
	struct machine_service service;

	fprintf(out, "vmm %s speaks plugin ABI %u.0 to %u.%u\n", VMM_CORE_VERSION, VMM_ABI_MAJOR,
		VMM_ABI_MAJOR, VMM_ABI_MINOR);
	fprintf(out,
		"It loads plugins of major %u that can do with minor %u, for %s and %s libc.\n",
		VMM_ABI_MAJOR, VMM_ABI_MINOR, ARCH_NAME, libc_name());
	fprintf(out, "Entry function %s, note %s of %u bytes.\n\n", ENTRY_NAME, VMM_NOTE_SECTION,
		VMM_NOTE_DESC_BYTES);
	fprintf(out, "%-16s  %s\n", "HOST SERVICE", "BYTES");
	for (size_t i = 0; machine_service(i, &service); i++)
		fprintf(out, "%-16s  %" PRIu64 "\n", service.id, service.bytes);
	fputs("\nInterfaces of devices, which other devices refer to: see --describe TYPE.\n", out);
}

static void write_json(FILE *out)
{
	struct json json = {out, true};
	struct machine_service service;

	json_open(&json, NULL, '{');
	json_text(&json, "core_version", VMM_CORE_VERSION);
	json_number(&json, "abi_major", VMM_ABI_MAJOR);
	json_number(&json, "abi_minor", VMM_ABI_MINOR);
	json_number(&json, "oldest_minor", 0);
	json_text(&json, "entry", ENTRY_NAME);
	json_text(&json, "note", VMM_NOTE_SECTION);
	json_number(&json, "note_bytes", VMM_NOTE_DESC_BYTES);
	json_text(&json, "architecture", ARCH_NAME);
	json_text(&json, "libc", libc_name());
	json_open(&json, "services", '[');
	for (size_t i = 0; machine_service(i, &service); i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "id", service.id);
		json_number(&json, "bytes", (int64_t)service.bytes);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	putc('\n', out);
}

void describe_abi(FILE *out, bool as_json)
{
	if (as_json)
		write_json(out);
	else
		write_text(out);
}
