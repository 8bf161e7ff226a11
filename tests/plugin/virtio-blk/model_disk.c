/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk of the durability test, as a back end of the engine.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"

uint32_t model_random(struct world *world, uint32_t limit)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (uint32_t)((world->random >> 11) % limit);
}

int model_one_in(struct world *world, uint32_t n)
{
	return model_random(world, n) == 0;
}

static void sector_write(struct world *world, uint32_t number, uint32_t value)
{
	struct sector *sector = &world->sectors[number];

	assert_true(number < SECTORS && sector->volatile_count < VERSIONS);
	sector->view = value;
	sector->volatiles[sector->volatile_count++] = value;
}

static uint32_t op_value(const struct blk_op *op, uint32_t index)
{
	uint64_t skip = (uint64_t)index * BLK_SECTOR_BYTES;
	uint32_t value;

	if (op->kind == BLK_OP_ZERO)
		return 0;
	for (uint32_t i = 0; i < op->iov_count; i++) {
		if (skip < op->iov[i].bytes) {
			memcpy(&value, (const uint8_t *)op->iov[i].base + skip, sizeof(value));
			return value;
		}
		skip -= op->iov[i].bytes;
	}
	fail_msg("an operation without data");
	return 0;
}

static uint32_t op_sectors(const struct blk_op *op)
{
	uint64_t bytes = op->bytes;

	if (op->kind == BLK_OP_READ || op->kind == BLK_OP_WRITE) {
		bytes = 0;
		for (uint32_t i = 0; i < op->iov_count; i++)
			bytes += op->iov[i].bytes;
	}
	return (uint32_t)(bytes / BLK_SECTOR_BYTES);
}

static void sync_begins(struct world *world)
{
	for (uint32_t i = 0; i < SECTORS; i++) {
		struct sector *sector = &world->sectors[i];

		sector->covered = sector->volatile_count;
		if (world->lie == LIE_SYNC_MISSES_THE_LAST && sector->covered)
			sector->covered--;
	}
}

/* What it covers is stable now; or, if it failed, lost, though reads still see it. */
static void sync_ends(struct world *world, int works)
{
	for (uint32_t i = 0; i < SECTORS; i++) {
		struct sector *sector = &world->sectors[i];
		uint32_t n = sector->covered;

		if (!n)
			continue;
		if (works)
			sector->stable = sector->volatiles[n - 1];
		sector->volatile_count -= n;
		memmove(sector->volatiles, sector->volatiles + n,
			sector->volatile_count * sizeof(sector->volatiles[0]));
		sector->covered = 0;
	}
}

static int disk_submit(struct blk_backend *backend, struct blk_op *op)
{
	struct world *world = (struct world *)backend;

	if (model_one_in(world, 40))
		return -ENOMEM;
	assert_true(world->op_count < SLOTS + 1);
	world->ops[world->op_count++] = op;
	if (op->kind == BLK_OP_SYNC)
		sync_begins(world);
	return 0;
}

static void disk_commit(struct blk_backend *backend)
{
	(void)backend;
}

static uint32_t disk_reap(struct blk_backend *backend)
{
	(void)backend;
	return 0;
}

const struct blk_backend_ops model_disk_ops = {
	.name = "simulated",
	.submit = disk_submit,
	.commit = disk_commit,
	.reap = disk_reap,
};

static int64_t sync_result(struct world *world)
{
	if (world->lie == LIE_SYNC_DOES_NOTHING)
		return 0;
	if (model_one_in(world, 24)) {
		sync_ends(world, 0);
		return -EIO;
	}
	sync_ends(world, 1);
	return 0;
}

static int64_t data_result(struct world *world, struct blk_op *op)
{
	uint32_t first = (uint32_t)(op->offset_bytes / BLK_SECTOR_BYTES);
	uint32_t count = op_sectors(op);
	int is_error = model_one_in(world, 48);

	/* In part, or not at all but on the disk all the same. */
	if (count > 1 && model_one_in(world, 3))
		count = 1 + model_random(world, count - 1);
	for (uint32_t i = 0; i < count; i++) {
		if (op->kind != BLK_OP_READ)
			sector_write(world, first + i, op_value(op, i));
		else
			memcpy((uint8_t *)op->iov[0].base + (uint64_t)i * BLK_SECTOR_BYTES,
				&world->sectors[first + i].view, sizeof(uint32_t));
	}
	return is_error ? -EIO : (int64_t)count * BLK_SECTOR_BYTES;
}

void model_disk_finish_one(struct world *world)
{
	uint32_t index = model_random(world, world->op_count);
	struct blk_op *op = world->ops[index];

	world->ops[index] = world->ops[--world->op_count];
	if (model_one_in(world, 16))
		op->result = model_one_in(world, 2) ? -EINTR : -EAGAIN;
	else if (op->kind == BLK_OP_SYNC)
		op->result = sync_result(world);
	else if (op->kind == BLK_OP_WRITE && world->lie == LIE_WRITE_ENDS_BEFORE_IT_IS_DONE)
		op->result = (int64_t)op_sectors(op) * BLK_SECTOR_BYTES;
	else
		op->result = data_result(world, op);
	blk_engine_op_done(&world->engine, op);
	if (world->lie == LIE_ERROR_IS_NOT_STICKY)
		world->engine.sync_error = 0;
}

static uint32_t sector_after_cut(struct world *world, struct sector *sector)
{
	uint32_t pick = model_random(world, sector->volatile_count + 1);

	return pick ? sector->volatiles[pick - 1] : sector->stable;
}

void model_disk_cut_power(struct world *world)
{
	/* Writes that were under way may have reached the disk, too, each sector by itself. */
	for (uint32_t i = 0; i < world->op_count; i++) {
		const struct blk_op *op = world->ops[i];
		uint32_t first = (uint32_t)(op->offset_bytes / BLK_SECTOR_BYTES);

		if (op->kind != BLK_OP_WRITE && op->kind != BLK_OP_ZERO)
			continue;
		for (uint32_t j = 0; j < op_sectors(op); j++)
			if (model_one_in(world, 2))
				sector_write(world, first + j, op_value(op, j));
	}
	for (uint32_t i = 0; i < SECTORS; i++)
		world->sectors[i].view = sector_after_cut(world, &world->sectors[i]);
}

void model_disk_reset(struct world *world)
{
	world->op_count = 0;
	for (uint32_t i = 0; i < SECTORS; i++) {
		world->sectors[i].view = INITIAL;
		world->sectors[i].stable = INITIAL;
		world->sectors[i].volatile_count = 0;
		world->sectors[i].covered = 0;
	}
}
