/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of bytes and the escape keys: the parts of streams that know no fd.
 */
#include "fixture.h"
#include "loop/escape.h"
#include "loop/ring.h"

static void test_a_ring_gives_back_what_was_put_in_across_its_end(void **state)
{
	struct ring ring;
	uint8_t next_in = 0, next_out = 0;

	(void)state;
	assert_int_equal(ring_init(&ring, 7), 0);
	for (int round = 0; round < 100; round++) {
		uint8_t data[5];
		const uint8_t *out;
		size_t bytes;

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(next_in + i);
		next_in = (uint8_t)(next_in + ring_put(&ring, data, sizeof(data)));
		bytes = ring_peek(&ring, &out);
		assert_true(bytes > 0 && bytes <= 7);
		if (bytes > 3)
			bytes = 3;
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(out[i], next_out++);
		ring_drop(&ring, bytes);
	}
	ring_fini(&ring);
}

static void test_a_full_ring_takes_no_more(void **state)
{
	const uint8_t data[8] = {0};
	const uint8_t *out;
	struct ring ring;

	(void)state;
	assert_int_equal(ring_init(&ring, 7), 0);
	assert_int_equal(ring_peek(&ring, &out), 0);
	assert_int_equal(ring_put(&ring, data, 8), 7);
	assert_int_equal(ring_put(&ring, data, 1), 0);
	assert_int_equal(ring_peek(&ring, &out), 7);
	ring_fini(&ring);
	ring_fini(&ring);
}

static void test_keys_behind_ctrl_a_do_what_the_help_says(void **state)
{
	static const struct {
		uint8_t key;
		enum escape_action action;
	} keys[] = {
		{'x', ESCAPE_QUIT},
		{'p', ESCAPE_POWER_BUTTON},
		{'h', ESCAPE_HELP},
		{'a', ESCAPE_SEND},
		{0x01, ESCAPE_SEND},
		{'z', ESCAPE_NONE},
	};
	struct escape escape = {0};
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(escape_feed(&escape, 0x01, &byte), ESCAPE_NONE);
		assert_int_equal(escape_feed(&escape, keys[i].key, &byte), keys[i].action);
		if (keys[i].action == ESCAPE_SEND)
			assert_int_equal(byte, 0x01);
		assert_int_equal(escape_feed(&escape, 'x', &byte), ESCAPE_SEND);
		assert_int_equal(byte, 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ring_gives_back_what_was_put_in_across_its_end),
		cmocka_unit_test(test_a_full_ring_takes_no_more),
		cmocka_unit_test(test_keys_behind_ctrl_a_do_what_the_help_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
