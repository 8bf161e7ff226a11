/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches on file descriptors, and what becomes of broken ones.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

struct seen {
	struct loop_watch *watch;
	uint32_t count;
	uint32_t events;
	bool take;
	bool remove;
};

static void seen_cb(void *arg, int32_t fd, uint32_t events)
{
	struct seen *seen = arg;
	uint64_t value;

	seen->count++;
	seen->events = events;
	if (seen->take)
		assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	if (seen->remove)
		loop_watch_remove(seen->watch);
}

static void add(struct loop *loop, int fd, uint32_t events, struct seen *seen)
{
	assert_int_equal(loop_watch_add(loop, seen, fd, events, seen_cb, seen, &seen->watch), 0);
}

static void test_a_ready_fd_is_reported_until_it_is_read(void **state)
{
	int fd = eventfd(1, EFD_NONBLOCK);
	struct seen seen = {0};

	add(*state, fd, VMM_WATCH_READ, &seen);
	fixture_run_for(*state, 10);
	assert_true(seen.count > 1);
	assert_int_equal(seen.events, VMM_WATCH_READ);
	seen = (struct seen){.watch = seen.watch, .take = true};
	fixture_run_for(*state, 10);
	assert_int_equal(seen.count, 1);
	loop_watch_remove(seen.watch);
	close(fd);
}

static void test_set_changes_what_is_reported(void **state)
{
	int fd = eventfd(1, EFD_NONBLOCK);
	struct seen seen = {0};

	add(*state, fd, 0, &seen);
	fixture_run_for(*state, 5);
	assert_int_equal(seen.count, 0);
	assert_int_equal(loop_watch_set(seen.watch, VMM_WATCH_READ | VMM_WATCH_WRITE), 0);
	fixture_run_for(*state, 5);
	assert_int_equal(seen.events, VMM_WATCH_READ | VMM_WATCH_WRITE);
	assert_int_equal(loop_watch_set(seen.watch, VMM_WATCH_ERROR), VMM_E_INVAL);
	assert_int_equal(loop_watch_set(seen.watch, 0), 0);
	seen.count = 0;
	fixture_run_for(*state, 5);
	assert_int_equal(seen.count, 0);
	close(fd);
}

static void test_a_watch_may_remove_itself_and_the_fd_be_watched_again(void **state)
{
	int fd = eventfd(1, EFD_NONBLOCK);
	struct seen seen = {.remove = true};

	add(*state, fd, VMM_WATCH_READ, &seen);
	fixture_run_for(*state, 5);
	assert_int_equal(seen.count, 1);
	add(*state, fd, VMM_WATCH_READ, &seen);
	fixture_run_for(*state, 5);
	assert_int_equal(seen.count, 2);
	close(fd);
}

static void test_watches_of_a_dropped_owner_do_not_report(void **state)
{
	int fd_a = eventfd(1, EFD_NONBLOCK);
	int fd_b = eventfd(1, EFD_NONBLOCK);
	struct seen kept = {0}, dropped = {0};

	add(*state, fd_a, VMM_WATCH_READ, &kept);
	add(*state, fd_b, VMM_WATCH_READ, &dropped);
	loop_drop_owner(*state, &dropped);
	fixture_run_for(*state, 5);
	assert_true(kept.count > 0);
	assert_int_equal(dropped.count, 0);
	close(fd_a);
	close(fd_b);
}

static void test_bad_fds_are_refused(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY);
	int event = eventfd(0, 0);
	struct seen seen = {0};
	struct loop_watch *watch;

	assert_int_equal(loop_watch_add(*state, NULL, -1, VMM_WATCH_READ, seen_cb, &seen, &watch),
		VMM_E_INVAL);
	assert_int_equal(loop_watch_add(*state, NULL, 9999, VMM_WATCH_READ, seen_cb, &seen, &watch),
		VMM_E_INVAL);
	assert_int_equal(loop_watch_add(*state, NULL, file, VMM_WATCH_READ, seen_cb, &seen, &watch),
		VMM_E_UNSUPPORTED);
	add(*state, event, VMM_WATCH_READ, &seen);
	assert_int_equal(
		loop_watch_add(*state, NULL, event, VMM_WATCH_READ, seen_cb, &seen, &watch),
		VMM_E_EXISTS);
	loop_watch_remove(NULL);
	close(file);
	close(event);
}

/* Row H11: a tap that was deleted reports an error for ever. */
static void test_h11_an_fd_with_only_errors_does_not_spin(void **state)
{
	int fds[2];
	struct seen seen = {0};

	assert_int_equal(pipe(fds), 0);
	close(fds[0]); /* nobody can read: the other end is in error */
	add(*state, fds[1], VMM_WATCH_WRITE, &seen);
	fixture_run_for(*state, 50);
	assert_int_equal(seen.events, VMM_WATCH_WRITE | VMM_WATCH_ERROR);
	assert_int_equal(seen.count, 64);
	assert_int_equal(loop_watch_set(seen.watch, VMM_WATCH_WRITE), 0);
	fixture_run_for(*state, 50);
	assert_int_equal(seen.count, 128);
	close(fds[1]);
}

static void test_an_fd_watched_for_errors_only_reports_a_hangup_once(void **state)
{
	int fds[2];
	struct seen seen = {0};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	add(*state, fds[0], 0, &seen);
	fixture_run_for(*state, 5);
	assert_int_equal(seen.count, 0);
	close(fds[1]);
	fixture_run_for(*state, 20);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.events, VMM_WATCH_ERROR);
	close(fds[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_ready_fd_is_reported_until_it_is_read),
		TEST(test_set_changes_what_is_reported),
		TEST(test_a_watch_may_remove_itself_and_the_fd_be_watched_again),
		TEST(test_watches_of_a_dropped_owner_do_not_report),
		TEST(test_bad_fds_are_refused),
		TEST(test_h11_an_fd_with_only_errors_does_not_spin),
		TEST(test_an_fd_watched_for_errors_only_reports_a_hangup_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
