/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to a disk that no driver would make: what they end with, that nothing is written by
 * them, and that a good one follows. What the disk alone does is tests/plugin/virtio-blk's
 * business. Names begin with the row of the catalogue.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "machine.h"

#define SECTOR 512u

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u

#define S_OK      0u
#define S_IOERR   1u
#define S_UNSUPP  2u
#define UNTOUCHED 0xeeu

#define CONFIG_WRITEBACK 32u
#define ID_BYTES         20u

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct range {
	uint64_t sector;
	uint32_t sectors, flags;
};

static struct fake_virtio *disk(struct machine *m)
{
	return &m->drivers[MACHINE_DISK];
}

static uint8_t byte_at(struct machine *m, uint64_t gpa)
{
	return *(const volatile uint8_t *)fake_ram(m->host, gpa, 1);
}

/* What a request is made of. */
struct request {
	struct fake_virtio_buffer header, data, status;
};

static struct request request(struct machine *m, uint32_t type, uint64_t sector, uint32_t bytes)
{
	const struct header header = {type, 0, sector};
	const uint8_t untouched = UNTOUCHED;
	struct request r = {{fake_virtio_put(disk(m), &header, sizeof(header)), 16, 0},
		{fake_virtio_alloc(disk(m), bytes, SECTOR), bytes,
			type == T_IN || type == T_GET_ID},
		{fake_virtio_put(disk(m), &untouched, 1), 1, 1}};

	memset(fake_ram(m->host, r.data.gpa, bytes), UNTOUCHED, bytes);
	return r;
}

/* Sends it and gives its memory back; returns its status. */
static uint32_t status_of(struct machine *m, struct request *r, uint32_t *ret_bytes)
{
	struct fake_virtio_buffer buffers[] = {r->header, r->data, r->status};
	uint32_t bytes = fake_virtio_request(disk(m), 0, buffers, 3);

	if (ret_bytes)
		*ret_bytes = bytes;
	disk(m)->ram_next = r->header.gpa;
	return byte_at(m, r->status.gpa);
}

static uint32_t ask(struct machine *m, uint32_t type, uint64_t sector, uint32_t bytes)
{
	struct request r = request(m, type, sector, bytes);

	return status_of(m, &r, NULL);
}

static void sector_is(struct machine *m, uint64_t sector, uint32_t byte)
{
	struct request r = request(m, T_IN, sector, SECTOR);

	assert_int_equal(status_of(m, &r, NULL), S_OK);
	assert_int_equal(byte_at(m, r.data.gpa), byte & 0xff);
	assert_int_equal(byte_at(m, r.data.gpa + SECTOR - 1), byte & 0xff);
}

static void all_good(struct machine *m)
{
	machine_good(m, MACHINE_DISK);
	machine_others_good(m, MACHINE_DISK);
}

static void b1_access_beyond_the_end_writes_nothing(void **state)
{
	static const uint64_t sectors[] = {MACHINE_SECTORS - 1, MACHINE_SECTORS,
		MACHINE_SECTORS + 1, (1ull << 55) - 1, 1ull << 55, 1ull << 63, UINT64_MAX / 512,
		UINT64_MAX};
	struct machine *m = *state;

	for (uint32_t i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		struct request r = request(m, T_IN, sectors[i], 2 * SECTOR);
		uint32_t bytes;

		assert_int_equal(status_of(m, &r, &bytes), S_IOERR);
		assert_int_equal(bytes, 0);
		assert_int_equal(byte_at(m, r.data.gpa), UNTOUCHED);
		assert_int_equal(ask(m, T_OUT, sectors[i], 2 * SECTOR), S_IOERR);
	}
	sector_is(m, MACHINE_SECTORS - 1, MACHINE_SECTORS - 1);
	sector_is(m, 0, 0);
	all_good(m);
}

static void b2_lengths_are_whole_sectors(void **state)
{
	static const uint32_t lengths[] = {1, 511, 513, 1023};
	struct machine *m = *state;

	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		assert_int_equal(ask(m, T_IN, 3, lengths[i]), S_IOERR);
		assert_int_equal(ask(m, T_OUT, 3, lengths[i]), S_IOERR);
	}
	sector_is(m, 3, 3);
	all_good(m);
}

static void b3_data_has_its_direction(void **state)
{
	struct machine *m = *state;
	struct request r = request(m, T_OUT, 3, SECTOR);

	r.data.write = 1;
	assert_int_equal(status_of(m, &r, NULL), S_IOERR);
	r = request(m, T_IN, 3, SECTOR);
	r.data.write = 0;
	assert_int_equal(status_of(m, &r, NULL), S_IOERR);
	r = request(m, T_IN, 3, SECTOR);
	r.header.write = 1;
	assert_int_equal(status_of(m, &r, NULL), UNTOUCHED);
	r = request(m, T_OUT, 3, SECTOR);
	r.status.write = 0;
	assert_int_equal(status_of(m, &r, NULL), UNTOUCHED);
	sector_is(m, 3, 3);
	all_good(m);
}

static void b4_b5_headers_and_status_bytes_that_are_no_such(void **state)
{
	struct machine *m = *state;
	struct request r = request(m, T_FLUSH, 0, 4);
	struct fake_virtio_buffer pair[] = {r.header, r.data};

	/* A status of four bytes: the last one is it. */
	pair[1].write = 1;
	assert_int_equal(fake_virtio_request(disk(m), 0, pair, 2), 0);
	assert_int_equal(byte_at(m, pair[1].gpa + 2), UNTOUCHED);
	assert_int_equal(byte_at(m, pair[1].gpa + 3), S_OK);
	/* None at all, and headers that are cut. */
	assert_int_equal(fake_virtio_request(disk(m), 0, pair, 1), 0);
	assert_int_equal(fake_virtio_request(disk(m), 0, &pair[1], 1), 0);
	pair[1] = r.status;
	for (uint32_t bytes = 0; bytes < 16; bytes++) {
		pair[0].bytes = bytes;
		assert_int_equal(fake_virtio_request(disk(m), 0, pair, 2), 0);
		assert_int_equal(byte_at(m, r.status.gpa), UNTOUCHED);
	}
	all_good(m);
}

static void b6_types_that_do_not_exist_are_unsupported(void **state)
{
	static const uint32_t types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 15, 16, 17, 24, 0x100, 0x80000000u, UINT32_MAX};
	struct machine *m = *state;

	machine_init(m, MACHINE_DISK, 1ull << 32);
	for (uint32_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		assert_int_equal(ask(m, types[i], 0, SECTOR), S_UNSUPP);
	assert_int_equal(ask(m, T_FLUSH, 0, SECTOR), S_UNSUPP);
	assert_int_equal(ask(m, T_DISCARD, 0, 16), S_UNSUPP);
	assert_int_equal(ask(m, T_WRITE_ZEROES, 0, 16), S_UNSUPP);
	sector_is(m, 0, 0);
	all_good(m);
}

static uint32_t ask_ranges(
	struct machine *m, uint32_t type, const struct range *ranges, uint32_t bytes)
{
	struct request r = request(m, type, 0, bytes);

	memcpy(fake_ram(m->host, r.data.gpa, bytes), ranges, bytes);
	return status_of(m, &r, NULL);
}

static void b8_wrong_ranges_touch_no_sector(void **state)
{
	static const struct range bad[] = {{UINT64_MAX, 2, 0}, {1ull << 55, 1, 0},
		{MACHINE_SECTORS - 1, 2, 0}, {30, UINT32_MAX, 0}, {30, 0, 0}, {20, 1, 0}};
	struct machine *m = *state;
	struct range ranges[40];

	for (uint32_t type = T_DISCARD; type <= T_WRITE_ZEROES; type += 2) {
		for (uint32_t i = 0; i < 40; i++)
			ranges[i] = (struct range){20 + i, 1, 0};
		assert_int_equal(ask_ranges(m, type, ranges, sizeof(ranges)), S_IOERR);
		assert_int_equal(ask_ranges(m, type, ranges, 15), S_IOERR);
		assert_int_equal(ask_ranges(m, type, ranges, 17), S_IOERR);
		for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			ranges[1] = bad[i];
			assert_int_equal(ask_ranges(m, type, ranges, 32), S_IOERR);
		}
		ranges[1] = (struct range){30, 1, 2};
		assert_int_equal(ask_ranges(m, type, ranges, 32), S_UNSUPP);
	}
	for (uint32_t i = 20; i < 60; i++)
		sector_is(m, i, i);
	all_good(m);
}

static void b9_a_request_of_many_pieces_is_served(void **state)
{
	enum { PIECES = 253, PIECE = 512 };
	struct machine *m = *state;
	struct request r = request(m, T_IN, 0, PIECES * PIECE);
	struct fake_virtio_buffer buffers[PIECES + 2];

	buffers[0] = r.header;
	for (uint32_t i = 0; i < PIECES; i++) /* backwards: none can be joined */
		buffers[1 + i] = (struct fake_virtio_buffer){
			r.data.gpa + (PIECES - 1 - i) * PIECE, PIECE, 1};
	buffers[PIECES + 1] = r.status;
	assert_int_equal(
		fake_virtio_add(disk(m), 0, buffers, PIECES + 2, FAKE_VIRTIO_ADD_INDIRECT), 0);
	fake_virtio_kick(disk(m), 0);
	assert_int_equal(fake_virtio_wait(disk(m), 0, NULL), PIECES * PIECE + 1);
	assert_int_equal(byte_at(m, r.status.gpa), S_OK);
	assert_int_equal(byte_at(m, r.data.gpa), PIECES - 1);
	all_good(m);
}

static void b11_flushes_with_anything_in_them_end_well(void **state)
{
	struct machine *m = *state;
	struct request r = request(m, T_FLUSH, UINT64_MAX, SECTOR);
	struct fake_virtio_buffer buffers[] = {r.header, r.data, r.status};

	for (uint32_t round = 0; round < MACHINE_ROUNDS(16u); round++) {
		uint32_t count = disk(m)->queues[0].size / 4;

		for (uint32_t i = 0; i < count; i++)
			fake_virtio_add(disk(m), 0, buffers, 3, 0);
		fake_virtio_kick(disk(m), 0);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(fake_virtio_wait(disk(m), 0, NULL), 1);
		assert_int_equal(byte_at(m, r.status.gpa), S_OK);
	}
	all_good(m);
}

static void b12_the_id_has_20_bytes_at_most(void **state)
{
	struct machine *m = *state;

	for (uint32_t bytes = 0; bytes < 2 * ID_BYTES; bytes++) {
		struct request r = request(m, T_GET_ID, 0, 2 * ID_BYTES);
		uint32_t n = bytes < ID_BYTES ? bytes : ID_BYTES, written;

		r.data.bytes = bytes;
		assert_int_equal(status_of(m, &r, &written), S_OK);
		assert_int_equal(byte_at(m, r.data.gpa + n), UNTOUCHED);
		assert_int_equal(written, bytes <= ID_BYTES ? bytes + 1 : ID_BYTES);
	}
	all_good(m);
}

static void b13_cache_modes_change_under_writes(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < MACHINE_ROUNDS(256u); i++) {
		struct request r = request(m, T_OUT, 40, SECTOR);
		struct fake_virtio_buffer buffers[] = {r.header, r.data, r.status};

		memset(fake_ram(m->host, r.data.gpa, SECTOR), 40, SECTOR);
		fake_virtio_add(disk(m), 0, buffers, 3, 0);
		fake_virtio_kick(disk(m), 0);
		fake_virtio_config_write(disk(m), CONFIG_WRITEBACK, 1, i);
		assert_int_equal(fake_virtio_wait(disk(m), 0, NULL), 1);
		assert_int_equal(byte_at(m, r.status.gpa), S_OK);
		disk(m)->ram_next = r.header.gpa;
	}
	sector_is(m, 40, 40);
	all_good(m);
}

static void b14_queues_full_of_large_reads_are_served(void **state)
{
	struct machine *m = *state;
	struct request r = request(m, T_IN, 0, MACHINE_SECTORS / 4 * SECTOR);
	struct fake_virtio_buffer buffers[] = {r.header, r.data, r.status};
	uint32_t count = disk(m)->queues[0].size;

	for (uint32_t i = 0; i < count; i++)
		fake_virtio_add(disk(m), 0, buffers, 3, FAKE_VIRTIO_ADD_INDIRECT);
	fake_virtio_kick(disk(m), 0);
	machine_others_good(m, MACHINE_DISK);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(fake_virtio_wait(disk(m), 0, NULL), r.data.bytes + 1);
	all_good(m);
}

/* The disk as it was: sector n is full of bytes n. */
static void restore(struct machine *m)
{
	struct request r = request(m, T_OUT, 0, MACHINE_SECTORS * SECTOR);
	uint8_t *data = fake_ram(m->host, r.data.gpa, r.data.bytes);

	for (uint32_t i = 0; i < MACHINE_SECTORS; i++)
		memset(data + i * SECTOR, (int)i, SECTOR);
	assert_int_equal(status_of(m, &r, NULL), S_OK);
}

static void b15_the_whole_disk_zeroed_again_and_again_ends_at_a_reset(void **state)
{
	struct machine *m = *state;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(16u); round++) {
		struct request r = request(m, T_WRITE_ZEROES, 0, sizeof(struct range));
		struct fake_virtio_buffer buffers[] = {r.header, r.data, r.status};
		const struct range whole = {0, MACHINE_SECTORS, 0};

		memcpy(fake_ram(m->host, r.data.gpa, sizeof(whole)), &whole, sizeof(whole));
		for (uint32_t i = 0; i < 64; i++)
			fake_virtio_add(disk(m), 0, buffers, 3, 0);
		fake_virtio_kick(disk(m), 0);
		machine_others_good(m, MACHINE_DISK);
		machine_init(m, MACHINE_DISK, FAKE_VIRTIO_ALL);
	}
	restore(m);
	all_good(m);
}

/*
 * ---- A second vCPU that writes what the device reads ----
 */

struct scribbler {
	volatile uint8_t *at;
	uint32_t bytes;
	_Atomic uint32_t stop;
	pthread_t thread;
};

/* A guest's race, which no sanitizer is to look at. */
__attribute__((no_sanitize("thread"))) static void *scribble(void *ctx)
{
	struct scribbler *s = ctx;

	for (uint32_t i = 0; !s->stop; i++)
		s->at[i % s->bytes] = (uint8_t)(i >> 3);
	return NULL;
}

static int threads_setup(void **state)
{
	*state = machine_open(FAKE_LOOP_THREADS | FAKE_WORKER_THREADS);
	return 0;
}

/* Header, then data, then the descriptors themselves change while the device looks at them. The
 * latter stay within the memory of the driver. */
static void b10_r1_r2_requests_that_change_under_the_device_do_no_harm(void **state)
{
	struct machine *m = *state;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(64u); round++) {
		struct request r = request(m, round & 1 ? T_IN : T_OUT, 100, 8 * SECTOR);
		struct fake_virtio_buffer buffers[] = {r.header, r.data, r.status};
		uint64_t desc = disk(m)->queues[0].desc;
		const uint64_t places[] = {r.header.gpa, r.data.gpa, desc + 8, desc + 12};
		const uint32_t lengths[] = {8, 8 * SECTOR, 2, 4};
		struct scribbler s = {.bytes = lengths[round / 2 % 4]};

		s.at = fake_ram(m->host, places[round / 2 % 4], s.bytes);
		assert_int_equal(pthread_create(&s.thread, NULL, scribble, &s), 0);
		for (uint32_t i = 0; i < 16; i++) {
			fake_virtio_avail(disk(m), 0, 0);
			fake_virtio_desc(disk(m), 0, 0, buffers[0].gpa, 16, FAKE_VIRTIO_NEXT, 1);
			fake_virtio_desc(disk(m), 0, 1, buffers[1].gpa, buffers[1].bytes,
				(uint16_t)(FAKE_VIRTIO_NEXT |
					   (r.data.write ? FAKE_VIRTIO_WRITE : 0)),
				2);
			fake_virtio_desc(disk(m), 0, 2, buffers[2].gpa, 1, FAKE_VIRTIO_WRITE, 0);
			fake_virtio_kick(disk(m), 0);
			fake_settle(m->host);
		}
		machine_others_good(m, MACHINE_DISK);
		s.stop = 1;
		pthread_join(s.thread, NULL);
		machine_init(m, MACHINE_DISK, FAKE_VIRTIO_ALL);
		machine_good(m, MACHINE_DISK);
	}
	restore(m);
	all_good(m);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)
#define TEST_THREADS(name) cmocka_unit_test_setup_teardown(name, threads_setup, machine_teardown)

MACHINE_TESTS(requests)
{
	const struct CMUnitTest tests[] = {
		TEST(b1_access_beyond_the_end_writes_nothing),
		TEST(b2_lengths_are_whole_sectors),
		TEST(b3_data_has_its_direction),
		TEST(b4_b5_headers_and_status_bytes_that_are_no_such),
		TEST(b6_types_that_do_not_exist_are_unsupported),
		TEST(b8_wrong_ranges_touch_no_sector),
		TEST(b9_a_request_of_many_pieces_is_served),
		TEST(b11_flushes_with_anything_in_them_end_well),
		TEST(b12_the_id_has_20_bytes_at_most),
		TEST(b13_cache_modes_change_under_writes),
		TEST(b14_queues_full_of_large_reads_are_served),
		TEST(b15_the_whole_disk_zeroed_again_and_again_ends_at_a_reset),
		TEST_THREADS(b10_r1_r2_requests_that_change_under_the_device_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
