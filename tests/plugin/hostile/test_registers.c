/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of real devices written as no driver would: what reads back, that nothing is kicked or
 * activated by it, and that the device comes back. Names begin with the row of the catalogue.
 */
#include "machine.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define VERSION_1 (1ull << 32)

#define CAP_BAR    4u
#define CAP_OFFSET 8u
#define CAP_LENGTH 12u
#define CAP_DATA   16u

static uint64_t rd(struct fake_virtio *d, uint32_t reg, uint32_t width)
{
	return fake_virtio_reg_read(d, reg, width);
}

static void wr(struct fake_virtio *d, uint32_t reg, uint32_t width, uint64_t value)
{
	fake_virtio_reg_write(d, reg, width, value);
}

/* Each device in turn; the others go on, and it works again. */
static void attack_each(struct machine *m, void (*attack)(struct machine *, struct fake_virtio *))
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++) {
		attack(m, &m->drivers[i]);
		machine_others_good(m, i);
		machine_init(m, i, FAKE_VIRTIO_ALL);
		machine_good(m, i);
	}
}

static void change_queue(struct machine *m, struct fake_virtio *d)
{
	uint64_t before[3];

	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	fake_virtio_queue_setup(d, 0, 8, 1);
	for (int ok = 0; ok < 2; ok++) {
		for (uint32_t i = 0; i < 3; i++)
			before[i] = rd(d, REG(QUEUE_DESC) + 8 * i, 4);
		wr(d, REG(QUEUE_SIZE), 2, 4);
		for (uint32_t reg = REG(QUEUE_DESC); reg < REG(QUEUE_DEVICE) + 8; reg += 4)
			wr(d, reg, 4, 0x1000);
		wr(d, REG(QUEUE_ENABLE), 2, 0);
		assert_int_equal(rd(d, REG(QUEUE_SIZE), 2), 8);
		assert_int_equal(rd(d, REG(QUEUE_ENABLE), 2), 1);
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(rd(d, REG(QUEUE_DESC) + 8 * i, 4), before[i]);
			assert_int_equal(rd(d, REG(QUEUE_DESC) + 8 * i + 4, 4), 0);
		}
		if (!ok)
			fake_virtio_driver_ok(d);
	}
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0xf);
}

static void t1_queues_in_use_do_not_change(void **state)
{
	attack_each(*state, change_queue);
}

static void bad_sizes(struct machine *m, struct fake_virtio *d)
{
	static const uint32_t sizes[] = {0, 3, 32769, 65535};
	uint64_t most;

	(void)m;
	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	wr(d, REG(QUEUE_SELECT), 2, 0);
	most = rd(d, REG(QUEUE_SIZE), 2);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		wr(d, REG(QUEUE_SIZE), 2, sizes[i]);
	wr(d, REG(QUEUE_SIZE), 2, 2 * most);
	assert_int_equal(rd(d, REG(QUEUE_SIZE), 2), most);
}

static void t2_sizes_that_cannot_be_are_ignored_by_each_device(void **state)
{
	attack_each(*state, bad_sizes);
}

static void absent_queues(struct machine *m, struct fake_virtio *d)
{
	const uint32_t queues[] = {d->queue_count, 64, 0xffff};

	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	for (uint32_t i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
		wr(d, REG(QUEUE_SELECT), 2, queues[i]);
		for (uint32_t reg = REG(QUEUE_SIZE); reg <= REG(QUEUE_NOTIFY_OFF); reg += 2)
			wr(d, reg, 2, 1);
		for (uint32_t reg = REG(QUEUE_DESC); reg < REG(QUEUE_DEVICE) + 8; reg += 4)
			wr(d, reg, 4, 0x1000);
		assert_int_equal(rd(d, REG(QUEUE_SIZE), 2), 0);
		assert_int_equal(rd(d, REG(QUEUE_ENABLE), 2), 0);
		assert_int_equal(rd(d, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		assert_int_equal(rd(d, REG(QUEUE_DESC), 4), 0);
		fake_virtio_kick(d, queues[i] & 0xff);
	}
	fake_settle(m->host);
}

static void t3_t4_queues_that_do_not_exist_cannot_be_touched(void **state)
{
	attack_each(*state, absent_queues);
}

static void driver_ok_too_early(struct machine *m, struct fake_virtio *d)
{
	fake_virtio_reset(d);
	fake_virtio_set_status(d, FAKE_VIRTIO_DRIVER_OK);
	assert_int_equal(fake_virtio_status(d), 0);
	fake_virtio_set_status(d, 3);
	fake_virtio_set_status(d, 7);
	assert_int_equal(fake_virtio_status(d), 3);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	fake_virtio_set_status(d, 0xf); /* no queue */
	assert_int_equal(fake_virtio_status(d), 0xb);
	fake_settle(m->host);
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	for (uint32_t i = 0; i < 3; i++)
		fake_virtio_set_status(d, 0xf);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_status(d), 0xf);
}

static void t6_driver_ok_at_the_wrong_time_activates_no_device(void **state)
{
	attack_each(*state, driver_ok_too_early);
}

static void bad_features(struct machine *m, struct fake_virtio *d)
{
	uint64_t offered;

	(void)m;
	fake_virtio_reset(d);
	offered = fake_virtio_offered(d);
	assert_false(fake_virtio_negotiate(d, 0));
	for (uint32_t bit = 0; bit < 64; bit++) {
		if (offered >> bit & 1)
			continue;
		fake_virtio_reset(d);
		assert_false(fake_virtio_negotiate(d, VERSION_1 | 1ull << bit));
	}
	for (uint32_t word = 2; word < 4; word++) {
		fake_virtio_reset(d);
		wr(d, REG(DRIVER_FEATURE_SELECT), 4, word);
		wr(d, REG(DRIVER_FEATURE), 4, 1);
		assert_false(fake_virtio_negotiate(d, VERSION_1));
	}
	fake_virtio_reset(d);
	wr(d, REG(DEVICE_FEATURE_SELECT), 4, UINT32_MAX);
	assert_int_equal(rd(d, REG(DEVICE_FEATURE), 4), 0);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	wr(d, REG(DRIVER_FEATURE_SELECT), 4, 1);
	wr(d, REG(DRIVER_FEATURE), 4, UINT32_MAX);
	assert_int_equal(rd(d, REG(DRIVER_FEATURE), 4), 1);
}

static void t7_t20_features_that_are_not_offered_are_refused_by_each_device(void **state)
{
	attack_each(*state, bad_features);
}

static void bad_status(struct machine *m, struct fake_virtio *d)
{
	static const uint32_t bad[] = {1, 0xb, 0xe, 0x4f, 0x1f, 0x2f, 0x40};

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_virtio_set_status(d, bad[i]);
		assert_int_equal(fake_virtio_status(d), 0xf);
	}
	fake_virtio_set_status(d, 0x8f);
	assert_int_equal(fake_virtio_status(d), 0x8f);
	fake_settle(m->host);
}

static void t8_only_zero_takes_status_bits_away(void **state)
{
	attack_each(*state, bad_status);
}

static void after_reset(struct machine *m, struct fake_virtio *d)
{
	fake_virtio_use_msix(d, 0);
	machine_good(m, (uint32_t)(d - m->drivers)); /* leaves a cause */
	wr(d, REG(DEVICE_FEATURE_SELECT), 4, 1);
	fake_virtio_reset(d);
	assert_int_equal(fake_virtio_isr(d), 0);
	assert_int_equal(rd(d, REG(DEVICE_FEATURE_SELECT), 4), 0);
	assert_int_equal(rd(d, REG(CONFIG_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
	assert_int_equal(rd(d, REG(GENERATION), 1), 0);
	assert_int_equal(rd(d, REG(QUEUE_SELECT), 2), 0);
	for (uint32_t q = 0; q < d->queue_count; q++) {
		wr(d, REG(QUEUE_SELECT), 2, q);
		assert_int_equal(rd(d, REG(QUEUE_ENABLE), 2), 0);
		assert_int_equal(rd(d, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		for (uint32_t reg = REG(QUEUE_DESC); reg < REG(QUEUE_DEVICE) + 8; reg += 4)
			assert_int_equal(rd(d, reg, 4), 0);
	}
}

static void t10_reset_brings_everything_of_each_device_back(void **state)
{
	attack_each(*state, after_reset);
}

/* Any access is what the bytes say, and behind the end they are 0. */
static void config_of_any_width(struct machine *m, struct fake_virtio *d)
{
	static const uint32_t widths[] = {2, 4, 8};
	uint32_t end = (uint32_t)d->config.bytes;

	(void)m;
	if (!d->config.cap)
		return;
	for (uint32_t at = 0; at < end + 16; at++) {
		uint64_t byte = fake_virtio_config_read(d, at, 1);

		if (at >= end)
			assert_int_equal(byte, 0);
		fake_virtio_config_write(d, at, 8, UINT64_MAX);
	}
	for (uint32_t w = 0; w < 3; w++)
		for (uint32_t at = 0; at + widths[w] <= end; at += widths[w]) {
			uint64_t value = 0;

			for (uint32_t i = 0; i < widths[w]; i++)
				value |= fake_virtio_config_read(d, at + i, 1) << (8 * i);
			assert_true(fake_virtio_config_read(d, at, widths[w]) == value);
		}
	/* Over the end there is nothing, not a part. */
	assert_int_equal(fake_virtio_config_read(d, end - 1, 2), 0);
	assert_int_equal(fake_virtio_config_read(d, end - 1, 4), 0);
	assert_int_equal(fake_virtio_config_read(d, 0xff8, 8), 0);
}

static void t12_t15_config_space_of_each_device_has_an_end(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *disk = &m->drivers[MACHINE_DISK], *card = &m->drivers[MACHINE_CARD];
	uint64_t mac = fake_virtio_config_read(card, 0, 4);

	attack_each(m, config_of_any_width);
	assert_int_equal(fake_virtio_config_read(disk, 0, 8), MACHINE_SECTORS);
	assert_int_equal(fake_virtio_config_read(card, 0, 4), mac);
}

static void read_only(struct machine *m, struct fake_virtio *d)
{
	static const uint32_t registers[] = {
		REG(DEVICE_FEATURE), REG(NUM_QUEUES), REG(GENERATION), REG(QUEUE_NOTIFY_OFF)};
	static const uint32_t widths[] = {4, 2, 1, 2};

	(void)m;
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t before = rd(d, registers[i], widths[i]);

		wr(d, registers[i], widths[i], ~before);
		assert_int_equal(rd(d, registers[i], widths[i]), before);
	}
}

static void t15_read_only_registers_stay(void **state)
{
	attack_each(*state, read_only);
}

static void halves(struct machine *m, struct fake_virtio *d)
{
	(void)m;
	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, VERSION_1));
	wr(d, REG(QUEUE_DESC) + 4, 4, 0x11223344);
	wr(d, REG(QUEUE_DESC), 4, 0x55667788);
	assert_true(rd(d, REG(QUEUE_DESC), 8) == 0x1122334455667788);
	wr(d, REG(QUEUE_DESC), 8, 0x0102030405060708);
	wr(d, REG(QUEUE_DESC), 2, 0xffff);
	wr(d, REG(QUEUE_DESC) + 2, 4, 0xffffffff);
	assert_true(rd(d, REG(QUEUE_DESC), 8) == 0x0102030405060708);
	assert_int_equal(rd(d, REG(QUEUE_SIZE), 4), 0);
}

static void t13_addresses_of_each_device_are_written_as_halves(void **state)
{
	attack_each(*state, halves);
}

static void write_doorbells_wrongly(struct fake_virtio *d, const struct fake_virtio_window *n)
{
	uint64_t end = d->pci.bars[n->bar].bytes - n->offset;
	uint64_t behind = 4ull * d->queue_count;

	for (uint64_t at = 0; at < behind; at++)
		if (at % 4)
			fake_bar_write(&d->pci, n->bar, n->offset + at, 1, 0);
	for (uint64_t at = 2; at < behind; at += 4)
		fake_bar_write(&d->pci, n->bar, n->offset + at, 2, 0);
	if (behind + 4 <= end)
		fake_bar_write(&d->pci, n->bar, n->offset + behind, 4, 0);
	fake_bar_write(&d->pci, n->bar, n->offset + end - 1, 1, 0);
}

static void t17_wrong_notifications_kick_no_queue(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	struct fake_virtio_buffer in = {fake_virtio_alloc(d, 8, 8), 8, 1};

	machine_init(m, MACHINE_RANDOM, VERSION_1);
	fake_virtio_add(d, 0, &in, 1, 0);
	write_doorbells_wrongly(d, &d->notify);
	write_doorbells_wrongly(d, &d->notify_more);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_used_index(d, 0), 0);
	fake_bar_write(&d->pci, d->notify.bar, d->notify.offset, 2, 0xffff); /* of no queue */
	assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
	machine_others_good(m, MACHINE_RANDOM);
}

static void window(struct fake_virtio *d, uint32_t bar, uint32_t offset, uint32_t length)
{
	fake_pci_write(&d->pci, d->pci_cfg.cap + CAP_BAR, 1, bar);
	fake_pci_write(&d->pci, d->pci_cfg.cap + CAP_OFFSET, 4, offset);
	fake_pci_write(&d->pci, d->pci_cfg.cap + CAP_LENGTH, 4, length);
}

static void bad_windows(struct machine *m, struct fake_virtio *d)
{
	uint32_t bar = d->common.bar, end = (uint32_t)d->pci.bars[bar].bytes;
	const uint32_t bad[][3] = {{d->pci.msix_bar, 0, 4}, {5, 0, 4}, {6, 0, 4}, {255, 0, 4},
		{bar, REG(STATUS), 0}, {bar, REG(STATUS), 3}, {bar, REG(STATUS), 5},
		{bar, REG(STATUS), 8}, {bar, REG(STATUS), UINT32_MAX}, {bar, end, 1},
		{bar, end - 1, 2}, {bar, UINT32_MAX - 3, 4}};

	(void)m;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		window(d, bad[i][0], bad[i][1], bad[i][2]);
		assert_int_equal(fake_pci_read(&d->pci, d->pci_cfg.cap + CAP_DATA, 4), UINT32_MAX);
		fake_pci_write(&d->pci, d->pci_cfg.cap + CAP_DATA, 4, 0);
	}
	assert_int_equal(fake_virtio_status(d), 0xf);
	window(d, bar, (uint32_t)d->common.offset + REG(STATUS), 1);
	assert_int_equal(fake_pci_read(&d->pci, d->pci_cfg.cap + CAP_DATA, 1), 0xf);
}

static void t16_windows_onto_anything_but_registers_read_ones(void **state)
{
	attack_each(*state, bad_windows);
}

static void isr_in_a_loop(struct machine *m, struct fake_virtio *d)
{
	uint32_t device = (uint32_t)(d - m->drivers);

	machine_init(m, device, MACHINE_INTERRUPTS);
	fake_virtio_use_msix(d, 0);
	machine_good(m, device);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_isr(d), 1);
	for (uint32_t i = 0; i < MACHINE_ROUNDS(1000u); i++)
		assert_int_equal(fake_virtio_isr(d), 0);
	fake_virtio_use_msix(d, 1);
}

static void t19_reading_the_isr_clears_it(void **state)
{
	attack_each(*state, isr_in_a_loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

MACHINE_TESTS(registers)
{
	const struct CMUnitTest tests[] = {
		TEST(t1_queues_in_use_do_not_change),
		TEST(t2_sizes_that_cannot_be_are_ignored_by_each_device),
		TEST(t3_t4_queues_that_do_not_exist_cannot_be_touched),
		TEST(t6_driver_ok_at_the_wrong_time_activates_no_device),
		TEST(t7_t20_features_that_are_not_offered_are_refused_by_each_device),
		TEST(t8_only_zero_takes_status_bits_away),
		TEST(t10_reset_brings_everything_of_each_device_back),
		TEST(t12_t15_config_space_of_each_device_has_an_end),
		TEST(t13_addresses_of_each_device_are_written_as_halves),
		TEST(t15_read_only_registers_stay),
		TEST(t16_windows_onto_anything_but_registers_read_ones),
		TEST(t17_wrong_notifications_kick_no_queue),
		TEST(t19_reading_the_isr_clears_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
