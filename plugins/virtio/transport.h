/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance of the transport ("virtio-pci" or "virtio-mmio" in the config file): the services
 * that it got and the devices that were attached to it.
 */
#ifndef VIRTIO_TRANSPORT_H
#define VIRTIO_TRANSPORT_H

#include <vmm/plugin.h>

#include "device.h"

struct vio_transport {
	const struct vmm_hello *hello;
	vmm_host *host;
	const struct vmm_value *bus_ref; /* virtio-pci */
	const struct vio_bus *bus;

	/* Copies of the tables. */
	struct vmm_log log;
	struct vmm_loop loop;
	struct vmm_borrow borrow; /* no functions: the host has no such service */
	struct vmm_memory memory;
	struct vmm_machine machine;
	struct vmm_io io;           /* virtio-mmio */
	struct vmm_irq irq;         /* virtio-mmio */
	struct vmm_acpi acpi;       /* virtio-mmio */
	struct vmm_pci_bus pci;     /* virtio-pci */
	void *pci_bus;              /* virtio-pci: the object of pci */
	uint32_t next_slot;         /* virtio-mmio: where to look for a free page */
	struct vio_device *devices; /* changes in [config] only */
	_Atomic uint32_t stops;     /* devices that have to stop before quiesce is done */
};

extern const struct vio_bus vio_pci_bus;  /* pci.c */
extern const struct vio_bus vio_mmio_bus; /* mmio.c */
extern const struct vmm_virtio vio_table; /* interface.c */

/** attach.c. [config] */
int32_t vio_attach(void *transport, const struct vmm_virtio_device *request, uint64_t *ret_device);
void vio_detach(void *transport, uint64_t device);

/** Frees a detached device. [config] */
void vio_device_free(struct vio_device *d);

/** One of the devices that quiesce waits for has stopped. [loop] of any device */
void vio_stopped(struct vio_transport *t);

#endif
