/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine over a back end that refuses: short of memory, at any place of a turn.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine.h"

#define COUNT 20u

/* Ends one operation each time that it is asked. */
struct slow {
	struct blk_backend backend; /* first: it is found by its address */
	struct blk_engine engine;
	struct blk_disk disk;
	struct blk_request *requests[COUNT];
	struct blk_op *ops[COUNT];
	uint32_t op_count;
	uint32_t refuses;    /* a set of 1 << BLK_OP_... */
	uint32_t interrupts; /* so many syncs end with EINTR */
	bool resets; /* and find a reset under way */
	uint32_t ended, failed;
};

static int slow_submit(struct blk_backend *backend, struct blk_op *op)
{
	struct slow *slow = (struct slow *)backend;

	if (slow->refuses >> op->kind & 1)
		return -ENOMEM;
	slow->ops[slow->op_count++] = op;
	return 0;
}

static void slow_commit(struct blk_backend *backend)
{
	(void)backend;
}

static uint32_t slow_reap(struct blk_backend *backend)
{
	struct slow *slow = (struct slow *)backend;
	struct blk_op *op;

	if (!slow->op_count)
		return 0;
	op = slow->ops[--slow->op_count];
	op->result = (int64_t)op->bytes;
	if (op->kind == BLK_OP_SYNC && slow->interrupts) {
		slow->interrupts--;
		op->result = -EINTR;
		if (slow->resets)
			blk_engine_cancel(&slow->engine);
	}
	blk_engine_op_done(&slow->engine, op);
	return 1;
}

static void on_finished(void *ctx, struct blk_request *request, uint8_t status)
{
	struct slow *slow = ctx;

	(void)request;
	slow->ended++;
	slow->failed += status != BLK_S_OK;
}

static void on_synced(void *ctx, int error)
{
	(void)ctx;
	assert_int_equal(error, ENOMEM);
}

static void on_sync_failed(void *ctx, int error)
{
	(void)ctx;
	fail_msg("a sync that never began has lost nothing, but gave %d", error);
}

static int set_up(void **state)
{
	static const struct blk_backend_ops ops = {
		.name = "slow", .submit = slow_submit, .commit = slow_commit, .reap = slow_reap};
	struct slow *slow = calloc(1, sizeof(*slow));
	const struct blk_engine_owner owner = {on_finished, on_synced, on_sync_failed, slow};

	assert_non_null(slow);
	slow->backend.ops = &ops;
	slow->disk = (struct blk_disk){.fd = -1, .direct_align = 1};
	blk_engine_init(&slow->engine, &slow->backend, &slow->disk, NULL, &owner);
	for (uint32_t i = 0; i < COUNT; i++) {
		slow->requests[i] = calloc(1, blk_request_bytes(1));
		assert_non_null(slow->requests[i]);
	}
	*state = slow;
	return 0;
}

static int tear_down(void **state)
{
	struct slow *slow = *state;

	for (uint32_t i = 0; i < COUNT; i++)
		free(slow->requests[i]);
	free(slow);
	return 0;
}

static void send(struct slow *slow, uint32_t i, uint32_t type)
{
	slow->requests[i]->type = type;
	slow->requests[i]->bytes = BLK_SECTOR_BYTES;
	slow->requests[i]->ranges[0] = (struct blk_range){.bytes = BLK_SECTOR_BYTES};
	slow->requests[i]->range_count = 1;
	blk_engine_submit(&slow->engine, slow->requests[i]);
}

/* However many writes end in a turn before it, the sync that each waits for is started by it. */
static void h21_a_turn_leaves_nothing_refused_behind(void **state)
{
	struct slow *slow = *state;
	uint32_t ended;

	slow->refuses = 1u << BLK_OP_SYNC;
	blk_engine_set_writethrough(&slow->engine, 1);
	for (uint32_t i = 0; i < COUNT; i++)
		send(slow, i, BLK_T_OUT);
	do {
		ended = slow->ended;
		blk_engine_turn(&slow->engine);
		assert_int_equal(slow->engine.sync_running, 0);
		assert_int_equal(slow->ended + slow->op_count, COUNT);
	} while (slow->ended > ended);
	assert_int_equal(slow->failed, COUNT);
	assert_true(blk_engine_idle(&slow->engine));
	slow->refuses = 0;
	send(slow, 0, BLK_T_FLUSH);
	blk_engine_turn(&slow->engine);
	assert_int_equal(slow->failed, COUNT);
	assert_true(blk_engine_idle(&slow->engine));
}

static void h21_ranges_that_are_refused_end_one_by_one(void **state)
{
	struct slow *slow = *state;

	slow->refuses = 1u << BLK_OP_DISCARD;
	for (uint32_t i = 0; i < COUNT; i++)
		send(slow, i, BLK_T_DISCARD);
	blk_engine_turn(&slow->engine);
	assert_int_equal(slow->failed, COUNT);
	assert_true(blk_engine_idle(&slow->engine));
}

static void h21_a_last_sync_that_is_refused_is_told(void **state)
{
	struct slow *slow = *state;

	slow->refuses = 1u << BLK_OP_SYNC;
	blk_engine_sync(&slow->engine);
	blk_engine_turn(&slow->engine);
	assert_true(blk_engine_idle(&slow->engine));
}

static void turn_until_idle(struct slow *slow)
{
	for (uint32_t i = 0; i < 1000 && !blk_engine_idle(&slow->engine); i++)
		blk_engine_turn(&slow->engine);
	assert_true(blk_engine_idle(&slow->engine));
}

static void h4_a_sync_that_is_interrupted_in_a_reset_is_tried_again(void **state)
{
	struct slow *slow = *state;

	slow->interrupts = 3;
	slow->resets = true;
	send(slow, 0, BLK_T_FLUSH);
	turn_until_idle(slow);
	assert_int_equal(slow->interrupts, 0);
	assert_int_equal(slow->failed, 0);
	blk_engine_resume(&slow->engine);
	send(slow, 0, BLK_T_FLUSH);
	turn_until_idle(slow);
	assert_int_equal(slow->failed, 0);
}

/* Unlike one that the disk failed, which may have lost what it should have written. */
static void h3_h4_a_sync_that_never_comes_to_its_end_fails_no_later_one(void **state)
{
	struct slow *slow = *state;

	slow->interrupts = UINT32_MAX;
	send(slow, 0, BLK_T_FLUSH);
	turn_until_idle(slow);
	assert_int_equal(slow->failed, 1);
	slow->interrupts = 0;
	send(slow, 0, BLK_T_FLUSH);
	turn_until_idle(slow);
	assert_int_equal(slow->failed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(h21_a_turn_leaves_nothing_refused_behind),
		TEST(h21_ranges_that_are_refused_end_one_by_one),
		TEST(h21_a_last_sync_that_is_refused_is_told),
		TEST(h4_a_sync_that_is_interrupted_in_a_reset_is_tried_again),
		TEST(h3_h4_a_sync_that_never_comes_to_its_end_fails_no_later_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
