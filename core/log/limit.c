/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit on lines of one site; see limit.h.
 */
#include "log/limit.h"

#include "log/log.h"

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed)
{
	*ret_suppressed = 0;
	if (!limit->lines || now_ns - limit->window_ns >= LOG_LIMIT_NS) {
		*ret_suppressed = limit->suppressed;
		limit->suppressed = 0;
		limit->window_ns = now_ns;
		limit->lines = 0;
	}
	if (limit->lines == LOG_LIMIT_LINES) {
		limit->suppressed++;
		return false;
	}
	limit->lines++;
	return true;
}
