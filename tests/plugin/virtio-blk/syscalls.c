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
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT    __attribute__((visibility("default")))
#define LOG_BYTES 4096u

#define PARTS_MAX   64u
#define SPOILED_MAX 16u /* in a batch of io_uring; those behind them are not changed */
#define NO_FILE     1   /* number that the ring's table of files does not have */

struct fault {
	int error;
	uint64_t bytes;
	uint32_t count;
	uint32_t delay;
};

static const struct syscalls_device *device;
static struct fault faults[CALL_KINDS];
static char log_text[LOG_BYTES];
static uint32_t log_used, hits, ring_hits, cached;

void syscalls_reset(void)
{
	memset(faults, 0, sizeof(faults));
	memset(log_text, 0, sizeof(log_text));
	log_used = 0;
	hits = 0;
	ring_hits = 0;
	cached = 0;
}

const char *syscalls_log(void)
{
	return log_text;
}

void syscalls_note(enum syscall_kind kind)
{
	if (log_used < LOG_BYTES - 1)
		log_text[log_used++] = "RWSAPD"[kind];
}

void syscalls_fail(enum syscall_kind kind, int error, uint32_t count)
{
	faults[kind] = (struct fault){.error = error, .count = count};
}

void syscalls_shorten(enum syscall_kind kind, uint64_t bytes, uint32_t count)
{
	faults[kind] = (struct fault){.bytes = bytes, .count = count};
}

void syscalls_delay(enum syscall_kind kind, uint32_t count)
{
	faults[kind].delay = count;
}

void syscalls_block_device(const struct syscalls_device *what)
{
	device = what;
}

uint32_t syscalls_hit(void)
{
	return hits;
}

uint32_t syscalls_hit_in_ring(void)
{
	return ring_hits;
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
	if (faults[kind].delay) {
		faults[kind].delay--;
		return NULL;
	}
	faults[kind].count--;
	hits++;
	return &faults[kind];
}

/* The first bytes of the buffers in ret_part, which has PARTS_MAX places; returns how many. */
static int shorten(struct iovec *ret_part, const struct iovec *iov, int count, uint64_t bytes)
{
	int n = 0;

	for (; bytes && n < count && n < (int)PARTS_MAX; n++) {
		ret_part[n] = iov[n];
		if (ret_part[n].iov_len > bytes)
			ret_part[n].iov_len = bytes;
		bytes -= ret_part[n].iov_len;
	}
	return n;
}

static ssize_t move(
	enum syscall_kind kind, int fd, const struct iovec *iov, int count, off_t offset)
{
	const struct fault *fault = fault_take(kind);
	struct iovec part[PARTS_MAX];
	ssize_t ret;

	if (fault && fault->error) {
		errno = fault->error;
		return -1;
	}
	if (fault && !fault->bytes)
		return 0;
	if (fault) {
		count = shorten(part, iov, count, fault->bytes);
		iov = part;
	}
	ret = syscall(kind == CALL_READ ? SYS_preadv : SYS_pwritev, fd, iov, count, offset, 0);
	/* Logged when it is done. */
	syscalls_note(kind);
	return ret;
}

EXPORT ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return move(CALL_READ, fd, iov, count, offset);
}

EXPORT ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
	const struct fault *fault = fault_take(CALL_TRY);

	if (fault && (fault->error || ((uintptr_t)data | bytes) % fault->bytes)) {
		errno = fault->error ? fault->error : EINVAL;
		return -1;
	}
	return syscall(SYS_pread64, fd, data, bytes, offset);
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

EXPORT int fstat(int fd, struct stat *st)
{
	int ret = fstatat(fd, "", st, AT_EMPTY_PATH);

	if (ret == 0 && device && S_ISREG(st->st_mode))
		st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
	return ret;
}

/* BLKDISCARD and BLKZEROOUT; both leave zeroes here. */
static int device_zero(int fd, const uint64_t *range)
{
	const struct fault *fault = fault_take(CALL_DEVICE);

	syscalls_note(CALL_DEVICE);
	if (fault) {
		errno = fault->error;
		return -1;
	}
	return (int)syscall(
		SYS_fallocate, fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, range[0], range[1]);
}

static int device_say(unsigned int *ret_value, unsigned int value)
{
	if (!value) {
		errno = ENOTTY;
		return -1;
	}
	*ret_value = value;
	return 0;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!device)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	switch (request) {
	case BLKGETSIZE64:
		*(uint64_t *)argument = device->bytes;
		errno = EIO;
		return device->bytes ? 0 : -1;
	case BLKSSZGET:
		return device_say(argument, (unsigned int)device->sector);
	case BLKPBSZGET:
		return device_say(argument, device->physical);
	case BLKIOMIN:
		return device_say(argument, device->min_io);
	case BLKIOOPT:
		return device_say(argument, device->opt_io);
	default:
		return device_zero(fd, argument);
	}
}

/* The library's own, behind this one. */
static void look_up(const char *name, void *ret_function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	memcpy(ret_function, &symbol, sizeof(symbol));
}

EXPORT int io_uring_queue_init_params(
	unsigned int entries, struct io_uring *ring, struct io_uring_params *params)
{
	int (*real)(unsigned int, struct io_uring *, struct io_uring_params *);
	const struct fault *fault = fault_take(CALL_SETUP);

	look_up("io_uring_queue_init_params", &real);
	return fault ? -fault->error : real(entries, ring, params);
}

/* An operation of a batch whose end is changed. */
struct spoiled {
	uint64_t user_data;
	int is_refused; /* it did nothing, and ends with result */
	int result;
	struct iovec part[PARTS_MAX]; /* what is left of its buffers, otherwise */
};

static enum syscall_kind ring_kind(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
		return CALL_READ;
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return CALL_WRITE;
	case IORING_OP_FSYNC:
		return CALL_SYNC;
	default:
		abort();
	}
}

static void spoil(struct io_uring_sqe *sqe, const struct fault *fault, struct spoiled *ret_spoiled)
{
	struct iovec one = {(void *)(uintptr_t)sqe->addr, sqe->len};
	int is_vector = sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV;
	const struct iovec *iov = is_vector ? one.iov_base : &one;

	ret_spoiled->user_data = sqe->user_data;
	ret_spoiled->is_refused = fault->error || !fault->bytes;
	ret_spoiled->result = -fault->error;
	if (ret_spoiled->is_refused) {
		sqe->fd = NO_FILE;
		return;
	}
	sqe->opcode = ring_kind(sqe) == CALL_READ ? IORING_OP_READV : IORING_OP_WRITEV;
	sqe->len = (uint32_t)shorten(
		ret_spoiled->part, iov, is_vector ? (int)sqe->len : 1, fault->bytes);
	sqe->addr = (uintptr_t)ret_spoiled->part;
}

/* Waits until it ended; asking runs what the kernel has to do for that in this thread. */
static void end_spoiled(struct io_uring *ring, const struct spoiled *spoiled)
{
	const struct io_uring_cq *cq = &ring->cq;

	for (;; sched_yield()) {
		unsigned int tail = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);

		for (unsigned int i = *cq->khead; i != tail; i++) {
			struct io_uring_cqe *cqe = &cq->cqes[i & *cq->kring_mask];

			if (cqe->user_data != spoiled->user_data)
				continue;
			if (spoiled->is_refused)
				cqe->res = spoiled->result;
			return;
		}
	}
}

EXPORT int io_uring_submit(struct io_uring *ring)
{
	static struct spoiled spoiled[SPOILED_MAX];
	int (*real)(struct io_uring *);
	struct io_uring_sq *sq = &ring->sq;
	const struct fault *fault = fault_take(CALL_SUBMIT);
	uint32_t count = 0;
	int ret;

	if (fault)
		return -fault->error;
	look_up("io_uring_submit", &real);
	for (unsigned int i = sq->sqe_head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
		enum syscall_kind kind = ring_kind(sqe);

		fault = count < SPOILED_MAX ? fault_take(kind) : NULL;
		if (fault)
			spoil(sqe, fault, &spoiled[count++]);
		if (!fault || !fault->error || kind == CALL_SYNC)
			syscalls_note(kind);
	}
	ring_hits += count;
	ret = real(ring);
	for (uint32_t i = 0; i < count; i++)
		end_spoiled(ring, &spoiled[i]);
	return ret;
}
