/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device types and the life of a device instance.
 *
 * A plugin offers device types; the config file makes instances of them. The core calls the phases
 * of an instance in this order, on the main thread unless the text says otherwise:
 *
 *   validate   pure; looks at values only                                      may fail
 *   create     makes the object; opens what the config names                    may fail
 *   bind       asks other devices for their interfaces (query_ref)              may fail
 *   realize    adds regions, interrupts, functions on a bus, queues, tables     may fail
 *   start      last step before loops and vCPUs run                             may fail
 *   quiesce    [loop] vCPUs are stopped: finish and flush work in flight        may be pending
 *   unrealize  undo realize
 *   destroy    undo create; no callback of this instance is running or comes any more
 *
 * Devices are created after the devices they refer to, and taken down in reverse order. A phase
 * that fails is not undone by a call of its own: whatever was reached is undone by unrealize (if
 * realize was called, also when it failed) and destroy (if create succeeded).
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <vmm/option.h>
#include <vmm/types.h>

struct vmm_hello;

/*
 * Threads on which the core calls an instance's callbacks (regions, watches, timers, posts):
 *   LOOP      always the device's loop thread; a vCPU that accesses a region waits for it
 *   SERIAL    any thread, one at a time: the core holds a lock of the instance around each callback
 *   PARALLEL  any thread, several at once; [loop] callbacks still come on the loop thread only
 */
#define VMM_THREADS_LOOP     1000u
#define VMM_THREADS_SERIAL   2000u
#define VMM_THREADS_PARALLEL 3000u

/** What validate() gets. Valid for the call. */
struct vmm_validate_args {
	uint64_t struct_size;
	const char *device_id;                 /* the `id` in the config file */
	const struct vmm_value *const *values; /* one for each option of the type, in its order */
	uint64_t value_count;
	struct vmm_error *error;
};
VMM_ASSERT_SIZE(vmm_validate_args, 40);
VMM_ASSERT_OFFSET(vmm_validate_args, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_validate_args, device_id, 8);
VMM_ASSERT_OFFSET(vmm_validate_args, values, 16);
VMM_ASSERT_OFFSET(vmm_validate_args, value_count, 24);
VMM_ASSERT_OFFSET(vmm_validate_args, error, 32);

/** What create() gets. hello, host, device_id and values are valid until destroy. */
struct vmm_create_args {
	uint64_t struct_size;
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *device_id;
	const struct vmm_value *const *values; /* one for each option of the type, in its order */
	uint64_t value_count;
	struct vmm_error *error;
	uint32_t compat_level; /* guest-visible defaults: 10 for machine type pc-1.0 */
	uint32_t reserved;     /* 0 */
};
VMM_ASSERT_SIZE(vmm_create_args, 64);
VMM_ASSERT_OFFSET(vmm_create_args, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_create_args, hello, 8);
VMM_ASSERT_OFFSET(vmm_create_args, host, 16);
VMM_ASSERT_OFFSET(vmm_create_args, device_id, 24);
VMM_ASSERT_OFFSET(vmm_create_args, values, 32);
VMM_ASSERT_OFFSET(vmm_create_args, value_count, 40);
VMM_ASSERT_OFFSET(vmm_create_args, error, 48);
VMM_ASSERT_OFFSET(vmm_create_args, compat_level, 56);
VMM_ASSERT_OFFSET(vmm_create_args, reserved, 60);

/** Callbacks of a device type: a table. Slots marked optional may be NULL. */
struct vmm_device_ops {
	uint64_t size;

	/** Checks values against each other. Pure: no files, no threads. Optional. [config] */
	int32_t (*validate)(const struct vmm_validate_args *args);

	/** Makes an instance. *ret_ctx is the first argument of all that follow. [config] */
	int32_t (*create)(const struct vmm_create_args *args, void **ret_ctx);

	/** Gets the interfaces of the devices that the options refer to. Optional. [config] */
	int32_t (*bind)(void *ctx, struct vmm_error *error);

	/**
	 * Gives another device an interface of this instance that the type `provides`. *ret_table
	 * and *ret_object are valid until destroy; the object is the first argument of the table's
	 * functions. VMM_E_UNSUPPORTED: an id that the type does not provide. Required if it
	 * provides anything. [config], after create.
	 */
	int32_t (*get_interface)(
		void *ctx, const char *id, const void **ret_table, void **ret_object);

	/** Adds what the guest will see. Optional. [config] */
	int32_t (*realize)(void *ctx, struct vmm_error *error);

	/** Last step before the vCPUs run, after every device is realized. Optional. [config] */
	int32_t (*start)(void *ctx, struct vmm_error *error);

	/**
	 * Takes no new work and finishes and flushes what is in flight. Returns 0 when that is
	 * done, or VMM_PENDING and calls vmm.machine's quiesced() later. Optional. [loop]
	 */
	int32_t (*quiesce)(void *ctx);

	/** Undoes realize, whole or half done. Optional. [config] */
	void (*unrealize)(void *ctx);

	/** Frees the instance. [config] */
	void (*destroy)(void *ctx);
};
VMM_ASSERT_SIZE(vmm_device_ops, 80);
VMM_ASSERT_OFFSET(vmm_device_ops, size, 0);
VMM_ASSERT_OFFSET(vmm_device_ops, validate, 8);
VMM_ASSERT_OFFSET(vmm_device_ops, create, 16);
VMM_ASSERT_OFFSET(vmm_device_ops, bind, 24);
VMM_ASSERT_OFFSET(vmm_device_ops, get_interface, 32);
VMM_ASSERT_OFFSET(vmm_device_ops, realize, 40);
VMM_ASSERT_OFFSET(vmm_device_ops, start, 48);
VMM_ASSERT_OFFSET(vmm_device_ops, quiesce, 56);
VMM_ASSERT_OFFSET(vmm_device_ops, unrealize, 64);
VMM_ASSERT_OFFSET(vmm_device_ops, destroy, 72);

/**
 * What a device may need of the host besides I/O on fds that it has opened in create, memory,
 * timers and eventfds. Everything else is taken away before the guest runs; see docs/abi.md.
 */
#define VMM_NEED_NETWORK  0x1u /* internet sockets, the host's network, its name servers */
#define VMM_NEED_TAP      0x2u /* offloads and queues of a tap, vhost-net */
#define VMM_NEED_DISK     0x4u /* discard and write zeroes of block devices */
#define VMM_NEED_IO_URING 0x8u /* io_uring with rings that exist; restrict what they take */

/** A device type: a table, static and constant. */
struct vmm_device_type {
	uint64_t size;
	const char *name;      /* `type` in the config file: lower case, digits, '-' */
	const char *summary;   /* one line for people */
	uint32_t thread_model; /* VMM_THREADS_... */
	uint32_t flags;        /* 0 */
	const struct vmm_option *const *options;
	uint64_t option_count;
	const char *const *provides; /* ids of interfaces: "vmm.pci.bus/1" */
	uint64_t provides_count;
	const struct vmm_device_ops *ops;
	uint64_t needs; /* VMM_NEED_... that an instance may have; see vmm.machine needs [0.2] */
};
VMM_ASSERT_SIZE(vmm_device_type, 80);
VMM_ASSERT_OFFSET(vmm_device_type, size, 0);
VMM_ASSERT_OFFSET(vmm_device_type, name, 8);
VMM_ASSERT_OFFSET(vmm_device_type, summary, 16);
VMM_ASSERT_OFFSET(vmm_device_type, thread_model, 24);
VMM_ASSERT_OFFSET(vmm_device_type, flags, 28);
VMM_ASSERT_OFFSET(vmm_device_type, options, 32);
VMM_ASSERT_OFFSET(vmm_device_type, option_count, 40);
VMM_ASSERT_OFFSET(vmm_device_type, provides, 48);
VMM_ASSERT_OFFSET(vmm_device_type, provides_count, 56);
VMM_ASSERT_OFFSET(vmm_device_type, ops, 64);
VMM_ASSERT_OFFSET(vmm_device_type, needs, 72);

#endif
