/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello-port-rust.so in a fake host: the testkit is C, whatever the plugin is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#define TYPE "hello-port-rust"
#define PORT 0x580

static struct fake_host *with_plugin(void)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("hello-port-rust"));
	return host;
}

static void guest_reads_the_text_over_and_over(void **state)
{
	struct fake_host *host = with_plugin();

	(void)state;
	assert_int_equal(fake_device_add(host, TYPE, "hello0", FAKE_OPTIONS("text=ab"), NULL), 0);
	assert_int_equal(fake_host_start(host), 0);
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'b');
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	fake_pio_write(host, PORT, 1, 0);
	assert_int_equal(fake_pio_read(host, PORT, 1), 'a');
	fake_host_destroy(host);
}

static void taken_port_is_an_error_with_a_text(void **state)
{
	struct fake_host *host = with_plugin();

	(void)state;
	assert_int_equal(fake_device_add(host, TYPE, "hello0", NULL, NULL), 0);
	assert_int_equal(fake_device_add(host, TYPE, "hello1", NULL, NULL), 0);
	assert_int_equal(fake_host_start(host), VMM_E_EXISTS);
	assert_string_equal(fake_error(host), "its port is not free");
	fake_host_destroy(host);
}

static void every_failing_service_is_survived(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		struct fake_host *host = with_plugin();
		int failed;

		fake_host_fail_after(host, n);
		if (fake_device_add(host, TYPE, "hello0", NULL, NULL) == 0)
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
		cmocka_unit_test(guest_reads_the_text_over_and_over),
		cmocka_unit_test(taken_port_is_an_error_with_a_text),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
