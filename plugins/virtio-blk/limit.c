/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token bucket (as GCRA: the bucket's level is kept as a time). No clock, no timer.
 */
#include "limit.h"

#define SECOND_NS 1000000000u

void blk_limit_init(struct blk_limit *limit, uint64_t rate)
{
	*limit = (struct blk_limit){.rate = rate};
}

uint64_t blk_limit_wait(const struct blk_limit *limit, uint64_t now_ns)
{
	if (!limit->rate || limit->paid_ns <= now_ns ||
		limit->paid_ns - now_ns < BLK_LIMIT_BURST_NS)
		return 0;
	return limit->paid_ns - BLK_LIMIT_BURST_NS + 1;
}

void blk_limit_take(struct blk_limit *limit, uint64_t now_ns, uint64_t units)
{
	uint64_t cost;

	if (!limit->rate)
		return;
	if (limit->paid_ns < now_ns) {
		limit->paid_ns = now_ns;
		limit->rest = 0;
	}
	cost = units * SECOND_NS + limit->rest;
	limit->paid_ns += cost / limit->rate;
	limit->rest = cost % limit->rate;
}
