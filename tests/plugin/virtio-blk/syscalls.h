/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the plugin makes on its image, seen and changed on their way: definitions
 * in the test program come before those of the C library. Reads, writes and syncs are those given
 * to io_uring, too.
 */
#ifndef TEST_SYSCALLS_H
#define TEST_SYSCALLS_H

#include <stdint.h>

enum syscall_kind {
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_ALLOCATE,
	CALL_PUSH,   /* the used ring; the test puts it in */
	CALL_DEVICE, /* BLKDISCARD, BLKZEROOUT */
	CALL_SUBMIT, /* io_uring_submit; not logged, as are the following */
	CALL_SETUP,  /* io_uring_queue_init_params */
	CALL_TRY,    /* pread, by which the plugin finds out what direct I/O needs */
	CALL_KINDS,
};

/** Starts a new log and forgets all faults. */
void syscalls_reset(void);

/** The log as letters: R W S A P and D. */
const char *syscalls_log(void);

void syscalls_note(enum syscall_kind kind);

/** The next `count` calls of the kind fail with that errno. */
void syscalls_fail(enum syscall_kind kind, int error, uint32_t count);

/** The next `count` calls of the kind do at most that many bytes; 0: end of file. CALL_TRY: fail
 * if memory or length is not aligned to that. */
void syscalls_shorten(enum syscall_kind kind, uint64_t bytes, uint32_t count);

/** The fault of that kind begins after `count` more calls. */
void syscalls_delay(enum syscall_kind kind, uint32_t count);

/** What a block device says of itself; 0: it does not say. */
struct syscalls_device {
	uint64_t bytes;
	int sector;
	unsigned int physical, min_io, opt_io;
};

/** Regular files are block devices from now on; NULL: they are files. */
void syscalls_block_device(const struct syscalls_device *device);

/** Calls that failed or were shortened, and how many of them were given to io_uring. */
uint32_t syscalls_hit(void);
uint32_t syscalls_hit_in_ring(void);

/** Reads that were asked to give only what is there already. */
uint32_t syscalls_cached(void);

#endif
