/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine as its guest sees it: RAM, doorbells, and accesses that its processor makes. Between
 * kvm.c, which is the processor, and the testkit's functions that the guest calls.
 */
#ifndef TESTS_FAULT_GUEST_H
#define TESTS_FAULT_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct fake_host;
struct kvm_ioeventfd;

struct guest_access {
	uint32_t space; /* VMM_IO_... */
	uint32_t width;
	uint64_t address;
	uint64_t value;
	bool is_write;
};

struct guest_machine {
	bool started;
};

/** Never fails; machines are never freed: their guests may still wait. */
struct guest_machine *guest_machine_create(void);
struct fake_host *guest_machine_host(struct guest_machine *machine);

void guest_machine_add_ram(struct guest_machine *machine, uint64_t gpa, uint64_t bytes, void *base);
void guest_machine_set_doorbell(
	struct guest_machine *machine, const struct kvm_ioeventfd *doorbell);

/* The processor: the access under way or NULL; hands its answer to the guest; waits for one. */
struct guest_access *guest_machine_current(struct guest_machine *machine);
void guest_machine_answer(struct guest_machine *machine);
struct guest_access *guest_machine_wait(struct guest_machine *machine, uint32_t ms);

/** Runs a part of a guest. False: a driver gave up, *ret_text says why. */
bool guest_try(void (*part)(void *ctx), void *ctx, char *ret_text, uint32_t bytes);

#endif
