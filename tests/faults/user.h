/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that uses every device that it finds, and switches itself off.
 */
#ifndef TESTS_FAULT_USER_H
#define TESTS_FAULT_USER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "kvm.h"

/** What the machine has. */
struct user_plan {
	uint32_t disks, cards, randoms;
	bool mmio;     /* virtio-mmio, else virtio-pci */
	bool has_exit; /* ends by debug-exit with status 1, else by power-off */
};

/** What became of the guest. */
struct user_outcome {
	atomic_bool ended; /* the others are written before */
	bool served;       /* all that it asked for, at the second try at the latest */
	char text[256];    /* what was not */
};

extern struct user_plan user_plan;
extern struct user_outcome user_outcome;

void user_main(struct fake_host *host);

#endif
