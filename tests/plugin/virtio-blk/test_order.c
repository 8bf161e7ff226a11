/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of system calls and of what the guest is told (virtio 1.2, 5.2.6.2), in each cache
 * mode, and what happens when the calls fail. Logs are letters: R read, W write, S fdatasync, A
 * fallocate, P a request is given back.
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

#define WRITEBACK_OFFSET 32u

static uint8_t sector[BLK_SECTOR_BYTES];

static void note_push(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id;
	syscalls_note(CALL_PUSH);
}

/* A device with those features, an empty log. */
static void start(
	struct rig *rig, const char *backend, uint64_t features, const char *const *options)
{
	rig_need(backend);
	rig_open(rig, NULL);
	if (rig_add(rig, backend, options) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, features);
	rig->transport->on_push = note_push;
	syscalls_reset();
}

static uint8_t write_one(struct rig *rig)
{
	return rig_do(rig, BLK_T_OUT, 5, sector, sizeof(sector));
}

static void tb_flush_syncs_after_the_write_and_before_it_ends(void **state)
{
	struct rig rig;

	start(&rig, *state, BLK_F_FLUSH, NULL);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WP");
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WPSP");
	rig_close(&rig);
}

static void tb_writethrough_syncs_before_each_write_ends(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, FAKE_OPTIONS("cache=writethrough"));
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 0);
	assert_int_equal(rig.transport->mask[WRITEBACK_OFFSET], 0);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSPWSP");
	rig_close(&rig);
}

/* Section 3, rule 1. */
static void driver_without_flush_gets_writethrough(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.num_sectors = htole32(8)};

	start(&rig, *state, BLK_F_WRITE_ZEROES, NULL);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSP");
	assert_int_equal(rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSPASP");
	rig_close(&rig);
}

static void a_storm_of_flushes_shares_the_sync(void **state)
{
	enum { COUNT = 100 };
	struct rig rig;
	struct rig_request requests[COUNT];
	uint32_t syncs = 0;

	start(&rig, *state, UINT64_MAX, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_FLUSH, 0, NULL, 0);
	rig_kick(&rig, 0);
	for (const char *c = syscalls_log(); *c; c++)
		syncs += *c == 'S';
	assert_int_equal(syncs, 1);
	rig_close(&rig);
}

static void unsafe_offers_no_flush_and_says_so(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, FAKE_OPTIONS("cache=unsafe"));
	assert_false(rig.transport->device.features & (BLK_F_FLUSH | BLK_F_CONFIG_WCE));
	assert_true(fake_log_has(rig.host, rig.blk, "unsafe"));
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_WARN), 1);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_int_equal(rig_flush(&rig), BLK_S_UNSUPP);
	assert_string_equal(syscalls_log(), "WPP");
	rig_close(&rig);
}

static void set_writeback(struct rig *rig, uint8_t value)
{
	transport_write_config(rig->transport, WRITEBACK_OFFSET, value);
	fake_run_once(rig->host, 100);
}

static void b13_driver_chooses_the_cache_mode(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 1);
	set_writeback(&rig, 0);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSP");
	set_writeback(&rig, 0x80); /* any bit is yes, and reads back as such */
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 1);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSPWP");
	set_writeback(&rig, 0);
	rig.transport->resets_done = 0;
	transport_reset(rig.transport);
	fake_settle(rig.host);
	assert_int_equal(rig.transport->resets_done, 1);
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 1);
	rig_close(&rig);
}

static void b13_cache_bit_without_flush_is_writethrough(void **state)
{
	struct rig rig;

	start(&rig, *state, BLK_F_CONFIG_WCE, NULL);
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 0);
	assert_int_equal(rig.transport->notified_updates, 1);
	set_writeback(&rig, 1);
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 0);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WSP");
	rig_close(&rig);
}

static void b13_cache_bit_that_was_not_negotiated_changes_nothing(void **state)
{
	struct rig rig;

	start(&rig, *state, BLK_F_FLUSH, NULL);
	set_writeback(&rig, 0);
	assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], 1);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_string_equal(syscalls_log(), "WP");
	rig_close(&rig);
}

static void b13_mode_toggled_under_writes_ends_them_all(void **state)
{
	enum { COUNT = 100 };
	struct rig rig;
	struct rig_request requests[COUNT];

	start(&rig, *state, UINT64_MAX, NULL);
	for (uint32_t i = 0; i < COUNT; i++) {
		rig_add_request(&rig, 0, &requests[i], BLK_T_OUT, i, sector, sizeof(sector));
		transport_notify(rig.transport, 0);
		transport_write_config(rig.transport, WRITEBACK_OFFSET, (uint8_t)(i & 1));
		if (i % 7 == 0)
			fake_run_once(rig.host, 0);
	}
	rig_wait(&rig, COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].status, BLK_S_OK);
	rig_close(&rig);
}

/* Section 3, rule 6. */
static void quiesce_drains_and_then_syncs(void **state)
{
	enum { COUNT = 20 };
	struct rig rig;
	struct rig_request requests[COUNT];
	const char *log;

	start(&rig, *state, UINT64_MAX, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_OUT, i, sector, sizeof(sector));
	transport_notify(rig.transport, 0);
	fake_run_once(rig.host, 100);
	fake_host_quiesce(rig.host);
	log = syscalls_log();
	assert_int_equal(strlen(log), 2 * COUNT + 1);
	assert_int_equal(log[2 * COUNT], 'S');
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].status, BLK_S_OK);
	/* Nothing is taken any more. */
	rig_add_request(&rig, 0, &requests[0], BLK_T_OUT, 0, sector, sizeof(sector));
	transport_notify(rig.transport, 0);
	fake_settle(rig.host);
	assert_int_equal(requests[0].status, RIG_UNTOUCHED);
	rig_close(&rig);
}

static void quiesce_of_a_read_only_disk_has_nothing_to_sync(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, FAKE_OPTIONS("readonly=true"));
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	fake_host_quiesce(rig.host);
	assert_string_equal(syscalls_log(), "P");
	rig_close(&rig);
}

/*
 * ---- Calls that fail ----
 */

static void h1_no_space_left_fails_the_write_with_one_line(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_WRITE, ENOSPC, 50);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(write_one(&rig), BLK_S_IOERR);
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 1);
	assert_true(fake_log_has(rig.host, rig.blk, "No space left"));
	assert_true(fake_log_has(rig.host, rig.blk, rig.path));
	assert_int_equal(write_one(&rig), BLK_S_OK);
	rig_close(&rig);
}

static void h2_read_error_is_not_data(void **state)
{
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES];

	start(&rig, *state, UINT64_MAX, NULL);
	memset(data, 0x66, sizeof(data));
	syscalls_fail(CALL_READ, EIO, 1);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 5, data, sizeof(data)), BLK_S_IOERR);
	assert_int_equal(rig_written(&rig, 0), 0);
	assert_int_equal(data[0], 0x66);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 5, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 5);
	rig_close(&rig);
}

static void h3_sync_error_is_sticky(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_SYNC, EIO, 1);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	assert_int_equal(rig_flush(&rig), BLK_S_IOERR);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(rig_flush(&rig), BLK_S_IOERR);
	/* Nor is the disk asked again: its answer would mean nothing. */
	assert_string_equal(syscalls_log(), "WPSPPPPPPPPPPP");
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 1);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	set_writeback(&rig, 0);
	assert_int_equal(write_one(&rig), BLK_S_IOERR);
	/* Also over a reset by the guest. */
	transport_reset(rig.transport);
	transport_activate(rig.transport, rig.transport->device.features);
	fake_settle(rig.host);
	assert_int_equal(rig_flush(&rig), BLK_S_IOERR);
	fake_host_quiesce(rig.host);
	assert_true(fake_log_has(rig.host, rig.blk, "may not be on the disk"));
	rig_close(&rig);
}

static void h4_short_and_interrupted_calls_are_continued(void **state)
{
	struct rig rig;
	static uint8_t data[16 * BLK_SECTOR_BYTES];

	start(&rig, *state, UINT64_MAX, NULL);
	memset(data, 0x4d, sizeof(data));
	syscalls_shorten(CALL_WRITE, 100, 20);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 40, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(syscalls_hit(), 20);
	for (uint32_t i = 40; i < 56; i++)
		assert_true(rig_sector_is(&rig, i, 0x4d));
	syscalls_shorten(CALL_READ, 333, 20);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 50, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[6 * BLK_SECTOR_BYTES - 1], 0x4d);
	assert_int_equal(data[6 * BLK_SECTOR_BYTES], 56);
	assert_int_equal(data[sizeof(data) - 1], 65);
	syscalls_fail(CALL_WRITE, EINTR, 5);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	syscalls_fail(CALL_WRITE, EAGAIN, 5);
	assert_int_equal(write_one(&rig), BLK_S_OK);
	syscalls_fail(CALL_SYNC, EINTR, 5);
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	rig_close(&rig);
}

static void h4_endless_eagain_gives_up(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_WRITE, EAGAIN, UINT32_MAX);
	assert_int_equal(write_one(&rig), BLK_S_IOERR);
	assert_true(syscalls_hit() <= 100);
	syscalls_reset();
	assert_int_equal(write_one(&rig), BLK_S_OK);
	rig_close(&rig);
}

static void h4_end_of_file_inside_the_capacity_fails(void **state)
{
	struct rig rig;
	uint8_t data[4 * BLK_SECTOR_BYTES];

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_shorten(CALL_READ, 0, UINT32_MAX);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 5, data, sizeof(data)), BLK_S_IOERR);
	assert_true(fake_log_has(rig.host, rig.blk, "was it cut"));
	rig_close(&rig);
}

static void used_length_counts_what_was_read_before_an_error(void **state)
{
	struct rig rig;
	uint8_t data[4 * BLK_SECTOR_BYTES];
	struct rig_request request;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_shorten(CALL_READ, 700, 1);
	rig_add_request(&rig, 0, &request, BLK_T_IN, 5, data, sizeof(data));
	transport_notify(rig.transport, 0);
	while (!syscalls_hit())
		fake_run_once(rig.host, 100);
	syscalls_fail(CALL_READ, EIO, 1);
	rig_wait(&rig, 1);
	assert_int_equal(request.status, BLK_S_IOERR);
	assert_int_equal(rig_written(&rig, request.id), 700);
	rig_close(&rig);
}

static uint8_t zero_sectors(struct rig *rig, uint32_t flags)
{
	struct blk_wire_segment segment = {
		.sector = htole64(100), .num_sectors = htole32(3000), .flags = htole32(flags)};

	return rig_do(rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment));
}

static void assert_zeroed(struct rig *rig)
{
	assert_true(rig_sector_is(rig, 99, 99));
	for (uint32_t i = 100; i < 3100; i++)
		assert_true(rig_sector_is(rig, i, 0));
	assert_true(rig_sector_is(rig, 3100, (uint8_t)3100));
}

static void zeroes_are_written_where_the_file_system_cannot_make_them(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, UINT32_MAX);
	syscalls_shorten(CALL_WRITE, 5000, 3);
	assert_int_equal(zero_sectors(&rig, 0), BLK_S_OK);
	assert_zeroed(&rig);
	rig_close(&rig);
	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, UINT32_MAX);
	assert_int_equal(zero_sectors(&rig, BLK_SEGMENT_UNMAP), BLK_S_OK);
	assert_zeroed(&rig);
	rig_close(&rig);
	/* A hole cannot be made, but a zeroed range can. */
	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, 1);
	assert_int_equal(zero_sectors(&rig, BLK_SEGMENT_UNMAP), BLK_S_OK);
	assert_string_equal(syscalls_log(), "AAP");
	assert_zeroed(&rig);
	rig_close(&rig);
}

static void zeroes_that_fail_are_reported(void **state)
{
	struct rig rig;

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_ALLOCATE, ENOSPC, 1);
	assert_int_equal(zero_sectors(&rig, 0), BLK_S_IOERR);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, 1);
	syscalls_fail(CALL_WRITE, EIO, 1);
	assert_int_equal(zero_sectors(&rig, 0), BLK_S_IOERR);
	assert_int_equal(zero_sectors(&rig, 0), BLK_S_OK);
	rig_close(&rig);
}

static void discard_that_the_host_cannot_do_is_done(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.sector = htole64(8), .num_sectors = htole32(8)};

	start(&rig, *state, UINT64_MAX, NULL);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, 1);
	assert_int_equal(rig_do(&rig, BLK_T_DISCARD, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_true(rig_sector_is(&rig, 8, 8));
	syscalls_fail(CALL_ALLOCATE, EIO, 1);
	assert_int_equal(rig_do(&rig, BLK_T_DISCARD, 0, &segment, sizeof(segment)), BLK_S_IOERR);
	rig_close(&rig);
}

static void what_workers_end_is_shown_together(void **state)
{
	enum { COUNT = 32 };
	struct rig rig;
	struct rig_request requests[COUNT];

	start(&rig, *state, UINT64_MAX, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_OUT, i, sector, sizeof(sector));
	rig_kick(&rig, 0);
	assert_int_equal(rig.transport->flushes, 1);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(rig.transport->used[i].id, requests[i].id);
		assert_int_equal(requests[i].status, BLK_S_OK);
	}
	/* The memory of those requests serves others, while the core still has to tell of them. */
	assert_int_equal(write_one(&rig), BLK_S_OK);
	rig_close(&rig);
}

static void b15_reset_ends_ranges_that_have_not_begun(void **state)
{
	enum { COUNT = 20 };
	struct rig rig;
	struct rig_request requests[COUNT];
	struct blk_wire_segment segment = {.num_sectors = htole32(8)};

	start(&rig, *state, UINT64_MAX, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(
			&rig, 0, &requests[i], BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment));
	transport_notify(rig.transport, 0);
	transport_reset(rig.transport);
	assert_true(rig_reset_ends(&rig));
	assert_string_equal(syscalls_log(), "A");
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
		BOTH(tb_flush_syncs_after_the_write_and_before_it_ends),
		BOTH(tb_writethrough_syncs_before_each_write_ends),
		BOTH(driver_without_flush_gets_writethrough),
		BOTH(a_storm_of_flushes_shares_the_sync),
		BOTH(unsafe_offers_no_flush_and_says_so),
		BOTH(b13_driver_chooses_the_cache_mode),
		BOTH(b13_cache_bit_without_flush_is_writethrough),
		BOTH(b13_cache_bit_that_was_not_negotiated_changes_nothing),
		BOTH(b13_mode_toggled_under_writes_ends_them_all),
		BOTH(quiesce_drains_and_then_syncs),
		BOTH(quiesce_of_a_read_only_disk_has_nothing_to_sync),
		BOTH(h1_no_space_left_fails_the_write_with_one_line),
		BOTH(h2_read_error_is_not_data),
		BOTH(h3_sync_error_is_sticky),
		BOTH(h4_short_and_interrupted_calls_are_continued),
		BOTH(h4_endless_eagain_gives_up),
		BOTH(h4_end_of_file_inside_the_capacity_fails),
		WITH(used_length_counts_what_was_read_before_an_error, "worker"),
		BOTH(zeroes_are_written_where_the_file_system_cannot_make_them),
		BOTH(zeroes_that_fail_are_reported),
		BOTH(discard_that_the_host_cannot_do_is_done),
		WITH(what_workers_end_is_shown_together, "worker"),
		BOTH(b15_reset_ends_ranges_that_have_not_begun),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
