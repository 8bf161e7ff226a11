/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of lines that a guest can cause: a counter and a limit for each site.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log/limit.h"
#include "log/log.h"

/* Sites beyond these share the last entry, so that memory is bounded. */
#define SITES 32u

struct site {
	const char *name;
	struct log_limit limit;
};

struct log_source {
	pthread_mutex_t lock; /* guards what follows; a leaf: nothing is called under it */
	uint64_t errors;
	uint32_t site_count;
	struct site sites[SITES];
	char name[];
};

struct log_source *log_source_create(const char *name)
{
	size_t bytes = strlen(name) + 1;
	struct log_source *source = calloc(1, sizeof(*source) + bytes);

	if (!source)
		return NULL;
	pthread_mutex_init(&source->lock, NULL);
	memcpy(source->name, name, bytes);
	return source;
}

static void write_suppressed(const struct log_source *source, const char *site, uint64_t count)
{
	log_write(VMM_LOG_WARN, source->name, "%s: %" PRIu64 " more suppressed", site, count);
}

void log_source_destroy(struct log_source *source)
{
	if (!source)
		return;
	for (uint32_t i = 0; i < source->site_count; i++) {
		const struct site *site = &source->sites[i];

		if (site->limit.suppressed)
			write_suppressed(source, site->name, site->limit.suppressed);
	}
	pthread_mutex_destroy(&source->lock);
	free(source);
}

const char *log_source_name(const struct log_source *source)
{
	return source->name;
}

static struct site *find_site_locked(struct log_source *source, const char *name)
{
	for (uint32_t i = 0; i < source->site_count; i++) {
		struct site *site = &source->sites[i];

		if (site->name == name || !strcmp(site->name, name))
			return site;
	}
	if (source->site_count == SITES)
		return &source->sites[SITES - 1];

	struct site *site = &source->sites[source->site_count++];

	site->name = source->site_count == SITES ? "other places" : name;
	return site;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void log_guest_error(struct log_source *source, const char *site_name, const char *text)
{
	uint64_t suppressed;
	uint64_t now = now_ns();

	pthread_mutex_lock(&source->lock);
	source->errors++;
	struct site *site = find_site_locked(source, site_name);
	bool pass = log_limit_pass(&site->limit, now, &suppressed);
	const char *name = site->name;
	pthread_mutex_unlock(&source->lock);

	if (suppressed)
		write_suppressed(source, name, suppressed);
	if (pass)
		log_write(VMM_LOG_WARN, source->name, "%s", text);
}

uint64_t log_guest_errors(struct log_source *source)
{
	pthread_mutex_lock(&source->lock);
	uint64_t errors = source->errors;
	pthread_mutex_unlock(&source->lock);
	return errors;
}
