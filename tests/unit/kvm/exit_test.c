/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each exit of a vCPU becomes, on a run page that the test fills: also those that a test guest
 * cannot be made to cause, and sizes that KVM promises not to give (S8, V1 to V4 of the catalogue).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_kvm.h"
#include "kvm/vcpu_internal.h"

#define RUN_BYTES (3 * 4096u)

static struct vm vm;
static struct vcpu vcpu;
static uint32_t writes;
static uint64_t last;
static enum vcpu_end end;
static char text[512];

static int32_t on_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	*ret_value = UINT64_C(0x1122334455667788);
	return 0;
}

static int32_t on_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	writes++;
	last = value;
	return 0;
}

static int setup(void **state)
{
	struct io_region_config config = {
		.name = "x",
		.space = VMM_IO_PIO,
		.base = 0x100,
		.bytes = 4,
		.width_max = 4,
		.enabled = true,
		.ops = {on_read, on_write},
	};
	struct io_region *region;

	(void)state;
	fake_kvm_reset();
	fake_kvm.rip = 0xabc;
	writes = 0;
	text[0] = 0;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	vm.run_bytes = RUN_BYTES;
	vcpu.vm = &vm;
	vcpu.run = calloc(1, RUN_BYTES);
	if (!vcpu.run || io_map_create(1, &vcpu.io))
		return -1;
	if (io_region_add(vcpu.io, &config, NULL, &region))
		return -1;
	config.space = VMM_IO_MMIO;
	config.base = 0xd0000000;
	config.bytes = 8;
	config.width_max = 8;
	return io_region_add(vcpu.io, &config, NULL, &region);
}

static int teardown(void **state)
{
	(void)state;
	io_map_destroy(vcpu.io);
	free(vcpu.run);
	return 0;
}

static bool handle(uint32_t reason)
{
	vcpu.run->exit_reason = reason;
	return exit_handle(&vcpu, &end, text, sizeof(text));
}

static void ends(uint32_t reason, enum vcpu_end expected, const char *say)
{
	assert_false(handle(reason));
	assert_int_equal(end, expected);
	if (!strstr(text, say))
		fail_msg("\"%s\" does not say \"%s\"", text, say);
}

static void set_io(uint8_t direction, uint8_t size, uint32_t count, uint64_t offset)
{
	vcpu.run->io.direction = direction;
	vcpu.run->io.size = size;
	vcpu.run->io.port = 0x100;
	vcpu.run->io.count = count;
	vcpu.run->io.data_offset = offset;
}

static void S8_items_up_to_the_end_of_the_run_page_are_taken(void **state)
{
	(void)state;
	set_io(KVM_EXIT_IO_OUT, 4, 1024, RUN_BYTES - 4096);
	assert_true(handle(KVM_EXIT_IO));
	assert_int_equal(writes, 1024);
	set_io(KVM_EXIT_IO_IN, 2, 2048, RUN_BYTES - 4096);
	assert_true(handle(KVM_EXIT_IO));
	for (uint32_t i = RUN_BYTES - 4096; i < RUN_BYTES; i += 2)
		assert_memory_equal((uint8_t *)vcpu.run + i, "\x88\x77", 2);
}

static void S8_items_beyond_the_run_page_end_the_vcpu(void **state)
{
	(void)state;
	set_io(KVM_EXIT_IO_OUT, 4, 1025, RUN_BYTES - 4096);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	set_io(KVM_EXIT_IO_OUT, 4, UINT32_MAX, 4096);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	/* 2^32 + 4 bytes */
	set_io(KVM_EXIT_IO_OUT, 4, 0x40000001, 4096);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	set_io(KVM_EXIT_IO_OUT, 1, 1, RUN_BYTES);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	set_io(KVM_EXIT_IO_OUT, 1, 1, UINT64_MAX);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	set_io(KVM_EXIT_IO_OUT, 0, 1, 4096);
	ends(KVM_EXIT_IO, VCPU_END_UNKNOWN_EXIT, "(io)");
	assert_int_equal(writes, 0);
}

static void mmio_is_read_and_written(void **state)
{
	(void)state;
	vcpu.run->mmio.phys_addr = 0xd0000000;
	vcpu.run->mmio.len = 8;
	assert_true(handle(KVM_EXIT_MMIO));
	assert_memory_equal(vcpu.run->mmio.data, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	vcpu.run->mmio.is_write = 1;
	assert_true(handle(KVM_EXIT_MMIO));
	assert_int_equal(last, UINT64_C(0x1122334455667788));
}

static void mmio_longer_than_its_buffer_ends_the_vcpu(void **state)
{
	(void)state;
	vcpu.run->mmio.phys_addr = 0xd0000000;
	vcpu.run->mmio.len = 9;
	ends(KVM_EXIT_MMIO, VCPU_END_UNKNOWN_EXIT, "(mmio)");
}

static void V1_shutdown_is_a_triple_fault(void **state)
{
	(void)state;
	ends(KVM_EXIT_SHUTDOWN, VCPU_END_TRIPLE_FAULT, "triple fault");
}

static void V3_internal_error_tells_all_that_kvm_told(void **state)
{
	(void)state;
	vcpu.run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	vcpu.run->internal.ndata = 2;
	vcpu.run->internal.data[0] = 0x11;
	vcpu.run->internal.data[1] = 0x22;
	ends(KVM_EXIT_INTERNAL_ERROR, VCPU_END_INTERNAL_ERROR,
		"(suberror 3) at rip 0xabc, data (2) 0x11 0x22");
	/* a count that cannot be does not run away */
	vcpu.run->internal.ndata = UINT32_MAX;
	ends(KVM_EXIT_INTERNAL_ERROR, VCPU_END_INTERNAL_ERROR, "data (4294967295)");
}

static void V3_emulation_failure_shows_the_instruction(void **state)
{
	static const struct {
		uint32_t suberror, ndata;
		uint64_t flags;
		uint8_t size;
		uint8_t bytes[15];
	} failure = {KVM_INTERNAL_ERROR_EMULATION, 4, 1, 3, {0x0f, 0xae, 0x38}};

	(void)state;
	memcpy(&vcpu.run->internal, &failure, sizeof(failure));
	ends(KVM_EXIT_INTERNAL_ERROR, VCPU_END_INTERNAL_ERROR,
		"an instruction could not be emulated (suberror 1) at rip 0xabc, instruction "
		"bytes (3) 0f ae 38");
}

static void V4_refused_entry_and_unknown_exits_tell_their_number(void **state)
{
	(void)state;
	vcpu.run->fail_entry.hardware_entry_failure_reason = 0x80000021;
	ends(KVM_EXIT_FAIL_ENTRY, VCPU_END_FAIL_ENTRY, "0x80000021");
	ends(12345, VCPU_END_UNKNOWN_EXIT, "exit 12345 (unknown) at rip 0xabc");
	ends(KVM_EXIT_HLT, VCPU_END_UNKNOWN_EXIT, "(hlt)");
}

static void system_events_are_told_apart(void **state)
{
	(void)state;
	vcpu.run->system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
	ends(KVM_EXIT_SYSTEM_EVENT, VCPU_END_POWER_OFF, "power-off");
	vcpu.run->system_event.type = KVM_SYSTEM_EVENT_RESET;
	ends(KVM_EXIT_SYSTEM_EVENT, VCPU_END_RESET, "reset");
	vcpu.run->system_event.type = KVM_SYSTEM_EVENT_CRASH;
	ends(KVM_EXIT_SYSTEM_EVENT, VCPU_END_CRASH, "crash");
	vcpu.run->system_event.type = 99;
	ends(KVM_EXIT_SYSTEM_EVENT, VCPU_END_UNKNOWN_EXIT, "event 99");
}

static void exits_are_counted_by_reason(void **state)
{
	char *out = NULL;
	size_t bytes;
	FILE *file = open_memstream(&out, &bytes);

	(void)state;
	set_io(KVM_EXIT_IO_OUT, 1, 1, 4096);
	handle(KVM_EXIT_IO);
	handle(KVM_EXIT_IO);
	handle(KVM_EXIT_INTR);
	handle(12345);
	vcpu_print_exits(&vcpu, file);
	fclose(file);
	assert_string_equal(out, "vcpu0 exits: io 2 intr 1 reason-39 1\n");
	free(out);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void the_last_exit_is_described_for_a_crash_report(void **state)
{
	struct vcpu_exit info;

	(void)state;
	vcpu.run->exit_reason = KVM_EXIT_IO;
	vcpu.run->io.direction = KVM_EXIT_IO_OUT;
	vcpu.run->io.size = 2;
	vcpu.run->io.port = 0x102;
	info = vcpu_last_exit(&vcpu);
	assert_true(info.is_access && info.is_write);
	assert_string_equal(info.name, "io");
	assert_int_equal(info.bytes, 2);
	assert_int_equal(info.address, 0x102);
	vcpu.run->exit_reason = KVM_EXIT_MMIO;
	vcpu.run->mmio.is_write = 0;
	vcpu.run->mmio.len = 8;
	vcpu.run->mmio.phys_addr = 0xd0000008;
	info = vcpu_last_exit(&vcpu);
	assert_true(info.is_access && !info.is_write);
	assert_string_equal(info.name, "mmio");
	assert_int_equal(info.bytes, 8);
	assert_int_equal(info.address, 0xd0000008);
	vcpu.run->exit_reason = 12345;
	info = vcpu_last_exit(&vcpu);
	assert_false(info.is_access);
	assert_null(info.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S8_items_up_to_the_end_of_the_run_page_are_taken),
		T(S8_items_beyond_the_run_page_end_the_vcpu),
		T(mmio_is_read_and_written),
		T(mmio_longer_than_its_buffer_ends_the_vcpu),
		T(V1_shutdown_is_a_triple_fault),
		T(V3_internal_error_tells_all_that_kvm_told),
		T(V3_emulation_failure_shows_the_instruction),
		T(V4_refused_entry_and_unknown_exits_tell_their_number),
		T(system_events_are_told_apart),
		T(exits_are_counted_by_reason),
		T(the_last_exit_is_described_for_a_crash_report),
	};

	return cmocka_run_group_tests_name("kvm-exit", tests, NULL, NULL);
}
