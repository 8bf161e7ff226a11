/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rate limit: a token bucket that holds a tenth of a second's worth. Only arithmetic; who asks
 * keeps the clock and the timer.
 */
#ifndef VIRTIO_BLK_LIMIT_H
#define VIRTIO_BLK_LIMIT_H

#include <stdint.h>

/** What a full bucket is worth: an idle device may do so much at once. */
#define BLK_LIMIT_BURST_NS 100000000ull

/**
 * The bucket as a point in time: the one at which all that was taken has been paid for. It may lie
 * BLK_LIMIT_BURST_NS ahead of now.
 */
struct blk_limit {
	uint64_t rate; /* units per second; 0: no limit */
	uint64_t paid_ns;
	uint64_t rest; /* of the last division, so that nothing is lost by rounding */
};

void blk_limit_init(struct blk_limit *limit, uint64_t rate);

/** 0 if something may be taken at now_ns, else the time at which it may. */
uint64_t blk_limit_wait(const struct blk_limit *limit, uint64_t now_ns);

/** Takes units, at most 2^32. A single request may take more than the bucket holds; the next one
 * then waits. */
void blk_limit_take(struct blk_limit *limit, uint64_t now_ns, uint64_t units);

#endif
