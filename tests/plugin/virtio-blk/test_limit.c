/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rate limit: its arithmetic, and a device under it on a clock that the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "limit.h"
#include "rig.h"

#define SECOND_NS 1000000000ull

static void no_limit_never_waits(void **state)
{
	struct blk_limit limit;

	(void)state;
	blk_limit_init(&limit, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(blk_limit_wait(&limit, 5), 0);
		blk_limit_take(&limit, 5, 1ull << 32);
	}
}

/* Takes as much as it may for some seconds of simulated time; returns units. */
static uint64_t take_all(uint64_t rate, uint64_t units, uint64_t seconds)
{
	struct blk_limit limit;
	uint64_t now = 1000 * SECOND_NS, end = now + seconds * SECOND_NS, total = 0;

	blk_limit_init(&limit, rate);
	while (now < end) {
		uint64_t wait = blk_limit_wait(&limit, now);

		if (wait) {
			assert_true(wait > now);
			now = wait;
			continue;
		}
		blk_limit_take(&limit, now, units);
		total += units;
	}
	return total;
}

static void rate_is_kept_in_the_long_run(void **state)
{
	static const struct {
		uint64_t rate, units;
	} cases[] = {{1, 1}, {3, 1}, {100, 1}, {999999937, 1000}, {1000000, 4096},
		{10ull << 30, 512}, {1000, 1ull << 32}, {7, 512}};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t seconds = cases[i].rate > 1000000 ? 1 : 1000;
		uint64_t want = cases[i].rate * seconds;
		uint64_t total = take_all(cases[i].rate, cases[i].units, seconds);

		/* At most the burst more, and one request. */
		assert_true(total <= want + want / seconds / 10 + cases[i].units);
		assert_true(total + cases[i].units >= want);
	}
}

static void idle_time_is_worth_a_burst_and_no_more(void **state)
{
	struct blk_limit limit;
	uint32_t count = 0;

	(void)state;
	blk_limit_init(&limit, 1000);
	blk_limit_take(&limit, SECOND_NS, 1);
	while (!blk_limit_wait(&limit, 3600 * SECOND_NS)) {
		blk_limit_take(&limit, 3600 * SECOND_NS, 1);
		count++;
	}
	assert_int_equal(count, 100);
}

/* Runs until nothing more comes back at this time; how many came back in all. */
static uint32_t settle(struct rig *rig)
{
	fake_settle(rig->host);
	return rig->transport->shown;
}

static void start_slow(struct rig *rig, const char *backend, const char *const *options)
{
	static const struct fake_config config = {.flags = FAKE_CLOCK};

	rig_need(backend);
	rig_open(rig, &config);
	if (rig_add(rig, backend, options) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, UINT64_MAX);
}

/* io_uring ends requests outside of the test's clock, so it is given time to. */
static void wait_quietly(struct rig *rig, uint32_t count)
{
	rig_wait(rig, count);
	assert_int_equal(settle(rig), count);
}

static void iops_hold_requests_until_their_time(void **state)
{
	enum { COUNT = 40 };
	struct rig rig;
	struct rig_request requests[COUNT];
	static uint8_t data[COUNT][BLK_SECTOR_BYTES];

	start_slow(&rig, *state, FAKE_OPTIONS("iops=100"));
	fake_clock_advance(rig.host, SECOND_NS);
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i, data[i], BLK_SECTOR_BYTES);
	transport_notify(rig.transport, 0);
	wait_quietly(&rig, 10); /* the burst */
	for (uint32_t i = 11; i <= COUNT; i++) {
		/* The bucket is empty, and has room for the next as soon as time moves. */
		fake_clock_advance(rig.host, i == 11 ? 1 : SECOND_NS / 100);
		wait_quietly(&rig, i);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(data[i][3], i);
	assert_int_equal(fake_timers_armed(rig.blk), 0);
	rig_close(&rig);
}

static void bandwidth_holds_requests_of_all_queues(void **state)
{
	struct rig rig;
	struct rig_request requests[2][4];
	static uint8_t data[256 * 1024];

	start_slow(&rig, *state, FAKE_OPTIONS("bandwidth=1M", "queues=2"));
	fake_clock_advance(rig.host, SECOND_NS);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t q = 0; q < 2; q++)
			rig_add_request(&rig, q, &requests[q][i], BLK_T_IN, 0, data, sizeof(data));
	transport_notify(rig.transport, 0);
	transport_notify(rig.transport, 1);
	/* A quarter of a second each, a tenth of it ahead. */
	wait_quietly(&rig, 1);
	for (uint32_t i = 2; i <= 8; i++) {
		fake_clock_advance(rig.host, SECOND_NS / 4);
		wait_quietly(&rig, i);
	}
	rig_close(&rig);
}

static void queues_take_turns(void **state)
{
	enum { QUEUES = 4, COUNT = 30 };
	struct rig rig;
	static struct rig_request requests[QUEUES][COUNT];
	uint8_t data[BLK_SECTOR_BYTES];
	uint32_t served[QUEUES] = {0};

	start_slow(&rig, *state, FAKE_OPTIONS("iops=10", "queues=4"));
	fake_clock_advance(rig.host, SECOND_NS);
	for (uint32_t q = 0; q < QUEUES; q++) {
		for (uint32_t i = 0; i < COUNT; i++)
			rig_add_request(&rig, q, &requests[q][i], BLK_T_IN, 0, data, sizeof(data));
		transport_notify(rig.transport, q);
	}
	wait_quietly(&rig, 1);
	for (uint32_t i = 2; i <= 21; i++) {
		fake_clock_advance(rig.host, i == 2 ? 1 : SECOND_NS / 10);
		wait_quietly(&rig, i);
	}
	for (uint32_t i = 0; i < rig.transport->shown; i++)
		served[rig.transport->used[i].queue]++;
	for (uint32_t q = 0; q < QUEUES; q++)
		assert_in_range(served[q], 5, 6);
	rig_close(&rig);
}

static void flush_is_not_held(void **state)
{
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES] = {0};

	start_slow(&rig, *state, FAKE_OPTIONS("iops=1"));
	fake_clock_advance(rig.host, SECOND_NS);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 1, data, sizeof(data)), BLK_S_OK);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(rig_flush(&rig), BLK_S_OK);
	rig_close(&rig);
}

static void reset_forgets_what_was_held_but_not_the_limit(void **state)
{
	struct rig rig;
	struct rig_request requests[3];
	uint8_t data[BLK_SECTOR_BYTES];

	start_slow(&rig, *state, FAKE_OPTIONS("iops=1"));
	fake_clock_advance(rig.host, SECOND_NS);
	for (uint32_t i = 0; i < 3; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, 1, data, sizeof(data));
	transport_notify(rig.transport, 0);
	wait_quietly(&rig, 1);
	assert_int_equal(fake_timers_armed(rig.blk), 1);
	transport_reset(rig.transport);
	fake_settle(rig.host);
	assert_int_equal(fake_timers_armed(rig.blk), 0);
	transport_forget(rig.transport);
	transport_activate(rig.transport, rig.transport->device.features);
	rig_add_request(&rig, 0, &requests[0], BLK_T_IN, 1, data, sizeof(data));
	transport_notify(rig.transport, 0);
	wait_quietly(&rig, 0);
	fake_clock_advance(rig.host, SECOND_NS);
	wait_quietly(&rig, 1);
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
		cmocka_unit_test(no_limit_never_waits),
		cmocka_unit_test(rate_is_kept_in_the_long_run),
		cmocka_unit_test(idle_time_is_worth_a_burst_and_no_more),
		BOTH(iops_hold_requests_until_their_time),
		BOTH(bandwidth_holds_requests_of_all_queues),
		BOTH(queues_take_turns),
		BOTH(flush_is_not_held),
		BOTH(reset_forgets_what_was_held_but_not_the_limit),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
