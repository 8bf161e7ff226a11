/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells under a fake backend: told of the right addresses, moved with the region, and rung by a
 * trapped write just as KVM would have done.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/io.h"
#include "probe.h"

#define BASE   UINT64_C(0xd0000000)
#define BASE_2 UINT64_C(0xd1000000)

struct fake {
	bool refuses;
	uint32_t count;
	struct io_wire wires[16];
};

struct fixture {
	struct io_map *map;
	struct io_region *region;
	struct probe probe;
	struct fake fake;
};

static struct fixture fixture;
static char text[256];
static struct vmm_error error = {sizeof(error), text, sizeof(text)};

static int fake_assign(void *ctx, const struct io_wire *wire)
{
	struct fake *fake = ctx;

	if (fake->refuses || fake->count == 16)
		return VMM_E_LIMIT;
	fake->wires[fake->count++] = *wire;
	return 0;
}

static void fake_unassign(void *ctx, const struct io_wire *wire)
{
	struct fake *fake = ctx;

	for (uint32_t i = 0; i < fake->count; i++) {
		if (memcmp(&fake->wires[i], wire, sizeof(*wire)) == 0) {
			fake->wires[i] = fake->wires[--fake->count];
			return;
		}
	}
	fail_msg("unassigned what was not assigned: 0x%llx", (unsigned long long)wire->address);
}

static const struct io_backend backend = {fake_assign, fake_unassign};

static int setup(void **state)
{
	struct io_region_config config;
	int ret;

	*state = &fixture;
	memset(&fixture, 0, sizeof(fixture));
	ret = io_map_create(1, &fixture.map);
	if (ret)
		return ret;
	io_set_backend(fixture.map, &backend, &fixture.fake);
	config = probe_region(&fixture.probe, VMM_IO_MMIO, BASE, 0x1000, 8);
	return io_region_add(fixture.map, &config, &error, &fixture.region);
}

static int teardown(void **state)
{
	(void)state;
	io_map_destroy(fixture.map);
	return fixture.fake.count != 0; /* nothing stays behind in the kernel */
}

static int add(struct io_doorbell_config config, struct io_doorbell **ret_doorbell)
{
	struct io_doorbell *doorbell;
	int fd = -1;
	int ret = io_doorbell_add(fixture.map, fixture.region, &config, &error,
		ret_doorbell ? ret_doorbell : &doorbell, &fd);

	return ret < 0 ? ret : fd;
}

static uint64_t rings(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void write_at(uint64_t address, uint64_t value, uint32_t len)
{
	io_write(fixture.map, 0, VMM_IO_MMIO, address, (const uint8_t *)&value, len);
}

static void the_backend_is_told_of_the_address(void **state)
{
	int fd =
		add((struct io_doorbell_config){.offset = 8, .width = 2, .match = true, .value = 3},
			NULL);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fixture.fake.count, 1);
	assert_int_equal(fixture.fake.wires[0].space, VMM_IO_MMIO);
	assert_int_equal(fixture.fake.wires[0].address, BASE + 8);
	assert_int_equal(fixture.fake.wires[0].width, 2);
	assert_true(fixture.fake.wires[0].match);
	assert_int_equal(fixture.fake.wires[0].value, 3);
	assert_int_equal(fixture.fake.wires[0].fd, fd);
}

static void P9_doorbells_move_with_their_region(void **state)
{
	(void)state;
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL) >= 0);
	assert_true(add((struct io_doorbell_config){.offset = 4, .width = 2}, NULL) >= 0);
	assert_int_equal(io_region_set(fixture.map, fixture.region, BASE_2, true), 0);
	assert_int_equal(fixture.fake.count, 2);
	for (uint32_t i = 0; i < 2; i++)
		assert_true(fixture.fake.wires[i].address == BASE_2 ||
			    fixture.fake.wires[i].address == BASE_2 + 4);
	assert_int_equal(io_region_set(fixture.map, fixture.region, BASE_2, false), 0);
	assert_int_equal(fixture.fake.count, 0);
	assert_int_equal(io_region_set(fixture.map, fixture.region, BASE, true), 0);
	assert_int_equal(fixture.fake.count, 2);
}

static void a_refused_place_leaves_no_doorbell_behind(void **state)
{
	(void)state;
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL) >= 0);
	assert_int_equal(
		io_region_set(fixture.map, fixture.region, UINT64_MAX - 1, true), VMM_E_RANGE);
	assert_int_equal(fixture.fake.count, 0);
}

static void a_doorbell_of_an_unreachable_region_waits(void **state)
{
	(void)state;
	assert_int_equal(io_region_set(fixture.map, fixture.region, BASE, false), 0);
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL) >= 0);
	assert_int_equal(fixture.fake.count, 0);
	assert_int_equal(io_region_set(fixture.map, fixture.region, BASE, true), 0);
	assert_int_equal(fixture.fake.count, 1);
}

static void a_trapped_write_rings_instead_of_calling_the_device(void **state)
{
	int fd;

	(void)state;
	fixture.fake.refuses = true;
	fd = add((struct io_doorbell_config){.offset = 8, .width = 2}, NULL);
	assert_int_equal(fixture.fake.count, 0);
	write_at(BASE + 8, 5, 2);
	write_at(BASE + 8, 6, 2);
	assert_int_equal(rings(fd), 2);
	assert_int_equal(fixture.probe.count, 0);
}

static void without_a_backend_doorbells_are_trapped(void **state)
{
	int fd;

	(void)state;
	io_set_backend(fixture.map, NULL, NULL);
	fd = add((struct io_doorbell_config){.offset = 8, .width = 2}, NULL);
	write_at(BASE + 8, 5, 2);
	assert_int_equal(rings(fd), 1);
}

static void T17_writes_that_do_not_match_go_to_the_device(void **state)
{
	int fd =
		add((struct io_doorbell_config){.offset = 8, .width = 2, .match = true, .value = 3},
			NULL);

	(void)state;
	write_at(BASE + 8, 4, 2);      /* value */
	write_at(BASE + 8, 3, 4);      /* width */
	write_at(BASE + 9, 3, 2);      /* address */
	write_at(BASE + 7, 3 << 8, 2); /* covers it, but starts before */
	assert_int_equal(rings(fd), 0);
	assert_int_equal(fixture.probe.count, 4);
	write_at(BASE + 8, 3, 2);
	assert_int_equal(rings(fd), 1);
	assert_int_equal(fixture.probe.count, 4);
}

static void the_right_one_of_several_values_rings(void **state)
{
	struct io_doorbell_config config = {.offset = 0, .width = 2, .match = true};
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		config.value = (uint64_t)i;
		fds[i] = add(config, NULL);
	}
	write_at(BASE, 2, 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rings(fds[i]), i == 2);
}

static void width_0_matches_every_width(void **state)
{
	int fd = add((struct io_doorbell_config){.offset = 8, .width = 0}, NULL);

	(void)state;
	for (uint32_t len = 1; len <= 8; len++)
		write_at(BASE + 8, 0, len);
	assert_int_equal(rings(fd), 8);
	assert_int_equal(fixture.probe.count, 0);
}

static void a_write_over_the_end_does_not_ring_an_exact_doorbell(void **state)
{
	int fd = add((struct io_doorbell_config){.offset = 0xffe, .width = 2}, NULL);

	(void)state;
	write_at(BASE + 0xffe, 0, 4);
	assert_int_equal(rings(fd), 0);
	write_at(BASE + 0xffe, 0, 2);
	assert_int_equal(rings(fd), 1);
}

static void a_write_that_begins_before_the_region_does_not_ring(void **state)
{
	int fd = add((struct io_doorbell_config){.offset = 0, .width = 0}, NULL);

	(void)state;
	write_at(BASE - 2, 0, 4);
	assert_int_equal(rings(fd), 0);
	assert_int_equal(fixture.probe.count, 1);
}

static void reads_do_not_ring(void **state)
{
	int fd = add((struct io_doorbell_config){.offset = 8, .width = 2}, NULL);
	uint8_t data[2];

	(void)state;
	io_read(fixture.map, 0, VMM_IO_MMIO, BASE + 8, data, 2);
	assert_int_equal(rings(fd), 0);
	assert_int_equal(fixture.probe.count, 1);
}

static void two_doorbells_for_one_write_are_refused(void **state)
{
	(void)state;
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL) >= 0);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL), VMM_E_EXISTS);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0, .width = 0}, NULL), VMM_E_EXISTS);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0, .width = 2, .match = true}, NULL),
		VMM_E_EXISTS);
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 4}, NULL) >= 0);
}

static void doorbells_that_cannot_be_are_refused(void **state)
{
	(void)state;
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0xfff, .width = 2}, NULL), VMM_E_RANGE);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0x1000, .width = 0}, NULL), VMM_E_RANGE);
	assert_int_equal(add((struct io_doorbell_config){.offset = UINT64_MAX, .width = 8}, NULL),
		VMM_E_RANGE);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0, .width = 3}, NULL), VMM_E_INVAL);
	assert_int_equal(
		add((struct io_doorbell_config){.offset = 0, .match = true}, NULL), VMM_E_INVAL);
	assert_int_equal(
		add((struct io_doorbell_config){.width = 2, .match = true, .value = 0x10000}, NULL),
		VMM_E_INVAL);
}

static void a_removed_doorbell_is_taken_back_and_closed(void **state)
{
	struct io_doorbell *doorbell;
	int fd = add((struct io_doorbell_config){.offset = 0, .width = 2}, &doorbell);

	(void)state;
	assert_true(add((struct io_doorbell_config){.offset = 4, .width = 2}, NULL) >= 0);
	io_doorbell_remove(fixture.map, doorbell);
	assert_int_equal(fixture.fake.count, 1);
	assert_int_equal(fixture.fake.wires[0].address, BASE + 4);
	assert_int_equal(close(fd), -1);
	write_at(BASE, 1, 2);
	assert_int_equal(fixture.probe.count, 1);
}

static void a_removed_region_takes_its_doorbells_along(void **state)
{
	(void)state;
	assert_true(add((struct io_doorbell_config){.offset = 0, .width = 2}, NULL) >= 0);
	io_region_remove(fixture.map, fixture.region);
	assert_int_equal(fixture.fake.count, 0);
}

#define DB_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(the_backend_is_told_of_the_address),
		DB_TEST(P9_doorbells_move_with_their_region),
		DB_TEST(a_refused_place_leaves_no_doorbell_behind),
		DB_TEST(a_doorbell_of_an_unreachable_region_waits),
		DB_TEST(a_trapped_write_rings_instead_of_calling_the_device),
		DB_TEST(without_a_backend_doorbells_are_trapped),
		DB_TEST(T17_writes_that_do_not_match_go_to_the_device),
		DB_TEST(the_right_one_of_several_values_rings),
		DB_TEST(width_0_matches_every_width),
		DB_TEST(a_write_over_the_end_does_not_ring_an_exact_doorbell),
		DB_TEST(a_write_that_begins_before_the_region_does_not_ring),
		DB_TEST(reads_do_not_ring),
		DB_TEST(two_doorbells_for_one_write_are_refused),
		DB_TEST(doorbells_that_cannot_be_are_refused),
		DB_TEST(a_removed_doorbell_is_taken_back_and_closed),
		DB_TEST(a_removed_region_takes_its_doorbells_along),
	};

	return cmocka_run_group_tests_name("io-doorbell", tests, NULL, NULL);
}
