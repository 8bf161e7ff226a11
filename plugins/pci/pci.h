/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI bus: what its files share. One bus, number 0 of segment 0, with a host bridge in slot 0
 * and functions of other plugins in slots 1 to 31.
 *
 * Who does what:
 *   pci_plugin    device type, phases
 *   pci_bus       ways to configuration space (ports, ECAM), interface for other plugins
 *   pci_function  making and unmaking of a function
 *   pci_config    reads and writes of configuration space, and what they set off
 *   pci_bar       places of BARs
 *   pci_msix      MSI-X table and pending bits
 *   pci_intx      interrupt pins
 *   pci_acpi      what the guest is told by ACPI
 *
 * Threads and locks. vCPUs come in parallel; functions are added and removed in [config] phases
 * only, when no other thread runs, so that the way from a handle to a function needs no lock.
 *
 *   write_lock  one guest write to configuration space at a time, with the calls of msix_changed
 *               and bus_master_changed that it sets off, so that these come in the order of the
 *               changes. No function of the interface takes it, so an owner may call any from
 * there. lock        configuration space, BAR places, MSI-X tables. No owner is called with it
 * held. irq_lock    levels of interrupt pins
 *
 * Order: write_lock, lock, irq_lock, then what the core has. cap_read and cap_write are called
 * with none of them held: an owner may come back into its own BARs from there.
 * What hot paths ask for (msix_fd, msix_enabled, bus_master) is constant or atomic.
 */
#ifndef PCI_H
#define PCI_H

#include <pthread.h>
#include <stdatomic.h>

#include <vmm/support.h>

#define PCI_SLOTS          32u
#define PCI_BARS           6u
#define PCI_CAPS_MAX       16u
#define PCI_CONFIG_BYTES   256u  /* conventional space, what CF8/CFC reach */
#define PCI_FUNCTION_BYTES 4096u /* space of a function in ECAM */

/* Registers of a type 0 header (PCI Local Bus 3.0, 6.1 and 6.2). */
#define PCI_VENDOR_ID    0x00u
#define PCI_DEVICE_ID    0x02u
#define PCI_COMMAND      0x04u
#define PCI_STATUS       0x06u
#define PCI_REVISION     0x08u
#define PCI_CLASS        0x09u
#define PCI_CACHE_LINE   0x0cu
#define PCI_BAR0         0x10u
#define PCI_SUBSYSTEM    0x2cu
#define PCI_CAP_POINTER  0x34u
#define PCI_INTR_LINE    0x3cu
#define PCI_INTR_PIN     0x3du
#define PCI_HEADER_BYTES 0x40u

#define PCI_COMMAND_IO         0x0001u
#define PCI_COMMAND_MEMORY     0x0002u
#define PCI_COMMAND_BUS_MASTER 0x0004u
#define PCI_COMMAND_INTX_OFF   0x0400u
#define PCI_STATUS_INTERRUPT   0x0008u
#define PCI_STATUS_CAP_LIST    0x0010u
#define PCI_STATUS_W1C         0xf900u

#define PCI_CAP_ID_MSIX     0x11u
#define PCI_MSIX_CONTROL    2u /* offset in the capability */
#define PCI_MSIX_MASK_ALL   0x4000u
#define PCI_MSIX_ENABLE     0x8000u
#define PCI_MSIX_VECTOR_MAX 2048u

struct pci_bus;

/* A BAR. Guarded by bus->lock, but for what is constant after add. */
struct pci_bar {
	uint32_t kind; /* VMM_PCI_BAR_...; 0: none; constant */
	uint32_t index;
	uint64_t bytes;
	uint64_t region;   /* of vmm.io; constant */
	vmm_host *host;    /* that the region belongs to; constant */
	uint64_t assigned; /* where we put it */
	uint64_t mapped_at;
	uint32_t mapped;  /* reachable, at mapped_at */
	uint32_t refused; /* decoded by the guest's will, but the place is illegal or taken */
	uint32_t halves;  /* 64-bit: written since the last move; 1 lower, 2 upper */
	uint32_t sizing;  /* 64-bit: halves that hold all ones */
};

/* A capability whose body the owner looks after. Constant. */
struct pci_hook {
	uint32_t cap; /* index in the owner's description */
	uint32_t start;
	uint32_t bytes;
};

/* A line of the MSI-X table (PCI 3.0, 6.8.2). Guarded by bus->lock. */
struct pci_vector {
	uint64_t address;
	uint32_t data;
	uint32_t masked; /* the mask bit of the entry */
	uint64_t handle; /* of vmm.irq; constant */
	int32_t fd;      /* constant */
	uint32_t live;   /* the core delivers it, with the address and data below */
	uint64_t live_address;
	uint32_t live_data;
	uint32_t reserved;
};

struct pci_msix {
	struct pci_vector *vectors;
	uint32_t count;
	uint32_t cap; /* offset of the capability; 0: none */
	uint32_t bar;
	uint32_t pba;             /* offset in the BAR */
	uint32_t masked;          /* function mask; guarded by bus->lock */
	_Atomic uint32_t enabled; /* written under bus->lock, read anywhere, relaxed: a device that
				   * asks at the moment of a change may get either */
};

struct pci_function {
	struct pci_bus *bus;
	vmm_host *owner;
	char *name;
	uint32_t slot;
	struct vmm_pci_function_ops ops;
	void *ctx;

	uint8_t config[PCI_CONFIG_BYTES]; /* guarded by bus->lock */
	uint8_t write_mask[PCI_CONFIG_BYTES];
	uint8_t clear_mask[PCI_CONFIG_BYTES]; /* write 1 to clear */
	struct pci_bar bars[PCI_BARS];
	struct pci_hook hooks[PCI_CAPS_MAX];
	uint32_t hook_count;
	struct pci_msix msix;
	_Atomic uint32_t bus_master; /* as msix.enabled */

	uint32_t has_pin;
	uint64_t line;
	_Atomic uint32_t intx_off; /* command bit 10; written under bus->lock, then intx_update() */
	uint32_t pin;              /* level set by the owner; guarded by irq_lock */
	uint32_t line_level;       /* likewise */
};

struct pci_bus {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_log log;
	struct vmm_machine machine;
	struct vmm_acpi acpi;
	struct vmm_layout layout;

	pthread_mutex_t write_lock; /* see above */
	pthread_mutex_t lock;
	pthread_mutex_t irq_lock;

	_Atomic uint32_t address; /* the register at CF8; relaxed: guests lock around it */
	struct pci_function *slots[PCI_SLOTS];
	uint64_t region_address;
	uint64_t region_data;
	uint64_t region_ecam;
};

/* Little-endian numbers in configuration space. */
static inline uint32_t pci_get(const uint8_t *at, uint32_t bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

static inline void pci_put(uint8_t *at, uint32_t bytes, uint64_t value)
{
	for (; bytes--; value >>= 8)
		*at++ = (uint8_t)value;
}

/* pci_plugin.c */
int32_t pci_request_copy(void *copy, uint64_t copy_bytes, const void *request);

/* pci_bus.c */
int32_t pci_bus_realize(struct pci_bus *bus, struct vmm_error *error);
void pci_bus_unrealize(struct pci_bus *bus);
extern const struct vmm_pci_bus pci_bus_table;

/* pci_function.c */
int32_t pci_function_create(struct pci_bus *bus, const struct vmm_pci_function *what,
	struct pci_function **ret_function);
void pci_function_destroy(struct pci_function *function);

/* pci_config.c */
uint32_t pci_config_read(struct pci_function *function, uint32_t offset, uint32_t width);
void pci_config_write(
	struct pci_function *function, uint32_t offset, uint32_t width, uint32_t value);

/* pci_bar.c */
int32_t pci_bar_add(
	struct pci_function *function, const struct vmm_pci_bar *what, struct vmm_error *error);
void pci_bar_remove(struct pci_function *function, struct pci_bar *bar);
void pci_bar_written(struct pci_function *function, uint32_t offset, uint32_t width);
void pci_bars_decode(struct pci_function *function);

/* pci_msix.c */
int32_t pci_msix_add(
	struct pci_function *function, uint32_t vectors, uint32_t bar, struct vmm_error *error);
void pci_msix_remove(struct pci_function *function);
void pci_msix_body(const struct pci_msix *msix, uint8_t body[10]);
void pci_msix_control(struct pci_function *function, uint32_t control);
void pci_msix_update(struct pci_function *function);

/* pci_intx.c */
int32_t pci_intx_add(struct pci_function *function, struct vmm_error *error);
void pci_intx_remove(struct pci_function *function);
void pci_intx_set(struct pci_function *function, uint32_t level);
void pci_intx_update(struct pci_function *function);
uint32_t pci_intx_status(struct pci_function *function);

/* pci_acpi.c */
int32_t pci_acpi_add(struct pci_bus *bus, struct vmm_error *error);

#endif
