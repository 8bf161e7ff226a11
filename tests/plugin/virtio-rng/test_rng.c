/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng.so behind virtio.so, as both are shipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#define RNG_ID 4u
#define LIMIT  65536u

struct machine {
	struct fake_host *host;
	struct fake_virtio driver;
};

static int machine_setup(void **state, const char *const *options, uint32_t flags)
{
	struct machine *m = calloc(1, sizeof(*m));
	const struct fake_config config = {.flags = flags};

	fake_use_cmocka();
	m->host = fake_host_create(&config);
	fake_plugin_load(m->host, FAKE_PLUGIN("pci"));
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio"));
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio-rng"));
	assert_int_equal(fake_device_add(m->host, "pci", "pci0", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(m->host, "virtio-pci", "v0", FAKE_OPTIONS("bus=pci0"), NULL), 0);
	assert_int_equal(fake_device_add(m->host, "virtio-rng", "rng0", options, NULL), 0);
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	fake_virtio_find(m->host, RNG_ID, 0, 0x100000, 0x800000, &m->driver);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	*state = m;
	return 0;
}

static int setup(void **state)
{
	return machine_setup(state, FAKE_OPTIONS("transport=v0"), 0);
}

static int setup_limited(void **state)
{
	return machine_setup(state, FAKE_OPTIONS("transport=v0", "rate=10K"), FAKE_CLOCK);
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fake_virtio_fini(&m->driver);
	fake_host_destroy(m->host);
	free(m);
	return 0;
}

static uint32_t request(struct machine *m, uint64_t gpa, uint32_t bytes)
{
	const struct fake_virtio_buffer in = {gpa, bytes, 1};

	return fake_virtio_request(&m->driver, 0, &in, 1);
}

static int is_zero(const uint8_t *data, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		if (data[i])
			return 0;
	return 1;
}

static void buffer_is_filled_exactly(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(&m->driver, 256, 16);
	const uint8_t *data = fake_ram(m->host, gpa, 256);

	assert_int_equal(request(m, gpa + 64, 128), 128);
	assert_true(is_zero(data, 64));
	assert_false(is_zero(data + 64, 64));
	assert_false(is_zero(data + 128, 64));
	assert_true(is_zero(data + 192, 64));
}

static void two_requests_differ(void **state)
{
	struct machine *m = *state;
	uint64_t a = fake_virtio_alloc(&m->driver, 64, 16);
	uint64_t b = fake_virtio_alloc(&m->driver, 64, 16);

	request(m, a, 64);
	request(m, b, 64);
	assert_memory_not_equal(fake_ram(m->host, a, 64), fake_ram(m->host, b, 64), 64);
}

static void q5_request_is_bounded(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(&m->driver, 4 * LIMIT, 16);

	assert_int_equal(request(m, gpa, 4 * LIMIT), LIMIT);
	assert_true(is_zero(fake_ram(m->host, gpa + LIMIT, 3 * LIMIT), 3 * LIMIT));
	assert_int_equal(request(m, gpa, LIMIT), LIMIT);
}

static void all_writable_buffers_are_filled_in_order(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(&m->driver, 4096, 16);
	const struct fake_virtio_buffer buffers[] = {
		{gpa, 16, 0}, {gpa + 256, 100, 1}, {gpa + 512, 0, 1}, {gpa + 1024, 50, 1}};

	fake_virtio_add(&m->driver, 0, buffers, 4, 0);
	fake_virtio_kick(&m->driver, 0);
	assert_int_equal(fake_virtio_wait(&m->driver, 0, NULL), 150);
	assert_true(is_zero(fake_ram(m->host, gpa, 16), 16));
	assert_false(is_zero(fake_ram(m->host, gpa + 1024, 50), 50));
}

static void q25_chain_without_writable_buffers_gets_nothing(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(&m->driver, 64, 16);
	const struct fake_virtio_buffer out = {gpa, 64, 0};

	assert_int_equal(fake_virtio_request(&m->driver, 0, &out, 1), 0);
	assert_true(is_zero(fake_ram(m->host, gpa, 64), 64));
	assert_int_equal(request(m, gpa, 64), 64);
}

static void full_queue_is_served(void **state)
{
	struct machine *m = *state;
	const struct fake_virtio_buffer in = {fake_virtio_alloc(&m->driver, 64, 16), 64, 1};
	uint32_t count = 0;

	while (m->driver.queues[0].free_count) {
		fake_virtio_add(&m->driver, 0, &in, 1, 0);
		count++;
	}
	fake_virtio_kick(&m->driver, 0);
	while (count--)
		assert_int_equal(fake_virtio_wait(&m->driver, 0, NULL), 64);
}

static void device_works_after_a_reset(void **state)
{
	struct machine *m = *state;

	fake_virtio_avail(&m->driver, 0, 0xffff);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	assert_true(fake_virtio_status(&m->driver) & FAKE_VIRTIO_NEEDS_RESET);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(request(m, fake_virtio_alloc(&m->driver, 64, 16), 64), 64);
}

static void rate_is_kept(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(&m->driver, LIMIT, 16);
	const struct fake_virtio_buffer in = {gpa, LIMIT, 1};
	uint32_t total = request(m, gpa, LIMIT);

	assert_int_equal(total, 1024); /* a tenth of a second's worth */
	for (uint32_t i = 0; i < 9; i++) {
		fake_virtio_add(&m->driver, 0, &in, 1, 0);
		fake_virtio_kick(&m->driver, 0);
		fake_settle(m->host);
		assert_int_equal(fake_virtio_reap(&m->driver, 0, NULL, NULL), 0); /* it waits */
		fake_clock_advance(m->host, 100000000);
		total += fake_virtio_wait(&m->driver, 0, NULL);
	}
	assert_int_equal(total, 10240);
	fake_clock_advance(m->host, 5000000000ull); /* what was not used is not saved up */
	fake_settle(m->host);
	assert_int_equal(request(m, gpa, LIMIT), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buffer_is_filled_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(two_requests_differ, setup, teardown),
		cmocka_unit_test_setup_teardown(q5_request_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(
			all_writable_buffers_are_filled_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(
			q25_chain_without_writable_buffers_gets_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(full_queue_is_served, setup, teardown),
		cmocka_unit_test_setup_teardown(device_works_after_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(rate_is_kept, setup_limited, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
