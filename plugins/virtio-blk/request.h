/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of the guest: from a chain of buffers to checked numbers. Pure: no I/O, and the
 * guest's memory is looked at once, into private copies that all checks and all uses take.
 */
#ifndef VIRTIO_BLK_REQUEST_H
#define VIRTIO_BLK_REQUEST_H

#include <vmm/virtio.h>

#include "backend.h"
#include "wire.h"

#define BLK_SEGMENTS_MAX 32u /* of discard and write zeroes */

/** The most of one segment; the most that one request can make busy is 32 times as much. */
#define BLK_SEGMENT_SECTORS_MAX (1u << 22)

/** What requests are checked against: fixed, but for the features, which the driver chooses. */
struct blk_limits {
	uint64_t capacity_bytes;
	uint32_t direct_align; /* of offsets and lengths; 1: none */
	int readonly;
	int may_unmap;     /* write zeroes may give blocks back if the guest asks for it */
	uint64_t features; /* negotiated */
	const char *serial;
};

struct blk_range {
	uint64_t offset_bytes;
	uint64_t bytes;
	int unmap;
};

struct blk_request {
	struct blk_op op;         /* the part of it that the back end has now */
	struct blk_request *next; /* in the list that it is in, if any */
	uint32_t type;            /* BLK_T_... */
	uint32_t queue;
	uint32_t chain_id;
	uint8_t *status; /* the last writable byte, in guest memory */
	uint64_t offset_bytes;
	uint64_t bytes;          /* of data, IN and OUT */
	uint64_t done_bytes;     /* of them */
	uint64_t writable_bytes; /* of the chain, with the status byte */
	uint64_t id_bytes;       /* GET_ID: written */
	uint32_t retries;        /* since something was done */
	uint32_t range_count;    /* DISCARD and WRITE_ZEROES */
	uint32_t range;          /* the one under way */
	int error_code;          /* errno of the request's own I/O, or 0; for the log */
	void *bounce;            /* buffer of bounce.h, or NULL */
	struct vmm_iovec bounce_iov;
	struct blk_range ranges[BLK_SEGMENTS_MAX];
	struct vmm_iovec *data; /* in iov: the data that is not done yet */
	uint32_t data_count;
	uint32_t reserved;
	struct vmm_iovec iov[]; /* the chain; iov_max of blk_request_bytes() */
};

/** Size of a request with room for iov_max entries, so that an array of them is aligned. */
uint64_t blk_request_bytes(uint32_t iov_max);

/* What blk_request_parse says. */
#define BLK_PARSE_RUN                                                                              \
	1                /* type, offset_bytes, bytes, data, ranges are set: hand it to the engine \
			  */
#define BLK_PARSE_DONE 2 /* the status is known already */
#define BLK_PARSE_BAD  3 /* there is no header or no place for a status: give it back with 0 */

/**
 * Looks at a chain that was popped into request->iov. BLK_PARSE_...; *ret_status is set for
 * BLK_PARSE_DONE, and *ret_why, a static text for the operator, where the guest made a mistake;
 * else it is NULL.
 */
int blk_request_parse(struct blk_request *request, const struct vmm_virtio_chain *chain,
	const struct blk_limits *limits, uint8_t *ret_status, const char **ret_why);

/** Marks bytes of the data as done: moves data and data_count on. */
void blk_request_advance(struct blk_request *request, uint64_t bytes);

/** Bytes written from the start of the writable part, if the request ends with that status. */
uint64_t blk_request_used(const struct blk_request *request, uint8_t status);

#endif
