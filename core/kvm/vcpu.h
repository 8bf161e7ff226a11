/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU: one KVM vCPU and the thread that runs it. Accesses of the guest go to the I/O map from
 * that thread. What ends a vCPU is reported and left to the machine layer; nothing here stops the
 * process.
 *
 * Life: create -> (set_state, first vCPU only) -> start -> [pause -> wait_paused -> resume]* ->
 * stop -> join -> destroy. pause and stop only ask; wait_paused and join wait. Ask all vCPUs first,
 * then wait for each.
 */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/types.h>

#include "io/io.h"
#include "kvm/vcpu_state.h"
#include "kvm/vm.h"

struct vcpu;

/** Why a vCPU does not go on. */
enum vcpu_end {
	VCPU_END_TRIPLE_FAULT,   /* the guest crashed hard enough to reset a real machine */
	VCPU_END_POWER_OFF,      /* the guest asked KVM for it */
	VCPU_END_RESET,          /* likewise */
	VCPU_END_CRASH,          /* the guest reported its own crash to KVM */
	VCPU_END_INTERNAL_ERROR, /* KVM could not emulate an instruction, or such */
	VCPU_END_FAIL_ENTRY,     /* the hardware refused the vCPU's state */
	VCPU_END_UNKNOWN_EXIT,   /* an exit that this program does not know */
	VCPU_END_RUN_FAILED,     /* KVM_RUN returned an error */
};

struct vcpu_options {
	uint32_t index; /* 0 to count - 1: APIC id, and reader of the I/O map; 0 is the boot CPU */
	uint32_t count;
	/**
	 * The vCPU does not go on; text says why, for one log line, and is valid for the call. On
	 * the vCPU's thread, at most once; the thread then waits for stop.
	 */
	void (*ended)(void *ctx, uint32_t index, enum vcpu_end end, const char *text);
	/** First thing on the vCPU's thread; NULL is allowed. */
	void (*thread_started)(void *ctx, const struct vcpu *vcpu);
	void *ctx;
};

/** An exit of a vCPU: why it left the guest. */
struct vcpu_exit {
	const char *name; /* "io", "mmio", ...; NULL: no name is known */
	uint32_t reason;  /* KVM_EXIT_... */
	bool is_access;   /* io or mmio: the rest is valid */
	bool is_write;
	uint32_t bytes;
	uint64_t address; /* a port, or a GPA */
};

/** Makes a vCPU in the state after power-on; all but number 0 wait for a start-up IPI. [config] */
int vcpu_create(struct vm *vm, struct io_map *io, const struct vcpu_options *options,
	struct vmm_error *error, struct vcpu **ret_vcpu);

/** Loads the registers of a boot protocol. Before start, or paused. [config] */
int vcpu_set_state(struct vcpu *vcpu, const struct vcpu_state *state, struct vmm_error *error);

/** Starts the thread ("vcpu0"), which runs the guest at once. [config] */
int vcpu_start(struct vcpu *vcpu, struct vmm_error *error);

/** Asks the vCPU to pause; an access under way is finished. [any] */
void vcpu_pause(struct vcpu *vcpu);

/** Waits until a vCPU that was asked to pause does not run. [any] but the vCPU itself */
void vcpu_wait_paused(struct vcpu *vcpu);

/** Lets it run again. [any] */
void vcpu_resume(struct vcpu *vcpu);

/** Asks the thread to end; an access under way is finished. Also from ended(). [any] */
void vcpu_stop(struct vcpu *vcpu);

/** Waits for the end of the thread; nothing if it was not started. [config] */
void vcpu_join(struct vcpu *vcpu);

/** Stops, joins and frees; NULL is allowed. [config] */
void vcpu_destroy(struct vcpu *vcpu);

/** The exit that the vCPU handles, or handled last. Async-signal-safe, on its thread. */
struct vcpu_exit vcpu_last_exit(const struct vcpu *vcpu);

/** Writes how often the vCPU left the guest, by reason: one line. [any] */
void vcpu_print_exits(const struct vcpu *vcpu, FILE *file);

#endif
