/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID policy on made-up answers of KVM, for Intel and AMD.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/types.h>

#include "kvm/cpuid.h"
#include "kvm/vm.h"

#define ROOM 32u

static struct kvm_cpuid2 *cpuid;

static void leaf(
	uint32_t function, uint32_t index, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = function == 4 || function == 7 || function == 0xb || function == 0x8000001d
				 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX
				 : 0,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};
}

static int setup(void **state)
{
	(void)state;
	cpuid = calloc(1, sizeof(*cpuid) + ROOM * sizeof(cpuid->entries[0]));
	return cpuid ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(cpuid);
	return 0;
}

static void intel(void)
{
	leaf(0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
	leaf(1, 0, 0x906ea, 0x05100800, 0x01000020, 0x0f8bfbff);
	leaf(4, 0, 0xfc004121, 0, 0, 0); /* L1 data */
	leaf(4, 3, 0xfc1fc163, 0, 0, 0); /* L3 */
	leaf(4, 4, 0, 0, 0, 0);
	leaf(7, 0, 0, 0x4, 0x40000000, 0);
	leaf(0xb, 0, 1, 2, 0x100, 5);
	leaf(0xb, 1, 4, 16, 0x201, 5);
	leaf(0x12, 0, 1, 1, 1, 1);
	leaf(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	leaf(0x80000001, 0, 0, 0, 0x21, 0x2c100800);
	leaf(0x80000008, 0, 0x3027, 0, 0, 0);
}

static void amd(void)
{
	leaf(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
	leaf(1, 0, 0xa20f10, 0x0c180800, 0, 0x078bfbff);
	leaf(0x80000001, 0, 0, 0, 0x4, 0);
	leaf(0x80000008, 0, 0x00303030, 0, 0x400f, 0);
	leaf(0x8000000a, 0, 1, 8, 0, 0);
	leaf(0x8000001d, 0, 0xfffc121, 0, 0, 0); /* L1 */
	leaf(0x8000001d, 3, 0xfffc163, 0, 0, 0); /* L3 */
	leaf(0x8000001e, 0, 9, 0x103, 0x700, 0);
}

static void adjust(uint32_t index, uint32_t count, bool tsc_deadline)
{
	const struct cpuid_policy policy = {index, count, tsc_deadline};

	assert_int_equal(cpuid_adjust(cpuid, ROOM, &policy), 0);
}

static void the_apic_id_and_count_are_those_of_this_machine(void **state)
{
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	intel();
	adjust(2, 3, true);
	e = cpuid_find(cpuid, 1, 0);
	assert_int_equal(e->ebx >> 24, 2);
	assert_int_equal(e->ebx >> 16 & 0xff, 4); /* ids, rounded up */
	assert_int_equal(e->ebx & 0xffff, 0x0800);
	assert_true(e->edx & 1u << 28);
}

static void one_vcpu_is_not_many(void **state)
{
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	intel();
	adjust(0, 1, true);
	e = cpuid_find(cpuid, 1, 0);
	assert_int_equal(e->ebx >> 16, 1);
	assert_false(e->edx & 1u << 28);
	assert_int_equal(cpuid_find(cpuid, 0xb, 1)->ebx, 1);
	assert_int_equal(cpuid_find(cpuid, 0xb, 1)->eax, 0);
}

static void the_guest_knows_that_it_is_one(void **state)
{
	(void)state;
	intel();
	adjust(0, 1, false);
	assert_true(cpuid_find(cpuid, 1, 0)->ecx & 1u << 31);
	assert_int_equal(cpuid_find(cpuid, 0x40000000, 0)->ebx, 0x4b4d564b);
}

static void the_deadline_timer_is_shown_if_kvm_has_it(void **state)
{
	(void)state;
	intel();
	adjust(0, 1, false);
	assert_false(cpuid_find(cpuid, 1, 0)->ecx & 1u << 24);
	adjust(0, 1, true);
	assert_true(cpuid_find(cpuid, 1, 0)->ecx & 1u << 24);
}

static void nested_virtualization_and_sgx_are_hidden(void **state)
{
	(void)state;
	intel();
	adjust(0, 1, true);
	assert_false(cpuid_find(cpuid, 1, 0)->ecx & 1u << 5);
	assert_false(cpuid_find(cpuid, 7, 0)->ebx & 1u << 2);
	assert_false(cpuid_find(cpuid, 7, 0)->ecx & 1u << 30);
	assert_null(cpuid_find(cpuid, 0x12, 0));
	cpuid->nent = 0;
	amd();
	adjust(0, 1, true);
	assert_false(cpuid_find(cpuid, 0x80000001, 0)->ecx & 1u << 2);
	assert_null(cpuid_find(cpuid, 0x8000000a, 0));
}

static void topology_leaf_replaces_the_hosts(void **state)
{
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	intel();
	adjust(5, 6, true);
	e = cpuid_find(cpuid, 0xb, 0);
	assert_int_equal(e->eax, 0);
	assert_int_equal(e->ebx, 1);
	assert_int_equal(e->ecx, 0x100);
	assert_int_equal(e->edx, 5);
	e = cpuid_find(cpuid, 0xb, 1);
	assert_int_equal(e->eax, 3);
	assert_int_equal(e->ebx, 6);
	assert_int_equal(e->ecx, 0x201);
	assert_int_equal(e->edx, 5);
	assert_null(cpuid_find(cpuid, 0x1f, 0));
}

static void no_topology_leaf_where_the_processor_has_none(void **state)
{
	(void)state;
	intel();
	cpuid->entries[0].eax = 0xa;
	adjust(0, 2, true);
	assert_null(cpuid_find(cpuid, 0xb, 0));
}

static void caches_are_shared_as_in_one_socket(void **state)
{
	(void)state;
	intel();
	adjust(0, 4, true);
	assert_int_equal(cpuid_find(cpuid, 4, 0)->eax >> 14 & 0xfff, 0);
	assert_int_equal(cpuid_find(cpuid, 4, 0)->eax >> 26, 3);
	assert_int_equal(cpuid_find(cpuid, 4, 3)->eax >> 14 & 0xfff, 3);
	assert_int_equal(cpuid_find(cpuid, 4, 3)->eax & 0x3fff, 0xfc1fc163 & 0x3fff);
	assert_int_equal(cpuid_find(cpuid, 4, 4)->eax, 0);
	cpuid->nent = 0;
	amd();
	adjust(0, 4, true);
	assert_int_equal(cpuid_find(cpuid, 0x8000001d, 0)->eax >> 14, 0);
	assert_int_equal(cpuid_find(cpuid, 0x8000001d, 3)->eax >> 14, 3);
}

static void amd_topology_is_that_of_this_machine(void **state)
{
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	amd();
	adjust(1, 2, true);
	assert_int_equal(cpuid_find(cpuid, 0x80000008, 0)->ecx, 0x1001);
	assert_true(cpuid_find(cpuid, 0x80000001, 0)->ecx & 2);
	e = cpuid_find(cpuid, 0x8000001e, 0);
	assert_int_equal(e->eax, 1);
	assert_int_equal(e->ebx, 1);
	assert_int_equal(e->ecx, 0);
}

static void intel_keeps_what_amd_has_elsewhere(void **state)
{
	(void)state;
	intel();
	adjust(1, 2, true);
	assert_int_equal(cpuid_find(cpuid, 0x80000008, 0)->ecx, 0);
	assert_int_equal(cpuid_find(cpuid, 0x80000001, 0)->ecx, 0x21);
}

static void physical_address_bits_are_the_smaller_of_two(void **state)
{
	(void)state;
	assert_int_equal(cpuid_phys_bits(cpuid), 36);
	intel();
	assert_int_equal(cpuid_phys_bits(cpuid), 0x27);
	cpuid->nent = 0;
	leaf(0x80000008, 0, 0x002f3034, 0, 0, 0);
	assert_int_equal(cpuid_phys_bits(cpuid), 0x2f);
}

static void too_little_room_is_an_error(void **state)
{
	const struct cpuid_policy policy = {0, 1, true};

	(void)state;
	intel();
	cpuid->nent = 1; /* the vendor and the highest leaf only */
	assert_int_equal(cpuid_adjust(cpuid, 2, &policy), VMM_E_LIMIT);
}

static void the_largest_machine_fits(void **state)
{
	(void)state;
	intel();
	adjust(254, 255, true);
	assert_int_equal(cpuid_find(cpuid, 1, 0)->ebx >> 24, 254);
	assert_int_equal(cpuid_find(cpuid, 0xb, 1)->eax, 8);
	assert_int_equal(cpuid_find(cpuid, 0xb, 1)->ebx, 255);
}

/* Linux shows the same in its list of flags. */
static void vt_x_and_amd_v_are_seen_as_the_kernel_sees_them(void **state)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool found = false;
	char line[8192];

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "flags", 5) && (strstr(line, " vmx ") || strstr(line, " svm ")))
			found = true;
	fclose(file);
	assert_int_equal(vm_hardware(), found);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_apic_id_and_count_are_those_of_this_machine),
		T(one_vcpu_is_not_many),
		T(the_guest_knows_that_it_is_one),
		T(the_deadline_timer_is_shown_if_kvm_has_it),
		T(nested_virtualization_and_sgx_are_hidden),
		T(topology_leaf_replaces_the_hosts),
		T(no_topology_leaf_where_the_processor_has_none),
		T(caches_are_shared_as_in_one_socket),
		T(amd_topology_is_that_of_this_machine),
		T(intel_keeps_what_amd_has_elsewhere),
		T(physical_address_bits_are_the_smaller_of_two),
		T(too_little_room_is_an_error),
		T(the_largest_machine_fits),
		T(vt_x_and_amd_v_are_seen_as_the_kernel_sees_them),
	};

	return cmocka_run_group_tests_name("kvm-cpuid", tests, NULL, NULL);
}
