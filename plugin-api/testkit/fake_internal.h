/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the fake host share: the host, its devices, and the one list of resources that
 * devices hold. Not for tests.
 */
#ifndef VMM_TESTKIT_FAKE_INTERNAL_H
#define VMM_TESTKIT_FAKE_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include <vmm/support.h>
#include <vmm/testkit/host.h>

/* Contexts in which plugin code runs. FREE is the test's own code: everything is allowed there. */
#define CTX_FREE   0u
#define CTX_CONFIG 1u
#define CTX_LOOP   2u
#define CTX_VCPU   4u
#define CTX_WORKER 8u
#define CTX_ANY    15u

enum fake_phase {
	PHASE_NONE,
	PHASE_CREATE, /* and so on: being in it or past it */
	PHASE_BIND,
	PHASE_REALIZE,
	PHASE_START,
	PHASE_QUIESCE,
	PHASE_UNREALIZE,
	PHASE_BARE, /* of the test: in all of them */
};

enum fake_kind {
	KIND_REGION,
	KIND_DOORBELL,
	KIND_LINE,
	KIND_VECTOR,
	KIND_WATCH,
	KIND_TIMER,
	KIND_STREAM,
	KIND_MAP,
	KIND_EVENT,
};

/** Head of everything that a device holds by a handle. */
struct fake_object {
	struct fake_object *next;
	uint64_t id;
	vmm_host *owner;
	enum fake_kind kind;
	char name[80];
};

struct fake_region {
	struct fake_object object;
	uint32_t space;
	uint32_t enabled;
	uint64_t base;
	uint64_t bytes;
	uint32_t width_max;
	const struct vmm_io_ops *ops;
	void *ctx;
};

struct fake_doorbell {
	struct fake_object object;
	struct fake_region *region;
	struct vmm_doorbell what;
	int fd;
};

struct fake_line {
	struct fake_object object;
	uint32_t gsi;
	uint32_t trigger;
	uint32_t level;
	uint32_t fd_level; /* held up by the trigger fd */
	int trigger_fd;    /* -1: line_fds was not called */
	int resample_fd;
};

struct fake_msi_vector {
	struct fake_object object;
	int fd;
	struct fake_vector state;
};

struct fake_watch {
	struct fake_object object;
	uint64_t loop;
	int fd;
	uint32_t events;
	vmm_watch_cb cb;
	void *ctx;
};

struct fake_timer {
	struct fake_object object;
	uint64_t loop;
	uint32_t clock;
	uint64_t deadline_ns;
	vmm_call_cb cb;
	void *ctx;
};

struct fake_bytes {
	uint8_t *data;
	uint64_t bytes;
};

struct fake_stream_object {
	struct fake_object object;
	struct vmm_stream_open request; /* ops is a copy, path is owned */
	struct vmm_stream_ops ops;
	char *path;
	uint64_t room;
	uint32_t short_write; /* DRAINED is due when there is room */
	uint32_t events;      /* not delivered yet */
	uint32_t stopped;     /* input_room() was 0: wait for resume() */
	struct fake_bytes in;
	struct fake_bytes out;
};

struct fake_map {
	struct fake_object object;
	uint64_t gpa;
	uint64_t bytes;
};

struct fake_event_sub {
	struct fake_object object;
	uint32_t events;
	vmm_event_cb cb;
	void *ctx;
};

struct fake_post {
	struct fake_post *next;
	vmm_host *owner; /* NULL: of the host itself */
	vmm_call_cb cb;
	void *ctx;
};

struct fake_loop {
	char name[32];
	uint64_t id;
	struct fake_host *host;
	struct fake_post *posts;
	struct fake_post **posts_tail;
	int wake_fd;
	pthread_t thread;
	int running; /* has a thread */
	pthread_mutex_t
		turn_lock; /* fake_loop_hold(): its callbacks run, or somebody borrowed it */
};

#define LOOPS_MAX 8u

/** A device instance; the `vmm_host` of the ABI. */
struct vmm_host {
	struct fake_host *host;
	vmm_host *next; /* in the order in which they were added */
	char *id;
	const struct vmm_device_type *type; /* NULL: bare */
	struct vmm_device_ops ops;
	uint32_t thread_model;
	uint64_t number; /* handle of query_ref */
	enum fake_phase phase;
	int realize_called;
	int quiesced;
	int alive; /* 0: destroyed, kept for names */
	void *ctx;
	struct fake_loop *loop;
	pthread_mutex_t serial; /* held around callbacks of SERIAL devices; before host->lock */
	struct vmm_value **values;
	uint64_t value_count;
	struct vmm_create_args args;
};

struct fake_log_line {
	struct fake_log_line *next;
	vmm_host *device;
	uint32_t level; /* 0: guest error */
	char *site;
	char *text;
};

struct fake_table {
	struct fake_table *next;
	uint8_t *data;
	uint64_t bytes;
};

struct fake_type_entry {
	struct fake_type_entry *next;
	const struct vmm_device_type *type;
};

struct fake_ram_slot {
	struct fake_ram what;
	uint8_t *base;
	uint64_t fd_offset;
};

#define RAM_MAX 16u
#define GSI_MAX 24u

struct fake_host {
	pthread_mutex_t lock; /* guards all that follows; no callback is called with it held */
	uint32_t flags;
	struct vmm_layout layout;
	struct vmm_hello hello;
	struct vmm_machine older_machine; /* what hello says is older than 0.2 */
	struct fake_type_entry *types;
	vmm_host *devices;
	vmm_host *graveyard;
	uint64_t next_number;

	struct fake_object *objects;
	uint64_t next_id;

	struct fake_log_line *problems;
	struct fake_log_line *lines;
	struct fake_log_line **lines_tail;
	uint32_t log_level;
	char error[1024];
	struct vmm_error error_arg;

	uint32_t fail_after;
	int fail_on; /* and all that follow */
	int fault_hit;

	int ram_fd;
	uint32_t ram_count;
	struct fake_ram_slot ram[RAM_MAX];
	void (*on_read)(void *ctx, uint64_t gpa);
	void *on_read_ctx;

	uint64_t line_rises[GSI_MAX];
	uint32_t line_was[GSI_MAX];
	uint32_t msi_limit;
	struct fake_msi *messages;
	uint64_t message_count;
	uint64_t message_next;

	struct fake_loop loops[LOOPS_MAX];
	uint32_t loop_count;
	int stop_threads;
	uint64_t clock_ns; /* with FAKE_CLOCK */
	uint64_t real_ns;
	uint32_t jobs; /* work that was submitted and whose done was not called */

	struct fake_table *tables;
	struct vmm_acpi_fixed fixed;
	uint32_t stop_reason;
	uint32_t stop_status;
};

/* fake_host.c */
void fake_fail(const char *format, ...) VMM_PRINTF(1, 2) __attribute__((noreturn));
void fake_problem(struct fake_host *host, const char *format, ...) VMM_PRINTF(2, 3);
void *fake_alloc(uint64_t bytes);
char *fake_strdup(const char *text);
void fake_lock(struct fake_host *host);
void fake_unlock(struct fake_host *host);
uint32_t fake_ctx_enter(uint32_t ctx, uint64_t loop); /* returns what to give to leave */
void fake_ctx_leave(uint32_t before);
uint64_t fake_ctx_loop(void);

/**
 * Entry of each host service that can fail: checks the context against `allowed` (CTX_...), and
 * injects the fault that is due. Returns 0 or what the service has to return.
 */
int32_t fake_service(vmm_host *device, const char *what, uint32_t allowed);

/** Entry of services that cannot fail. */
void fake_service_void(vmm_host *device, const char *what, uint32_t allowed);

/** Links a new object of `bytes` bytes, locked by the caller. */
void *fake_object_add(vmm_host *owner, enum fake_kind kind, uint64_t bytes, const char *format, ...)
	VMM_PRINTF(4, 5);

/** The object with that handle, or NULL and a problem that names `what`. Locked. */
void *fake_object_get(vmm_host *user, enum fake_kind kind, uint64_t id, const char *what);

/** The same without a problem. Locked. */
void *fake_object_peek(struct fake_host *host, enum fake_kind kind, uint64_t id);

/** Unlinks and frees. Locked. */
void fake_object_drop(struct fake_host *host, void *object);

/* fake_option.c */
struct vmm_value *fake_value_parse(struct fake_host *host, const struct vmm_option *option,
	const char *text, uint32_t flags, const char *device);
void fake_value_free(struct vmm_value *value);

/* fake_device.c */
int32_t fake_query(vmm_host *device, const char *id, uint64_t min_size, const void **ret_table);
void fake_device_guard(vmm_host *device, int enter);

/* Services. */
extern const struct vmm_acpi fake_acpi_service;
extern const struct vmm_borrow fake_borrow_service;
extern const struct vmm_file fake_file_service;
extern const struct vmm_io fake_io_service;
extern const struct vmm_irq fake_irq_service;
extern const struct vmm_log fake_log_service;
extern const struct vmm_loop fake_loop_service;
extern const struct vmm_machine fake_machine_service;
extern const struct vmm_memory fake_memory_service;
extern const struct vmm_stream fake_stream_service;
extern const struct vmm_worker fake_worker_service;

/* fake_memory.c */
void fake_memory_init(struct fake_host *host, const struct fake_ram *ram, uint32_t count);
void fake_memory_fini(struct fake_host *host);
int fake_is_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes);

/* fake_io.c */
void fake_doorbell_free(struct fake_host *host, struct fake_doorbell *bell);

/* fake_irq.c */
void fake_line_update(struct fake_host *host, uint32_t gsi);

/* fake_loop.c */
struct fake_loop *fake_loop_get(struct fake_host *host, const char *name);
/** Begins and ends a part of a turn. A turn inside of a turn fails the test. */
void fake_loop_hold(struct fake_loop *loop);
void fake_loop_release(struct fake_loop *loop);
struct fake_loop *fake_loop_by_id(struct fake_host *host, uint64_t id);
void fake_loop_wake(struct fake_host *host, uint64_t id);
uint64_t fake_host_clock(clockid_t clock);
void fake_loop_init(struct fake_host *host);
void fake_loop_fini(struct fake_host *host);
void fake_post(
	struct fake_host *host, struct fake_loop *loop, vmm_host *owner, vmm_call_cb cb, void *ctx);
void fake_call_on(struct fake_host *host, struct fake_loop *loop, vmm_call_cb cb, void *ctx);
void fake_posts_drop(struct fake_host *host, vmm_host *owner);

/* fake_turn.c */
void fake_loop_threads(struct fake_host *host, int run);

/* fake_stream.c */
uint32_t fake_stream_turn(struct fake_host *host, uint64_t loop);
void fake_stream_free(struct fake_host *host, struct fake_stream_object *stream);

/* fake_acpi.c, fake_log.c */
void fake_acpi_fini(struct fake_host *host);
void fake_log_fini(struct fake_host *host);

#endif
