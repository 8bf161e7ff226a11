/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance of "virtio-blk": what life cycle (device.c), states (state.c) and data path
 * (queue.c) share.
 */
#ifndef VIRTIO_BLK_DEVICE_H
#define VIRTIO_BLK_DEVICE_H

#include <vmm/plugin.h>

#include "backend.h"
#include "bounce.h"
#include "disk.h"
#include "engine.h"
#include "limit.h"
#include "options.h"
#include "request.h"
#include "space.h"

/** Room in a request for more pieces than a chain has buffers: where RAM is mapped in pieces. */
#define BLK_IOV_SPARE 8u

/** Requests of a queue, all allocated at the start. */
struct blk_queue {
	uint8_t *requests;        /* queue_size of them, blk_request_bytes() apart */
	struct blk_request *free; /* of those that were used before; last in first */
	uint32_t used;            /* requests that were ever used: the others are untouched pages */
	int dirty;                /* pushed, not flushed */
	int held;                 /* notified while nothing more could be taken */
	int reserved;
};

/** How far quiesce is; no new requests from BLK_QUIESCE_DRAIN on. */
enum blk_quiesce {
	BLK_QUIESCE_NOT,
	BLK_QUIESCE_DRAIN, /* what is in flight ends */
	BLK_QUIESCE_SYNC,  /* the last fdatasync runs */
	BLK_QUIESCE_DONE,
};

struct blk_device {
	/* From create on. */
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	struct blk_options options;
	struct vmm_loop loop;
	struct vmm_worker worker;
	struct vmm_log log;
	struct vmm_machine machine;
	uint64_t own_loop;
	struct blk_disk disk;
	struct blk_bounce bounce;
	struct blk_backend *backend;
	struct blk_engine engine;
	struct blk_limits limits;
	struct blk_wire_config config;
	struct blk_queue queues[BLK_QUEUES_MAX];

	/* From bind and realize on. */
	struct vmm_virtio virtio;
	void *transport;
	uint64_t attached;
	uint64_t limit_timer;
	int is_attached, has_limit_timer;

	/* The guest's; on the loop. */
	uint64_t features_offered;
	int active;    /* between activate and reset */
	int resetting; /* a reset waits for what is in flight */
	enum blk_quiesce quiesce;
	int quiesce_pending; /* the core waits for quiesced() */
	int held;            /* a request did not fit; all queues wait */
	uint32_t turn;       /* the queue that goes first when they wait no longer */
	int timer_runs;      /* until the rate limit lets more through */
	uint64_t in_flight_bytes;
	uint64_t served_bytes; /* on the vCPU, since its doorbell */
	struct blk_limit iops, bandwidth;

	/* Errors of the host that were logged. */
	uint64_t error_logged_ns;
	uint64_t errors_not_logged;
};

/** Allocates the requests of all queues. [config] */
int32_t blk_queues_init(struct blk_device *blk, struct vmm_error *error);
void blk_queues_fini(struct blk_device *blk);

/** The driver's doorbell: notify() of vmm_virtio_ops. [loop] */
void blk_queue_notify(void *ctx, uint32_t queue);

/** serve() of vmm_virtio_ops, of images in memory. [vcpu] */
uint32_t blk_queue_serve(void *ctx, uint32_t queue);

/** finished() of the engine's owner. [loop] */
void blk_queue_finished(void *ctx, struct blk_request *request, uint8_t status);

/** batch_end() of the back end's owner: starts, shows and admits what can be. [loop] */
void blk_queue_batch_end(void *ctx);

/** The timer of the rate limit. [loop] */
void blk_queue_limit_timer(void *ctx);

/** What waits because of load waits no longer: the driver reset the device. [loop] */
void blk_queue_forget(struct blk_device *blk);

/** 1 if chains may be taken and given back. [loop], or [vcpu] in serve() */
int blk_state_runs(const struct blk_device *blk);

/** After a batch: goes on with a reset or a quiesce that waits for what is in flight. [loop] */
void blk_state_settle(struct blk_device *blk);

/* activate, reset and config_written of vmm_virtio_ops. [loop] */
int32_t blk_state_activate(void *ctx, uint64_t features);
int32_t blk_state_reset(void *ctx);
void blk_state_config_written(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config);

/** quiesce of vmm_device_ops. [loop] */
int32_t blk_state_quiesce(void *ctx);

/* synced() and sync_failed() of the engine's owner. [loop] */
void blk_state_synced(void *ctx, int error);
void blk_state_sync_failed(void *ctx, int error);

#endif
