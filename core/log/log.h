/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines for the operator: where they go, which are written, and a limit for those that a guest
 * can cause. Everybody in the core may include this. It is not a way to report errors to a caller:
 * those are returned, and logged once where they stop.
 *
 * A line is made on the caller's thread and put into a bounded buffer; a thread of its own writes
 * it out. So a stalled terminal or a full pipe never holds up a vCPU: when the buffer is full,
 * lines are dropped, counted, and the count is written when there is room again. Before log_start()
 * and after log_stop() lines are written at once. None of this may be called from a signal handler.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <vmm/log.h>
#include <vmm/support.h>

/** Time in front of each line. */
enum log_time {
	LOG_TIME_MONOTONIC, /* seconds since the program started: "[   12.345678]" */
	LOG_TIME_WALL,      /* UTC: "2026-01-31T12:34:56.789Z" */
	LOG_TIME_NONE,
};

/** What may be set; zero means the default. */
struct log_config {
	uint32_t level;     /* VMM_LOG_..., the last one that is written; 0: VMM_LOG_INFO */
	enum log_time time; /* default LOG_TIME_MONOTONIC */
	const char *path;   /* file that lines are appended to; NULL: standard error */
};

/** Sets what is written and where. Returns 0 or VMM_E_...; unchanged on failure. [config] */
int log_configure(const struct log_config *config, struct vmm_error *error);

/** Only the level, VMM_LOG_.... [any] */
void log_set_level(uint32_t level);

/** The level with this name ("error", "warn", "info", "debug"), or 0. [any] */
uint32_t log_level_from_name(const char *name);

/** The name of a level; "?" for an unknown one. [any] */
const char *log_level_name(uint32_t level);

/**
 * Starts the thread that writes. Until then lines are written by the caller. The thread calls
 * thread_started first; NULL is allowed. [config]
 */
int log_start(void (*thread_started)(void), struct vmm_error *error);

/** Writes what is buffered, for at most a second, and ends the thread. [config] */
void log_stop(void);

/** True if lines of this level are written: saves making the text. [any] */
bool log_enabled(uint32_t level);

/**
 * Writes one line, without a newline. component is a device id or the name of a part of the core
 * ("kvm", "loop"); NULL: none. Control characters are written as \xNN. [any]
 */
void log_write(uint32_t level, const char *component, const char *format, ...) VMM_PRINTF(3, 4);

/**
 * Whether standard error is a terminal in raw mode now: lines then end in "\r\n". Told by whoever
 * changes the mode. May be called from a signal handler. [any]
 */
void log_set_raw_terminal(bool raw);

/** Lines that were dropped because the buffer was full, since the start. [any] */
uint64_t log_dropped(void);

/**
 * A source of lines that a guest can cause: one for each device instance. Has a counter of guest
 * errors and a limit for each site.
 */
struct log_source;

/** Makes a source; name is copied. NULL if there is no memory. [config] */
struct log_source *log_source_create(const char *name);

/** Writes what was suppressed so far and frees it; NULL is fine. [config] */
void log_source_destroy(struct log_source *source);

/** Name given at create. [any] */
const char *log_source_name(const struct log_source *source);

/**
 * The guest did something wrong: counts it, and writes the line at level warn, at most
 * LOG_LIMIT_LINES in LOG_LIMIT_NS for each site. The next line of the site after that time says
 * how many were suppressed. site names the place, by its text; it is not copied and must live as
 * long as the source. [any]
 */
void log_guest_error(struct log_source *source, const char *site, const char *text);

/** Guest errors so far, suppressed ones too. [any] */
uint64_t log_guest_errors(struct log_source *source);

#define LOG_LIMIT_LINES 10u
#define LOG_LIMIT_NS    UINT64_C(5000000000)

#endif
