/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space: the ways to it, masks, capabilities (rows P1 to P4, P17).
 */
#include "pci_rig.h"

#define CF8 0xcf8u
#define CFC 0xcfcu

static const struct vmm_pci_bar one_bar[] = {RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096)};

static struct rig rig;
static struct rig_function function;

static int setup(void **state)
{
	(void)state;
	memset(&function, 0, sizeof(function));
	function.bars = one_bar;
	function.bar_count = 1;
	function.slot = 3;
	rig_up(&rig, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (function.handle)
		rig_remove(&function);
	rig_down(&rig);
	return 0;
}

static uint32_t by_ports(uint32_t address, uint32_t port, uint32_t width)
{
	fake_pio_write(rig.host, CF8, 4, address);
	return (uint32_t)fake_pio_read(rig.host, port, width);
}

static void the_host_bridge_is_in_slot_0(void **state)
{
	struct fake_pci_device bridge;
	uint32_t i;

	(void)state;
	assert_true(fake_pci_probe(rig.host, 0, &bridge));
	assert_int_equal(fake_pci_read(&bridge, 8, 4), 0x06000000);
	for (i = 0; i < 6; i++)
		assert_int_equal(bridge.bars[i].bytes, 0);
	assert_false(fake_pci_probe(rig.host, 1, &bridge));
}

static void both_ways_show_the_same_header(void **state)
{
	uint32_t offset;

	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(fake_pci_read(&function.pci, 0, 4), RIG_DEVICE << 16 | RIG_VENDOR);
	assert_int_equal(fake_pci_read(&function.pci, 8, 4), RIG_CLASS << 8 | 7);
	assert_int_equal(fake_pci_read(&function.pci, 0x2c, 4), 0x22221111);
	for (offset = 0; offset < 256; offset += 4)
		assert_int_equal(fake_pci_read(&function.pci, offset, 4),
			fake_pci_io_read(rig.host, 3, offset, 4));
}

static void P1_without_enable_bit_reads_ones_and_drops_writes(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(by_ports(3 << 11, CFC, 4), 0xffffffff);
	fake_pio_write(rig.host, CF8, 4, 3 << 11 | 0x3c);
	fake_pio_write(rig.host, CFC, 1, 0x55);
	assert_int_equal(fake_pci_read(&function.pci, 0x3c, 1), 0);
}

static void P1_absent_bus_device_and_function_read_ones(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(by_ports(0x80000000 | 1 << 16 | 3 << 11, CFC, 4), 0xffffffff);
	assert_int_equal(by_ports(0x80000000 | 255u << 16 | 3 << 11, CFC, 2), 0xffff);
	assert_int_equal(by_ports(0x80000000 | 4 << 11, CFC, 4), 0xffffffff);
	assert_int_equal(by_ports(0x80000000 | 3 << 11 | 1 << 8, CFC, 1), 0xff);
	fake_pio_write(rig.host, CFC, 4, 0);
	assert_int_equal(fake_pci_read(&function.pci, 0, 2), RIG_VENDOR);
}

static void P1_extended_registers_are_not_reached_through_cf8(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	/* AMD's way to name register 0x100: its bits are reserved here and do not latch. */
	assert_int_equal(
		by_ports(0x80000000 | 1 << 24 | 3 << 11, CFC, 4), RIG_DEVICE << 16 | RIG_VENDOR);
	assert_int_equal(fake_pio_read(rig.host, CF8, 4), 0x80001800);
}

static void P2_only_a_write_of_four_bytes_latches_the_address(void **state)
{
	(void)state;
	fake_pio_write(rig.host, CF8, 4, 0x80001834);
	fake_pio_write(rig.host, CF8, 1, 0x11);
	fake_pio_write(rig.host, CF8 + 3, 1, 0x01);
	fake_pio_write(rig.host, CF8, 2, 0x2222);
	fake_pio_write(rig.host, CF8 + 2, 2, 0x2222);
	fake_pio_write(rig.host, CF8 + 2, 4, 0x33333333); /* crosses into the data register */
	assert_int_equal(fake_pio_read(rig.host, CF8, 4), 0x80001834);
	assert_int_equal(fake_pio_read(rig.host, CF8 + 1, 1), 0x18);
	assert_int_equal(fake_pio_read(rig.host, CF8 + 2, 2), 0x8000);
}

static void P2_data_is_read_in_natural_lanes(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(by_ports(0x80001800, CFC + 1, 1), RIG_VENDOR >> 8);
	assert_int_equal(by_ports(0x80001800, CFC + 2, 2), RIG_DEVICE);
	assert_int_equal(
		by_ports(0x80001800, CFC + 1, 2), (RIG_DEVICE & 0xff) << 8 | RIG_VENDOR >> 8);
	/* The two lower bits of the address do not count. */
	assert_int_equal(by_ports(0x80001803, CFC, 2), RIG_VENDOR);
}

static void P2_an_access_that_crosses_cff_is_truncated(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(by_ports(0x80001800, CFC + 2, 4), 0xffff0000 | RIG_DEVICE);
	fake_pio_write(rig.host, CF8, 4, 0x8000183c);
	fake_pio_write(rig.host, CFC, 8, 0x1122334455667788);
	assert_int_equal(fake_pci_read(&function.pci, 0x3c, 4), 0x88);
}

static void P3_an_access_of_eight_bytes_is_split(void **state)
{
	uint64_t at;

	(void)state;
	rig_add(&rig, &function);
	at = fake_pci_ecam_address(rig.host, 3, 0);
	assert_int_equal(fake_mmio_read(rig.host, at, 8),
		(uint64_t)fake_pci_read(&function.pci, 4, 4) << 32 | RIG_DEVICE << 16 | RIG_VENDOR);
	fake_mmio_write(rig.host, at + 0x38, 8, 0x0000004200000000);
	assert_int_equal(fake_pci_read(&function.pci, 0x3c, 1), 0x42);
}

static void P3_nothing_passes_the_end_of_a_function(void **state)
{
	struct rig_function neighbour = {.slot = 4, .bars = one_bar, .bar_count = 1};
	uint64_t end;

	(void)state;
	rig_add(&rig, &function);
	rig_add(&rig, &neighbour);
	end = fake_pci_ecam_address(rig.host, 3, 4096);
	assert_int_equal(fake_mmio_read(rig.host, end - 2, 4), 0xffff0000);
	fake_mmio_write(rig.host, end - 2, 4, 0xffffffff);
	/* The next function (number 1) is not there, and slot 4 is untouched. */
	assert_int_equal(fake_mmio_read(rig.host, end, 4), 0xffffffff);
	assert_int_equal(fake_pci_read(&neighbour.pci, 4, 2), 0);
	rig_remove(&neighbour);
}

static void P3_beyond_the_last_bus_reads_ones(void **state)
{
	uint64_t base = fake_pci_ecam_address(rig.host, 0, 0);

	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(fake_mmio_read(rig.host, base + (1 << 20), 4), 0xffffffff);
	assert_int_equal(fake_mmio_read(rig.host, base + (31 << 15), 4), 0xffffffff);
	assert_int_equal(fake_mmio_read(rig.host, base + (1 << 20) - 4, 8), UINT64_MAX);
	fake_mmio_write(rig.host, base + (1 << 20) - 4, 8, 0);
}

static void P3_extended_space_reads_zero_and_drops_writes(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	fake_pci_write(&function.pci, 0x100, 4, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x100, 4), 0);
	fake_pci_write(&function.pci, 0xfe, 4, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0xfe, 4), 0);
}

static const uint8_t cap_body[6] = {1, 2, 3, 4, 5, 6};
static const uint8_t cap_mask[6] = {0, 0x0f, 0, 0, 0xff, 0};
static const struct vmm_pci_cap two_caps[] = {
	{.struct_size = sizeof(struct vmm_pci_cap),
		.id = 9,
		.body = cap_body,
		.write_mask = cap_mask,
		.body_bytes = 6},
	{.struct_size = sizeof(struct vmm_pci_cap), .id = 5, .body = cap_body, .body_bytes = 5},
};

static void P4_only_writable_bits_change(void **state)
{
	static const uint32_t writable[] = {0x04, 0x0c, 0x10, 0x3c};
	uint32_t before[64], offset, i, may;

	(void)state;
	function.caps = two_caps;
	function.cap_count = 2;
	rig_add(&rig, &function);
	for (offset = 0; offset < 256; offset += 4)
		before[offset / 4] = fake_pci_read(&function.pci, offset, 4);
	for (offset = 0; offset < 256; offset += 4)
		fake_pci_write(&function.pci, offset, 4, 0xffffffff);
	for (offset = 0; offset < 256; offset += 4) {
		for (may = offset >= 0x40, i = 0; i < 4; i++)
			may |= offset == writable[i];
		if (!may)
			assert_int_equal(
				fake_pci_read(&function.pci, offset, 4), before[offset / 4]);
	}
	assert_int_equal(fake_pci_read(&function.pci, 4, 4), 0x00100407);
	assert_int_equal(fake_pci_read(&function.pci, 0x0c, 4), 0x000000ff);
	assert_int_equal(fake_pci_read(&function.pci, 0x10, 4), 0xfffff000);
	assert_int_equal(fake_pci_read(&function.pci, 0x3c, 4), 0x000000ff);
	assert_int_equal(fake_pci_read(&function.pci, 0x40, 4), 0x0f014809);
	assert_int_equal(fake_pci_read(&function.pci, 0x44, 4), 0x06ff0403);
}

static void P4_masks_hold_for_each_byte_lane(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	fake_pci_write(&function.pci, 5, 1, 0x04);
	assert_int_equal(fake_pci_read(&function.pci, 4, 2), 0x0400);
	fake_pci_write(&function.pci, 3, 2, 0xffff); /* a byte of the id, a byte of the command */
	assert_int_equal(fake_pci_read(&function.pci, 2, 4), (0x0407u << 16) | RIG_DEVICE);
	fake_pci_write(&function.pci, 6, 2, 0xffff);
	assert_int_equal(fake_pci_read(&function.pci, 6, 2), 0x0010 & 0);
}

static void P17_the_list_of_capabilities_ends_and_is_read_only(void **state)
{
	uint32_t at, steps = 0;

	(void)state;
	function.caps = two_caps;
	function.cap_count = 2;
	function.vectors = 4;
	function.msix_bar = 1;
	rig_add(&rig, &function);
	for (at = 0x34; at < 0x60; at++)
		if (at != 0x3c)
			fake_pci_write(&function.pci, at, 1, 0x00);
	at = fake_pci_read(&function.pci, 0x34, 1);
	assert_int_equal(at, 0x40);
	for (; at && steps < 10; steps++) {
		assert_int_equal(at & 3, 0);
		at = fake_pci_read(&function.pci, at + 1, 1);
	}
	assert_int_equal(steps, 3);
	assert_int_equal(fake_pci_cap(&function.pci, 9, 0), 0x40);
	assert_int_equal(fake_pci_cap(&function.pci, 5, 0), 0x48);
	assert_int_equal(fake_pci_cap(&function.pci, FAKE_PCI_CAP_ID_MSIX, 0), 0x50);
}

static void P17_there_is_no_rom_and_no_power_management(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	fake_pci_write(&function.pci, 0x30, 4, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x30, 4), 0);
	assert_int_equal(fake_pci_cap(&function.pci, 1, 0), 0);
	assert_int_equal(fake_pci_cap(&function.pci, 0x10, 0), 0);
}

static const uint8_t window_body[18] = {20, 5};
static const uint8_t window_mask[18] = {0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct vmm_pci_cap window[] = {
	{.struct_size = sizeof(struct vmm_pci_cap), .id = 5, .body = cap_body, .body_bytes = 6},
	{.struct_size = sizeof(struct vmm_pci_cap),
		.id = 9,
		.flags = VMM_PCI_CAP_HOOKED,
		.body = window_body,
		.write_mask = window_mask,
		.body_bytes = 18},
};

static void hooked_capabilities_call_their_owner_in_aligned_pieces(void **state)
{
	uint32_t cap;

	(void)state;
	function.caps = window;
	function.cap_count = 2;
	rig_add(&rig, &function);
	cap = fake_pci_cap(&function.pci, 9, 0);
	function.cap_reads = 0;
	/* Id and next are the bus's; the rest of the dword is one piece of two bytes. */
	assert_int_equal(fake_pci_read(&function.pci, cap, 4), 0xc2c30009);
	assert_int_equal(function.cap, 1);
	assert_int_equal(function.cap_offset, 0);
	assert_int_equal(function.cap_width, 2);
	assert_int_equal(function.cap_reads, 1);
	assert_int_equal(fake_pci_read(&function.pci, cap + 16, 4), 0xc0c1c2c3);
	assert_int_equal(function.cap_offset, 14);
	assert_int_equal(function.cap_width, 4);
	fake_pci_write(&function.pci, cap + 17, 1, 0x77);
	assert_int_equal(function.cap_offset, 15);
	assert_int_equal(function.cap_width, 1);
	assert_int_equal(function.cap_value, 0x77);
	fake_pci_write(&function.pci, cap - 2, 4, 0x11223344); /* ends before the body */
	assert_int_equal(function.cap_writes, 1);
	fake_pci_write(&function.pci, cap + 15, 4, 0x11223344); /* misaligned: 1, 2, 1 */
	assert_int_equal(function.cap_writes, 4);
	assert_int_equal(function.cap_value, 0x11);
}

static void a_capability_that_cannot_be_read_reads_ones(void **state)
{
	uint32_t cap;

	(void)state;
	function.caps = window;
	function.cap_count = 2;
	function.cap_fails = 1;
	rig_add(&rig, &function);
	cap = fake_pci_cap(&function.pci, 9, 0);
	assert_int_equal(fake_pci_read(&function.pci, cap, 4), 0xffff0009);
	assert_int_equal(fake_pci_read(&function.pci, cap + 4, 4), 0xffffffff);
}

static void a_function_without_callbacks_keeps_what_is_written(void **state)
{
	static const struct vmm_pci_function_ops none = {.size = sizeof(none)};
	uint32_t cap;

	(void)state;
	function.caps = window;
	function.cap_count = 2;
	function.vectors = 1;
	function.msix_bar = 1;
	function.ops = &none;
	rig_add(&rig, &function);
	cap = fake_pci_cap(&function.pci, 9, 0);
	assert_int_equal(fake_pci_read(&function.pci, cap, 4), 0x05145c09);
	fake_pci_write(&function.pci, cap + 16, 4, 0x11223344);
	assert_int_equal(fake_pci_read(&function.pci, cap + 16, 4), 0x11223344);
	fake_pci_enable(&function.pci);
	assert_int_equal(rig.bus->bus_master(rig.object, function.handle), 1);
	cap = fake_pci_cap(&function.pci, FAKE_PCI_CAP_ID_MSIX, 0);
	fake_pci_write(&function.pci, cap + 2, 2, 0x8000);
	assert_int_equal(rig.bus->msix_enabled(rig.object, function.handle), 1);
	assert_int_equal(function.cap_reads + function.cap_writes, 0);
}

static void a_capability_may_be_its_header_only(void **state)
{
	static const struct vmm_pci_cap header[] = {
		{.struct_size = sizeof(struct vmm_pci_cap), .id = 9}};
	uint32_t cap;

	(void)state;
	function.caps = header;
	function.cap_count = 1;
	rig_add(&rig, &function);
	cap = fake_pci_cap(&function.pci, 9, 0);
	assert_int_equal(fake_pci_read(&function.pci, cap, 4), 9);
}

static void pieces_end_with_the_body(void **state)
{
	static const struct vmm_pci_cap short_body[] = {{.struct_size = sizeof(struct vmm_pci_cap),
		.id = 9,
		.flags = VMM_PCI_CAP_HOOKED,
		.body = window_body,
		.body_bytes = 5}};
	uint32_t cap;

	(void)state;
	function.caps = short_body;
	function.cap_count = 1;
	rig_add(&rig, &function);
	cap = fake_pci_cap(&function.pci, 9, 0);
	function.cap_reads = 0;
	assert_int_equal(fake_pci_read(&function.pci, cap + 4, 4), 0x00c3c2c3);
	assert_int_equal(function.cap_reads, 2);
	assert_int_equal(function.cap_offset, 4);
	assert_int_equal(function.cap_width, 1);
}

static void P17_a_window_onto_its_own_bar_does_not_lock_up(void **state)
{
	uint32_t cap;

	(void)state;
	function.caps = window;
	function.cap_count = 2;
	function.intx = 1;
	rig_add(&rig, &function);
	fake_pci_enable(&function.pci);
	function.cap_enters_bar = 1;
	cap = fake_pci_cap(&function.pci, 9, 0);
	fake_pci_write(&function.pci, cap + 16, 4, 1);
	assert_int_equal(function.reads, 1);
	assert_int_equal(fake_line_level(rig.host, 19), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_host_bridge_is_in_slot_0),
		TEST(both_ways_show_the_same_header),
		TEST(P1_without_enable_bit_reads_ones_and_drops_writes),
		TEST(P1_absent_bus_device_and_function_read_ones),
		TEST(P1_extended_registers_are_not_reached_through_cf8),
		TEST(P2_only_a_write_of_four_bytes_latches_the_address),
		TEST(P2_data_is_read_in_natural_lanes),
		TEST(P2_an_access_that_crosses_cff_is_truncated),
		TEST(P3_an_access_of_eight_bytes_is_split),
		TEST(P3_nothing_passes_the_end_of_a_function),
		TEST(P3_beyond_the_last_bus_reads_ones),
		TEST(P3_extended_space_reads_zero_and_drops_writes),
		TEST(P4_only_writable_bits_change),
		TEST(P4_masks_hold_for_each_byte_lane),
		TEST(P17_the_list_of_capabilities_ends_and_is_read_only),
		TEST(P17_there_is_no_rom_and_no_power_management),
		TEST(hooked_capabilities_call_their_owner_in_aligned_pieces),
		TEST(a_capability_that_cannot_be_read_reads_ones),
		TEST(a_function_without_callbacks_keeps_what_is_written),
		TEST(a_capability_may_be_its_header_only),
		TEST(pieces_end_with_the_body),
		TEST(P17_a_window_onto_its_own_bar_does_not_lock_up),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
