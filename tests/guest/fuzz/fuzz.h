/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blind fuzzer: random steps against everything that a guest can reach, each a function of the
 * seed alone, so that a seed can be run again.
 */
#ifndef GUEST_FUZZ_FUZZ_H
#define GUEST_FUZZ_FUZZ_H

#include <stdint.h>

#include "machine.h"

#define FUZZ_DEVICES 5u
#define FUZZ_QUEUES  4u /* of a device; more do not exist here */

/** A queue's memory: offsets in the driver's memory. */
#define FUZZ_QUEUE_BYTES 0x10000u
#define FUZZ_AVAIL       0x6000u
#define FUZZ_USED        0x8000u
#define FUZZ_SIZE_MAX    512u

/** What is shot at. */
struct fuzz_target {
	struct machine machines[2]; /* a disk, a card and random numbers; another disk, and some */
	struct fake_virtio *drivers[FUZZ_DEVICES];
	struct fake_pci_device home[FUZZ_DEVICES]; /* as they were found */
};

/** Who shoots: one for each processor. */
struct fuzz {
	struct fuzz_target *target;
	uint64_t random;
	uint64_t step;
	uint32_t lethal; /* 1: what ends the machine is tried, too */
};

/* Choices. */
uint64_t fuzz_next(struct fuzz *f);
uint32_t fuzz_below(struct fuzz *f, uint32_t n);
int fuzz_one_in(struct fuzz *f, uint32_t n);
struct fake_virtio *fuzz_driver(struct fuzz *f);
uint32_t fuzz_queue(struct fuzz *f, const struct fake_virtio *d);
uint32_t fuzz_width(struct fuzz *f);

/** A number that something may stumble over. */
uint64_t fuzz_value(struct fuzz *f);

/** An address and a length for a descriptor; RAM that is the fuzzer's is not among them. */
uint64_t fuzz_address(struct fuzz *f, const struct fake_virtio *d, uint32_t queue);
uint32_t fuzz_length(struct fuzz *f);

/** A place in the address space that is no RAM. */
uint64_t fuzz_mmio_address(struct fuzz *f);

/** A port; not one that ends the machine, but for lethal ones. */
uint16_t fuzz_port(struct fuzz *f, uint32_t width);

/** Memory of a queue; valid whether or not the device knows of it. */
uint64_t fuzz_queue_memory(const struct fake_virtio *d, uint32_t queue);

/** One random step. */
void fuzz_step(struct fuzz *f);

/* Steps of one kind: see their files. */
void fuzz_step_register(struct fuzz *f);
void fuzz_step_bar(struct fuzz *f);
void fuzz_step_config(struct fuzz *f);
void fuzz_step_port(struct fuzz *f);
void fuzz_step_strings(struct fuzz *f);
void fuzz_step_mmio(struct fuzz *f);
void fuzz_step_processor(struct fuzz *f);
void fuzz_step_ring(struct fuzz *f);
void fuzz_step_request(struct fuzz *f);
void fuzz_step_kick(struct fuzz *f);
void fuzz_step_set_up(struct fuzz *f);

/** Finds the devices. */
void fuzz_find(struct fuzz_target *target);

/** Brings everything back by resets, and asserts that good requests are served. */
void fuzz_revive(struct fuzz_target *target);

#endif
