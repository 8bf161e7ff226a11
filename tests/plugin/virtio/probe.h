/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device for tests of the transport: it counts what it is called with and does with its
 * chains what the test says. And a machine with one such device behind virtio.so as it is shipped,
 * over PCI (with pci.so) or MMIO, and a fake driver for it.
 */
#ifndef TEST_VIRTIO_PROBE_H
#define TEST_VIRTIO_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#define PROBE_ID     42u
#define PROBE_QUEUES 3u
#define PROBE_SIZES                                                                                \
	{                                                                                          \
		8, 256, 64                                                                         \
	}
#define PROBE_FEATURES     0x5ull
#define PROBE_CONFIG_BYTES 18u
#define PROBE_WRITABLE     8u /* offset of the config byte that the driver may write */
#define PROBE_WRITABLE_TOO 12u
#define PROBE_FILL         0x5a

#define PROBE_HELD_MAX 256u

/** What the device does with chains in notify. In serve it leaves to notify what it would hold. */
enum probe_mode {
	PROBE_ECHO, /* fills what is writable and gives it back */
	PROBE_EACH, /* the same, shown to the driver at once; then calls after_each */
	PROBE_HOLD, /* keeps them */
	PROBE_DEAF, /* does not look */
};

struct probe {
	const struct vmm_hello *hello;
	vmm_host *host;
	const char *id;
	const struct vmm_value *const *values;
	struct vmm_loop loop;
	struct vmm_virtio virtio;
	void *transport;
	uint64_t device;
	int attached;
	uint32_t can_serve; /* set before it is realized */

	/* Set by the test. */
	_Atomic uint32_t mode;
	_Atomic uint32_t reset_pending; /* reset returns VMM_PENDING */
	_Atomic uint32_t reset_at_once; /* reset calls reset_done() by itself */
	_Atomic uint32_t activate_fails;
	uint32_t given;      /* 1 + the queue that reset takes back from a kernel back end */
	uint32_t given_next; /* where that stopped */
	void (*after_each)(void *ctx); /* PROBE_EACH: what the guest does meanwhile */
	void *after_each_ctx;
	void (*after_all)(void *ctx); /* what it does when the device has popped all there is */
	void *after_all_ctx;

	/* Counted by the device, and by the test what it changed. */
	_Atomic uint32_t updates;
	_Atomic uint32_t activations;
	_Atomic uint32_t resets;
	_Atomic uint32_t notifies[PROBE_QUEUES];
	_Atomic uint32_t serves[PROBE_QUEUES];
	_Atomic uint32_t chains;
	_Atomic uint64_t features;
	_Atomic uint32_t config_writes;
	uint32_t config_offset, config_bytes;
	uint32_t config_chains; /* chains before the last of them */
	uint8_t config_seen[PROBE_CONFIG_BYTES];

	struct {
		uint32_t queue;
		uint32_t id;
		uint64_t writable_bytes;
		void *base; /* first writable buffer */
	} held[PROBE_HELD_MAX];
	uint32_t held_count;
};

extern const struct vmm_device_type probe_type;

/** What it tells the transport of itself. */
void probe_describe(
	struct probe *probe, struct vmm_error *error, struct vmm_virtio_device *ret_device);

/** What a fixture is made of: the initial state of a test. */
struct probe_machine_kind {
	const char *transport;              /* "virtio-pci" or "virtio-mmio" */
	uint32_t flags;                     /* FAKE_... of fake_config */
	const struct vmm_device_type *type; /* NULL: probe_type; its name is "probe" as well */
	uint32_t serves;                    /* the device has serve() */
	uint32_t minor;                     /* of the host's ABI; 0: the newest */
};

struct probe_machine {
	const struct probe_machine_kind *kind;
	struct fake_host *host;
	struct probe *probe;
	struct fake_virtio driver;
};

extern const struct probe_machine_kind probe_on_pci;
extern const struct probe_machine_kind probe_on_mmio;

/** Setup and teardown of a test whose initial state is a struct probe_machine_kind. */
int probe_setup(void **state);
int probe_teardown(void **state);

/** A test on one kind of machine, and on both. */
#define PROBE_TEST(test, machine_kind)                                                             \
	{                                                                                          \
#test " [" #machine_kind "]", test, probe_setup, probe_teardown,                   \
			(void *)(uintptr_t) & (machine_kind)                                       \
	}
#define PROBE_TESTS(test) PROBE_TEST(test, probe_on_pci), PROBE_TEST(test, probe_on_mmio)

/** Gives back all held chains of a queue with everything written, and flushes. On the loop or with
 * loops that run by hand only. */
void probe_release(struct probe *probe, uint32_t queue);

/** Asserts that the device serves a good request on the queue; after a reset, if `reset`. */
void probe_expect_alive(struct probe_machine *m, uint32_t queue, int reset);

/** Asserts that DEVICE_NEEDS_RESET is set, that nothing is served any more, and that a reset
 * revives the device. (Response D.) */
void probe_expect_needs_reset(struct probe_machine *m, uint32_t queue);

#endif
