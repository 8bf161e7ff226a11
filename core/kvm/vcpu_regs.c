/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a vCPU: what each has after power-on, and the state that a boot protocol asks for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <vmm/support.h>

#include "kvm/cpuid.h"
#include "kvm/vcpu_internal.h"

#define MSR_IA32_MISC_ENABLE     0x1a0u
#define MISC_ENABLE_FAST_STRINGS UINT64_C(0x1)
#define MSR_MTRR_DEF_TYPE        0x2ffu
#define MTRR_ENABLE              UINT64_C(0x800)
#define MTRR_WRITE_BACK          UINT64_C(0x6)

#define FPU_CONTROL 0x37fu
#define MXCSR       0x1f80u

/* Local APIC registers and delivery modes (Intel SDM 3A, 10.5.1) */
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_NMI       0x400u
#define APIC_EXTINT    0x700u

/* KVM wants the bits of `access` one by one. */
static struct kvm_segment segment_to_kvm(const struct vcpu_segment *s)
{
	return (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->access & 0xf,
		.s = s->access >> 4 & 1,
		.dpl = s->access >> 5 & 3,
		.present = s->access >> 7 & 1,
		.avl = s->access >> 12 & 1,
		.l = s->access >> 13 & 1,
		.db = s->access >> 14 & 1,
		.g = s->access >> 15 & 1,
		.unusable = s->access == 0,
	};
}

static int set_cpuid(struct vcpu *vcpu, struct vmm_error *error)
{
	const struct kvm_cpuid2 *host = vcpu->vm->cpuid;
	const struct cpuid_policy policy = {
		.index = vcpu->options.index,
		.count = vcpu->options.count,
		.tsc_deadline = vcpu->vm->caps.tsc_deadline,
	};
	uint32_t capacity = host->nent + 2;
	size_t bytes = sizeof(*host) + capacity * sizeof(host->entries[0]);
	struct kvm_cpuid2 *cpuid = calloc(1, bytes);
	int ret;

	if (!cpuid) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	memcpy(cpuid, host, sizeof(*host) + host->nent * sizeof(host->entries[0]));
	ret = cpuid_adjust(cpuid, capacity, &policy);
	if (ret)
		vmm_set_error(error, "too many CPUID leaves");
	else if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
		ret = vm_os_error(errno, "KVM_SET_CPUID2", error);
	free(cpuid);
	return ret;
}

static int set_msrs(struct vcpu *vcpu, struct vmm_error *error)
{
	/* The struct ends in an array without a length, so its room has to be made by hand. */
	_Alignas(struct kvm_msrs)
		uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *msrs = (void *)room;

	/* Of MISC_ENABLE some bits are the host's: change only the one that is meant. */
	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_IA32_MISC_ENABLE;
	if (ioctl(vcpu->fd, KVM_GET_MSRS, msrs) != 1)
		return vm_os_error(EIO, "KVM_GET_MSRS", error);
	msrs->nmsrs = 2;
	msrs->entries[0].data |= MISC_ENABLE_FAST_STRINGS;
	/* All memory is write-back, as a firmware would have left it. */
	msrs->entries[1].index = MSR_MTRR_DEF_TYPE;
	msrs->entries[1].data = MTRR_ENABLE | MTRR_WRITE_BACK;
	if (ioctl(vcpu->fd, KVM_SET_MSRS, msrs) != 2)
		return vm_os_error(EIO, "KVM_SET_MSRS", error);
	return 0;
}

static int set_fpu(struct vcpu *vcpu, struct vmm_error *error)
{
	struct kvm_fpu fpu = {.fcw = FPU_CONTROL, .mxcsr = MXCSR};

	if (ioctl(vcpu->fd, KVM_SET_FPU, &fpu))
		return vm_os_error(errno, "KVM_SET_FPU", error);
	return 0;
}

static void lapic_set(struct kvm_lapic_state *lapic, uint32_t offset, uint32_t value)
{
	memcpy(lapic->regs + offset, &value, sizeof(value));
}

/* Virtual wire mode (MP specification 1.4, 3.6.2.2): LINT0 is the PIC, LINT1 is NMI. */
static int set_lapic(struct vcpu *vcpu, struct vmm_error *error)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic))
		return vm_os_error(errno, "KVM_GET_LAPIC", error);
	lapic_set(&lapic, APIC_LVT_LINT0, APIC_EXTINT);
	lapic_set(&lapic, APIC_LVT_LINT1, APIC_NMI);
	if (ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic))
		return vm_os_error(errno, "KVM_SET_LAPIC", error);
	return 0;
}

int vcpu_init_registers(struct vcpu *vcpu, struct vmm_error *error)
{
	int ret = set_cpuid(vcpu, error);

	if (!ret)
		ret = set_msrs(vcpu, error);
	if (!ret)
		ret = set_fpu(vcpu, error);
	if (!ret)
		ret = set_lapic(vcpu, error);
	return ret;
}

int vcpu_set_state(struct vcpu *vcpu, const struct vcpu_state *state, struct vmm_error *error)
{
	struct kvm_regs regs = {
		.rax = state->rax,
		.rbx = state->rbx,
		.rcx = state->rcx,
		.rdx = state->rdx,
		.rsi = state->rsi,
		.rdi = state->rdi,
		.rsp = state->rsp,
		.rbp = state->rbp,
		.rip = state->rip,
		.rflags = state->rflags | VCPU_RFLAGS_1,
	};
	struct kvm_sregs sregs;

	/* Read first: the APIC base and the pending interrupts stay KVM's. */
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return vm_os_error(errno, "KVM_GET_SREGS", error);
	sregs.cs = segment_to_kvm(&state->cs);
	sregs.ds = segment_to_kvm(&state->ds);
	sregs.es = segment_to_kvm(&state->es);
	sregs.fs = segment_to_kvm(&state->fs);
	sregs.gs = segment_to_kvm(&state->gs);
	sregs.ss = segment_to_kvm(&state->ss);
	sregs.tr = segment_to_kvm(&state->tr);
	sregs.ldt = segment_to_kvm(&state->ldt);
	sregs.gdt = (struct kvm_dtable){.base = state->gdt.base, .limit = state->gdt.limit};
	sregs.idt = (struct kvm_dtable){.base = state->idt.base, .limit = state->idt.limit};
	sregs.cr0 = state->cr0;
	sregs.cr3 = state->cr3;
	sregs.cr4 = state->cr4;
	sregs.efer = state->efer;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		return vm_os_error(errno, "KVM_SET_SREGS", error);
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return vm_os_error(errno, "KVM_SET_REGS", error);
	return 0;
}
