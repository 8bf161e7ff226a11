/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BARs: first places, sizing, moves, decode (rows P5 to P9).
 */
#include <sys/eventfd.h>

#include "pci_rig.h"

#define MIB 0x100000ull
#define MEM VMM_IO_MMIO

static const struct vmm_pci_bar bars_of_all_kinds[] = {
	RIG_BAR(0, VMM_PCI_BAR_MEM32, 64 * 1024),
	RIG_BAR(1, VMM_PCI_BAR_IO, 64),
	RIG_BAR(2, VMM_PCI_BAR_MEM64, 4 * MIB),
	RIG_BAR(4, VMM_PCI_BAR_MEM64_PREFETCH, 16),
};
static const struct vmm_pci_bar one_bar[] = {RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096)};

static struct rig rig;
static struct rig_function function, other;

static int setup(void **state)
{
	(void)state;
	memset(&function, 0, sizeof(function));
	function.bars = bars_of_all_kinds;
	function.bar_count = 4;
	other = function;
	other.bars = one_bar;
	other.bar_count = 1;
	rig_up(&rig, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (function.handle)
		rig_remove(&function);
	if (other.handle)
		rig_remove(&other);
	rig_down(&rig);
	return 0;
}

static void add_enabled(struct rig_function *what)
{
	rig_add(&rig, what);
	fake_pci_enable(&what->pci);
}

/* Writes one half of a BAR as it is, with decode as it is. */
static void put(const struct rig_function *what, uint32_t bar, uint64_t value)
{
	fake_pci_write(&what->pci, FAKE_PCI_BAR0 + bar * 4, 4, (uint32_t)value);
}

static void bars_have_their_sizes_and_places_in_the_windows(void **state)
{
	const struct vmm_layout *layout = fake_layout(rig.host);
	const struct fake_pci_bar *bars = function.pci.bars;
	uint32_t i;

	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(bars[0].bytes, 64 * 1024);
	assert_int_equal(bars[1].bytes, 64);
	assert_int_equal(bars[2].bytes, 4 * MIB);
	assert_int_equal(bars[4].bytes, 16);
	assert_int_equal(bars[3].bytes + bars[5].bytes, 0);
	assert_true(bars[2].is_64bit && !bars[2].is_prefetch);
	assert_true(bars[4].is_64bit && bars[4].is_prefetch);
	assert_in_range(bars[0].address, layout->pci_mmio32_base,
		layout->pci_mmio32_base + layout->pci_mmio32_bytes - 1);
	assert_in_range(bars[1].address, layout->pci_io_base,
		layout->pci_io_base + layout->pci_io_bytes - 1);
	for (i = 2; i <= 4; i += 2)
		assert_in_range(bars[i].address, layout->pci_mmio64_base,
			layout->pci_mmio64_base + layout->pci_mmio64_bytes - 1);
	for (i = 0; i <= 4; i++)
		assert_int_equal(bars[i].bytes && bars[i].address % bars[i].bytes, 0);
}

static void small_memory_bars_do_not_share_a_page(void **state)
{
	static const struct vmm_pci_bar small[] = {
		RIG_BAR(0, VMM_PCI_BAR_MEM32, 16),
		RIG_BAR(1, VMM_PCI_BAR_MEM32, 16),
	};

	(void)state;
	function.bars = small;
	function.bar_count = 2;
	rig_add(&rig, &function);
	other.bars = small;
	rig_add(&rig, &other);
	assert_int_equal(function.pci.bars[0].address, 0xc0000000);
	assert_int_equal(function.pci.bars[1].address, 0xc0001000);
	assert_int_equal(other.pci.bars[0].address, 0xc0002000);
}

static void nothing_is_decoded_until_the_guest_says_so(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(fake_bar_read(&function.pci, 0, 0, 4), 0xffffffff);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 1);
	assert_int_equal(fake_bar_read(&function.pci, 0, 8, 4), RIG_READ | 8);
	assert_int_equal(fake_bar_read(&function.pci, 2, 0x3ffffc, 4), RIG_READ | 0x3ffffc);
	assert_int_equal(fake_bar_read(&function.pci, 1, 4, 4), 0xffffffff);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_IO, 1);
	assert_int_equal(fake_bar_read(&function.pci, 1, 4, 4), RIG_READ | 4);
}

static void a_64_bit_bar_goes_below_4g_where_there_is_no_other_window(void **state)
{
	struct vmm_layout layout;
	struct fake_config config = {.layout = &layout};

	(void)state;
	rig_down(&rig);
	fake_layout_default(&layout);
	layout.pci_mmio64_bytes = 0;
	rig_up(&rig, &config);
	add_enabled(&function);
	assert_in_range(function.pci.bars[2].address, 0xc0000000, 0xdfffffff);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
}

static void P5_sizing_with_decode_on_brings_the_bar_back(void **state)
{
	uint64_t at;

	(void)state;
	add_enabled(&function);
	at = function.pci.bars[0].address;
	put(&function, 0, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x10, 4), 0xffff0000);
	put(&function, 0, at);
	assert_int_equal(fake_bar_read(&function.pci, 0, 4, 4), RIG_READ | 4);
	put(&function, 1, 0xffffffff);
	put(&function, 1, function.pci.bars[1].address);
	assert_int_equal(fake_bar_read(&function.pci, 1, 4, 4), RIG_READ | 4);
}

static void P5_sizing_one_half_of_a_64_bit_bar_does_not_move_it(void **state)
{
	uint64_t at;

	(void)state;
	add_enabled(&function);
	at = function.pci.bars[2].address;
	put(&function, 2, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x18, 4), 0xffc00004);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
	put(&function, 2, at);
	put(&function, 3, 0xffffffff);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
	put(&function, 3, at >> 32);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
	assert_int_equal(fake_guest_errors(rig.host, NULL), 0);
	/* Both at once, as some do it. */
	put(&function, 2, 0xffffffff);
	put(&function, 3, 0xffffffff);
	put(&function, 2, at);
	put(&function, 3, at >> 32);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
}

static void P5_a_64_bit_bar_moves_when_both_halves_are_written(void **state)
{
	uint64_t from, to = 0x900000000;

	(void)state;
	add_enabled(&function);
	from = function.pci.bars[2].address;
	put(&function, 2, to);
	assert_true(fake_io_mapped(rig.host, MEM, from));
	put(&function, 3, to >> 32);
	assert_false(fake_io_mapped(rig.host, MEM, from));
	assert_int_equal(fake_mmio_read(rig.host, to + 8, 4), RIG_READ | 8);
	/* Again, the upper half first. */
	put(&function, 3, from >> 32);
	assert_true(fake_io_mapped(rig.host, MEM, to));
	put(&function, 2, from);
	assert_true(fake_io_mapped(rig.host, MEM, from));
}

static void P5_a_half_written_move_is_done_by_decode_off_and_on(void **state)
{
	uint64_t from;

	(void)state;
	add_enabled(&function);
	from = function.pci.bars[2].address;
	put(&function, 2, from + 64 * MIB);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 0);
	assert_false(fake_io_mapped(rig.host, MEM, from));
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 1);
	assert_false(fake_io_mapped(rig.host, MEM, from));
	assert_int_equal(fake_mmio_read(rig.host, from + 64 * MIB, 4), RIG_READ);
}

static void P6_illegal_places_read_back_but_are_not_decoded(void **state)
{
	static const uint64_t bad[] = {
		0,                                                     /* also RAM */
		0x10000,                                               /* RAM */
		0xfec00000,                                            /* I/O APIC */
		0xfee00000,                                            /* local APIC */
		0xe0000000,                                            /* ECAM */
		0xdfffff0000 /* as 32 bits: 0xffff0000 */, 0xffff0000, /* ends at 4 GiB */
		0xf0000000, /* of devices that are on no bus */
		0xb0000000, /* nobody's, but not the bridge's either */
	};
	uint64_t home;
	uint32_t i;

	(void)state;
	add_enabled(&function);
	home = function.pci.bars[0].address;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(&function, 0, bad[i]);
		assert_int_equal(fake_pci_read(&function.pci, 0x10, 4), (uint32_t)bad[i]);
		assert_false(fake_io_mapped(rig.host, MEM, home));
		function.reads = 0;
		fake_mmio_read(rig.host, (uint32_t)bad[i], 4);
		assert_int_equal(function.reads, 0);
		put(&function, 0, home);
		assert_int_equal(fake_bar_read(&function.pci, 0, 4, 4), RIG_READ | 4);
	}
	assert_true(fake_guest_errors(rig.host, "pci: BAR refused") > 0);
	/* The ECAM still is the bus's. */
	assert_int_equal(fake_mmio_read(rig.host, 0xe0000000, 2), 0x1b36);
}

static void P6_illegal_64_bit_places_are_not_decoded(void **state)
{
	static const uint64_t bad[] = {0, 0x100000000, 0x10000000000, 0x8000000000000000,
		0xffffffffffc00000, 0xfee00000, 0x7ffc00000 /* just below the window */};
	uint64_t home;
	uint32_t i;

	(void)state;
	add_enabled(&function);
	home = function.pci.bars[2].address;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_pci_move_bar(&function.pci, 2, bad[i]);
		assert_int_equal(fake_pci_read(&function.pci, 0x18, 4), (bad[i] & 0xffc00000) | 4);
		assert_int_equal(fake_pci_read(&function.pci, 0x1c, 4), bad[i] >> 32);
		function.reads = 0;
		fake_mmio_read(rig.host, bad[i], 8);
		assert_int_equal(function.reads, 0);
		fake_pci_move_bar(&function.pci, 2, home);
		assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
	}
}

static void P6_illegal_ports_are_not_decoded(void **state)
{
	static const uint64_t bad[] = {0, 0x3c0, 0xcc0, 0xbfc0, 0x10000, 0x1c000, 0xffffffc0};
	uint64_t home;
	uint32_t i;

	(void)state;
	add_enabled(&function);
	home = function.pci.bars[1].address;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(&function, 1, bad[i]);
		assert_int_equal(fake_pci_read(&function.pci, 0x14, 4), bad[i] | 1);
		assert_false(fake_io_mapped(rig.host, VMM_IO_PIO, home));
		function.reads = 0;
		fake_pio_read(rig.host, bad[i] & 0xffff, 1);
		assert_int_equal(function.reads, 0);
	}
	put(&function, 1, 0xffc0);
	assert_int_equal(fake_pio_read(rig.host, 0xffc0, 1), RIG_READ & 0xff);
}

static void P6_ram_wins(void **state)
{
	static const struct fake_ram ram[] = {{0, 0x1000000}, {0xc0000000, 0x10000}};
	struct fake_config config = {.ram = ram, .ram_count = 2};

	(void)state;
	rig_down(&rig);
	rig_up(&rig, &config);
	rig_add(&rig, &function);
	assert_int_equal(function.pci.bars[0].address, 0xc0000000);
	fake_pci_enable(&function.pci);
	assert_false(fake_io_mapped(rig.host, MEM, 0xc0000000));
}

static void P7_a_bar_on_anothers_place_is_reachable_when_that_moves_away(void **state)
{
	uint64_t place, home;

	(void)state;
	add_enabled(&function);
	add_enabled(&other);
	place = function.pci.bars[0].address;
	home = other.pci.bars[0].address;
	put(&other, 0, place);
	assert_int_equal(fake_mmio_read(rig.host, place, 4), RIG_READ);
	assert_int_equal(other.reads, 0);
	assert_false(fake_io_mapped(rig.host, MEM, home));
	fake_pci_move_bar(&function.pci, 0, 0xd0000000);
	assert_int_equal(fake_mmio_read(rig.host, place, 4), RIG_READ);
	assert_int_equal(other.reads, 1);
	/* What is beyond the smaller BAR is nobody's now. */
	assert_int_equal(fake_mmio_read(rig.host, place + 4096, 4), 0xffffffff);
}

static void P7_moves_with_decode_on_free_a_place_too(void **state)
{
	uint64_t place;

	(void)state;
	add_enabled(&function);
	add_enabled(&other);
	place = function.pci.bars[0].address;
	put(&other, 0, place);
	put(&function, 0, 0xd0000000);
	fake_mmio_read(rig.host, place, 4);
	assert_int_equal(other.reads, 1);
}

static void P7_of_two_on_one_place_decode_off_gives_it_to_the_other(void **state)
{
	uint64_t place;

	(void)state;
	add_enabled(&function);
	add_enabled(&other);
	place = function.pci.bars[0].address;
	put(&other, 0, place);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 0);
	fake_mmio_read(rig.host, place, 4);
	assert_int_equal(other.reads, 1);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY, 1);
	fake_mmio_read(rig.host, place, 4);
	assert_int_equal(other.reads, 2);
	assert_int_equal(function.reads, 0);
	/* Its other BARs are not touched by that. */
	assert_int_equal(fake_bar_read(&function.pci, 2, 0, 4), RIG_READ);
}

static void a_bar_may_move_over_its_own_old_place(void **state)
{
	uint64_t at = 0xd0000000;

	(void)state;
	add_enabled(&function);
	fake_pci_move_bar(&function.pci, 2, at);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
	fake_pci_move_bar(&function.pci, 2, at);
	assert_int_equal(fake_bar_read(&function.pci, 2, 4, 4), RIG_READ | 4);
}

static void P8_decode_off_reads_ones_at_once(void **state)
{
	uint32_t i;

	(void)state;
	add_enabled(&function);
	for (i = 0; i < 100; i++) {
		fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY | FAKE_PCI_CMD_IO, 0);
		assert_int_equal(fake_bar_read(&function.pci, 0, 0, 4), 0xffffffff);
		assert_int_equal(fake_bar_read(&function.pci, 1, 0, 2), 0xffff);
		fake_bar_write(&function.pci, 0, 0, 4, 1);
		assert_int_equal(function.writes, i);
		fake_pci_command(&function.pci, FAKE_PCI_CMD_MEMORY | FAKE_PCI_CMD_IO, 1);
		assert_int_equal(fake_bar_read(&function.pci, 0, 0, 4), RIG_READ);
		fake_bar_write(&function.pci, 0, 0, 4, 1);
	}
}

static void P8_the_owner_is_told_of_bus_master(void **state)
{
	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(rig.bus->bus_master(rig.object, function.handle), 0);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	assert_int_equal(function.master, 1);
	assert_int_equal(rig.bus->bus_master(rig.object, function.handle), 1);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	assert_int_equal(function.master_changes, 1);
	fake_pci_command(&function.pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	assert_int_equal(function.master, 0);
	assert_int_equal(rig.bus->bus_master(rig.object, function.handle), 0);
}

static uint64_t rings(int fd)
{
	eventfd_t count;

	return eventfd_read(fd, &count) == 0 ? count : 0;
}

static void P9_doorbells_follow_their_bar(void **state)
{
	struct vmm_doorbell bell = {
		.struct_size = sizeof(bell), .region = 0, .offset = 0x20, .width = 2};
	uint64_t id, from, to = 0xd4560000;
	int32_t fd;

	(void)state;
	rig_add(&rig, &function);
	assert_int_equal(rig.bus->doorbell_add(rig.object, function.handle, &bell, &id, &fd), 0);
	from = function.pci.bars[0].address;
	assert_false(fake_doorbell_at(rig.host, MEM, from + 0x20));
	fake_pci_enable(&function.pci);
	fake_mmio_write(rig.host, from + 0x20, 2, 0);
	assert_int_equal(rings(fd), 1);
	fake_pci_move_bar(&function.pci, 0, to);
	assert_false(fake_doorbell_at(rig.host, MEM, from + 0x20));
	fake_mmio_write(rig.host, from + 0x20, 2, 0);
	assert_int_equal(rings(fd), 0);
	fake_mmio_write(rig.host, to + 0x20, 2, 0);
	assert_int_equal(rings(fd), 1);
	put(&function, 0, 0xfee00000);
	fake_mmio_write(rig.host, to + 0x20, 2, 0);
	fake_mmio_write(rig.host, 0xfee00020, 2, 0);
	assert_int_equal(rings(fd), 0);
	assert_int_equal(function.writes, 0);
	assert_int_equal(fake_doorbell_count(rig.host), 1);
}

static void doorbells_outside_of_a_bar_are_refused(void **state)
{
	struct vmm_doorbell bell = {.struct_size = sizeof(bell), .width = 2};
	uint64_t id;
	int32_t fd;

	(void)state;
	rig_add(&rig, &function);
	bell.region = 3;
	assert_int_equal(
		rig.bus->doorbell_add(rig.object, function.handle, &bell, &id, &fd), VMM_E_INVAL);
	bell.region = 6;
	assert_int_equal(
		rig.bus->doorbell_add(rig.object, function.handle, &bell, &id, &fd), VMM_E_INVAL);
	bell.struct_size = 8;
	assert_int_equal(
		rig.bus->doorbell_add(rig.object, function.handle, &bell, &id, &fd), VMM_E_INVAL);
	bell.struct_size = sizeof(bell);
	bell.region = 0;
	assert_int_equal(rig.bus->doorbell_add(rig.object, 99, &bell, &id, &fd), VMM_E_INVAL);
	bell.offset = 65536;
	assert_int_equal(
		rig.bus->doorbell_add(rig.object, function.handle, &bell, &id, &fd), VMM_E_RANGE);
}

static void the_table_of_msix_takes_no_doorbell(void **state)
{
	struct vmm_doorbell bell = {.struct_size = sizeof(bell), .width = 2, .region = 1};
	uint64_t id;
	int32_t fd;

	(void)state;
	other.vectors = 2;
	other.msix_bar = 1;
	rig_add(&rig, &other);
	assert_int_equal(
		rig.bus->doorbell_add(rig.object, other.handle, &bell, &id, &fd), VMM_E_INVAL);
	bell.region = 0;
	assert_int_equal(rig.bus->doorbell_add(rig.object, other.handle, &bell, &id, &fd), 0);
}

static void P5_sizing_the_half_of_a_huge_bar_that_has_no_bits_does_not_move_it(void **state)
{
	static const struct vmm_pci_bar huge[] = {RIG_BAR(0, VMM_PCI_BAR_MEM64, 1ull << 33)};
	struct vmm_layout layout;
	struct fake_config config = {.layout = &layout};
	uint64_t before;

	(void)state;
	rig_down(&rig);
	fake_layout_default(&layout);
	layout.pci_mmio64_bytes = 1ull << 35;
	rig_up(&rig, &config);
	function.bars = huge;
	function.bar_count = 1;
	add_enabled(&function);
	before = function.pci.bars[0].address;
	fake_pci_write(&function.pci, 0x10, 4, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x10, 4), 4);
	assert_int_equal(fake_mmio_read(rig.host, before + 4, 4), RIG_READ | 4);
	fake_pci_write(&function.pci, 0x14, 4, 0xffffffff);
	assert_int_equal(fake_pci_read(&function.pci, 0x14, 4), 0xfffffffe);
	assert_int_equal(fake_mmio_read(rig.host, before + 4, 4), RIG_READ | 4);
	fake_pci_write(&function.pci, 0x14, 4, (uint32_t)(before >> 32));
	assert_int_equal(fake_mmio_read(rig.host, before + 4, 4), RIG_READ | 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bars_have_their_sizes_and_places_in_the_windows),
		TEST(small_memory_bars_do_not_share_a_page),
		TEST(nothing_is_decoded_until_the_guest_says_so),
		TEST(a_64_bit_bar_goes_below_4g_where_there_is_no_other_window),
		TEST(P5_sizing_with_decode_on_brings_the_bar_back),
		TEST(P5_sizing_one_half_of_a_64_bit_bar_does_not_move_it),
		TEST(the_table_of_msix_takes_no_doorbell),
		TEST(P5_sizing_the_half_of_a_huge_bar_that_has_no_bits_does_not_move_it),
		TEST(P5_a_64_bit_bar_moves_when_both_halves_are_written),
		TEST(P5_a_half_written_move_is_done_by_decode_off_and_on),
		TEST(P6_illegal_places_read_back_but_are_not_decoded),
		TEST(P6_illegal_64_bit_places_are_not_decoded),
		TEST(P6_illegal_ports_are_not_decoded),
		TEST(P6_ram_wins),
		TEST(P7_a_bar_on_anothers_place_is_reachable_when_that_moves_away),
		TEST(P7_moves_with_decode_on_free_a_place_too),
		TEST(P7_of_two_on_one_place_decode_off_gives_it_to_the_other),
		TEST(a_bar_may_move_over_its_own_old_place),
		TEST(P8_decode_off_reads_ones_at_once),
		TEST(P8_the_owner_is_told_of_bus_master),
		TEST(P9_doorbells_follow_their_bar),
		TEST(doorbells_outside_of_a_bar_are_refused),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
