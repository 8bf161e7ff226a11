/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: the output buffer, files, pseudo terminals, and standard input and output when they are
 * pipes and files. Rows S1, S2, H12 and H13.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "log/log.h"

static struct console console;
static char dir[64];
static int saved_in, saved_out;

static int setup(void **state)
{
	memset(&console, 0, sizeof(console));
	snprintf(dir, sizeof(dir), "/tmp/vmm-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	saved_in = dup(STDIN_FILENO);
	saved_out = dup(STDOUT_FILENO);
	return fixture_setup(state);
}

/* Before anything is asserted: cmocka writes to standard output. */
static void restore_standard_fds(void)
{
	dup2(saved_in, STDIN_FILENO);
	dup2(saved_out, STDOUT_FILENO);
}

static int teardown(void **state)
{
	char command[128];

	restore_standard_fds();
	close(saved_in);
	close(saved_out);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return -1;
	return fixture_teardown(state);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void expect_file(const char *path, const char *text)
{
	char data[256] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, data, sizeof(data) - 1) >= 0);
	close(fd);
	assert_string_equal(data, text);
}

/* --- Null and file --- */

static void test_null_takes_everything(void **state)
{
	assert_int_equal(console_open(&console, *state, VMM_STREAM_NULL, NULL), 0);
	for (int i = 0; i < 100000; i++)
		assert_true(console_print(&console, "gone"));
	fixture_run_for(*state, 5);
	stream_resume(console.stream);
	fixture_run_for(*state, 5);
	assert_int_equal(stream_dropped(console.stream), 0);
	assert_null(stream_pty_name(console.stream));
	console_close(&console);
}

static void test_a_file_is_appended_to_and_private(void **state)
{
	struct stat st;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			console_open(&console, *state, VMM_STREAM_FILE, path_of("log")), 0);
		assert_true(console_print(&console, "one "));
		fixture_run_for(*state, 5);
		assert_true(console_print(&console, "two\n"));
		console_close(&console); /* writes what the loop did not */
	}
	expect_file(path_of("log"), "one two\none two\n");
	assert_int_equal(stat(path_of("log"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(console.room_calls, 0);
}

static void expect_refused(struct loop *loop, uint32_t kind, const char *path, const char *text)
{
	assert_true(console_open(&console, loop, kind, path) < 0);
	if (!strstr(console.error, text))
		fail_msg("the error is \"%s\", not \"%s\"", console.error, text);
	assert_null(console.stream);
}

static void test_files_that_cannot_be_written_are_refused_with_a_reason(void **state)
{
	expect_refused(*state, VMM_STREAM_FILE, dir, "Is a directory");
	expect_refused(*state, VMM_STREAM_FILE, path_of("no/log"), "No such file");
	expect_refused(*state, VMM_STREAM_FILE, path_of("no/log"), path_of("no/log"));
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	expect_refused(*state, VMM_STREAM_FILE, path_of("fifo"), "nobody reads from it");
	expect_refused(*state, VMM_STREAM_FILE, NULL, "needs a path");
	expect_refused(*state, 1, NULL, "no stream of kind 1");
}

static void test_dev_null_is_a_file_that_never_waits(void **state)
{
	assert_int_equal(console_open(&console, *state, VMM_STREAM_FILE, "/dev/null"), 0);
	for (int i = 0; i < 100; i++) {
		assert_true(console_print(&console, "gone"));
		fixture_run_for(*state, 1);
	}
	assert_int_equal(stream_dropped(console.stream), 0);
	console_close(&console);
}

/* Rows H10 and H12: the file may not grow. */
static void test_h12_a_full_file_drops_output_and_goes_on(void **state)
{
	struct rlimit old, small;

	signal(SIGXFSZ, SIG_IGN);
	log_set_level(VMM_LOG_ERROR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_FILE, path_of("log")), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	console_print(&console, "12345678");
	fixture_run_for(*state, 5);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(stream_dropped(console.stream), 4);
	console_print(&console, "more");
	fixture_run_for(*state, 5);
	console_close(&console);
	log_set_level(VMM_LOG_INFO);
	signal(SIGXFSZ, SIG_DFL);
	expect_file(path_of("log"), "1234more");
}

/* --- Pseudo terminal --- */

static void test_a_pty_carries_all_bytes_both_ways_without_echo(void **state)
{
	struct stat st;
	char data[64] = "";

	log_set_level(VMM_LOG_ERROR);
	console.room = 100;
	assert_int_equal(console_open(&console, *state, VMM_STREAM_PTY, path_of("link")), 0);
	log_set_level(VMM_LOG_INFO);

	int fd = open(path_of("link"), O_RDWR | O_NOCTTY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(write(fd, "in\r\n\x03\x04", 6), 6);
	assert_true(console_wait(&console, 6));
	assert_memory_equal(console.data, "in\r\n\x03\x04", 6);
	assert_true(console_print(&console, "out\n"));
	fixture_run_for(*state, 20);
	assert_int_equal(read(fd, data, sizeof(data)), 4);
	assert_string_equal(data, "out\n");
	close(fd);
	/* The next person finds the same, and nothing spins in between. */
	uint32_t calls = console.room_calls;

	fixture_run_for(*state, 50);
	assert_true(console.room_calls - calls < 5);
	fd = open(stream_pty_name(console.stream), O_RDWR | O_NOCTTY);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(console_wait(&console, 7));
	close(fd);
	console_close(&console);
	assert_int_equal(lstat(path_of("link"), &st), -1);
}

static void test_a_pty_link_that_is_in_use_is_refused(void **state)
{
	static struct console other;
	char target[64] = "";

	log_set_level(VMM_LOG_ERROR);
	assert_int_equal(console_open(&console, *state, VMM_STREAM_PTY, path_of("link")), 0);
	assert_int_equal(console_open(&other, *state, VMM_STREAM_PTY, path_of("link")), VMM_E_BUSY);
	assert_true(readlink(path_of("link"), target, sizeof(target)) > 0);
	assert_string_equal(target, stream_pty_name(console.stream));
	console_close(&console);
	log_set_level(VMM_LOG_INFO);
}

static void test_a_pty_link_replaces_a_stale_one_but_no_file(void **state)
{
	char target[64] = "";

	log_set_level(VMM_LOG_ERROR);
	assert_int_equal(symlink("/dev/pts/99999", path_of("link")), 0);
	assert_int_equal(console_open(&console, *state, VMM_STREAM_PTY, path_of("link")), 0);
	assert_true(readlink(path_of("link"), target, sizeof(target)) > 0);
	assert_string_equal(target, stream_pty_name(console.stream));
	/* Somebody else took the name over: it stays theirs. */
	unlink(path_of("link"));
	assert_int_equal(symlink("/dev/null", path_of("link")), 0);
	console_close(&console);
	assert_int_equal(access(path_of("link"), F_OK), 0);
	expect_refused(*state, VMM_STREAM_PTY, path_of("link"), "File exists");
	log_set_level(VMM_LOG_INFO);
}

/* --- Standard input and output --- */

static int in_pipe[2], out_pipe[2];

static void open_on_pipes(struct loop *loop)
{
	assert_int_equal(pipe(in_pipe), 0);
	assert_int_equal(pipe(out_pipe), 0);
	dup2(in_pipe[0], STDIN_FILENO);
	dup2(out_pipe[1], STDOUT_FILENO);
	int ret = console_open(&console, loop, VMM_STREAM_STDIO, NULL);

	restore_standard_fds();
	assert_int_equal(ret, 0);
}

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(in_pipe[i]);
		close(out_pipe[i]);
	}
}

static void test_stdio_on_pipes_reads_and_writes_and_leaves_them_blocking(void **state)
{
	char data[16] = "";

	console.room = 100;
	open_on_pipes(*state);
	assert_int_equal(write(in_pipe[1], "a\x01xb", 4), 4);
	assert_true(console_wait(&console, 4)); /* no escapes: it is data */
	assert_memory_equal(console.data, "a\x01xb", 4);
	assert_true(console_print(&console, "hello"));
	fixture_run_for(*state, 10);
	assert_int_equal(read(out_pipe[0], data, sizeof(data)), 5);
	assert_string_equal(data, "hello");
	assert_int_equal(fcntl(in_pipe[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(out_pipe[1], F_GETFL) & O_NONBLOCK, 0);
	console_close(&console);
	close_pipes();
}

static void test_s1_input_is_read_only_as_far_as_there_is_room(void **state)
{
	uint8_t flood[4096];
	int unread;

	memset(flood, 'f', sizeof(flood));
	console.room = 16;
	open_on_pipes(*state);
	assert_int_equal(write(in_pipe[1], flood, sizeof(flood)), sizeof(flood));
	assert_true(console_wait(&console, 16));
	uint32_t calls = console.room_calls;

	fixture_run_for(*state, 50);
	assert_int_equal(console.used, 16);
	assert_true(console.room_calls - calls < 3);
	assert_int_equal(ioctl(in_pipe[0], FIONREAD, &unread), 0);
	assert_int_equal(unread, 4096 - 16);
	console.room = 10000;
	stream_resume(console.stream);
	assert_true(console_wait(&console, 4096));
	assert_false(console.wrong);
	console_close(&console);
	close_pipes();
}

static void test_h13_end_of_input_is_told_once_and_does_not_spin(void **state)
{
	console.room = 100;
	open_on_pipes(*state);
	assert_int_equal(write(in_pipe[1], "last", 4), 4);
	close(in_pipe[1]);
	assert_true(console_wait(&console, 4));
	fixture_run_for(*state, 20);
	assert_int_equal(console.closed, 1);
	uint32_t calls = console.room_calls;

	fixture_run_for(*state, 50);
	stream_resume(console.stream);
	fixture_run_for(*state, 5);
	assert_int_equal(console.room_calls, calls);
	assert_true(console_print(&console, "still here"));
	console_close(&console);
	close(in_pipe[0]);
	close(out_pipe[0]);
	close(out_pipe[1]);
}

static void write_all(uint64_t bytes, uint64_t *ret_taken)
{
	uint8_t data[1000];

	memset(data, 'x', sizeof(data));
	for (uint64_t i = 0; i < bytes; i += sizeof(data))
		*ret_taken += (uint64_t)stream_write(console.stream, data, sizeof(data));
}

static bool was_drained(void *arg)
{
	return ((struct console *)arg)->drained > 0;
}

static uint64_t read_all(struct loop *loop, int fd)
{
	static uint8_t data[65536];
	uint64_t total = 0;
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	do {
		got = read(fd, data, sizeof(data));
		total += got > 0 ? (uint64_t)got : 0;
		fixture_run_for(loop, 2);
	} while (got > 0);
	return total;
}

/* Rows S2 and H12: nobody reads the pipe. */
static void test_s2_a_full_pipe_drops_and_counts_and_never_blocks(void **state)
{
	uint64_t taken = 0;

	open_on_pipes(*state);
	for (int i = 0; i < 10; i++) {
		write_all(100000, &taken);
		fixture_run_for(*state, 2);
	}
	/* The pipe's 64 KiB and ours. */
	assert_true(taken > STREAM_BUFFER_BYTES);
	assert_true(taken <= 2 * STREAM_BUFFER_BYTES);
	assert_int_equal(stream_dropped(console.stream), 1000000 - taken);
	console.drained = 0;
	/* The reader comes back: it gets all that was taken, and the device is told. */
	assert_int_equal(read_all(*state, out_pipe[0]), taken);
	assert_true(fixture_run_until(*state, was_drained, &console, 1000));
	assert_int_equal(console.drained, 1);
	log_set_level(VMM_LOG_ERROR);
	console_close(&console);
	log_set_level(VMM_LOG_INFO);
	close_pipes();
}

static void test_close_gives_up_soon_on_a_reader_that_does_not_read(void **state)
{
	uint64_t taken = 0;

	open_on_pipes(*state);
	write_all(200000, &taken);
	fixture_run_for(*state, 10); /* fills the pipe */
	write_all(200000, &taken);
	uint64_t start = fixture_now();

	log_set_level(VMM_LOG_ERROR);
	console_close(&console);
	log_set_level(VMM_LOG_INFO);
	assert_true(fixture_now() - start < 1500 * MS);
	close_pipes();
}

static void test_h12_a_closed_output_drops_and_goes_on(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	console.room = 100;
	open_on_pipes(*state);
	close(out_pipe[0]);
	log_set_level(VMM_LOG_ERROR);
	assert_true(console_print(&console, "12345"));
	fixture_run_for(*state, 10);
	assert_false(console_print(&console, "678"));
	assert_int_equal(stream_dropped(console.stream), 8);
	assert_int_equal(write(in_pipe[1], "in", 2), 2);
	assert_true(console_wait(&console, 2));
	console_close(&console);
	log_set_level(VMM_LOG_INFO);
	signal(SIGPIPE, SIG_DFL);
	close(in_pipe[0]);
	close(in_pipe[1]);
	close(out_pipe[1]);
}

static void test_stdio_on_files_reads_to_the_end_and_appends_in_place(void **state)
{
	int in = open(path_of("in"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	int out = open(path_of("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(in, "from a file", 11), 11);
	assert_int_equal(lseek(in, 5, SEEK_SET), 5);
	assert_int_equal(write(out, "before ", 7), 7);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	console.room = 3;
	int ret = console_open(&console, *state, VMM_STREAM_STDIO, NULL);

	if (!ret) {
		console_wait(&console, 3);
		console.room = 100;
		stream_resume(console.stream);
		console_wait(&console, 6);
		console_print(&console, "after");
		fixture_run_for(*state, 20);
		console_close(&console);
	}
	restore_standard_fds();
	assert_int_equal(ret, 0);
	assert_int_equal(console.used, 6);
	assert_memory_equal(console.data, "a file", 6);
	assert_int_equal(console.closed, 1);
	expect_file(path_of("out"), "before after");
	close(in);
	close(out);
}

/* A description that cannot be opened anew, as of a terminal of another user: a socket. */
static void test_stdio_on_a_shared_socket_works_and_leaves_it_blocking(void **state)
{
	char data[16] = "";
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	dup2(fds[0], STDIN_FILENO);
	dup2(fds[0], STDOUT_FILENO);
	console.room = 100;
	int ret = console_open(&console, *state, VMM_STREAM_STDIO, NULL);

	if (!ret) {
		fixture_run_for(*state, 10);
		if (write(fds[1], "hello", 5) != 5)
			ret = -1;
		console_wait(&console, 5);
		console_print(&console, "world");
		fixture_run_for(*state, 10);
	}
	restore_standard_fds();
	assert_int_equal(ret, 0);
	assert_memory_equal(console.data, "hello", 5);
	assert_int_equal(read(fds[1], data, sizeof(data)), 5);
	assert_string_equal(data, "world");
	assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	console_close(&console);
	close(fds[0]);
	close(fds[1]);
}

static void test_h13_closed_and_null_standard_fds_are_no_input(void **state)
{
	int null = open("/dev/null", O_RDWR);

	console.room = 100;
	for (int closed = 0; closed < 2; closed++) {
		if (closed) {
			close(STDIN_FILENO);
			close(STDOUT_FILENO);
		} else {
			dup2(null, STDIN_FILENO);
			dup2(null, STDOUT_FILENO);
		}
		int ret = console_open(&console, *state, VMM_STREAM_STDIO, NULL);

		if (!ret) {
			fixture_run_for(*state, 10);
			console_print(&console, "nobody sees this");
			fixture_run_for(*state, 10);
		}
		uint32_t calls = console.room_calls;

		if (!ret)
			fixture_run_for(*state, 20);
		/* Something else may have got the numbers by now. */
		restore_standard_fds();
		assert_int_equal(ret, 0);
		assert_int_equal(console.room_calls, calls);
		log_set_level(VMM_LOG_ERROR);
		console_close(&console);
		log_set_level(VMM_LOG_INFO);
	}
	assert_int_equal(console.used, 0);
	close(null);
}

static void test_only_one_device_has_stdio(void **state)
{
	static struct console second;

	open_on_pipes(*state);
	assert_int_equal(console_open(&second, *state, VMM_STREAM_STDIO, NULL), VMM_E_BUSY);
	assert_non_null(strstr(second.error, "another device already"));
	console_close(&console);
	close_pipes();
	open_on_pipes(*state);
	console_close(&console);
	close_pipes();
}

/* --- Threads --- */

static void *writer(void *arg)
{
	for (int i = 0; i < 20000; i++)
		stream_write(console.stream, arg, 1);
	return NULL;
}

static void test_writes_of_several_threads_all_arrive(void **state)
{
	pthread_t threads[2];
	uint8_t letters[2] = {'a', 'b'};

	assert_int_equal(console_open(&console, *state, VMM_STREAM_FILE, path_of("log")), 0);
	assert_int_equal(loop_thread_start(*state), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &letters[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	loop_thread_join(*state);
	uint64_t dropped = stream_dropped(console.stream);
	struct stat st;

	console_close(&console);
	assert_int_equal(stat(path_of("log"), &st), 0);
	assert_int_equal(st.st_size, 40000 - (long)dropped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_null_takes_everything),
		TEST(test_a_file_is_appended_to_and_private),
		TEST(test_files_that_cannot_be_written_are_refused_with_a_reason),
		TEST(test_dev_null_is_a_file_that_never_waits),
		TEST(test_h12_a_full_file_drops_output_and_goes_on),
		TEST(test_a_pty_carries_all_bytes_both_ways_without_echo),
		TEST(test_a_pty_link_that_is_in_use_is_refused),
		TEST(test_a_pty_link_replaces_a_stale_one_but_no_file),
		TEST(test_stdio_on_pipes_reads_and_writes_and_leaves_them_blocking),
		TEST(test_s1_input_is_read_only_as_far_as_there_is_room),
		TEST(test_h13_end_of_input_is_told_once_and_does_not_spin),
		TEST(test_s2_a_full_pipe_drops_and_counts_and_never_blocks),
		TEST(test_close_gives_up_soon_on_a_reader_that_does_not_read),
		TEST(test_h12_a_closed_output_drops_and_goes_on),
		TEST(test_stdio_on_files_reads_to_the_end_and_appends_in_place),
		TEST(test_stdio_on_a_shared_socket_works_and_leaves_it_blocking),
		TEST(test_h13_closed_and_null_standard_fds_are_no_input),
		TEST(test_only_one_device_has_stdio),
		TEST(test_writes_of_several_threads_all_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
