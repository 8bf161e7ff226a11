/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: everything that a config file asks for, put together, run, and taken down again.
 *
 * machine.c builds and takes down, stop.c ends, device.c runs the phases of each device, host*.c
 * serve the plugins.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <vmm/machine.h>
#include <vmm/types.h>

#include "kvm/vcpu.h"
#include "loop/loop.h"

struct acpi;
struct config;
struct host_object;
struct memory;
struct vmm_hello;
struct vmm_host;

/** How a machine ended. */
enum machine_end {
	MACHINE_END_NONE = 0,
	MACHINE_END_POWER_OFF,
	MACHINE_END_RESET,
	MACHINE_END_EXIT, /* debug-exit */
	MACHINE_END_SIGTERM,
	MACHINE_END_SIGINT,
	MACHINE_END_ESCAPE,    /* Ctrl-a x */
	MACHINE_END_CRASH,     /* triple fault */
	MACHINE_END_INTERNAL,  /* KVM cannot go on */
	MACHINE_END_NO_HOST,   /* could not start: KVM, memory, threads */
	MACHINE_END_NO_DEVICE, /* could not start: a device, plugin or file */
	MACHINE_END_NO_KERNEL, /* could not start: kernel, initrd, modules */
};

struct machine {
	const struct config *config;
	struct memory *memory;
	struct io_map *io;
	struct vm *vm;
	struct acpi *acpi;
	struct vmm_layout layout;
	struct loop *loop;       /* the main loop */
	struct loop **iothreads; /* in the order of the config's list */
	uint32_t iothread_count;
	struct vm_clock *clock;
	struct vmm_host **hosts; /* in the order of the config's devices */
	uint32_t host_count;
	struct vcpu **vcpus;
	uint32_t vcpu_count;
	atomic_bool running;      /* threads other than main may run, and the main loop */
	atomic_int end;           /* enum machine_end; the first one stays */
	atomic_int end_status;    /* of MACHINE_END_EXIT */
	atomic_uint quiesce_left; /* devices that have not said that they are done */
	atomic_uint misuses;      /* broken rules of the ABI */
	struct loop_post stop_post;
	struct loop_timer *slow_timer; /* while devices finish what is in flight */
};

/**
 * Builds the machine, runs it until it ends, and takes it down; nothing is left behind.
 *
 * Returns how it ended; *ret_status is what the guest gave with MACHINE_END_EXIT. For the ends that
 * are a failure of ours (MACHINE_END_NO_...) *error says what failed. Main thread.
 */
enum machine_end machine_run(const struct config *config, int *ret_status, struct vmm_error *error);

/** What plugins are given when they are loaded for a machine. */
const struct vmm_hello *machine_hello(void);

/** A host service, for people and tests. */
struct machine_service {
	const char *id; /* "vmm.io/1" */
	uint64_t bytes; /* of its table */
};

/** The service number `index`; false: there are fewer. */
bool machine_service(size_t index, struct machine_service *ret_service);

/** Ends the machine, soon; only the first call counts. [any] */
void machine_stop(struct machine *machine, enum machine_end end, int status);

/** True while threads other than the main one may run. [any] */
bool machine_is_running(const struct machine *machine);

/** The instance that a VMM_OPT_REF value's number stands for, or NULL. [config] */
struct vmm_host *machine_host(struct machine *machine, uint64_t ref);

/** True if some instance owns the object according to owns(). [any] */
bool machine_find_host(struct machine *machine,
	bool (*owns)(struct vmm_host *host, const struct host_object *object),
	const struct host_object *object);

/** The loop behind a handle of vmm.loop, or NULL. [any] */
struct loop *machine_find_loop(struct machine *machine, uint64_t handle);

/** The device's quiesce that returned VMM_PENDING is done. [any] */
void machine_quiesced(struct vmm_host *host);

/** Counts a broken rule of the ABI. [any] */
void machine_count_misuse(struct machine *machine);

/** Presses the power button: tells every device that listens. [loop] of the main loop */
void machine_power_button(struct machine *machine);

/** Readies the stop path: signals, and what machine_stop() needs. [config] */
int machine_init_stop(struct machine *machine, struct vmm_error *error);

/** Gives up what the machine does not need, once all is open, and starts the log's thread. [config]
 */
int machine_enter_sandbox(struct machine *machine, struct vmm_error *error);

/** What a vCPU's thread does first; see struct vcpu_options. */
void machine_vcpu_started(void *ctx, const struct vcpu *vcpu);

/** What a vCPU calls that does not go on; see struct vcpu_options. */
void machine_vcpu_ended(void *ctx, uint32_t index, enum vcpu_end end, const char *text);

#endif
