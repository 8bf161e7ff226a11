/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest can do to a virtio disk, good and bad, once for each back end. Names carry the rows
 * of the catalogue of hostile guests; those of discard and write zeroes are in
 * test_ranges.c. Every hostile request is followed by a good one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>

#include "rig.h"

#define EXTRA(...) FAKE_OPTIONS(__VA_ARGS__)

static void reads_and_writes_reach_the_image(void **state)
{
	struct rig rig;
	static uint8_t data[8 * BLK_SECTOR_BYTES];

	rig_start(&rig, *state, NULL);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 100, data, sizeof(data)), BLK_S_OK);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(data[i * BLK_SECTOR_BYTES + 511], 100 + i);
	assert_int_equal(rig_written(&rig, 0), sizeof(data) + 1);
	memset(data, 0x5a, sizeof(data));
	assert_int_equal(rig_do(&rig, BLK_T_OUT, RIG_SECTORS - 8, data, sizeof(data)), BLK_S_OK);
	assert_int_equal(rig_written(&rig, 1), 1);
	assert_true(rig_sector_is(&rig, RIG_SECTORS - 1, 0x5a));
	assert_true(rig_sector_is(&rig, RIG_SECTORS - 9, (uint8_t)(RIG_SECTORS - 9)));
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	rig_close(&rig);
}

/* Q13: any cut into buffers is allowed. */
static void requests_may_be_cut_anywhere(void **state)
{
	struct rig rig;
	struct blk_wire_header header = {.type = BLK_T_IN, .sector = htole64(7)};
	struct vmm_iovec iov[40];
	uint8_t data[BLK_SECTOR_BYTES + 1];
	uint8_t out[sizeof(header) + BLK_SECTOR_BYTES];
	uint8_t status = RIG_UNTOUCHED;
	uint32_t n = 0;

	rig_start(&rig, *state, NULL);
	/* A header of single bytes; data and status in one. */
	for (uint32_t i = 0; i < sizeof(header); i++)
		iov[n++] = (struct vmm_iovec){(uint8_t *)&header + i, 1};
	iov[n++] = (struct vmm_iovec){data, 3};
	iov[n++] = (struct vmm_iovec){data + 3, sizeof(data) - 3};
	transport_add(rig.transport, 0, iov, sizeof(header), 2);
	rig_kick(&rig, 0);
	assert_int_equal(data[sizeof(data) - 1], BLK_S_OK);
	assert_int_equal(data[0], 7);
	assert_int_equal(data[BLK_SECTOR_BYTES - 1], 7);
	assert_int_equal(rig_written(&rig, 0), sizeof(data));
	/* Header and data in one. */
	header.type = htole32(BLK_T_OUT);
	memcpy(out, &header, sizeof(header));
	memset(out + sizeof(header), 0x77, BLK_SECTOR_BYTES);
	iov[0] = (struct vmm_iovec){out, sizeof(out)};
	iov[1] = (struct vmm_iovec){&status, 1};
	transport_add(rig.transport, 0, iov, 1, 1);
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 7, 0x77));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b1_access_beyond_the_end_fails_whole(void **state)
{
	static const uint64_t sectors[] = {RIG_SECTORS, RIG_SECTORS - 1, RIG_SECTORS + 1,
		1ull << 55, (1ull << 55) - 1, UINT64_MAX, UINT64_MAX / 512, 1ull << 63};
	struct rig rig;
	uint8_t data[2 * BLK_SECTOR_BYTES];

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
		memset(data, 0xee, sizeof(data));
		assert_int_equal(
			rig_do(&rig, BLK_T_OUT, sectors[i], data, sizeof(data)), BLK_S_IOERR);
		assert_int_equal(
			rig_do(&rig, BLK_T_IN, sectors[i], data, sizeof(data)), BLK_S_IOERR);
		assert_int_equal(data[0], 0xee);
		assert_int_equal(rig_written(&rig, 2 * i + 1), 0);
	}
	assert_true(rig_sector_is(&rig, RIG_SECTORS - 1, (uint8_t)(RIG_SECTORS - 1)));
	assert_int_equal(lseek(rig.fd, 0, SEEK_END), RIG_IMAGE_BYTES);
	assert_true(fake_guest_errors(rig.host, NULL) >= 16);
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b2_length_must_be_whole_sectors(void **state)
{
	static const uint64_t lengths[] = {1, 511, 513, 1023};
	struct rig rig;
	uint8_t data[1024] = {0};

	rig_start(&rig, *state, NULL);
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(rig_do(&rig, BLK_T_OUT, 3, data, lengths[i]), BLK_S_IOERR);
		assert_int_equal(rig_do(&rig, BLK_T_IN, 3, data, lengths[i]), BLK_S_IOERR);
	}
	/* Nothing to do is done, as with other VMMs. */
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 3, data, 0), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, 3, data, 0), BLK_S_OK);
	assert_int_equal(rig_do(&rig, BLK_T_IN, RIG_SECTORS + 1, data, 0), BLK_S_IOERR);
	assert_true(rig_sector_is(&rig, 3, 3));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b3_data_in_the_wrong_direction_is_refused(void **state)
{
	struct rig rig;
	struct blk_wire_header header = {.type = htole32(BLK_T_OUT), .sector = htole64(3)};
	uint8_t data[BLK_SECTOR_BYTES] = {0};
	uint8_t status = RIG_UNTOUCHED;
	struct vmm_iovec iov[] = {{&header, sizeof(header)}, {data, sizeof(data)}, {&status, 1}};

	rig_start(&rig, *state, NULL);
	transport_add(rig.transport, 0, iov, 1, 2); /* a write to read into */
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_IOERR);
	assert_int_equal(rig_written(&rig, 0), 0);
	header.type = htole32(BLK_T_IN);
	status = RIG_UNTOUCHED;
	transport_add(rig.transport, 0, iov, 2, 1); /* a read that brings data */
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_IOERR);
	status = RIG_UNTOUCHED;
	transport_add(rig.transport, 0, iov, 0, 3); /* a header for writing */
	rig_kick(&rig, 0);
	assert_int_equal(status, RIG_UNTOUCHED);
	assert_int_equal(rig_written(&rig, 2), 0);
	transport_add(rig.transport, 0, iov, 3, 0); /* a status for reading */
	rig_kick(&rig, 0);
	assert_int_equal(status, RIG_UNTOUCHED);
	assert_true(rig_sector_is(&rig, 3, 3));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b4_status_is_the_last_byte_and_no_other(void **state)
{
	struct rig rig;
	struct blk_wire_header header = {.type = htole32(BLK_T_FLUSH)};
	uint8_t status[4];
	struct vmm_iovec iov[] = {{&header, sizeof(header)}, {status, 4}, {status + 3, 1}};

	rig_start(&rig, *state, NULL);
	memset(status, RIG_UNTOUCHED, sizeof(status));
	transport_add(rig.transport, 0, iov, 1, 0); /* none */
	rig_kick(&rig, 0);
	assert_int_equal(rig_written(&rig, 0), 0);
	transport_add(rig.transport, 0, iov, 1, 1); /* four */
	rig_kick(&rig, 0);
	assert_int_equal(status[0], RIG_UNTOUCHED);
	assert_int_equal(status[2], RIG_UNTOUCHED);
	assert_int_equal(status[3], BLK_S_OK);
	/* Bytes before the status were not written, so none may be claimed. */
	assert_int_equal(rig_written(&rig, 1), 0);
	status[3] = RIG_UNTOUCHED;
	iov[1].bytes = 3;
	transport_add(rig.transport, 0, iov, 1, 2); /* split off */
	rig_kick(&rig, 0);
	assert_int_equal(status[2], RIG_UNTOUCHED);
	assert_int_equal(status[3], BLK_S_OK);
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b5_short_header_gives_the_chain_back(void **state)
{
	struct rig rig;
	struct blk_wire_header header = {.type = htole32(BLK_T_OUT)};
	uint8_t status = RIG_UNTOUCHED;
	struct vmm_iovec iov[] = {{&header, 15}, {&status, 1}};

	rig_start(&rig, *state, NULL);
	transport_add(rig.transport, 0, iov, 1, 1);
	iov[0].bytes = 0;
	transport_add(rig.transport, 0, iov, 1, 1);
	iov[0].bytes = 16;
	transport_add(rig.transport, 0, iov, 1, 0);
	iov[1].bytes = 0;
	transport_add(rig.transport, 0, iov, 0, 1);
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(rig_written(&rig, i), 0);
	assert_int_equal(status, RIG_UNTOUCHED);
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b6_unknown_types_are_unsupported(void **state)
{
	static const uint32_t types[] = {2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 24,
		26, 0x80000000u, 0x80000001u, 0xffffffffu, 0x100};
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES] = {0};

	rig_need(*state);
	rig_open(&rig, NULL);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	/* Nothing negotiated: flush, discard and write zeroes are unknown, too. */
	rig_run(&rig, 0);
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(rig_do(&rig, types[i], 0, data, sizeof(data)), BLK_S_UNSUPP);
	assert_int_equal(rig_flush(&rig), BLK_S_UNSUPP);
	assert_int_equal(rig_do(&rig, BLK_T_DISCARD, 0, data, 16), BLK_S_UNSUPP);
	assert_int_equal(rig_do(&rig, BLK_T_WRITE_ZEROES, 0, data, 16), BLK_S_UNSUPP);
	assert_true(rig_sector_is(&rig, 1, 1));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b7_read_only_disk_is_not_written(void **state)
{
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES] = {0};
	struct blk_wire_segment segment = {.num_sectors = htole32(1)};

	rig_start(&rig, *state, EXTRA("readonly=true"));
	assert_true(rig.transport->device.features & BLK_F_RO);
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 1, data, sizeof(data)), BLK_S_IOERR);
	assert_int_not_equal(rig_do(&rig, BLK_T_DISCARD, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_not_equal(
		rig_do(&rig, BLK_T_WRITE_ZEROES, 0, &segment, sizeof(segment)), BLK_S_OK);
	assert_int_equal(rig_flush(&rig), BLK_S_OK);
	assert_true(rig_sector_is(&rig, 1, 1));
	/* The guest's mistakes, not the host's: nothing was tried. */
	assert_int_equal(fake_log_count(rig.host, VMM_LOG_ERROR), 0);
	rig_assert_alive(&rig);
	rig_close(&rig);
}

/* More pieces than one system call takes. */
static void b9_many_segments_are_served_in_slices(void **state)
{
	enum { PIECES = 1030, PIECE = 256 };
	struct rig rig;
	struct blk_wire_header header = {.type = htole32(BLK_T_OUT), .sector = htole64(64)};
	struct vmm_iovec iov[PIECES + 2];
	static uint8_t data[PIECES * PIECE];
	uint8_t status = RIG_UNTOUCHED;

	rig_start(&rig, *state, EXTRA("queue_size=1024"));
	memset(data, 0x3c, sizeof(data));
	iov[0] = (struct vmm_iovec){&header, sizeof(header)};
	for (uint32_t i = 0; i < PIECES; i++)
		iov[i + 1] = (struct vmm_iovec){data + i * PIECE, PIECE};
	iov[PIECES + 1] = (struct vmm_iovec){&status, 1};
	transport_add(rig.transport, 0, iov, PIECES + 1, 1);
	rig_kick(&rig, 0);
	assert_int_equal(status, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 64, 0x3c));
	assert_true(rig_sector_is(&rig, 64 + sizeof(data) / 512 - 1, 0x3c));
	assert_true(
		rig_sector_is(&rig, 64 + sizeof(data) / 512, (uint8_t)(64 + sizeof(data) / 512)));
	rig_close(&rig);
}

/* The device has its own copy of what it was asked for. */
static void r1_header_that_changes_under_a_request_changes_nothing(void **state)
{
	struct rig rig;
	struct rig_request request;
	uint8_t data[BLK_SECTOR_BYTES];
	uint32_t pops;

	rig_start(&rig, *state, NULL);
	memset(data, 0x3c, sizeof(data));
	rig_add_request(&rig, 0, &request, BLK_T_OUT, 64, data, sizeof(data));
	pops = rig.transport->pops;
	transport_notify(rig.transport, 0);
	while (rig.transport->pops == pops)
		fake_run_once(rig.host, 0);
	memset(&request.header, 0xff, sizeof(request.header));
	rig_wait(&rig, 1);
	assert_int_equal(request.status, BLK_S_OK);
	assert_true(rig_sector_is(&rig, 64, 0x3c));
	assert_true(rig_sector_is(&rig, 65, 65));
	rig_close(&rig);
}

static void b11_flush_with_data_and_sector_is_a_flush(void **state)
{
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES] = {0};

	rig_start(&rig, *state, NULL);
	assert_int_equal(rig_do(&rig, BLK_T_FLUSH, UINT64_MAX, data, sizeof(data)), BLK_S_OK);
	assert_true(rig_sector_is(&rig, 0, 0));
	rig_assert_alive(&rig);
	rig_close(&rig);
}

static void b11_flush_storm_ends(void **state)
{
	enum { COUNT = 250 };
	struct rig rig;
	struct rig_request requests[COUNT];

	rig_start(&rig, *state, NULL);
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < COUNT; i++)
			rig_add_request(&rig, 0, &requests[i], BLK_T_FLUSH, 0, NULL, 0);
		rig_kick(&rig, 0);
		for (uint32_t i = 0; i < COUNT; i++)
			assert_int_equal(requests[i].status, BLK_S_OK);
	}
	rig_close(&rig);
}

static void b12_get_id_fits_its_buffer(void **state)
{
	struct rig rig;
	struct rig_request request;
	char id[64];

	rig_start(&rig, *state, EXTRA("serial=12345678901234567890"));
	for (uint32_t bytes = 0; bytes < sizeof(id); bytes++) {
		uint32_t n = bytes < 20 ? bytes : 20;

		memset(id, 0x55, sizeof(id));
		rig_add_request(&rig, 0, &request, BLK_T_GET_ID, 0, id, bytes);
		rig_kick(&rig, 0);
		assert_int_equal(request.status, BLK_S_OK);
		assert_memory_equal(id, "12345678901234567890", n);
		assert_int_equal(id[n], 0x55);
		assert_int_equal(rig_written(&rig, request.id), bytes <= 20 ? bytes + 1 : 20);
	}
	rig_close(&rig);
}

static void serial_is_the_device_id_by_default(void **state)
{
	struct rig rig;
	char id[20];

	rig_start(&rig, *state, NULL);
	assert_int_equal(rig_do(&rig, BLK_T_GET_ID, 0, id, sizeof(id)), BLK_S_OK);
	assert_memory_equal(id, "disk0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	rig_close(&rig);
}

#define MIB (1u << 20)

static void b14_bytes_in_flight_are_bounded(void **state)
{
	enum { COUNT = 32 };
	struct rig rig;
	struct rig_request requests[2][COUNT];
	static uint8_t data[2][COUNT][MIB / 2];
	uint32_t most = 0;

	rig_start(&rig, *state, EXTRA("queues=2", "max_inflight=1M"));
	for (uint32_t q = 0; q < 2; q++)
		for (uint32_t i = 0; i < COUNT; i++)
			rig_add_request(&rig, q, &requests[q][i], BLK_T_IN, i, data[q][i],
				sizeof(data[q][i]));
	transport_notify(rig.transport, 0);
	transport_notify(rig.transport, 1);
	while (rig.transport->shown < 2 * COUNT) {
		const struct transport *t = rig.transport;
		uint32_t out = t->pops - t->unpops - t->pushed;

		most = out > most ? out : most;
		fake_run_once(rig.host, 1000);
	}
	assert_true(most <= 2);
	assert_true(rig.transport->unpops > 0);
	for (uint32_t q = 0; q < 2; q++)
		for (uint32_t i = 0; i < COUNT; i++) {
			assert_int_equal(requests[q][i].status, BLK_S_OK);
			assert_int_equal(data[q][i][MIB / 2 - 1], (uint8_t)(i + 1023));
		}
	rig_close(&rig);
}

static void b14_request_above_the_bound_goes_alone(void **state)
{
	struct rig rig;
	struct rig_request requests[3];
	static uint8_t data[3][2 * MIB];

	rig_start(&rig, *state, EXTRA("max_inflight=1M"));
	for (uint32_t i = 0; i < 3; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, 0, data[i], sizeof(data[i]));
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(requests[i].status, BLK_S_OK);
	rig_close(&rig);
}

static void t9_reset_waits_for_what_is_in_flight_and_revives(void **state)
{
	enum { COUNT = 200 };
	struct rig rig;
	struct rig_request requests[COUNT];
	static uint8_t data[COUNT][BLK_SECTOR_BYTES];

	rig_start(&rig, *state, NULL);
	for (uint32_t round = 0; round < 20; round++) {
		uint32_t pushed;

		rig.transport->resets_done = 0;
		for (uint32_t i = 0; i < COUNT; i++)
			rig_add_request(
				&rig, 0, &requests[i], BLK_T_OUT, i, data[i], sizeof(data[i]));
		transport_notify(rig.transport, 0);
		transport_reset(rig.transport);
		assert_true(rig_reset_ends(&rig));
		pushed = rig.transport->pushed;
		fake_settle(rig.host);
		assert_int_equal(rig.transport->pushed, pushed);
		transport_forget(rig.transport);
		transport_activate(rig.transport, rig.transport->device.features);
		fake_run_once(rig.host, 100);
	}
	assert_int_equal(rig_do(&rig, BLK_T_IN, 500, data[0], BLK_SECTOR_BYTES), BLK_S_OK);
	assert_int_equal(data[0][0], (uint8_t)500);
	rig_close(&rig);
}

/* B16: the image is raw because the operator says so; its bytes are never looked at. */
static void b16_image_that_looks_like_qcow2_stays_raw(void **state)
{
	static const uint8_t qcow2[16] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
	struct rig rig;
	uint8_t data[BLK_SECTOR_BYTES] = {0};

	rig_start(&rig, *state, NULL);
	memcpy(data, qcow2, sizeof(qcow2));
	assert_int_equal(rig_do(&rig, BLK_T_OUT, 0, data, sizeof(data)), BLK_S_OK);
	rig_stop(&rig);
	assert_int_equal(rig_add(&rig, *state, NULL), 0);
	rig_run(&rig, UINT64_MAX);
	memset(data, 0, sizeof(data));
	assert_int_equal(rig_do(&rig, BLK_T_IN, 0, data, sizeof(data)), BLK_S_OK);
	assert_memory_equal(data, qcow2, sizeof(qcow2));
	assert_int_equal(*(uint64_t *)(void *)rig.transport->config, RIG_SECTORS);
	rig_close(&rig);
}

static void a_batch_is_flushed_once(void **state)
{
	enum { COUNT = 64 };
	struct rig rig;
	struct rig_request requests[COUNT];
	static uint8_t data[COUNT][BLK_SECTOR_BYTES];
	int is_uring = strcmp(*state, "io_uring") == 0;

	rig_start(&rig, *state, NULL);
	/* Cached reads end at once: as one batch, or few where the kernel takes its time. */
	for (uint32_t i = 0; i < COUNT; i++)
		rig_add_request(&rig, 0, &requests[i], BLK_T_IN, i, data[i], sizeof(data[i]));
	rig_kick(&rig, 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(data[i][511], i);
	assert_true(rig.transport->flushes <= (is_uring ? 8 : COUNT));
	rig_close(&rig);
}

static void all_queues_work_at_once(void **state)
{
	enum { QUEUES = 16, COUNT = 60 };
	struct rig rig;
	static struct rig_request requests[QUEUES][COUNT];
	static uint8_t data[QUEUES][COUNT][BLK_SECTOR_BYTES];

	rig_start(&rig, *state, EXTRA("queues=16", "queue_size=64"));
	assert_true(rig.transport->device.features & BLK_F_MQ);
	assert_int_equal(rig.transport->device.queue_count, QUEUES);
	assert_int_equal(rig.transport->config[34], QUEUES);
	for (uint32_t q = 0; q < QUEUES; q++) {
		for (uint32_t i = 0; i < COUNT; i++)
			rig_add_request(&rig, q, &requests[q][i], BLK_T_IN, q * 64 + i, data[q][i],
				BLK_SECTOR_BYTES);
		transport_notify(rig.transport, q);
	}
	rig_wait(&rig, QUEUES * COUNT);
	for (uint32_t q = 0; q < QUEUES; q++)
		for (uint32_t i = 0; i < COUNT; i++)
			assert_int_equal(data[q][i][77], (uint8_t)(q * 64 + i));
	rig_close(&rig);
}

#define BOTH(name)                                                                                 \
	{#name " [io_uring]", name, NULL, NULL, (void *)(uintptr_t) "io_uring"},                   \
	{                                                                                          \
#name " [worker]", name, NULL, NULL, (void *)(uintptr_t) "worker"                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(reads_and_writes_reach_the_image),
		BOTH(requests_may_be_cut_anywhere),
		BOTH(b1_access_beyond_the_end_fails_whole),
		BOTH(b2_length_must_be_whole_sectors),
		BOTH(b3_data_in_the_wrong_direction_is_refused),
		BOTH(b4_status_is_the_last_byte_and_no_other),
		BOTH(b5_short_header_gives_the_chain_back),
		BOTH(b6_unknown_types_are_unsupported),
		BOTH(b7_read_only_disk_is_not_written),
		BOTH(b9_many_segments_are_served_in_slices),
		BOTH(r1_header_that_changes_under_a_request_changes_nothing),
		BOTH(b11_flush_with_data_and_sector_is_a_flush),
		BOTH(b11_flush_storm_ends),
		BOTH(b12_get_id_fits_its_buffer),
		BOTH(serial_is_the_device_id_by_default),
		BOTH(b14_bytes_in_flight_are_bounded),
		BOTH(b14_request_above_the_bound_goes_alone),
		BOTH(t9_reset_waits_for_what_is_in_flight_and_revives),
		BOTH(b16_image_that_looks_like_qcow2_stays_raw),
		BOTH(a_batch_is_flushed_once),
		BOTH(all_queues_work_at_once),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
