/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface "vmm.pci.bus/1": what a PCI bus plugin gives to devices that sit on it. The bus owns
 * configuration space, BAR addresses, the MSI-X table and INTx; a device describes itself once and
 * answers accesses to its BARs.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <vmm/io.h>
#include <vmm/types.h>

#define VMM_PCI_BUS_ID "vmm.pci.bus/1"

#define VMM_PCI_SLOT_AUTO 0xffffffffu

#define VMM_PCI_BAR_IO             100u
#define VMM_PCI_BAR_MEM32          200u
#define VMM_PCI_BAR_MEM64          300u /* takes two indexes */
#define VMM_PCI_BAR_MEM64_PREFETCH 400u /* the same, without side effects of reads */

/** A base address register: a request. bytes is a power of two, at least 16 (4 for I/O). */
struct vmm_pci_bar {
	uint64_t struct_size;
	uint32_t index; /* 0 to 5 */
	uint32_t kind;  /* VMM_PCI_BAR_... */
	uint64_t bytes;
	const struct vmm_io_ops *ops; /* until remove; come as the owner's thread model says */
	void *ctx;                    /* first argument of ops */
	uint32_t width_max;           /* 1, 2, 4 or 8 */
	uint32_t reserved;            /* 0 */
};
VMM_ASSERT_SIZE(vmm_pci_bar, 48);
VMM_ASSERT_OFFSET(vmm_pci_bar, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_pci_bar, index, 8);
VMM_ASSERT_OFFSET(vmm_pci_bar, kind, 12);
VMM_ASSERT_OFFSET(vmm_pci_bar, bytes, 16);
VMM_ASSERT_OFFSET(vmm_pci_bar, ops, 24);
VMM_ASSERT_OFFSET(vmm_pci_bar, ctx, 32);
VMM_ASSERT_OFFSET(vmm_pci_bar, width_max, 40);
VMM_ASSERT_OFFSET(vmm_pci_bar, reserved, 44);

#define VMM_PCI_CAP_HOOKED 0x1u /* accesses of the body call cap_read and cap_write */

/** A capability in configuration space: a request. The bus adds MSI-X by itself. */
struct vmm_pci_cap {
	uint64_t struct_size;
	uint32_t id;               /* PCI capability id; 9 is vendor specific */
	uint32_t flags;            /* VMM_PCI_CAP_HOOKED or 0 */
	const uint8_t *body;       /* what follows id and next; copied */
	const uint8_t *write_mask; /* bits that the guest may write; NULL: none; copied */
	uint32_t body_bytes;
	uint32_t reserved; /* 0 */
};
VMM_ASSERT_SIZE(vmm_pci_cap, 40);
VMM_ASSERT_OFFSET(vmm_pci_cap, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_pci_cap, id, 8);
VMM_ASSERT_OFFSET(vmm_pci_cap, flags, 12);
VMM_ASSERT_OFFSET(vmm_pci_cap, body, 16);
VMM_ASSERT_OFFSET(vmm_pci_cap, write_mask, 24);
VMM_ASSERT_OFFSET(vmm_pci_cap, body_bytes, 32);
VMM_ASSERT_OFFSET(vmm_pci_cap, reserved, 36);

/** Callbacks of a function: a table; each slot is optional. They must not block. */
struct vmm_pci_function_ops {
	uint64_t size;

	/** Reads width (1, 2 or 4) bytes at offset of the body of a hooked capability; cap is its
	 * index in the description. [vcpu] */
	int32_t (*cap_read)(
		void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value);

	/** Writes likewise. The bus has applied write_mask to its copy before. [vcpu] */
	int32_t (*cap_write)(
		void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value);

	/** The guest enabled (1) or disabled (0) MSI-X. [vcpu] */
	void (*msix_changed)(void *ctx, uint32_t enabled);

	/** The guest allowed (1) or forbade (0) DMA by the bus master bit. [vcpu] */
	void (*bus_master_changed)(void *ctx, uint32_t enabled);
};
VMM_ASSERT_SIZE(vmm_pci_function_ops, 40);
VMM_ASSERT_OFFSET(vmm_pci_function_ops, size, 0);
VMM_ASSERT_OFFSET(vmm_pci_function_ops, cap_read, 8);
VMM_ASSERT_OFFSET(vmm_pci_function_ops, cap_write, 16);
VMM_ASSERT_OFFSET(vmm_pci_function_ops, msix_changed, 24);
VMM_ASSERT_OFFSET(vmm_pci_function_ops, bus_master_changed, 32);

/** A function to put on the bus: a request. */
struct vmm_pci_function {
	uint64_t struct_size;
	vmm_host *owner;  /* the caller's host handle; its thread model holds for the BARs */
	const char *name; /* for people: the device id; copied */
	uint32_t slot;    /* device number 1 to 31, or VMM_PCI_SLOT_AUTO */
	uint16_t vendor_id;
	uint16_t device_id;
	uint16_t subsystem_vendor_id;
	uint16_t subsystem_id;
	uint32_t class_code;   /* 24 bits: base class, sub class, interface */
	uint32_t revision;     /* 8 bits */
	uint32_t msix_vectors; /* 0: no MSI-X; up to 2048 */
	uint32_t msix_bar;     /* index of the BAR that the bus makes for table and PBA */
	uint32_t intx;         /* 1: the function has an interrupt pin, else 0 */
	const struct vmm_pci_bar *const *bars;
	uint64_t bar_count;
	const struct vmm_pci_cap *const *caps;
	uint64_t cap_count;
	const struct vmm_pci_function_ops *ops; /* until remove */
	void *ctx;                              /* first argument of ops */
	struct vmm_error *error;
};
VMM_ASSERT_SIZE(vmm_pci_function, 112);
VMM_ASSERT_OFFSET(vmm_pci_function, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_pci_function, owner, 8);
VMM_ASSERT_OFFSET(vmm_pci_function, name, 16);
VMM_ASSERT_OFFSET(vmm_pci_function, slot, 24);
VMM_ASSERT_OFFSET(vmm_pci_function, vendor_id, 28);
VMM_ASSERT_OFFSET(vmm_pci_function, device_id, 30);
VMM_ASSERT_OFFSET(vmm_pci_function, subsystem_vendor_id, 32);
VMM_ASSERT_OFFSET(vmm_pci_function, subsystem_id, 34);
VMM_ASSERT_OFFSET(vmm_pci_function, class_code, 36);
VMM_ASSERT_OFFSET(vmm_pci_function, revision, 40);
VMM_ASSERT_OFFSET(vmm_pci_function, msix_vectors, 44);
VMM_ASSERT_OFFSET(vmm_pci_function, msix_bar, 48);
VMM_ASSERT_OFFSET(vmm_pci_function, intx, 52);
VMM_ASSERT_OFFSET(vmm_pci_function, bars, 56);
VMM_ASSERT_OFFSET(vmm_pci_function, bar_count, 64);
VMM_ASSERT_OFFSET(vmm_pci_function, caps, 72);
VMM_ASSERT_OFFSET(vmm_pci_function, cap_count, 80);
VMM_ASSERT_OFFSET(vmm_pci_function, ops, 88);
VMM_ASSERT_OFFSET(vmm_pci_function, ctx, 96);
VMM_ASSERT_OFFSET(vmm_pci_function, error, 104);

/** Table of functions. The first argument is the object of query_ref. */
struct vmm_pci_bus {
	uint64_t size;

	/** Puts a function on the bus; its BARs have addresses when it returns. VMM_E_BUSY: the
	 * slot is taken. VMM_E_LIMIT: no slot, window or vector is left. [config], realize. */
	int32_t (*add)(void *bus, const struct vmm_pci_function *function, uint64_t *ret_function);

	/** Takes a function off the bus. [config], unrealize. */
	void (*remove)(void *bus, uint64_t function);

	/** The eventfd that raises MSI-X vector number `vector`; the bus's, until remove. Masking
	 * is not the caller's business. VMM_E_RANGE: no such vector. [any] */
	int32_t (*msix_fd)(void *bus, uint64_t function, uint32_t vector, int32_t *ret_fd);

	/** 1 while the guest has MSI-X enabled, else 0. [any] */
	int32_t (*msix_enabled)(void *bus, uint64_t function);

	/** Sets the level of the interrupt pin: 0 or 1. [any] */
	int32_t (*intx_set)(void *bus, uint64_t function, uint32_t level);

	/** A doorbell in a BAR, as doorbell_add of vmm.io; doorbell->region is the BAR's index.
	 * It follows the BAR. [config], realize. */
	int32_t (*doorbell_add)(void *bus, uint64_t function, const struct vmm_doorbell *doorbell,
		uint64_t *ret_doorbell, int32_t *ret_fd);

	/** The address space of the function's DMA, for vmm.memory. [config] */
	uint64_t (*dma_space)(void *bus, uint64_t function);

	/** 1 while the guest allows DMA (bus master), else 0. [any] */
	int32_t (*bus_master)(void *bus, uint64_t function);
};
VMM_ASSERT_SIZE(vmm_pci_bus, 72);
VMM_ASSERT_OFFSET(vmm_pci_bus, size, 0);
VMM_ASSERT_OFFSET(vmm_pci_bus, add, 8);
VMM_ASSERT_OFFSET(vmm_pci_bus, remove, 16);
VMM_ASSERT_OFFSET(vmm_pci_bus, msix_fd, 24);
VMM_ASSERT_OFFSET(vmm_pci_bus, msix_enabled, 32);
VMM_ASSERT_OFFSET(vmm_pci_bus, intx_set, 40);
VMM_ASSERT_OFFSET(vmm_pci_bus, doorbell_add, 48);
VMM_ASSERT_OFFSET(vmm_pci_bus, dma_space, 56);
VMM_ASSERT_OFFSET(vmm_pci_bus, bus_master, 64);

#endif
