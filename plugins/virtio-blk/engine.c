/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: reads and writes with their remainders, fdatasync for groups of requests, discards
 * one after the other. The rules that it keeps are in engine.h.
 */
#include "engine.h"

#include <errno.h>
#include <limits.h>

#include "inline.h"

/* Continuations without progress before a request is given up. */
#define RETRIES_MAX 64u

/* Rounds of a turn: operations that end at once may start further ones. */
#define ROUNDS_MAX 4u

static void list_add(struct blk_list *list, struct blk_request *request)
{
	request->next = NULL;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static struct blk_request *list_take(struct blk_list *list)
{
	struct blk_request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->last = NULL;
	return request;
}

static struct blk_request *request_of(struct blk_op *op)
{
	void *request = (char *)op - offsetof(struct blk_request, op);

	return request;
}

static void finish(struct blk_engine *engine, struct blk_request *request, uint8_t status)
{
	engine->in_flight--;
	if (engine->bounce)
		blk_bounce_put(engine->bounce, request);
	engine->owner.finished(engine->owner.ctx, request, status);
}

static void fail(struct blk_engine *engine, struct blk_request *request, int error)
{
	request->error_code = error;
	finish(engine, request, BLK_S_IOERR);
}

/* Waits for an fdatasync that has not started yet. */
static void wait_for_sync(struct blk_engine *engine, struct blk_request *request)
{
	if (engine->sync_error)
		finish(engine, request, BLK_S_IOERR);
	else if (engine->disk->readonly)
		finish(engine, request, BLK_S_OK);
	else
		list_add(&engine->sync_waiting, request);
}

/* All of the request's own I/O is done. */
static void io_done(struct blk_engine *engine, struct blk_request *request)
{
	if (request->type != BLK_T_IN && engine->writethrough && !engine->cancelling)
		wait_for_sync(engine, request);
	else
		finish(engine, request, BLK_S_OK);
}

/* Nothing was done, but that need not stay so. */
static int is_passing(int64_t result)
{
	return result == -EINTR || result == -EAGAIN;
}

/* 1 if the operation of a request may be tried again. */
static int may_retry(struct blk_engine *engine, int64_t result, uint32_t *retries)
{
	return is_passing(result) && !engine->cancelling && (*retries)++ < RETRIES_MAX;
}

/* What the back end has no memory for fails, at the end of the turn. */
static void submit(struct blk_engine *engine, struct blk_op *op)
{
	int ret;

	op->refused = 0;
	ret = engine->backend->ops->submit(engine->backend, op);
	if (ret == 0)
		return;
	op->refused = 1;
	op->result = ret;
	op->next = engine->refused;
	engine->refused = op;
}

static void rw_submit(struct blk_engine *engine, struct blk_request *request)
{
	struct blk_op *op = &request->op;

	op->kind = request->type == BLK_T_IN ? BLK_OP_READ : BLK_OP_WRITE;
	op->offset_bytes = request->offset_bytes;
	op->bytes = request->bytes - request->done_bytes;
	if (request->bounce) {
		if (op->bytes > BLK_BOUNCE_BYTES)
			op->bytes = BLK_BOUNCE_BYTES;
		request->bounce_iov.base = request->bounce;
		request->bounce_iov.bytes = op->bytes;
		if (op->kind == BLK_OP_WRITE)
			blk_bounce_fill(request, request->bounce_iov.bytes);
		op->iov = &request->bounce_iov;
		op->iov_count = 1;
	} else {
		op->iov = request->data;
		op->iov_count = request->data_count < IOV_MAX ? request->data_count : IOV_MAX;
	}
	submit(engine, op);
}

static void rw_done(struct blk_engine *engine, struct blk_request *request)
{
	uint64_t left = request->bytes - request->done_bytes;
	int64_t result = request->op.result;
	uint64_t done;

	if (may_retry(engine, result, &request->retries)) {
		rw_submit(engine, request);
		return;
	}
	if (result < 0) {
		fail(engine, request, (int)-result);
		return;
	}
	done = (uint64_t)result < left ? (uint64_t)result : left;
	/* The rest must start where direct I/O can. */
	done -= done % engine->disk->direct_align;
	if (!done) {
		/* The image ends before its capacity: it was cut while in use. */
		fail(engine, request, ENODATA);
		return;
	}
	if (request->bounce && request->type == BLK_T_IN)
		blk_bounce_spill(request, done);
	request->retries = 0;
	blk_request_advance(request, done);
	if (done == left)
		io_done(engine, request);
	else if (engine->cancelling)
		finish(engine, request, BLK_S_IOERR);
	else
		rw_submit(engine, request);
}

static void trim_submit(struct blk_engine *engine, struct blk_request *request)
{
	const struct blk_range *range = &request->ranges[request->range];

	request->op.kind = request->type == BLK_T_DISCARD ? BLK_OP_DISCARD : BLK_OP_ZERO;
	request->op.offset_bytes = range->offset_bytes;
	request->op.bytes = range->bytes;
	request->op.unmap = range->unmap;
	submit(engine, &request->op);
}

static void trim_next(struct blk_engine *engine)
{
	if (engine->trimming)
		return;
	engine->trimming = list_take(&engine->trim_waiting);
	if (engine->trimming)
		trim_submit(engine, engine->trimming);
}

static void trim_done(struct blk_engine *engine, struct blk_request *request)
{
	struct blk_range *range = &request->ranges[request->range];
	int64_t result = request->op.result;

	if (may_retry(engine, result, &request->retries)) {
		trim_submit(engine, request);
		return;
	}
	if (result > 0 && (uint64_t)result <= range->bytes) {
		request->retries = 0;
		range->offset_bytes += (uint64_t)result;
		range->bytes -= (uint64_t)result;
		if (!range->bytes)
			request->range++;
		if (request->range < request->range_count && !engine->cancelling) {
			trim_submit(engine, request);
			return;
		}
	}
	engine->trimming = NULL;
	if (result <= 0)
		fail(engine, request, result < 0 ? (int)-result : EIO);
	else if (request->range < request->range_count)
		finish(engine, request, BLK_S_IOERR);
	else
		io_done(engine, request);
	trim_next(engine);
}

/* Starts an fdatasync if somebody waits for one and none runs. */
static void sync_start(struct blk_engine *engine)
{
	if (engine->sync_running || (!engine->sync_waiting.first && !engine->sync_wanted))
		return;
	engine->sync_running = 1;
	engine->sync_wanted_running = engine->sync_wanted;
	engine->sync_wanted = 0;
	engine->sync_retries = 0;
	engine->syncing = engine->sync_waiting;
	engine->sync_waiting = (struct blk_list){0};
	engine->sync_op.kind = BLK_OP_SYNC;
	submit(engine, &engine->sync_op);
}

static void end_list(struct blk_engine *engine, struct blk_list *list, uint8_t status)
{
	struct blk_list ended = *list;
	struct blk_request *request;

	*list = (struct blk_list){0};
	while ((request = list_take(&ended)) != NULL)
		finish(engine, request, status);
}

static void sync_done(struct blk_engine *engine)
{
	int64_t result = engine->sync_op.result;
	int error = result < 0 ? (int)-result : 0;
	int wanted = engine->sync_wanted_running;

	/* In a reset as well: the sync of a stop may come into one, and is not the driver's to
	 * cancel. */
	if (is_passing(result) && engine->sync_retries++ < RETRIES_MAX) {
		submit(engine, &engine->sync_op);
		return;
	}
	engine->sync_running = 0;
	engine->sync_wanted_running = 0;
	/* What a disk could not write it may forget, and say so once. Nothing is lost by a sync
	 * that never began, or came to no end. */
	if (error && !engine->sync_op.refused && !is_passing(result) && !engine->sync_error) {
		engine->sync_error = error;
		engine->owner.sync_failed(engine->owner.ctx, error);
	}
	if (engine->sync_error)
		error = engine->sync_error;
	end_list(engine, &engine->syncing, error ? BLK_S_IOERR : BLK_S_OK);
	if (engine->sync_error)
		end_list(engine, &engine->sync_waiting, BLK_S_IOERR);
	if (wanted)
		engine->owner.synced(engine->owner.ctx, error);
}

void blk_engine_op_done(struct blk_engine *engine, struct blk_op *op)
{
	if (op == &engine->sync_op)
		sync_done(engine);
	else if (op->kind == BLK_OP_READ || op->kind == BLK_OP_WRITE)
		rw_done(engine, request_of(op));
	else
		trim_done(engine, request_of(op));
}

void blk_engine_init(struct blk_engine *engine, struct blk_backend *backend,
	const struct blk_disk *disk, struct blk_bounce *bounce,
	const struct blk_engine_owner *owner)
{
	*engine = (struct blk_engine){
		.backend = backend,
		.disk = disk,
		.bounce = bounce,
		.owner = *owner,
	};
}

void blk_engine_set_writethrough(struct blk_engine *engine, int writethrough)
{
	engine->writethrough = writethrough;
}

int blk_engine_has_room(const struct blk_engine *engine, const struct blk_request *request)
{
	return !engine->bounce || engine->bounce->free_count ||
	       !blk_bounce_needed(engine->disk, request);
}

void blk_engine_submit(struct blk_engine *engine, struct blk_request *request)
{
	engine->in_flight++;
	switch (request->type) {
	case BLK_T_IN:
	case BLK_T_OUT:
		if (blk_bounce_needed(engine->disk, request))
			blk_bounce_get(engine->bounce, request);
		rw_submit(engine, request);
		break;
	case BLK_T_FLUSH:
		wait_for_sync(engine, request);
		break;
	default:
		list_add(&engine->trim_waiting, request);
		trim_next(engine);
		break;
	}
}

int blk_engine_at_once(const struct blk_engine *engine, struct blk_request *request)
{
	int is_write = request->type == BLK_T_OUT;

	if ((!is_write && request->type != BLK_T_IN) || (is_write && engine->writethrough))
		return 0;
	if (blk_inline_copy(engine->disk, is_write, request->data, request->data_count,
		    request->offset_bytes) != (int64_t)request->bytes)
		return 0;
	blk_request_advance(request, request->bytes);
	return 1;
}

void blk_engine_reap(struct blk_engine *engine)
{
	engine->backend->ops->reap(engine->backend);
}

/* What that submits may be refused again. It comes to an end, as nothing refused is tried twice. */
static uint32_t end_refused(struct blk_engine *engine)
{
	uint32_t count = 0;

	while (engine->refused) {
		struct blk_op *op = engine->refused;

		engine->refused = op->next;
		blk_engine_op_done(engine, op);
		count++;
	}
	return count;
}

void blk_engine_turn(struct blk_engine *engine)
{
	for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
		sync_start(engine);
		engine->backend->ops->commit(engine->backend);
		if (!engine->backend->ops->reap(engine->backend) && !end_refused(engine))
			return;
	}
	/* The rest comes by itself, except for what is refused. */
	do {
		sync_start(engine);
		engine->backend->ops->commit(engine->backend);
	} while (end_refused(engine));
}

void blk_engine_cancel(struct blk_engine *engine)
{
	engine->cancelling = 1;
	end_list(engine, &engine->sync_waiting, BLK_S_IOERR);
	end_list(engine, &engine->trim_waiting, BLK_S_IOERR);
}

void blk_engine_resume(struct blk_engine *engine)
{
	engine->cancelling = 0;
}

int blk_engine_idle(const struct blk_engine *engine)
{
	return !engine->in_flight && !engine->sync_running && !engine->sync_wanted;
}

void blk_engine_sync(struct blk_engine *engine)
{
	engine->sync_wanted = 1;
}
