/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The split virtqueue.
 *
 * How it works. Driver and device share three areas of guest memory, made by the driver:
 *
 *   descriptor table   available ring                    used ring
 *   0: addr len next   flags                             flags
 *   1: addr len next   idx  ───── counts entries ─────   idx
 *   2: addr len next   ring[size]: heads of chains       ring[size]: {head, bytes written}
 *   ...                used_event                        avail_event
 *
 *   1. The driver links descriptors to a chain, writes the number of the first one (the head) to
 *      available ring[idx % size], then adds 1 to idx. Both idx count for ever, modulo 65536.
 *   2. It rings the doorbell, unless we asked it not to. Asking is done in the used ring: flags = 1
 *      means never, or, with the event index (2.7.10), "when you write the entry number
 *      avail_event". We are silent while we pop and ask again when we find the ring empty, or,
 *      while `ask_later` is set, when our caller is done with looking for more.
 *   3. We pop: take the head, walk the chain (chain.c), give it to the device as pointers.
 *   4. The device works, in any order, and pushes heads back with the number of bytes it wrote.
 *   5. We flush: write all of them to the used ring, then idx once, then look whether the driver
 *      wants an interrupt: flags = 1 in the available ring means no; with the event index we
 *      interrupt when the entry number used_event is among the new ones. The first half can be
 *      had by itself (show); then the next flush decides for all entries since the last one.
 *
 * Steps 2 and 5 are the same handshake with roles swapped: one side publishes its idx and then
 * reads the other's wish, the other writes its wish and then reads idx again. Both need a full
 * barrier between the two, or each may miss the other and both sleep. Here that is an atomic
 * exchange, which is one on x86, rather than a fence, which ThreadSanitizer does not know.
 *
 * What the guest may do. All of that memory is the guest's: it can change at any time, and hold
 * anything. So every value is read once and checked, nothing that we wrote is ever read back, and
 * what we must know is in our own arrays: `heads` says for each head where it is. A head that we
 * hold already and an index that jumped mean that driver and device disagree about the ring; no
 * answer is right any more, and the queue is `broken` until it is started anew. A chain that makes
 * no sense concerns only itself: it is pushed back unused.
 */
#include <stdlib.h>
#include <string.h>

#include "ring.h"

uint64_t virtq_desc_bytes(uint32_t size)
{
	return (uint64_t)size * sizeof(struct virtq_desc);
}

uint64_t virtq_avail_bytes(uint32_t size)
{
	return sizeof(struct virtq_avail) + (uint64_t)size * 2 + 2;
}

uint64_t virtq_used_bytes(uint32_t size)
{
	return sizeof(struct virtq_used) + (uint64_t)size * sizeof(struct virtq_used_elem) + 2;
}

int32_t virtq_init(struct virtq *q, uint32_t size_max)
{
	memset(q, 0, sizeof(*q));
	q->size_max = size_max;
	q->heads = calloc(size_max, sizeof(*q->heads));
	q->pushed = calloc(size_max, sizeof(*q->pushed));
	q->unpopped = calloc(size_max, sizeof(*q->unpopped));
	q->broken = "not started";
	if (q->heads && q->pushed && q->unpopped)
		return 0;
	virtq_fini(q);
	return VMM_E_NOMEM;
}

void virtq_fini(struct virtq *q)
{
	free(q->heads);
	free(q->pushed);
	free(q->unpopped);
	memset(q, 0, sizeof(*q));
	q->broken = "not started";
}

static const char *translate(
	struct virtq *q, const struct ram_map *ram, const struct virtq_setup *setup)
{
	if (!setup->size || setup->size > q->size_max || setup->size & (setup->size - 1))
		return "its size is not a power of two within the limit";
	if (setup->desc.value % 16 || setup->avail.value % 2 || setup->used.value % 4)
		return "an area of it is misaligned";
	q->source.table = ram_at(ram, setup->desc, virtq_desc_bytes(setup->size));
	q->avail = ram_at(ram, setup->avail, virtq_avail_bytes(setup->size));
	q->used = ram_at(ram, setup->used, virtq_used_bytes(setup->size));
	if (!q->source.table || !q->avail || !q->used)
		return "an area of it is not in RAM";
	return NULL;
}

const char *virtq_start(struct virtq *q, const struct ram_map *ram, const struct virtq_setup *setup)
{
	/* Nothing is in flight any more, even if there is no queue now. */
	q->size = 0;
	q->pushed_count = 0;
	q->unpopped_count = 0;
	q->in_flight = 0;
	q->untold = 0;
	q->broken = translate(q, ram, setup);
	if (q->broken)
		return q->broken;
	q->size = setup->size;
	q->event_idx = setup->event_idx;
	q->source.ram = ram;
	q->source.table_size = setup->size;
	/* "Queue size" in 2.7.5.3.1 is taken as the largest that we offer, not what the driver
	 * chose: Linux may choose less and still build indirect chains of that length. */
	q->source.buffers_max = q->size_max;
	q->source.indirect = setup->indirect;
	q->used_event = &q->avail->ring[setup->size];
	q->avail_event = (uint16_t *)(void *)&q->used->ring[setup->size];
	q->next_avail = setup->next_avail;
	q->seen_avail = setup->next_avail;
	q->next_used = setup->next_avail;
	q->listening = false;
	q->starved = false;
	q->complaint = NULL;
	memset(q->heads, 0, setup->size * sizeof(*q->heads));
	virtq_refill(q);
	return NULL;
}

/* Reads the driver's index; true: it is new. Pairs with the driver's write of it, which comes
 * behind the chains. */
static bool look(struct virtq *q)
{
	uint16_t seen = __atomic_load_n(&q->avail->idx, __ATOMIC_SEQ_CST);

	if ((uint16_t)(seen - q->next_avail) > q->size) {
		q->broken = "the index of the available ring jumped";
		return false;
	}
	q->seen_avail = seen;
	return seen != q->next_avail;
}

bool virtq_listen(struct virtq *q)
{
	if (q->listening || q->broken)
		return false;
	if (q->event_idx)
		__atomic_exchange_n(q->avail_event, q->next_avail, __ATOMIC_SEQ_CST);
	else
		__atomic_exchange_n(&q->used->flags, 0, __ATOMIC_SEQ_CST);
	q->listening = true;
	return look(q);
}

/* We will look again by ourselves. With the event index silence is what remains when the driver
 * has passed avail_event. A notification too many does no harm: no barrier. */
static void stop_listening(struct virtq *q)
{
	if (q->listening && !q->event_idx)
		__atomic_store_n(&q->used->flags, USED_NO_NOTIFY, __ATOMIC_RELAXED);
	q->listening = false;
}

bool virtq_waiting(struct virtq *q)
{
	return !q->broken &&
	       (q->unpopped_count || q->seen_avail != q->next_avail || look(q));
}

/* True if there is a head to take: put back by the device, or in the ring. */
static bool available(struct virtq *q)
{
	if (virtq_waiting(q))
		return true;
	q->unasked = q->ask_later;
	return !q->ask_later && virtq_listen(q);
}

/* Takes the next head; false if the ring cannot be trusted. */
static bool take_head(struct virtq *q, uint32_t *ret_head)
{
	uint32_t head;

	if (q->unpopped_count) {
		*ret_head = q->unpopped[--q->unpopped_count];
		return true;
	}
	head = __atomic_load_n(&q->avail->ring[q->next_avail & (q->size - 1)], __ATOMIC_RELAXED);
	if (head >= q->size) {
		q->broken = "a head in the available ring is outside of the table";
		return false;
	}
	if (q->heads[head].place != VIRTQ_DRIVER) {
		q->broken = "a head in the available ring is in flight already";
		return false;
	}
	q->next_avail++;
	*ret_head = head;
	return true;
}

/* Adds to what is shown next. Every head is at one place, so there is room. */
static void push_head(struct virtq *q, uint32_t head, uint32_t written)
{
	q->pushed[q->pushed_count].id = head;
	q->pushed[q->pushed_count].len = written;
	q->pushed_count++;
	q->heads[head].place = VIRTQ_PUSHED;
}

int32_t virtq_pop(struct virtq *q, struct vmm_virtio_chain *chain)
{
	while (available(q)) {
		const char *wrong;
		uint32_t head;

		if (!q->budget) {
			q->starved = true;
			return 0;
		}
		if (!take_head(q, &head))
			return 0;
		stop_listening(q);
		q->budget--;
		wrong = chain_walk(&q->source, head, chain);
		if (!wrong) {
			q->heads[head].writable_bytes = (uint32_t)chain->writable_bytes;
			q->heads[head].place = VIRTQ_DEVICE;
			q->in_flight++;
			chain->id = head;
			return 1;
		}
		q->complaint = wrong;
		push_head(q, head, 0);
	}
	return 0;
}

static bool in_flight(const struct virtq *q, uint32_t id)
{
	return q->heads && id < q->size && q->heads[id].place == VIRTQ_DEVICE;
}

int32_t virtq_unpop(struct virtq *q, uint32_t id)
{
	if (!in_flight(q, id))
		return VMM_E_INVAL;
	q->heads[id].place = VIRTQ_UNPOPPED;
	q->in_flight--;
	q->unpopped[q->unpopped_count++] = (uint16_t)id;
	return 0;
}

int32_t virtq_push(struct virtq *q, uint32_t id, uint64_t written)
{
	if (!in_flight(q, id) || written > q->heads[id].writable_bytes)
		return VMM_E_INVAL;
	q->in_flight--;
	push_head(q, id, (uint32_t)written);
	return 0;
}

/* Whether the driver wants to know that entries [old, q->next_used) are there (2.7.7, 2.7.10). */
static bool wants_interrupt(const struct virtq *q, uint16_t old)
{
	uint16_t event;

	if (!q->event_idx)
		return !(__atomic_load_n(&q->avail->flags, __ATOMIC_SEQ_CST) & AVAIL_NO_INTERRUPT);
	event = __atomic_load_n(q->used_event, __ATOMIC_SEQ_CST);
	return (uint16_t)(q->next_used - event - 1) < (uint16_t)(q->next_used - old);
}

void virtq_show(struct virtq *q)
{
	if (q->broken || !q->pushed_count)
		return;
	for (uint32_t i = 0; i < q->pushed_count; i++) {
		q->used->ring[q->next_used++ & (q->size - 1)] = q->pushed[i];
		q->heads[q->pushed[i].id].place = VIRTQ_DRIVER;
	}
	q->untold += q->pushed_count;
	q->pushed_count = 0;
	/* Publishes the entries, and is the full barrier before looking at the driver's wish. */
	__atomic_exchange_n(&q->used->idx, q->next_used, __ATOMIC_SEQ_CST);
}

bool virtq_flush(struct virtq *q)
{
	uint32_t untold;

	virtq_show(q);
	untold = q->untold;
	if (q->broken || !untold)
		return false;
	q->untold = 0;
	return wants_interrupt(q, (uint16_t)(q->next_used - untold));
}

void virtq_refill(struct virtq *q)
{
	q->budget = q->size;
	q->starved = false;
}

bool virtq_idle(const struct virtq *q)
{
	return !q->in_flight && !q->unpopped_count && !q->pushed_count && !q->untold;
}

void virtq_resume(struct virtq *q, uint16_t next_avail)
{
	q->next_avail = next_avail;
	q->seen_avail = next_avail;
	/* The one time that this index is read: the back end wrote it. It only says where the next
	 * used entry goes, so a guest that scribbled here confuses itself. */
	q->next_used = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
	q->listening = false;
	virtq_refill(q);
}
