/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes that are done on the loop itself, of an image in memory and of what is in the
 * page cache: that they are, for how long, and when the guest is told.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "rig.h"
#include "syscalls.h"

static uint8_t sector[BLK_SECTOR_BYTES];

static void start_in_memory(struct rig *rig, const char *backend)
{
	rig_start_in_memory(rig, backend, NULL);
	syscalls_reset();
}

static void image_in_memory_is_copied_on_the_loop(void **state)
{
	struct rig rig;

	start_in_memory(&rig, *state);
	memset(sector, 0x77, sizeof(sector));
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 5, sector, sizeof(sector)), BLK_S_OK);
	assert_true(rig_sector_is(&rig, 5, 0x77));
	syscalls_fail(CALL_READ, EIO, 1);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 6, sector, sizeof(sector)), BLK_S_IOERR);
	assert_int_equal(syscalls_hit_in_ring(), 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 6, sector, sizeof(sector)), BLK_S_OK);
	assert_int_equal(sector[0], 6);
	rig_close(&rig);
}

static void h4_image_in_memory_that_was_cut_ends_the_request(void **state)
{
	struct rig rig;

	start_in_memory(&rig, *state);
	syscalls_shorten(CALL_READ, 0, 1);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 6, sector, sizeof(sector)), BLK_S_IOERR);
	assert_true(fake_log_has(rig.host, rig.blk, "was it cut"));
	rig_close(&rig);
}

static void image_in_memory_holds_the_loop_up_for_a_mebibyte_at_most(void **state)
{
	static uint8_t data[4][512 * 1024];
	struct rig_request requests[4];
	struct rig rig;

	start_in_memory(&rig, *state);
	syscalls_shorten(CALL_WRITE, sizeof(data[0]), 4);
	for (uint32_t i = 0; i < 4; i++) {
		memset(data[i], (int)i + 1, sizeof(data[i]));
		rig_add_request(
			&rig, 0, &requests[i], BLK_T_OUT, i * 1024, data[i], sizeof(data[i]));
	}
	rig_kick(&rig, 0);
	assert_int_equal(syscalls_hit(), 4);
	assert_int_equal(syscalls_hit_in_ring(), 2);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(requests[i].status, BLK_S_OK);
		assert_true(rig_sector_is(&rig, i * 1024 + 1023, (uint8_t)(i + 1)));
	}
	rig_close(&rig);
}

static void guest_is_told_of_large_requests_while_the_next_are_copied(void **state)
{
	static uint8_t data[4][128 * 1024];
	struct rig_request requests[4];
	struct rig rig;
	uint32_t before;

	start_in_memory(&rig, *state);
	for (uint32_t i = 0; i < 4; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i * 256, data[i], sizeof(data[i]));
	before = rig.transport->flushes;
	rig_kick(&rig, 0);
	assert_int_equal(rig.transport->flushes - before, 4);
	for (uint32_t i = 0; i < 4; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i, data[i], BLK_SECTOR_BYTES);
	before = rig.transport->flushes;
	rig_kick(&rig, 0);
	assert_int_equal(rig.transport->flushes - before, 1);
	rig_close(&rig);
}

static void what_is_in_the_page_cache_needs_no_worker(void **state)
{
	struct rig rig;

	rig_start(&rig, *state, NULL);
	syscalls_reset();
	assert_int_equal(rig_do(&rig, BLK_T_IN, 6, sector, sizeof(sector)), BLK_S_OK);
	assert_int_equal(sector[0], 6);
	assert_int_equal(syscalls_cached(), 1);
	rig_close(&rig);
}

/* As Linux 5.10 does it where it would read ahead. */
static void a_cache_that_gives_nothing_is_not_the_end_of_the_image(void **state)
{
	struct rig rig;

	rig_start(&rig, *state, NULL);
	syscalls_reset();
	syscalls_shorten(CALL_READ, 0, 1);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 6, sector, sizeof(sector)), BLK_S_OK);
	assert_int_equal(sector[0], 6);
	assert_int_equal(syscalls_hit(), 1);
	rig_close(&rig);
}

static void a_large_request_is_not_copied_on_the_loop(void **state)
{
	static uint8_t data[(1 << 20) + BLK_SECTOR_BYTES];
	struct rig rig;

	start_in_memory(&rig, *state);
	syscalls_shorten(CALL_READ, sizeof(data), 1);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 3, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 3);
	assert_int_equal(
		data[sizeof(data) - 1], (uint8_t)(3 + sizeof(data) / BLK_SECTOR_BYTES - 1));
	assert_int_equal(syscalls_hit_in_ring(), 1);
	rig_close(&rig);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(image_in_memory_is_copied_on_the_loop, "io_uring"),
		WITH(h4_image_in_memory_that_was_cut_ends_the_request, "io_uring"),
		WITH(image_in_memory_holds_the_loop_up_for_a_mebibyte_at_most, "io_uring"),
		BOTH(guest_is_told_of_large_requests_while_the_next_are_copied),
		WITH(what_is_in_the_page_cache_needs_no_worker, "worker"),
		WITH(a_cache_that_gives_nothing_is_not_the_end_of_the_image, "worker"),
		WITH(a_large_request_is_not_copied_on_the_loop, "io_uring"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
