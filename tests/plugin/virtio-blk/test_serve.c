/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a disk does on the vCPU that rings the doorbell: small requests of an image in memory, and
 * what it leaves to its loop.
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

#define SERVED_BYTES (64u << 10) /* for one doorbell */

static uint8_t data[SERVED_BYTES + BLK_SECTOR_BYTES];

static void start(struct rig *rig, const char *const *extra)
{
	rig_start_in_memory(rig, "worker", extra);
	syscalls_reset();
}

/* One request, and the doorbell; what serve() said. The loop has no turn. */
static uint32_t ring(struct rig *rig, struct rig_request *request, uint32_t type, uint64_t sector,
	uint64_t bytes)
{
	rig_add_request(rig, 0, request, type, sector, data, bytes);
	return transport_serve(rig->transport, 0);
}

/* The chain is in its ring as if nobody had looked; the loop then ends it like that. */
static void expect_left(struct rig *rig, const struct rig_request *request, uint8_t status)
{
	assert_int_equal(request->status, RIG_UNTOUCHED);
	rig_kick(rig, 0);
	assert_int_equal(request->status, status);
}

static void small_requests_of_an_image_in_memory_are_served(void **state)
{
	struct rig_request request;
	struct rig rig;

	(void)state;
	start(&rig, NULL);
	memset(data, 0x77, sizeof(data));
	assert_int_equal(ring(&rig, &request, BLK_T_OUT, 40, 4096), 0);
	assert_int_equal(request.status, BLK_S_OK);
	assert_int_equal(rig_written(&rig, request.id), 1);
	assert_true(rig_sector_is(&rig, 47, 0x77));
	assert_int_equal(ring(&rig, &request, BLK_T_IN, 100, SERVED_BYTES), 0);
	assert_int_equal(request.status, BLK_S_OK);
	assert_int_equal(rig_written(&rig, request.id), SERVED_BYTES + 1);
	assert_int_equal(data[0], 100);
	assert_int_equal(data[SERVED_BYTES - 1], 100 + SERVED_BYTES / BLK_SECTOR_BYTES - 1);
	assert_string_equal(syscalls_log(), "WR");
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void what_needs_no_io_is_served(void **state)
{
	struct rig_request request;
	struct vmm_iovec none = {data, 4};
	struct rig rig;
	uint32_t id;

	(void)state;
	start(&rig, NULL);
	assert_int_equal(ring(&rig, &request, BLK_T_IN, RIG_SECTORS, BLK_SECTOR_BYTES), 0);
	assert_int_equal(request.status, BLK_S_IOERR);
	assert_int_equal(ring(&rig, &request, 77, 0, 0), 0);
	assert_int_equal(request.status, BLK_S_UNSUPP);
	id = transport_add(rig.transport, 0, &none, 1, 0);
	assert_int_equal(transport_serve(rig.transport, 0), 0);
	assert_int_equal(rig_written(&rig, id), 0);
	assert_string_equal(syscalls_log(), "");
	rig_close(&rig);
}

static void flushes_and_ranges_are_the_loops(void **state)
{
	struct blk_wire_segment range = {.sector = htole64(8), .num_sectors = htole32(8)};
	struct rig_request request;
	struct rig rig;

	(void)state;
	start(&rig, NULL);
	assert_int_equal(ring(&rig, &request, BLK_T_FLUSH, 0, 0), 1);
	expect_left(&rig, &request, BLK_S_OK);
	assert_string_equal(syscalls_log(), "S");
	memcpy(data, &range, sizeof(range));
	assert_int_equal(ring(&rig, &request, BLK_T_WRITE_ZEROES, 0, sizeof(range)), 1);
	expect_left(&rig, &request, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 8, 0));
	rig_close(&rig);
}

/* A write that has to be durable when it ends has to wait for that. */
static void writes_in_writethrough_mode_are_the_loops(void **state)
{
	const char *const options[] = {"cache=writethrough", NULL};
	struct rig_request request;
	struct rig rig;

	(void)state;
	start(&rig, options);
	assert_int_equal(ring(&rig, &request, BLK_T_IN, 3, BLK_SECTOR_BYTES), 0);
	assert_int_equal(request.status, BLK_S_OK);
	assert_int_equal(ring(&rig, &request, BLK_T_OUT, 3, BLK_SECTOR_BYTES), 1);
	expect_left(&rig, &request, BLK_S_OK);
	assert_string_equal(syscalls_log(), "RWS");
	rig_close(&rig);
}

static void a_vcpu_copies_64_kib_for_one_doorbell(void **state)
{
	struct rig_request requests[5];
	struct rig rig;

	(void)state;
	start(&rig, NULL);
	assert_int_equal(ring(&rig, &requests[0], BLK_T_IN, 0, SERVED_BYTES + BLK_SECTOR_BYTES), 1);
	expect_left(&rig, &requests[0], BLK_S_OK);
	for (uint32_t i = 0; i < 5; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i, data, SERVED_BYTES / 4);
	assert_int_equal(transport_serve(rig.transport, 0), 1);
	assert_int_equal(requests[3].status, BLK_S_OK);
	expect_left(&rig, &requests[4], BLK_S_OK);
	assert_int_equal(ring(&rig, &requests[0], BLK_T_IN, 0, SERVED_BYTES), 0);
	rig_close(&rig);
}

/* The loop knows how to go on, whom to tell, and what to log. */
static void what_fails_or_is_done_in_part_is_begun_again_by_the_loop(void **state)
{
	struct rig_request request;
	struct rig rig;

	(void)state;
	start(&rig, NULL);
	syscalls_shorten(CALL_READ, BLK_SECTOR_BYTES, 1);
	assert_int_equal(ring(&rig, &request, BLK_T_IN, 7, 4096), 1);
	expect_left(&rig, &request, BLK_S_OK);
	assert_int_equal(data[4095], 14);
	assert_int_equal(rig_written(&rig, request.id), 4097);
	syscalls_fail(CALL_WRITE, EINTR, 1);
	assert_int_equal(ring(&rig, &request, BLK_T_OUT, 7, 4096), 1);
	expect_left(&rig, &request, BLK_S_OK);
	syscalls_fail(CALL_READ, EIO, 2);
	assert_int_equal(ring(&rig, &request, BLK_T_IN, 7, 4096), 1);
	assert_false(fake_log_has(rig.host, rig.blk, "failed"));
	expect_left(&rig, &request, BLK_S_IOERR);
	assert_true(fake_log_has(rig.host, rig.blk, "failed"));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void nothing_is_served_in_a_reset_or_behind_what_waits(void **state)
{
	const char *const options[] = {"max_inflight=1M", "queues=2", NULL};
	static uint8_t large[2u << 20];
	struct rig_request first, second, third;
	struct rig rig;

	(void)state;
	start(&rig, options);
	/* The second does not fit beside the first, so the third, small as it is, is behind it. */
	rig_add_request(&rig, 0, &first, BLK_T_IN, 0, large, sizeof(large));
	rig_add_request(&rig, 0, &second, BLK_T_IN, 0, large, sizeof(large));
	rig_add_request(&rig, 1, &third, BLK_T_IN, 0, data, BLK_SECTOR_BYTES);
	transport_notify(rig.transport, 0);
	while (!rig.transport->pops)
		fake_run_once(rig.host, 0);
	assert_int_equal(transport_serve(rig.transport, 1), 1);
	assert_int_equal(third.status, RIG_UNTOUCHED);
	rig_kick(&rig, 1);
	assert_int_equal(third.status, BLK_S_OK);
	transport_reset(rig.transport);
	assert_true(rig_reset_ends(&rig));
	transport_forget(rig.transport);
	assert_int_equal(ring(&rig, &first, BLK_T_IN, 0, BLK_SECTOR_BYTES), 1);
	assert_int_equal(first.status, RIG_UNTOUCHED);
	rig_close(&rig);
}

static void only_images_in_memory_without_limits_are_served(void **state)
{
	const char *const limited[] = {"iops=1000", NULL};
	struct rig rig;

	(void)state;
	start(&rig, limited);
	assert_null(rig.transport->device.ops->serve);
	rig_close(&rig);
	setenv("TMPDIR", "/var/tmp", 1);
	rig_start(&rig, "worker", NULL);
	unsetenv("TMPDIR");
	assert_null(rig.transport->device.ops->serve);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_requests_of_an_image_in_memory_are_served),
		cmocka_unit_test(what_needs_no_io_is_served),
		cmocka_unit_test(flushes_and_ranges_are_the_loops),
		cmocka_unit_test(writes_in_writethrough_mode_are_the_loops),
		cmocka_unit_test(a_vcpu_copies_64_kib_for_one_doorbell),
		cmocka_unit_test(what_fails_or_is_done_in_part_is_begun_again_by_the_loop),
		cmocka_unit_test(nothing_is_served_in_a_reset_or_behind_what_waits),
		cmocka_unit_test(only_images_in_memory_without_limits_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
