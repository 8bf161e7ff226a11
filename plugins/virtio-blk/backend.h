/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does the I/O: a table of functions, so that the engine above it is the same for io_uring,
 * for workers, and for the simulated disk of the durability test.
 *
 * One operation may be done in part: result is what was done, and the owner submits the rest.
 */
#ifndef VIRTIO_BLK_BACKEND_H
#define VIRTIO_BLK_BACKEND_H

#include <vmm/plugin.h>

#include "disk.h"

enum blk_op_kind {
	BLK_OP_READ,
	BLK_OP_WRITE,
	BLK_OP_SYNC,    /* fdatasync: all writes that were finished when it was submitted */
	BLK_OP_DISCARD, /* contents do not matter any more; may do nothing */
	BLK_OP_ZERO,    /* reads back as zeroes */
};

struct blk_backend;

/** A longer one is not done while the loop waits, even if that is only a copy. */
#define BLK_LARGE_BYTES (1u << 20)

/**
 * An operation. The owner's once it is done, but for `next` and `backend`; its memory stays until
 * the back end is destroyed.
 */
struct blk_op {
	enum blk_op_kind kind;
	uint32_t iov_count;          /* READ, WRITE: at most IOV_MAX */
	const struct vmm_iovec *iov; /* laid out as struct iovec */
	uint64_t offset_bytes;
	uint64_t bytes; /* DISCARD, ZERO; READ, WRITE: at most so many */
	int unmap;      /* ZERO: the blocks may be given back */
	int refused;    /* it never began; the owner's */
	int64_t result; /* bytes done (SYNC: 0), or a negative errno */
	struct blk_op *next;
	struct blk_backend *backend; /* of workers; the same for ever once one had it */
};

/** Who owns the operations. [loop] */
struct blk_backend_owner {
	void (*done)(void *ctx, struct blk_op *op);
	/** After one or more done() that came by themselves, not out of reap(). */
	void (*batch_end)(void *ctx);
	void *ctx;
};

struct blk_backend_ops {
	const char *name;

	/** Takes an operation; done() comes later, never from in here. A negative errno: there is
	 * no memory for it, it stays the owner's. [loop] */
	int (*submit)(struct blk_backend *backend, struct blk_op *op);

	/** Starts all that was submitted since the last time. [loop] */
	void (*commit)(struct blk_backend *backend);

	/** Calls done() for what is finished by now; returns how many. [loop] */
	uint32_t (*reap)(struct blk_backend *backend);

	/** Nothing may be in flight. [config] */
	void (*destroy)(struct blk_backend *backend);
};

struct blk_backend {
	const struct blk_backend_ops *ops;
};

/** What the back ends need. Copied; the tables are valid until destroy. */
struct blk_backend_config {
	const struct blk_disk *disk; /* until destroy */
	vmm_host *host;
	const struct vmm_loop *loop;
	const struct vmm_worker *worker;
	const struct vmm_log *log;
	struct blk_backend_owner owner;
	uint32_t depth; /* operations that can be in flight at a time */
};

/** preadv, pwritev, fdatasync on workers of the core. [config] */
int32_t blk_worker_create(const struct blk_backend_config *config, struct blk_backend **ret_backend,
	struct vmm_error *error);

/**
 * io_uring. VMM_E_UNSUPPORTED: the kernel does not allow or does not have it; the text says why.
 * What io_uring is not good at goes to workers. [config]
 */
int32_t blk_uring_create(const struct blk_backend_config *config, struct blk_backend **ret_backend,
	struct vmm_error *error);

/**
 * Discards or zeroes a piece of op, blocking; how large a piece is so that a reset does not wait
 * long for it. Returns the bytes done or a negative errno. On a worker.
 */
int64_t blk_trim(const struct blk_disk *disk, const struct blk_op *op);

#endif
