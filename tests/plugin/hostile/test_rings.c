/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings that no driver would write, in every queue of a whole machine: what the device answers,
 * that it and all others go on, and that nothing grows. That the ring alone does the right thing is
 * tests/plugin/virtio's business. Names begin with the row of the catalogue of hostile guests.
 */
#include <string.h>

#include "machine.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define N FAKE_VIRTIO_NEXT
#define W FAKE_VIRTIO_WRITE
#define I FAKE_VIRTIO_INDIRECT

#define ROUNDS       MACHINE_ROUNDS(8u)
#define GROWTH_BYTES (256u << 10)
#define BUFFER_BYTES 4096u
#define TABLE_BYTES  16384u
#define END          ((uint64_t)MACHINE_RAM_BYTES)

#define DESCS       4u
#define TABLE_DESCS 3u

#define INDIRECT_DESC (1ull << 28)

/* What an address is relative to. */
enum place {
	GPA,
	BUFFER, /* of BUFFER_BYTES */
	TABLE,  /* an indirect table */
	BAR,    /* with the device's own registers */
	MSIX,   /* with its MSI-X table */
	OTHERS, /* with the registers of another device */
	USED,   /* its own used ring */
};

struct bad_desc {
	enum place place;
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct bad_chain {
	const char *what;
	struct bad_desc desc[DESCS];        /* of the queue; the first is the head */
	struct bad_desc table[TABLE_DESCS]; /* at TABLE */
	uint64_t without;                   /* features that are not negotiated */
};

static uint64_t address(struct machine *m, const struct machine_victim *victim, uint64_t buffer,
	const struct bad_desc *desc)
{
	struct fake_virtio *d = &m->drivers[victim->device];
	struct fake_virtio *other = &m->drivers[(victim->device + 1) % MACHINE_VIRTIO];
	const uint64_t bases[] = {
		[GPA] = 0,
		[BUFFER] = buffer,
		[TABLE] = buffer + BUFFER_BYTES,
		[BAR] = d->pci.bars[d->common.bar].address,
		[MSIX] = d->pci.bars[d->pci.msix_bar].address,
		[OTHERS] = other->pci.bars[other->common.bar].address,
		[USED] = d->queues[victim->queue].used,
	};

	return bases[desc->place] + desc->addr;
}

/* Buffers have the direction that the victim is used to, or W of the chain turns it round. */
static uint16_t flags_of(const struct machine_victim *victim, const struct bad_desc *desc)
{
	return desc->flags & I ? desc->flags : (uint16_t)(desc->flags ^ victim->writes);
}

/* At the end of the table: a driver that goes on takes others first. Returns the head. */
static uint16_t write_chain(
	struct machine *m, const struct machine_victim *victim, const struct bad_chain *chain)
{
	struct fake_virtio *d = &m->drivers[victim->device];
	uint64_t buffer = fake_virtio_alloc(d, BUFFER_BYTES + TABLE_BYTES, BUFFER_BYTES);
	uint16_t first = (uint16_t)(d->queues[victim->queue].size - DESCS);
	const struct bad_desc *at;

	for (uint16_t i = 0; i < DESCS; i++) {
		at = &chain->desc[i];
		fake_virtio_desc(d, victim->queue, first + i, address(m, victim, buffer, at),
			at->len, flags_of(victim, at),
			(uint16_t)(at->next < DESCS ? first + at->next : at->next));
	}
	for (uint32_t i = 0; i < TABLE_BYTES / 16; i++) {
		at = &chain->table[i % TABLE_DESCS];
		fake_virtio_desc_at(d, buffer + BUFFER_BYTES, i, address(m, victim, buffer, at),
			at->len, flags_of(victim, at), at->next);
	}
	return first;
}

/* Response C: the chain comes back unused and the queue goes on as if nothing had been. */
static void expect_given_back(
	struct machine *m, const struct machine_victim *victim, const struct bad_chain *chain)
{
	struct fake_virtio *d = &m->drivers[victim->device];
	uint32_t head = write_chain(m, victim, chain), id = 0, bytes = UINT32_MAX;

	fake_virtio_avail(d, victim->queue, (uint16_t)head);
	fake_virtio_kick(d, victim->queue);
	fake_settle(m->host);
	if (!victim->is_input) {
		assert_true(fake_virtio_reap(d, victim->queue, &id, &bytes));
		assert_int_equal(id, head);
		assert_int_equal(bytes, 0);
	}
	m->unused = 0;
	machine_good(m, victim->device);
	assert_int_equal(m->unused, victim->is_input);
	assert_false(fake_virtio_status(d) & FAKE_VIRTIO_NEEDS_RESET);
}

static void attack(
	struct machine *m, const struct machine_victim *victim, const struct bad_chain *chain)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		machine_init(m, victim->device, FAKE_VIRTIO_ALL & ~chain->without);
		expect_given_back(m, victim, chain);
	}
	machine_others_good(m, victim->device);
	machine_init(m, victim->device, FAKE_VIRTIO_ALL);
	machine_good(m, victim->device);
}

/* Each chain to each queue; the first time round is not counted: pools and buffers fill. */
static void attack_all(struct machine *m, const struct bad_chain *chains, uint32_t count)
{
	uint64_t heap = 0;
	uint32_t fds = 0;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(2u); round++) {
		for (uint32_t i = 0; i < count; i++) {
			print_message("  %s\n", chains[i].what);
			for (uint32_t v = 0; v < MACHINE_VICTIMS; v++)
				attack(m, &machine_victims[v], &chains[i]);
		}
		if (!round) {
			heap = machine_heap_bytes();
			fds = machine_fd_count();
		}
	}
	assert_true(machine_heap_bytes() <= heap + GROWTH_BYTES);
	assert_int_equal(machine_fd_count(), fds);
}

#define ATTACK_ALL(m, chains) attack_all(m, chains, sizeof(chains) / sizeof(*(chains)))

/*
 * ---- Chains that are given back ----
 */

static void q1_loops_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"itself", {{BUFFER, 0, 16, N, 0}}, {{0}}, 0},
		{"two", {{BUFFER, 0, 16, N, 1}, {BUFFER, 64, 16, N, 0}}, {{0}}, 0},
		{"the middle",
			{{BUFFER, 0, 16, N, 1}, {BUFFER, 64, 16, N, 2}, {BUFFER, 128, 16, N, 1}},
			{{0}}, 0},
		{"empty buffers", {{BUFFER, 0, 0, N, 1}, {BUFFER, 0, 0, N, 0}}, {{0}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

static void q2_q3_chains_that_leave_the_table_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"next at the end", {{BUFFER, 0, 16, N, 256}}, {{0}}, 0},
		{"next far away", {{BUFFER, 0, 16, N, 0xffff}}, {{0}}, 0},
		{"a table longer than the queue", {{TABLE, 0, TABLE_BYTES, I, 0}},
			{{BUFFER, 0, 16, N, 1}, {BUFFER, 0, 16, N, 2}, {BUFFER, 0, 16, N, 3}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

static void q4_chains_of_empty_buffers_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"one", {{BUFFER, 0, 0, 0, 0}}, {{0}}, 0},
		{"three", {{BUFFER, 0, 0, N, 1}, {BUFFER, 0, 0, N, 2}, {BUFFER, 0, 0, 0, 0}}, {{0}},
			0},
	};

	ATTACK_ALL(*state, chains);
}

static void q5_q6_lengths_that_wrap_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"the largest length", {{BUFFER, 0, UINT32_MAX, 0, 0}}, {{0}}, 0},
		{"sum of 4 GiB",
			{{BUFFER, 0, 0x80000000u, N, 1}, {BUFFER, 0, 0x80000000u, N, 2},
				{BUFFER, 0, 512, 0, 0}},
			{{0}}, 0},
		{"behind the end of addresses", {{GPA, UINT64_MAX - 15, 64, 0, 0}}, {{0}}, 0},
		{"to the last address", {{GPA, UINT64_MAX - 15, 16, 0, 0}}, {{0}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

static void q7_q9_buffers_outside_of_ram_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"behind RAM", {{GPA, END, 16, 0, 0}}, {{0}}, 0},
		{"one byte too long", {{GPA, END - 15, 16, 0, 0}}, {{0}}, 0},
		{"in the hole below 4 GiB", {{GPA, 0xd0000000u, 512, 0, 0}}, {{0}}, 0},
		{"good, then bad", {{BUFFER, 0, 16, N, 1}, {GPA, END - 8, 512, 0, 0}}, {{0}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

static void q10_r6_buffers_in_devices_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"its own registers", {{BAR, 0, 16, 0, 0}}, {{0}}, 0},
		{"its MSI-X table", {{MSIX, 0, 16, 0, 0}}, {{0}}, 0},
		{"another device", {{OTHERS, 0, 16, 0, 0}}, {{0}}, 0},
		{"interrupt controllers",
			{{GPA, 0xfee00000u, 16, N, 1}, {GPA, 0xfec00000u, 16, 0, 0}}, {{0}}, 0},
		{"a table in registers", {{BAR, 0, 32, I, 0}}, {{0}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

static void q12_chains_in_the_wrong_order_stop_no_device(void **state)
{
	struct bad_chain chains[] = {
		{"readable behind writable", {{BUFFER, 0, 16, N | W, 1}, {BUFFER, 64, 16, 0, 0}},
			{{0}}, 0},
	};

	/* Flags are turned round for devices that write. */
	for (uint32_t v = 0; v < MACHINE_VICTIMS; v++) {
		chains[0].desc[0].flags = (uint16_t)(N | (machine_victims[v].writes ? 0 : W));
		chains[0].desc[1].flags = machine_victims[v].writes ? W : 0;
		attack(*state, &machine_victims[v], &chains[0]);
	}
}

static void q14_q15_indirect_tables_that_cannot_be_stop_no_device(void **state)
{
	static const struct bad_chain chains[] = {
		{"not negotiated", {{TABLE, 0, 16, I, 0}}, {{BUFFER, 0, 16, 0, 0}}, INDIRECT_DESC},
		{"nested", {{TABLE, 0, 32, I, 0}}, {{TABLE, 0, 16, I, 0}}, 0},
		{"with a next one", {{TABLE, 0, 16, I | N, 1}, {BUFFER, 0, 16, 0, 0}},
			{{BUFFER, 0, 16, 0, 0}}, 0},
		{"empty", {{TABLE, 0, 0, I, 0}}, {{0}}, 0},
		{"not whole", {{TABLE, 0, 17, I, 0}}, {{BUFFER, 0, 16, 0, 0}}, 0},
		{"huge", {{TABLE, 0, 0xfffffff0u, I, 0}}, {{BUFFER, 0, 16, 0, 0}}, 0},
		{"outside of RAM", {{GPA, END, 16, I, 0}}, {{0}}, 0},
		{"across the end of RAM", {{GPA, END - 16, 32, I, 0}}, {{0}}, 0},
		{"with a loop", {{TABLE, 0, 48, I, 0}},
			{{BUFFER, 0, 16, N, 1}, {BUFFER, 0, 16, N, 0}, {BUFFER, 0, 16, 0, 0}}, 0},
		{"with a next outside", {{TABLE, 0, 32, I, 0}}, {{BUFFER, 0, 16, N, 2}}, 0},
	};

	ATTACK_ALL(*state, chains);
}

/*
 * ---- Rings that cannot be trusted ----
 */

/* Response D: no queue of the device is touched any more, all others go on, a reset revives it. */
static void expect_needs_reset(struct machine *m, uint32_t device)
{
	struct fake_virtio *d = &m->drivers[device];
	uint16_t used[FAKE_VIRTIO_QUEUES];

	fake_settle(m->host);
	assert_true(fake_virtio_status(d) & FAKE_VIRTIO_NEEDS_RESET);
	for (uint32_t q = 0; q < d->queue_count; q++) {
		used[q] = fake_virtio_used_index(d, q);
		fake_virtio_kick(d, q);
	}
	machine_others_good(m, device);
	for (uint32_t q = 0; q < d->queue_count; q++)
		assert_int_equal(fake_virtio_used_index(d, q), used[q]);
	machine_init(m, device, FAKE_VIRTIO_ALL);
	machine_good(m, device);
}

/* For the receive queue: something comes in, so that its buffers are looked for. */
static void prompt(struct machine *m, const struct machine_victim *victim)
{
	struct fake_virtio *d = &m->drivers[victim->device];

	fake_virtio_kick(d, victim->queue);
	fake_settle(m->host);
	if (victim->is_input)
		machine_send_frame(m);
}

static void break_all(
	struct machine *m, void (*spoil)(struct fake_virtio *d, uint32_t queue, uint32_t round))
{
	uint64_t heap = 0;

	for (uint32_t round = 0; round < 2 * ROUNDS; round++) {
		for (uint32_t v = 0; v < MACHINE_VICTIMS; v++) {
			const struct machine_victim *victim = &machine_victims[v];

			spoil(&m->drivers[victim->device], victim->queue, round);
			prompt(m, victim);
			expect_needs_reset(m, victim->device);
		}
		if (round + 1 == ROUNDS)
			heap = machine_heap_bytes();
	}
	assert_true(machine_heap_bytes() <= heap + GROWTH_BYTES);
}

static void bad_head(struct fake_virtio *d, uint32_t queue, uint32_t round)
{
	uint32_t size = d->queues[queue].size;

	fake_virtio_avail(d, queue, (uint16_t)(round & 1 ? size : 0xffff - round));
}

static void q2_head_outside_of_the_table_breaks_one_device_only(void **state)
{
	break_all(*state, bad_head);
}

static void jump(struct fake_virtio *d, uint32_t queue, uint32_t round)
{
	struct fake_virtio_queue *q = &d->queues[queue];
	uint32_t by = round & 1 ? q->size + 1 : UINT16_MAX - round;

	fake_virtio_avail_index(d, queue, (uint16_t)(q->avail_index + by));
}

static void q17_index_that_jumps_breaks_one_device_only(void **state)
{
	break_all(*state, jump);
}

/* Twice in one batch: the first is not given back yet when the second is seen. */
static void same_head(struct fake_virtio *d, uint32_t queue, uint32_t round)
{
	uint64_t buffer = fake_virtio_alloc(d, 16, 16);

	(void)round;
	/* Too small for a frame: the receive queue takes a second one, too. */
	fake_virtio_desc(d, queue, 9, buffer, 4, queue ? 0 : FAKE_VIRTIO_WRITE, 0);
	fake_virtio_avail(d, queue, 9);
	fake_virtio_avail(d, queue, 9);
}

static void q18_head_that_is_in_flight_breaks_one_device_only(void **state)
{
	break_all(*state, same_head);
}

/* A queue with one area at a place where none can be. */
static void queue_at(struct fake_virtio *d, uint32_t reg, uint64_t gpa)
{
	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, 1ull << 32));
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, 0);
	for (uint32_t area = REG(QUEUE_DESC); area <= REG(QUEUE_DEVICE); area += 8) {
		uint64_t at = area == reg ? gpa : fake_virtio_alloc(d, 8192, 4096);

		fake_virtio_reg_write(d, area, 4, (uint32_t)at);
		fake_virtio_reg_write(d, area + 4, 4, at >> 32);
	}
	fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 1);
	fake_virtio_driver_ok(d);
}

static void q21_areas_outside_of_ram_break_one_device_only(void **state)
{
	static const uint64_t areas[] = {END, END - 16, 0xfee00000u, UINT64_MAX - 15, 1};
	struct machine *m = *state;

	for (uint32_t device = 0; device < MACHINE_VIRTIO; device++) {
		for (uint32_t i = 0; i < sizeof(areas) / sizeof(*areas); i++)
			for (uint32_t reg = REG(QUEUE_DESC); reg <= REG(QUEUE_DEVICE); reg += 8) {
				queue_at(&m->drivers[device], reg, areas[i]);
				assert_true(fake_virtio_status(&m->drivers[device]) &
					    FAKE_VIRTIO_NEEDS_RESET);
			}
		machine_others_good(m, device);
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

/*
 * ---- No promise but that nothing breaks ----
 */

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void q22_areas_that_overlap_stop_no_other_device(void **state)
{
	struct machine *m = *state;
	uint32_t seed = 1;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(64u); round++) {
		uint32_t device = round % MACHINE_VIRTIO;
		struct fake_virtio *d = &m->drivers[device];
		uint64_t at = d->ram_start + 0x200000;
		uint8_t *bytes = fake_ram(m->host, at, 8192);

		for (uint32_t i = 0; i < 8192; i++)
			bytes[i] = (uint8_t)random_next(&seed);
		fake_virtio_reset(d);
		assert_true(fake_virtio_negotiate(d, 1ull << 32));
		for (uint32_t q = 0; q < d->queue_count; q++) {
			fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, q);
			for (uint32_t area = REG(QUEUE_DESC); area <= REG(QUEUE_DEVICE); area += 8)
				fake_virtio_reg_write(
					d, area, 4, (uint32_t)at + random_next(&seed) % 64 * 16);
			fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 1);
		}
		fake_virtio_driver_ok(d);
		for (uint32_t q = 0; q < d->queue_count; q++)
			fake_virtio_kick(d, q);
		fake_settle(m->host);
		machine_others_good(m, device);
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

static void q11_devices_that_write_over_their_rings_stop_no_other(void **state)
{
	struct machine *m = *state;
	struct fake_virtio *d = &m->drivers[MACHINE_RANDOM];

	for (uint32_t round = 0; round < MACHINE_ROUNDS(48u); round++) {
		struct fake_virtio_queue *q = &d->queues[0];
		struct fake_virtio_buffer in = {0, 512, 1};

		machine_init(m, MACHINE_RANDOM, FAKE_VIRTIO_ALL);
		in.gpa = (round % 3 == 0 ? q->desc : round % 3 == 1 ? q->avail : q->used) + round;
		for (uint32_t i = 0; i < 4; i++)
			fake_virtio_add(d, 0, &in, 1, 0);
		fake_virtio_kick(d, 0);
		fake_settle(m->host);
		fake_virtio_kick(d, 0);
		fake_settle(m->host);
		machine_others_good(m, MACHINE_RANDOM);
	}
	machine_init(m, MACHINE_RANDOM, FAKE_VIRTIO_ALL);
	machine_good(m, MACHINE_RANDOM);
}

static void q23_garbage_in_the_drivers_wishes_loses_no_request(void **state)
{
	struct machine *m = *state;
	uint32_t seed = 7;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(300u); round++)
		for (uint32_t v = 0; v < MACHINE_VICTIMS; v++) {
			const struct machine_victim *victim = &machine_victims[v];
			struct fake_virtio *d = &m->drivers[victim->device];
			struct fake_virtio_queue *q = &d->queues[victim->queue];
			uint16_t *used = fake_ram(m->host, q->used, 6 + 8ull * q->size);

			fake_virtio_set_avail_flags(d, victim->queue, (uint16_t)random_next(&seed));
			fake_virtio_set_used_event(d, victim->queue, (uint16_t)random_next(&seed));
			used[0] = (uint16_t)random_next(&seed);
			for (uint32_t i = 0; i < 4 * q->size + 1; i++)
				used[2 + i] = (uint16_t)random_next(&seed);
			machine_good(m, victim->device);
		}
}

static void q26_packed_rings_are_not_offered(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++) {
		fake_virtio_reset(&m->drivers[i]);
		assert_false(fake_virtio_offered(&m->drivers[i]) & 1ull << 34);
		assert_false(fake_virtio_negotiate(&m->drivers[i], 1ull << 32 | 1ull << 34));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

MACHINE_TESTS(rings)
{
	const struct CMUnitTest tests[] = {
		TEST(q1_loops_stop_no_device),
		TEST(q2_q3_chains_that_leave_the_table_stop_no_device),
		TEST(q4_chains_of_empty_buffers_stop_no_device),
		TEST(q5_q6_lengths_that_wrap_stop_no_device),
		TEST(q7_q9_buffers_outside_of_ram_stop_no_device),
		TEST(q10_r6_buffers_in_devices_stop_no_device),
		TEST(q12_chains_in_the_wrong_order_stop_no_device),
		TEST(q14_q15_indirect_tables_that_cannot_be_stop_no_device),
		TEST(q2_head_outside_of_the_table_breaks_one_device_only),
		TEST(q17_index_that_jumps_breaks_one_device_only),
		TEST(q18_head_that_is_in_flight_breaks_one_device_only),
		TEST(q21_areas_outside_of_ram_break_one_device_only),
		TEST(q22_areas_that_overlap_stop_no_other_device),
		TEST(q11_devices_that_write_over_their_rings_stop_no_other),
		TEST(q23_garbage_in_the_drivers_wishes_loses_no_request),
		TEST(q26_packed_rings_are_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
