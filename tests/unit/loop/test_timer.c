/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers on the three clocks.
 */
#include <pthread.h>

#include "clocks.h"
#include "fixture.h"

struct fired {
	struct loop *loop;
	struct loop_timer *timer;
	uint32_t count;
	uint64_t at_ns;
};

static void fired_cb(void *arg)
{
	struct fired *fired = arg;

	fired->count++;
	fired->at_ns = fixture_now();
}

static bool has_fired(void *arg)
{
	return ((struct fired *)arg)->count > 0;
}

static struct loop_timer *add(struct loop *loop, uint32_t clock, struct fired *fired)
{
	assert_int_equal(loop_timer_add(loop, fired, clock, fired_cb, fired, &fired->timer), 0);
	return fired->timer;
}

static void test_a_timer_fires_once_and_never_early(void **state)
{
	struct fired fired = {0};
	uint64_t due = fixture_now() + 2500000; /* not a whole number of milliseconds */

	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &fired), due);
	assert_true(fixture_run_until(*state, has_fired, &fired, 2000));
	assert_true(fired.at_ns >= due);
	fixture_run_for(*state, 10);
	assert_int_equal(fired.count, 1);
}

static void test_a_deadline_in_the_past_or_0_fires_at_once(void **state)
{
	struct fired past = {0}, zero = {0};

	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &past), fixture_now() - 1);
	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &zero), 0);
	fixture_run_for(*state, 5);
	assert_int_equal(past.count, 1);
	assert_int_equal(zero.count, 1);
}

static void test_a_far_deadline_does_not_fire(void **state)
{
	struct fired host = {0}, vm = {0};

	assert_int_equal(loop_timer_arm(add(*state, VMM_CLOCK_HOST, &host), VMM_TIMER_OFF - 1), 0);
	assert_int_equal(loop_timer_arm(add(*state, VMM_CLOCK_VM, &vm), VMM_TIMER_OFF - 1), 0);
	fixture_run_for(*state, 5);
	assert_int_equal(host.count + vm.count, 0);
}

static void test_a_timer_that_is_disarmed_or_moved_does_not_fire(void **state)
{
	struct fired off = {0}, moved = {0};

	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &off), fixture_now());
	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &moved), fixture_now());
	loop_timer_arm(off.timer, VMM_TIMER_OFF);
	loop_timer_arm(moved.timer, fixture_now() + 60000 * MS);
	fixture_run_for(*state, 10);
	assert_int_equal(off.count + moved.count, 0);
}

static void test_real_time_is_the_wall_clock(void **state)
{
	struct fired fired = {0};
	uint64_t now = loop_now(NULL, VMM_CLOCK_REAL);

	assert_true(now > UINT64_C(1700000000000000000));
	loop_timer_arm(add(*state, VMM_CLOCK_REAL, &fired), now + 2 * MS);
	assert_true(fixture_run_until(*state, has_fired, &fired, 2000));
}

static void check_step(struct loop *loop, int64_t seconds)
{
	struct fired host = {0}, vm = {0};
	uint64_t host_start = fixture_now();
	uint64_t vm_start = loop_now(fixture_clock, VMM_CLOCK_VM);

	loop_timer_arm(add(loop, VMM_CLOCK_HOST, &host), host_start + 2 * MS);
	loop_timer_arm(add(loop, VMM_CLOCK_VM, &vm), vm_start + 2 * MS);
	clocks_step_wall(seconds);
	assert_true(fixture_run_until(loop, has_fired, &host, 2000));
	assert_true(fixture_run_until(loop, has_fired, &vm, 2000));
	assert_true(fixture_now() - host_start < 1800000 * MS);
	assert_true(loop_now(fixture_clock, VMM_CLOCK_VM) - vm_start < 1800000 * MS);
	clocks_step_wall(-seconds);
}

static void test_h23_a_step_of_the_wall_clock_moves_no_other_clock(void **state)
{
	check_step(*state, 3600);
	check_step(*state, -3600);
}

static void test_vm_time_and_its_timers_stand_still_while_paused(void **state)
{
	struct fired fired = {0};
	uint64_t start = loop_now(fixture_clock, VMM_CLOCK_VM);
	uint64_t host_start = fixture_now();
	uint64_t due = start + 30 * MS;

	loop_timer_arm(add(*state, VMM_CLOCK_VM, &fired), due);
	vm_clock_pause(fixture_clock);
	vm_clock_pause(fixture_clock);
	uint64_t paused = loop_now(fixture_clock, VMM_CLOCK_VM);

	fixture_run_for(*state, 60);
	assert_int_equal(fired.count, 0);
	assert_int_equal(loop_now(fixture_clock, VMM_CLOCK_VM), paused);
	vm_clock_resume(fixture_clock);
	vm_clock_resume(fixture_clock);
	assert_true(fixture_run_until(*state, has_fired, &fired, 2000));
	assert_true(loop_now(fixture_clock, VMM_CLOCK_VM) >= due);
	/* It lags by the time of the pause. */
	uint64_t host_passed = fixture_now() - host_start;
	uint64_t passed = loop_now(fixture_clock, VMM_CLOCK_VM) - start;

	assert_true(host_passed - passed >= 59 * MS && host_passed > passed);
	/* And the latest deadline is not so late that the sum with the lag wraps. */
	fired.count = 0;
	assert_int_equal(loop_timer_arm(fired.timer, VMM_TIMER_OFF - 1), 0);
	fixture_run_for(*state, 5);
	assert_int_equal(fired.count, 0);
}

static void test_a_vm_timer_armed_while_paused_waits_for_resume(void **state)
{
	struct fired fired = {0};

	add(*state, VMM_CLOCK_VM, &fired);
	vm_clock_pause(fixture_clock);
	loop_timer_arm(fired.timer, 0);
	fixture_run_for(*state, 10);
	assert_int_equal(fired.count, 0);
	vm_clock_resume(fixture_clock);
	assert_true(fixture_run_until(*state, has_fired, &fired, 2000));
}

static void remove_cb(void *arg)
{
	struct fired *fired = arg;

	fired->count++;
	loop_timer_remove(fired->timer);
}

static void test_a_timer_may_remove_itself(void **state)
{
	struct fired fired = {0};

	assert_int_equal(
		loop_timer_add(*state, NULL, VMM_CLOCK_VM, remove_cb, &fired, &fired.timer), 0);
	loop_timer_arm(fired.timer, 0);
	assert_true(fixture_run_until(*state, has_fired, &fired, 2000));
	loop_timer_remove(NULL);
}

static void test_timers_of_a_dropped_owner_do_not_fire(void **state)
{
	struct fired kept = {0}, dropped = {0};

	loop_timer_arm(add(*state, VMM_CLOCK_HOST, &kept), 0);
	loop_timer_arm(add(*state, VMM_CLOCK_VM, &dropped), 0);
	loop_drop_owner(*state, &dropped);
	fixture_run_for(*state, 5);
	assert_int_equal(kept.count, 1);
	assert_int_equal(dropped.count, 0);
	/* Its place in the VM clock is gone, too. */
	vm_clock_pause(fixture_clock);
	vm_clock_resume(fixture_clock);
}

static void *arm_often(void *arg)
{
	struct fired *fired = arg;

	for (int i = 0; i < 2000; i++)
		loop_timer_arm(fired->timer, i % 3 ? 0 : VMM_TIMER_OFF);
	loop_timer_arm(fired->timer, 0);
	return NULL;
}

static void test_a_timer_can_be_armed_from_another_thread(void **state)
{
	struct fired fired = {0};
	pthread_t thread;

	add(*state, VMM_CLOCK_VM, &fired);
	assert_int_equal(loop_thread_start(*state), 0);
	assert_int_equal(pthread_create(&thread, NULL, arm_often, &fired), 0);
	pthread_join(thread, NULL);
	fixture_sleep_ms(20);
	loop_thread_join(*state);
	assert_true(fired.count > 0);
}

static void test_an_unknown_clock_is_refused(void **state)
{
	struct loop_timer *timer;

	assert_int_equal(loop_timer_add(*state, NULL, 1, fired_cb, NULL, &timer), VMM_E_INVAL);
	assert_int_equal(loop_now(NULL, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_timer_fires_once_and_never_early),
		TEST(test_a_deadline_in_the_past_or_0_fires_at_once),
		TEST(test_a_far_deadline_does_not_fire),
		TEST(test_a_timer_that_is_disarmed_or_moved_does_not_fire),
		TEST(test_real_time_is_the_wall_clock),
		TEST(test_h23_a_step_of_the_wall_clock_moves_no_other_clock),
		TEST(test_vm_time_and_its_timers_stand_still_while_paused),
		TEST(test_a_vm_timer_armed_while_paused_waits_for_resume),
		TEST(test_a_timer_may_remove_itself),
		TEST(test_timers_of_a_dropped_owner_do_not_fire),
		TEST(test_a_timer_can_be_armed_from_another_thread),
		TEST(test_an_unknown_clock_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
