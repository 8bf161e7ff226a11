/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running and stopping a loop, and posts to it.
 */
#include <pthread.h>

#include "fixture.h"

#define POSTS   1000u
#define THREADS 4u

struct order {
	struct loop *loop;
	uint32_t next[THREADS];
	uint32_t wrong;
	uint32_t total;
};

struct numbered {
	struct order *order;
	uint32_t thread;
	uint32_t number;
};

static struct numbered numbered[THREADS][POSTS];

static void numbered_cb(void *arg)
{
	struct numbered *post = arg;
	struct order *order = post->order;

	if (order->next[post->thread] != post->number)
		order->wrong++;
	order->next[post->thread] = post->number + 1;
	if (++order->total == THREADS * POSTS)
		loop_stop(order->loop);
}

static void *poster(void *arg)
{
	struct numbered *posts = arg;

	for (uint32_t i = 0; i < POSTS; i++)
		loop_post(posts[i].order->loop, NULL, numbered_cb, &posts[i]);
	return NULL;
}

static void test_posts_of_each_thread_keep_their_order(void **state)
{
	struct order order = {.loop = *state};
	pthread_t threads[THREADS];

	for (uint32_t t = 0; t < THREADS; t++) {
		for (uint32_t i = 0; i < POSTS; i++)
			numbered[t][i] = (struct numbered){&order, t, i};
		assert_int_equal(pthread_create(&threads[t], NULL, poster, numbered[t]), 0);
	}
	loop_run(order.loop);
	for (uint32_t t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	assert_int_equal(order.wrong, 0);
	assert_int_equal(order.total, THREADS * POSTS);
}

static void count_cb(void *arg)
{
	(*(uint32_t *)arg)++;
}

static void test_posts_made_before_the_loop_runs_are_called(void **state)
{
	uint32_t count = 0;

	assert_int_equal(loop_post(*state, NULL, count_cb, &count), 0);
	assert_int_equal(loop_post(*state, NULL, count_cb, &count), 0);
	fixture_run_for(*state, 5);
	assert_int_equal(count, 2);
}

static void test_posts_of_a_dropped_owner_are_not_called(void **state)
{
	uint32_t kept = 0, dropped = 0;

	loop_post(*state, &kept, count_cb, &kept);
	loop_post(*state, &dropped, count_cb, &dropped);
	loop_post(*state, &kept, count_cb, &kept);
	loop_post(*state, &dropped, count_cb, &dropped);
	loop_drop_owner(*state, &dropped);
	fixture_run_for(*state, 5);
	assert_int_equal(kept, 2);
	assert_int_equal(dropped, 0);
}

struct dropper {
	struct loop *loop;
	uint32_t count;
};

static void drop_cb(void *arg)
{
	struct dropper *dropper = arg;

	loop_drop_owner(dropper->loop, &dropper->count);
}

static void test_a_callback_can_drop_posts_that_are_next(void **state)
{
	struct dropper dropper = {.loop = *state};

	loop_post(*state, NULL, drop_cb, &dropper);
	loop_post(*state, &dropper.count, count_cb, &dropper.count);
	fixture_run_for(*state, 5);
	assert_int_equal(dropper.count, 0);
}

struct self {
	struct loop *loop;
	uint32_t count;
};

static void self_cb(void *arg)
{
	struct self *self = arg;

	self->count++;
	loop_post(self->loop, self, self_cb, self);
}

static void test_a_post_that_posts_itself_does_not_starve_timers(void **state)
{
	struct self self = {.loop = *state};

	loop_post(*state, &self, self_cb, &self);
	fixture_run_for(*state, 20);
	assert_true(self.count > 10);
	loop_drop_owner(*state, &self);
}

static void test_an_embedded_post_that_is_queued_twice_is_called_once(void **state)
{
	struct loop_post post;
	uint32_t count = 0;

	loop_post_init(&post, *state, NULL, count_cb, &count);
	loop_post_queue(&post);
	loop_post_queue(&post);
	fixture_run_for(*state, 5);
	assert_int_equal(count, 1);
	loop_post_queue(&post);
	fixture_run_for(*state, 5);
	assert_int_equal(count, 2);
	loop_post_queue(&post);
	loop_post_cancel(&post);
	loop_post_cancel(&post);
	fixture_run_for(*state, 5);
	assert_int_equal(count, 2);
}

static void test_stop_before_run_makes_run_return_once(void **state)
{
	uint32_t count = 0;

	loop_stop(*state);
	assert_int_equal(loop_run(*state), 0);
	loop_post(*state, NULL, count_cb, &count);
	fixture_run_for(*state, 5);
	assert_int_equal(count, 1);
}

static void nested_cb(void *arg)
{
	struct self *self = arg;

	self->count = (uint32_t)-loop_run(self->loop);
	loop_stop(self->loop);
}

static void test_run_inside_run_is_refused(void **state)
{
	struct self self = {.loop = *state};

	loop_post(*state, NULL, nested_cb, &self);
	loop_run(*state);
	assert_int_equal(-(int)self.count, VMM_E_PHASE);
}

static void where_cb(void *arg)
{
	struct self *self = arg;

	if (loop_is_current(self->loop) && loop_current() == self->loop &&
		loop_is_running(self->loop))
		self->count++;
}

static void test_a_loop_thread_runs_posts_and_can_be_joined(void **state)
{
	struct self self = {.loop = *state};

	assert_false(loop_is_running(*state));
	assert_int_equal(loop_thread_start(*state), 0);
	assert_int_equal(loop_thread_start(*state), VMM_E_PHASE);
	assert_int_equal(loop_call_sync(*state, where_cb, &self), 0);
	loop_thread_join(*state);
	assert_int_equal(self.count, 1);
	assert_false(loop_is_current(*state));
	assert_null(loop_current());
	loop_thread_join(*state);
}

static void test_destroy_frees_what_is_still_queued(void **state)
{
	struct loop *loop;
	struct loop_timer *timer;
	uint32_t count = 0;

	(void)state;
	assert_int_equal(loop_create("a name that is longer than a thread's", NULL, &loop), 0);
	assert_string_equal(loop_name(loop), "a name that is longer than a thread's");
	loop_post(loop, &count, count_cb, &count);
	assert_int_equal(loop_timer_add(loop, &count, VMM_CLOCK_HOST, count_cb, &count, &timer), 0);
	loop_timer_arm(timer, 0);
	assert_int_equal(loop_thread_start(loop), 0);
	fixture_sleep_ms(5);
	loop_post(loop, &count, count_cb, &count);
	loop_destroy(loop);
	loop_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_posts_of_each_thread_keep_their_order,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_posts_made_before_the_loop_runs_are_called,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_posts_of_a_dropped_owner_are_not_called,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_callback_can_drop_posts_that_are_next,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_post_that_posts_itself_does_not_starve_timers, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_an_embedded_post_that_is_queued_twice_is_called_once, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(test_stop_before_run_makes_run_return_once,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_run_inside_run_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_loop_thread_runs_posts_and_can_be_joined,
			fixture_setup, fixture_teardown),
		cmocka_unit_test(test_destroy_frees_what_is_still_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
