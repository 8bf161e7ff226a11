/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for attacks: disk, network card, random numbers and a serial port behind the real bus
 * and transport, all plugins as they are shipped. The test attacks one device and asks whether that
 * one comes back after a reset, the others never noticed, and nothing grew.
 *
 * The same tests run twice: here, with a fake host (machine.c), and in a guest of vmm, with the
 * machine that is there (tests/guest/hostile/machine.c). So they use the driver of the testkit, and
 * from fake_host.h accesses, fake_ram(), fake_settle(), fake_run_until() and fake_msi_count() only.
 */
#ifndef TEST_HOSTILE_MACHINE_H
#define TEST_HOSTILE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>
#include <vmm/virtio.h>

#ifndef MACHINE_RAM_BYTES
#define MACHINE_RAM_BYTES (16u << 20)
#endif
#define MACHINE_SECTORS 2048u

/** How often a test tries, which costs a guest far more. */
#ifdef MACHINE_IN_A_GUEST
#define MACHINE_ROUNDS(n) (((n) + 15) / 16)
#else
#define MACHINE_ROUNDS(n) (n)
#endif

/* Who finds an answer before the interrupt for it has moved the event index on and gets none. Where
 * one is waited for, the driver does without the index. */
#define MACHINE_INTERRUPTS (FAKE_VIRTIO_ALL & ~VMM_VIRTIO_F_EVENT_IDX)

enum { MACHINE_DISK, MACHINE_CARD, MACHINE_RANDOM, MACHINE_VIRTIO };

struct machine {
	struct fake_host *host;
	struct fake_virtio drivers[MACHINE_VIRTIO];
	uint32_t unused; /* receive buffers that came back without a frame */
	void *rest;      /* what else there is */
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

/** Asserts that what is no virtio device of a test works: the serial port, other disks. */
void machine_rest_good(struct machine *m);

/** Sends a frame that is answered, and waits for nothing. */
void machine_send_frame(struct machine *m);

/** Data of an interrupt message that no vector has had; there are 8 in a machine. */
uint32_t machine_new_message(struct machine *m);

/** Bytes on the heap and open file descriptors of the VMM, for tests that nothing grows. A guest
 * cannot tell: it reads 0, and whoever started it compares. */
uint64_t machine_heap_bytes(void);
uint32_t machine_fd_count(void);

/** In front of the list of a file's tests: the file is a program, in a guest a part of one. */
#ifdef MACHINE_IN_A_GUEST
#define MACHINE_TESTS(file)                                                                        \
	int machine_tests_##file(void);                                                            \
	int machine_tests_##file(void)
#else
#define MACHINE_TESTS(file) int main(void)
#endif

#endif
