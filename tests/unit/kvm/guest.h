/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for tests with /dev/kvm: 16 MiB of RAM, one or two vCPUs in flat 32-bit mode, a port
 * that ends the test and one that reports a step. The guest is a few instructions of the test's
 * own.
 */
#ifndef GUEST_H
#define GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"
#include "kvm/irq.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "memory/memory.h"

#define GUEST_GDT   UINT64_C(0x4000)
#define GUEST_IDT   UINT64_C(0x5000)
#define GUEST_CODE  UINT64_C(0x10000)
#define GUEST_STACK UINT64_C(0x20000)
#define GUEST_DATA  UINT64_C(0x30000)
#define GUEST_RAM   UINT64_C(0x1000000)

#define GUEST_PORT_EXIT 0xf4 /* a write of any width ends the test with that value */
#define GUEST_PORT_STEP 0xf8 /* a write reports a step; goes on */

struct guest {
	struct memory *memory;
	struct vm *vm;
	struct io_map *io;
	struct vcpu *vcpus[2];
	uint32_t count;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	bool exited;
	uint64_t exit_value;
	uint32_t steps;
	uint64_t step_value; /* of the last one */
	bool ended;
	enum vcpu_end end;
	uint32_t end_index;
	char text[512];
};

/* A program: instructions of 32-bit mode between two labels; see GUEST_PROGRAM. */
struct guest_program {
	const uint8_t *start;
	const uint8_t *end;
};

/* Defines guest_program NAME with the given assembly text; it has to be position independent. */
#define GUEST_PROGRAM(name, assembly)                                                              \
	extern const uint8_t name##_start[], name##_end[];                                         \
	__asm__(".pushsection .rodata\n" #name "_start:\n.code32\n" assembly "\n.code64\n" #name   \
		"_end:\n.popsection\n");                                                           \
	static const struct guest_program name = {name##_start, name##_end}

/* How a program ends. */
#define GUEST_EXIT(value) "mov $" #value ", %eax\n out %eax, $0xf4\n 1: cli\n hlt\n jmp 1b\n"

/** Makes the machine; fails the test if that fails. */
void guest_init(struct guest *guest, uint32_t vcpus);

/** Stops the vCPUs and takes everything down. */
void guest_fini(struct guest *guest);

/** Puts a program at GUEST_CODE and the first vCPU there. */
void guest_load(struct guest *guest, struct guest_program program);

/** Points a vector of the IDT at an address. */
void guest_set_gate(struct guest *guest, uint32_t vector, uint64_t address);

/** Starts all vCPUs. */
void guest_start(struct guest *guest);

/** Waits for the exit port and returns what was written. */
uint64_t guest_wait_exit(struct guest *guest);

/** Whether the exit port was written. */
bool guest_exited(struct guest *guest);

/** Waits until the step port was written `steps` times in all. */
void guest_wait_steps(struct guest *guest, uint32_t steps);

/** Waits until a vCPU ended by itself. */
void guest_wait_end(struct guest *guest);

uint32_t guest_read32(struct guest *guest, uint64_t address);
void guest_write32(struct guest *guest, uint64_t address, uint32_t value);

/** Adds a region; fails the test if that fails. */
struct io_region *guest_region(struct guest *guest, const char *name, uint32_t space, uint64_t base,
	uint64_t bytes, uint32_t width_max, struct io_ops ops, void *ctx);

/** Whether there is a usable /dev/kvm; says so on stderr if not. */
bool guest_possible(void);

#endif
