/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.so, device type debug-exit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

static int set_up(void **state)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("platform"));
	*state = host;
	return 0;
}

static int tear_down(void **state)
{
	fake_host_destroy(*state);
	return 0;
}

static uint32_t status_of(struct fake_host *host, uint32_t width, uint64_t value)
{
	uint32_t status = 0;

	fake_stop_clear(host);
	fake_pio_write(host, 0xf4, width, value);
	assert_int_equal(fake_stop_reason(host, &status), VMM_STOP_EXIT);
	return status;
}

static void a_write_ends_the_process_with_twice_the_value_plus_one(void **state)
{
	assert_int_equal(fake_device_add(*state, "debug-exit", "exit", NULL, NULL), 0);
	assert_int_equal(fake_host_start(*state), 0);
	assert_int_equal(fake_pio_read(*state, 0xf4, 1), 0);
	assert_int_equal(fake_stop_reason(*state, NULL), 0);
	assert_int_equal(status_of(*state, 1, 0), 1);
	assert_int_equal(status_of(*state, 1, 0x10), 33);
	assert_int_equal(status_of(*state, 2, 0x7f), 255);
	assert_int_equal(status_of(*state, 4, 3), 7);
	/* Never even, whatever is left of it in 8 bits. */
	assert_int_equal(status_of(*state, 4, 0xffffffff), 255);
	assert_int_equal(status_of(*state, 1, 0x80), 1);
}

static void the_port_is_an_option(void **state)
{
	uint32_t status;

	assert_int_equal(
		fake_device_add(*state, "debug-exit", "exit", FAKE_OPTIONS("port=0x501"), NULL), 0);
	assert_int_equal(fake_host_start(*state), 0);
	assert_false(fake_io_mapped(*state, VMM_IO_PIO, 0xf4));
	fake_pio_write(*state, 0x501, 1, 4);
	assert_int_equal(fake_stop_reason(*state, &status), VMM_STOP_EXIT);
	assert_int_equal(status, 9);
}

static void the_port_must_be_an_io_port(void **state)
{
	assert_true(fake_device_add(
			    *state, "debug-exit", "exit", FAKE_OPTIONS("port=0xfffd"), NULL) < 0);
	assert_int_equal(
		fake_device_add(*state, "debug-exit", "exit", FAKE_OPTIONS("port=0xfffc"), NULL),
		0);
	assert_int_equal(fake_host_start(*state), 0);
}

static void a_taken_port_is_an_error_that_names_it(void **state)
{
	assert_int_equal(fake_device_add(*state, "debug-exit", "one", NULL, NULL), 0);
	assert_int_equal(fake_device_add(*state, "debug-exit", "two", NULL, NULL), 0);
	assert_int_equal(fake_host_start(*state), VMM_E_EXISTS);
	assert_non_null(strstr(fake_error(*state), "port 0xf4 cannot be had"));
}

static void each_failing_service_undoes_everything(void **state)
{
	for (uint32_t n = 1; n < 50; n++) {
		struct fake_host *host = fake_host_create(NULL);
		int32_t ret;

		fake_plugin_load(host, FAKE_PLUGIN("platform"));
		fake_host_fail_after(host, n);
		ret = fake_device_add(host, "debug-exit", "exit", NULL, NULL);
		if (ret == 0)
			ret = fake_host_start(host);
		if (!fake_host_fault_hit(host)) {
			assert_int_equal(ret, 0);
			n = 50;
		} else {
			assert_true(ret < 0);
		}
		fake_host_destroy(host);
	}
	(void)state;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_ends_the_process_with_twice_the_value_plus_one),
		TEST(the_port_is_an_option),
		TEST(the_port_must_be_an_io_port),
		TEST(a_taken_port_is_an_error_that_names_it),
		TEST(each_failing_service_undoes_everything),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
