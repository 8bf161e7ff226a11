/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end on io_uring: operations are collected, one system call starts a batch and often ends
 * it. For what comes later the loop watches the ring. No thread is involved.
 *
 * The ring is closed down as far as it can be: it knows one file, the image, by number, and takes
 * only the few kinds of operations that are used here (a filter of system calls does not see what
 * goes through a ring).
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "backend.h"
#include "inline.h"

/* Entries of the submission queue: a longer batch takes one more system call. */
#define SQ_ENTRIES_MAX 256u

/* When the kernel does not take a batch now. */
#define RETRY_NS 1000000u

/* The image, in the ring's table of files. */
#define FILE_INDEX 0

struct uring_backend {
	struct blk_backend base;
	struct blk_backend_config config;
	struct io_uring ring;
	struct blk_inline inl;
	struct blk_backend *worker; /* for discard and write zeroes */
	struct blk_op *waiting;     /* that found the submission queue full; last in first */
	uint64_t loop;
	uint64_t watch;
	uint64_t retry_timer;
	int has_ring, has_watch, has_timer;
	int has_complained;
};

static struct uring_backend *of(struct blk_backend *backend)
{
	return (struct uring_backend *)backend;
}

static int prepare(struct uring_backend *uring, struct blk_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	const struct iovec *iov = (const struct iovec *)op->iov;
	int is_one = op->iov_count == 1 && op->iov && op->iov->bytes <= UINT32_MAX;

	if (!sqe)
		return -EBUSY;
	if (op->kind == BLK_OP_SYNC)
		io_uring_prep_fsync(sqe, FILE_INDEX, IORING_FSYNC_DATASYNC);
	else if (op->kind == BLK_OP_READ && is_one)
		io_uring_prep_read(sqe, FILE_INDEX, iov->iov_base, (unsigned int)iov->iov_len,
			op->offset_bytes);
	else if (op->kind == BLK_OP_READ)
		io_uring_prep_readv(sqe, FILE_INDEX, iov, op->iov_count, op->offset_bytes);
	else if (is_one)
		io_uring_prep_write(sqe, FILE_INDEX, iov->iov_base, (unsigned int)iov->iov_len,
			op->offset_bytes);
	else
		io_uring_prep_writev(sqe, FILE_INDEX, iov, op->iov_count, op->offset_bytes);
	io_uring_sqe_set_data(sqe, op);
	sqe->flags |= IOSQE_FIXED_FILE;
	/* What is in the page cache would be copied before the submission returns. */
	if (op->bytes > BLK_LARGE_BYTES)
		sqe->flags |= IOSQE_ASYNC;
	return 0;
}

/* Hands the submission queue to the kernel; 0 if it is empty then. */
static int enter(struct uring_backend *uring)
{
	while (io_uring_sq_ready(&uring->ring)) {
		int ret = io_uring_submit(&uring->ring);

		if (ret < 0 && ret != -EINTR)
			return ret;
		if (ret == 0)
			return -EAGAIN;
	}
	return 0;
}

static int uring_submit(struct blk_backend *backend, struct blk_op *op)
{
	struct uring_backend *uring = of(backend);

	if (op->kind == BLK_OP_DISCARD || op->kind == BLK_OP_ZERO)
		return uring->worker->ops->submit(uring->worker, op);
	if (blk_inline_try(&uring->inl, op))
		return 0;
	if (prepare(uring, op) == 0)
		return 0;
	(void)enter(uring);
	if (prepare(uring, op) == 0)
		return 0;
	op->next = uring->waiting;
	uring->waiting = op;
	return 0;
}

/* Short of memory, or too much is under way for the kernel: later. */
static void commit_later(struct uring_backend *uring, int error)
{
	const struct blk_backend_config *config = &uring->config;
	uint64_t now = config->loop->now(config->host, VMM_CLOCK_HOST);

	config->loop->timer_arm(config->host, uring->retry_timer, now + RETRY_NS);
	if (!uring->has_complained)
		vmm_logf(config->log, config->host, VMM_LOG_WARN,
			"io_uring takes no requests now (%s); trying again each millisecond",
			strerror(-error));
	uring->has_complained = 1;
}

static void uring_commit(struct blk_backend *backend)
{
	struct uring_backend *uring = of(backend);
	int ret;

	blk_inline_refill(&uring->inl);
	do {
		ret = enter(uring);
		if (ret < 0) {
			commit_later(uring, ret);
			return;
		}
		while (uring->waiting && io_uring_sq_space_left(&uring->ring)) {
			struct blk_op *op = uring->waiting;

			uring->waiting = op->next;
			(void)prepare(uring, op);
		}
	} while (io_uring_sq_ready(&uring->ring));
}

static uint32_t uring_reap(struct blk_backend *backend)
{
	struct uring_backend *uring = of(backend);
	const struct blk_backend_owner *owner = &uring->config.owner;
	struct io_uring_cqe *cqe;
	uint32_t count = uring->worker->ops->reap(uring->worker);

	count += blk_inline_reap_begin(&uring->inl, owner);
	while (io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
		struct blk_op *op = io_uring_cqe_get_data(cqe);

		op->result = cqe->res;
		io_uring_cqe_seen(&uring->ring, cqe);
		owner->done(owner->ctx, op);
		count++;
	}
	blk_inline_reap_end(&uring->inl);
	return count;
}

static void uring_event(void *ctx, int32_t fd, uint32_t events)
{
	struct uring_backend *uring = ctx;

	(void)fd;
	(void)events;
	if (uring_reap(&uring->base))
		uring->config.owner.batch_end(uring->config.owner.ctx);
}

static void uring_retry(void *ctx)
{
	struct uring_backend *uring = ctx;

	uring->config.owner.batch_end(uring->config.owner.ctx);
}

static void uring_destroy(struct blk_backend *backend)
{
	struct uring_backend *uring = of(backend);
	const struct blk_backend_config *config = &uring->config;

	if (uring->has_watch)
		config->loop->watch_remove(config->host, uring->watch);
	if (uring->has_timer)
		config->loop->timer_remove(config->host, uring->retry_timer);
	if (uring->has_ring) {
		/* At once; the end of the ring itself is worked off later by the kernel. */
		(void)io_uring_unregister_files(&uring->ring);
		io_uring_queue_exit(&uring->ring);
	}
	if (uring->worker)
		uring->worker->ops->destroy(uring->worker);
	free(uring);
}

static const struct blk_backend_ops uring_ops = {
	.name = "io_uring",
	.submit = uring_submit,
	.commit = uring_commit,
	.reap = uring_reap,
	.destroy = uring_destroy,
};

static int init_ring(struct uring_backend *uring)
{
	uint32_t depth = uring->config.depth;
	uint32_t entries = depth < SQ_ENTRIES_MAX ? depth : SQ_ENTRIES_MAX;
	/* Without COOP_TASKRUN, on kernels before 5.19, results interrupt the loop thread. */
	static const uint32_t flags[] = {IORING_SETUP_COOP_TASKRUN, 0};
	int ret = -EINVAL;

	for (uint32_t i = 0; i < 2 && ret == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
				 IORING_SETUP_CLAMP | flags[i],
			.cq_entries = depth > entries ? depth : entries,
		};

		ret = io_uring_queue_init_params(entries, &uring->ring, &params);
	}
	uring->has_ring = ret == 0;
	return ret;
}

static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction rules[] = {
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC},
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_ASYNC},
		{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_FILES},
	};

	/* Debian 12's liburing declares functions for this and for enabling, but exports none. */
	return io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
		sizeof(rules) / sizeof(rules[0]));
}

/* Makes the ring; *ret_what says which step failed. */
static int open_ring(struct uring_backend *uring, const char **ret_what)
{
	int ret;

	*ret_what = "io_uring_setup";
	ret = init_ring(uring);
	if (ret < 0)
		return ret;
	*ret_what = "registering the image";
	ret = io_uring_register_files(&uring->ring, &uring->config.disk->fd, 1);
	if (ret < 0)
		return ret;
	*ret_what = "restricting the ring";
	ret = restrict_ring(&uring->ring);
	if (ret < 0)
		return ret;
	*ret_what = "enabling the ring";
	return io_uring_register(
		(unsigned int)uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int32_t watch_ring(struct uring_backend *uring, struct vmm_error *error)
{
	const struct blk_backend_config *config = &uring->config;
	int32_t ret = config->loop->watch_add(config->host, uring->loop, uring->ring.ring_fd,
		VMM_WATCH_READ, uring_event, uring, &uring->watch);

	uring->has_watch = ret == 0;
	if (ret == 0) {
		ret = config->loop->timer_add(config->host, uring->loop, VMM_CLOCK_HOST,
			uring_retry, uring, &uring->retry_timer);
		uring->has_timer = ret == 0;
	}
	if (ret < 0)
		vmm_set_error(error, "cannot watch the ring on the loop: %s", vmm_error_text(ret));
	return ret;
}

int32_t blk_uring_create(const struct blk_backend_config *config, struct blk_backend **ret_backend,
	struct vmm_error *error)
{
	struct uring_backend *uring = calloc(1, sizeof(*uring));
	const char *what;
	int32_t ret;
	int err;

	if (!uring) {
		vmm_set_error(error, "no memory");
		return VMM_E_NOMEM;
	}
	uring->base.ops = &uring_ops;
	uring->config = *config;
	blk_inline_init(&uring->inl, config->disk, 0);
	uring->loop = config->loop->own(config->host);
	ret = blk_worker_create(config, &uring->worker, error);
	if (ret < 0)
		goto fail;
	err = open_ring(uring, &what);
	if (err < 0) {
		vmm_set_error(error, "io_uring cannot be used: %s: %s", what, strerror(-err));
		ret = VMM_E_UNSUPPORTED;
		goto fail;
	}
	ret = watch_ring(uring, error);
	if (ret < 0)
		goto fail;
	*ret_backend = &uring->base;
	return 0;
fail:
	uring_destroy(&uring->base);
	return ret;
}
