/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discard and write zeroes, by good and by hostile guests (rows B8 and B15).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "rig.h"

static uint8_t ranges(
	struct rig *rig, uint32_t type, struct blk_wire_segment *segments, uint32_t count)
{
	return rig_do(rig, type, 0, segments, count * sizeof(segments[0]));
}

static struct blk_wire_segment segment(uint64_t sector, uint32_t sectors, uint32_t flags)
{
	return (struct blk_wire_segment){.sector = htole64(sector),
		.num_sectors = htole32(sectors),
		.flags = htole32(flags)};
}

static void b8_wrong_ranges_touch_nothing(void **state)
{
	static const uint32_t types[] = {BLK_T_DISCARD, BLK_T_WRITE_ZEROES};
	struct rig rig;
	struct blk_wire_segment s[40];

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t type = types[i];

		for (uint32_t j = 0; j < 40; j++)
			s[j] = segment(20 + j, 1, 0);
		assert_int_equal(ranges(&rig, type, s, 33), BLK_S_IOERR);
		assert_int_equal(rig_do(&rig, type, 0, s, 15), BLK_S_IOERR);
		assert_int_equal(rig_do(&rig, type, 0, s, 17), BLK_S_IOERR);
		assert_int_equal(rig_do(&rig, type, 0, NULL, 0), BLK_S_IOERR);
		s[1] = segment(UINT64_MAX, 2, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(1ull << 55, 1, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(RIG_SECTORS - 1, 2, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(30, UINT32_MAX, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(30, 0, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(20, 1, 0);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_IOERR);
		s[1] = segment(30, 1, 2);
		assert_int_equal(ranges(&rig, type, s, 2), BLK_S_UNSUPP);
	}
	s[1] = segment(30, 1, BLK_SEGMENT_UNMAP);
	assert_int_equal(ranges(&rig, BLK_T_DISCARD, s, 2), BLK_S_UNSUPP);
	for (uint32_t j = 20; j < 60; j++)
		assert_true(rig_sector_is(&rig, j, (uint8_t)j));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

/* On a disk that has the sectors, so that only the announced limit is in the way. */
static void b8_range_longer_than_announced_touches_nothing(void **state)
{
	struct rig rig;
	struct blk_wire_segment s = segment(20, (1u << 22) + 1, 0);

	rig_need(*state);
	rig_open(&rig, NULL);
	assert_int_equal(ftruncate(rig.fd, 3ll << 30), 0);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	rig_run(&rig, UINT64_MAX);
	assert_int_equal(ranges(&rig, BLK_T_DISCARD, &s, 1), BLK_S_IOERR);
	assert_int_equal(ranges(&rig, BLK_T_WRITE_ZEROES, &s, 1), BLK_S_IOERR);
	assert_true(rig_sector_is(&rig, 20, 20));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void zeroes_read_back_as_zeroes(void **state)
{
	struct rig rig;
	struct blk_wire_segment s[3] = {
		segment(16, 8, 0), segment(64, 64, BLK_SEGMENT_UNMAP), segment(1001, 1, 0)};
	uint8_t data[64 * BLK_SECTOR_BYTES];

	rig_start(&rig, *state, NULL);
	assert_int_equal(ranges(&rig, BLK_T_WRITE_ZEROES, s, 3), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 64, data, sizeof(data)), BLK_S_OK);
	for (uint32_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
	for (uint32_t i = 16; i < 24; i++)
		assert_true(rig_sector_is(&rig, i, 0));
	assert_true(rig_sector_is(&rig, 1001, 0));
	assert_true(rig_sector_is(&rig, 15, 15));
	assert_true(rig_sector_is(&rig, 24, 24));
	assert_true(rig_sector_is(&rig, 128, 128));
	assert_true(rig_sector_is(&rig, 1002, (uint8_t)1002));
	s[1] = segment(64, 64, 0);
	assert_int_equal(ranges(&rig, BLK_T_DISCARD, s, 3), BLK_S_OK);
	assert_int_equal(lseek(rig.fd, 0, SEEK_END), RIG_IMAGE_BYTES);
	rig_close(&rig);
}

static void b15_zeroing_the_whole_disk_is_off_the_loop_and_reads_go_on(void **state)
{
	enum { COUNT = 20 };
	struct rig rig;
	struct rig_request requests[COUNT], read;
	struct blk_wire_segment whole = segment(0, RIG_SECTORS, 0);
	uint8_t data[BLK_SECTOR_BYTES];

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(
			&rig, 0, &requests[i], BLK_T_WRITE_ZEROES, 0, &whole, sizeof(whole));
	rig_add_request(&rig, 0, &read, BLK_T_IN, 0, data, sizeof(data));
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].status, BLK_S_OK);
	assert_int_equal(read.status, BLK_S_OK);
	assert_int_not_equal(rig.transport->used[COUNT].id, read.id); /* not the last one to end */
	assert_true(rig_sector_is(&rig, RIG_SECTORS - 1, 0));
	rig_close(&rig);
}

static void b15_reset_does_not_wait_for_queued_ranges(void **state)
{
	enum { COUNT = 20 };
	struct rig rig;
	struct rig_request requests[COUNT];
	struct blk_wire_segment whole = segment(0, RIG_SECTORS, 0);

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(
			&rig, 0, &requests[i], BLK_T_WRITE_ZEROES, 0, &whole, sizeof(whole));
	transport_notify(rig.transport, 0);
	transport_reset(rig.transport);
	assert_true(rig_reset_ends(&rig));
	assert_int_equal(rig.transport->reset_result, VMM_PENDING);
	assert_int_equal(rig.transport->pushed, 0);
	assert_int_equal(requests[COUNT - 1].status, RIG_UNTOUCHED);
	fake_settle(rig.host);
	assert_int_equal(rig.transport->pushed, 0);
	rig_close(&rig);
}

#define BOTH(name)                                                                                 \
	{#name " [io_uring]", name, NULL, NULL, (void *)(uintptr_t) "io_uring"},                   \
	{                                                                                          \
#name " [worker]", name, NULL, NULL, (void *)(uintptr_t) "worker"                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(b8_wrong_ranges_touch_nothing),
		BOTH(b8_range_longer_than_announced_touches_nothing),
		BOTH(zeroes_read_back_as_zeroes),
		BOTH(b15_zeroing_the_whole_disk_is_off_the_loop_and_reads_go_on),
		BOTH(b15_reset_does_not_wait_for_queued_ranges),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
