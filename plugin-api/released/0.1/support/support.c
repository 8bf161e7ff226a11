/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin support library: getting interfaces, error texts and log lines.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vmm/support.h>

#define LINE_BYTES 512

void vmm_set_error(struct vmm_error *error, const char *format, ...)
{
	va_list args;

	if (!error || !error->text || !error->text_bytes)
		return;
	va_start(args, format);
	vsnprintf(error->text, error->text_bytes, format, args);
	va_end(args);
}

/* A table starts with its size; see the rules of tables in docs/abi.md. */
static void copy_table(const void *table, void *copy, uint64_t copy_bytes)
{
	uint64_t bytes;

	memcpy(&bytes, table, sizeof(bytes));
	memset(copy, 0, copy_bytes);
	memcpy(copy, table, bytes < copy_bytes ? bytes : copy_bytes);
}

int32_t vmm_query(const struct vmm_hello *hello, vmm_host *host, const char *id, uint64_t min_bytes,
	void *copy, uint64_t copy_bytes, struct vmm_error *error)
{
	const void *table;
	int32_t ret = hello->query(host, id, min_bytes, &table);

	if (ret < 0) {
		vmm_set_error(error, "this vmm does not offer %s", id);
		return ret;
	}
	copy_table(table, copy, copy_bytes);
	return 0;
}

int32_t vmm_query_ref(const struct vmm_hello *hello, vmm_host *host, const struct vmm_value *ref,
	const char *id, uint64_t min_bytes, void *copy, uint64_t copy_bytes, void **ret_object,
	struct vmm_error *error)
{
	const void *table;
	void *object;
	int32_t ret = hello->query_ref(host, (uint64_t)ref->number, id, min_bytes, &table, &object);

	if (ret < 0) {
		vmm_set_error(error, "device \"%s\" does not offer %s", ref->text, id);
		return ret;
	}
	copy_table(table, copy, copy_bytes);
	*ret_object = object;
	return 0;
}

void vmm_logf(const struct vmm_log *log, vmm_host *host, uint32_t level, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	if (!log->enabled(host, level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log->line(host, level, line);
}

void vmm_guest_errorf(
	const struct vmm_log *log, vmm_host *host, const char *site, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log->guest_error(host, site, line);
}
