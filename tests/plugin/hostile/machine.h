/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for attacks: disk, network card, random numbers and a serial port behind the real bus
 * and transport, all plugins as they are shipped. The test attacks one device and asks whether that
 * one comes back after a reset, the others never noticed, and nothing grew.
 */
#ifndef TEST_HOSTILE_MACHINE_H
#define TEST_HOSTILE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_cmocka.h"
#include "fake_virtio_driver.h"

#define MACHINE_RAM_BYTES (16u << 20)
#define MACHINE_SECTORS   2048u

enum { MACHINE_DISK, MACHINE_CARD, MACHINE_RANDOM, MACHINE_VIRTIO };

struct machine {
	struct fake_host *host;
	vmm_host *serial;
	struct fake_virtio drivers[MACHINE_VIRTIO];
	uint32_t unused; /* receive buffers that came back without a frame */
	char image[64];
};

/** A queue to attack. */
struct machine_victim {
	const char *name;
	uint32_t device;
	uint32_t queue;
	uint32_t writes;   /* FAKE_VIRTIO_WRITE if its buffers are for the device to write */
	uint32_t is_input; /* looked at when a frame comes, not when it is kicked */
};

#define MACHINE_VICTIMS 4u
extern const struct machine_victim machine_victims[MACHINE_VICTIMS];

/** flags are FAKE_... of fake_config. All drivers are up. */
struct machine *machine_open(uint32_t flags);
void machine_close(struct machine *m);

/** Setup and teardown of a test without flags. */
int machine_setup(void **state);
int machine_teardown(void **state);

/** Brings the driver of a device up, with these features if they are offered. */
void machine_init(struct machine *m, uint32_t device, uint64_t features);

/** Asserts that a good request to the device, to all but one, is served. */
void machine_good(struct machine *m, uint32_t device);
void machine_others_good(struct machine *m, uint32_t device);

/** Sends a frame that is answered, and waits for nothing. */
void machine_send_frame(struct machine *m);

/** Bytes on the heap, for tests that nothing grows. */
uint64_t machine_heap_bytes(void);

/** Open file descriptors of this process. */
uint32_t machine_fd_count(void);

#endif
