/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that move data: they can fail, be interrupted, and move less than asked for.
 */
#include "calls.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALL        (FAULT_CAN_FAIL | FAULT_CAN_SHORTEN | FAULT_CAN_INTERRUPT)
#define PIECES_MAX 64
#define SECTOR     512u

/* The C library's own, for code that is built with _FORTIFY_SOURCE. */
ssize_t __read_chk(int fd, void *data, size_t bytes, size_t room);

/* For eventfds and timerfds the kernel has no reason to refuse, and for pipes only that their other
 * end is gone. */
static unsigned int kinds_of(int fd)
{
	struct stat st;

	if (CALL_REAL(fstat)(fd, &st))
		return ALL;
	if (S_ISFIFO(st.st_mode))
		return ALL & ~(unsigned int)FAULT_CAN_FAIL;
	return st.st_mode & S_IFMT ? ALL : 0;
}

/* A packet is moved whole or not at all. */
static bool is_stream_of_bytes(int fd)
{
	struct stat st;

	return !CALL_REAL(fstat)(fd, &st) &&
	       (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* In whole sectors where there are some: direct I/O is not cut anywhere else. */
static size_t half(int fd, size_t bytes)
{
	size_t some = bytes > 1 ? bytes / 2 : bytes;

	if (!is_stream_of_bytes(fd))
		return bytes;
	return some > SECTOR ? some / SECTOR * SECTOR : some;
}

#define MOVE(name, parameters, whole, cut, error)                                                  \
	CALL_EXPORT ssize_t name parameters                                                        \
	{                                                                                          \
		switch (fault_ask(#name, CALL_CALLER, error, kinds_of(fd))) {                      \
		case FAULT_FAIL:                                                                   \
			errno = error;                                                             \
			return -1;                                                                 \
		case FAULT_EINTR:                                                                  \
			errno = EINTR;                                                             \
			return -1;                                                                 \
		case FAULT_CUT:                                                                    \
			return CALL_REAL(name) cut;                                                \
		default:                                                                           \
			return CALL_REAL(name) whole;                                              \
		}                                                                                  \
	}

MOVE(read, (int fd, void *data, size_t bytes), (fd, data, bytes), (fd, data, half(fd, bytes)), EIO)
MOVE(__read_chk, (int fd, void *data, size_t bytes, size_t room), (fd, data, bytes, room),
	(fd, data, half(fd, bytes), room), EIO)
MOVE(pread, (int fd, void *data, size_t bytes, off_t at), (fd, data, bytes, at),
	(fd, data, half(fd, bytes), at), EIO)
MOVE(write, (int fd, const void *data, size_t bytes), (fd, data, bytes),
	(fd, data, half(fd, bytes)), ENOSPC)
MOVE(recv, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags),
	(fd, data, half(fd, bytes), flags), ECONNRESET)
MOVE(send, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags),
	(fd, data, half(fd, bytes), flags), EPIPE)

CALL_DEFINE(ssize_t, getrandom, (void *data, size_t bytes, unsigned int flags),
	(data, bytes, flags), ENOSYS, -1, -1, FAULT_CAN_FAIL | FAULT_CAN_INTERRUPT)

/* The beginning of the vector, half of its bytes; returns the number of pieces. */
static int half_vector(int fd, const struct iovec *iov, int count, struct iovec *part)
{
	size_t left = 0;
	int n = 0;

	for (int i = 0; i < count; i++)
		left += iov[i].iov_len;
	left = half(fd, left);
	for (; left && n < count && n < PIECES_MAX; n++) {
		part[n] = iov[n];
		if (part[n].iov_len > left)
			part[n].iov_len = left;
		left -= part[n].iov_len;
	}
	return n;
}

#define MOVE_VECTOR(name, parameters, whole, cut, error)                                           \
	CALL_EXPORT ssize_t name parameters                                                        \
	{                                                                                          \
		struct iovec part[PIECES_MAX];                                                     \
		switch (fault_ask(#name, CALL_CALLER, error, kinds_of(fd))) {                      \
		case FAULT_FAIL:                                                                   \
			errno = error;                                                             \
			return -1;                                                                 \
		case FAULT_EINTR:                                                                  \
			errno = EINTR;                                                             \
			return -1;                                                                 \
		case FAULT_CUT:                                                                    \
			count = half_vector(fd, iov, count, part);                                 \
			return CALL_REAL(name) cut;                                                \
		default:                                                                           \
			return CALL_REAL(name) whole;                                              \
		}                                                                                  \
	}

MOVE_VECTOR(preadv, (int fd, const struct iovec *iov, int count, off_t at), (fd, iov, count, at),
	(fd, part, count, at), EIO)
MOVE_VECTOR(preadv2, (int fd, const struct iovec *iov, int count, off_t at, int flags),
	(fd, iov, count, at, flags), (fd, part, count, at, flags), EIO)
MOVE_VECTOR(pwritev, (int fd, const struct iovec *iov, int count, off_t at), (fd, iov, count, at),
	(fd, part, count, at), ENOSPC)
MOVE_VECTOR(readv, (int fd, const struct iovec *iov, int count), (fd, iov, count),
	(fd, part, count), EIO)
MOVE_VECTOR(writev, (int fd, const struct iovec *iov, int count), (fd, iov, count),
	(fd, part, count), EIO)
