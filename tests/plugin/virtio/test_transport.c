/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register file and the state machine of a device behind virtio.so: negotiation, activation,
 * reset. Names begin with the row of the catalogue of hostile guests that they
 * are for.
 */
#include <dirent.h>

#include "probe.h"

#define VERSION_1 (1ull << 32)
#define EVENT_IDX (1ull << 29)

#define REG(name) FAKE_VIRTIO_REG_##name

static uint64_t rd(struct probe_machine *m, uint32_t reg, uint32_t width)
{
	return fake_virtio_reg_read(&m->driver, reg, width);
}

static void wr(struct probe_machine *m, uint32_t reg, uint32_t width, uint64_t value)
{
	fake_virtio_reg_write(&m->driver, reg, width, value);
}

static void select_queue(struct probe_machine *m, uint32_t queue)
{
	wr(m, REG(QUEUE_SELECT), 2, queue);
}

static void t1_queue_that_is_enabled_cannot_be_changed(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_queue_setup(d, 1, 128, 2);
	for (int ok = 0; ok < 2; ok++) {
		wr(m, REG(QUEUE_SIZE), 2, 64);
		wr(m, REG(QUEUE_DESC), 4, 0x1000);
		wr(m, REG(QUEUE_DRIVER), 4, 0x1000);
		wr(m, REG(QUEUE_DEVICE), 4, 0x1000);
		wr(m, REG(QUEUE_DESC) + 4, 4, 0x1000);
		if (!d->mmio) {
			assert_int_equal(rd(m, REG(QUEUE_SIZE), 2), 128);
			assert_int_equal(rd(m, REG(QUEUE_DESC), 4), d->queues[1].desc);
			assert_int_equal(rd(m, REG(QUEUE_DESC) + 4, 4), 0);
			assert_int_equal(rd(m, REG(QUEUE_DRIVER), 4), d->queues[1].avail);
			assert_int_equal(rd(m, REG(QUEUE_DEVICE), 4), d->queues[1].used);
			wr(m, REG(QUEUE_ENABLE), 2, 0);
		}
		assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 1);
		if (!ok)
			fake_virtio_driver_ok(d);
	}
	wr(m, REG(QUEUE_ENABLE), 2, 0); /* also with MMIO, from DRIVER_OK on */
	assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 1);
	probe_expect_alive(m, 1, 0);
}

static void t1_queue_that_was_not_enabled_stays_so_after_driver_ok(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_driver_ok(d);
	select_queue(m, 1);
	wr(m, REG(QUEUE_ENABLE), 2, 1);
	assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(m->probe->notifies[1], 0);
}

static void t1_queue_is_enabled_by_a_one_and_nothing_else(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_reset(&m->driver);
	fake_virtio_negotiate(&m->driver, VERSION_1);
	select_queue(m, 1);
	wr(m, REG(QUEUE_ENABLE), 2, 2);
	assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 0);
	wr(m, REG(QUEUE_ENABLE), 2, 0xffff);
	assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 0);
	wr(m, REG(QUEUE_ENABLE), 2, 1);
	assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 1);
}

static void t2_sizes_that_cannot_be_are_ignored(void **state)
{
	static const uint32_t sizes[] = {0, 3, 512, 257, 65535};
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	select_queue(m, 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		wr(m, REG(QUEUE_SIZE), 2, sizes[i]);
		assert_int_equal(rd(m, REG(QUEUE_SIZE), 2), 256);
	}
	fake_virtio_queue_setup(d, 1, 1, FAKE_VIRTIO_NO_VECTOR); /* the smallest */
	fake_virtio_driver_ok(d);
	probe_expect_alive(m, 1, 0);
	probe_expect_alive(m, 1, 0);
}

static void t3_queue_that_does_not_exist(void **state)
{
	static const uint32_t queues[] = {PROBE_QUEUES, 64, 0xffff};
	struct probe_machine *m = *state;

	fake_virtio_reset(&m->driver);
	fake_virtio_negotiate(&m->driver, VERSION_1);
	for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
		select_queue(m, queues[i]);
		for (uint32_t reg = REG(QUEUE_SIZE); reg <= REG(QUEUE_NOTIFY_OFF); reg += 2)
			wr(m, reg, 2, 1);
		for (uint32_t reg = REG(QUEUE_DESC); reg < REG(QUEUE_DEVICE) + 8; reg += 4)
			wr(m, reg, 4, 0x1000);
		wr(m, REG(QUEUE_ENABLE), 2, 0);
		assert_int_equal(rd(m, REG(QUEUE_SIZE), 2), 0);
		assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 0);
		assert_int_equal(rd(m, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
	}
	probe_expect_alive(m, 0, 1);
}

static void t4_notification_of_a_queue_that_does_not_exist_is_ignored(void **state)
{
	static const uint32_t queues[] = {PROBE_QUEUES, 0x100, 0x3ff};
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++)
		fake_virtio_kick(&m->driver, queues[i]);
	if (m->driver.mmio) {
		fake_virtio_kick(&m->driver, 0xffff);
		fake_virtio_kick(&m->driver, 0x80000000u);
		fake_virtio_kick(&m->driver, UINT32_MAX);
	}
	fake_settle(m->host);
	probe_expect_alive(m, 0, 0);
}

static void t5_notification_outside_of_driver_ok_does_nothing(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_add(d, 0, &in, 1, 0);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		fake_virtio_kick(d, q);
	fake_settle(m->host);
	assert_int_equal(m->probe->notifies[0], 0);
	assert_int_equal(fake_virtio_used_index(d, 0), 0);
	fake_virtio_driver_ok(d);
	assert_int_equal(fake_virtio_used_index(d, 0), 1);
	fake_virtio_set_status(d, 0);
	fake_virtio_kick(d, 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(m->probe->resets, 1);
	assert_int_equal(m->probe->notifies[1], 0); /* it was never enabled */
	assert_int_equal(m->probe->chains, 1);
}

static void t6_driver_ok_out_of_order_is_ignored(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_set_status(d, FAKE_VIRTIO_DRIVER_OK);
	assert_int_equal(fake_virtio_status(d), 0);
	fake_virtio_set_status(d, 3);
	fake_virtio_set_status(d, 7); /* no FEATURES_OK */
	assert_int_equal(fake_virtio_status(d), 3);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_set_status(d, 7); /* nor now */
	assert_int_equal(fake_virtio_status(d), 3);
	fake_virtio_set_status(d, 0);
	wr(m, REG(DRIVER_FEATURE_SELECT), 4, 1);
	wr(m, REG(DRIVER_FEATURE), 4, VERSION_1 >> 32);
	fake_virtio_set_status(d, FAKE_VIRTIO_FEATURES_OK); /* nobody has seen the device */
	assert_int_equal(fake_virtio_status(d), 0);
	fake_virtio_set_status(d, FAKE_VIRTIO_ACKNOWLEDGE | FAKE_VIRTIO_FEATURES_OK);
	assert_int_equal(fake_virtio_status(d), FAKE_VIRTIO_ACKNOWLEDGE);
	fake_virtio_set_status(d, 0);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_set_status(d, 0xf); /* no queue */
	assert_int_equal(fake_virtio_status(d), 0xb);
	fake_settle(m->host);
	assert_int_equal(m->probe->activations, 0);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_set_status(d, 0xf);
	fake_virtio_set_status(d, 0xf); /* twice */
	fake_settle(m->host);
	fake_virtio_set_status(d, 0xf);
	fake_settle(m->host);
	assert_int_equal(m->probe->activations, 1);
	probe_expect_alive(m, 0, 0);
	fake_virtio_reset(d);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_negotiate(d, VERSION_1); /* a queue that is ready is not DRIVER_OK */
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0xb);
	assert_int_equal(m->probe->activations, 1);
}

static void set_features(struct probe_machine *m, uint32_t word, uint32_t value)
{
	wr(m, REG(DRIVER_FEATURE_SELECT), 4, word);
	wr(m, REG(DRIVER_FEATURE), 4, value);
}

static int features_ok(struct probe_machine *m)
{
	fake_virtio_set_status(&m->driver, 3 | FAKE_VIRTIO_FEATURES_OK);
	return (fake_virtio_status(&m->driver) & FAKE_VIRTIO_FEATURES_OK) != 0;
}

static void t7_features_that_were_not_offered_are_refused(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	assert_false(fake_virtio_negotiate(d, 0)); /* VERSION_1 is missing */
	assert_false(fake_virtio_negotiate(d, PROBE_FEATURES));
	assert_false(fake_virtio_negotiate(d, VERSION_1 | 2));
	assert_false(fake_virtio_negotiate(d, VERSION_1 | 1ull << 63));
	set_features(m, 0, 0);
	set_features(m, 1, 1);
	for (uint32_t word = 2; word < 4; word++) {
		set_features(m, word, 1); /* bits 64 and up */
		assert_false(features_ok(m));
		set_features(m, word, 0);
	}
	set_features(m, UINT32_MAX, UINT32_MAX);
	assert_true(features_ok(m));
	set_features(m, 0, PROBE_FEATURES); /* too late */
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_driver_ok(d);
	assert_int_equal(m->probe->features, VERSION_1);
}

static void t7_feature_words_that_do_not_exist_read_zero(void **state)
{
	static const uint32_t words[] = {2, 3, 4, 0x80000000u, UINT32_MAX};
	struct probe_machine *m = *state;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		wr(m, REG(DEVICE_FEATURE_SELECT), 4, words[i]);
		assert_int_equal(rd(m, REG(DEVICE_FEATURE), 4), 0);
		wr(m, REG(DRIVER_FEATURE_SELECT), 4, words[i]);
		assert_int_equal(rd(m, REG(DRIVER_FEATURE), 4), 0);
	}
	fake_virtio_init(&m->driver, VERSION_1);
	assert_int_equal(rd(m, REG(DRIVER_FEATURE), 4), m->driver.mmio ? 0 : VERSION_1 >> 32);
}

static void t20_transport_features_that_are_not_offered_are_refused(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	/* Packed ring, in order, notification data, ring reset, and all others of the transport. */
	for (uint32_t bit = 24; bit <= 41; bit++) {
		if (bit == 28 || bit == 29 || bit == 32)
			continue;
		assert_int_equal(fake_virtio_offered(d) >> bit & 1, 0);
		fake_virtio_reset(d);
		assert_false(fake_virtio_negotiate(d, VERSION_1 | 1ull << bit));
	}
}

static void t8_status_bits_can_be_added_only(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	static const uint32_t bad[] = {1, 0xb, 0xe, 0x4f, 0x1f, 0x2f, 0x40};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_virtio_set_status(d, bad[i]);
		assert_int_equal(fake_virtio_status(d), 0xf);
	}
	fake_virtio_set_status(d, 0xf | FAKE_VIRTIO_FAILED);
	assert_int_equal(fake_virtio_status(d), 0x8f);
	probe_expect_alive(m, 0, 0);
	assert_int_equal(m->probe->resets, 0);
	/* A write that breaks the rule is ignored as a whole. */
	fake_virtio_reset(d);
	assert_false(fake_virtio_negotiate(d, 0));
	set_features(m, 1, 1);
	fake_virtio_set_status(d, 0x1b);
	assert_int_equal(fake_virtio_status(d), 3);
	fake_virtio_set_status(d, 9);
	assert_int_equal(fake_virtio_status(d), 3);
}

static void t8_driver_may_write_needs_reset_back(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_avail(d, 0, 999);
	fake_virtio_kick(d, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0x4f);
	fake_virtio_set_status(d, 0x4f | FAKE_VIRTIO_FAILED); /* read, OR, write: as Linux does */
	assert_int_equal(fake_virtio_status(d), 0xcf);
	fake_virtio_set_status(d, 0xf); /* but it cannot take it away */
	assert_int_equal(fake_virtio_status(d), 0xcf);
}

static void t9_status_is_zero_when_the_reset_is_done_and_not_before(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};
	uint16_t *used;

	fake_virtio_init(d, VERSION_1);
	p->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	while (d->queues[1].free_count)
		fake_virtio_add(d, 1, &in, 1, 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(p->held_count, 256);
	used = fake_ram(m->host, d->queues[1].used, 4);
	p->reset_pending = 1;
	fake_virtio_set_status(d, 0);
	assert_int_equal(fake_virtio_status(d), 0xf);
	fake_settle(m->host);
	assert_int_equal(p->resets, 1);
	assert_int_equal(fake_virtio_status(d), 0xf);
	fake_virtio_set_status(d, 0);   /* again */
	fake_virtio_set_status(d, 1);   /* ignored */
	wr(m, REG(QUEUE_SIZE), 2, 128); /* ignored, as are the following */
	wr(m, REG(CONFIG_VECTOR), 2, 2);
	assert_int_equal(rd(m, REG(CONFIG_VECTOR), 2), d->mmio ? FAKE_VIRTIO_NO_VECTOR : 0);
	fake_virtio_set_status(d, 0x8f);
	assert_int_equal(fake_virtio_status(d), 0xf);
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, 0xa5);
	assert_int_equal(fake_virtio_config_read(d, PROBE_WRITABLE, 1), 0x0f);
	/* A chain that ends now is not shown, and nobody is interrupted. */
	p->virtio.push(p->transport, p->device, 1, 0, 8);
	p->virtio.flush(p->transport, p->device, 1);
	fake_settle(m->host);
	assert_int_equal(used[1], 0);
	assert_int_equal(fake_virtio_interrupts(d, 1), 0);
	assert_int_equal(p->resets, 1);
	p->virtio.reset_done(p->transport, p->device);
	assert_int_equal(fake_virtio_status(d), 0);
	assert_int_equal(p->virtio.push(p->transport, p->device, 1, 1, 8), VMM_E_INVAL);
	p->reset_pending = 0;
	probe_expect_alive(m, 1, 1);
	assert_int_equal(fake_virtio_used_index(d, 1), 1);
}

static void t9_reset_before_the_loop_activates_cancels_the_activation(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, VERSION_1);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_set_status(d, 0xf);
	fake_virtio_set_status(d, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0);
	assert_int_equal(m->probe->activations, 0);
	assert_int_equal(m->probe->resets, 0);
	probe_expect_alive(m, 0, 1);
}

static void t9_reset_storm(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	for (uint32_t i = 0; i < (d->mmio ? 10 : 1000); i++) {
		fake_virtio_init(d, FAKE_VIRTIO_ALL);
		fake_virtio_set_status(d, 0);
		fake_virtio_set_status(d, 0);
	}
	fake_settle(m->host);
	assert_int_equal(m->probe->activations, m->probe->resets);
	probe_expect_alive(m, 0, 1);
}

static void t10_reset_brings_everything_back(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	const uint8_t byte = 77;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(d, 0);
	probe_expect_alive(m, 0, 0); /* leaves a cause and the line up */
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, 0xa5);
	p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 1);
	wr(m, REG(DEVICE_FEATURE_SELECT), 4, 1);
	fake_virtio_set_status(d, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0);
	assert_int_equal(fake_virtio_isr(d), 0);
	for (uint32_t gsi = 16; gsi < 24; gsi++)
		assert_int_equal(fake_line_level(m->host, gsi), 0);
	assert_int_equal(rd(m, REG(GENERATION), 1), 0);
	assert_int_equal(fake_virtio_config_read(d, 0, 1), 77);
	assert_int_equal(fake_virtio_config_read(d, PROBE_WRITABLE, 1), 0x0f);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++) {
		select_queue(m, q);
		assert_int_equal(rd(m, REG(QUEUE_ENABLE), 2), 0);
		if (d->mmio)
			continue;
		assert_int_equal(rd(m, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		for (uint32_t reg = REG(QUEUE_DESC); reg < REG(QUEUE_DEVICE) + 8; reg += 4)
			assert_int_equal(rd(m, reg, 4), 0);
	}
	if (!d->mmio) {
		assert_int_equal(rd(m, REG(CONFIG_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		assert_int_equal(rd(m, REG(DEVICE_FEATURE_SELECT), 4), 0);
		assert_int_equal(rd(m, REG(QUEUE_SELECT), 2), PROBE_QUEUES - 1);
	}
}

static uint32_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void t11_initialising_again_and_again_leaks_nothing(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	uint32_t fds = count_fds();
	uint32_t vectors = fake_vector_count(m->host);

	for (uint32_t i = 0; i < 10000; i++) {
		struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

		fake_virtio_reset(d);
		fake_virtio_negotiate(d, i & 1 ? VERSION_1 : VERSION_1 | EVENT_IDX | 4);
		fake_virtio_queue_setup(d, 1, 1u << i % 9, i % 5);
		fake_virtio_driver_ok(d);
		if (!(i % 100)) {
			assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), 0);
			probe_expect_alive(m, 1, 1);
		}
	}
	assert_int_equal(count_fds(), fds);
	assert_int_equal(fake_vector_count(m->host), vectors);
}

static void t13_addresses_are_written_as_two_halves(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_reset(&m->driver);
	fake_virtio_negotiate(&m->driver, VERSION_1);
	select_queue(m, 0);
	wr(m, REG(QUEUE_DESC) + 4, 4, 0x11223344);
	wr(m, REG(QUEUE_DESC), 4, 0x55667788);
	assert_int_equal(rd(m, REG(QUEUE_DESC), 4), 0x55667788);
	assert_int_equal(rd(m, REG(QUEUE_DESC) + 4, 4), 0x11223344);
	wr(m, REG(QUEUE_DESC), 8, 0x0102030405060708); /* and as one, which is split on the way */
	assert_int_equal(rd(m, REG(QUEUE_DESC), 8), 0x0102030405060708);
	wr(m, REG(QUEUE_DESC), 2, 0xffff); /* not as a part */
	assert_int_equal(rd(m, REG(QUEUE_DESC), 8), 0x0102030405060708);
	assert_int_equal(rd(m, REG(QUEUE_SIZE), 4), 0);
	assert_int_equal(rd(m, REG(QUEUE_SIZE), 1), 0);
}

static void t19_isr_read_takes_the_causes_and_the_line_down(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint32_t gsi;

	fake_virtio_init(d, VERSION_1);
	fake_virtio_use_msix(d, 0);
	for (int i = 0; i < 3; i++) {
		probe_expect_alive(m, 0, 0);
		fake_settle(m->host);
		for (gsi = 16; gsi < 24 && !fake_line_level(m->host, gsi); gsi++)
			;
		assert_true(gsi < 24);
		probe_expect_alive(m, 1, 0); /* a second cause does not matter */
		if (!d->mmio)                /* nor does who reads more than the register */
			assert_int_equal(fake_bar_read(&d->pci, d->isr.bar, d->isr.offset, 4), 0);
		assert_int_equal(fake_virtio_isr(d), 1);
		assert_int_equal(fake_line_level(m->host, gsi), 0);
		for (int j = 0; j < 1000; j++)
			assert_int_equal(fake_virtio_isr(d), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(t1_queue_that_is_enabled_cannot_be_changed),
		PROBE_TESTS(t1_queue_that_was_not_enabled_stays_so_after_driver_ok),
		PROBE_TESTS(t1_queue_is_enabled_by_a_one_and_nothing_else),
		PROBE_TESTS(t2_sizes_that_cannot_be_are_ignored),
		PROBE_TESTS(t3_queue_that_does_not_exist),
		PROBE_TESTS(t4_notification_of_a_queue_that_does_not_exist_is_ignored),
		PROBE_TESTS(t5_notification_outside_of_driver_ok_does_nothing),
		PROBE_TESTS(t6_driver_ok_out_of_order_is_ignored),
		PROBE_TESTS(t7_features_that_were_not_offered_are_refused),
		PROBE_TESTS(t7_feature_words_that_do_not_exist_read_zero),
		PROBE_TESTS(t8_status_bits_can_be_added_only),
		PROBE_TESTS(t8_driver_may_write_needs_reset_back),
		PROBE_TESTS(t9_status_is_zero_when_the_reset_is_done_and_not_before),
		PROBE_TESTS(t9_reset_before_the_loop_activates_cancels_the_activation),
		PROBE_TESTS(t9_reset_storm),
		PROBE_TESTS(t10_reset_brings_everything_back),
		PROBE_TEST(t11_initialising_again_and_again_leaks_nothing, probe_on_pci),
		PROBE_TEST(t13_addresses_are_written_as_two_halves, probe_on_pci),
		PROBE_TESTS(t19_isr_read_takes_the_causes_and_the_line_down),
		PROBE_TESTS(t20_transport_features_that_are_not_offered_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
