/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two vCPUs under real KVM, of which the second waits to be started by the first. Ids such as V5
 * are rows of the catalogue of hostile guests.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"

static struct guest guest;

static int setup(void **state)
{
	(void)state;
	guest_init(&guest, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_fini(&guest);
	return 0;
}

/* The second vCPU starts at 0x8000 in real mode and reports its APIC id. */
GUEST_PROGRAM(second_code, ".code16\n"
			   "mov $1, %eax\n"
			   "cpuid\n"
			   "shr $24, %ebx\n"
			   "mov %ebx, %eax\n"
			   "out %eax, $0xf8\n"
			   "1: cli\n hlt\n jmp 1b\n");

GUEST_PROGRAM(smp_program, "movl $0x1ff, 0xfee000f0\n" /* local APIC on */
			   "movl $0x01000000, 0xfee00310\n"
			   "movl $0x00004500, 0xfee00300\n" /* INIT */
			   "mov $100000, %ecx\n"
			   "1: pause\n dec %ecx\n jnz 1b\n"
			   "movl $0x00004608, 0xfee00300\n" /* start-up at 0x8000 */
			   "2: cli\n hlt\n jmp 2b\n");

static void load_second(void)
{
	assert_int_equal(memory_write(guest.memory, (vmm_gpa){0x8000}, second_code.start,
				 (uint64_t)(second_code.end - second_code.start)),
		0);
}

static void V5_the_second_vcpu_waits_for_its_startup_ipi(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *file;

	(void)state;
	load_second();
	guest_load(&guest, smp_program);
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
	assert_int_equal(guest.step_value, 1);
	assert_false(guest.ended);
	file = open_memstream(&text, &bytes);
	vcpu_print_exits(guest.vcpus[1], file);
	fclose(file);
	assert_non_null(strstr(text, "vcpu1 exits: io 1"));
	free(text);
}

GUEST_PROGRAM(dead_program, "out %al, $0xf8\n"
			    "cli\n"
			    "hlt\n");

static void waiting_vcpus_pause_and_stop(void **state)
{
	(void)state;
	guest_load(&guest, dead_program);
	guest_start(&guest);
	guest_wait_steps(&guest, 1);
	vcpu_pause(guest.vcpus[0]);
	vcpu_pause(guest.vcpus[1]);
	vcpu_wait_paused(guest.vcpus[0]);
	vcpu_wait_paused(guest.vcpus[1]);
	vcpu_resume(guest.vcpus[0]);
	vcpu_resume(guest.vcpus[1]);
}

/* INIT and start-up messages in x2APIC mode: to 2..199; to ids whose low byte is each value, the
 * second vCPU's among them; at last to that one. */
GUEST_PROGRAM(x2apic_program, "mov $0x1b, %ecx\n"
			      "rdmsr\n"
			      "or $0xc00, %eax\n"
			      "wrmsr\n"
			      "mov $0x830, %ecx\n"
			      "mov $2, %edx\n"
			      "1: call 4f\n"
			      "inc %edx\n"
			      "cmp $200, %edx\n"
			      "jb 1b\n"
			      "mov $0x100, %edx\n"
			      "2: call 4f\n"
			      "add $0x1000001, %edx\n"
			      "jnc 2b\n"
			      "out %al, $0xf8\n"
			      "mov $1, %edx\n"
			      "call 4f\n"
			      "3: cli\n hlt\n jmp 3b\n"
			      "4: mov $0x4500, %eax\n"
			      "wrmsr\n"
			      "mov $0x4608, %eax\n"
			      "wrmsr\n"
			      "wrmsr\n"
			      "ret\n");

static uint32_t count_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	uint32_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void V8_x2apic_ids_of_no_vcpu_start_nothing(void **state)
{
	uint32_t before;

	(void)state;
	load_second();
	guest_load(&guest, x2apic_program);
	guest_start(&guest);
	before = count_threads();
	guest_wait_steps(&guest, 1);
	guest_wait_steps(&guest, 2);
	/* One of the first, then one of the second: its APIC id. */
	assert_int_equal(guest.step_value, 1);
	assert_int_equal(guest.steps, 2);
	assert_false(guest.ended);
	assert_int_equal(count_threads(), before);
}

#define TWO(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO(V5_the_second_vcpu_waits_for_its_startup_ipi),
		TWO(waiting_vcpus_pause_and_stop),
		TWO(V8_x2apic_ids_of_no_vcpu_start_nothing),
	};

	if (!guest_possible())
		return 77;
	return cmocka_run_group_tests_name("kvm-guest-smp", tests, NULL, NULL);
}
