/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space, BARs and interrupt messages of real devices against a guest that keeps to no
 * order. What the bus alone does is tests/plugin/pci's business; here devices work behind it. Names
 * begin with the row of the catalogue.
 */
#include "machine.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define CF8    0xcf8u
#define CFC    0xcfcu
#define ENABLE 0x80000000u

#define ONES         0xffffffffu
#define ELSEWHERE    0xd0000000u
#define DEVICES      0xb0000000u
#define MARK         0x5a5a1234u
#define STATUS_INTX  0x8u
#define FIRST_CAP    0x40u
#define CONFIG_BYTES 256u
#define FUNCTION_END 4096u
#define BUS_BYTES    (1u << 20)
#define WAIT_MS      5000u
#define DECODE       (FAKE_PCI_CMD_MEMORY | FAKE_PCI_CMD_IO)

/* One request, which may be left without a kick. */
static void ask(struct fake_virtio *d)
{
	struct fake_virtio_buffer in = {fake_virtio_alloc(d, 8, 8), 8, 1};

	fake_virtio_add(d, 0, &in, 1, 0);
}

static void ask_and_kick(struct fake_virtio *d)
{
	ask(d);
	fake_virtio_kick(d, 0);
}

static void all_good(struct machine *m)
{
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_good(m, i);
	machine_rest_good(m);
}

/*
 * ---- Configuration space ----
 */

static uint64_t by_ports(struct machine *m, uint32_t address, uint32_t port, uint32_t width)
{
	fake_pio_write(m->host, CF8, 4, address);
	return fake_pio_read(m->host, port, width);
}

static void p1_addresses_of_nothing_read_ones(void **state)
{
	struct machine *m = *state;
	const struct fake_pci_device *pci = &m->drivers[MACHINE_CARD].pci;
	uint32_t slot = pci->slot << 11;

	assert_int_equal(by_ports(m, slot, CFC, 4), ONES); /* not enabled */
	fake_pio_write(m->host, CFC, 4, 0);
	assert_int_equal(by_ports(m, ENABLE | 1 << 16 | slot, CFC, 4), ONES);
	assert_int_equal(by_ports(m, ENABLE | 255u << 16 | slot, CFC, 2), 0xffff);
	assert_int_equal(by_ports(m, ENABLE | slot | 1 << 8, CFC, 1), 0xff);
	assert_int_equal(by_ports(m, ENABLE | 31u << 11, CFC, 4), ONES);
	fake_pio_write(m->host, CFC, 4, 0);
	/* Register 0x100 the way that AMD has: its bits do not exist. */
	assert_int_equal(by_ports(m, ENABLE | 1 << 24 | slot, CFC, 2), pci->vendor_id);
	all_good(m);
}

static void p2_lanes_are_natural_and_only_four_bytes_latch(void **state)
{
	struct machine *m = *state;
	const struct fake_pci_device *pci = &m->drivers[MACHINE_CARD].pci;
	uint32_t address = ENABLE | pci->slot << 11;

	assert_int_equal(by_ports(m, address, CFC + 1, 1), pci->vendor_id >> 8);
	assert_int_equal(by_ports(m, address | 3, CFC + 2, 2), pci->device_id);
	fake_pio_write(m->host, CF8, 1, 0x55);
	fake_pio_write(m->host, CF8 + 3, 1, 0);
	fake_pio_write(m->host, CF8 + 2, 2, 0);
	fake_pio_write(m->host, CF8 + 2, 4, 0); /* into the data register, too */
	assert_int_equal(fake_pio_read(m->host, CF8, 4), address);
	assert_int_equal(fake_pio_read(m->host, CFC + 2, 4), 0xffff0000u | pci->device_id);
	fake_pio_write(m->host, CFC + 2, 4, 0);
	all_good(m);
}

static void p3_nothing_passes_the_end_of_a_function_or_bus(void **state)
{
	struct machine *m = *state;
	const struct fake_pci_device *pci = &m->drivers[MACHINE_DISK].pci;
	uint64_t at = fake_pci_ecam_address(m->host, pci->slot, 0);
	uint64_t bus = fake_pci_ecam_address(m->host, 0, 0);

	assert_true(fake_mmio_read(m->host, at, 8) ==
		    ((uint64_t)fake_pci_read(pci, 4, 4) << 32 | fake_pci_read(pci, 0, 4)));
	assert_int_equal(fake_mmio_read(m->host, at + FUNCTION_END - 2, 4), 0xffff0000u);
	fake_mmio_write(m->host, at + FUNCTION_END - 2, 4, 0);
	assert_int_equal(fake_mmio_read(m->host, at + FUNCTION_END, 4), ONES);
	fake_mmio_write(m->host, at + FUNCTION_END - 4, 8, 0);
	assert_true(fake_mmio_read(m->host, bus + BUS_BYTES - 4, 8) == UINT64_MAX);
	assert_int_equal(fake_mmio_read(m->host, bus + BUS_BYTES, 4), ONES);
	fake_mmio_write(m->host, bus + BUS_BYTES - 4, 8, 0);
	fake_pci_write(pci, 0x100, 4, ONES);
	assert_int_equal(fake_pci_read(pci, 0x100, 4), 0);
	all_good(m);
}

static void p4_read_only_bits_stay_in_each_lane(void **state)
{
	static const uint32_t fixed[] = {0x00, 0x08, 0x28, 0x2c, 0x30, 0x34, 0x38, FIRST_CAP};
	struct machine *m = *state;
	const struct fake_pci_device *pci = &m->drivers[MACHINE_RANDOM].pci;

	for (uint32_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		uint32_t before = fake_pci_read(pci, fixed[i], 4);

		fake_pci_write(pci, fixed[i], 4, ~before);
		for (uint32_t lane = 0; lane < 4; lane++)
			fake_pci_write(pci, fixed[i] + lane, 1, ~before >> 8 * lane & 0xff);
		assert_int_equal(fake_pci_read(pci, fixed[i], 4), before);
	}
	fake_pci_write(pci, 3, 2, 0xff00 | FAKE_PCI_CMD_BUS_MASTER | DECODE);
	assert_int_equal(fake_pci_read(pci, 0, 4), (uint32_t)pci->device_id << 16 | 0x1af4);
	fake_pci_write(pci, FAKE_PCI_STATUS, 2, 0xffff);
	all_good(m);
}

static void p17_capabilities_end_and_cannot_be_changed(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++) {
		const struct fake_pci_device *pci = &m->drivers[i].pci;
		uint32_t at = fake_pci_read(pci, FAKE_PCI_CAP_POINTER, 1), count = 0;

		for (; at && count < 64; count++) {
			uint32_t head = fake_pci_read(pci, at, 2);

			fake_pci_write(pci, at, 2, ~head & 0xffff);
			assert_int_equal(fake_pci_read(pci, at, 2), head);
			assert_int_not_equal(head & 0xff, 1); /* power management */
			at = head >> 8;
		}
		assert_in_range(count, 2, 47);
		fake_pci_write(pci, 0x30, 4, ONES);
		assert_int_equal(fake_pci_read(pci, 0x30, 4), 0); /* no ROM */
		for (at = FIRST_CAP; at < CONFIG_BYTES; at++)
			if (at < pci->msix_cap || at >= pci->msix_cap + 12)
				fake_pci_write(pci, at, 1, 0xff);
	}
	all_good(m);
}

/*
 * ---- BARs ----
 */

static void p5_sizing_under_way_moves_nothing(void **state)
{
	struct machine *m = *state;
	const struct fake_virtio *d = &m->drivers[MACHINE_CARD];

	for (uint32_t bar = 0; bar < 6; bar++) {
		uint32_t reg = FAKE_PCI_BAR0 + 4 * bar, before = fake_pci_read(&d->pci, reg, 4);

		fake_pci_write(&d->pci, reg, 4, ONES);
		machine_good(m, MACHINE_DISK);
		fake_pci_write(&d->pci, reg, 4, before);
		machine_good(m, MACHINE_CARD);
	}
	all_good(m);
}

static void p6_illegal_places_are_not_decoded(void **state)
{
	static const uint32_t bad[] = {0, 0x10000, 0x100000, 0xfec00000, 0xfee00000, 0xe0000000,
		0xf0000000, 0xfffff000, 0xffff8000, 0xb0000000};
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	uint32_t reg = FAKE_PCI_BAR0 + 4 * d->common.bar;
	uint32_t home = (uint32_t)d->pci.bars[d->common.bar].address;

	fake_virtio_reg_write(d, REG(DEVICE_FEATURE_SELECT), 4, MARK); /* at the BAR's start */
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t there = bad[i] & ~(uint32_t)(d->pci.bars[d->common.bar].bytes - 1);

		fake_pci_write(&d->pci, reg, 4, bad[i]);
		assert_int_equal(fake_pci_read(&d->pci, reg, 4), there);
		assert_int_equal(fake_mmio_read(m->host, home, 4), ONES);
		if (there >= DEVICES) /* below is RAM, which wins anyway */
			assert_int_not_equal(fake_mmio_read(m->host, there, 4), MARK);
		machine_others_good(m, MACHINE_RANDOM);
		fake_pci_write(&d->pci, reg, 4, home);
		machine_good(m, MACHINE_RANDOM);
	}
}

static void p6_ports_of_others_are_not_taken(void **state)
{
	static const uint32_t bad[] = {0, 0x60, 0x3f8, CF8, 0xbf00, 0xffffff00};
	struct machine *m = *state;
	const struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	uint32_t reg = FAKE_PCI_BAR0 + 4 * d->notify.bar;
	uint32_t home = (uint32_t)d->pci.bars[d->notify.bar].address;

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_pci_write(&d->pci, reg, 4, bad[i]);
		assert_int_equal(fake_pio_read(m->host, home, 2), 0xffff);
		machine_others_good(m, MACHINE_RANDOM);
		fake_pci_write(&d->pci, reg, 4, home);
		machine_good(m, MACHINE_RANDOM);
	}
}

static void p7_of_two_at_one_place_the_other_is_there_when_one_moves(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *disk = &m->drivers[MACHINE_DISK], *card = &m->drivers[MACHINE_CARD];
	uint32_t bar = disk->common.bar;
	uint64_t place = disk->pci.bars[bar].address, home = card->pci.bars[bar].address;

	fake_pci_move_bar(&card->pci, bar, place);
	machine_good(m, MACHINE_DISK);
	assert_int_equal(fake_mmio_read(m->host, home, 4), ONES);
	fake_pci_move_bar(&disk->pci, bar, ELSEWHERE);
	all_good(m);
	fake_pci_move_bar(&card->pci, bar, home);
	fake_pci_move_bar(&disk->pci, bar, place);
	all_good(m);
}

static void p8_without_decode_there_are_ones(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];

	for (uint32_t i = 0; i < MACHINE_ROUNDS(100u); i++) {
		fake_settle(m->host);
		fake_pci_command(&d->pci, DECODE, 0);
		assert_int_equal(fake_virtio_status(d), 0xff);
		ask_and_kick(d);
		machine_others_good(m, MACHINE_RANDOM);
		assert_int_equal(fake_virtio_used_index(d, 0), d->queues[0].used_index);
		fake_pci_command(&d->pci, DECODE, 1);
		fake_virtio_kick(d, 0);
		assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
	}
}

static void p8_without_bus_master_there_is_no_dma(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];

	for (uint32_t i = 0; i < MACHINE_ROUNDS(100u); i++) {
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 0);
		ask_and_kick(d);
		machine_others_good(m, MACHINE_RANDOM);
		assert_int_equal(fake_virtio_used_index(d, 0), d->queues[0].used_index);
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 1);
		assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
	}
}

static void p9_doorbells_move_with_their_bar(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	uint32_t bar = d->notify.bar;
	uint64_t home = d->pci.bars[bar].address, there = home + 0x1000;

	for (uint32_t i = 0; i < MACHINE_ROUNDS(64u); i++) {
		fake_pci_move_bar(&d->pci, bar, there);
		ask(d);
		fake_pio_write(m->host, home + d->notify.offset, 2, 0);
		fake_settle(m->host);
		assert_int_equal(fake_virtio_used_index(d, 0), d->queues[0].used_index);
		fake_virtio_kick(d, 0);
		assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
		fake_pci_move_bar(&d->pci, bar, home);
		machine_good(m, MACHINE_RANDOM);
	}
	all_good(m);
}

/*
 * ---- Interrupts ----
 */

static uint64_t table_read(const struct fake_pci_device *pci, uint64_t offset, uint32_t width)
{
	return fake_bar_read(pci, pci->msix_bar, pci->msix_table + offset, width);
}

static void table_write(
	const struct fake_pci_device *pci, uint64_t offset, uint32_t width, uint64_t value)
{
	fake_bar_write(pci, pci->msix_bar, pci->msix_table + offset, width, value);
}

static void p10_p11_table_and_pending_bits_take_aligned_words_only(void **state)
{
	static const uint32_t bad[][2] = {{0, 1}, {3, 1}, {0, 2}, {2, 2}, {2, 4}, {14, 4}, {4, 8}};
	struct machine *m = *state;
	const struct fake_pci_device *pci = &m->drivers[MACHINE_RANDOM].pci;
	uint32_t end = pci->msix_vectors * 16;
	uint64_t before = table_read(pci, 0, 8);

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		table_write(pci, bad[i][0], bad[i][1], UINT64_MAX);
		assert_int_equal(table_read(pci, bad[i][0], bad[i][1]), 0);
	}
	assert_true(table_read(pci, 0, 8) == before);
	table_write(pci, end, 8, UINT64_MAX);
	assert_int_equal(table_read(pci, end, 8), 0);
	fake_bar_write(pci, pci->msix_bar, pci->msix_pba, 8, UINT64_MAX);
	assert_int_equal(fake_bar_read(pci, pci->msix_bar, pci->msix_pba, 8), 0);
	assert_int_equal(fake_bar_read(pci, pci->msix_bar, pci->msix_pba + 8, 8), 0);
	all_good(m);
}

static void p12_vectors_beyond_the_table_are_none(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	const uint32_t bad[] = {d->pci.msix_vectors, 0x7ff, 0x8000, 0xfffe};

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, bad[i]);
		fake_virtio_reg_write(d, REG(CONFIG_VECTOR), 2, bad[i]);
		assert_int_equal(
			fake_virtio_reg_read(d, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		assert_int_equal(
			fake_virtio_reg_read(d, REG(CONFIG_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
		machine_good(m, MACHINE_RANDOM);
	}
	all_good(m);
}

struct message {
	struct fake_host *host;
	uint32_t data;
};

static int has_come(void *ctx)
{
	const struct message *message = ctx;

	return fake_msi_count(message->host, message->data) > 0;
}

/* Soon: the kernel may leave it to a thread of its own. */
static void expect_message(struct machine *m, uint32_t data)
{
	struct message message = {m->host, data};

	assert_true(fake_run_until(m->host, has_come, &message, WAIT_MS));
}

/* The queue's vector with a message that no vector had; NO_VECTOR until a test says otherwise. */
static uint32_t new_message(struct machine *m, struct fake_virtio *d)
{
	uint32_t data = machine_new_message(m);

	for (uint32_t i = 0; i < d->pci.msix_vectors; i++)
		fake_msix_program(&d->pci, i, data);
	return data;
}

static void p13_messages_that_are_no_interrupt_kill_their_vector_only(void **state)
{
	static const uint64_t bad[] = {0, 0x1000, 0xfed00000, 0xfef00000, 0x1fee00000, UINT64_MAX};
	static const uint32_t odd[] = {0, 0x300, 0x700, 0xffff0000, UINT32_MAX};
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	uint64_t before;
	uint32_t data;

	machine_init(m, MACHINE_RANDOM, MACHINE_INTERRUPTS);
	data = new_message(m, d);
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_msix_mask(&d->pci, 1, 1);
		table_write(&d->pci, 16, 8, bad[i]);
		fake_msix_mask(&d->pci, 1, 0);
		machine_good(m, MACHINE_RANDOM);
		fake_settle(m->host);
		assert_int_equal(fake_msi_count(m->host, data), 0);
	}
	/* Data that says more than a vector, or one that is none. */
	for (uint32_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		fake_msix_program(&d->pci, 1, odd[i]);
		before = fake_msi_count(m->host, data);
		machine_good(m, MACHINE_RANDOM);
		fake_settle(m->host);
		assert_int_equal(fake_msi_count(m->host, data), before);
		machine_others_good(m, MACHINE_RANDOM);
	}
	fake_msix_program(&d->pci, 1, data);
	machine_good(m, MACHINE_RANDOM);
	expect_message(m, data);
	all_good(m);
}

static void hold_back(const struct fake_pci_device *pci, uint32_t how, int hold)
{
	if (how == 0)
		fake_msix_mask(pci, 1, hold);
	else
		fake_msix_function_mask(pci, hold);
}

static void p14_what_is_raised_under_a_mask_comes_behind_it(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];

	machine_init(m, MACHINE_RANDOM, MACHINE_INTERRUPTS);
	for (uint32_t how = 0; how < 2; how++) {
		uint32_t data = new_message(m, d);

		for (uint32_t i = 0; i < MACHINE_ROUNDS(500u); i++) {
			hold_back(&d->pci, how, 1);
			machine_good(m, MACHINE_RANDOM);
			fake_settle(m->host);
			assert_true(fake_msix_pending(&d->pci, 1));
			if (!i)
				assert_int_equal(fake_msi_count(m->host, data), 0);
			hold_back(&d->pci, how, 0);
			assert_false(fake_msix_pending(&d->pci, 1));
			expect_message(m, data);
		}
	}
	all_good(m);
}

static void p15_without_a_vector_there_is_no_interrupt(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];
	uint32_t data;

	machine_init(m, MACHINE_RANDOM, MACHINE_INTERRUPTS);
	data = new_message(m, d);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_reg_write(d, REG(CONFIG_VECTOR), 2, FAKE_VIRTIO_NO_VECTOR);
	machine_good(m, MACHINE_RANDOM);
	fake_settle(m->host);
	assert_int_equal(fake_msi_count(m->host, data), 0);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, 1);
	machine_good(m, MACHINE_RANDOM);
	expect_message(m, data);
	all_good(m);
}

static void p16_a_line_that_nobody_serves_stays_up_and_costs_nothing(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];

	machine_init(m, MACHINE_RANDOM, MACHINE_INTERRUPTS);
	fake_virtio_use_msix(d, 0);
	machine_good(m, MACHINE_RANDOM);
	fake_settle(m->host);
	for (uint32_t i = 0; i < MACHINE_ROUNDS(100u); i++) {
		assert_true(fake_pci_read(&d->pci, FAKE_PCI_STATUS, 2) & STATUS_INTX);
		all_good(m);
	}
	assert_int_equal(fake_virtio_isr(d), 1);
	assert_false(fake_pci_read(&d->pci, FAKE_PCI_STATUS, 2) & STATUS_INTX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

MACHINE_TESTS(bus)
{
	const struct CMUnitTest tests[] = {
		TEST(p1_addresses_of_nothing_read_ones),
		TEST(p2_lanes_are_natural_and_only_four_bytes_latch),
		TEST(p3_nothing_passes_the_end_of_a_function_or_bus),
		TEST(p4_read_only_bits_stay_in_each_lane),
		TEST(p17_capabilities_end_and_cannot_be_changed),
		TEST(p5_sizing_under_way_moves_nothing),
		TEST(p6_illegal_places_are_not_decoded),
		TEST(p6_ports_of_others_are_not_taken),
		TEST(p7_of_two_at_one_place_the_other_is_there_when_one_moves),
		TEST(p8_without_decode_there_are_ones),
		TEST(p8_without_bus_master_there_is_no_dma),
		TEST(p9_doorbells_move_with_their_bar),
		TEST(p10_p11_table_and_pending_bits_take_aligned_words_only),
		TEST(p12_vectors_beyond_the_table_are_none),
		TEST(p13_messages_that_are_no_interrupt_kill_their_vector_only),
		TEST(p14_what_is_raised_under_a_mask_comes_behind_it),
		TEST(p15_without_a_vector_there_is_no_interrupt),
		TEST(p16_a_line_that_nobody_serves_stays_up_and_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
