/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries checked requests out and keeps the promise of what is durable when (virtio 1.2, 5.2.6.2):
 *
 *   - A request ends well only when all of it was done; what comes back in part is continued.
 *   - FLUSH is an fdatasync that starts after FLUSH came, so it covers every write that had ended
 *     by then. It does not wait for writes that had not. Requests that wait for an fdatasync while
 *     one runs share the next, so a storm of them costs no more than one at a time.
 *   - In writethrough mode a write (also discard and write zeroes) ends when an fdatasync that
 *     started after it was done has ended.
 *   - Once fdatasync has failed it counts as failing for ever: the kernel reports lost pages only
 *     once and then takes them for clean.
 *   - Requests in flight have no order among each other.
 *
 * It knows nothing of queues, of virtio's rings or of the host: requests come in by submit, go out
 * by the owner's finished(), and the I/O is the back end's. All on the loop thread
 * but for blk_engine_at_once().
 */
#ifndef VIRTIO_BLK_ENGINE_H
#define VIRTIO_BLK_ENGINE_H

#include "backend.h"
#include "bounce.h"
#include "request.h"

struct blk_engine_owner {
	/** The request is over; status is BLK_S_.... It may be reused at once. May come from
	 * inside blk_engine_submit. */
	void (*finished)(void *ctx, struct blk_request *request, uint8_t status);

	/** What blk_engine_sync started is done; error is 0 or an errno. Not from inside it. */
	void (*synced)(void *ctx, int error);

	/** fdatasync failed, for the first time. */
	void (*sync_failed)(void *ctx, int error);
	void *ctx;
};

/** Requests in a row. */
struct blk_list {
	struct blk_request *first, *last;
};

struct blk_engine {
	struct blk_backend *backend; /* the engine's owner destroys it */
	const struct blk_disk *disk;
	struct blk_bounce *bounce; /* NULL without direct */
	struct blk_engine_owner owner;
	int writethrough;
	int cancelling;
	int sync_error; /* errno of the first failure of fdatasync; 0: none */
	int sync_running;
	int sync_wanted; /* by blk_engine_sync */
	int sync_wanted_running;
	uint32_t sync_retries;
	uint32_t in_flight; /* requests */
	struct blk_op sync_op;
	struct blk_op *refused;       /* by the back end; their end is due */
	struct blk_list sync_waiting; /* for the next fdatasync */
	struct blk_list syncing;      /* for the one that runs */
	struct blk_list trim_waiting;
	struct blk_request *trimming;
};

void blk_engine_init(struct blk_engine *engine, struct blk_backend *backend,
	const struct blk_disk *disk, struct blk_bounce *bounce,
	const struct blk_engine_owner *owner);

/** Whether writes are to be durable when they end; for those that end from now on. */
void blk_engine_set_writethrough(struct blk_engine *engine, int writethrough);

/** 0 if the request has to wait for one that is in flight to end. */
int blk_engine_has_room(const struct blk_engine *engine, const struct blk_request *request);

/** Takes a request that blk_request_parse said BLK_PARSE_RUN of. */
void blk_engine_submit(struct blk_engine *engine, struct blk_request *request);

/**
 * Does a read or write of an image in memory as a whole. 0: it is not one, or could not be done so,
 * and has to be submitted. Touches the request only. [vcpu]
 */
int blk_engine_at_once(const struct blk_engine *engine, struct blk_request *request);

/** In the middle of a batch: ends what is done already. */
void blk_engine_reap(struct blk_engine *engine);

/** End of a batch: starts what was submitted and ends what is done already or was refused. */
void blk_engine_turn(struct blk_engine *engine);

/** Ends all requests as soon as that can be, done or not; until blk_engine_resume. */
void blk_engine_cancel(struct blk_engine *engine);
void blk_engine_resume(struct blk_engine *engine);

/** 1 if there are no requests, and no operations of the back end. */
int blk_engine_idle(const struct blk_engine *engine);

/** A last fdatasync; the owner's synced() tells. Then blk_engine_turn. */
void blk_engine_sync(struct blk_engine *engine);

/** For done() of the back end's owner. */
void blk_engine_op_done(struct blk_engine *engine, struct blk_op *op);

#endif
