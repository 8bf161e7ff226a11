/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's bounded buffer and the thread that writes it out. The thread exists because a write to
 * a terminal or pipe may block, and O_NONBLOCK cannot be set on a file that is shared with whoever
 * started us. Lines are whole in the buffer: one that does not fit is dropped and counted.
 */
#include "log/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <vmm/types.h>

#include "thread/thread.h"

#define BUFFER_BYTES 65536u
#define CHUNK_BYTES  4096u
#define STOP_SECONDS 1

static struct {
	pthread_mutex_t lock; /* guards all below; a leaf */
	pthread_cond_t wake;  /* for the thread: there are lines, or it is to end */
	pthread_cond_t idle;  /* for log_writer_stop(): the thread has ended */
	pthread_t thread;
	void (*thread_started)(void); /* set before the thread is */
	bool started;
	bool stopping;
	bool ended;
	bool abandoned; /* the thread hangs in write() for good: everything is dropped */
	int fd;
	uint64_t dropped;
	uint64_t dropped_told;
	size_t start; /* of what is buffered */
	size_t used;
	char buffer[BUFFER_BYTES];
} writer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
	.fd = STDERR_FILENO,
};

/* There is nobody to tell that the log cannot be written: the rest of the chunk is lost. */
static void write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t done = write(fd, data, bytes);

		if (done > 0) {
			data += done;
			bytes -= (size_t)done;
		} else if (done < 0 && errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			poll(&wait, 1, -1);
		} else if (done == 0 || errno != EINTR) {
			return;
		}
	}
}

static void put_locked(const char *line, size_t bytes)
{
	size_t end = (writer.start + writer.used) % BUFFER_BYTES;
	size_t first = BUFFER_BYTES - end < bytes ? BUFFER_BYTES - end : bytes;

	memcpy(writer.buffer + end, line, first);
	memcpy(writer.buffer, line + first, bytes - first);
	writer.used += bytes;
}

void log_writer_put(const char *line, size_t bytes)
{
	pthread_mutex_lock(&writer.lock);
	if (writer.abandoned || bytes > BUFFER_BYTES - writer.used) {
		writer.dropped++;
	} else if (!writer.started) {
		/* Only the main thread is there; the lock keeps lines whole if not. */
		write_all(writer.fd, line, bytes);
	} else {
		put_locked(line, bytes);
		pthread_cond_signal(&writer.wake);
	}
	pthread_mutex_unlock(&writer.lock);
}

static size_t take_locked(char *chunk)
{
	size_t bytes = writer.used < CHUNK_BYTES ? writer.used : CHUNK_BYTES;

	if (bytes > BUFFER_BYTES - writer.start)
		bytes = BUFFER_BYTES - writer.start;
	memcpy(chunk, writer.buffer + writer.start, bytes);
	writer.start = (writer.start + bytes) % BUFFER_BYTES;
	writer.used -= bytes;
	return bytes;
}

/* After a burst: how much of it is missing. */
static size_t tell_dropped_locked(char *chunk)
{
	uint64_t count = writer.dropped - writer.dropped_told;

	if (writer.used || !count)
		return 0;
	writer.dropped_told = writer.dropped;
	return (size_t)snprintf(chunk, CHUNK_BYTES,
		"warn: log: %" PRIu64 " lines were dropped: their reader was too slow%s", count,
		log_line_end());
}

static void *writer_thread(void *unused)
{
	char chunk[CHUNK_BYTES];

	(void)unused;
	prctl(PR_SET_NAME, "log");
	if (writer.thread_started)
		writer.thread_started();
	pthread_mutex_lock(&writer.lock);
	for (;;) {
		size_t bytes = take_locked(chunk);

		if (!bytes)
			bytes = tell_dropped_locked(chunk);
		if (bytes) {
			pthread_mutex_unlock(&writer.lock);
			write_all(writer.fd, chunk, bytes);
			pthread_mutex_lock(&writer.lock);
		} else if (writer.stopping) {
			break;
		} else {
			pthread_cond_wait(&writer.wake, &writer.lock);
		}
	}
	writer.ended = true;
	pthread_cond_signal(&writer.idle);
	pthread_mutex_unlock(&writer.lock);
	return NULL;
}

int log_writer_set_fd(int fd)
{
	int ret = VMM_E_PHASE;

	pthread_mutex_lock(&writer.lock);
	if (!writer.started && !writer.abandoned) {
		if (writer.fd != STDERR_FILENO)
			close(writer.fd);
		writer.fd = fd;
		ret = 0;
	}
	pthread_mutex_unlock(&writer.lock);
	return ret;
}

int log_writer_start(void (*thread_started)(void))
{
	int err = 0;

	pthread_mutex_lock(&writer.lock);
	if (writer.abandoned) {
		err = EBUSY;
	} else if (!writer.started) {
		writer.stopping = false;
		writer.ended = false;
		writer.thread_started = thread_started;
		err = thread_start(&writer.thread, writer_thread, NULL);
		writer.started = !err;
	}
	pthread_mutex_unlock(&writer.lock);
	return err;
}

void log_writer_stop(void)
{
	struct timespec limit;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += STOP_SECONDS;

	pthread_mutex_lock(&writer.lock);
	bool started = writer.started;

	writer.stopping = true;
	pthread_cond_signal(&writer.wake);
	while (started && !writer.ended && !err)
		err = pthread_cond_clockwait(&writer.idle, &writer.lock, CLOCK_MONOTONIC, &limit);
	bool ended = writer.ended;

	writer.abandoned = started && !ended;
	writer.started = false;
	pthread_mutex_unlock(&writer.lock);

	if (!started)
		return;
	if (ended)
		pthread_join(writer.thread, NULL);
	else
		pthread_detach(writer.thread);
}

uint64_t log_writer_dropped(void)
{
	pthread_mutex_lock(&writer.lock);
	uint64_t dropped = writer.dropped;
	pthread_mutex_unlock(&writer.lock);
	return dropped;
}
