/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and receive buffers that no driver would give to a network card, in a machine where the
 * others go on. What the card alone does is tests/plugin/virtio-net's business. Names begin with
 * the row of the catalogue.
 */
#include <string.h>

#include "machine.h"

#define RX 0u
#define TX 1u

#define HDR_BYTES   12u
#define FRAME_BYTES 64u
#define IP_MOST     65553u /* an Ethernet header and 64 KiB less one */

static struct fake_virtio *card(struct machine *m)
{
	return &m->drivers[MACHINE_CARD];
}

static void all_good(struct machine *m)
{
	machine_good(m, MACHINE_CARD);
	machine_others_good(m, MACHINE_CARD);
}

static void n1_chains_without_a_whole_frame_come_back(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(card(m), FRAME_BYTES, 16);

	for (uint32_t bytes = 0; bytes < HDR_BYTES + 14; bytes++) {
		struct fake_virtio_buffer out = {gpa, bytes, 0};

		assert_int_equal(fake_virtio_request(card(m), TX, &out, 1), 0);
	}
	for (uint32_t first = 0; first < 2; first++) {
		struct fake_virtio_buffer mixed[] = {{gpa, FRAME_BYTES, first}, {gpa, 1, 1}};

		assert_int_equal(fake_virtio_request(card(m), TX, mixed, 2), 0);
	}
	all_good(m);
}

static void n2_frames_longer_than_any_come_back(void **state)
{
	enum { PIECES = 100 };
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(card(m), 0x100000, 16);
	struct fake_virtio_buffer one = {gpa, HDR_BYTES + IP_MOST + 1, 0}, many[PIECES];

	assert_int_equal(fake_virtio_request(card(m), TX, &one, 1), 0);
	for (uint32_t i = 0; i < PIECES; i++)
		many[i] = (struct fake_virtio_buffer){gpa + (i & 1) * 0x80000, 0x80000, 0};
	assert_int_equal(fake_virtio_request(card(m), TX, many, PIECES), 0);
	many[0].bytes = UINT32_MAX;
	assert_int_equal(fake_virtio_request(card(m), TX, many, 2), 0);
	all_good(m);
}

static void n3_n4_headers_that_make_no_sense_cost_one_frame(void **state)
{
	static const uint8_t headers[][HDR_BYTES] = {
		{0, 1, 0, 0, 100},
		{1, 0, 0, 0, 0, 0, 14, 0, 2},
		{1, 1, 54, 0, 100, 0, 14, 0, 2},
		{1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		{0, 0xff},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(card(m), HDR_BYTES + FRAME_BYTES, 16);
	struct fake_virtio_buffer out = {gpa, HDR_BYTES + FRAME_BYTES, 0};

	for (uint32_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		memcpy(fake_ram(m->host, gpa, HDR_BYTES), headers[i], HDR_BYTES);
		assert_int_equal(fake_virtio_request(card(m), TX, &out, 1), 0);
	}
	all_good(m);
}

static void n6_receive_buffers_of_no_use_come_back_empty(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = fake_virtio_alloc(card(m), FRAME_BYTES, 16);
	struct fake_virtio_buffer bad[] = {
		{gpa, 1, 1}, {gpa, HDR_BYTES, 1}, {gpa, HDR_BYTES + 14, 1}, {gpa, 0, 1}};

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_virtio_add(card(m), RX, &bad[i], 1, 0);
		fake_virtio_kick(card(m), RX);
		machine_send_frame(m);
		assert_int_equal(fake_virtio_wait(card(m), TX, NULL), 0);
		fake_settle(m->host);
	}
	m->unused = 0;
	machine_init(m, MACHINE_CARD, FAKE_VIRTIO_ALL);
	all_good(m);
}

static void n8_without_receive_buffers_nothing_spins_or_freezes(void **state)
{
	struct machine *m = *state;
	uint64_t before = card(m)->ram_next;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(32u); round++) {
		for (uint32_t i = 0; i < 64; i++) {
			machine_send_frame(m);
			assert_int_equal(fake_virtio_wait(card(m), TX, NULL), 0);
			card(m)->ram_next = before;
		}
		all_good(m);
	}
}

static void n12_floods_with_resets_stop_nobody(void **state)
{
	struct machine *m = *state;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(64u); round++) {
		struct fake_virtio_buffer in = {fake_virtio_alloc(card(m), 2048, 16), 2048, 1};

		for (uint32_t i = 0; i < 32; i++) {
			fake_virtio_add(card(m), RX, &in, 1, 0);
			machine_send_frame(m);
		}
		fake_virtio_kick(card(m), RX);
		machine_others_good(m, MACHINE_CARD);
		machine_init(m, MACHINE_CARD, FAKE_VIRTIO_ALL);
	}
	all_good(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

MACHINE_TESTS(frames)
{
	const struct CMUnitTest tests[] = {
		TEST(n1_chains_without_a_whole_frame_come_back),
		TEST(n2_frames_longer_than_any_come_back),
		TEST(n3_n4_headers_that_make_no_sense_cost_one_frame),
		TEST(n6_receive_buffers_of_no_use_come_back_empty),
		TEST(n8_without_receive_buffers_nothing_spins_or_freezes),
		TEST(n12_floods_with_resets_stop_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
