/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.machine/1": the machine as a whole: where its windows are, how it ends.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <vmm/types.h>

#define VMM_MACHINE_ID "vmm.machine/1"

#define VMM_STOP_POWER_OFF 100u /* the guest switched itself off */
#define VMM_STOP_RESET     200u /* the guest asked for a reset */
#define VMM_STOP_EXIT      300u /* end the process with the given exit status */

/** What the machine type fixes: a result. */
struct vmm_layout {
	uint64_t struct_size;
	uint32_t vcpus;
	uint32_t compat_level;
	uint64_t ram_bytes;
	uint64_t pci_mmio32_base; /* window for 32-bit BARs */
	uint64_t pci_mmio32_bytes;
	uint64_t pci_mmio64_base; /* window for 64-bit BARs, above RAM */
	uint64_t pci_mmio64_bytes;
	uint64_t pci_ecam_base; /* one bus: 1 MiB */
	uint64_t pci_ecam_bytes;
	uint64_t device_mmio_base; /* for devices that sit on no bus */
	uint64_t device_mmio_bytes;
	uint32_t pci_io_base; /* window for I/O BARs */
	uint32_t pci_io_bytes;
	uint32_t pci_gsi_base; /* lines for INTA to INTD, shared round robin */
	uint32_t pci_gsi_count;
	uint32_t device_gsi_base; /* lines for devices that sit on no bus */
	uint32_t device_gsi_count;
};
VMM_ASSERT_SIZE(vmm_layout, 112);
VMM_ASSERT_OFFSET(vmm_layout, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_layout, vcpus, 8);
VMM_ASSERT_OFFSET(vmm_layout, compat_level, 12);
VMM_ASSERT_OFFSET(vmm_layout, ram_bytes, 16);
VMM_ASSERT_OFFSET(vmm_layout, pci_mmio32_base, 24);
VMM_ASSERT_OFFSET(vmm_layout, pci_mmio32_bytes, 32);
VMM_ASSERT_OFFSET(vmm_layout, pci_mmio64_base, 40);
VMM_ASSERT_OFFSET(vmm_layout, pci_mmio64_bytes, 48);
VMM_ASSERT_OFFSET(vmm_layout, pci_ecam_base, 56);
VMM_ASSERT_OFFSET(vmm_layout, pci_ecam_bytes, 64);
VMM_ASSERT_OFFSET(vmm_layout, device_mmio_base, 72);
VMM_ASSERT_OFFSET(vmm_layout, device_mmio_bytes, 80);
VMM_ASSERT_OFFSET(vmm_layout, pci_io_base, 88);
VMM_ASSERT_OFFSET(vmm_layout, pci_io_bytes, 92);
VMM_ASSERT_OFFSET(vmm_layout, pci_gsi_base, 96);
VMM_ASSERT_OFFSET(vmm_layout, pci_gsi_count, 100);
VMM_ASSERT_OFFSET(vmm_layout, device_gsi_base, 104);
VMM_ASSERT_OFFSET(vmm_layout, device_gsi_count, 108);

#define VMM_EVENT_POWER_BUTTON 0x1u

/** Something happened to the machine; events are VMM_EVENT_.... [loop] */
typedef void (*vmm_event_cb)(void *ctx, uint32_t events);

/** Table of functions. */
struct vmm_machine {
	uint64_t size;

	/** Fills *ret_layout up to its struct_size. [any] */
	int32_t (*layout)(vmm_host *host, struct vmm_layout *ret_layout);

	/** Ends the machine, soon; the first call counts. status is for VMM_STOP_EXIT. [any] */
	void (*stop)(vmm_host *host, uint32_t reason, uint32_t status);

	/** Asks to be told of events, on the device's own loop. [config] */
	int32_t (*subscribe)(vmm_host *host, uint32_t events, vmm_event_cb cb, void *ctx);

	/** The quiesce that returned VMM_PENDING is done. [any] */
	void (*quiesced)(vmm_host *host);
};
VMM_ASSERT_SIZE(vmm_machine, 40);
VMM_ASSERT_OFFSET(vmm_machine, size, 0);
VMM_ASSERT_OFFSET(vmm_machine, layout, 8);
VMM_ASSERT_OFFSET(vmm_machine, stop, 16);
VMM_ASSERT_OFFSET(vmm_machine, subscribe, 24);
VMM_ASSERT_OFFSET(vmm_machine, quiesced, 32);

#endif
