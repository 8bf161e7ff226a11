/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers that a vCPU starts with, in a form that needs no kernel header: a boot protocol
 * (core/boot) fills it, core/kvm loads it. Values that no protocol sets (FPU, MSRs, local APIC)
 * are not here; they are the same for every protocol and belong to core/kvm.
 */
#ifndef KVM_VCPU_STATE_H
#define KVM_VCPU_STATE_H

#include <stdint.h>
#include <string.h>

/*
 * Access rights of a segment, laid out as in VMX (Intel SDM 3C, 25.4.1): bits 0-3 type, 4 code or
 * data (S), 5-6 DPL, 7 present, 12 AVL, 13 64-bit code (L), 14 D/B, 15 granularity. 0 is an
 * unusable segment.
 */
#define VCPU_SEG_CODE64 0xa09bu
#define VCPU_SEG_CODE32 0xc09bu
#define VCPU_SEG_CODE16 0x009bu
#define VCPU_SEG_DATA32 0xc093u
#define VCPU_SEG_DATA16 0x0093u
#define VCPU_SEG_TSS    0x008bu /* busy TSS: what VMX wants TR to be */
#define VCPU_SEG_LDT    0x0082u

#define VCPU_CR0_PE   UINT64_C(0x1)
#define VCPU_CR0_ET   UINT64_C(0x10)
#define VCPU_CR0_PG   UINT64_C(0x80000000)
#define VCPU_CR4_PAE  UINT64_C(0x20)
#define VCPU_EFER_LME UINT64_C(0x100)
#define VCPU_EFER_LMA UINT64_C(0x400)
#define VCPU_RFLAGS_1 UINT64_C(0x2) /* always set */

struct vcpu_segment {
	uint64_t base;
	uint32_t limit; /* last valid byte, not scaled by the granularity bit */
	uint16_t selector;
	uint16_t access; /* VCPU_SEG_... */
};

struct vcpu_table {
	uint64_t base;
	uint16_t limit;
};

struct vcpu_state {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, efer;
	struct vcpu_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct vcpu_table gdt, idt;
};

/** Zeroes *state and fills it with flat segments: code at selector code, data at selector data. */
static inline void vcpu_state_flat(
	struct vcpu_state *state, uint16_t code, uint16_t data, uint16_t code_access)
{
	const struct vcpu_segment d = {
		.limit = UINT32_MAX, .selector = data, .access = VCPU_SEG_DATA32};

	memset(state, 0, sizeof(*state));
	state->cs = (struct vcpu_segment){
		.limit = UINT32_MAX, .selector = code, .access = (uint16_t)code_access};
	state->ds = state->es = state->fs = state->gs = state->ss = d;
	state->tr = (struct vcpu_segment){.limit = 0x67, .access = VCPU_SEG_TSS};
	state->ldt = (struct vcpu_segment){.limit = 0xffff, .access = VCPU_SEG_LDT};
	state->rflags = VCPU_RFLAGS_1;
	state->cr0 = VCPU_CR0_PE | VCPU_CR0_ET;
}

/** 32-bit protected mode without paging: PVH and Multiboot. */
static inline void vcpu_state_protected32(struct vcpu_state *state, uint16_t code, uint16_t data)
{
	vcpu_state_flat(state, code, data, VCPU_SEG_CODE32);
}

/** 64-bit mode with the page tables at cr3: the Linux 64-bit boot protocol. */
static inline void vcpu_state_long64(
	struct vcpu_state *state, uint16_t code, uint16_t data, uint64_t cr3)
{
	vcpu_state_flat(state, code, data, VCPU_SEG_CODE64);
	state->cr0 |= VCPU_CR0_PG;
	state->cr3 = cr3;
	state->cr4 = VCPU_CR4_PAE;
	state->efer = VCPU_EFER_LME | VCPU_EFER_LMA;
}

#endif
