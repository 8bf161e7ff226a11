/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vCPU does when it leaves the guest. Port and memory-mapped I/O go to the I/O map without a
 * lock or an allocation; everything else ends the vCPU with a reason and one line of text.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/vcpu_internal.h"

/* Newer than the headers of Linux 5.10 to build with; the layout is that of api.rst. */
#ifndef KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES
#define KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES (1ULL << 0)
#endif
#ifndef KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON
#define KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON 4
#endif

struct emulation_failure {
	uint32_t suberror;
	uint32_t ndata;
	uint64_t flags;
	uint8_t insn_size;
	uint8_t insn_bytes[15];
};

static const char *const names[VCPU_EXIT_REASONS] = {
	[KVM_EXIT_UNKNOWN] = "unknown",
	[KVM_EXIT_EXCEPTION] = "exception",
	[KVM_EXIT_IO] = "io",
	[KVM_EXIT_HYPERCALL] = "hypercall",
	[KVM_EXIT_DEBUG] = "debug",
	[KVM_EXIT_HLT] = "hlt",
	[KVM_EXIT_MMIO] = "mmio",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq-window-open",
	[KVM_EXIT_SHUTDOWN] = "shutdown",
	[KVM_EXIT_FAIL_ENTRY] = "fail-entry",
	[KVM_EXIT_INTR] = "intr",
	[KVM_EXIT_SET_TPR] = "set-tpr",
	[KVM_EXIT_TPR_ACCESS] = "tpr-access",
	[KVM_EXIT_NMI] = "nmi",
	[KVM_EXIT_INTERNAL_ERROR] = "internal-error",
	[KVM_EXIT_SYSTEM_EVENT] = "system-event",
	[KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
	[KVM_EXIT_HYPERV] = "hyperv",
};

const char *exit_name(uint32_t reason)
{
	return reason < VCPU_EXIT_REASONS ? names[reason] : NULL;
}

/*
 * String instructions deliver up to a page of items in one exit (row S8): each is an access of its
 * own to the same port.
 */
static bool handle_io(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const uint32_t size = run->io.size;
	const uint32_t count = run->io.count;
	const uint64_t offset = run->io.data_offset;
	uint8_t *data = (uint8_t *)vcpu->run + offset;

	if (size == 0 || size > 4 || offset > vcpu->vm->run_bytes ||
		(uint64_t)size * count > vcpu->vm->run_bytes - offset)
		return false;
	for (uint32_t i = 0; i < count; i++, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			io_write(vcpu->io, vcpu->options.index, VMM_IO_PIO, run->io.port, data,
				size);
		else
			io_read(vcpu->io, vcpu->options.index, VMM_IO_PIO, run->io.port, data,
				size);
	}
	return true;
}

static bool handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.len > sizeof(run->mmio.data))
		return false;
	if (run->mmio.is_write)
		io_write(vcpu->io, vcpu->options.index, VMM_IO_MMIO, run->mmio.phys_addr,
			run->mmio.data, run->mmio.len);
	else
		io_read(vcpu->io, vcpu->options.index, VMM_IO_MMIO, run->mmio.phys_addr,
			run->mmio.data, run->mmio.len);
	return true;
}

static uint64_t instruction_pointer(const struct vcpu *vcpu)
{
	struct kvm_regs regs;

	return ioctl(vcpu->fd, KVM_GET_REGS, &regs) ? 0 : regs.rip;
}

static const char *suberror_name(uint32_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "an instruction could not be emulated";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "an exception came while another was delivered";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "an exit came while an event was delivered";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "unexpected exit of the processor";
	default:
		return "unknown suberror";
	}
}

static void append(char *text, size_t text_bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *text, size_t text_bytes, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, text_bytes - used, format, args);
	va_end(args);
}

static void internal_error(const struct vcpu *vcpu, char *text, size_t text_bytes)
{
	const struct kvm_run *run = vcpu->run;
	uint32_t ndata = run->internal.ndata;
	struct emulation_failure failure;

	snprintf(text, text_bytes,
		"KVM internal error: %s (suberror %" PRIu32 ") at rip 0x%" PRIx64,
		suberror_name(run->internal.suberror), run->internal.suberror,
		instruction_pointer(vcpu));
	memcpy(&failure, &run->internal, sizeof(failure));
	if (failure.suberror == KVM_INTERNAL_ERROR_EMULATION && ndata >= 3 &&
		failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
		append(text, text_bytes, ", instruction bytes (%u)", failure.insn_size);
		for (uint32_t i = 0; i < failure.insn_size && i < 15; i++)
			append(text, text_bytes, " %02x", failure.insn_bytes[i]);
		return;
	}
	append(text, text_bytes, ", data (%" PRIu32 ")", ndata);
	for (uint32_t i = 0; i < ndata && i < 16; i++)
		append(text, text_bytes, " 0x%" PRIx64, (uint64_t)run->internal.data[i]);
}

static enum vcpu_end system_event(const struct kvm_run *run, char *text, size_t text_bytes)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		snprintf(text, text_bytes, "the guest asked for power-off");
		return VCPU_END_POWER_OFF;
	case KVM_SYSTEM_EVENT_RESET:
		snprintf(text, text_bytes, "the guest asked for a reset");
		return VCPU_END_RESET;
	case KVM_SYSTEM_EVENT_CRASH:
		snprintf(text, text_bytes, "the guest reported a crash");
		return VCPU_END_CRASH;
	default:
		snprintf(text, text_bytes, "unknown KVM system event %" PRIu32,
			run->system_event.type);
		return VCPU_END_UNKNOWN_EXIT;
	}
}

/* Everything that the guest does not come back from. Not a part of the way of all exits. */
static __attribute__((noinline)) enum vcpu_end describe_end(
	const struct vcpu *vcpu, char *text, size_t text_bytes)
{
	const struct kvm_run *run = vcpu->run;
	const char *name = exit_name(run->exit_reason);

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		/* No rip: AMD resets the vCPU before it tells. */
		snprintf(text, text_bytes, "triple fault");
		return VCPU_END_TRIPLE_FAULT;
	case KVM_EXIT_SYSTEM_EVENT:
		return system_event(run, text, text_bytes);
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error(vcpu, text, text_bytes);
		return VCPU_END_INTERNAL_ERROR;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(text, text_bytes,
			"the processor refused to enter the guest: hardware reason 0x%" PRIx64,
			(uint64_t)run->fail_entry.hardware_entry_failure_reason);
		return VCPU_END_FAIL_ENTRY;
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
		snprintf(text, text_bytes, "KVM reported an access that cannot be (%s)", name);
		return VCPU_END_UNKNOWN_EXIT;
	default:
		snprintf(text, text_bytes, "unexpected KVM exit %" PRIu32 " (%s) at rip 0x%" PRIx64,
			run->exit_reason, name ? name : "unknown", instruction_pointer(vcpu));
		return VCPU_END_UNKNOWN_EXIT;
	}
}

bool exit_handle(struct vcpu *vcpu, enum vcpu_end *ret_end, char *text, size_t text_bytes)
{
	uint32_t reason = vcpu->run->exit_reason;
	bool go_on;

	vcpu_count(vcpu, reason < VCPU_EXIT_REASONS ? reason : VCPU_EXIT_REASONS - 1);
	switch (reason) {
	case KVM_EXIT_IO:
		go_on = handle_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		go_on = handle_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		go_on = true;
		break;
	default:
		go_on = false;
	}
	if (!go_on)
		*ret_end = describe_end(vcpu, text, text_bytes);
	return go_on;
}

struct vcpu_exit vcpu_last_exit(const struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct vcpu_exit last = {.name = exit_name(run->exit_reason), .reason = run->exit_reason};

	if (run->exit_reason == KVM_EXIT_IO) {
		last.is_access = true;
		last.is_write = run->io.direction == KVM_EXIT_IO_OUT;
		last.bytes = run->io.size;
		last.address = run->io.port;
	} else if (run->exit_reason == KVM_EXIT_MMIO) {
		last.is_access = true;
		last.is_write = run->mmio.is_write;
		last.bytes = run->mmio.len;
		last.address = run->mmio.phys_addr;
	}
	return last;
}
