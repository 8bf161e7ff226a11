/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices, direct I/O and zeroes on hosts that say or do less than others. The host is made
 * of interposed calls (syscalls.h), so no rights are needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "host.h"

#define LARGE_BYTES   (10ull << 20)
#define LARGE_SECTORS (LARGE_BYTES / BLK_SECTOR_BYTES)

static uint8_t sector[BLK_SECTOR_BYTES];

static const struct syscalls_device plain = {RIG_IMAGE_BYTES, 512, 512, 0, 0};

static void start_large(struct rig *rig, const char *backend)
{
	host_open(rig, backend, LARGE_BYTES, NULL);
	host_run(rig, backend, NULL);
}

static void start_device(struct rig *rig, const char *backend)
{
	host_open(rig, backend, RIG_IMAGE_BYTES, &plain);
	host_run(rig, backend, NULL);
}

static uint8_t range(struct rig *rig, uint32_t type, uint64_t first, uint32_t count, uint32_t flags)
{
	struct blk_wire_segment segment = {htole64(first), htole32(count), htole32(flags)};

	return rig_do(rig, type, 0, &segment, sizeof(segment));
}

/*
 * ---- Block devices ----
 */

static void block_device_zeroes_and_discards_by_itself(void **state)
{
	struct rig rig;

	start_device(&rig, *state);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_OK);
	assert_int_equal(range(&rig, BLK_T_DISCARD, 128, 8, 0), BLK_S_OK);
	assert_string_equal(syscalls_log(), "DD");
	assert_true(rig_sector_is(&rig, 71, 0) && rig_sector_is(&rig, 128, 0));
	assert_true(rig_sector_is(&rig, 63, 63) && rig_sector_is(&rig, 72, 72));
	host_end(&rig);
}

static void h4_block_device_that_is_interrupted_is_asked_again(void **state)
{
	struct rig rig;

	start_device(&rig, *state);
	syscalls_fail(CALL_DEVICE, EINTR, 3);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_OK);
	assert_string_equal(syscalls_log(), "DDDD");
	assert_true(rig_sector_is(&rig, 64, 0));
	host_end(&rig);
}

static void zeroes_are_written_where_a_block_device_cannot_make_them(void **state)
{
	static const int errors[] = {EOPNOTSUPP, ENOSYS, ENOTTY, EINVAL};
	struct rig rig;

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		start_device(&rig, *state);
		syscalls_fail(CALL_DEVICE, errors[i], 1);
		assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_OK);
		assert_string_equal(syscalls_log(), "DW");
		assert_true(rig_sector_is(&rig, 71, 0) && rig_sector_is(&rig, 72, 72));
		host_end(&rig);
	}
	start_device(&rig, *state);
	syscalls_fail(CALL_DEVICE, EIO, 1);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_IOERR);
	assert_true(rig_sector_is(&rig, 64, 64));
	host_end(&rig);
}

static void a_range_that_a_file_does_not_take_fails(void **state)
{
	struct rig rig;

	start_large(&rig, *state);
	syscalls_fail(CALL_ALLOCATE, EINVAL, 1);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_IOERR);
	syscalls_fail(CALL_ALLOCATE, EIO, 1);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, BLK_SEGMENT_UNMAP), BLK_S_IOERR);
	assert_true(rig_sector_is(&rig, 64, 64));
	host_end(&rig);
}

static const struct blk_wire_config *config_of(const struct rig *rig)
{
	return (const void *)rig->transport->config;
}

static void geometry_of_a_block_device_is_the_disks(void **state)
{
	static const struct syscalls_device detailed = {
		RIG_IMAGE_BYTES, 4096, 8192, 65536, 1 << 20};
	static const struct syscalls_device silent = {.bytes = RIG_IMAGE_BYTES};
	static const struct syscalls_device huge = {
		RIG_IMAGE_BYTES, 512, 512, (1u << 30) + 4096, 0};
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, &detailed);
	host_run(&rig, *state, NULL);
	assert_int_equal(le64toh(config_of(&rig)->capacity), RIG_SECTORS);
	assert_int_equal(le32toh(config_of(&rig)->blk_size), 4096);
	assert_int_equal(config_of(&rig)->physical_block_exp, 1);
	assert_int_equal(le16toh(config_of(&rig)->min_io_size), 16);
	assert_int_equal(le32toh(config_of(&rig)->opt_io_size), 256);
	host_end(&rig);
	host_open(&rig, *state, RIG_IMAGE_BYTES, &silent);
	host_run(&rig, *state, NULL);
	assert_int_equal(le32toh(config_of(&rig)->blk_size), 512);
	assert_int_equal(config_of(&rig)->physical_block_exp, 3);
	assert_int_equal(le32toh(config_of(&rig)->opt_io_size), 0);
	host_end(&rig);
	/* More than the field can say is not said. */
	host_open(&rig, *state, RIG_IMAGE_BYTES, &huge);
	host_run(&rig, *state, NULL);
	assert_int_equal(le16toh(config_of(&rig)->min_io_size), 0);
	host_end(&rig);
}

static void blocks_are_never_larger_than_physical_ones(void **state)
{
	static const struct syscalls_device wrong = {RIG_IMAGE_BYTES, 1024, 512, 0, 0};
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, &plain);
	host_run(&rig, *state, FAKE_OPTIONS("block_size=4096"));
	assert_int_equal(le32toh(config_of(&rig)->blk_size), 4096);
	assert_int_equal(config_of(&rig)->physical_block_exp, 0);
	host_end(&rig);
	host_open(&rig, *state, RIG_IMAGE_BYTES, &wrong);
	host_run(&rig, *state, NULL);
	assert_int_equal(le32toh(config_of(&rig)->blk_size), 1024);
	assert_int_equal(config_of(&rig)->physical_block_exp, 2);
	host_end(&rig);
}

static void block_devices_that_cannot_be_used_are_refused(void **state)
{
	static const struct syscalls_device coarse = {RIG_IMAGE_BYTES, 8192, 8192, 0, 0};
	static const struct syscalls_device dead = {.sector = 512};
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, &coarse);
	assert_int_equal(rig_add(&rig, *state, NULL), VMM_E_UNSUPPORTED);
	assert_non_null(strstr(fake_error(rig.host), "its blocks have 8192 bytes"));
	host_end(&rig);
	host_open(&rig, *state, RIG_IMAGE_BYTES, &dead);
	assert_int_equal(rig_add(&rig, *state, NULL), VMM_E_IO);
	assert_non_null(strstr(fake_error(rig.host), strerror(EIO)));
	host_end(&rig);
}

/*
 * ---- Direct I/O; the host says by what it refuses how it has to be aligned ----
 */

/* A host whose direct reads fail with that error, or have to be aligned; 0 if there is none. */
static int open_direct(struct rig *rig, const char *backend, int error, uint32_t align)
{
	int fd;

	host_open(rig, backend, RIG_IMAGE_BYTES, NULL);
	fd = open(rig->path, O_RDONLY | O_DIRECT);
	if (fd < 0) {
		host_end(rig);
		print_message("skipped: O_DIRECT does not work in the directory of the images\n");
		return 0;
	}
	close(fd);
	if (error)
		syscalls_fail(CALL_TRY, error, UINT32_MAX);
	else
		syscalls_shorten(CALL_TRY, align, UINT32_MAX);
	return 1;
}

static void direct_blocks_are_as_large_as_the_host_needs_them(void **state)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct rig rig;

	if (!open_direct(&rig, *state, 0, 4096))
		skip();
	host_run(&rig, *state, FAKE_OPTIONS("direct=true"));
	assert_int_equal(le32toh(config_of(&rig)->blk_size), 4096);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 8, page, sizeof(page)), BLK_S_OK);
	assert_int_equal(page[512], 9);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 4, 0), BLK_S_IOERR);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, 0), BLK_S_OK);
	host_end(&rig);
}

/* Memory that is not goes by way of a buffer, for which requests wait. */
static void direct_memory_is_aligned_as_the_host_needs_it(void **state)
{
	enum { COUNT = 20, BYTES = 4096 };
	static uint8_t memory[(COUNT + 1) * BYTES] __attribute__((aligned(4096)));
	struct rig rig;
	struct rig_request requests[COUNT];

	if (!open_direct(&rig, *state, 0, 4096))
		skip();
	host_run(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i * 8,
			memory + BLK_SECTOR_BYTES + i * BYTES, BYTES);
	rig_kick(&rig, 0);
	assert_true(rig.transport->unpops > 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(requests[i].status, BLK_S_OK);
		assert_int_equal(memory[BLK_SECTOR_BYTES + i * BYTES], (uint8_t)(i * 8));
	}
	host_end(&rig);
}

static void direct_io_that_the_host_refuses_is_an_error(void **state)
{
	struct rig rig;

	if (!open_direct(&rig, *state, EIO, 0))
		skip();
	assert_int_equal(rig_add(&rig, *state, FAKE_OPTIONS("direct=true")), VMM_E_UNSUPPORTED);
	assert_non_null(strstr(fake_error(rig.host), "direct reads fail"));
	assert_non_null(strstr(fake_error(rig.host), strerror(EIO)));
	host_end(&rig);
}

/*
 * ---- Zeroes that are written ----
 */

static void h4_large_zeroes_are_written_in_pieces(void **state)
{
	struct rig rig;

	start_large(&rig, *state);
	assert_int_equal(
		rig_do(&rig, BLK_T_OUT, LARGE_SECTORS - 1, sector, sizeof(sector)), BLK_S_OK);
	syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, UINT32_MAX);
	syscalls_fail(CALL_WRITE, EINTR, 2);
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 1, LARGE_SECTORS - 1, 0), BLK_S_OK);
	assert_true(rig_sector_is(&rig, RIG_SECTORS - 1, 0));
	assert_true(rig_sector_is(&rig, LARGE_SECTORS - 1, 0));
	host_end(&rig);
}

/* The same whether the rest fails or the host does nothing more, also from the start. */
static void zeroes_that_fail_in_the_middle_are_reported(void **state)
{
	static const int errors[] = {EIO, 0};
	struct rig rig;

	for (size_t i = 0; i < 4; i++) {
		start_large(&rig, *state);
		syscalls_fail(CALL_ALLOCATE, EOPNOTSUPP, UINT32_MAX);
		if (errors[i / 2])
			syscalls_fail(CALL_WRITE, errors[i / 2], UINT32_MAX);
		else
			syscalls_shorten(CALL_WRITE, 0, UINT32_MAX);
		syscalls_delay(CALL_WRITE, i % 2);
		assert_int_equal(
			range(&rig, BLK_T_WRITE_ZEROES, 1, RIG_SECTORS - 1, 0), BLK_S_IOERR);
		assert_int_equal(rig_sector_is(&rig, 1, 0), i % 2);
		assert_true(rig_sector_is(&rig, RIG_SECTORS - 1, 0xff));
		host_end(&rig);
	}
}

static void ranges_may_come_in_any_order_and_once_more(void **state)
{
	struct blk_wire_segment segments[] = {
		{htole64(640), htole32(8), 0}, {htole64(64), htole32(8), 0}};
	struct rig rig;

	start_large(&rig, *state);
	syscalls_fail(CALL_ALLOCATE, EAGAIN, 2);
	assert_int_equal(rig_do(&rig, BLK_T_WRITE_ZEROES, 0, segments, sizeof(segments)), BLK_S_OK);
	assert_int_equal(syscalls_hit(), 2);
	assert_true(rig_sector_is(&rig, 64, 0) && rig_sector_is(&rig, 640, 0));
	host_end(&rig);
}

static void zeroes_do_not_unmap_where_discard_is_off(void **state)
{
	struct rig rig;

	host_open(&rig, *state, RIG_IMAGE_BYTES, &plain);
	host_run(&rig, *state, FAKE_OPTIONS("discard=false"));
	assert_int_equal(range(&rig, BLK_T_WRITE_ZEROES, 64, 8, BLK_SEGMENT_UNMAP), BLK_S_OK);
	assert_string_equal(syscalls_log(), "D"); /* no hole was tried first */
	host_end(&rig);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(block_device_zeroes_and_discards_by_itself, "worker"),
		WITH(h4_block_device_that_is_interrupted_is_asked_again, "worker"),
		WITH(zeroes_are_written_where_a_block_device_cannot_make_them, "worker"),
		WITH(a_range_that_a_file_does_not_take_fails, "worker"),
		WITH(geometry_of_a_block_device_is_the_disks, "worker"),
		WITH(blocks_are_never_larger_than_physical_ones, "worker"),
		WITH(block_devices_that_cannot_be_used_are_refused, "worker"),
		WITH(direct_blocks_are_as_large_as_the_host_needs_them, "worker"),
		WITH(direct_memory_is_aligned_as_the_host_needs_it, "worker"),
		WITH(direct_io_that_the_host_refuses_is_an_error, "worker"),
		BOTH(h4_large_zeroes_are_written_in_pieces),
		BOTH(zeroes_that_fail_in_the_middle_are_reported),
		BOTH(ranges_may_come_in_any_order_and_once_more),
		WITH(zeroes_do_not_unmap_where_discard_is_off, "worker"),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
