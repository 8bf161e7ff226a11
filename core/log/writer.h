/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where finished lines go: a bounded buffer with a thread that writes it out. Internal to core/log.
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Takes one whole line with its end. Written at once while there is no thread. [any] */
void log_writer_put(const char *line, size_t bytes);

/** From now on lines go to fd, which becomes the writer's. VMM_E_PHASE: it has a thread. */
int log_writer_set_fd(int fd);

/** Starts the thread. Returns 0 or an errno. [config] */
int log_writer_start(void (*thread_started)(void));

/** Ends it, after writing what is there for at most a second. [config] */
void log_writer_stop(void);

/** How lines end now: "\n", or "\r\n" on a raw terminal. In log.c. [any] */
const char *log_line_end(void);

/** Lines dropped since the start. [any] */
uint64_t log_writer_dropped(void);

#endif
