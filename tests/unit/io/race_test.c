/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs that access regions while those move (R4 of the catalogue of hostile guests). Made for the
 * thread sanitizer, but it checks results too: every read is either the device's answer for that
 * address or all ones, and no doorbell write is lost.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/io.h"

#define READERS 3u
#define PLACES  8u
#define STRIDE  UINT64_C(0x1000)
#define BASE    UINT64_C(0xd0000000)
#define MOVES   20000u

struct device {
	_Atomic uint64_t writes;
	uint8_t tag;
};

static struct io_map *map;
static struct io_region *regions[2];
static struct device devices[2] = {{0, 1}, {0, 2}};
static int doorbell_fd;
static atomic_bool done;
static _Atomic uint64_t wrong, answered, sent, outside;

/* offset and tag make the answer */
static int32_t device_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct device *device = ctx;

	(void)width;
	*ret_value = (uint64_t)device->tag << 32 | offset;
	return 0;
}

static int32_t device_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct device *device = ctx;

	(void)offset;
	(void)width;
	(void)value;
	atomic_fetch_add_explicit(&device->writes, 1, memory_order_relaxed);
	return 0;
}

static void check(uint64_t value, uint64_t offset)
{
	if (value == UINT64_MAX)
		return;
	atomic_fetch_add_explicit(&answered, 1, memory_order_relaxed);
	if ((uint32_t)value != offset || (value >> 32 != 1 && value >> 32 != 2))
		atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
}

static void *reader(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;
	uint64_t random = number + 1;

	while (!atomic_load_explicit(&done, memory_order_relaxed)) {
		uint64_t value = 0, place, offset;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		place = (random >> 33) % PLACES;
		offset = (random >> 40) % (STRIDE / 8) * 8;
		io_read(map, number, VMM_IO_MMIO, BASE + place * STRIDE + offset, (uint8_t *)&value,
			8);
		check(value, offset);
	}
	return NULL;
}

static int add_regions(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct io_region_config config = {
			.name = i ? "b" : "a",
			.space = VMM_IO_MMIO,
			.base = BASE + i * STRIDE,
			.bytes = STRIDE,
			.width_max = 8,
			.enabled = true,
			.ops = {device_read, device_write},
			.ctx = &devices[i],
		};
		int ret = io_region_add(map, &config, NULL, &regions[i]);

		if (ret)
			return ret;
	}
	return 0;
}

/* Moves one region around; each mover has its own places, so each move must succeed. */
static void *mover(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < MOVES || atomic_load(&answered) < MOVES; i++) {
		uint64_t place = BASE + ((uint64_t)i % (PLACES / 2) * 2 + number) * STRIDE;

		if (io_region_set(map, regions[number], place, i % 7 != 0))
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void R4_reads_during_moves_are_right_or_ones(void **state)
{
	pthread_t readers[READERS], movers[2];

	(void)state;
	atomic_store(&done, false);
	assert_int_equal(io_map_create(READERS, &map), 0);
	assert_int_equal(add_regions(), 0);
	for (uint32_t i = 0; i < READERS; i++)
		assert_int_equal(
			pthread_create(&readers[i], NULL, reader, (void *)(uintptr_t)i), 0);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&movers[i], NULL, mover, (void *)(uintptr_t)i), 0);
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(movers[i], NULL);
	atomic_store(&done, true);
	for (uint32_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(wrong, 0);
	assert_true(answered > 0);
	io_map_destroy(map);
}

/* A kernel that catches the doorbell at one address only, as KVM does. */
static pthread_mutex_t wire_lock = PTHREAD_MUTEX_INITIALIZER;
static struct io_wire wire;
static bool wired;

static int wire_assign(void *ctx, const struct io_wire *w)
{
	(void)ctx;
	pthread_mutex_lock(&wire_lock);
	wire = *w;
	wired = true;
	pthread_mutex_unlock(&wire_lock);
	return 0;
}

static void wire_unassign(void *ctx, const struct io_wire *w)
{
	(void)ctx;
	(void)w;
	pthread_mutex_lock(&wire_lock);
	wired = false;
	pthread_mutex_unlock(&wire_lock);
}

static bool wire_catches(uint64_t address)
{
	const uint64_t one = 1;
	bool caught;

	pthread_mutex_lock(&wire_lock);
	caught = wired && wire.address == address;
	if (caught && write(wire.fd, &one, sizeof(one)) < 0)
		atomic_fetch_add(&wrong, 1);
	pthread_mutex_unlock(&wire_lock);
	return caught;
}

/* Writes at both places that the region moves between: each ends at one of them or nowhere. */
static void *ringer(void *arg)
{
	const uint8_t data[4] = {0};

	(void)arg;
	while (!atomic_load_explicit(&done, memory_order_relaxed)) {
		for (uint32_t i = 0; i < 2; i++) {
			uint64_t address = BASE + i * 4 * STRIDE + 16, before;

			atomic_fetch_add_explicit(&sent, 1, memory_order_relaxed);
			if (wire_catches(address))
				continue;
			before = io_unclaimed(map);
			io_write(map, 0, VMM_IO_MMIO, address, data, 4);
			atomic_fetch_add_explicit(
				&outside, io_unclaimed(map) - before, memory_order_relaxed);
		}
	}
	return NULL;
}

static void no_doorbell_write_is_lost_while_the_region_moves(void **state)
{
	static const struct io_backend backend = {wire_assign, wire_unassign};
	const struct io_doorbell_config config = {.offset = 16, .width = 4};
	struct io_doorbell *doorbell;
	uint64_t rings = 0;
	pthread_t thread;

	(void)state;
	atomic_store(&done, false);
	assert_int_equal(io_map_create(1, &map), 0);
	io_set_backend(map, &backend, NULL);
	assert_int_equal(add_regions(), 0);
	assert_int_equal(
		io_doorbell_add(map, regions[0], &config, NULL, &doorbell, &doorbell_fd), 0);
	assert_int_equal(pthread_create(&thread, NULL, ringer, NULL), 0);
	for (uint32_t i = 0; i < MOVES || atomic_load(&sent) < MOVES; i++)
		assert_int_equal(
			io_region_set(map, regions[0], BASE + i % 2 * 4 * STRIDE, true), 0);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	if (read(doorbell_fd, &rings, sizeof(rings)) < 0)
		rings = 0;
	assert_int_equal(wrong, 0);
	assert_int_equal(devices[0].writes, 0);
	assert_true(rings > 0);
	/* what was not rung went to a place where the region was not */
	assert_int_equal(rings + outside, sent);
	io_map_destroy(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(R4_reads_during_moves_are_right_or_ones),
		cmocka_unit_test(no_doorbell_write_is_lost_while_the_region_moves),
	};

	return cmocka_run_group_tests_name("io-race", tests, NULL, NULL);
}
