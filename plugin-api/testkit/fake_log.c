/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.log: lines and guest errors are kept for the test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

static void keep(vmm_host *device, uint32_t level, const char *site, const char *text)
{
	struct fake_log_line *line = fake_alloc(sizeof(*line));
	struct fake_host *host = device->host;

	line->device = device;
	line->level = level;
	line->site = site ? fake_strdup(site) : NULL;
	line->text = fake_strdup(text);
	fake_lock(host);
	*host->lines_tail = line;
	host->lines_tail = &line->next;
	fake_unlock(host);
	if (getenv("VMM_TEST_LOG"))
		fprintf(stderr, "[%s] %u %s%s%s\n", device->id, level, site ? site : "",
			site ? ": " : "", text);
}

static int32_t log_enabled(vmm_host *device, uint32_t level)
{
	return level <= device->host->log_level;
}

static void log_line(vmm_host *device, uint32_t level, const char *text)
{
	if (strchr(text, '\n'))
		fake_problem(device->host, "device \"%s\" logs a text with a newline: %s",
			device->id, text);
	if (level <= device->host->log_level)
		keep(device, level, NULL, text);
}

static void log_guest_error(vmm_host *device, const char *site, const char *text)
{
	keep(device, 0, site, text);
}

const struct vmm_log fake_log_service = {
	.size = sizeof(fake_log_service),
	.enabled = log_enabled,
	.line = log_line,
	.guest_error = log_guest_error,
};

int fake_log_has(struct fake_host *host, vmm_host *device, const char *part)
{
	const struct fake_log_line *line;
	int found = 0;

	fake_lock(host);
	for (line = host->lines; line && !found; line = line->next)
		found = (!device || line->device == device) && strstr(line->text, part);
	fake_unlock(host);
	return found;
}

uint32_t fake_log_count(struct fake_host *host, uint32_t level)
{
	const struct fake_log_line *line;
	uint32_t count = 0;

	fake_lock(host);
	for (line = host->lines; line; line = line->next)
		count += line->level && (!level || line->level == level);
	fake_unlock(host);
	return count;
}

uint32_t fake_guest_errors(struct fake_host *host, const char *site)
{
	const struct fake_log_line *line;
	uint32_t count = 0;

	fake_lock(host);
	for (line = host->lines; line; line = line->next)
		count += line->site && (!site || strcmp(line->site, site) == 0);
	fake_unlock(host);
	return count;
}

void fake_log_level(struct fake_host *host, uint32_t level)
{
	host->log_level = level;
}

void fake_log_fini(struct fake_host *host)
{
	struct fake_log_line *line;

	while ((line = host->lines)) {
		host->lines = line->next;
		free(line->site);
		free(line->text);
		free(line);
	}
}
