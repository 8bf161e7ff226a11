/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console.so behind the transport and bus that vmm was installed with, in a fake host. The
 * test is the guest's driver at one end and the socket's client at the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#define CONSOLE_ID 3
#define INPUT      0
#define OUTPUT     1

struct machine {
	struct fake_host *host;
	vmm_host *console;
	struct fake_virtio driver;
};

static struct fake_host *host_with_transport(void)
{
	struct fake_host *host = fake_host_create(NULL);

	fake_plugin_load(host, FAKE_VMM_PLUGIN("pci"));
	fake_plugin_load(host, FAKE_VMM_PLUGIN("virtio"));
	fake_plugin_load(host, FAKE_PLUGIN("virtio-console"));
	fake_device_add(host, "pci", "pci0", NULL, NULL);
	fake_device_add(host, "virtio-pci", "virtio0", FAKE_OPTIONS("bus=pci0"), NULL);
	return host;
}

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	m->host = host_with_transport();
	assert_int_equal(
		fake_device_add(m->host, "virtio-console", "console0",
			FAKE_OPTIONS("transport=virtio0", "socket=/run/console"), &m->console),
		0);
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	fake_virtio_find(m->host, CONSOLE_ID, 0, 0x100000, 0x100000, &m->driver);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fake_virtio_fini(&m->driver);
	fake_host_destroy(m->host);
	free(m);
	return 0;
}

/* The guest's driver gives the device an empty buffer; returns its address. */
static uint64_t offer(struct machine *m, uint32_t bytes)
{
	const struct fake_virtio_buffer in = {fake_virtio_alloc(&m->driver, bytes, 16), bytes, 1};

	fake_virtio_add(&m->driver, INPUT, &in, 1, 0);
	fake_virtio_kick(&m->driver, INPUT);
	fake_settle(m->host);
	return in.gpa;
}

static void guest_s_output_reaches_the_socket(void **state)
{
	struct machine *m = *state;
	const struct fake_virtio_buffer out[] = {
		{fake_virtio_put(&m->driver, "hello, ", 7), 7, 0},
		{fake_virtio_put(&m->driver, "host\n", 5), 5, 0},
	};

	assert_int_equal(fake_stream_request(m->console)->kind, VMM_STREAM_UNIX);
	assert_int_equal(fake_virtio_request(&m->driver, OUTPUT, out, 2), 0);
	assert_true(fake_stream_output_is(m->console, "hello, host\n"));
}

static void input_waits_for_a_buffer_of_the_guest(void **state)
{
	struct machine *m = *state;
	uint64_t gpa;

	fake_stream_feed(m->console, "date\n", 5);
	fake_settle(m->host);
	assert_int_equal(fake_stream_unread(m->console), 5);
	gpa = offer(m, 64);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 5);
	assert_memory_equal(fake_ram(m->host, gpa, 5), "date\n", 5);
}

static void input_that_does_not_fit_takes_two_buffers(void **state)
{
	struct machine *m = *state;
	uint64_t first = offer(m, 4), second = offer(m, 4);

	fake_stream_feed(m->console, "uptime", 6);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 4);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 2);
	assert_memory_equal(fake_ram(m->host, first, 4), "upti", 4);
	assert_memory_equal(fake_ram(m->host, second, 2), "me", 2);
}

static void buffer_that_cannot_be_written_is_given_back(void **state)
{
	struct machine *m = *state;
	const struct fake_virtio_buffer out = {fake_virtio_alloc(&m->driver, 16, 16), 16, 0};

	fake_virtio_add(&m->driver, INPUT, &out, 1, 0);
	offer(m, 16);
	fake_stream_feed(m->console, "x", 1);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 0);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 1);
}

static void reset_gives_the_waiting_buffer_back(void **state)
{
	struct machine *m = *state;

	offer(m, 16);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_stream_feed(m->console, "y", 1);
	fake_settle(m->host);
	offer(m, 16);
	assert_int_equal(fake_virtio_wait(&m->driver, INPUT, NULL), 1);
}

static void every_failing_service_is_survived(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		struct fake_host *host = host_with_transport();
		int failed;

		fake_host_fail_after(host, n);
		if (fake_device_add(host, "virtio-console", "console0",
			    FAKE_OPTIONS("transport=virtio0"), NULL) == 0)
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
		cmocka_unit_test_setup_teardown(guest_s_output_reaches_the_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(
			input_waits_for_a_buffer_of_the_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			input_that_does_not_fit_takes_two_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(
			buffer_that_cannot_be_written_is_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			reset_gives_the_waiting_buffer_back, setup, teardown),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
