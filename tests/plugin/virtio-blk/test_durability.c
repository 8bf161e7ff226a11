/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model test of the promise of durability (virtio 1.2, 5.2.6.2): the engine over a simulated disk
 * that keeps apart what is stable and what a power cut loses. Random requests, random completion,
 * a cut at a random step that keeps any part of what was volatile, in any order; then each sector
 * must have a value that the promise allows. Controls with a lying disk or a broken engine have to
 * be caught, else the test would prove nothing.
 *
 * A write is safe (stable whatever happens) when it ended well and
 *   1, 2. the cache was in writethrough mode all the time that it was in flight, or
 *   3. a flush that was sent after it had ended has ended well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"

#define SCHEDULES 120000u

/*
 * ---- The guest ----
 */

/* 1 if a value that this write left may be there although `safe` is safe. */
static int superseded(const struct record *write, const struct record *safe, uint32_t number)
{
	return safe != write && number >= safe->first && number < safe->first + safe->count &&
	       write->ended != NEVER && write->ended < safe->sent;
}

/* 1 if the value is what some write left, and no write that counts came behind that one. */
static int value_allowed(
	const struct world *world, uint32_t number, uint32_t value, int is_read, uint32_t before)
{
	for (uint32_t i = 0; i < world->record_count; i++) {
		const struct record *write = &world->records[i];
		int is_allowed = write->tag == value && number >= write->first &&
				 number < write->first + write->count;

		for (uint32_t j = 0; is_allowed && j < world->record_count; j++) {
			const struct record *other = &world->records[j];

			if (is_read ? other->ended < before : other->safe)
				is_allowed = !superseded(write, other, number);
		}
		if (is_allowed)
			return 1;
	}
	return 0;
}

static void guest_write_ended(struct world *world, struct record *record)
{
	record->ended = world->step;
	record->safe = record->writethrough && world->writethrough;
}

static void guest_flush_ended(struct world *world, const struct slot *slot)
{
	for (uint32_t i = 0; i < world->record_count; i++)
		if (world->records[i].ended < slot->sent)
			world->records[i].safe = 1;
}

static void guest_read_ended(struct world *world, const struct slot *slot)
{
	for (uint32_t i = 0; i < slot->count; i++)
		if (!value_allowed(world, slot->first + i, slot->data[i][0], 1, slot->sent))
			world->violations++;
}

static void on_finished(void *ctx, struct blk_request *request, uint8_t status)
{
	struct world *world = ctx;
	struct slot *slot = NULL;

	for (uint32_t i = 0; i < SLOTS; i++)
		if (world->slots[i].request == request)
			slot = &world->slots[i];
	assert_non_null(slot);
	assert_true(slot->busy);
	slot->busy = 0;
	if (slot->cancelled || status != BLK_S_OK)
		return;
	if (request->type == BLK_T_FLUSH)
		guest_flush_ended(world, slot);
	else if (request->type == BLK_T_IN)
		guest_read_ended(world, slot);
	else
		guest_write_ended(world, &world->records[slot->record]);
}

static void on_synced(void *ctx, int error)
{
	(void)ctx;
	(void)error;
}

static void on_sync_failed(void *ctx, int error)
{
	struct world *world = ctx;

	(void)error;
	if (world->lie != LIE_ERROR_IS_NOT_STICKY)
		assert_false(world->sync_failed);
	world->sync_failed = 1;
}

static void record_write(struct world *world, struct slot *slot, uint32_t tag)
{
	slot->record = world->record_count;
	world->records[world->record_count++] = (struct record){
		.tag = tag,
		.first = slot->first,
		.count = slot->count,
		.sent = world->step,
		.ended = NEVER,
		.writethrough = world->writethrough,
	};
}

static void guest_send(struct world *world, struct slot *slot)
{
	static const uint32_t types[] = {BLK_T_OUT, BLK_T_OUT, BLK_T_OUT, BLK_T_OUT, BLK_T_IN,
		BLK_T_FLUSH, BLK_T_FLUSH, BLK_T_WRITE_ZEROES};
	uint32_t type = types[model_random(world, 8)];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .writable_bytes = 1};
	struct vmm_iovec *iov = slot->request->iov;
	const char *why;
	uint8_t status;

	slot->first = model_random(world, SECTORS);
	slot->count = 1 + model_random(world, WRITE_SECTORS);
	if (slot->count > SECTORS - slot->first)
		slot->count = SECTORS - slot->first;
	slot->sent = world->step;
	slot->header = (struct blk_wire_header){.type = type, .sector = slot->first};
	if (type == BLK_T_FLUSH && world->mode == MODE_WRITETHROUGH)
		return; /* it is not negotiated then */
	iov[0] = (struct vmm_iovec){&slot->header, sizeof(slot->header)};
	if (type == BLK_T_OUT || type == BLK_T_IN) {
		for (uint32_t i = 0; i < slot->count; i++)
			slot->data[i][0] = world->record_count + 1;
		iov[1] = (struct vmm_iovec){slot->data, slot->count * BLK_SECTOR_BYTES};
	} else if (type == BLK_T_WRITE_ZEROES) {
		slot->segment = (struct blk_wire_segment){slot->first, slot->count, 0};
		iov[1] = (struct vmm_iovec){&slot->segment, sizeof(slot->segment)};
	} else {
		iov[1].bytes = 0;
	}
	if (type == BLK_T_OUT || type == BLK_T_WRITE_ZEROES)
		record_write(world, slot, type == BLK_T_OUT ? world->record_count + 1 : 0);
	chain.readable = 2;
	chain.readable_bytes = iov[0].bytes + iov[1].bytes;
	chain.writable = 1;
	iov[2] = (struct vmm_iovec){&slot->status, 1};
	if (type == BLK_T_IN) {
		chain.readable = 1;
		chain.readable_bytes = iov[0].bytes;
		chain.writable = 2;
		chain.writable_bytes = iov[1].bytes + 1;
	} else if (type == BLK_T_FLUSH) {
		chain.readable = 1;
		iov[1] = iov[2];
	}
	assert_int_equal(blk_request_parse(slot->request, &chain, &world->limits, &status, &why),
		BLK_PARSE_RUN);
	slot->busy = 1;
	slot->cancelled = 0;
	blk_engine_submit(&world->engine, slot->request);
}

/* The device's reset: what is in flight never ends for the guest. */
static void guest_reset(struct world *world)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		world->slots[i].cancelled = 1;
	blk_engine_turn(&world->engine);
	blk_engine_cancel(&world->engine);
	while (world->op_count) {
		model_disk_finish_one(world);
		blk_engine_turn(&world->engine);
	}
	assert_true(blk_engine_idle(&world->engine));
	blk_engine_resume(&world->engine);
}

static void guest_toggle(struct world *world)
{
	world->writethrough = !world->writethrough;
	blk_engine_set_writethrough(&world->engine, world->writethrough);
	if (world->writethrough)
		return;
	for (uint32_t i = 0; i < world->record_count; i++)
		world->records[i].writethrough = 0;
}

static void take_step(struct world *world)
{
	uint32_t slot = model_random(world, SLOTS);

	world->step++;
	switch (model_random(world, 8)) {
	case 0:
	case 1:
	case 2:
		if (!world->slots[slot].busy)
			guest_send(world, &world->slots[slot]);
		break;
	case 3:
		if (world->mode == MODE_TOGGLED && model_one_in(world, 4))
			guest_toggle(world);
		if (model_one_in(world, 64))
			guest_reset(world);
		break;
	default:
		if (world->op_count)
			model_disk_finish_one(world);
		break;
	}
	if (model_one_in(world, 2))
		blk_engine_turn(&world->engine);
}

/*
 * ---- The power cut ----
 */

static void cut_power(struct world *world)
{
	model_disk_cut_power(world);
	for (uint32_t i = 0; i < SECTORS; i++)
		if (!value_allowed(world, i, world->sectors[i].view, 0, 0))
			world->violations++;
}

static void world_reset(struct world *world, enum mode mode, enum lie lie)
{
	const struct blk_engine_owner owner = {on_finished, on_synced, on_sync_failed, world};
	int writethrough =
		mode == MODE_WRITETHROUGH || (mode == MODE_TOGGLED && model_one_in(world, 2));

	world->backend.ops = &model_disk_ops;
	world->disk = (struct blk_disk){
		.fd = -1, .capacity_bytes = SECTORS * BLK_SECTOR_BYTES, .direct_align = 1};
	world->limits = (struct blk_limits){
		.capacity_bytes = world->disk.capacity_bytes,
		.direct_align = 1,
		.features = BLK_F_WRITE_ZEROES | BLK_F_FLUSH,
		.serial = "",
	};
	model_disk_reset(world);
	world->step = 1;
	world->sync_failed = 0;
	world->mode = mode;
	world->lie = lie;
	world->writethrough = writethrough;
	world->record_count = 1;
	world->records[0] = (struct record){.tag = INITIAL, .count = SECTORS};
	for (uint32_t i = 0; i < SLOTS; i++)
		world->slots[i].busy = 0;
	blk_engine_init(&world->engine, &world->backend, &world->disk, NULL, &owner);
	blk_engine_set_writethrough(&world->engine, lie == LIE_NO_WRITETHROUGH ? 0 : writethrough);
}

/* Runs schedules; how many of them broke the promise. */
static uint32_t run(enum mode mode, enum lie lie, uint32_t schedules)
{
	struct world *world = calloc(1, sizeof(*world));
	uint32_t broken = 0;

	assert_non_null(world);
	world->random = 0x9e3779b97f4a7c15ull + (uint64_t)mode * 7919 + (uint64_t)lie;
	for (uint32_t i = 0; i < SLOTS; i++) {
		world->slots[i].request = calloc(1, blk_request_bytes(4));
		assert_non_null(world->slots[i].request);
	}
	for (uint32_t i = 0; i < schedules; i++) {
		uint32_t steps;

		world_reset(world, mode, lie);
		world->violations = 0;
		steps = 1 + model_random(world, STEPS_MAX - 1);
		for (uint32_t s = 0; s < steps; s++)
			take_step(world);
		cut_power(world);
		broken += world->violations != 0;
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		free(world->slots[i].request);
	free(world);
	return broken;
}

static void flushed_writes_survive_a_power_cut(void **state)
{
	(void)state;
	assert_int_equal(run(MODE_WRITEBACK, LIE_NONE, SCHEDULES), 0);
}

static void writethrough_writes_survive_a_power_cut(void **state)
{
	(void)state;
	assert_int_equal(run(MODE_WRITETHROUGH, LIE_NONE, SCHEDULES), 0);
}

static void promise_holds_while_the_cache_mode_changes(void **state)
{
	(void)state;
	assert_int_equal(run(MODE_TOGGLED, LIE_NONE, SCHEDULES), 0);
}

#define CONTROL_SCHEDULES (SCHEDULES / 4)

static void control_sync_that_does_nothing_is_caught(void **state)
{
	(void)state;
	assert_true(run(MODE_WRITEBACK, LIE_SYNC_DOES_NOTHING, CONTROL_SCHEDULES) > 100);
	assert_true(run(MODE_WRITETHROUGH, LIE_SYNC_DOES_NOTHING, CONTROL_SCHEDULES) > 100);
}

static void control_write_that_ends_early_is_caught(void **state)
{
	(void)state;
	assert_true(run(MODE_WRITEBACK, LIE_WRITE_ENDS_BEFORE_IT_IS_DONE, CONTROL_SCHEDULES) > 100);
}

static void control_missing_writethrough_is_caught(void **state)
{
	(void)state;
	assert_true(run(MODE_WRITETHROUGH, LIE_NO_WRITETHROUGH, CONTROL_SCHEDULES) > 100);
}

static void control_sync_error_that_is_forgotten_is_caught(void **state)
{
	(void)state;
	assert_true(run(MODE_WRITEBACK, LIE_ERROR_IS_NOT_STICKY, CONTROL_SCHEDULES) > 10);
}

static void control_sync_that_misses_writes_is_caught(void **state)
{
	(void)state;
	assert_true(run(MODE_WRITEBACK, LIE_SYNC_MISSES_THE_LAST, CONTROL_SCHEDULES) > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_writes_survive_a_power_cut),
		cmocka_unit_test(writethrough_writes_survive_a_power_cut),
		cmocka_unit_test(promise_holds_while_the_cache_mode_changes),
		cmocka_unit_test(control_sync_that_does_nothing_is_caught),
		cmocka_unit_test(control_write_that_ends_early_is_caught),
		cmocka_unit_test(control_missing_writethrough_is_caught),
		cmocka_unit_test(control_sync_error_that_is_forgotten_is_caught),
		cmocka_unit_test(control_sync_that_misses_writes_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
