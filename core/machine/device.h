/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of one device instance, from the core's side. The rules are in <vmm/device.h>.
 * All but device_quiesce are called on the main thread while no other thread of the machine runs.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include <stdbool.h>

#include <vmm/types.h>

struct config_device;
struct machine;
struct vmm_host;

/** Makes the instance and calls create. The error text starts with the place in the config. */
int device_create(struct machine *machine, const struct config_device *config,
	struct vmm_host **ret_host, struct vmm_error *error);

int device_bind(struct vmm_host *host, struct vmm_error *error);
int device_realize(struct vmm_host *host, struct vmm_error *error);
int device_start(struct vmm_host *host, struct vmm_error *error);

/** Calls quiesce. Returns 0, VMM_PENDING or an error. [loop] of the device */
int device_quiesce(struct vmm_host *host);

/** Undoes realize if it was called. */
void device_unrealize(struct vmm_host *host);

/** Undoes create and frees the instance with all that it left; NULL is allowed. */
void device_destroy(struct vmm_host *host);

/** True if the instance's type provides the interface. */
bool device_provides(const struct vmm_host *host, const char *id);

#endif
