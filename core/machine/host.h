/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device instance as the core sees it. A plugin knows it as its opaque `vmm_host` handle, the
 * first argument of every host service. What a service hands out (a region, a timer, ...) is a
 * struct host_object on the instance's list: so that it can be checked, named and taken back.
 *
 * Files: device.c runs the phases, call.c the thread models, object.c the handles, host_*.c one
 * host service each.
 */
#ifndef MACHINE_HOST_H
#define MACHINE_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <vmm/device.h>
#include <vmm/entry.h>
#include <vmm/types.h>

#include "loop/loop.h"

struct config_device;
struct log_source;
struct machine;

/** The phases in the order in which an instance goes through them; see vmm/device.h. */
enum host_phase {
	HOST_NEW = 0,
	HOST_CREATE = 10,
	HOST_BIND = 20,
	HOST_REALIZE = 30,
	HOST_START = 40,
	HOST_UNREALIZE = 50,
	HOST_DESTROY = 60,
};

/** What a handle stands for. The values make a stray pointer unlikely to pass for one. */
enum host_object_kind {
	HOST_REGION = 0x52474e31,
	HOST_DOORBELL = 0x444f4f52,
	HOST_LINE = 0x4c494e45,
	HOST_MSI = 0x4d534931,
	HOST_WATCH = 0x57415443,
	HOST_TIMER = 0x54494d45,
	HOST_STREAM = 0x5354524d,
	HOST_CALL = 0x43414c4c, /* not a handle: a post or work on its way */
};

struct host_object {
	enum host_object_kind kind;
	struct vmm_host *host;
	struct host_object *next;
	struct host_object *previous;
	void (*release)(struct host_object *object); /* takes back what the device left */
};

struct vmm_host {
	struct machine *machine;
	const struct config_device *config;
	const char *id;
	const struct vmm_device_type *type; /* the registry's checked copy, ops too */
	void *ctx;
	struct loop *loop;
	struct log_source *log;
	enum host_phase phase;
	pthread_mutex_t serial_lock;  /* held around each callback of a SERIAL device */
	pthread_mutex_t objects_lock; /* guards objects; innermost */
	struct host_object *objects;
	void (*event_cb)(void *ctx, uint32_t events);
	void *event_ctx;
	uint32_t event_mask;
	uint64_t needs; /* VMM_NEED_... */
	struct loop_post power_button_post;
	struct loop_post quiesce_post; /* ending must not need memory */
	atomic_bool quiesce_pending;   /* machine_quiesced() is to come */
};

/** Puts a new object on the host's list. [any] */
void host_object_add(struct vmm_host *host, struct host_object *object, enum host_object_kind kind,
	void (*release)(struct host_object *object));

/** Takes an object off the list; the caller frees it. [any] */
void host_object_remove(struct host_object *object);

/**
 * The object behind a handle, or NULL if it is not one of this kind. With VMM_ABI_CHECK=1 the
 * handle is looked up in the lists of all devices before it is touched. [any]
 */
void *host_object_get(
	struct vmm_host *host, uint64_t handle, enum host_object_kind kind, const char *what);

/** Releases everything that is left but calls; says so when VMM_ABI_CHECK=1. [config] */
void host_objects_release(struct vmm_host *host);

/** Frees calls that will not come any more: their loops have dropped them. [config] */
void host_calls_free(struct vmm_host *host);

/** Around each callback of the instance: takes the lock of a SERIAL device. */
void host_enter(struct vmm_host *host);
void host_leave(struct vmm_host *host);

/** True while no other thread of the machine runs. [any] */
bool host_in_config(const struct vmm_host *host);

/** Logs that the plugin broke a rule of the ABI and returns VMM_E_PHASE. [any] */
int32_t host_misuse(struct vmm_host *host, const char *function, const char *rule);

/** True with VMM_ABI_CHECK=1 in the environment. */
bool host_checks_on(void);

/** True on the thread of the loop, and in [config] phases. */
bool host_on_loop(const struct vmm_host *host, const struct loop *loop);

/** Leaves the function with VMM_E_PHASE unless it is a [config] phase. */
#define HOST_NEEDS_CONFIG(host, function)                                                          \
	do {                                                                                       \
		if (!host_in_config(host))                                                         \
			return host_misuse(                                                        \
				host, function, "may be called in [config] phases only");          \
	} while (0)

/**
 * The rules of request structs (docs/abi.md): copies *req into a zeroed *copy, from its first
 * release's size min_bytes up to copy_bytes. VMM_E_INVAL: too short. VMM_E_TOO_NEW: a tail that is
 * not zero.
 */
int32_t host_copy_request(const void *req, uint64_t min_bytes, void *copy, uint64_t copy_bytes);

/* The table of each service, in host_<service>.c. */
extern const struct vmm_acpi host_acpi_table;
extern const struct vmm_file host_file_table;
extern const struct vmm_io host_io_table;
extern const struct vmm_irq host_irq_table;
extern const struct vmm_log host_log_table;
extern const struct vmm_loop host_loop_table;
extern const struct vmm_borrow host_borrow_table;
extern const struct vmm_worker host_worker_table;
extern const struct vmm_machine host_machine_table;
extern const struct vmm_memory host_memory_table;
extern const struct vmm_stream host_stream_table;

#endif
