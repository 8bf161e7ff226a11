/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses of the second serial port without end. Each takes an exit, so more bytes than are kept
 * for a reader, of which there is none, is the row that takes longest.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/io.h>

#include "machine.h"
#include "real.h"

#define COM2     0x2f8u
#define REG_DATA 0u
#define REG_LCR  3u
#define REG_LSR  5u

#define LCR_8N1 0x03u
#define FLOOD   0x11000u

static void s2_s6_a_flood_that_nobody_reads_never_stops_the_vcpu(void **state)
{
	struct machine *m = *state;

	outb(LCR_8N1, COM2 + REG_LCR);
	for (uint32_t i = 0; i < FLOOD; i++)
		outb((uint8_t)i, COM2 + REG_DATA);
	for (uint32_t i = 0; i < FLOOD / 16; i++)
		(void)inb(COM2 + REG_LSR);
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_good(m, i);
	machine_rest_good(m);
}

struct poller {
	atomic_uint polls;
	atomic_bool stop;
};

static void *poll_for_ever(void *ctx)
{
	struct poller *poller = ctx;

	real_run_on(1);
	while (!atomic_load(&poller->stop)) {
		(void)inb(COM2 + REG_LSR);
		atomic_fetch_add(&poller->polls, 1);
	}
	return NULL;
}

static void s6_a_vcpu_that_polls_for_ever_stops_no_device(void **state)
{
	struct poller poller = {.stop = false};
	struct machine *m = *state;
	pthread_t thread;
	unsigned before;

	real_run_on(0);
	assert_int_equal(pthread_create(&thread, NULL, poll_for_ever, &poller), 0);
	while (!atomic_load(&poller.polls))
		sched_yield();
	before = atomic_load(&poller.polls);
	for (uint32_t i = 0; i < MACHINE_VIRTIO; i++)
		machine_good(m, i);
	machine_rest_good(m);
	assert_true(atomic_load(&poller.polls) > before);
	atomic_store(&poller.stop, true);
	pthread_join(thread, NULL);
	real_run_on(-1);
}

MACHINE_TESTS(flood)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			s2_s6_a_flood_that_nobody_reads_never_stops_the_vcpu, machine_setup,
			machine_teardown),
		cmocka_unit_test_setup_teardown(s6_a_vcpu_that_polls_for_ever_stops_no_device,
			machine_setup, machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
