/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a device behind virtio.so ends: it could not start, it fails while it is reset, or the
 * machine stops.
 */
#include "probe.h"

static void activation_that_fails_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;

	m->probe->activate_fails = 1;
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(fake_virtio_status(&m->driver), 0x4f);
	m->probe->activate_fails = 0;
	probe_expect_needs_reset(m, 0);
	assert_int_equal(m->probe->resets, 0); /* what did not start is not reset */
}

static void device_that_fails_while_it_is_reset_tells_nobody(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->reset_pending = 1;
	fake_virtio_set_status(&m->driver, 0);
	fake_settle(m->host);
	(p->virtio.fail)(p->transport, p->device);
	assert_int_equal(fake_virtio_status(&m->driver), 0xf);
	assert_int_equal(fake_virtio_isr(&m->driver), 0);
	p->reset_pending = 0;
	p->virtio.reset_done(p->transport, p->device);
	assert_int_equal(fake_virtio_status(&m->driver), 0);
	probe_expect_alive(m, 0, 1);
}

static void end_of_a_reset_that_nobody_asked_for_is_ignored(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->virtio.reset_done(p->transport, p->device);
	assert_int_equal(fake_virtio_status(&m->driver), 0xf);
	probe_expect_alive(m, 0, 0);
}

static void stop_of_the_machine_resets_the_device(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	m->probe->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	fake_virtio_add(&m->driver, 0, &in, 1, 0);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	fake_host_quiesce(m->host);
	assert_int_equal(m->probe->resets, 1);
	assert_int_equal(
		fake_virtio_status(&m->driver), 0xf); /* which the driver did not ask for */
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	assert_int_equal(m->probe->chains, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(activation_that_fails_needs_a_reset),
		PROBE_TESTS(device_that_fails_while_it_is_reset_tells_nobody),
		PROBE_TESTS(end_of_a_reset_that_nobody_asked_for_is_ignored),
		PROBE_TESTS(stop_of_the_machine_resets_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
