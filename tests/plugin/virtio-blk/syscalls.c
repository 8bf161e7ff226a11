/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposed system calls. The test program exports them (ENABLE_EXPORTS), so that the plugin,
 * which is loaded later, finds these first.
 */
#include "syscalls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT    __attribute__((visibility("default")))
#define LOG_BYTES 4096u

struct fault {
	int error;
	uint64_t bytes;
	uint32_t count;
};

static struct fault faults[CALL_KINDS];
static char log_text[LOG_BYTES];
static uint32_t log_used, hits, cached;

void syscalls_reset(void)
{
	memset(faults, 0, sizeof(faults));
	memset(log_text, 0, sizeof(log_text));
	log_used = 0;
	hits = 0;
	cached = 0;
}

const char *syscalls_log(void)
{
	return log_text;
}

void syscalls_note(enum syscall_kind kind)
{
	if (log_used < LOG_BYTES - 1)
		log_text[log_used++] = "RWSAP"[kind];
}

void syscalls_fail(enum syscall_kind kind, int error, uint32_t count)
{
	faults[kind] = (struct fault){.error = error, .count = count};
}

void syscalls_shorten(enum syscall_kind kind, uint64_t bytes, uint32_t count)
{
	faults[kind] = (struct fault){.bytes = bytes, .count = count};
}

uint32_t syscalls_hit(void)
{
	return hits;
}

uint32_t syscalls_cached(void)
{
	return cached;
}

/* The fault that is due, or NULL. */
static const struct fault *fault_take(enum syscall_kind kind)
{
	if (!faults[kind].count)
		return NULL;
	faults[kind].count--;
	hits++;
	return &faults[kind];
}

static ssize_t move(
	enum syscall_kind kind, int fd, const struct iovec *iov, int count, off_t offset)
{
	const struct fault *fault = fault_take(kind);
	struct iovec part[64];
	uint64_t left = fault ? fault->bytes : 0;
	int n = 0;
	ssize_t ret;

	if (fault && fault->error) {
		errno = fault->error;
		return -1;
	}
	if (fault && !fault->bytes)
		return 0;
	for (; fault && left && n < count && n < 64; n++) {
		part[n] = iov[n];
		if (part[n].iov_len > left)
			part[n].iov_len = left;
		left -= part[n].iov_len;
	}
	ret = syscall(kind == CALL_READ ? SYS_preadv : SYS_pwritev, fd, fault ? part : iov,
		fault ? n : count, offset, 0);
	/* Logged when it is done. */
	syscalls_note(kind);
	return ret;
}

EXPORT ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return move(CALL_READ, fd, iov, count, offset);
}

/* What of it would wait is not asked. */
EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	cached += (flags & RWF_NOWAIT) != 0;
	return move(CALL_READ, fd, iov, count, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return move(CALL_WRITE, fd, iov, count, offset);
}

EXPORT int fdatasync(int fd)
{
	const struct fault *fault = fault_take(CALL_SYNC);

	syscalls_note(CALL_SYNC);
	if (fault) {
		errno = fault->error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	const struct fault *fault = fault_take(CALL_ALLOCATE);

	syscalls_note(CALL_ALLOCATE);
	if (fault) {
		errno = fault->error;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

EXPORT int io_uring_submit(struct io_uring *ring)
{
	static int (*real)(struct io_uring * ring);
	struct io_uring_sq *sq = &ring->sq;

	if (!real) {
		void *symbol = dlsym(RTLD_NEXT, "io_uring_submit");

		if (!symbol)
			abort();
		memcpy(&real, &symbol, sizeof(real));
	}
	for (unsigned int i = sq->sqe_head; i != sq->sqe_tail; i++) {
		switch (sq->sqes[i & *sq->kring_mask].opcode) {
		case IORING_OP_READ:
		case IORING_OP_READV:
			syscalls_note(CALL_READ);
			break;
		case IORING_OP_WRITE:
		case IORING_OP_WRITEV:
			syscalls_note(CALL_WRITE);
			break;
		case IORING_OP_FSYNC:
			syscalls_note(CALL_SYNC);
			break;
		default:
			abort();
		}
	}
	return real(ring);
}
