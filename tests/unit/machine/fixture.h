/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine without KVM and guest, with one device instance: enough for what host services do
 * between a plugin and the I/O map or a loop.
 */
#ifndef TESTS_MACHINE_FIXTURE_H
#define TESTS_MACHINE_FIXTURE_H

#include "config/config.h"
#include "io/io.h"
#include "machine/host.h"
#include "machine/machine.h"

struct fixture {
	struct machine machine;
	struct config_device config;
	struct vmm_device_type type;
	struct vmm_device_ops ops;
	struct vmm_host *host;
	struct vmm_host *hosts[1];
};

/** Makes the machine and an instance with the given thread model, in phase realize. */
void fixture_init(struct fixture *fixture, uint32_t thread_model);

/** Takes it down; the loop must not run any more. */
void fixture_fini(struct fixture *fixture);

/** Runs the main loop on a thread of its own, as if the machine ran. */
void fixture_run(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

#endif
