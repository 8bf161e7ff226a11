/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial port as a device of the machine: options, resources, ACPI, failures on the way.
 */
#include <string.h>

#include <vmm/irq.h>
#include <vmm/support.h>

#include "fixture.h"

static struct fake_host *new_host(void)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_PLUGIN("serial"));
	return host;
}

static void expect_refused(const char *const *options, const char *text)
{
	struct fake_host *host = new_host();

	assert_true(fake_device_add(host, "serial", "com1", options, NULL) < 0);
	if (!strstr(fake_error(host), text))
		fail_msg("the error is \"%s\", not \"%s\"", fake_error(host), text);
	fake_host_destroy(host);
}

static void test_wrong_options_are_refused_with_a_reason(void **state)
{
	(void)state;
	expect_refused(FAKE_OPTIONS("port=0x3f9"), "port 0x3f9 is not a multiple of 8");
	expect_refused(FAKE_OPTIONS("backend=file"), "backend \"file\" needs a path");
	expect_refused(FAKE_OPTIONS("backend=unix"), "backend \"unix\" needs a path");
	expect_refused(FAKE_OPTIONS("path=/tmp/x"), "backend \"stdio\" takes no path");
	expect_refused(
		FAKE_OPTIONS("backend=null", "path=/tmp/x"), "backend \"null\" takes no path");
}

static void expect_stream(const char *const *options, uint32_t kind, const char *path)
{
	struct fake_host *host = new_host();
	vmm_host *device;

	assert_int_equal(fake_device_add(host, "serial", "com1", options, &device), 0);
	assert_int_equal(fake_stream_request(device)->kind, kind);
	if (path)
		assert_string_equal(fake_stream_request(device)->path, path);
	else
		assert_null(fake_stream_request(device)->path);
	fake_host_destroy(host);
}

static void test_each_backend_opens_its_stream(void **state)
{
	(void)state;
	expect_stream(NULL, VMM_STREAM_STDIO, NULL);
	expect_stream(FAKE_OPTIONS("backend=null"), VMM_STREAM_NULL, NULL);
	expect_stream(FAKE_OPTIONS("backend=pty"), VMM_STREAM_PTY, NULL);
	expect_stream(FAKE_OPTIONS("backend=pty", "path=/run/p"), VMM_STREAM_PTY, "/run/p");
	expect_stream(FAKE_OPTIONS("backend=file", "path=/run/f"), VMM_STREAM_FILE, "/run/f");
	expect_stream(FAKE_OPTIONS("backend=unix", "path=/run/u"), VMM_STREAM_UNIX, "/run/u");
}

static void test_two_ports_work_side_by_side(void **state)
{
	struct fake_host *host = new_host();
	vmm_host *com1, *com2;

	(void)state;
	assert_int_equal(fake_device_add(host, "serial", "com1", NULL, &com1), 0);
	assert_int_equal(fake_device_add(host, "serial", "com2",
				 FAKE_OPTIONS("port=0x2f8", "irq=3", "backend=null"), &com2),
		0);
	assert_int_equal(fake_host_start(host), 0);
	fake_pio_write(host, 0x3f8, 1, '1');
	fake_pio_write(host, 0x2f8 + IER, 1, 0x02);
	assert_true(fake_stream_output_is(com1, "1"));
	assert_int_equal(fake_line_rises(host, 3), 1);
	assert_int_equal(fake_line_rises(host, 4), 0);
	fake_host_destroy(host);
}

static void expect_conflict(const char *const *options, const char *text)
{
	struct fake_host *host = new_host();

	assert_int_equal(fake_device_add(host, "serial", "com1", NULL, NULL), 0);
	assert_int_equal(fake_device_add(host, "serial", "com2", options, NULL), 0);
	assert_true(fake_host_start(host) < 0);
	if (!strstr(fake_error(host), text))
		fail_msg("the error is \"%s\", not \"%s\"", fake_error(host), text);
	fake_host_destroy(host);
}

static void test_ports_in_use_are_named(void **state)
{
	(void)state;
	expect_conflict(FAKE_OPTIONS("irq=3", "backend=null"), "ports 0x3f8 to 0x3ff");
}

static void test_a_line_that_another_device_has_is_named(void **state)
{
	struct fake_host *host = new_host();
	vmm_host *other = fake_device_bare(host, "other", VMM_THREADS_PARALLEL);
	struct vmm_irq irq;
	uint64_t line;

	(void)state;
	assert_int_equal(vmm_query(fake_hello(host), other, VMM_IRQ_ID, sizeof(irq), &irq,
				 sizeof(irq), NULL),
		0);
	assert_int_equal(irq.line_open(other, 4, VMM_IRQ_EDGE, &line), 0);
	assert_int_equal(fake_device_add(host, "serial", "com1", NULL, NULL), 0);
	assert_int_equal(fake_host_start(host), VMM_E_BUSY);
	assert_non_null(strstr(fake_error(host), "line 4 cannot be used: another device has it"));
	irq.line_close(other, line);
	fake_host_destroy(host);
}

/* COM1 and COM3 did on every PC; here it works, because the line is a level. */
static void test_two_ports_share_a_line(void **state)
{
	struct fake_host *host = new_host();

	(void)state;
	assert_int_equal(fake_device_add(host, "serial", "com1", NULL, NULL), 0);
	assert_int_equal(fake_device_add(host, "serial", "com3",
				 FAKE_OPTIONS("port=0x3e8", "backend=null"), NULL),
		0);
	assert_int_equal(fake_host_start(host), 0);
	fake_pio_write(host, 0x3f8 + IER, 1, 0x02);
	fake_pio_write(host, 0x3e8 + IER, 1, 0x02);
	fake_pio_write(host, 0x3f8 + IER, 1, 0);
	assert_int_equal(fake_line_level(host, 4), 1);
	fake_pio_write(host, 0x3e8 + IER, 1, 0);
	assert_int_equal(fake_line_level(host, 4), 0);
	fake_host_destroy(host);
}

/* 1 if the table contains the bytes. */
static int contains(const uint8_t *table, uint64_t bytes, const char *part, uint64_t part_bytes)
{
	return memmem(table, bytes, part, part_bytes) != NULL;
}

static void test_each_port_is_in_acpi_under_its_own_name(void **state)
{
	struct fake_host *host = new_host();
	const uint8_t *table;
	uint64_t bytes;

	(void)state;
	fake_device_add(host, "serial", "com1", NULL, NULL);
	fake_device_add(
		host, "serial", "com2", FAKE_OPTIONS("port=0x2f8", "irq=3", "backend=null"), NULL);
	fake_device_add(
		host, "serial", "far", FAKE_OPTIONS("port=0xfff8", "irq=22", "backend=null"), NULL);
	assert_int_equal(fake_host_start(host), 0);

	table = fake_acpi_table(host, "SSDT", 0, &bytes);
	assert_non_null(table);
	assert_true(contains(table, bytes, "COM1", 4));
	assert_true(contains(table, bytes, "_UID\x0c\x01\0\0\0", 9));
	assert_true(contains(table, bytes, "PORT\x0b\xf8\x03", 7));
	assert_true(contains(table, bytes, "GSIN\x0c\x04\0\0\0", 9));
	table = fake_acpi_table(host, "SSDT", 1, &bytes);
	assert_true(contains(table, bytes, "COM2", 4));
	assert_true(contains(table, bytes, "PORT\x0b\xf8\x02", 7));
	table = fake_acpi_table(host, "SSDT", 2, &bytes);
	assert_true(contains(table, bytes, "U6BJ", 4)); /* 0x1fff in base 36 */
	assert_true(contains(table, bytes, "_UID\x0c\xf8\xff\0\0", 9));
	assert_true(contains(table, bytes, "GSIN\x0c\x16\0\0\0", 9));
	fake_host_destroy(host);
}

/* Row H24: each service call that can fail does, once; nothing may be left behind. */
static void test_h24_a_failure_of_any_service_leaves_nothing_behind(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 100; n++) {
		struct fake_host *host = new_host();
		int32_t ret;

		fake_host_fail_after(host, n);
		ret = fake_device_add(host, "serial", "com1", NULL, NULL);
		if (!ret)
			ret = fake_host_start(host);
		int hit = fake_host_fault_hit(host);

		fake_host_fail_after(host, 0);
		if (hit) {
			assert_true(ret < 0);
			assert_true(fake_error(host)[0] != '\0');
		}
		fake_host_destroy(host);
		if (!hit) {
			assert_true(n > 3);
			return;
		}
	}
	fail_msg("there is no end of services");
}

static void test_a_client_that_comes_and_goes_is_logged_for_debugging(void **state)
{
	struct fake_host *host = new_host();
	vmm_host *device;

	(void)state;
	fake_device_add(host, "serial", "com1", FAKE_OPTIONS("backend=unix", "path=/u"), &device);
	assert_int_equal(fake_host_start(host), 0);
	fake_stream_event(device, VMM_STREAM_CONNECTED);
	fake_settle(host);
	assert_true(fake_log_has(host, device, "connected"));
	fake_stream_event(device, VMM_STREAM_CLOSED | VMM_STREAM_DRAINED);
	fake_settle(host);
	assert_true(fake_log_has(host, device, "end of input"));
	fake_host_destroy(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_options_are_refused_with_a_reason),
		cmocka_unit_test(test_each_backend_opens_its_stream),
		cmocka_unit_test(test_two_ports_work_side_by_side),
		cmocka_unit_test(test_ports_in_use_are_named),
		cmocka_unit_test(test_a_line_that_another_device_has_is_named),
		cmocka_unit_test(test_two_ports_share_a_line),
		cmocka_unit_test(test_each_port_is_in_acpi_under_its_own_name),
		cmocka_unit_test(test_h24_a_failure_of_any_service_leaves_nothing_behind),
		cmocka_unit_test(test_a_client_that_comes_and_goes_is_logged_for_debugging),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
