/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console on a unix socket: clients that come, go, stall and collide; rows H16 and H19.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "console.h"
#include "log/log.h"

static struct console console;
static char dir[64];
static char path[96];

static int setup(void **state)
{
	memset(&console, 0, sizeof(console));
	snprintf(dir, sizeof(dir), "/tmp/vmm-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/console", dir);
	signal(SIGPIPE, SIG_IGN);
	log_set_level(VMM_LOG_ERROR);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	console_close(&console);
	unlink(path);
	rmdir(dir);
	return fixture_teardown(state);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, path, strlen(path));
	return addr;
}

static int connect_client(void)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* A socket file that nobody listens on, as kill -9 leaves it. */
static void leave_stale_socket(void)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
}

static void expect_text(struct loop *loop, int fd, const char *text)
{
	char data[64] = "";
	ssize_t got = -1;

	for (int i = 0; i < 200 && got <= 0; i++) {
		fixture_run_for(loop, 5);
		got = read(fd, data, sizeof(data) - 1);
	}
	assert_true(got > 0);
	assert_string_equal(data, text);
}

static bool is_connected(void *arg)
{
	return ((struct console *)arg)->connected > 0;
}

static bool is_closed(void *arg)
{
	return ((struct console *)arg)->closed > 0;
}

static void test_a_client_gets_what_was_buffered_and_talks_both_ways(void **state)
{
	struct stat st;

	console.room = 100;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(console_print(&console, "boot "));
	fixture_run_for(*state, 5);

	int fd = connect_client();

	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	expect_text(*state, fd, "boot ");
	assert_int_equal(write(fd, "ls\n", 3), 3);
	assert_true(console_wait(&console, 3));
	assert_memory_equal(console.data, "ls\n", 3);
	assert_true(console_print(&console, "file\n"));
	expect_text(*state, fd, "file\n");
	close(fd);
	assert_true(fixture_run_until(*state, is_closed, &console, 1000));
	/* The next one. */
	console.connected = 0;
	fd = connect_client();
	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	assert_true(console_print(&console, "again"));
	expect_text(*state, fd, "again");
	console_close(&console);
	assert_int_equal(lstat(path, &st), -1);
	close(fd);
}

static void test_close_writes_out_what_the_client_takes(void **state)
{
	char data[16] = "";

	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	int fd = connect_client();

	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	assert_true(console_print(&console, "last words"));
	console_close(&console);
	assert_int_equal(read(fd, data, sizeof(data)), 10);
	assert_string_equal(data, "last words");
	assert_int_equal(read(fd, data, sizeof(data)), 0);
	close(fd);
}

static void test_a_second_client_is_turned_away(void **state)
{
	char byte;

	console.room = 100;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	int first = connect_client();
	int second = connect_client();

	fixture_run_for(*state, 20);
	assert_int_equal(console.connected, 1);
	assert_int_equal(read(second, &byte, 1), 0);
	assert_int_equal(write(first, "x", 1), 1);
	assert_true(console_wait(&console, 1));
	close(first);
	close(second);
}

/* The guest does not read, so the first client's end was not noticed. */
static void test_a_client_that_is_gone_makes_place_for_the_next(void **state)
{
	console.room = 0;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	int first = connect_client();

	fixture_run_for(*state, 10);
	assert_int_equal(console.connected, 1);
	close(first);
	uint32_t calls = console.room_calls;

	fixture_run_for(*state, 50);
	assert_true(console.room_calls - calls < 3); /* and it does not spin */
	int second = connect_client();

	fixture_run_for(*state, 20);
	assert_int_equal(console.connected, 2);
	assert_int_equal(console.closed, 1);
	assert_true(console_print(&console, "hi"));
	expect_text(*state, second, "hi");
	close(second);
}

/* A script: it sends its commands and goes. */
static void test_what_a_client_sent_before_it_went_is_read(void **state)
{
	char sent[200];
	int fd;

	memset(sent, 'x', sizeof(sent));
	console.room = 16;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	fd = connect_client();
	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	assert_int_equal(write(fd, sent, sizeof(sent)), sizeof(sent));
	close(fd);
	fixture_run_for(*state, 5);
	/* The echo, which nobody takes. */
	console_print(&console, "xxxxxxxxxxxxxxxx");
	fixture_run_for(*state, 5);
	console.room = sizeof(sent);
	stream_resume(console.stream);
	assert_true(console_wait(&console, sizeof(sent)));
	assert_true(fixture_run_until(*state, is_closed, &console, 1000));
}

/* As "echo command | socat - UNIX-CONNECT:console" does it. */
static void test_a_client_that_ended_its_input_gets_the_answer(void **state)
{
	int fd;

	console.room = 100;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	fd = connect_client();
	assert_int_equal(write(fd, "ls\n", 3), 3);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_true(console_wait(&console, 3));
	fixture_run_for(*state, 20);
	assert_int_equal(console.closed, 0);
	console_print(&console, "file\n");
	expect_text(*state, fd, "file\n");
	close(fd);
	console_print(&console, "more");
	assert_true(fixture_run_until(*state, is_closed, &console, 1000));
}

static void test_a_client_that_does_not_read_costs_only_the_buffer(void **state)
{
	static uint8_t data[100000];
	uint64_t taken = 0;

	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	int fd = connect_client();

	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	for (int i = 0; i < 50; i++) {
		taken += (uint64_t)stream_write(console.stream, data, sizeof(data));
		fixture_run_for(*state, 2);
	}
	assert_int_equal(stream_dropped(console.stream), 5000000 - taken);
	assert_true(taken < 1000000);
	/* It goes away; the next client gets what the buffer holds. */
	close(fd);
	fixture_run_for(*state, 20);
	assert_int_equal(console.closed, 1);
	fd = connect_client();
	fixture_run_for(*state, 20);
	assert_true(read(fd, data, sizeof(data)) > 0);
	close(fd);
}

static void test_h16_a_stale_socket_is_replaced(void **state)
{
	leave_stale_socket();
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	int fd = connect_client();

	assert_true(fixture_run_until(*state, is_connected, &console, 1000));
	close(fd);
}

static void expect_refused(struct loop *loop, const char *where, const char *text)
{
	static struct console refused;

	assert_true(console_open(&refused, loop, VMM_STREAM_UNIX, where) < 0);
	if (!strstr(refused.error, text))
		fail_msg("the error is \"%s\", not \"%s\"", refused.error, text);
}

static void test_a_path_in_use_or_of_something_else_is_refused(void **state)
{
	char longest[200];
	struct stat before, after;

	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	assert_int_equal(lstat(path, &before), 0);
	expect_refused(*state, path, "is in use by another process");
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	console_close(&console);

	close(open(path, O_CREAT | O_WRONLY, 0600));
	expect_refused(*state, path, "exists and is not a socket");
	assert_int_equal(access(path, F_OK), 0);
	expect_refused(*state, dir, "exists and is not a socket");
	expect_refused(*state, "/nowhere/socket", "\"/nowhere/socket\" cannot be made: No such");
	expect_refused(*state, NULL, "needs a path");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	expect_refused(*state, longest, "longer than 107 bytes");
}

/* Busy is not dead: connect() says EAGAIN while the listener's queue is full. */
static void test_a_listener_that_is_behind_keeps_its_name(void **state)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int clients[2];
	struct stat before, after;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 0), 0);
	clients[0] = connect_client();
	clients[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(clients[1], (struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(lstat(path, &before), 0);
	expect_refused(*state, path, "is in use by another process");
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	close(clients[0]);
	close(clients[1]);
	close(fd);
}

static void test_a_name_that_another_took_over_is_not_removed(void **state)
{
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	unlink(path);
	leave_stale_socket();
	console_close(&console);
	assert_int_equal(access(path, F_OK), 0);
}

static _Atomic uint32_t accepts;

/* What the loop calls instead of accept4(): see --wrap in CMakeLists.txt. */
int __real_accept4(int fd, struct sockaddr *addr, socklen_t *bytes, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *bytes, int flags);

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *bytes, int flags)
{
	accepts++;
	return __real_accept4(fd, addr, bytes, flags);
}

/* Row H19: no fd is left for a client. */
static void test_h19_accept_without_fds_waits_and_does_not_spin(void **state)
{
	struct rlimit old, none;

	console.room = 100;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_UNIX, path), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	int fd = connect_client();

	/* The loop runs for the first time with no number for accept() to give. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	accepts = 0;
	assert_int_equal(loop_thread_start(*state), 0);
	fixture_sleep_ms(500);
	assert_int_equal(accepts, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fixture_sleep_ms(1200);
	loop_thread_join(*state);
	assert_int_equal(console.connected, 1);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_client_gets_what_was_buffered_and_talks_both_ways),
		TEST(test_close_writes_out_what_the_client_takes),
		TEST(test_a_second_client_is_turned_away),
		TEST(test_a_client_that_is_gone_makes_place_for_the_next),
		TEST(test_what_a_client_sent_before_it_went_is_read),
		TEST(test_a_client_that_ended_its_input_gets_the_answer),
		TEST(test_a_client_that_does_not_read_costs_only_the_buffer),
		TEST(test_h16_a_stale_socket_is_replaced),
		TEST(test_a_path_in_use_or_of_something_else_is_refused),
		TEST(test_a_listener_that_is_behind_keeps_its_name),
		TEST(test_a_name_that_another_took_over_is_not_removed),
		TEST(test_h19_accept_without_fds_waits_and_does_not_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
