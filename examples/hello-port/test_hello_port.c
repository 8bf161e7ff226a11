/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello-port.so in a fake host: no KVM, no guest; the test reads and writes ports as a guest would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#define PORT 0x580

/* A host with hello-port.so in it, and a device of it if options are given. */
static struct fake_host *host_with(const char *const *options)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("hello-port"));
	if (options)
		assert_int_equal(fake_device_add(host, "hello-port", "hello0", options, NULL), 0);
	return host;
}

static void guest_reads_the_text_over_and_over(void **state)
{
	struct fake_host *host = host_with(FAKE_OPTIONS("text=abc"));

	(void)state;
	assert_int_equal(fake_host_start(host), 0);
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'b');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'c');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	fake_host_destroy(host);
}

static void write_starts_the_text_again(void **state)
{
	struct fake_host *host = host_with(FAKE_OPTIONS("text=abc"));

	(void)state;
	assert_int_equal(fake_host_start(host), 0);
	fake_pio_read(host, PORT, 1);
	fake_pio_write(host, PORT, 1, 0);
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	fake_host_destroy(host);
}

static void two_devices_do_not_share_anything(void **state)
{
	struct fake_host *host = host_with(FAKE_OPTIONS("text=abc"));

	(void)state;
	assert_int_equal(fake_device_add(host, "hello-port", "hello1",
				 FAKE_OPTIONS("port=0x590", "text=xyz"), NULL),
		0);
	assert_int_equal(fake_host_start(host), 0);
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	assert_int_equal(fake_pio_read(host, 0x590, 1), 'x');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'b');
	fake_host_destroy(host);
}

static void taken_port_is_an_error_that_names_it(void **state)
{
	struct fake_host *host = host_with(FAKE_OPTIONS("text=abc"));

	(void)state;
	assert_int_equal(fake_device_add(host, "hello-port", "hello1", NULL, NULL), 0);
	assert_int_equal(fake_host_start(host), VMM_E_EXISTS);
	assert_string_equal(fake_error(host), "port 0x580 is not free");
	fake_host_destroy(host);
}

static void every_failing_service_is_survived(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		struct fake_host *host = host_with(NULL);
		int failed;

		fake_host_fail_after(host, n);
		if (fake_device_add(host, "hello-port", "hello0", NULL, NULL) == 0)
			fake_host_start(host);
		failed = fake_host_fault_hit(host);
		fake_host_destroy(host); /* fails the test if something was left behind */
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_reads_the_text_over_and_over),
		cmocka_unit_test(write_starts_the_text_again),
		cmocka_unit_test(two_devices_do_not_share_anything),
		cmocka_unit_test(taken_port_is_an_error_that_names_it),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
