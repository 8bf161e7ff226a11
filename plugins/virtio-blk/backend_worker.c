/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end that blocks: one system call for each operation, on a worker thread of the core
 * unless it can be done at once. For hosts that forbid io_uring, and for what io_uring does no
 * better (discard and write zeroes).
 *
 * What workers have done is in a list, of which the loop takes all that is there whenever it looks:
 * the guest is told of it together, however many calls of done() are still on their way.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/uio.h>

#include <vmm/support.h>

#include "backend.h"
#include "inline.h"

_Static_assert(sizeof(struct iovec) == sizeof(struct vmm_iovec), "iovec");
_Static_assert(offsetof(struct iovec, iov_base) == offsetof(struct vmm_iovec, base), "iovec");
_Static_assert(offsetof(struct iovec, iov_len) == offsetof(struct vmm_iovec, bytes), "iovec");

struct worker_backend {
	struct blk_backend base;
	struct blk_backend_config config;
	struct blk_inline inl;
	uint64_t loop;
	struct blk_op *ended; /* by workers; last in first, taken as a whole */
};

static struct worker_backend *of(struct blk_backend *backend)
{
	return (struct worker_backend *)backend;
}

static int64_t run(const struct blk_disk *disk, const struct blk_op *op)
{
	const struct iovec *iov = (const struct iovec *)op->iov;
	int64_t result;

	switch (op->kind) {
	case BLK_OP_READ:
		result = preadv(disk->fd, iov, (int)op->iov_count, (off_t)op->offset_bytes);
		break;
	case BLK_OP_WRITE:
		result = pwritev(disk->fd, iov, (int)op->iov_count, (off_t)op->offset_bytes);
		break;
	case BLK_OP_SYNC:
		result = fdatasync(disk->fd);
		break;
	default:
		return blk_trim(disk, op);
	}
	return result < 0 ? -errno : result;
}

/* On a worker thread; touches only the operation, until it is in the list, and what does not
 * change. */
static void worker_run(void *ctx)
{
	struct blk_op *op = ctx;
	struct worker_backend *worker = of(op->backend);

	op->result = run(worker->config.disk, op);
	op->next = __atomic_load_n(&worker->ended, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(
		&worker->ended, &op->next, op, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static uint32_t finish_ended(struct worker_backend *worker)
{
	const struct blk_backend_owner *owner = &worker->config.owner;
	struct blk_op *op = __atomic_exchange_n(&worker->ended, NULL, __ATOMIC_ACQUIRE);
	struct blk_op *in_order = NULL;
	uint32_t count = 0;

	while (op) {
		struct blk_op *next = op->next;

		op->next = in_order;
		in_order = op;
		op = next;
	}
	while (in_order) {
		struct blk_op *next = in_order->next;

		owner->done(owner->ctx, in_order);
		in_order = next;
		count++;
	}
	return count;
}

/* The operation may have been finished with others before, and be in use again. */
static void worker_done(void *ctx)
{
	const struct blk_op *op = ctx;
	struct worker_backend *worker = of(op->backend);

	if (finish_ended(worker))
		worker->config.owner.batch_end(worker->config.owner.ctx);
}

static int worker_submit(struct blk_backend *backend, struct blk_op *op)
{
	struct worker_backend *worker = of(backend);
	const struct blk_backend_config *config = &worker->config;

	if (blk_inline_try(&worker->inl, op))
		return 0;
	op->backend = backend;
	if (config->worker->submit(config->host, worker->loop, worker_run, worker_done, op) < 0)
		return -ENOMEM;
	return 0;
}

static void worker_commit(struct blk_backend *backend)
{
	blk_inline_refill(&of(backend)->inl);
}

static uint32_t worker_reap(struct blk_backend *backend)
{
	struct worker_backend *worker = of(backend);
	uint32_t count = blk_inline_reap_begin(&worker->inl, &worker->config.owner);

	count += finish_ended(worker);
	blk_inline_reap_end(&worker->inl);
	return count;
}

static void worker_destroy(struct blk_backend *backend)
{
	free(backend);
}

static const struct blk_backend_ops worker_ops = {
	.name = "worker",
	.submit = worker_submit,
	.commit = worker_commit,
	.reap = worker_reap,
	.destroy = worker_destroy,
};

int32_t blk_worker_create(const struct blk_backend_config *config, struct blk_backend **ret_backend,
	struct vmm_error *error)
{
	struct worker_backend *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		vmm_set_error(error, "no memory");
		return VMM_E_NOMEM;
	}
	worker->base.ops = &worker_ops;
	worker->config = *config;
	blk_inline_init(&worker->inl, config->disk, 1);
	worker->loop = config->loop->own(config->host);
	*ret_backend = &worker->base;
	return 0;
}
