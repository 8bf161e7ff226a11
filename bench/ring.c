/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request costs in the ring, all checks included: pop, push and flush of chains as a disk
 * has them, header, data and status. No guest: memory of our own, and no exits or interrupts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ring.h"

#define ROUNDS    200000u
#define REPEATS   7u
#define SIZE      256u /* of the queue */
#define RAM_BYTES (1u << 20)
#define AVAIL     0x10000u
#define USED      0x20000u
#define BUFFERS   0x30000u
#define CHAIN     3u

struct bench {
	struct virtq q;
	uint8_t *ram;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fill_chains(struct bench *b)
{
	static const uint32_t lengths[CHAIN] = {16, 4096, 1};

	for (uint32_t i = 0; i < SIZE / CHAIN * CHAIN; i++) {
		uint32_t part = i % CHAIN;

		b->desc[i] = (struct virtq_desc){
			.addr = BUFFERS + i * 2048u,
			.len = lengths[part],
			.flags = (uint16_t)((part < CHAIN - 1 ? DESC_NEXT : 0) |
					    (part > 0 ? DESC_WRITE : 0)),
			.next = (uint16_t)(i + 1),
		};
	}
}

/* Time of a chain if the driver makes `batch` available at a time. */
static double measure(struct bench *b, uint32_t batch)
{
	struct vmm_iovec iov[CHAIN];
	struct vmm_virtio_chain chain = {
		.struct_size = sizeof(chain), .iov = iov, .iov_max = CHAIN};
	double start = now_ns();

	for (uint32_t round = 0; round < ROUNDS; round += batch) {
		for (uint32_t i = 0; i < batch; i++)
			b->avail->ring[(b->avail->idx + i) % SIZE] = (uint16_t)(i * CHAIN);
		b->avail->idx = (uint16_t)(b->avail->idx + batch);
		virtq_refill(&b->q);
		while (virtq_pop(&b->q, &chain))
			virtq_push(&b->q, chain.id, 4097);
		virtq_flush(&b->q);
	}
	if (b->q.broken || b->q.complaint)
		exit(1);
	return (now_ns() - start) / ROUNDS;
}

static double median(struct bench *b, uint32_t batch)
{
	double times[REPEATS];

	for (uint32_t i = 0; i < REPEATS; i++)
		times[i] = measure(b, batch);
	qsort(times, REPEATS, sizeof(times[0]), compare);
	return times[REPEATS / 2];
}

int main(void)
{
	static const uint32_t batches[] = {1, 32};
	struct bench b = {.ram = aligned_alloc(4096, RAM_BYTES)};
	struct vmm_ram_range range = {.bytes = RAM_BYTES, .base = b.ram};
	struct ram_map ram = {&range, 1};
	struct virtq_setup setup = {
		.size = SIZE, .desc = {0}, .avail = {AVAIL}, .used = {USED}, .event_idx = true};

	if (!b.ram || virtq_init(&b.q, SIZE) < 0)
		return 1;
	b.desc = (struct virtq_desc *)b.ram;
	b.avail = (struct virtq_avail *)(b.ram + AVAIL);
	for (uint32_t i = 0; i < RAM_BYTES; i++)
		b.ram[i] = 0;
	fill_chains(&b);
	if (virtq_start(&b.q, &ram, &setup))
		return 1;
	printf("%-8s %s\n", "chains", "ns for a chain of 3 (median of 7)");
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
		printf("%-8" PRIu32 " %.1f\n", batches[i], median(&b, batches[i]));
	virtq_fini(&b.q);
	free(b.ram);
	return 0;
}
