/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More bytes to the second serial port than are kept for a reader, of which there is none. Each
 * takes an exit, so this is the row that takes longest.
 */
#include <sys/io.h>

#include "machine.h"

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

MACHINE_TESTS(flood)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			s2_s6_a_flood_that_nobody_reads_never_stops_the_vcpu, machine_setup,
			machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
