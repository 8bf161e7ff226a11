/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounce buffers. All are mapped at once, so that none is allocated while the guest runs.
 */
#include "bounce.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include <vmm/support.h>

int32_t blk_bounce_init(struct blk_bounce *bounce, struct vmm_error *error)
{
	void *memory = mmap(NULL, BLK_BOUNCE_COUNT * BLK_BOUNCE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*bounce = (struct blk_bounce){0};
	if (memory == MAP_FAILED) {
		vmm_set_error(error, "no memory for buffers");
		return VMM_E_NOMEM;
	}
	bounce->memory = memory;
	for (uint32_t i = 0; i < BLK_BOUNCE_COUNT; i++)
		bounce->free[bounce->free_count++] = bounce->memory + i * BLK_BOUNCE_BYTES;
	return 0;
}

void blk_bounce_fini(struct blk_bounce *bounce)
{
	if (bounce->memory)
		munmap(bounce->memory, BLK_BOUNCE_COUNT * BLK_BOUNCE_BYTES);
	bounce->memory = NULL;
}

int blk_bounce_needed(const struct blk_disk *disk, const struct blk_request *request)
{
	if (!disk->direct)
		return 0;
	/* A call takes IOV_MAX pieces, and where those end need not be aligned. */
	if (request->data_count > IOV_MAX)
		return 1;
	for (uint32_t i = 0; i < request->data_count; i++)
		if ((uintptr_t)request->data[i].base % disk->memory_align ||
			request->data[i].bytes % disk->direct_align)
			return 1;
	return 0;
}

void blk_bounce_get(struct blk_bounce *bounce, struct blk_request *request)
{
	request->bounce = bounce->free[--bounce->free_count];
}

void blk_bounce_put(struct blk_bounce *bounce, struct blk_request *request)
{
	if (!request->bounce)
		return;
	bounce->free[bounce->free_count++] = request->bounce;
	request->bounce = NULL;
}

void blk_bounce_fill(struct blk_request *request, uint64_t bytes)
{
	uint8_t *to = request->bounce;

	for (uint32_t i = 0; bytes; i++) {
		uint64_t n = request->data[i].bytes < bytes ? request->data[i].bytes : bytes;

		memcpy(to, request->data[i].base, n);
		to += n;
		bytes -= n;
	}
}

void blk_bounce_spill(struct blk_request *request, uint64_t bytes)
{
	const uint8_t *from = request->bounce;

	for (uint32_t i = 0; bytes; i++) {
		uint64_t n = request->data[i].bytes < bytes ? request->data[i].bytes : bytes;

		memcpy(request->data[i].base, from, n);
		from += n;
		bytes -= n;
	}
}
