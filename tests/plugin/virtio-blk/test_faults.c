/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring that takes nothing, kernels that are older, and resets, stops and time that come while
 * requests are held or done in part. The host is made of interposed calls (syscalls.h).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "host.h"

#define WRITEBACK_OFFSET 32u
#define SECOND_NS        1000000000ull
#define LARGE_BYTES      (10ull << 20)
#define LARGE_SECTORS    (LARGE_BYTES / BLK_SECTOR_BYTES)

static uint8_t sector[BLK_SECTOR_BYTES];

/*
 * ---- io_uring ----
 */

static void read_many(struct rig *rig)
{
	enum { COUNT = 600 };
	static struct rig_request requests[COUNT];
	static uint8_t data[COUNT][BLK_SECTOR_BYTES];

	memset(data, 0xee, sizeof(data));
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(rig, 0, &requests[i], BLK_T_IN, i, data[i], sizeof(data[i]));
	rig_kick(rig, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(requests[i].status, BLK_S_OK);
		assert_int_equal(data[i][511], (uint8_t)i);
	}
}

/* More than the ring has entries for, all at once. */
static void h4_a_ring_that_takes_nothing_for_a_while_gets_all_later(void **state)
{
	/* Each request that finds no place asks once; the rest is for the retries. */
	enum { FAULTS = 360 };
	static const int errors[] = {0, EINTR, EAGAIN, EBUSY};
	struct rig rig;

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
		host_run(&rig, *state, FAKE_OPTIONS("queue_size=1024"));
		read_many(&rig);
		if (errors[i])
			syscalls_fail(CALL_SUBMIT, errors[i], FAULTS);
		else
			syscalls_shorten(CALL_SUBMIT, 0, FAULTS);
		read_many(&rig);
		assert_int_equal(syscalls_hit(), FAULTS);
		assert_int_equal(fake_log_count(rig.host, VMM_LOG_WARN), errors[i] != EINTR);
		host_end(&rig);
	}
}

static void h22_a_kernel_without_task_work_has_a_ring_all_the_same(void **state)
{
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	syscalls_fail(CALL_SETUP, EINVAL, 1);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	assert_int_equal(syscalls_hit(), 1);
	rig_run(&rig, UINT64_MAX);
	rig_assert_alive(&rig);
	host_end(&rig);
	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	syscalls_fail(CALL_SETUP, EINVAL, UINT32_MAX);
	assert_int_equal(rig_add(&rig, *state, NULL), VMM_E_UNSUPPORTED);
	assert_int_equal(syscalls_hit(), 2);
	assert_non_null(strstr(fake_error(rig.host), "io_uring_setup"));
	host_end(&rig);
}

/* A file system that cannot say what is in the page cache. */
static void reads_go_to_workers_where_the_cache_cannot_be_asked(void **state)
{
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	host_run(&rig, *state, NULL);
	syscalls_fail(CALL_READ, EOPNOTSUPP, 1);
	for (uint8_t i = 6; i < 9; i++) {
		assert_int_equal(rig_do(&rig, BLK_T_IN, i, sector, sizeof(sector)), BLK_S_OK);
		assert_int_equal(sector[0], i);
	}
	assert_int_equal(syscalls_cached(), 1);
	host_end(&rig);
}

/* Without memory for that: each fails, and none stays and keeps the device from a reset. */
static void h21_discards_that_no_worker_takes_fail(void **state)
{
	enum { COUNT = 9 };
	struct blk_wire_segment segment = {htole64(64), htole32(8), 0};
	struct rig_request requests[COUNT];
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	host_run(&rig, *state, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_DISCARD, 0, &segment, sizeof(segment));
	transport_notify(rig.transport, 0);
	fake_host_fail_from(rig.host, 1);
	fake_settle(rig.host);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].status, BLK_S_IOERR);
	fake_host_fail_after(rig.host, 0);
	rig_assert_alive(&rig);
	transport_reset(rig.transport);
	assert_true(rig_reset_ends(&rig));
	host_end(&rig);
}

/*
 * ---- Resets and stops ----
 */

/* A request is on its way when the reset comes; what the host was asked to do is in the log. */
static void reset_under_a_request(
	const char *backend, const char *const *options, uint32_t type, const char *log)
{
	static uint8_t data[8 * BLK_SECTOR_BYTES];
	struct blk_wire_segment segments[] = {
		{htole64(64), htole32(LARGE_SECTORS / 2), 0}, {htole64(0), htole32(8), 0}};
	int is_write = type == BLK_T_OUT;
	struct rig_request request;
	struct rig rig;

	host_open(&rig, backend, LARGE_BYTES, NULL);
	host_run(&rig, backend, options);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, UINT32_MAX);
	if (is_write && !options)
		syscalls_shorten(CALL_WRITE, BLK_SECTOR_BYTES, 1);
	rig_add_request(&rig, 0, &request, type, 64, is_write ? (void *)data : (void *)segments,
		is_write ? sizeof(data) : sizeof(segments));
	transport_notify(rig.transport, 0);
	transport_reset(rig.transport);
	assert_true(rig_reset_ends(&rig));
	assert_string_equal(syscalls_log(), log);
	assert_int_equal(request.status, RIG_UNTOUCHED);
	assert_int_equal(rig.transport->pushed, 0);
	transport_forget(rig.transport);
	transport_activate(rig.transport, rig.transport->device.features);
	syscalls_reset();
	rig_assert_alive(&rig);
	host_end(&rig);
}

static void r7_reset_ends_a_write_that_was_done_in_part(void **state)
{
	reset_under_a_request(*state, NULL, BLK_T_OUT, "W");
}

static void r7_reset_does_not_wait_for_the_sync_of_a_write(void **state)
{
	reset_under_a_request(*state, FAKE_OPTIONS("cache=writethrough"), BLK_T_OUT, "W");
}

static void b15_reset_ends_zeroes_that_were_written_in_part(void **state)
{
	reset_under_a_request(*state, NULL, BLK_T_WRITE_ZEROES, "AWWWW");
}

static void a_stop_after_a_sync_that_failed_says_so_once(void **state)
{
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	host_run(&rig, *state, NULL);
	syscalls_fail(CALL_SYNC, EIO, UINT32_MAX);
	assert_int_equal(rig_flush(&rig), BLK_S_IOERR);
	fake_host_quiesce(rig.host);
	assert_true(fake_log_has(rig.host, rig.blk, "flushing to the disk failed"));
	assert_true(fake_log_has(rig.host, rig.blk, "what the guest wrote last"));
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 2);
	host_end(&rig);
}

/*
 * ---- The driver and time ----
 */

static void requests_before_the_driver_is_ready_wait_for_it(void **state)
{
	struct rig rig;
	struct rig_request request;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	assert_int_equal(fake_host_start(rig.host), 0);
	rig_add_request(&rig, 0, &request, BLK_T_IN, 5, sector, sizeof(sector));
	transport_notify(rig.transport, 0);
	fake_settle(rig.host);
	assert_int_equal(rig.transport->pops, 0);
	transport_activate(rig.transport, UINT64_MAX);
	rig_kick(&rig, 0);
	assert_int_equal(request.status, BLK_S_OK);
	host_end(&rig);
}

static void b13_cache_mode_written_before_the_features_needs_its_bit(void **state)
{
	struct rig rig;

	for (uint32_t i = 0; i < 2; i++) {
		host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
		assert_int_equal(rig_add(&rig, *state, NULL), 0);
		assert_int_equal(fake_host_start(rig.host), 0);
		transport_write_config(rig.transport, WRITEBACK_OFFSET, 0);
		transport_activate(rig.transport, BLK_F_FLUSH | (i ? BLK_F_CONFIG_WCE : 0));
		fake_settle(rig.host);
		syscalls_reset();
		assert_int_equal(rig.transport->config[WRITEBACK_OFFSET], !i);
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 5, sector, sizeof(sector)), BLK_S_OK);
		assert_string_equal(syscalls_log(), i ? "WS" : "W");
		host_end(&rig);
	}
}

static void b13_other_bytes_of_config_are_no_cache_mode(void **state)
{
	struct rig rig;
	uint32_t updates;

	host_open(&rig, *state, RIG_IMAGE_BYTES, NULL);
	host_run(&rig, *state, NULL);
	updates = rig.transport->config_updates;
	/* What is at its place is not looked at. */
	rig.transport->config[WRITEBACK_OFFSET] = 0;
	transport_write_config(rig.transport, 0, 9);
	transport_write_config(rig.transport, WRITEBACK_OFFSET + 1, 0);
	fake_settle(rig.host);
	rig.transport->config[WRITEBACK_OFFSET] = 1;
	assert_int_equal(rig.transport->config_updates, updates);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 5, sector, sizeof(sector)), BLK_S_OK);
	assert_string_equal(syscalls_log(), "W");
	/* The same again, from a driver that may not choose. */
	transport_activate(rig.transport, BLK_F_FLUSH);
	transport_write_config(rig.transport, WRITEBACK_OFFSET, 1);
	fake_settle(rig.host);
	assert_int_equal(rig.transport->config_updates, updates);
	host_end(&rig);
}

static void start_with_clock(struct rig *rig, const char *backend, const char *const *options)
{
	static const struct fake_config config = {.flags = FAKE_CLOCK};

	rig_need(backend);
	rig_open(rig, &config);
	host_run(rig, backend, options);
	fake_clock_advance(rig->host, SECOND_NS);
}

static void h2_errors_are_told_again_after_a_while(void **state)
{
	struct rig rig;

	start_with_clock(&rig, *state, NULL);
	for (uint32_t i = 0; i < 9; i++) {
		syscalls_fail(CALL_WRITE, EIO, 1);
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 5, sector, sizeof(sector)), BLK_S_IOERR);
		assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 1 + i / 3);
		if (i % 3 == 2)
			fake_clock_advance(rig.host, 10 * SECOND_NS);
	}
	assert_true(fake_log_has(rig.host, rig.blk, "(2 more since the last such line)"));
	assert_false(fake_log_has(rig.host, rig.blk, "(4 more since the last such line)"));
	host_end(&rig);
}

static void a_limit_without_its_timer_lets_requests_through(void **state)
{
	struct rig rig;
	struct rig_request request;

	start_with_clock(&rig, *state, FAKE_OPTIONS("iops=10"));
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 5, sector, sizeof(sector)), BLK_S_OK);
	rig_add_request(&rig, 0, &request, BLK_T_OUT, 5, sector, sizeof(sector));
	transport_notify(rig.transport, 0);
	fake_host_fail_after(rig.host, 1);
	rig_wait(&rig, 2);
	assert_true(fake_host_fault_hit(rig.host));
	assert_int_equal(request.status, BLK_S_OK);
	host_end(&rig);
}

static void a_limit_takes_nothing_up_after_the_stop(void **state)
{
	struct rig rig;
	struct rig_request requests[2];

	start_with_clock(&rig, *state, FAKE_OPTIONS("iops=10"));
	for (uint32_t i = 0; i < 2; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_OUT, 5, sector, sizeof(sector));
	transport_notify(rig.transport, 0);
	rig_wait(&rig, 1);
	fake_host_quiesce(rig.host);
	fake_clock_advance(rig.host, SECOND_NS);
	fake_settle(rig.host);
	assert_int_equal(requests[1].status, RIG_UNTOUCHED);
	host_end(&rig);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(h4_a_ring_that_takes_nothing_for_a_while_gets_all_later, "io_uring"),
		WITH(h22_a_kernel_without_task_work_has_a_ring_all_the_same, "io_uring"),
		WITH(reads_go_to_workers_where_the_cache_cannot_be_asked, "worker"),
		BOTH(h21_discards_that_no_worker_takes_fail),
		WITH(r7_reset_ends_a_write_that_was_done_in_part, "worker"),
		WITH(r7_reset_does_not_wait_for_the_sync_of_a_write, "worker"),
		BOTH(b15_reset_ends_zeroes_that_were_written_in_part),
		WITH(a_stop_after_a_sync_that_failed_says_so_once, "worker"),
		BOTH(requests_before_the_driver_is_ready_wait_for_it),
		WITH(b13_cache_mode_written_before_the_features_needs_its_bit, "worker"),
		WITH(b13_other_bytes_of_config_are_no_cache_mode, "worker"),
		WITH(h2_errors_are_told_again_after_a_while, "worker"),
		WITH(a_limit_without_its_timer_lets_requests_through, "worker"),
		WITH(a_limit_takes_nothing_up_after_the_stop, "worker"),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
