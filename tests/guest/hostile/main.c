/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest: attacks the devices of the machine that it runs in, as root of a Linux that was
 * started for it, and prints on the console what became of each row of tests/hostile/rows.
 *
 * usage: hostile [PATTERN [BUT]]     the tests whose names match PATTERN, such as "q17_*"; all of
 *                                    them, but those that match BUT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "machine.h"

int machine_tests_bus(void);
int machine_tests_flood(void);
int machine_tests_frames(void);
int machine_tests_ports(void);
int machine_tests_processor(void);
int machine_tests_registers(void);
int machine_tests_requests(void);
int machine_tests_rings(void);
int machine_tests_states(void);

static int run(int (*const *groups)(void), size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += groups[i]();
	return failed;
}

int main(int argc, char **argv)
{
	/* What these have the VMM take, threads and buffers, it may keep. */
	static int (*const first[])(void) = {
		machine_tests_requests, machine_tests_ports, machine_tests_flood};
	static int (*const others[])(void) = {
		machine_tests_rings,
		machine_tests_registers,
		machine_tests_bus,
		machine_tests_frames,
		machine_tests_processor,
		machine_tests_states,
	};
	int failed;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (argc > 2)
		cmocka_set_skip_filter(argv[2]);
	machine_others_good(machine_open(0), MACHINE_VIRTIO);
	failed = run(first, sizeof(first) / sizeof(*first));
	puts("hostile: warm");
	failed += run(others, sizeof(others) / sizeof(*others));
	machine_others_good(machine_open(0), MACHINE_VIRTIO);
	printf(failed ? "hostile: %d failed\n" : "hostile: all passed\n", failed);
	return failed ? 1 : 0;
}
