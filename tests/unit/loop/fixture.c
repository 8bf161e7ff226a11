/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the tests of the loop; see fixture.h.
 */
#include "fixture.h"

#include <time.h>

struct vm_clock *fixture_clock;

int fixture_setup(void **state)
{
	struct loop *loop;

	if (vm_clock_create(&fixture_clock) < 0 || loop_create("test", fixture_clock, &loop) < 0)
		return -1;
	*state = loop;
	return 0;
}

int fixture_teardown(void **state)
{
	loop_destroy(*state);
	vm_clock_destroy(fixture_clock);
	return 0;
}

struct run {
	struct loop *loop;
	bool (*cond)(void *ctx);
	void *ctx;
	uint64_t end_ns;
	bool met;
	struct loop_timer *timer;
};

static void tick_cb(void *arg)
{
	struct run *run = arg;

	run->met = run->cond && run->cond(run->ctx);
	if (run->met || fixture_now() >= run->end_ns)
		loop_stop(run->loop);
	else
		loop_timer_arm(run->timer, fixture_now() + MS);
}

bool fixture_run_until(struct loop *loop, bool (*cond)(void *ctx), void *ctx, uint32_t timeout_ms)
{
	struct run run = {.loop = loop, .cond = cond, .ctx = ctx};

	run.end_ns = fixture_now() + timeout_ms * MS;
	assert_int_equal(loop_timer_add(loop, &run, VMM_CLOCK_HOST, tick_cb, &run, &run.timer), 0);
	assert_int_equal(loop_timer_arm(run.timer, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_remove(run.timer);
	loop_sync_open(loop);
	return run.met;
}

void fixture_run_for(struct loop *loop, uint32_t ms)
{
	fixture_run_until(loop, NULL, NULL, ms);
}

uint64_t fixture_now(void)
{
	return loop_now(NULL, VMM_CLOCK_HOST);
}

void fixture_sleep_ms(uint32_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}
