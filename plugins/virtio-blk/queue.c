/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data path between the transport and the engine: pop, check, admit, and push with one flush
 * for a batch. Nothing is allocated here.
 *
 * Admission: a request that would exceed the bytes in flight or the rate limit goes back to its
 * ring, and all queues are held until there is room. So what waits, waits in the guest's memory,
 * and costs the host nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/support.h>

#include "device.h"

#define ERROR_LOG_PERIOD_NS 10000000000ull

/* Of an image in memory, whose requests are copied one by one: after each so many bytes the guest
 * is told, and works on them while the next ones are copied. */
#define SHOW_BYTES (128u << 10)

/* Of what a vCPU does itself for a doorbell. The loop copies the rest, while the guest goes on. */
#define SERVE_BYTES (64u << 10)

static uint64_t request_bytes(const struct blk_device *blk)
{
	return blk_request_bytes(blk->options.queue_size + BLK_IOV_SPARE);
}

int32_t blk_queues_init(struct blk_device *blk, struct vmm_error *error)
{
	for (uint32_t q = 0; q < blk->options.queues; q++) {
		/* Not touched here: what is never used takes no memory. */
		blk->queues[q].requests = calloc(blk->options.queue_size, request_bytes(blk));
		if (!blk->queues[q].requests) {
			vmm_set_error(error, "no memory for requests");
			return VMM_E_NOMEM;
		}
	}
	return 0;
}

void blk_queues_fini(struct blk_device *blk)
{
	for (uint32_t q = 0; q < BLK_QUEUES_MAX; q++)
		free(blk->queues[q].requests);
}

/* The request that was used last, as it is in the caches; NULL if all are in use. */
static struct blk_request *request_take(struct blk_device *blk, uint32_t q)
{
	struct blk_queue *queue = &blk->queues[q];
	struct blk_request *request = queue->free;

	if (request) {
		queue->free = request->next;
	} else if (queue->used < blk->options.queue_size) {
		request = (void *)(queue->requests + queue->used++ * request_bytes(blk));
		request->queue = q;
	}
	return request;
}

static void request_free(struct blk_device *blk, struct blk_request *request)
{
	struct blk_queue *queue = &blk->queues[request->queue];

	request->next = queue->free;
	queue->free = request;
}

static void push(struct blk_device *blk, const struct blk_request *request, uint64_t written)
{
	blk->virtio.push(blk->transport, blk->attached, request->queue, request->chain_id, written);
	blk->queues[request->queue].dirty = 1;
}

/* The status byte comes after all data, and before the chain is given back. */
static void complete(struct blk_device *blk, struct blk_request *request, uint8_t status)
{
	__atomic_store_n(request->status, status, __ATOMIC_RELEASE);
	push(blk, request, blk_request_used(request, status));
	request_free(blk, request);
}

/* An error of the host: a line, but no more than one in a while, as a guest can make many. */
static void log_error(struct blk_device *blk, const struct blk_request *request)
{
	static const char remainder[] = "the image ends early; was it cut?";
	int error = request->error_code;
	uint64_t now = blk->loop.now(blk->host, VMM_CLOCK_HOST);
	int is_data = request->type == BLK_T_IN || request->type == BLK_T_OUT;
	uint64_t bytes = is_data ? request->bytes - request->done_bytes : request->op.bytes;
	const char *what = request->type == BLK_T_IN    ? "read"
			   : request->type == BLK_T_OUT ? "write"
							: "discard or write zeroes";

	if (blk->error_logged_ns && now - blk->error_logged_ns < ERROR_LOG_PERIOD_NS) {
		blk->errors_not_logged++;
		return;
	}
	vmm_logf(&blk->log, blk->host, VMM_LOG_ERROR,
		"%s: %s of %llu bytes at %llu failed: %s (%llu more since the last such line)",
		blk->options.path, what, (unsigned long long)bytes,
		(unsigned long long)request->op.offset_bytes,
		error == ENODATA ? remainder : strerror(error),
		(unsigned long long)blk->errors_not_logged);
	blk->error_logged_ns = now;
	blk->errors_not_logged = 0;
}

void blk_queue_finished(void *ctx, struct blk_request *request, uint8_t status)
{
	struct blk_device *blk = ctx;

	blk->in_flight_bytes -= request->bytes;
	if (request->error_code)
		log_error(blk, request);
	if (blk->resetting)
		request_free(blk, request);
	else
		complete(blk, request, status);
}

/* 1 if the rate limit lets the request through, and then counts it; else arms the timer. */
static int within_rate(struct blk_device *blk, const struct blk_request *request)
{
	uint64_t now, iops_ns, bandwidth_ns;

	if ((!blk->iops.rate && !blk->bandwidth.rate) || request->type == BLK_T_FLUSH)
		return 1;
	now = blk->loop.now(blk->host, VMM_CLOCK_HOST);
	iops_ns = blk_limit_wait(&blk->iops, now);
	bandwidth_ns = blk_limit_wait(&blk->bandwidth, now);
	if (!iops_ns && !bandwidth_ns) {
		blk_limit_take(&blk->iops, now, 1);
		blk_limit_take(&blk->bandwidth, now, request->bytes);
		return 1;
	}
	if (blk->loop.timer_arm(blk->host, blk->limit_timer,
		    iops_ns > bandwidth_ns ? iops_ns : bandwidth_ns) < 0)
		return 1; /* better too fast than never */
	blk->timer_runs = 1;
	return 0;
}

static int within_memory(const struct blk_device *blk, const struct blk_request *request)
{
	if (!blk_engine_has_room(&blk->engine, request))
		return 0;
	/* A request that is larger than the limit goes alone. */
	return !blk->in_flight_bytes ||
	       blk->in_flight_bytes + request->bytes <= blk->options.max_inflight_bytes;
}

/* Starts a request; 0: it has to wait in its ring. */
static int start(struct blk_device *blk, struct blk_request *request)
{
	if (!within_memory(blk, request) || !within_rate(blk, request)) {
		blk->queues[request->queue].held = 1;
		blk->held = 1;
		return 0;
	}
	blk->in_flight_bytes += request->bytes;
	blk_engine_submit(&blk->engine, request);
	return 1;
}

/* Does all of a request; 0: it is not one that can be done at once, or as a whole. */
static int do_at_once(struct blk_device *blk, struct blk_request *request)
{
	if (blk->served_bytes + request->bytes > SERVE_BYTES ||
		!blk_engine_at_once(&blk->engine, request))
		return 0;
	blk->served_bytes += request->bytes;
	complete(blk, request, BLK_S_OK);
	return 1;
}

/* Takes a chain and has its request run, which returns 0 if it has to be put back. 1; 0 if there is
 * no chain; -1 if it was put back. */
static int take_one(struct blk_device *blk, uint32_t q,
	int (*run)(struct blk_device *blk, struct blk_request *request))
{
	struct blk_request *request = request_take(blk, q);
	struct vmm_virtio_chain chain = {
		.struct_size = sizeof(chain),
		.iov_max = blk->options.queue_size + BLK_IOV_SPARE,
	};
	const char *why;
	uint8_t status;

	/* The transport never has more chains in flight than the queue is long. */
	if (!request)
		return 0;
	chain.iov = request->iov;
	if (blk->virtio.pop(blk->transport, blk->attached, q, &chain) <= 0) {
		request_free(blk, request);
		return 0;
	}
	switch (blk_request_parse(request, &chain, &blk->limits, &status, &why)) {
	case BLK_PARSE_DONE:
		complete(blk, request, status);
		break;
	case BLK_PARSE_BAD:
		push(blk, request, 0);
		request_free(blk, request);
		break;
	default:
		if (run(blk, request))
			break;
		blk->virtio.unpop(blk->transport, blk->attached, q, chain.id);
		request_free(blk, request);
		return -1;
	}
	if (why)
		vmm_guest_errorf(&blk->log, blk->host, "virtio-blk request", "%s", why);
	return 1;
}

/*
 * Lets one of the queues go on that were held for want of room: the transport calls notify for it,
 * and that lets the next one go. They take turns, so that none of them gets all the room there is.
 */
static void release(struct blk_device *blk)
{
	if (blk->timer_runs)
		return;
	blk->held = 0;
	for (uint32_t i = 0; i < blk->options.queues; i++) {
		uint32_t q = (blk->turn + i) % blk->options.queues;

		if (!blk->queues[q].held)
			continue;
		blk->queues[q].held = 0;
		blk->turn = q + 1;
		blk->virtio.kick(blk->transport, blk->attached, q);
		return;
	}
}

/* Tells the guest of what has ended; 1 if something has. */
static int show_ended(struct blk_device *blk)
{
	int ended = 0;

	for (uint32_t q = 0; q < blk->options.queues; q++) {
		if (!blk->queues[q].dirty)
			continue;
		blk->queues[q].dirty = 0;
		ended = 1;
		blk->virtio.flush(blk->transport, blk->attached, q);
	}
	return ended;
}

void blk_queue_notify(void *ctx, uint32_t q)
{
	struct blk_device *blk = ctx;
	uint64_t before = blk->in_flight_bytes;

	if (!blk_state_runs(blk))
		return;
	if (blk->held) {
		blk->queues[q].held = 1;
		return;
	}
	while (take_one(blk, q, start) > 0) {
		if (!blk->disk.in_memory || blk->in_flight_bytes - before < SHOW_BYTES)
			continue;
		blk_engine_reap(&blk->engine);
		show_ended(blk);
		before = blk->in_flight_bytes;
	}
	blk_queue_batch_end(blk);
	if (!blk->held)
		release(blk);
}

uint32_t blk_queue_serve(void *ctx, uint32_t q)
{
	struct blk_device *blk = ctx;
	int taken;

	if (!blk_state_runs(blk) || blk->held)
		return 1;
	blk->served_bytes = 0;
	do
		taken = take_one(blk, q, do_at_once);
	while (taken > 0);
	/* The transport shows what was pushed. */
	blk->queues[q].dirty = 0;
	return taken < 0;
}

void blk_queue_limit_timer(void *ctx)
{
	struct blk_device *blk = ctx;

	blk->timer_runs = 0;
	if (blk_state_runs(blk))
		release(blk);
}

void blk_queue_batch_end(void *ctx)
{
	struct blk_device *blk = ctx;

	blk_engine_turn(&blk->engine);
	if (show_ended(blk) && blk_state_runs(blk))
		release(blk);
	blk_state_settle(blk);
}

void blk_queue_forget(struct blk_device *blk)
{
	blk->held = 0;
	blk->timer_runs = 0;
	if (blk->has_limit_timer)
		blk->loop.timer_arm(blk->host, blk->limit_timer, VMM_TIMER_OFF);
	for (uint32_t q = 0; q < blk->options.queues; q++) {
		blk->queues[q].held = 0;
		blk->queues[q].dirty = 0;
	}
}
