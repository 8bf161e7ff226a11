/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control queue with the card's loop on a thread and a driver that does what Linux does: one
 * command, a kick if the card wants one, and nothing else until the answer is there. It sleeps for
 * nothing, so a kick or an answer that got lost once would stop it for ever.
 */
#include "tap_rig.h"

#include <sched.h>
#include <time.h>

#define STARTS      60u
#define COMMANDS    50u
#define PAIRS       2u
#define PATIENCE_S  60
#define SPINS_MAX   1000u /* before another thread gets its turn */
#define STATUS_LIVE 0xfu  /* ACKNOWLEDGE to FEATURES_OK */

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Waits as a processor of a guest does. */
static void wait_for_answer(struct fake_virtio *d, uint32_t queue)
{
	time_t end = now() + PATIENCE_S;
	uint32_t bytes;

	for (uint32_t spins = 1; !fake_virtio_reap(d, queue, NULL, &bytes); spins++) {
		if (spins % SPINS_MAX)
			continue;
		sched_yield();
		if (now() > end)
			fail_msg("no answer to a control command in %d s", PATIENCE_S);
	}
	assert_int_equal(bytes, 1);
}

static void set_pairs(struct fake_virtio *d, uint32_t queue, uint16_t pairs, uint32_t flags)
{
	uint64_t before = d->ram_next;
	const uint8_t command[] = {4, 0, (uint8_t)pairs, 0};
	const struct fake_virtio_buffer buffers[] = {
		{fake_virtio_put(d, command, sizeof(command)), sizeof(command), 0},
		{fake_virtio_put(d, "\xee", 1), 1, 1}};

	fake_virtio_add(d, queue, buffers, 2, flags);
	fake_virtio_kick_if_wanted(d, queue);
	wait_for_answer(d, queue);
	assert_int_equal(*(const uint8_t *)fake_ram(d->host, buffers[1].gpa, 1), 0);
	if (!(flags & FAKE_VIRTIO_ADD_INDIRECT))
		d->ram_next = before;
}

/* Up to DRIVER_OK and no further: the loop may see the first command before it. */
static uint32_t bring_up(struct fake_virtio *d, uint64_t features)
{
	uint32_t ctrl = 2 * PAIRS;

	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, fake_virtio_offered(d) & features));
	for (uint32_t q = 0; q <= ctrl; q++)
		fake_virtio_queue_setup(d, q, q == ctrl ? 64 : 16, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_set_status(d, STATUS_LIVE);
	return ctrl;
}

static void commands_of_a_driver_that_spins_are_all_answered(void **state)
{
	const uint64_t features[] = {FAKE_VIRTIO_ALL, ~RIG_F_EVENT_IDX, ~RIG_F_INDIRECT};
	struct rig *rig = rig_open_on(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=2"),
		FAKE_VIRTIO_ALL, FAKE_LOOP_THREADS);
	struct fake_virtio *d = &rig->driver;

	(void)state;
	for (uint32_t start = 0; start < STARTS; start++) {
		uint64_t some = features[start % 3];
		uint32_t ctrl = bring_up(d, some);
		uint32_t flags = some & RIG_F_INDIRECT ? FAKE_VIRTIO_ADD_INDIRECT : 0;

		for (uint32_t i = 0; i < COMMANDS; i++)
			set_pairs(d, ctrl, i < COMMANDS / 2 ? 1 : 2, flags);
	}
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_of_a_driver_that_spins_are_all_answered),
	};

	if (!tap_possible())
		return TAP_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
