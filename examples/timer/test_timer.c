/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.so in a fake host whose time moves only when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#define DELAY 0x590
#define COUNT 0x594
#define IRQ   5
#define MS_NS 1000000ull

static const struct fake_config config = {.flags = FAKE_CLOCK};

static struct fake_host *started(void)
{
	struct fake_host *host = fake_host_create(&config);

	fake_plugin_load(host, FAKE_PLUGIN("timer"));
	assert_int_equal(fake_device_add(host, "timer", "timer0", NULL, NULL), 0);
	assert_int_equal(fake_host_start(host), 0);
	return host;
}

static void pass_ms(struct fake_host *host, uint64_t ms)
{
	fake_clock_advance(host, ms * MS_NS);
	fake_settle(host);
}

static void fires_once_when_the_time_is_over(void **state)
{
	struct fake_host *host = started();

	(void)state;
	fake_pio_write(host, DELAY, 4, 2000);
	pass_ms(host, 1);
	assert_int_equal(fake_line_rises(host, IRQ), 0);
	pass_ms(host, 1);
	assert_int_equal(fake_line_rises(host, IRQ), 1);
	assert_int_equal(fake_line_level(host, IRQ), 0); /* a pulse */
	assert_int_equal(fake_pio_read(host, COUNT, 4), 1);
	pass_ms(host, 100);
	assert_int_equal(fake_line_rises(host, IRQ), 1);
	fake_host_destroy(host);
}

static void delay_tells_what_is_left(void **state)
{
	struct fake_host *host = started();

	(void)state;
	assert_int_equal(fake_pio_read(host, DELAY, 4), 0);
	fake_pio_write(host, DELAY, 4, 5000);
	pass_ms(host, 2);
	assert_int_equal(fake_pio_read(host, DELAY, 4), 3000);
	pass_ms(host, 10);
	assert_int_equal(fake_pio_read(host, DELAY, 4), 0);
	fake_host_destroy(host);
}

static void zero_disarms(void **state)
{
	struct fake_host *host = started();

	(void)state;
	fake_pio_write(host, DELAY, 4, 5000);
	fake_pio_write(host, DELAY, 4, 0);
	pass_ms(host, 10);
	assert_int_equal(fake_line_rises(host, IRQ), 0);
	fake_host_destroy(host);
}

static void partial_writes_are_ignored(void **state)
{
	struct fake_host *host = started();

	(void)state;
	fake_pio_write(host, DELAY, 1, 200);
	fake_pio_write(host, DELAY + 2, 2, 1);
	pass_ms(host, 1000);
	assert_int_equal(fake_line_rises(host, IRQ), 0);
	fake_host_destroy(host);
}

static void write_to_count_starts_at_zero_again(void **state)
{
	struct fake_host *host = started();

	(void)state;
	fake_pio_write(host, DELAY, 4, 1);
	pass_ms(host, 1);
	fake_pio_write(host, COUNT, 4, 0);
	assert_int_equal(fake_pio_read(host, COUNT, 4), 0);
	fake_host_destroy(host);
}

static void every_failing_service_is_survived(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		struct fake_host *host = fake_host_create(&config);
		int failed;

		fake_plugin_load(host, FAKE_PLUGIN("timer"));
		fake_host_fail_after(host, n);
		if (fake_device_add(host, "timer", "timer0", NULL, NULL) == 0)
			fake_host_start(host);
		failed = fake_host_fault_hit(host);
		fake_host_destroy(host);
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_when_the_time_is_over),
		cmocka_unit_test(delay_tells_what_is_left),
		cmocka_unit_test(zero_disarms),
		cmocka_unit_test(partial_writes_are_ignored),
		cmocka_unit_test(write_to_count_starts_at_zero_again),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
