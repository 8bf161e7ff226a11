/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of PCI: what firmware and an operating system do with a bus, over the accesses
 * of a fake host. It trusts the bus like a driver would; it is not a test by itself.
 */
#ifndef VMM_TESTKIT_PCI_DRIVER_H
#define VMM_TESTKIT_PCI_DRIVER_H

#include <vmm/testkit/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A base address register as the driver found it. */
struct fake_pci_bar {
	uint64_t address;
	uint64_t bytes;       /* 0: there is none, or it is the upper half of a 64-bit one */
	uint32_t space;       /* VMM_IO_PIO or VMM_IO_MMIO */
	uint32_t is_64bit;    /* 1 if it takes two indexes */
	uint32_t is_prefetch; /* 1 if prefetchable */
	uint32_t reserved;
};

/** A function on the bus. */
struct fake_pci_device {
	struct fake_host *host;
	uint32_t slot;
	uint16_t vendor_id;
	uint16_t device_id;
	struct fake_pci_bar bars[6];
	uint32_t msix_cap;     /* offset of the MSI-X capability, 0: none */
	uint32_t msix_vectors; /* size of the table */
	uint32_t msix_bar;
	uint32_t reserved;
	uint64_t msix_table; /* offset in the BAR */
	uint64_t msix_pba;
};

/* Configuration space by ports CF8/CFC. offset below 256; width 1, 2 or 4. */
uint32_t fake_pci_io_read(struct fake_host *host, uint32_t slot, uint32_t offset, uint32_t width);
void fake_pci_io_write(
	struct fake_host *host, uint32_t slot, uint32_t offset, uint32_t width, uint32_t value);

/* Configuration space by ECAM. offset below 4096; width 1 to 8. */
uint64_t fake_pci_ecam_address(struct fake_host *host, uint32_t slot, uint32_t offset);
uint32_t fake_pci_read(const struct fake_pci_device *device, uint32_t offset, uint32_t width);
void fake_pci_write(
	const struct fake_pci_device *device, uint32_t offset, uint32_t width, uint32_t value);

/** Finds the function in a slot: ids, BARs with addresses and sizes, MSI-X. 0: none there. */
int fake_pci_probe(struct fake_host *host, uint32_t slot, struct fake_pci_device *ret_device);

/** Probes all slots for vendor and device; 0: not found. nth counts from 0. */
int fake_pci_find(struct fake_host *host, uint16_t vendor_id, uint16_t device_id, uint32_t nth,
	struct fake_pci_device *ret_device);

/** Offset of the first capability with that id behind `after` (0: from the start); 0: none. */
uint32_t fake_pci_cap(const struct fake_pci_device *device, uint32_t id, uint32_t after);

/** Sets (1) or clears bits of the command register. */
void fake_pci_command(const struct fake_pci_device *device, uint16_t bits, int set);

/** Switches memory and I/O decode and bus master on, as a driver does at first. */
void fake_pci_enable(const struct fake_pci_device *device);

/** Moves a BAR with decode off; *device knows the new address. */
void fake_pci_move_bar(struct fake_pci_device *device, uint32_t bar, uint64_t address);

/* Accesses to a BAR, PIO or MMIO. */
uint64_t fake_bar_read(
	const struct fake_pci_device *device, uint32_t bar, uint64_t offset, uint32_t width);
void fake_bar_write(const struct fake_pci_device *device, uint32_t bar, uint64_t offset,
	uint32_t width, uint64_t value);

/** Enables (1) or disables MSI-X, leaves the function mask clear. */
void fake_msix_enable(const struct fake_pci_device *device, int enable);

/** Sets or clears the function mask. */
void fake_msix_function_mask(const struct fake_pci_device *device, int mask);

/** Programs one vector with address 0xfee00000 and `data`, and unmasks it. */
void fake_msix_program(const struct fake_pci_device *device, uint32_t vector, uint32_t data);

/** Masks (1) or unmasks a vector. */
void fake_msix_mask(const struct fake_pci_device *device, uint32_t vector, int mask);

/** The pending bit of a vector. */
int fake_msix_pending(const struct fake_pci_device *device, uint32_t vector);

/* Configuration space registers (PCI 3.0, 6.1) and their bits. */
#define FAKE_PCI_COMMAND        0x04u
#define FAKE_PCI_STATUS         0x06u
#define FAKE_PCI_BAR0           0x10u
#define FAKE_PCI_CAP_POINTER    0x34u
#define FAKE_PCI_CMD_IO         0x001u
#define FAKE_PCI_CMD_MEMORY     0x002u
#define FAKE_PCI_CMD_BUS_MASTER 0x004u
#define FAKE_PCI_CMD_INTX_OFF   0x400u
#define FAKE_PCI_CAP_ID_VENDOR  0x09u
#define FAKE_PCI_CAP_ID_MSIX    0x11u

#ifdef __cplusplus
}
#endif

#endif
