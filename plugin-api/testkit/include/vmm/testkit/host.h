/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake host: it loads real plugin .so files as they are shipped and gives them every host service
 * of the plugin ABI without KVM, so that a test is guest, operator and operating system at once.
 * It does not parse config files and runs no guest code; the services are in memory.
 *
 * A test in short:
 *
 *	struct fake_host *host = fake_host_create(NULL);
 *	fake_plugin_load(host, FAKE_PLUGIN("serial"));
 *	vmm_host *com1;
 *	fake_device_add(host, "serial", "com1", FAKE_OPTIONS("port=0x3f8"), &com1);
 *	fake_host_start(host);
 *	fake_pio_write(host, 0x3f8, 1, 'x');
 *	fake_host_destroy(host);	(fails the test if the plugin left anything behind)
 *
 * Threads: everything runs on the thread of the test, inside fake_... calls, unless
 * FAKE_LOOP_THREADS or FAKE_WORKER_THREADS says otherwise; then the functions for guest accesses,
 * interrupts, memory and log may be called from any thread. What a plugin does wrong (a service
 * called on the wrong thread or in the wrong phase, a resource left behind) is a "problem":
 * it is collected and fails the test in fake_host_destroy().
 */
#ifndef VMM_TESTKIT_HOST_H
#define VMM_TESTKIT_HOST_H

#include <vmm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fake_host;

/**
 * Path of a plugin: one that was built along with the test, in VMM_TESTKIT_PLUGIN_DIR, and one that
 * was installed with vmm ("pci", "virtio"), in VMM_TESTKIT_VMM_DIR. vmm_add_plugin_test() of CMake
 * defines both; vmm-plugin-testkit.pc defines the second.
 */
#define FAKE_PLUGIN(name)     VMM_TESTKIT_PLUGIN_DIR "/" name ".so"
#define FAKE_VMM_PLUGIN(name) VMM_TESTKIT_VMM_DIR "/" name ".so"

/** Option strings for fake_device_add; without any, pass NULL. C only: C++ names an array. */
#define FAKE_OPTIONS(...)                                                                          \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/*
 * ---- Failures ----
 */

/** Called with the text when a test has to fail. Default: print it and abort(). See
 * cmocka.h for one that suits cmocka. */
void fake_set_fail_handler(void (*handler)(const char *text));

/** 1 and forgets it, if there is a problem whose text contains `part`; else 0. */
int fake_problem_taken(struct fake_host *host, const char *part);

/*
 * ---- The host ----
 */

struct fake_ram {
	uint64_t gpa;
	uint64_t bytes;
};

#define FAKE_LOOP_THREADS   0x1u /* each loop has its own thread while the devices are started */
#define FAKE_WORKER_THREADS 0x2u /* work runs on threads; else on the loop, never inside submit */
#define FAKE_CLOCK          0x4u /* time moves by fake_clock_advance() only */

/** How the host is to be. All zero is good: 16 MiB of RAM at 0, the pc-1.0 layout. */
struct fake_config {
	const struct fake_ram *ram; /* page-aligned, rising; neighbours are mapped apart */
	uint32_t ram_count;
	uint32_t flags; /* FAKE_... */
	const struct vmm_layout *layout;
	uint32_t msi_limit; /* vectors that can be open at a time; 0: 1024 */
	uint32_t reserved;
};

/** The layout that is used when none is given, to be changed by the test. */
void fake_layout_default(struct vmm_layout *layout);

/** Never fails: without memory the test fails. config may be NULL. */
struct fake_host *fake_host_create(const struct fake_config *config);

/** Stops and destroys the devices if that was not done, frees everything, and fails the test if
 * there are problems left: also regions, doorbells, lines, vectors, watches, timers, streams,
 * memory maps that a device left. */
void fake_host_destroy(struct fake_host *host);

/*
 * ---- Plugins and devices ----
 */

/** Loads a plugin and takes its device types in. Failure fails the test. */
void fake_plugin_load(struct fake_host *host, const char *path);

/** Takes in a device type that the test itself has. It must live as long as the host. */
void fake_type_add(struct fake_host *host, const struct vmm_device_type *type);

/** The type of that name, or NULL. */
const struct vmm_device_type *fake_type(struct fake_host *host, const char *name);

/**
 * Checks options, then calls validate and create. options are "name=value" strings as FAKE_OPTIONS
 * makes them, or NULL. Values are written as in a config file, strings without quotes; lists are
 * "(a, b)", groups "{x=1, y=2}"; inside of those strings may have double quotes. Of a ref the
 * value is the id of a device that was added before. "iothread=NAME" gives any device a loop of
 * that name instead of the main one.
 * Returns 0 or an error, with its text in fake_error(). ret_device may be NULL.
 */
int32_t fake_device_add(struct fake_host *host, const char *type, const char *id,
	const char *const *options, vmm_host **ret_device);

/** A handle for the test itself to call services and buses with; in every phase at once. */
vmm_host *fake_device_bare(struct fake_host *host, const char *id, uint32_t thread_model);

/** The device of that id. Failure fails the test. */
vmm_host *fake_device(struct fake_host *host, const char *id);

/** The object that create() of the device returned. */
void *fake_device_ctx(vmm_host *device);

/** The values that the device got, one for each option of its type. */
const struct vmm_value *const *fake_device_values(vmm_host *device);

/** What another device would get by query_ref. */
int32_t fake_interface(struct fake_host *host, const char *id, const char *interface_id,
	const void **ret_table, void **ret_object);

/** The hello that plugins get, for calls of query() as the device. */
const struct vmm_hello *fake_hello(struct fake_host *host);

/** For devices that are added from now on the host is one of an older minor version of the ABI: its
 * tables end where they did then. Once. */
void fake_host_minor(struct fake_host *host, uint32_t minor);

/* Phases: bind, realize, start of all devices, in the order in which they were added. Devices that
 * are further on already are left alone. Stops at the first error and returns it. */
int32_t fake_host_bind(struct fake_host *host);
int32_t fake_host_realize(struct fake_host *host); /* with bind */
int32_t fake_host_start(struct fake_host *host);   /* with bind and realize */

/** quiesce of all started devices, in reverse order; runs the loops until that is done. */
void fake_host_quiesce(struct fake_host *host);

/** quiesce, unrealize and destroy of all devices, in reverse order. New ones may be added then. */
void fake_host_stop(struct fake_host *host);

/** Text of the last error that a phase, fake_device_add or a service gave; never NULL. */
const char *fake_error(struct fake_host *host);

/*
 * ---- Faults ----
 */

/** The n-th call of a host service from now on (1: the next) fails with VMM_E_NOMEM and does
 * nothing. Counted are calls that can fail; 0 switches it off. */
void fake_host_fail_after(struct fake_host *host, uint32_t n);

/** The same, and all calls behind it, until fake_host_fail_after(host, 0). */
void fake_host_fail_from(struct fake_host *host, uint32_t n);

/** 1 if that has happened. */
int fake_host_fault_hit(struct fake_host *host);

/*
 * ---- Guest memory ----
 */

/** Pointer to RAM that lies in one range, or NULL. */
void *fake_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes);

/** Copies, also over the border of adjacent ranges. What is not RAM fails the test. */
void fake_ram_write(struct fake_host *host, uint64_t gpa, const void *data, uint64_t bytes);
void fake_ram_read(struct fake_host *host, uint64_t gpa, void *data, uint64_t bytes);

/** Calls cb after each read() of vmm.memory: a guest that changes memory between two looks. */
void fake_memory_on_read(struct fake_host *host, void (*cb)(void *ctx, uint64_t gpa), void *ctx);

/*
 * ---- Guest I/O ----
 * As a vCPU would do it: doorbells first, then regions, split as vmm/io.h says; nobody's bytes
 * read as ones. width is 1 to 8.
 */
uint64_t fake_pio_read(struct fake_host *host, uint64_t port, uint32_t width);
void fake_pio_write(struct fake_host *host, uint64_t port, uint32_t width, uint64_t value);
uint64_t fake_mmio_read(struct fake_host *host, uint64_t gpa, uint32_t width);
void fake_mmio_write(struct fake_host *host, uint64_t gpa, uint32_t width, uint64_t value);

/** 1 if an enabled region answers at that address. space is VMM_IO_PIO or VMM_IO_MMIO. */
int fake_io_mapped(struct fake_host *host, uint32_t space, uint64_t address);

/** Number of regions and doorbells that exist, enabled or not. */
uint32_t fake_region_count(struct fake_host *host);
uint32_t fake_doorbell_count(struct fake_host *host);

/** A region as it is now. */
struct fake_io_range {
	uint32_t space; /* VMM_IO_PIO or VMM_IO_MMIO */
	uint32_t enabled;
	uint64_t base;
	uint64_t bytes;
};

/** index counts the regions in the order in which they were added. 0: there is none. */
int fake_region(struct fake_host *host, uint32_t index, struct fake_io_range *ret_range);

/** 1 if an access to the address would ring a doorbell. */
int fake_doorbell_at(struct fake_host *host, uint32_t space, uint64_t address);

/*
 * ---- Interrupts ----
 */

/** Level of a line: 1 while somebody holds it up. */
uint32_t fake_line_level(struct fake_host *host, uint32_t gsi);

/** How often the line rose since the host was created. */
uint64_t fake_line_rises(struct fake_host *host, uint32_t gsi);

/** The guest ends the interrupt: resample fds are told, what a trigger fd held up falls. */
void fake_line_eoi(struct fake_host *host, uint32_t gsi);

/** One interrupt message that reached the guest. */
struct fake_msi {
	uint64_t address;
	uint32_t data;
	uint32_t reserved;
};

/** Takes the oldest message off; 0 if there is none. */
int fake_msi_take(struct fake_host *host, struct fake_msi *ret_msi);

/** Number of messages with that data that reached the guest, whether taken off or not. */
uint64_t fake_msi_count(struct fake_host *host, uint32_t data);

/** State of the vector with that handle, or of all with fake_vector_count. */
struct fake_vector {
	uint64_t address;
	uint32_t data;
	uint32_t masked;
	uint32_t pending;
	uint32_t updates; /* calls of msi_set */
};
uint32_t fake_vector_count(struct fake_host *host);
/** index counts the open vectors in the order in which they were opened. 0: there is none. */
int fake_vector(struct fake_host *host, uint32_t index, struct fake_vector *ret_vector);

/*
 * ---- Loops, time, workers ----
 */

/** One turn of all loops: posts, timers, ready fds, input; waits up to timeout_ms if there is
 * nothing. Returns the number of callbacks. With FAKE_LOOP_THREADS it only waits. */
uint32_t fake_run_once(struct fake_host *host, uint32_t timeout_ms);

/** Turns until cond(ctx) is not 0; returns 0 if timeout_ms went by first. */
int fake_run_until(struct fake_host *host, int (*cond)(void *ctx), void *ctx, uint32_t timeout_ms);

/** Turns until nothing is ready and no work is under way. */
void fake_settle(struct fake_host *host);

/** Moves all clocks by ns, with FAKE_CLOCK; timers that are due fire in order in the next turn. */
void fake_clock_advance(struct fake_host *host, uint64_t ns);

/** Sets VMM_CLOCK_REAL to nanoseconds since 1970, with FAKE_CLOCK. */
void fake_clock_set_real(struct fake_host *host, uint64_t ns);

/** Now, on a VMM_CLOCK_.... */
uint64_t fake_clock(struct fake_host *host, uint32_t clock);

/** Number of armed timers of the device. */
uint32_t fake_timers_armed(vmm_host *device);

/*
 * ---- Log ----
 * Lines are kept; with VMM_TEST_LOG in the environment they are printed, too.
 */

/** 1 if a line of that device (NULL: of any) contains `part`. */
int fake_log_has(struct fake_host *host, vmm_host *device, const char *part);

/** Number of lines of a level (VMM_LOG_...; 0: all), guest errors not counted. */
uint32_t fake_log_count(struct fake_host *host, uint32_t level);

/** Number of guest_error() calls with that site (NULL: any). */
uint32_t fake_guest_errors(struct fake_host *host, const char *site);

/** Which levels are written: up to this one. VMM_LOG_DEBUG at first. */
void fake_log_level(struct fake_host *host, uint32_t level);

/*
 * ---- Streams ----
 * A device is expected to have at most one; `device` names it.
 */

/** Gives the device input; it is delivered by the loop as the device has room. */
void fake_stream_feed(vmm_host *device, const void *data, uint64_t bytes);

/** Number of input bytes that the device has not taken yet. */
uint64_t fake_stream_unread(vmm_host *device);

/** Copies and takes off up to bytes bytes of output; returns how many. */
uint64_t fake_stream_output(vmm_host *device, void *data, uint64_t bytes);

/** Takes all output off and compares it. */
int fake_stream_output_is(vmm_host *device, const char *text);

/** Room for output: writes beyond it come short; more room after that raises DRAINED. */
void fake_stream_room(vmm_host *device, uint64_t bytes);

/** Has event() called on the loop with VMM_STREAM_.... */
void fake_stream_event(vmm_host *device, uint32_t events);

/** What open() was asked for; NULL if there is no stream. path is a copy. */
const struct vmm_stream_open *fake_stream_request(vmm_host *device);

/*
 * ---- ACPI ----
 */

/** The n-th added table with that signature ("SSDT"), patches applied; NULL: there is none. */
const uint8_t *fake_acpi_table(
	struct fake_host *host, const char *signature, uint32_t n, uint64_t *ret_bytes);

/** The sum of what set_fixed got. */
const struct vmm_acpi_fixed *fake_acpi_fixed(struct fake_host *host);

/*
 * ---- The machine ----
 */

/** What the machine's layout is. */
const struct vmm_layout *fake_layout(struct fake_host *host);

/** Reason of the first stop() call, or 0; ret_status may be NULL. */
uint32_t fake_stop_reason(struct fake_host *host, uint32_t *ret_status);

/** Forgets that stop() was called. */
void fake_stop_clear(struct fake_host *host);

/** Fires VMM_EVENT_... for all who subscribed, on their loops. */
void fake_event(struct fake_host *host, uint32_t events);

#ifdef __cplusplus
}
#endif

#endif
