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

static void device_that_fails_before_it_has_a_driver_works_for_the_next(void **state)
{
	struct probe_machine *m = *state;

	(m->probe->virtio.fail)(m->probe->transport, m->probe->device);
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

#define TURNS 10

/* Ends the reset when the loop has seen a few turns. */
static void end_reset_later(void *ctx)
{
	struct probe *p = ctx;

	if (--p->reset_pending)
		p->loop.post(p->host, p->loop.own(p->host), end_reset_later, p);
	else
		p->virtio.reset_done(p->transport, p->device);
}

/* The same, but a chain is done meanwhile. */
static void push_and_end_reset_later(void *ctx)
{
	struct probe *p = ctx;

	if (p->resets && !p->held_count && p->mode == PROBE_HOLD) {
		p->mode = PROBE_DEAF;
		p->virtio.push(p->transport, p->device, 0, p->held[0].id, 8);
		p->virtio.flush(p->transport, p->device, 0);
	}
	if (--p->reset_pending)
		p->loop.post(p->host, p->loop.own(p->host), push_and_end_reset_later, p);
	else
		p->virtio.reset_done(p->transport, p->device);
}

static void r7_completions_while_the_machine_stops_go_nowhere(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	fake_virtio_add(&m->driver, 0, &in, 1, 0);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	assert_int_equal(p->held_count, 1);
	p->reset_pending = TURNS;
	assert_int_equal(
		p->loop.post(p->host, p->loop.own(p->host), push_and_end_reset_later, p), 0);
	fake_host_quiesce(m->host);
	assert_int_equal(p->mode, PROBE_DEAF);
	assert_int_equal(fake_virtio_used_index(&m->driver, 0), 0);
}

static void stop_of_the_machine_waits_for_the_last_device(void **state)
{
	struct fake_host *host = fake_host_create(NULL);
	struct fake_virtio drivers[2];
	struct probe *slow;
	vmm_host *device;

	(void)state;
	fake_use_cmocka();
	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, &probe_type);
	assert_int_equal(fake_device_add(host, "virtio-mmio", "v0", NULL, NULL), 0);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(fake_device_add(host, "probe", i ? "p1" : "p0",
					 FAKE_OPTIONS("transport=v0"), &device),
			0);
	assert_int_equal(fake_host_start(host), 0);
	slow = fake_device_ctx(device);
	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_find_mmio(host, PROBE_ID, i, 0x100000 * (i + 1), 0x100000, &drivers[i]);
		fake_virtio_init(&drivers[i], FAKE_VIRTIO_ALL);
	}
	slow->reset_pending = TURNS;
	assert_int_equal(
		slow->loop.post(slow->host, slow->loop.own(slow->host), end_reset_later, slow), 0);
	fake_virtio_set_status(&drivers[1], 0);
	fake_host_quiesce(host);
	assert_int_equal(slow->reset_pending, 0);
	for (uint32_t i = 0; i < 2; i++)
		fake_virtio_fini(&drivers[i]);
	fake_host_destroy(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(activation_that_fails_needs_a_reset),
		PROBE_TESTS(device_that_fails_while_it_is_reset_tells_nobody),
		PROBE_TESTS(device_that_fails_before_it_has_a_driver_works_for_the_next),
		PROBE_TESTS(end_of_a_reset_that_nobody_asked_for_is_ignored),
		PROBE_TESTS(stop_of_the_machine_resets_the_device),
		PROBE_TESTS(r7_completions_while_the_machine_stops_go_nowhere),
		cmocka_unit_test(stop_of_the_machine_waits_for_the_last_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
