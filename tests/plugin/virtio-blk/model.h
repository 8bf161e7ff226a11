/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of the durability test: a simulated disk that keeps apart what is stable and what a
 * power cut loses (model_disk.c), and what the guest knows of its requests (test_durability.c).
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "engine.h"

#define STEPS_MAX     60u
#define SECTORS       12u
#define SLOTS         16u
#define WRITE_SECTORS 4u
#define VERSIONS      (STEPS_MAX * 2)
#define INITIAL       0xffffffffu /* value of each sector at first */
#define NEVER         UINT32_MAX

/* What is wrong on purpose, for the controls. */
enum lie {
	LIE_NONE,
	LIE_SYNC_DOES_NOTHING,
	LIE_WRITE_ENDS_BEFORE_IT_IS_DONE,
	LIE_NO_WRITETHROUGH,
	LIE_ERROR_IS_NOT_STICKY,
	LIE_SYNC_MISSES_THE_LAST,
};

enum mode {
	MODE_WRITEBACK,
	MODE_WRITETHROUGH,
	MODE_TOGGLED,
	MODES,
};

/** A sector: its value in the page cache, the one that is stable, and those in between. */
struct sector {
	uint32_t view;
	uint32_t stable;
	uint32_t volatile_count;
	uint32_t volatiles[VERSIONS];
	uint32_t covered; /* of them: by the fdatasync that is under way */
};

/** What the guest knows of a write. Times are steps. */
struct record {
	uint32_t tag;
	uint32_t first, count;
	uint32_t sent, ended; /* ended well, or NEVER */
	int safe;
	int writethrough; /* since it was sent */
};

struct slot {
	struct blk_request *request;
	struct blk_wire_header header;
	struct blk_wire_segment segment;
	uint32_t data[WRITE_SECTORS][BLK_SECTOR_BYTES / 4];
	uint8_t status;
	int busy;
	int cancelled;
	uint32_t sent;
	uint32_t record;
	uint32_t first, count;
};

struct world {
	struct blk_backend backend; /* first: it is found by its address */
	struct blk_engine engine;
	struct blk_disk disk;
	struct blk_limits limits;
	struct slot slots[SLOTS];
	struct sector sectors[SECTORS];
	struct record records[STEPS_MAX + 1];
	uint32_t record_count;
	struct blk_op *ops[SLOTS + 1]; /* submitted, not committed or not done */
	uint32_t op_count;
	uint32_t step;
	int writethrough;
	int sync_failed;
	enum lie lie;
	enum mode mode;
	uint64_t random;
	uint32_t violations;
};

uint32_t model_random(struct world *world, uint32_t limit);
int model_one_in(struct world *world, uint32_t n);

/** Submits to world->ops; nothing is finished by itself. */
extern const struct blk_backend_ops model_disk_ops;

/** Every sector has the value INITIAL, and that is stable. */
void model_disk_reset(struct world *world);

/** Finishes one operation, any: well, in part, or with an error. */
void model_disk_finish_one(struct world *world);

/** Cuts the power: each sector gets the value that it has afterwards, as its view. */
void model_disk_cut_power(struct world *world);

#endif
