/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over PCI (virtio 1.2, 4.1): the layout of the BARs, shared by the function (pci.c) and
 * its capabilities (pci_cap.c).
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "transport.h"

#define PCI_BAR         0u
#define PCI_BAR_BYTES   0x4000u
#define PCI_COMMON      0x0000u
#define PCI_COMMON_END  0x0040u
#define PCI_ISR         0x1000u
#define PCI_ISR_END     0x1001u
#define PCI_CONFIG      0x2000u
#define PCI_NOTIFY      0x3000u
#define PCI_NOTIFY_STEP 4u /* between doorbells: notify_off_multiplier */
#define PCI_MSIX_BAR    1u

/* The doorbells once more, in I/O space. */
#define PCI_PORTS_BAR   2u
#define PCI_PORTS_BYTES 0x100u /* the most that a BAR of ports may have (PCI 3.0, 6.2.5.1) */

/* Body of a capability: what follows id and next pointer (4.1.4). */
struct vio_cap {
	uint8_t cap_len;
	uint8_t cfg_type;
	uint8_t bar;
	uint8_t id;
	uint8_t padding[2];
	uint8_t offset[4]; /* not aligned: numbers are copied */
	uint8_t length[4];
	uint8_t extra[4]; /* notify_off_multiplier, or pci_cfg_data */
};
VMM_ASSERT_SIZE(vio_cap, 18);
VMM_ASSERT_OFFSET(vio_cap, cap_len, 0);
VMM_ASSERT_OFFSET(vio_cap, bar, 2);
VMM_ASSERT_OFFSET(vio_cap, offset, 6);
VMM_ASSERT_OFFSET(vio_cap, length, 10);
VMM_ASSERT_OFFSET(vio_cap, extra, 14);

#define PCI_CAPS_MAX 6u

/** What a device has of its function on the bus. */
struct vio_function {
	uint64_t handle;
	bool added;
	uint32_t ports_bytes;  /* of BAR 2; 0: there is none */
	uint32_t window_cap;   /* index of the PCI_CFG capability */
	struct vio_cap window; /* its body. Under the device's lock */
	struct vio_cap caps[PCI_CAPS_MAX];
	uint32_t cap_count;
};

/** Accesses to the BAR, by the guest or by the window. [vcpu] */
int32_t vio_bar_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value);
int32_t vio_bar_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value);

/** Accesses to the doorbells in I/O space, likewise. */
int32_t vio_ports_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value);
int32_t vio_ports_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value);

/** Describes the capabilities: fills function->caps and points descriptions[] to cap[]. */
void vio_caps_make(
	struct vio_device *d, struct vmm_pci_cap *cap, const struct vmm_pci_cap **descriptions);

/** Accesses to capability PCI_CFG. [vcpu] */
int32_t vio_cap_read(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value);
int32_t vio_cap_write(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value);

#endif
