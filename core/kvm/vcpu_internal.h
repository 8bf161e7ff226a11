/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vcpu.c, vcpu_regs.c and exit.c share. Nobody else includes this.
 */
#ifndef KVM_VCPU_INTERNAL_H
#define KVM_VCPU_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kvm/vcpu.h"
#include "kvm/vm_internal.h"

/* Reasons of KVM_EXIT_... that are counted each; higher ones share the last counter. */
#define VCPU_EXIT_REASONS 40u

enum vcpu_counter {
	VCPU_COUNT_EINTR = VCPU_EXIT_REASONS,
	VCPU_COUNT_EAGAIN,
	VCPU_COUNTERS,
};

struct vcpu {
	struct vm *vm;
	struct io_map *io;
	struct vcpu_options options;
	int fd;
	struct kvm_run *run;                      /* shared with the kernel */
	_Atomic uint64_t counters[VCPU_COUNTERS]; /* written by the thread only */

	pthread_mutex_t lock; /* guards the rest; a leaf */
	pthread_cond_t changed;
	pthread_t thread;
	bool started; /* thread is valid, and was not joined */
	bool parked;  /* the thread waits, or is at its end */
	bool pause;   /* asked for */
	bool stop;    /* asked for */
};

/** One more of a counter; only on the vCPU's thread. */
static inline void vcpu_count(struct vcpu *vcpu, uint32_t counter)
{
	uint64_t count = atomic_load_explicit(&vcpu->counters[counter], memory_order_relaxed);

	atomic_store_explicit(&vcpu->counters[counter], count + 1, memory_order_relaxed);
}

/** Registers that every vCPU starts with, whatever boots: CPUID, MSRs, FPU, local APIC. */
int vcpu_init_registers(struct vcpu *vcpu, struct vmm_error *error);

/**
 * Handles the exit that KVM_RUN returned with. Returns true to go on, or false with *ret_end and a
 * text of at most text_bytes bytes.
 */
bool exit_handle(struct vcpu *vcpu, enum vcpu_end *ret_end, char *text, size_t text_bytes);

/** Name of a KVM_EXIT_... reason, or NULL. */
const char *exit_name(uint32_t reason);

#endif
