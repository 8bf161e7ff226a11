/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.so, device type platform: resets, power-off, power button, ACPI, its life. The clock is
 * in rtc_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#define SLEEP_CONTROL 0x600
#define SLEEP_STATUS  0x601
#define RESET         0x602

static int set_up(void **state)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("platform"));
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

/* The reason for which the machine stops on this write, 0 for none. */
static uint32_t stops(struct fake_host *host, uint64_t port, uint64_t value)
{
	uint32_t reason;

	fake_pio_write(host, port, 1, value);
	reason = fake_stop_reason(host, NULL);
	fake_stop_clear(host);
	return reason;
}

static void keyboard_controller_pulses_reset(void **state)
{
	assert_int_equal(stops(*state, 0x64, 0xfe), VMM_STOP_RESET);
	assert_int_equal(stops(*state, 0x64, 0xf0), VMM_STOP_RESET);
	assert_int_equal(stops(*state, 0x64, 0xff), 0); /* no line */
	assert_int_equal(stops(*state, 0x64, 0xfd), 0); /* A20 only */
}

static void keyboard_controller_output_port_resets(void **state)
{
	assert_int_equal(stops(*state, 0x60, 0xfe), 0); /* data of no command */
	assert_int_equal(stops(*state, 0x64, 0xd1), 0);
	assert_int_equal(stops(*state, 0x60, 0xdf), 0); /* A20 on */
	assert_int_equal(stops(*state, 0x60, 0xfe), 0);
	assert_int_equal(stops(*state, 0x64, 0xd1), 0);
	assert_int_equal(stops(*state, 0x60, 0xfe), VMM_STOP_RESET);
}

static void keyboard_controller_is_never_busy(void **state)
{
	for (unsigned value = 0; value < 0x100; value++) {
		fake_pio_write(*state, 0x64, 1, value);
		fake_pio_write(*state, 0x60, 1, value | 1);
		assert_int_equal(fake_pio_read(*state, 0x64, 1) & 2, 0);
		/* Reading empties it: a guest's loop that drains it ends. */
		fake_pio_read(*state, 0x60, 1);
		assert_int_equal(fake_pio_read(*state, 0x64, 1), 0x14);
	}
}

static void keyboard_controller_says_that_a20_is_on(void **state)
{
	fake_pio_write(*state, 0x64, 1, 0xd0);
	assert_int_equal(fake_pio_read(*state, 0x64, 1), 0x15);
	assert_int_equal(fake_pio_read(*state, 0x60, 1), 0x03);
	assert_int_equal(fake_pio_read(*state, 0x64, 1), 0x14);
}

static void port_92_resets_on_a_rising_bit(void **state)
{
	assert_int_equal(fake_pio_read(*state, 0x92, 1), 0x02);
	assert_int_equal(stops(*state, 0x92, 0x02), 0);
	assert_int_equal(stops(*state, 0x92, 0x00), 0);
	assert_int_equal(fake_pio_read(*state, 0x92, 1), 0x02); /* A20 stays on */
	assert_int_equal(stops(*state, 0x92, 0x01), VMM_STOP_RESET);
	assert_int_equal(stops(*state, 0x92, 0x03), 0);
	assert_int_equal(stops(*state, 0x92, 0x02), 0);
	assert_int_equal(stops(*state, 0x92, 0x03), VMM_STOP_RESET);
}

static void acpi_powers_off_and_resets(void **state)
{
	assert_int_equal(stops(*state, SLEEP_STATUS, 0x80), 0); /* clear WAK_STS */
	assert_int_equal(stops(*state, SLEEP_CONTROL, 5 << 2), 0);
	assert_int_equal(stops(*state, SLEEP_CONTROL, 0x20 | 5 << 2), VMM_STOP_POWER_OFF);
	assert_int_equal(stops(*state, RESET, 0), 0);
	assert_int_equal(stops(*state, RESET, 1), VMM_STOP_RESET);
	for (unsigned port = SLEEP_CONTROL; port <= RESET; port++)
		assert_int_equal(fake_pio_read(*state, port, 1), 0);
}

static void a_sleep_type_that_is_not_offered_is_a_guest_error(void **state)
{
	for (unsigned type = 0; type < 8; type++) {
		if (type != 5)
			assert_int_equal(stops(*state, SLEEP_CONTROL, 0x20 | type << 2), 0);
	}
	assert_int_equal(fake_guest_errors(*state, "sleep-type"), 7);
}

static void wide_accesses_are_taken_byte_by_byte(void **state)
{
	fake_pio_write(*state, SLEEP_CONTROL, 4, 0xff010000u);
	assert_int_equal(fake_stop_reason(*state, NULL), VMM_STOP_RESET);
	assert_int_equal(fake_pio_read(*state, SLEEP_CONTROL, 4), 0xff000000u);
}

static void the_power_button_is_one_edge_on_gsi_9(void **state)
{
	assert_int_equal(fake_line_rises(*state, 9), 0);
	fake_event(*state, VMM_EVENT_POWER_BUTTON);
	fake_settle(*state);
	assert_int_equal(fake_line_rises(*state, 9), 1);
	assert_int_equal(fake_line_level(*state, 9), 0);
	fake_event(*state, VMM_EVENT_POWER_BUTTON);
	fake_settle(*state);
	assert_int_equal(fake_line_rises(*state, 9), 2);
}

static void acpi_describes_it(void **state)
{
	const struct vmm_acpi_fixed *fixed = fake_acpi_fixed(*state);
	uint64_t bytes = 0;
	const uint8_t *table = fake_acpi_table(*state, "SSDT", 0, &bytes);

	assert_int_equal(fixed->sleep_control_port, SLEEP_CONTROL);
	assert_int_equal(fixed->sleep_status_port, SLEEP_STATUS);
	assert_int_equal(fixed->reset_port, RESET);
	assert_int_equal(fixed->reset_value, 1);
	assert_int_equal(fixed->boot_flags, VMM_ACPI_BOOT_RTC);
	assert_non_null(table);
	assert_non_null(memmem(table, bytes, "_S5_\x12", 5));
	assert_non_null(memmem(table, bytes, "ACPI0013", 9));
	assert_non_null(memmem(table, bytes, "\x0c\x41\xd0\x0c\x0c", 5)); /* PNP0C0C */
	assert_non_null(memmem(table, bytes, "\x0c\x41\xd0\x0b\x00", 5)); /* PNP0B00 */
	/* Extended interrupt descriptor: consumer, edge, active high, exclusive, GSI 9. */
	assert_non_null(memmem(table, bytes, "\x89\x06\x00\x03\x01\x09\x00\x00\x00", 9));
}

static void it_has_no_options_and_no_pending_timers(void **state)
{
	assert_int_equal(fake_type(*state, "platform")->option_count, 0);
	assert_int_equal(fake_timers_armed(fake_device(*state, "board")), 0);
}

static void a_second_one_is_an_error(void **state)
{
	assert_int_equal(fake_device_add(*state, "platform", "again", NULL, NULL), 0);
	assert_int_equal(fake_host_start(*state), VMM_E_EXISTS);
	assert_non_null(strstr(fake_error(*state), "a machine has one platform device"));
}

static void each_failing_service_undoes_everything(void **state)
{
	uint32_t n, hits = 0;

	for (n = 1; n < 100; n++) {
		struct fake_host *host = fake_host_create(NULL);
		int32_t ret;
		int hit;

		fake_plugin_load(host, FAKE_PLUGIN("platform"));
		fake_host_fail_after(host, n);
		ret = fake_device_add(host, "platform", "board", NULL, NULL);
		if (ret == 0)
			ret = fake_host_start(host);
		hit = fake_host_fault_hit(host);
		assert_int_equal(ret < 0, hit);
		fake_host_destroy(host); /* fails the test if anything is left */
		if (!hit)
			break;
		hits++;
	}
	assert_in_range(hits, 10, 40);
	(void)state;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keyboard_controller_pulses_reset),
		TEST(keyboard_controller_output_port_resets),
		TEST(keyboard_controller_is_never_busy),
		TEST(keyboard_controller_says_that_a20_is_on),
		TEST(port_92_resets_on_a_rising_bit),
		TEST(acpi_powers_off_and_resets),
		TEST(a_sleep_type_that_is_not_offered_is_a_guest_error),
		TEST(wide_accesses_are_taken_byte_by_byte),
		TEST(the_power_button_is_one_edge_on_gsi_9),
		TEST(acpi_describes_it),
		TEST(it_has_no_options_and_no_pending_timers),
		TEST(a_second_one_is_an_error),
		TEST(each_failing_service_undoes_everything),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
