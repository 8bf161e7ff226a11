/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device configuration space of a device behind virtio.so. Names begin with the row of the
 * catalogue of hostile guests that they are for.
 */
#include "probe.h"

#define VERSION_1 (1ull << 32)

#define REG(name) FAKE_VIRTIO_REG_##name

static uint64_t rd(struct probe_machine *m, uint32_t reg, uint32_t width)
{
	return fake_virtio_reg_read(&m->driver, reg, width);
}

static void wr(struct probe_machine *m, uint32_t reg, uint32_t width, uint64_t value)
{
	fake_virtio_reg_write(&m->driver, reg, width, value);
}

static void t12_config_accesses_at_the_edges(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	assert_int_equal(fake_virtio_config_read(d, 0, 1), 1);
	assert_int_equal(fake_virtio_config_read(d, 0, 2), 0x0201);
	assert_int_equal(fake_virtio_config_read(d, 0, 4), 0x04030201);
	assert_int_equal(fake_virtio_config_read(d, 0, 8), 0x0807060504030201);
	assert_int_equal(fake_virtio_config_read(d, 1, 1), 2);
	assert_int_equal(fake_virtio_config_read(d, PROBE_CONFIG_BYTES - 1, 1), 0);
	assert_int_equal(fake_virtio_config_read(d, PROBE_CONFIG_BYTES - 2, 4), 0);
	for (uint32_t offset = PROBE_CONFIG_BYTES; offset < 0x200; offset++)
		for (uint32_t width = 1; width <= 8; width *= 2)
			assert_int_equal(fake_virtio_config_read(d, offset, width), 0);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	for (uint32_t offset = PROBE_CONFIG_BYTES - 3; offset < 0x200; offset++)
		for (uint32_t width = 1; width <= 8; width++)
			fake_virtio_config_write(d, offset, width, UINT64_MAX);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 0);
	assert_int_equal(fake_virtio_config_read(d, 0, 4), 0x04030201);
	probe_expect_alive(m, 0, 0);
}

static void t14_generation_shows_that_config_changed(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	uint64_t before;
	uint8_t byte = 0;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	before = rd(m, REG(GENERATION), 1);
	assert_int_equal(rd(m, REG(GENERATION), 1), before);
	/* A number of changes that would bring a counter of 8 bits round to the same value. */
	for (uint32_t i = 0; i < 256; i++, byte++)
		p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 0);
	assert_int_not_equal(rd(m, REG(GENERATION), 1), before);
	assert_int_equal(rd(m, REG(GENERATION), 1), rd(m, REG(GENERATION), 1));
	assert_int_equal(
		p->virtio.config_update(p->transport, p->device, 17, &byte, 2, 0), VMM_E_RANGE);
	assert_int_equal(p->virtio.config_update(p->transport, p->device, UINT32_MAX, &byte, 1, 0),
		VMM_E_RANGE);
}

static void config_change_interrupts_if_asked_for(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	const uint8_t byte = 9;

	p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 1); /* before DRIVER_OK */
	assert_int_equal(fake_virtio_isr(d), 0);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_config_interrupts(d), 0);
	p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 1);
	fake_settle(m->host);
	if (d->mmio)
		assert_int_equal(fake_virtio_isr(d), 2);
	else
		assert_int_equal(fake_virtio_config_interrupts(d), 1);
}

static void t15_only_writable_bits_of_config_are_written(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_config_write(d, 0, 4, 0xffffffff);
	assert_int_equal(fake_virtio_config_read(d, 0, 4), 0x04030201);
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, 0xa5);
	assert_int_equal(fake_virtio_config_read(d, PROBE_WRITABLE, 1), 0xaf);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 1);
	assert_int_equal(m->probe->config_offset, PROBE_WRITABLE);
	assert_int_equal(m->probe->config_bytes, 1);
	assert_int_equal(m->probe->config_seen[PROBE_WRITABLE], 0xaf);
	if (d->mmio)
		return;
	wr(m, REG(NUM_QUEUES), 2, 77);
	wr(m, REG(GENERATION), 1, 77);
	wr(m, REG(QUEUE_NOTIFY_OFF), 2, 77);
	wr(m, REG(DEVICE_FEATURE), 4, 77);
	assert_int_equal(rd(m, REG(NUM_QUEUES), 2), PROBE_QUEUES);
	assert_int_not_equal(rd(m, REG(GENERATION), 1), 77);
	wr(m, REG(QUEUE_SELECT), 2, 2);
	assert_int_equal(rd(m, REG(QUEUE_NOTIFY_OFF), 2), 2);
}

static void config_written_before_driver_ok_is_told_after_activation(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, 0x70);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 0);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_driver_ok(d);
	assert_int_equal(m->probe->config_writes, 1);
	assert_int_equal(m->probe->config_seen[PROBE_WRITABLE], 0x7f);
}

static void writes_before_driver_ok_are_told_as_one(void **state)
{
	static const uint32_t orders[][2] = {
		{PROBE_WRITABLE, PROBE_WRITABLE_TOO}, {PROBE_WRITABLE_TOO, PROBE_WRITABLE}};
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_reset(d);
		fake_virtio_negotiate(d, VERSION_1);
		fake_virtio_config_write(d, orders[i][0], 1, 0xa5);
		fake_virtio_config_write(d, orders[i][1], 1, 0xa5);
		fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
		fake_virtio_driver_ok(d);
		assert_int_equal(m->probe->config_writes, i + 1);
		assert_int_equal(m->probe->config_offset, PROBE_WRITABLE);
		assert_int_equal(m->probe->config_bytes, PROBE_WRITABLE_TOO - PROBE_WRITABLE + 1);
	}
}

static void writes_before_a_reset_are_not_told_behind_it(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_reset(&m->driver);
	fake_virtio_negotiate(&m->driver, VERSION_1);
	fake_virtio_config_write(&m->driver, PROBE_WRITABLE, 1, 0xa5);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 0);
}

static void add_chain(struct fake_virtio *d)
{
	struct fake_virtio_buffer in = {fake_virtio_alloc(d, 8, 8), 8, 1};

	fake_virtio_add(d, 0, &in, 1, 0);
}

static void chains_that_wait_at_driver_ok_come_behind_config(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, 0x70);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	add_chain(d);
	fake_virtio_driver_ok(d);
	fake_settle(m->host);
	assert_int_equal(m->probe->chains, 1);
	assert_int_equal(m->probe->config_writes, 1);
	assert_int_equal(m->probe->config_chains, 0);
}

/* While the device works on a chain: config is written, and then another chain is added. */
static void write_and_add(void *ctx)
{
	struct probe_machine *m = ctx;

	m->probe->after_each = NULL;
	fake_virtio_config_write(&m->driver, PROBE_WRITABLE, 1, 0x70);
	add_chain(&m->driver);
}

static void chains_that_are_added_behind_a_write_come_behind_it(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	m->probe->mode = PROBE_EACH;
	m->probe->after_each = write_and_add;
	m->probe->after_each_ctx = m;
	add_chain(&m->driver);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	assert_int_equal(m->probe->chains, 2);
	assert_int_equal(m->probe->config_writes, 1);
	assert_int_equal(m->probe->config_chains, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(t12_config_accesses_at_the_edges),
		PROBE_TESTS(t14_generation_shows_that_config_changed),
		PROBE_TESTS(config_change_interrupts_if_asked_for),
		PROBE_TESTS(t15_only_writable_bits_of_config_are_written),
		PROBE_TESTS(config_written_before_driver_ok_is_told_after_activation),
		PROBE_TESTS(writes_before_driver_ok_are_told_as_one),
		PROBE_TESTS(writes_before_a_reset_are_not_told_behind_it),
		PROBE_TESTS(chains_that_wait_at_driver_ok_come_behind_config),
		PROBE_TESTS(chains_that_are_added_behind_a_write_come_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
