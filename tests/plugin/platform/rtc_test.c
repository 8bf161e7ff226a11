/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.so, the clock: time, setting it, alarm, update and periodic interrupts, CMOS RAM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#define S UINT64_C(1000000000)

#define SET    0x80
#define PIE    0x40
#define AIE    0x20
#define UIE    0x10
#define BINARY 0x04
#define H24    0x02

/* Thursday, 2024-02-29 23:59:58 UTC. */
#define LEAP_DAY UINT64_C(1709251198)

static const struct fake_config config = {.flags = FAKE_CLOCK};

static int set_up(void **state)
{
	struct fake_host *host = fake_host_create(&config);

	fake_plugin_load(host, FAKE_PLUGIN("platform"));
	fake_clock_set_real(host, LEAP_DAY * S);
	assert_int_equal(fake_device_add(host, "platform", "board", NULL, NULL), 0);
	assert_int_equal(fake_host_start(host), 0);
	*state = host;
	return 0;
}

static int tear_down(void **state)
{
	fake_host_destroy(*state);
	return 0;
}

static unsigned get(struct fake_host *host, unsigned index)
{
	fake_pio_write(host, 0x70, 1, index);
	return (unsigned)fake_pio_read(host, 0x71, 1);
}

static void set(struct fake_host *host, unsigned index, unsigned value)
{
	fake_pio_write(host, 0x70, 1, index);
	fake_pio_write(host, 0x71, 1, value);
}

static void go(struct fake_host *host, uint64_t ns)
{
	fake_clock_advance(host, ns);
	fake_settle(host);
}

/* Year, month, day, weekday, hour, minute, second as one string of registers. */
static void assert_clock(struct fake_host *host, const char *expected)
{
	char text[32];

	snprintf(text, sizeof(text), "%02x%02x-%02x-%02x %x %02x:%02x:%02x", get(host, 0x32),
		get(host, 9), get(host, 8), get(host, 7), get(host, 6), get(host, 4), get(host, 2),
		get(host, 0));
	assert_string_equal(text, expected);
}

static void it_shows_the_hosts_time_in_utc(void **state)
{
	assert_clock(*state, "2024-02-29 5 23:59:58");
	go(*state, 1 * S);
	assert_clock(*state, "2024-02-29 5 23:59:59");
	go(*state, 1 * S);
	assert_clock(*state, "2024-03-01 6 00:00:00");
}

static void it_shows_binary_and_12_hours_when_told(void **state)
{
	set(*state, 0x0b, BINARY | H24);
	assert_clock(*state, "1418-02-1d 5 17:3b:3a");
	set(*state, 0x0b, 0);
	assert_clock(*state, "2024-02-29 5 91:59:58");
	go(*state, 2 * S);
	assert_clock(*state, "2024-03-01 6 12:00:00"); /* midnight is 12 am */
	go(*state, 13 * 3600 * S);
	assert_clock(*state, "2024-03-01 6 81:00:00");
}

static void dates_agree_with_the_c_library(void **state)
{
	srand(1);
	for (int i = 0; i < 3000; i++) {
		time_t t = (time_t)(((uint64_t)rand() << 2) % UINT64_C(7258118400)); /* 2200 */
		char expected[64];
		struct tm tm;

		gmtime_r(&t, &tm);
		fake_clock_set_real(*state, (uint64_t)t * S);
		strftime(expected, sizeof(expected), "%Y-%m-%d ", &tm);
		snprintf(expected + 11, sizeof(expected) - 11, "%d %02d:%02d:%02d", tm.tm_wday + 1,
			tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_clock(*state, expected);
	}
}

static void it_stands_still_while_it_is_set_and_goes_on_from_there(void **state)
{
	set(*state, 0x0b, SET | H24);
	go(*state, 10 * S);
	assert_clock(*state, "2024-02-29 5 23:59:58");
	set(*state, 0x32, 0x19);
	set(*state, 0x09, 0x99);
	set(*state, 0x08, 0x12);
	set(*state, 0x07, 0x31);
	set(*state, 0x04, 0x23);
	set(*state, 0x02, 0x59);
	set(*state, 0x00, 0x59);
	assert_clock(*state, "1999-12-31 5 23:59:59");
	set(*state, 0x0b, H24);
	assert_clock(*state, "1999-12-31 6 23:59:59");
	go(*state, 1 * S);
	assert_clock(*state, "2000-01-01 7 00:00:00");
	/* The host's clock is set: the guest's follows by as much. */
	fake_clock_set_real(*state, (LEAP_DAY + 11 + 60) * S);
	assert_clock(*state, "2000-01-01 7 00:01:00");
}

static void it_can_be_set_while_it_runs(void **state)
{
	set(*state, 0x02, 0x30);
	assert_clock(*state, "2024-02-29 5 23:30:58");
	go(*state, 60 * S);
	assert_clock(*state, "2024-02-29 5 23:31:58");
}

static void values_that_no_clock_shows_do_no_harm(void **state)
{
	srand(2);
	for (int i = 0; i < 20000; i++) {
		static const uint8_t indices[] = {
			0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0x32, 0xff, 0x80};

		set(*state, indices[(unsigned)rand() % sizeof(indices)], (unsigned)rand() & 0xff);
		get(*state, (unsigned)rand() & 0xff);
		go(*state, (uint64_t)rand() * 4);
	}
	set(*state, 0x0b, SET | BINARY | H24);
	for (unsigned i = 0; i < 10; i++)
		set(*state, i, 0xff);
	set(*state, 0x32, 0xff);
	set(*state, 0x0b, BINARY | H24 | AIE | UIE);
	go(*state, 1 * S);
	set(*state, 0x0b, SET | H24);
	set(*state, 8, 0);
	set(*state, 0x0b, H24);
	assert_int_equal(get(*state, 8) >> 5, 0);
}

static void uip_is_set_right_before_an_update(void **state)
{
	assert_int_equal(get(*state, 0x0a), 0x26);
	go(*state, S - 244001);
	assert_int_equal(get(*state, 0x0a), 0x26);
	go(*state, 1);
	assert_int_equal(get(*state, 0x0a), 0xa6);
	set(*state, 0x0b, SET | H24); /* no updates, no UIP */
	assert_int_equal(get(*state, 0x0a), 0x26);
	set(*state, 0x0b, H24);
	go(*state, 244000);
	assert_int_equal(get(*state, 0x0a), 0x26);
}

static void flags_can_be_polled_without_interrupts(void **state)
{
	get(*state, 0x0c);
	assert_int_equal(get(*state, 0x0c), 0);
	go(*state, 1 * S);
	assert_int_equal(get(*state, 0x0c), 0x50); /* update and periodic, no IRQF */
	assert_int_equal(get(*state, 0x0c), 0);
	assert_int_equal(fake_line_rises(*state, 8), 0);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
}

static void update_interrupts_come_each_second_if_they_are_acknowledged(void **state)
{
	set(*state, 0x0a, 0x20);
	set(*state, 0x0b, UIE | H24);
	go(*state, 1 * S);
	assert_int_equal(fake_line_rises(*state, 8), 1);
	assert_int_equal(fake_line_level(*state, 8), 1);
	go(*state, 5 * S); /* not acknowledged: no more, and no timer */
	assert_int_equal(fake_line_rises(*state, 8), 1);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
	assert_int_equal(get(*state, 0x0c), 0xb0); /* the alarm registers say midnight */
	assert_int_equal(fake_line_level(*state, 8), 0);
	for (unsigned i = 0; i < 5; i++) {
		go(*state, 1 * S);
		assert_int_equal(fake_line_rises(*state, 8), 2 + i);
		assert_int_equal(get(*state, 0x0c), 0x90);
	}
	set(*state, 0x0b, H24);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
	set(*state, 0x0b, SET | UIE | H24); /* SET clears UIE */
	assert_int_equal(get(*state, 0x0b), SET | H24);
}

static void update_interrupts_go_on_when_the_hosts_clock_is_set(void **state)
{
	set(*state, 0x0a, 0x20);
	set(*state, 0x0b, UIE | H24);
	for (unsigned i = 1; i <= 3; i++) {
		fake_clock_set_real(*state, (LEAP_DAY - i * 3600) * S + S / 4);
		go(*state, S);
		assert_int_equal(fake_line_rises(*state, 8), i);
		assert_int_equal(get(*state, 0x0c) & 0x90, 0x90);
	}
	fake_clock_set_real(*state, (LEAP_DAY + 3600) * S);
	go(*state, S);
	assert_int_equal(fake_line_rises(*state, 8), 4);
}

static void set_alarm(struct fake_host *host, unsigned hour, unsigned minute, unsigned second)
{
	set(host, 5, hour);
	set(host, 3, minute);
	set(host, 1, second);
	get(host, 0x0c);
	set(host, 0x0b, AIE | H24);
}

static void the_alarm_comes_at_its_time_of_day(void **state)
{
	set_alarm(*state, 0x07, 0x15, 0x30);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 1);
	go(*state, (7 * 3600 + 15 * 60 + 31) * S);
	assert_int_equal(fake_line_rises(*state, 8), 0);
	go(*state, 1 * S);
	assert_clock(*state, "2024-03-01 6 07:15:30");
	assert_int_equal(fake_line_rises(*state, 8), 1);
	assert_int_equal(get(*state, 0x0c) & 0xa0, 0xa0);
	go(*state, 86399 * S);
	assert_int_equal(fake_line_rises(*state, 8), 1);
	go(*state, 1 * S);
	assert_int_equal(fake_line_rises(*state, 8), 2);
}

static void alarm_fields_can_match_everything(void **state)
{
	set_alarm(*state, 0xff, 0xc0, 0x05);
	for (unsigned i = 1; i <= 3; i++) {
		go(*state, i == 1 ? 7 * S : 60 * S);
		assert_int_equal(fake_line_rises(*state, 8), i);
		assert_int_equal(get(*state, 0), 0x05);
		get(*state, 0x0c);
	}
	set_alarm(*state, 0xff, 0x20, 0xff); /* each second of minute 20 */
	go(*state, 18 * 60 * S);
	get(*state, 0x0c);
	go(*state, 1 * S);
	assert_int_equal(get(*state, 0x0c) & 0xa0, 0xa0);
	go(*state, 1 * S);
	assert_int_equal(get(*state, 0x0c) & 0xa0, 0xa0);
}

static void an_alarm_at_no_time_of_day_never_comes(void **state)
{
	set_alarm(*state, 0x24, 0x00, 0x00);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
	set_alarm(*state, 0xff, 0x60, 0x00);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
	go(*state, 3 * 86400 * S);
	assert_int_equal(fake_line_rises(*state, 8), 0);
}

static void an_alarm_moves_when_the_guest_sets_its_clock(void **state)
{
	set_alarm(*state, 0x12, 0x00, 0x00);
	set(*state, 0x0b, SET | AIE | H24);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
	set(*state, 4, 0x11);
	set(*state, 2, 0x59);
	set(*state, 0, 0x58);
	set(*state, 0x0b, AIE | H24);
	go(*state, 1 * S);
	assert_int_equal(fake_line_rises(*state, 8), 0);
	go(*state, 1 * S);
	assert_int_equal(fake_line_rises(*state, 8), 1);
}

static void periodic_interrupts_have_the_chosen_rate(void **state)
{
	static const struct {
		unsigned rate, hz;
	} rates[] = {{1, 256}, {2, 128}, {3, 8192}, {4, 4096}, {6, 1024}, {10, 64}, {15, 2}};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t before = fake_line_rises(*state, 8), rises;

		set(*state, 0x0a, 0x20 | rates[i].rate);
		set(*state, 0x0b, PIE | H24);
		get(*state, 0x0c);
		for (unsigned j = 0; j < 100000; j++) {
			fake_clock_advance(*state, 10000);
			fake_run_once(*state, 0);
			if (fake_line_level(*state, 8))
				assert_int_equal(get(*state, 0x0c) & 0xc0, 0xc0);
		}
		rises = fake_line_rises(*state, 8) - before;
		assert_in_range(rises, rates[i].hz - 1, rates[i].hz + 1);
		set(*state, 0x0b, H24);
	}
	set(*state, 0x0a, 0x20); /* rate 0: none */
	set(*state, 0x0b, PIE | H24);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
}

static void missed_periods_come_as_one_interrupt(void **state)
{
	uint64_t before;

	set(*state, 0x0b, PIE | H24);
	get(*state, 0x0c);
	before = fake_line_rises(*state, 8);
	go(*state, 3600 * S); /* the host slept */
	assert_int_equal(fake_line_rises(*state, 8), before + 1);
	get(*state, 0x0c);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 1);
}

static void enabling_an_interrupt_whose_flag_is_set_raises_it(void **state)
{
	go(*state, 2 * S);
	assert_int_equal(fake_line_level(*state, 8), 0);
	set(*state, 0x0b, UIE | H24);
	assert_int_equal(fake_line_level(*state, 8), 1);
}

static void cmos_ram_keeps_what_is_written(void **state)
{
	for (unsigned i = 0x0e; i < 0x80; i++) {
		if (i != 0x32)
			set(*state, i, i ^ 0x5a);
	}
	for (unsigned i = 0x0e; i < 0x80; i++) {
		if (i != 0x32)
			assert_int_equal(get(*state, i), i ^ 0x5a);
	}
}

static void status_registers_are_read_only_where_the_chip_says_so(void **state)
{
	set(*state, 0x0d, 0);
	assert_int_equal(get(*state, 0x0d), 0x80);
	get(*state, 0x0c);
	set(*state, 0x0c, 0xff);
	assert_int_equal(get(*state, 0x0c), 0);
	set(*state, 0x0a, 0xff);
	assert_int_equal(get(*state, 0x0a), 0x7f);
}

static void the_nmi_bit_of_the_index_is_ignored(void **state)
{
	set(*state, 0xc0, 0x77);
	assert_int_equal(get(*state, 0x40), 0x77);
	assert_int_equal(fake_pio_read(*state, 0x70, 1), 0xff);
	/* A word writes the index and then the data. */
	fake_pio_write(*state, 0x70, 2, 0x1241);
	assert_int_equal(get(*state, 0x41), 0x12);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_shows_the_hosts_time_in_utc),
		TEST(it_shows_binary_and_12_hours_when_told),
		TEST(dates_agree_with_the_c_library),
		TEST(it_stands_still_while_it_is_set_and_goes_on_from_there),
		TEST(it_can_be_set_while_it_runs),
		TEST(values_that_no_clock_shows_do_no_harm),
		TEST(uip_is_set_right_before_an_update),
		TEST(flags_can_be_polled_without_interrupts),
		TEST(update_interrupts_come_each_second_if_they_are_acknowledged),
		TEST(update_interrupts_go_on_when_the_hosts_clock_is_set),
		TEST(the_alarm_comes_at_its_time_of_day),
		TEST(alarm_fields_can_match_everything),
		TEST(an_alarm_at_no_time_of_day_never_comes),
		TEST(an_alarm_moves_when_the_guest_sets_its_clock),
		TEST(periodic_interrupts_have_the_chosen_rate),
		TEST(missed_periods_come_as_one_interrupt),
		TEST(enabling_an_interrupt_whose_flag_is_set_raises_it),
		TEST(cmos_ram_keeps_what_is_written),
		TEST(status_registers_are_read_only_where_the_chip_says_so),
		TEST(the_nmi_bit_of_the_index_is_ignored),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
