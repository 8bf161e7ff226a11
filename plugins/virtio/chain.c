/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over one descriptor chain (virtio 1.2, 2.7.5). Everything is checked before the first
 * pointer is given out: a chain is usable as a whole or not at all.
 */
#include <string.h>

#include "chain.h"

/* What is known of the chain so far. */
struct walk {
	const struct ram_map *ram;
	struct vmm_virtio_chain *chain;
	uint32_t entries; /* of chain->iov */
	uint64_t bytes;   /* readable and writable */
	bool writable_seen;
};

/*
 * Copies a descriptor out of guest memory. The guest may write it at the same time; the barrier
 * keeps the compiler from reading guest memory again where the copy is used, and ThreadSanitizer
 * is told that this race is the guest's right. Indirect tables need not be aligned.
 */
__attribute__((no_sanitize("thread"))) static void desc_copy(
	const void *table, uint32_t index, struct virtq_desc *ret_desc)
{
	memcpy(ret_desc, (const char *)table + (size_t)index * sizeof(*ret_desc),
		sizeof(*ret_desc));
	__asm__ volatile("" : "+m"(*ret_desc));
}

/* Appends one piece of host memory, to the last entry if it follows that. */
static bool append(struct walk *walk, void *base, uint64_t bytes, bool writable)
{
	struct vmm_virtio_chain *chain = walk->chain;
	struct vmm_iovec *iov = chain->iov;
	uint32_t same = writable ? chain->writable : chain->readable;

	if (same && (char *)iov[walk->entries - 1].base + iov[walk->entries - 1].bytes == base) {
		iov[walk->entries - 1].bytes += bytes;
		return true;
	}
	if (walk->entries == chain->iov_max)
		return false;
	iov[walk->entries].base = base;
	iov[walk->entries].bytes = bytes;
	walk->entries++;
	if (writable)
		chain->writable++;
	else
		chain->readable++;
	return true;
}

static const char *add_buffer(struct walk *walk, const struct virtq_desc *desc)
{
	struct vmm_virtio_chain *chain = walk->chain;
	bool writable = desc->flags & DESC_WRITE;
	uint64_t left = desc->len;
	vmm_gpa gpa = {desc->addr};
	uint64_t end;

	if (!writable && walk->writable_seen)
		return "a readable buffer behind a writable one";
	walk->writable_seen = writable;
	walk->bytes += left;
	if (walk->bytes > UINT32_MAX)
		return "a chain of 4 GiB or more";
	if (__builtin_add_overflow(gpa.value, left, &end))
		return "a buffer beyond the end of the address space";
	if (writable)
		chain->writable_bytes += left;
	else
		chain->readable_bytes += left;
	while (left) {
		uint64_t bytes;
		void *base = ram_piece(walk->ram, gpa, &bytes);

		if (!base)
			return "a buffer that is not in RAM";
		if (bytes > left)
			bytes = left;
		if (!append(walk, base, bytes, writable))
			return "more buffers than the device takes in a chain";
		gpa.value += bytes;
		left -= bytes;
	}
	return NULL;
}

/* Goes on in the table that an indirect descriptor names (2.7.5.3). */
static const char *enter_table(
	struct chain_source *source, const struct virtq_desc *desc, bool nested)
{
	if (!source->indirect)
		return "an indirect descriptor that was not negotiated";
	if (nested)
		return "an indirect descriptor in an indirect table";
	if (desc->flags & DESC_NEXT)
		return "an indirect descriptor with a next one";
	if (!desc->len || desc->len % sizeof(struct virtq_desc))
		return "an indirect table of a length that is not a multiple of 16";
	source->table_size = desc->len / (uint32_t)sizeof(struct virtq_desc);
	if (source->table_size > source->buffers_max)
		return "an indirect table longer than the queue";
	source->table = ram_at(source->ram, (vmm_gpa){desc->addr}, desc->len);
	return source->table ? NULL : "an indirect table that is not in RAM";
}

const char *chain_walk(
	const struct chain_source *source, uint32_t head, struct vmm_virtio_chain *chain)
{
	struct chain_source at = *source;
	struct walk walk = {.ram = source->ram, .chain = chain};
	struct virtq_desc desc = {.next = (uint16_t)head, .flags = DESC_NEXT};
	uint32_t buffers = 0;
	bool nested = false;
	const char *wrong;

	chain->readable = 0;
	chain->writable = 0;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
	while (desc.flags & DESC_NEXT) {
		if (desc.next >= at.table_size)
			return "a next descriptor outside of the table";
		desc_copy(at.table, desc.next, &desc);
		if (desc.flags & DESC_INDIRECT) {
			wrong = enter_table(&at, &desc, nested);
			if (wrong)
				return wrong;
			/* The flags of this descriptor mean nothing more (2.7.5.3.2). */
			nested = true;
			desc.flags = DESC_NEXT;
			desc.next = 0;
			continue;
		}
		if (++buffers > at.buffers_max)
			return "a chain longer than the queue, or a loop";
		wrong = add_buffer(&walk, &desc);
		if (wrong)
			return wrong;
	}
	return NULL;
}
