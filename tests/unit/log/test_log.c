/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: what they look like, the limit on those of a guest, and a reader that stalls. Each
 * test runs in a child, because the log is one for the process; the child's standard error is the
 * pipe that the test reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log/limit.h"
#include "log/log.h"

#define OUTPUT_BYTES (1u << 20)

static char output[OUTPUT_BYTES];
static time_t wall_clock_lag;

int __real_clock_gettime(clockid_t id, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now);

/* What is read just before the wall clock is set forward. */
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now)
{
	int ret = __real_clock_gettime(id, ret_now);

	if (id == CLOCK_REALTIME)
		ret_now->tv_sec -= wall_clock_lag;
	return ret;
}

/* Runs body in a child and collects what it logged; reading begins after delay_ms. */
static int run_child(void (*body)(void), uint32_t delay_ms)
{
	int fds[2];
	int status;
	size_t used = 0;
	ssize_t got;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		body();
		_exit(0);
	}
	close(fds[1]);
	usleep(delay_ms * 1000);
	while ((got = read(fds[0], output + used, OUTPUT_BYTES - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static uint32_t count_lines(const char *part)
{
	uint32_t count = 0;

	for (const char *at = output; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static void configure(uint32_t level, enum log_time time)
{
	const struct log_config config = {.level = level, .time = time};

	log_configure(&config, NULL);
}

static void some_lines(void)
{
	configure(VMM_LOG_INFO, LOG_TIME_NONE);
	log_write(VMM_LOG_ERROR, "disk0", "image \"%s\" is gone", "a.img");
	log_write(VMM_LOG_WARN, NULL, "no component");
	log_write(VMM_LOG_DEBUG, "disk0", "not written");
	log_start(NULL, NULL);
	log_write(VMM_LOG_INFO, "kvm", "by the thread");
	log_set_level(VMM_LOG_DEBUG);
	log_write(VMM_LOG_DEBUG, "kvm", "now written");
	log_stop();
	log_write(VMM_LOG_INFO, "kvm", "after the thread");
}

static void test_lines_have_level_component_and_text(void **state)
{
	(void)state;
	assert_int_equal(run_child(some_lines, 0), 0);
	assert_string_equal(output, "error: disk0: image \"a.img\" is gone\n"
				    "warn: no component\n"
				    "info: kvm: by the thread\n"
				    "debug: kvm: now written\n"
				    "info: kvm: after the thread\n");
}

static void hostile_text(void)
{
	char longest[5000];

	configure(0, LOG_TIME_NONE);
	log_write(VMM_LOG_INFO, "a\nb", "\x1b[2Jx\r\ny\tz\x7f\xc3\xa4");
	memset(longest, '\n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	log_write(VMM_LOG_INFO, longest, "%s", longest);
	memset(longest, 'x', sizeof(longest) - 1);
	log_write(VMM_LOG_INFO, longest, "%s", longest);
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	assert_int_equal(run_child(hostile_text, 0), 0);
	assert_non_null(strstr(output, "info: a\\x0ab: \\x1b[2Jx\\x0d\\x0ay\\x09z\\x7f\xc3\xa4\n"));
	assert_int_equal(count_lines("\n"), 3);
	assert_true(strlen(output) < 3000);
}

static void raw_lines(void)
{
	configure(0, LOG_TIME_NONE);
	log_set_raw_terminal(true);
	log_write(VMM_LOG_INFO, "x", "one");
	log_set_raw_terminal(false);
	log_write(VMM_LOG_INFO, "x", "two");
}

static void test_lines_on_a_raw_terminal_end_in_cr_lf(void **state)
{
	(void)state;
	assert_int_equal(run_child(raw_lines, 0), 0);
	assert_string_equal(output, "info: x: one\r\ninfo: x: two\n");
}

static void times(void)
{
	configure(0, LOG_TIME_MONOTONIC);
	log_write(VMM_LOG_INFO, NULL, "a");
	configure(0, LOG_TIME_WALL);
	log_write(VMM_LOG_INFO, NULL, "b");
}

static void test_time_is_since_the_start_or_utc(void **state)
{
	int seconds, year;

	(void)state;
	assert_int_equal(run_child(times, 0), 0);
	assert_int_equal(sscanf(output, "[%d.", &seconds), 1);
	assert_true(seconds < 60);
	assert_int_equal(sscanf(strchr(output, '\n') + 1, "%d-", &year), 1);
	assert_true(year >= 2024);
	assert_non_null(strstr(output, "Z info: b\n"));
}

static void to_file(void)
{
	char text[256];
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	struct log_config config = {.path = "/nowhere/log", .time = LOG_TIME_NONE};

	if (log_configure(&config, &error) != VMM_E_IO ||
		strcmp(text, "log file \"/nowhere/log\" cannot be opened for writing: "
			     "No such file or directory"))
		_exit(1);
	config.path = "test-log-fifo";
	if (mkfifo(config.path, 0600) || log_configure(&config, &error) != VMM_E_IO ||
		!strstr(text, "test-log-fifo\" cannot be opened for writing: it is a FIFO that nobody reads"))
		_exit(4);
	config.path = "test-log-file.txt";
	if (log_configure(&config, &error))
		_exit(2);
	log_set_raw_terminal(true);
	log_start(NULL, NULL);
	if (log_configure(&config, &error) != VMM_E_PHASE)
		_exit(3);
	log_write(VMM_LOG_INFO, "x", "in the file");
	log_stop();
}

static void test_a_file_gets_plain_lines_and_is_checked(void **state)
{
	char line[64];

	(void)state;
	unlink("test-log-file.txt");
	unlink("test-log-fifo");
	assert_int_equal(run_child(to_file, 0), 0);
	unlink("test-log-fifo");
	assert_string_equal(output, "");
	FILE *file = fopen("test-log-file.txt", "r");

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "info: x: in the file\n");
	fclose(file);
	unlink("test-log-file.txt");
}

/* Row H35: the reader stalls; the caller must not. */
static void flood(void)
{
	struct timespec start, end;

	configure(0, LOG_TIME_NONE);
	log_start(NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 20000; i++)
		log_write(VMM_LOG_INFO, "flood", "line %d of very many", i);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (end.tv_sec - start.tv_sec > 2 || !log_dropped())
		_exit(1);
	usleep(600000); /* the reader comes to life */
	log_write(VMM_LOG_INFO, "flood", "the last line");
	log_stop();
}

static void test_h35_a_stalled_reader_costs_lines_not_time(void **state)
{
	(void)state;
	assert_int_equal(run_child(flood, 300), 0);
	assert_non_null(strstr(output, "line 0 of"));
	assert_non_null(strstr(output, "lines were dropped: their reader was too slow\n"));
	assert_non_null(strstr(output, "info: flood: the last line\n"));
	assert_true(count_lines("of very many\n") < 20000);
}

static void stall_for_good(void)
{
	struct timespec start, end;

	configure(0, LOG_TIME_NONE);
	log_start(NULL, NULL);
	for (int i = 0; i < 20000; i++)
		log_write(VMM_LOG_INFO, "flood", "line %d of very many", i);
	clock_gettime(CLOCK_MONOTONIC, &start);
	log_stop();
	log_write(VMM_LOG_INFO, "flood", "nobody is there");
	clock_gettime(CLOCK_MONOTONIC, &end);
	_exit(end.tv_sec - start.tv_sec > 2);
}

static void test_h35_a_dead_reader_does_not_hold_up_the_end(void **state)
{
	(void)state;
	assert_int_equal(run_child(stall_for_good, 4000), 0);
}

static void end_with_a_step(void)
{
	configure(0, LOG_TIME_NONE);
	log_start(NULL, NULL);
	/* More than a pipe takes. */
	for (int i = 0; i < 1000; i++)
		log_write(VMM_LOG_INFO, "flood", "line %d of %75s", i, "many");
	wall_clock_lag = 3600;
	log_write(VMM_LOG_INFO, "flood", "the last line");
	log_stop();
}

static void test_h23_a_step_of_the_wall_clock_loses_no_lines(void **state)
{
	(void)state;
	assert_int_equal(run_child(end_with_a_step, 100), 0);
	assert_non_null(strstr(output, "info: flood: the last line\n"));
}

static void guest_errors(void)
{
	configure(0, LOG_TIME_NONE);
	struct log_source *source = log_source_create("disk0");

	for (int i = 0; i < 1000; i++)
		log_guest_error(source, "queue", "bad head");
	log_guest_error(source, "config", "bad offset");
	if (log_guest_errors(source) != 1001 || strcmp(log_source_name(source), "disk0"))
		_exit(1);
	log_source_destroy(source);
	log_source_destroy(NULL);
}

static void test_lines_of_a_guest_are_limited_for_each_site(void **state)
{
	(void)state;
	assert_int_equal(run_child(guest_errors, 0), 0);
	assert_int_equal(count_lines("warn: disk0: bad head\n"), 10);
	assert_int_equal(count_lines("warn: disk0: bad offset\n"), 1);
	assert_non_null(strstr(output, "warn: disk0: queue: 990 more suppressed\n"));
}

static void many_sites(void)
{
	static char names[1000][24];

	configure(0, LOG_TIME_NONE);
	struct log_source *source = log_source_create("disk0");

	for (int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "site %d", i);
		log_guest_error(source, names[i], names[i]);
	}
	log_source_destroy(source);
}

static void test_the_number_of_sites_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(run_child(many_sites, 0), 0);
	assert_int_equal(count_lines("warn: disk0: site"), 31 + 10);
	assert_non_null(strstr(output, "other places: 959 more suppressed\n"));
}

static void *write_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_write(VMM_LOG_INFO, arg, "a line that must stay whole");
	return NULL;
}

static void threads(void)
{
	pthread_t ids[4];
	char names[4][2] = {"a", "b", "c", "d"};

	configure(0, LOG_TIME_NONE);
	log_start(NULL, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&ids[i], NULL, write_many, names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(ids[i], NULL);
	log_stop();
}

static void test_lines_of_several_threads_stay_whole(void **state)
{
	(void)state;
	assert_int_equal(run_child(threads, 0), 0);
	assert_int_equal(count_lines(": a line that must stay whole\ninfo: "), 799);
}

static void test_the_limit_opens_again_after_its_time(void **state)
{
	struct log_limit limit = {0};
	uint64_t suppressed;
	uint64_t start = 1000;

	(void)state;
	for (uint32_t i = 0; i < LOG_LIMIT_LINES; i++)
		assert_true(log_limit_pass(&limit, start + i, &suppressed));
	for (uint32_t i = 0; i < 7; i++) {
		assert_false(log_limit_pass(&limit, start + LOG_LIMIT_NS - 1, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	assert_true(log_limit_pass(&limit, start + LOG_LIMIT_NS, &suppressed));
	assert_int_equal(suppressed, 7);
	assert_true(log_limit_pass(&limit, start + 3 * LOG_LIMIT_NS, &suppressed));
	assert_int_equal(suppressed, 0);
}

static void test_levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(log_level_from_name("debug"), VMM_LOG_DEBUG);
	assert_int_equal(log_level_from_name("error"), VMM_LOG_ERROR);
	assert_int_equal(log_level_from_name("loud"), 0);
	assert_string_equal(log_level_name(VMM_LOG_WARN), "warn");
	assert_string_equal(log_level_name(1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_have_level_component_and_text),
		cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(test_lines_on_a_raw_terminal_end_in_cr_lf),
		cmocka_unit_test(test_time_is_since_the_start_or_utc),
		cmocka_unit_test(test_a_file_gets_plain_lines_and_is_checked),
		cmocka_unit_test(test_h35_a_stalled_reader_costs_lines_not_time),
		cmocka_unit_test(test_h35_a_dead_reader_does_not_hold_up_the_end),
		cmocka_unit_test(test_h23_a_step_of_the_wall_clock_loses_no_lines),
		cmocka_unit_test(test_lines_of_a_guest_are_limited_for_each_site),
		cmocka_unit_test(test_the_number_of_sites_is_bounded),
		cmocka_unit_test(test_lines_of_several_threads_stay_whole),
		cmocka_unit_test(test_the_limit_opens_again_after_its_time),
		cmocka_unit_test(test_levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
