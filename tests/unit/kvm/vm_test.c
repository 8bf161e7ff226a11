/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening KVM and making a VM, on a KVM that is not there: what is set up, and what each thing that
 * can be wrong with the host is told as (H22 of the catalogue of failing hosts).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_kvm.h"
#include "kvm/vm.h"

static struct memory *memory;
static char text[512];
static struct vmm_error error = {sizeof(error), text, sizeof(text)};

static int setup(void **state)
{
	struct memory_extent extents[2];
	struct memory_options options = {.extents = extents};

	(void)state;
	fake_kvm_reset();
	text[0] = 0;
	options.extent_count = (uint32_t)memory_layout_pc(MEMORY_LOW_END + MEMORY_PAGE_1G, extents);
	return memory_create(&options, &error, &memory);
}

static int teardown(void **state)
{
	(void)state;
	memory_destroy(memory);
	return 0;
}

static int create(const char *path, uint32_t vcpus, struct vm **ret_vm)
{
	const struct vm_options options = {.path = path, .vcpus = vcpus};

	return vm_create(&options, memory, &error, ret_vm);
}

static void refused(const char *path, uint32_t vcpus, int expected, const char *say)
{
	struct vm *vm = NULL;

	assert_int_equal(create(path, vcpus, &vm), expected);
	assert_null(vm);
	if (!strstr(text, say))
		fail_msg("\"%s\" does not say \"%s\"", text, say);
}

static void a_vm_has_its_memory_chips_and_fixed_pages(void **state)
{
	struct vm *vm;

	(void)state;
	assert_int_equal(create(FAKE_KVM_PATH, 2, &vm), 0);
	assert_int_equal(fake_kvm.slot_count, 2);
	assert_int_equal(fake_kvm.slots[0].guest_phys_addr, 0);
	assert_int_equal(fake_kvm.slots[0].memory_size, MEMORY_LOW_END);
	assert_int_equal(fake_kvm.slots[1].slot, 1);
	assert_int_equal(fake_kvm.slots[1].guest_phys_addr, MEMORY_HIGH_BASE);
	assert_int_equal(fake_kvm.slots[1].memory_size, MEMORY_PAGE_1G);
	assert_int_equal(fake_kvm.tss, 0xfffbd000);
	assert_int_equal(fake_kvm.identity_map, 0xfffbc000);
	assert_true(fake_kvm.irqchip && fake_kvm.pit);
	assert_int_equal(vm_phys_bits(vm), 40);
	vm_destroy(vm);
}

static void H22_no_device_says_which_module(void **state)
{
	(void)state;
	refused("/nowhere/kvm", 1, VMM_E_NOT_FOUND, "modprobe kvm_intel");
	assert_non_null(strstr(text, "/nowhere/kvm"));
}

static void H22_no_permission_says_which_group(void **state)
{
	char path[] = "/tmp/vmm-kvm-XXXXXX";
	int fd = mkstemp(path);
	int status;
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0), 0);
	close(fd);
	pid = fork();
	if (pid == 0) {
		struct vm *vm;

		if (geteuid() == 0 && setuid(65534))
			_exit(2);
		_exit(create(path, 1, &vm) == VMM_E_PERM && strstr(text, "usermod -aG kvm") ? 0
											    : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void H22_another_api_version_is_refused(void **state)
{
	(void)state;
	fake_kvm.api_version = 11;
	refused(FAKE_KVM_PATH, 1, VMM_E_UNSUPPORTED, "API version 11, expected 12");
}

static void H22_what_is_not_kvm_is_refused(void **state)
{
	(void)state;
	fake_kvm.fails = KVM_GET_API_VERSION;
	fake_kvm.fail_errno = ENOTTY;
	refused(FAKE_KVM_PATH, 1, VMM_E_UNSUPPORTED, "not a KVM device");
}

static void H22_each_missing_required_capability_is_named(void **state)
{
	static const struct {
		int number;
		const char *name;
	} caps[] = {
		{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP "},
		{KVM_CAP_IRQFD, "KVM_CAP_IRQFD "},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD "},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT "},
		{KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING "},
		{KVM_CAP_PIT2, "KVM_CAP_PIT2 "},
		{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR "},
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		fake_kvm.missing_cap = caps[i].number;
		refused(FAKE_KVM_PATH, 1, VMM_E_UNSUPPORTED, caps[i].name);
	}
}

static void optional_capabilities_may_be_missing(void **state)
{
	static const int caps[] = {KVM_CAP_TSC_DEADLINE_TIMER, KVM_CAP_IRQFD_RESAMPLE,
		KVM_CAP_IOEVENTFD_ANY_LENGTH, KVM_CAP_KVMCLOCK_CTRL};

	(void)state;
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		struct vm *vm;

		fake_kvm.missing_cap = caps[i];
		assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
		vm_destroy(vm);
	}
}

static void H22_kvm_in_use_by_another_hypervisor_says_so(void **state)
{
	(void)state;
	fake_kvm.fails = KVM_CREATE_VM;
	fake_kvm.fail_errno = EBUSY;
	refused(FAKE_KVM_PATH, 1, VMM_E_BUSY, "another hypervisor");
}

static void interrupted_creation_is_tried_again(void **state)
{
	struct vm *vm;

	(void)state;
	fake_kvm.fails = KVM_CREATE_VM;
	fake_kvm.fail_errno = EINTR;
	fake_kvm.fail_times = 3;
	assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
	vm_destroy(vm);
}

static void each_failing_step_names_itself_and_leaves_no_fd(void **state)
{
	static const struct {
		unsigned long request;
		const char *name;
	} steps[] = {
		{KVM_CREATE_VM, "KVM_CREATE_VM: "},
		{KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR: "},
		{KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR: "},
		{KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP: "},
		{KVM_CREATE_PIT2, "KVM_CREATE_PIT2: "},
		{KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION: "},
		{KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID: "},
		{KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE: "},
	};
	int before, after;

	(void)state;
	before = dup(0);
	close(before);
	fake_kvm.fail_errno = ENOMEM;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake_kvm.fails = steps[i].request;
		refused(FAKE_KVM_PATH, 1, VMM_E_NOMEM, steps[i].name);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void h18_ticks_that_were_missed_are_not_made_up_for(void **state)
{
	struct vm *vm;

	(void)state;
	assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
	assert_true(fake_kvm.pit_catches_up);
	fake_kvm.fails = KVM_REINJECT_CONTROL;
	fake_kvm.fail_errno = ENOMEM;
	fake_kvm.fail_times = 1;
	assert_int_equal(vm_drop_missed_ticks(vm, &error), VMM_E_NOMEM);
	assert_non_null(strstr(text, "KVM_REINJECT_CONTROL: "));
	assert_int_equal(vm_drop_missed_ticks(vm, &error), 0);
	assert_false(fake_kvm.pit_catches_up);
	vm_destroy(vm);
}

static void impossible_numbers_of_vcpus_are_refused(void **state)
{
	(void)state;
	refused(FAKE_KVM_PATH, 0, VMM_E_LIMIT, "0 vCPUs: 1 to 255");
	refused(FAKE_KVM_PATH, 256, VMM_E_LIMIT, "256 vCPUs: 1 to 255");
	fake_kvm.max_vcpus = 8;
	refused(FAKE_KVM_PATH, 9, VMM_E_LIMIT, "9 vCPUs: 1 to 8");
}

static void ram_beyond_the_processors_addresses_is_refused(void **state)
{
	(void)state;
	fake_kvm.phys_bits = 32;
	refused(FAKE_KVM_PATH, 1, VMM_E_LIMIT, "32 address bits");
}

static void what_kvm_answers_for_itself_is_reserved(void **state)
{
	static const struct {
		uint32_t space;
		uint64_t address;
	} taken[] = {
		{VMM_IO_PIO, 0x21},
		{VMM_IO_PIO, 0xa0},
		{VMM_IO_PIO, 0x4d1},
		{VMM_IO_PIO, 0x43},
		{VMM_IO_PIO, 0x61},
		{VMM_IO_MMIO, 0x1000},
		{VMM_IO_MMIO, MEMORY_HIGH_BASE},
		{VMM_IO_MMIO, 0xfec00000},
		{VMM_IO_MMIO, 0xfeefffff},
		{VMM_IO_MMIO, 0xfffbc000},
		{VMM_IO_MMIO, 0xfffbffff},
	};
	struct io_map *map;
	struct vm *vm;

	(void)state;
	assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
	assert_int_equal(io_map_create(1, &map), 0);
	assert_int_equal(vm_reserve(vm, map, &error), 0);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		const struct io_region_config config = {
			.name = "x",
			.space = taken[i].space,
			.base = taken[i].address,
			.bytes = 1,
			.width_max = 1,
			.enabled = true,
		};
		struct io_region *region;

		assert_int_equal(io_region_add(map, &config, &error, &region), VMM_E_EXISTS);
	}
	io_map_destroy(map);
	vm_destroy(vm);
}

static void doorbells_reach_kvm_as_they_were_asked_for(void **state)
{
	struct io_wire wire = {.space = VMM_IO_PIO,
		.address = 0x600,
		.width = 2,
		.match = true,
		.value = 7,
		.fd = 99};
	struct vm *vm;

	(void)state;
	assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
	assert_int_equal(vm_io_backend()->assign(vm, &wire), 0);
	vm_io_backend()->unassign(vm, &wire);
	assert_int_equal(fake_kvm.ioeventfd_count, 2);
	assert_int_equal(fake_kvm.ioeventfds[0].addr, 0x600);
	assert_int_equal(fake_kvm.ioeventfds[0].len, 2);
	assert_int_equal(fake_kvm.ioeventfds[0].fd, 99);
	assert_int_equal(fake_kvm.ioeventfds[0].datamatch, 7);
	assert_int_equal(fake_kvm.ioeventfds[0].flags,
		KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH);
	assert_int_equal(fake_kvm.ioeventfds[1].flags, KVM_IOEVENTFD_FLAG_PIO |
							       KVM_IOEVENTFD_FLAG_DATAMATCH |
							       KVM_IOEVENTFD_FLAG_DEASSIGN);
	fake_kvm.fails = KVM_IOEVENTFD;
	fake_kvm.fail_errno = ENOSPC;
	assert_true(vm_io_backend()->assign(vm, &wire) < 0);
	vm_destroy(vm);
}

static void doorbells_of_any_width_need_the_capability(void **state)
{
	struct io_wire wire = {.space = VMM_IO_MMIO, .address = 0xd0000000, .fd = 99};
	struct vm *vm;

	(void)state;
	fake_kvm.missing_cap = KVM_CAP_IOEVENTFD_ANY_LENGTH;
	assert_int_equal(create(FAKE_KVM_PATH, 1, &vm), 0);
	assert_true(vm_io_backend()->assign(vm, &wire) < 0);
	assert_int_equal(fake_kvm.ioeventfd_count, 0);
	vm_destroy(vm);
}

static void the_table_of_capabilities_is_printed_even_if_one_is_missing(void **state)
{
	char *out = NULL;
	size_t bytes;
	FILE *file = open_memstream(&out, &bytes);

	(void)state;
	fake_kvm.missing_cap = KVM_CAP_IRQFD;
	assert_int_equal(vm_print_capabilities(FAKE_KVM_PATH, file, &error), VMM_E_UNSUPPORTED);
	fclose(file);
	assert_non_null(strstr(out, "KVM_CAP_IRQFD                    required 0"));
	assert_non_null(strstr(out, "KVM_CAP_TSC_DEADLINE_TIMER       optional 1"));
	free(out);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_vm_has_its_memory_chips_and_fixed_pages),
		T(H22_no_device_says_which_module),
		T(H22_no_permission_says_which_group),
		T(H22_another_api_version_is_refused),
		T(H22_what_is_not_kvm_is_refused),
		T(H22_each_missing_required_capability_is_named),
		T(optional_capabilities_may_be_missing),
		T(H22_kvm_in_use_by_another_hypervisor_says_so),
		T(interrupted_creation_is_tried_again),
		T(each_failing_step_names_itself_and_leaves_no_fd),
		T(h18_ticks_that_were_missed_are_not_made_up_for),
		T(impossible_numbers_of_vcpus_are_refused),
		T(ram_beyond_the_processors_addresses_is_refused),
		T(what_kvm_answers_for_itself_is_reserved),
		T(doorbells_reach_kvm_as_they_were_asked_for),
		T(doorbells_of_any_width_need_the_capability),
		T(the_table_of_capabilities_is_printed_even_if_one_is_missing),
	};

	return cmocka_run_group_tests_name("kvm-vm", tests, NULL, NULL);
}
