/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct I/O and block devices (loop devices, where the test may make them).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "rig.h"

static uint8_t *unaligned(uint64_t bytes, uint32_t by, void **ret_memory)
{
	assert_int_equal(posix_memalign(ret_memory, 4096, bytes + 4096), 0);
	memset(*ret_memory, 0, bytes + 4096);
	return (uint8_t *)*ret_memory + by;
}

/* 1 if the directory of the image takes O_DIRECT. */
static int direct_works(const struct rig *rig)
{
	int fd = open(rig->path, O_RDONLY | O_DIRECT);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void start_direct(struct rig *rig, const char *backend, const char *const *options)
{
	rig_need(backend);
	rig_open(rig, NULL);
	if (!direct_works(rig)) {
		rig_close(rig);
		print_message("skipped: O_DIRECT does not work in the directory of the images\n");
		skip();
	}
	if (rig_add(rig, backend, options) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, UINT64_MAX);
}

static void direct_takes_memory_of_any_alignment(void **state)
{
	enum { BYTES = 700 * 1024 };
	static const uint32_t shifts[] = {0, 512, 1, 2048 + 3};
	struct rig rig;
	void *memory;

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t *data = unaligned(BYTES, shifts[i], &memory);

		assert_int_equal(rig_do(&rig, BLK_T_IN, 8, data, BYTES), BLK_S_OK);
		for (uint32_t j = 0; j < BYTES; j += 512)
			assert_int_equal(data[j + 511], (uint8_t)(8 + j / 512));
		memset(data, (int)(0x40 + i), BYTES);
		data[BYTES - 1] = 0x99;
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 4096, data, BYTES), BLK_S_OK);
		assert_true(rig_sector_is(&rig, 4096, (uint8_t)(0x40 + i)));
		assert_true(rig_sector_is(&rig, 4096 + BYTES / 512 - 2, (uint8_t)(0x40 + i)));
		assert_false(rig_sector_is(&rig, 4096 + BYTES / 512 - 1, (uint8_t)(0x40 + i)));
		free(memory);
	}
	rig_close(&rig);
}

static void direct_requests_wait_for_a_buffer(void **state)
{
	enum { COUNT = 40, BYTES = 64 * 1024 };
	struct rig rig;
	struct rig_request requests[COUNT];
	void *memory;
	uint8_t *data = unaligned((uint64_t)COUNT * BYTES, 5, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i * 8, data + i * BYTES, BYTES);
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(requests[i].status, BLK_S_OK);
		assert_int_equal(data[i * BYTES], (uint8_t)(i * 8));
		assert_int_equal(data[i * BYTES + BYTES - 1], (uint8_t)(i * 8 + BYTES / 512 - 1));
	}
	assert_true(rig.transport->unpops > 0);
	rig_close(&rig);
	free(memory);
}

/* All buffers are in use, by requests whose memory is not aligned. */
static void direct_requests_that_need_no_buffer_do_not_wait(void **state)
{
	enum { COUNT = 9, BYTES = 4096 };
	struct rig rig;
	struct rig_request requests[COUNT];
	void *memory;
	uint8_t *data = unaligned((uint64_t)(COUNT + 1) * BYTES, 0, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i * 8,
			data + (i < COUNT - 1 ? i * BYTES + 5 : COUNT * BYTES), BYTES);
	rig_kick(&rig, 0);
	assert_int_equal(rig.transport->unpops, 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].status, BLK_S_OK);
	assert_int_equal(data[COUNT * BYTES], (COUNT - 1) * 8);
	rig_close(&rig);
	free(memory);
}

/* More pieces than a call takes, and pieces that end inside of a sector. */
static void direct_pieces_that_the_host_does_not_take_are_copied(void **state)
{
	enum { PIECES = 1025, LAST = 4096, BYTES = (PIECES - 1) * BLK_SECTOR_BYTES + LAST };
	struct rig rig;
	struct blk_wire_header header = {.type = htole32(BLK_T_OUT), .sector = htole64(64)};
	static struct vmm_iovec iov[PIECES + 2];
	uint8_t status = RIG_UNTOUCHED;
	void *memory;
	uint8_t *data = unaligned(BYTES, 0, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true", "queue_size=1024"));
	memset(data, 0x3c, BYTES);
	iov[0] = (struct vmm_iovec){&header, sizeof(header)};
	for (uint32_t i = 0; i < PIECES; i++)
		iov[i + 1] = (struct vmm_iovec){data + i * BLK_SECTOR_BYTES, BLK_SECTOR_BYTES};
	iov[PIECES].bytes = LAST;
	iov[PIECES + 1] = (struct vmm_iovec){&status, 1};
	transport_add(rig.transport, 0, iov, PIECES + 1, 1);
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 64, 0x3c));
	assert_true(rig_sector_is(&rig, 64 + BYTES / BLK_SECTOR_BYTES - 1, 0x3c));
	header.sector = htole64(8);
	iov[1] = (struct vmm_iovec){data, 100};
	iov[2] = (struct vmm_iovec){data + 4096, 3996};
	iov[3] = (struct vmm_iovec){&status, 1};
	status = RIG_UNTOUCHED;
	transport_add(rig.transport, 0, iov, 3, 1);
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 8, 0x3c));
	assert_true(rig_sector_is(&rig, 15, 0x3c));
	rig_close(&rig);
	free(memory);
}

static void direct_image_that_was_cut_fails_the_read(void **state)
{
	struct rig rig;
	void *memory;
	uint8_t *data = unaligned(8192, 0, &memory);

	start_direct(&rig, *state, FAKE_OPTIONS("direct=true"));
	assert_int_equal(ftruncate(rig.fd, RIG_IMAGE_BYTES / 2 + 100), 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2, data, 8192), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS / 2 - 16, data, 8192), BLK_S_OK);
	rig_close(&rig);
	free(memory);
}

/*
 * ---- Block devices ----
 */

/* Makes the rig's image a loop device with blocks of that size; the path becomes the device's. */
static int loop_attach(struct rig *rig, uint32_t block_size)
{
	struct loop_config config = {.block_size = block_size};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number, loop;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (number < 0)
		return -1;
	snprintf(rig->path, sizeof(rig->path), "/dev/loop%d", number);
	loop = open(rig->path, O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)rig->fd;
	/* A test that fails leaves none behind. */
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
		close(loop);
		loop = -1;
	}
	return loop;
}

static int loop_start(
	struct rig *rig, const char *backend, uint32_t block_size, const char *const *options)
{
	int loop;

	rig_need(backend);
	rig_open(rig, NULL);
	loop = loop_attach(rig, block_size);
	if (loop < 0) {
		rig_close(rig);
		print_message("skipped: cannot make a loop device: %s\n", strerror(errno));
		skip();
	}
	if (rig_add(rig, backend, options) < 0) {
		ioctl(loop, LOOP_CLR_FD);
		close(loop);
		return -1;
	}
	rig_run(rig, UINT64_MAX);
	return loop;
}

static void loop_end(struct rig *rig, int loop)
{
	rig_stop(rig);
	assert_int_equal(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	rig_close(rig);
}

static void block_device_is_read_written_and_zeroed(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.sector = htole64(64), .num_sectors = htole32(64)};
	static uint8_t data[64 * BLK_SECTOR_BYTES];
	int loop = loop_start(&rig, *state, 512, NULL);

	assert_true(loop >= 0);
	assert_int_equal(*(uint64_t *)(void *)rig.transport->config, RIG_SECTORS);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 200, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 200);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		memset(data, 0x12, sizeof(data));
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 64, data, sizeof(data)), BLK_S_OK);
		segment.flags = htole32(unmap);
		assert_int_equal(
			rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
		assert_int_equal(rig_do(&rig, BLK_T_IN, 64, data, sizeof(data)), BLK_S_OK);
		for (uint32_t i = 0; i < sizeof(data); i++)
			assert_int_equal(data[i], 0);
	}
	segment.flags = 0;
	assert_int_equal(rig_do(&rig, BLK_T_DISCARD, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 63, data, 512), BLK_S_OK);
	assert_int_equal(data[5], 63);
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	loop_end(&rig, loop);
}

static void block_device_of_4096_shows_its_blocks(void **state)
{
	struct rig rig;
	struct blk_wire_segment segment = {.sector = htole64(65), .num_sectors = htole32(3)};
	static uint8_t data[8 * BLK_SECTOR_BYTES] __attribute__((aligned(4096)));
	int loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("direct=true"));
	const struct blk_wire_config *config;

	assert_true(loop >= 0);
	config = (const void *)rig.transport->config;
	assert_int_equal(le32toh(config->blk_size), 4096);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 8, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[512], 9);
	/* Half a block cannot be read directly. */
	assert_int_equal(rig_do(&rig, BLK_T_IN, 9, data, 512), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 8, data, 512), BLK_S_IOERR);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 9, data, 4096), BLK_S_IOERR);
	assert_int_equal(
		rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_IOERR);
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 0);
	loop_end(&rig, loop);
	/* Without direct it can. */
	loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("block_size=512"));
	assert_true(loop >= 0);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 9, data, 512), BLK_S_OK);
	assert_int_equal(data[0], 9);
	assert_int_equal(rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 64, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(data[0], 64);
	for (uint32_t i = 512; i < 2048; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(data[2048], 68);
	loop_end(&rig, loop);
}

static void block_size_smaller_than_direct_needs_is_refused(void **state)
{
	struct rig rig;
	int loop = loop_start(&rig, *state, 4096, FAKE_OPTIONS("direct=true", "block_size=512"));

	assert_int_equal(loop, -1);
	assert_non_null(strstr(fake_error(rig.host), "set block_size = 4096 or direct = false"));
	rig_close(&rig);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(direct_takes_memory_of_any_alignment),
		BOTH(direct_requests_wait_for_a_buffer),
		BOTH(direct_requests_that_need_no_buffer_do_not_wait),
		BOTH(direct_pieces_that_the_host_does_not_take_are_copied),
		BOTH(direct_image_that_was_cut_fails_the_read),
		BOTH(block_device_is_read_written_and_zeroed),
		BOTH(block_device_of_4096_shows_its_blocks),
		WITH(block_size_smaller_than_direct_needs_is_refused, "auto"),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
