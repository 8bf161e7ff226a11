/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making log lines: level, time, component and text. Where they go is writer.c.
 */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/writer.h"

#define LINE_BYTES   1024u
#define PREFIX_BYTES 128u

static struct {
	_Atomic uint32_t level;
	_Atomic uint32_t time;
	_Atomic bool raw;          /* the terminal is in raw mode */
	_Atomic bool to_file;      /* not standard error: raw does not matter */
	_Atomic uint64_t start_ns; /* monotonic time of the first use; 0: none yet */
} state = {
	.level = VMM_LOG_INFO,
	.time = LOG_TIME_MONOTONIC,
};

static const struct {
	uint32_t level;
	const char *name;
} levels[] = {
	{VMM_LOG_ERROR, "error"},
	{VMM_LOG_WARN, "warn"},
	{VMM_LOG_INFO, "info"},
	{VMM_LOG_DEBUG, "debug"},
};

#define LEVELS (sizeof(levels) / sizeof(levels[0]))

uint32_t log_level_from_name(const char *name)
{
	for (size_t i = 0; i < LEVELS; i++) {
		if (!strcmp(name, levels[i].name))
			return levels[i].level;
	}
	return 0;
}

const char *log_level_name(uint32_t level)
{
	for (size_t i = 0; i < LEVELS; i++) {
		if (level == levels[i].level)
			return levels[i].name;
	}
	return "?";
}

void log_set_level(uint32_t level)
{
	atomic_store_explicit(&state.level, level, memory_order_relaxed);
}

bool log_enabled(uint32_t level)
{
	return level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void log_set_raw_terminal(bool raw)
{
	atomic_store_explicit(&state.raw, raw, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
	return log_writer_dropped();
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t since_start_ns(void)
{
	uint64_t now = monotonic_ns();
	uint64_t start = 0;

	if (atomic_compare_exchange_strong_explicit(
		    &state.start_ns, &start, now, memory_order_relaxed, memory_order_relaxed))
		start = now;
	return now > start ? now - start : 0;
}

static int open_file(const char *path, struct vmm_error *error)
{
	int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	if (fd < 0) {
		const char *why = errno == ENXIO ? "it is a FIFO that nobody reads, or a socket"
						 : strerror(errno);

		vmm_set_error(error, "log file \"%s\" cannot be opened for writing: %s", path, why);
	}
	return fd;
}

int log_configure(const struct log_config *config, struct vmm_error *error)
{
	int fd = STDERR_FILENO;
	uint32_t level = config->level ? config->level : VMM_LOG_INFO;

	if (config->path) {
		fd = open_file(config->path, error);
		if (fd < 0)
			return VMM_E_IO;
	}
	int ret = log_writer_set_fd(fd);

	if (ret < 0) {
		if (config->path)
			close(fd);
		vmm_set_error(error, "the log's target cannot change while it is written to");
		return ret;
	}
	atomic_store_explicit(&state.to_file, config->path != NULL, memory_order_relaxed);
	atomic_store_explicit(&state.time, (uint32_t)config->time, memory_order_relaxed);
	log_set_level(level);
	since_start_ns();
	/* gmtime_r() would do that later, and look for a file. */
	if (config->time == LOG_TIME_WALL)
		tzset();
	return 0;
}

int log_start(void (*thread_started)(void), struct vmm_error *error)
{
	int err = log_writer_start(thread_started);

	if (!err)
		return 0;
	vmm_set_error(error, "the thread of the log cannot be started: %s", strerror(err));
	return VMM_E_LIMIT;
}

void log_stop(void)
{
	log_writer_stop();
}

const char *log_line_end(void)
{
	bool raw = atomic_load_explicit(&state.raw, memory_order_relaxed) &&
		   !atomic_load_explicit(&state.to_file, memory_order_relaxed);

	return raw ? "\r\n" : "\n";
}

static size_t put_time(char *line, size_t size)
{
	uint32_t how = atomic_load_explicit(&state.time, memory_order_relaxed);
	struct timespec now;
	struct tm utc;
	int done = 0;

	if (how == LOG_TIME_MONOTONIC) {
		uint64_t us = since_start_ns() / 1000;

		done = snprintf(
			line, size, "[%5" PRIu64 ".%06" PRIu64 "] ", us / 1000000, us % 1000000);
	} else if (how == LOG_TIME_WALL) {
		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &utc);
		done = snprintf(line, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ",
			utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
			utc.tm_sec, now.tv_nsec / 1000000);
	}
	return done > 0 ? (size_t)done : 0;
}

/* A path or a guest's text must not send commands to the operator's terminal. */
static size_t put_text(char *line, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool control = c < 0x20 || c == 0x7f;

		if (used + (control ? 4 : 1) > size)
			break;
		if (control)
			used += (size_t)snprintf(line + used, size - used + 1, "\\x%02x", c);
		else
			line[used++] = (char)c;
	}
	return used;
}

void log_write(uint32_t level, const char *component, const char *format, ...)
{
	char text[LINE_BYTES];
	char line[LINE_BYTES + PREFIX_BYTES];
	size_t used;
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	used = put_time(line, PREFIX_BYTES);
	used += (size_t)snprintf(line + used, PREFIX_BYTES - used, "%s: ", log_level_name(level));
	if (component) {
		used += put_text(line + used, PREFIX_BYTES - used - 3, component);
		line[used++] = ':';
		line[used++] = ' ';
	}
	/* put_text() may need one byte more than it uses, for the NUL of snprintf(). */
	used += put_text(line + used, sizeof(line) - used - 3, text);
	for (const char *end = log_line_end(); *end; end++)
		line[used++] = *end;
	log_writer_put(line, used);
}
