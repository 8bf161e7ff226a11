/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing and checking of requests (virtio 1.2, 5.2.6). A device makes no assumption about how the
 * driver cut a request into buffers (2.7.4.1), so header, data and status are found by counting
 * bytes: 16 readable ones first, one writable one last.
 */
#include "request.h"

#include <string.h>

#define HEADER_BYTES ((uint64_t)sizeof(struct blk_wire_header))

uint64_t blk_request_bytes(uint32_t iov_max)
{
	uint64_t bytes = sizeof(struct blk_request) + iov_max * sizeof(struct vmm_iovec);

	return (bytes + 63) & ~63ull;
}

/* Moves *iov and *count behind the first bytes bytes, which it copies to dst unless that is NULL.
 */
static void iov_take(struct vmm_iovec **iov, uint32_t *count, uint64_t bytes, void *dst)
{
	uint8_t *to = dst;

	while (bytes && *count) {
		uint64_t n = (*iov)->bytes < bytes ? (*iov)->bytes : bytes;

		if (to) {
			memcpy(to, (*iov)->base, n);
			to += n;
		}
		(*iov)->base = (uint8_t *)(*iov)->base + n;
		(*iov)->bytes -= n;
		bytes -= n;
		if (!(*iov)->bytes) {
			(*iov)++;
			(*count)--;
		}
	}
}

void blk_request_advance(struct blk_request *request, uint64_t bytes)
{
	iov_take(&request->data, &request->data_count, bytes, NULL);
	request->offset_bytes += bytes;
	request->done_bytes += bytes;
}

/* 1 if [offset, offset + bytes), counted in sectors, lies in the disk. */
static int in_capacity(const struct blk_limits *limits, uint64_t sector, uint64_t bytes)
{
	uint64_t sectors = limits->capacity_bytes / BLK_SECTOR_BYTES;

	return sector <= sectors && bytes <= (sectors - sector) * BLK_SECTOR_BYTES;
}

static int done(uint8_t status, uint8_t *ret_status, const char *why, const char **ret_why)
{
	*ret_status = status;
	*ret_why = why;
	return BLK_PARSE_DONE;
}

#define REFUSE(why)  done(BLK_S_IOERR, ret_status, (why), ret_why)
#define UNKNOWN(why) done(BLK_S_UNSUPP, ret_status, (why), ret_why)

static int parse_data(struct blk_request *request, uint64_t sector, const struct blk_limits *limits,
	uint8_t *ret_status, const char **ret_why)
{
	if (request->bytes % BLK_SECTOR_BYTES)
		return REFUSE("data that is not a number of sectors");
	if (!in_capacity(limits, sector, request->bytes))
		return REFUSE("access beyond the end of the disk");
	if (!request->bytes)
		return done(BLK_S_OK, ret_status, NULL, ret_why);
	request->offset_bytes = sector * BLK_SECTOR_BYTES;
	if (request->offset_bytes % limits->direct_align || request->bytes % limits->direct_align)
		return REFUSE("access that is not aligned to the block size");
	return BLK_PARSE_RUN;
}

/* Serial number (5.2.6): up to 20 bytes, padded with zeroes; a short buffer gets the start. */
static int parse_get_id(struct blk_request *request, const struct blk_limits *limits,
	uint8_t *ret_status, const char **ret_why)
{
	char id[BLK_ID_BYTES] = {0};
	uint64_t left = request->bytes < BLK_ID_BYTES ? request->bytes : BLK_ID_BYTES;
	const char *from = id;

	memcpy(id, limits->serial, strnlen(limits->serial, sizeof(id)));
	request->id_bytes = left;
	for (uint32_t i = 0; left; i++) {
		uint64_t n = request->data[i].bytes < left ? request->data[i].bytes : left;

		memcpy(request->data[i].base, from, n);
		from += n;
		left -= n;
	}
	return done(BLK_S_OK, ret_status, NULL, ret_why);
}

static int ranges_overlap(const struct blk_request *request)
{
	for (uint32_t i = 0; i < request->range_count; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct blk_range *a = &request->ranges[i], *b = &request->ranges[j];

			if (a->offset_bytes < b->offset_bytes + b->bytes &&
				b->offset_bytes < a->offset_bytes + a->bytes)
				return 1;
		}
	return 0;
}

/* Discard and write zeroes: all segments are checked before any is touched. */
static int parse_ranges(struct blk_request *request, uint64_t data_bytes,
	const struct blk_limits *limits, uint8_t *ret_status, const char **ret_why)
{
	struct blk_wire_segment segments[BLK_SEGMENTS_MAX] = {0};
	uint32_t count = (uint32_t)(data_bytes / sizeof(segments[0]));

	if (!data_bytes || data_bytes % sizeof(segments[0]) || data_bytes > sizeof(segments))
		return REFUSE("discard or write zeroes with a wrong number of segments");
	iov_take(&request->data, &request->data_count, data_bytes, segments);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t flags = le32toh(segments[i].flags);

		if (flags & ~BLK_SEGMENT_UNMAP || (flags && request->type == BLK_T_DISCARD))
			return UNKNOWN("discard or write zeroes with unknown flags");
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t sector = le64toh(segments[i].sector);
		uint64_t sectors = le32toh(segments[i].num_sectors);
		struct blk_range *range = &request->ranges[i];

		if (!sectors || sectors > BLK_SEGMENT_SECTORS_MAX)
			return REFUSE("discard or write zeroes of no or too many sectors");
		if (!in_capacity(limits, sector, sectors * BLK_SECTOR_BYTES))
			return REFUSE("discard or write zeroes beyond the end of the disk");
		range->offset_bytes = sector * BLK_SECTOR_BYTES;
		range->bytes = sectors * BLK_SECTOR_BYTES;
		range->unmap = le32toh(segments[i].flags) && limits->may_unmap;
		if (range->offset_bytes % limits->direct_align ||
			range->bytes % limits->direct_align)
			return REFUSE("discard or write zeroes that is not aligned");
	}
	request->range_count = count;
	if (ranges_overlap(request))
		return REFUSE("discard or write zeroes of overlapping segments");
	return BLK_PARSE_RUN;
}

/* The parts of a chain behind its header. */
struct parts {
	uint64_t sector;
	uint64_t readable_bytes; /* behind the header */
	uint64_t writable_bytes; /* before the status */
	struct vmm_iovec *readable, *writable;
	uint32_t readable_count, writable_count;
};

static int parse_type(struct blk_request *request, const struct parts *parts,
	const struct blk_limits *limits, uint8_t *ret_status, const char **ret_why)
{
	switch (request->type) {
	case BLK_T_IN:
	case BLK_T_GET_ID:
		if (parts->readable_bytes)
			return REFUSE("data of a read in buffers for reading only");
		request->data = parts->writable;
		request->data_count = parts->writable_count;
		request->bytes = parts->writable_bytes;
		if (request->type == BLK_T_GET_ID)
			return parse_get_id(request, limits, ret_status, ret_why);
		return parse_data(request, parts->sector, limits, ret_status, ret_why);
	case BLK_T_FLUSH:
		if (!(limits->features & BLK_F_FLUSH))
			return UNKNOWN("flush, which was not negotiated");
		return BLK_PARSE_RUN;
	case BLK_T_OUT:
		break;
	case BLK_T_DISCARD:
		if (!(limits->features & BLK_F_DISCARD))
			return UNKNOWN("discard, which was not negotiated");
		break;
	case BLK_T_WRITE_ZEROES:
		if (!(limits->features & BLK_F_WRITE_ZEROES))
			return UNKNOWN("write zeroes, which was not negotiated");
		break;
	default:
		return UNKNOWN("request of an unknown type");
	}
	if (parts->writable_bytes)
		return REFUSE("data of a write in buffers for writing");
	if (limits->readonly)
		return REFUSE("write to a read-only disk");
	request->data = parts->readable;
	request->data_count = parts->readable_count;
	if (request->type != BLK_T_OUT)
		return parse_ranges(request, parts->readable_bytes, limits, ret_status, ret_why);
	request->bytes = parts->readable_bytes;
	return parse_data(request, parts->sector, limits, ret_status, ret_why);
}

static void request_clear(struct blk_request *request)
{
	request->next = NULL;
	request->type = UINT32_MAX;
	request->status = NULL;
	request->offset_bytes = 0;
	request->bytes = 0;
	request->done_bytes = 0;
	request->id_bytes = 0;
	request->retries = 0;
	request->range_count = 0;
	request->range = 0;
	request->error_code = 0;
	request->bounce = NULL;
	request->data = request->iov;
	request->data_count = 0;
}

int blk_request_parse(struct blk_request *request, const struct vmm_virtio_chain *chain,
	const struct blk_limits *limits, uint8_t *ret_status, const char **ret_why)
{
	struct blk_wire_header header = {0};
	struct parts parts;
	struct vmm_iovec *last;

	request_clear(request);
	request->chain_id = chain->id;
	request->writable_bytes = chain->writable_bytes;
	*ret_why = NULL;
	if (chain->readable_bytes < HEADER_BYTES) {
		*ret_why = "request without a whole header";
		return BLK_PARSE_BAD;
	}
	if (!chain->writable_bytes) {
		*ret_why = "request without a place for its status";
		return BLK_PARSE_BAD;
	}
	parts.readable = request->iov;
	parts.readable_count = chain->readable;
	parts.readable_bytes = chain->readable_bytes - HEADER_BYTES;
	parts.writable = request->iov + chain->readable;
	parts.writable_count = chain->writable;
	parts.writable_bytes = chain->writable_bytes - 1;
	last = parts.writable + parts.writable_count - 1;
	last->bytes--;
	request->status = (uint8_t *)last->base + last->bytes;
	if (!last->bytes)
		parts.writable_count--;
	iov_take(&parts.readable, &parts.readable_count, HEADER_BYTES, &header);
	request->type = le32toh(header.type);
	parts.sector = le64toh(header.sector);
	return parse_type(request, &parts, limits, ret_status, ret_why);
}

uint64_t blk_request_used(const struct blk_request *request, uint8_t status)
{
	uint64_t data = request->writable_bytes - 1;
	uint64_t written = 0;

	if (request->type == BLK_T_IN)
		written = request->done_bytes;
	else if (request->type == BLK_T_GET_ID && status == BLK_S_OK)
		written = request->id_bytes;
	return written == data ? data + 1 : written;
}
