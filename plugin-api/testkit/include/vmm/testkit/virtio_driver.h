/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of virtio 1.2: what a driver does with a device behind the virtio transport,
 * over the accesses of a fake host: find it, negotiate, lay out queues in the fake RAM, add chains,
 * kick, reap. It behaves like a good driver unless the test uses the raw functions; it is not a
 * test by itself. Numbers in guest memory are little-endian, and so is the test's machine.
 *
 * A request in short:
 *
 *	struct fake_virtio dev;
 *	fake_virtio_find(host, 4, 0, 0x100000, 0x100000, &dev);
 *	fake_virtio_init(&dev, FAKE_VIRTIO_ALL);
 *	uint64_t gpa = fake_virtio_alloc(&dev, 64, 16);
 *	struct fake_virtio_buffer in = {gpa, 64, 1};
 *	fake_virtio_add(&dev, 0, &in, 1, 0);
 *	fake_virtio_kick(&dev, 0);
 *	uint32_t bytes = fake_virtio_wait(&dev, 0, NULL);
 *	fake_virtio_fini(&dev);
 *
 * A driver is used by one thread at a time; different drivers may be used by different threads.
 */
#ifndef VMM_TESTKIT_VIRTIO_DRIVER_H
#define VMM_TESTKIT_VIRTIO_DRIVER_H

#include <vmm/testkit/host.h>
#include <vmm/testkit/pci_driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Device status bits (virtio 1.2, 2.1). */
#define FAKE_VIRTIO_ACKNOWLEDGE 0x01u
#define FAKE_VIRTIO_DRIVER      0x02u
#define FAKE_VIRTIO_DRIVER_OK   0x04u
#define FAKE_VIRTIO_FEATURES_OK 0x08u
#define FAKE_VIRTIO_NEEDS_RESET 0x40u
#define FAKE_VIRTIO_FAILED      0x80u

/* Descriptor flags (2.7.5). */
#define FAKE_VIRTIO_NEXT     0x1u
#define FAKE_VIRTIO_WRITE    0x2u
#define FAKE_VIRTIO_INDIRECT 0x4u

#define FAKE_VIRTIO_NO_VECTOR 0xffffu
#define FAKE_VIRTIO_ALL       UINT64_MAX /* accept every feature that is offered */
#define FAKE_VIRTIO_QUEUES    64u        /* most queues that the driver lays out */
#define FAKE_VIRTIO_SIZE_MAX  256u       /* largest queue that fake_virtio_init() makes */

/* Registers, for fake_virtio_reg_read() and _write(): offsets in the common configuration
 * structure (4.1.4.3); with virtio-mmio they are translated, vectors to nothing. */
#define FAKE_VIRTIO_REG_DEVICE_FEATURE_SELECT 0x00u
#define FAKE_VIRTIO_REG_DEVICE_FEATURE        0x04u
#define FAKE_VIRTIO_REG_DRIVER_FEATURE_SELECT 0x08u
#define FAKE_VIRTIO_REG_DRIVER_FEATURE        0x0cu
#define FAKE_VIRTIO_REG_CONFIG_VECTOR         0x10u
#define FAKE_VIRTIO_REG_NUM_QUEUES            0x12u
#define FAKE_VIRTIO_REG_STATUS                0x14u
#define FAKE_VIRTIO_REG_GENERATION            0x15u
#define FAKE_VIRTIO_REG_QUEUE_SELECT          0x16u
#define FAKE_VIRTIO_REG_QUEUE_SIZE            0x18u
#define FAKE_VIRTIO_REG_QUEUE_VECTOR          0x1au
#define FAKE_VIRTIO_REG_QUEUE_ENABLE          0x1cu
#define FAKE_VIRTIO_REG_QUEUE_NOTIFY_OFF      0x1eu
#define FAKE_VIRTIO_REG_QUEUE_DESC            0x20u /* 64 bits */
#define FAKE_VIRTIO_REG_QUEUE_DRIVER          0x28u
#define FAKE_VIRTIO_REG_QUEUE_DEVICE          0x30u

/** A structure of virtio-pci: where a capability says that it is. */
struct fake_virtio_window {
	uint32_t bar;
	uint32_t cap; /* offset of the capability; 0: there is none */
	uint64_t offset;
	uint64_t bytes;
};

/** A queue as the driver keeps it. size 0: not set up. */
struct fake_virtio_queue {
	uint32_t size;
	uint32_t vector; /* MSI-X vector or FAKE_VIRTIO_NO_VECTOR */
	uint64_t desc;   /* guest physical addresses of the three areas */
	uint64_t avail;
	uint64_t used;
	uint64_t indirect;    /* a table of descriptors for each descriptor */
	uint16_t avail_index; /* what the driver made available */
	uint16_t used_index;  /* what it has reaped */
	uint16_t kicked;      /* avail_index at the last kick */
	uint16_t free_count;
	uint16_t *next;   /* by descriptor: the next of a free list or chain */
	uint16_t *length; /* by head: descriptors in the chain */
	uint16_t free_head;
	uint16_t reserved[3];
};

/** A driver and its device. */
struct fake_virtio {
	struct fake_host *host;
	struct fake_pci_device pci;
	uint64_t mmio; /* base address of virtio-mmio; 0: virtio-pci */
	struct fake_virtio_window common, notify, isr, config, pci_cfg;
	struct fake_virtio_window notify_more; /* the second one, which no driver needs */
	uint32_t notify_multiplier;
	uint32_t msix; /* 1: MSI-X is in use */
	uint64_t features;
	uint32_t queue_count;
	uint32_t msi_base; /* message data of vector 0, then rising by one */
	struct fake_virtio_queue queues[FAKE_VIRTIO_QUEUES];
	uint64_t ram_start;
	uint64_t ram_next; /* fake_virtio_alloc() */
	uint64_t ram_end;
};

/** A buffer of a chain. */
struct fake_virtio_buffer {
	uint64_t gpa;
	uint32_t bytes;
	uint32_t write; /* 1: the device writes it */
};

/*
 * ---- Finding and initialising ----
 */

/**
 * Finds the nth virtio-pci device with that virtio device id, enables decode and bus master and
 * reads its capabilities. The driver lays out queues and buffers in [ram, ram + ram_bytes). Fails
 * the test if there is none.
 */
void fake_virtio_find(struct fake_host *host, uint32_t device_id, uint32_t nth, uint64_t ram,
	uint64_t ram_bytes, struct fake_virtio *ret_driver);

/** The same for virtio-mmio. */
void fake_virtio_find_mmio(struct fake_host *host, uint32_t device_id, uint32_t nth, uint64_t ram,
	uint64_t ram_bytes, struct fake_virtio *ret_driver);

/** Frees what the driver has. The device is left as it is. */
void fake_virtio_fini(struct fake_virtio *driver);

/** All of what follows up to DRIVER_OK: reset, features (those of `features` that are offered),
 * all queues with a vector each and as large as they can be up to FAKE_VIRTIO_SIZE_MAX. Fails the
 * test if the device does not follow. */
void fake_virtio_init(struct fake_virtio *driver, uint64_t features);

/** Resets and waits until the device says that it is done; forgets queues and allocations. */
void fake_virtio_reset(struct fake_virtio *driver);

/** Features that the device offers. */
uint64_t fake_virtio_offered(struct fake_virtio *driver);

/** ACKNOWLEDGE, DRIVER, the features exactly as given, FEATURES_OK. 1: the device agreed. */
int fake_virtio_negotiate(struct fake_virtio *driver, uint64_t features);

/** Switches MSI-X on (1) or off, and programs its vectors. virtio-mmio: nothing. */
void fake_virtio_use_msix(struct fake_virtio *driver, int enable);

/** Lays a queue out and enables it. size 0: as large as it can be. */
void fake_virtio_queue_setup(
	struct fake_virtio *driver, uint32_t queue, uint32_t size, uint32_t vector);

/** DRIVER_OK; runs the loops until the device has settled. */
void fake_virtio_driver_ok(struct fake_virtio *driver);

/*
 * ---- Memory ----
 */

/** Guest memory that is zero. Valid until reset. */
uint64_t fake_virtio_alloc(struct fake_virtio *driver, uint64_t bytes, uint64_t align);

/** The same with a copy of data in it. */
uint64_t fake_virtio_put(struct fake_virtio *driver, const void *data, uint64_t bytes);

/*
 * ---- Requests ----
 */

#define FAKE_VIRTIO_ADD_INDIRECT 0x1u /* the chain goes to an indirect table */

/** Makes a chain of the buffers and puts it into the available ring; no kick. Returns its head. */
uint32_t fake_virtio_add(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count, uint32_t flags);

/** Rings the doorbell of a queue. */
void fake_virtio_kick(struct fake_virtio *driver, uint32_t queue);

/** Rings it if the device wants that for what was added since the last kick; 1: it was rung. */
int fake_virtio_kick_if_wanted(struct fake_virtio *driver, uint32_t queue);

/** Takes one entry off the used ring and frees its descriptors; 0: there is none. */
int fake_virtio_reap(
	struct fake_virtio *driver, uint32_t queue, uint32_t *ret_head, uint32_t *ret_bytes);

/** Runs the loops until there is one and takes it. Returns the bytes written; fails the test after
 * 5 seconds. ret_head may be NULL. */
uint32_t fake_virtio_wait(struct fake_virtio *driver, uint32_t queue, uint32_t *ret_head);

/** add, kick, wait. */
uint32_t fake_virtio_request(struct fake_virtio *driver, uint32_t queue,
	const struct fake_virtio_buffer *buffers, uint32_t count);

/** Interrupts by MSI-X that came for a queue (or the config vector) since the host was made. */
uint64_t fake_virtio_interrupts(struct fake_virtio *driver, uint32_t queue);
uint64_t fake_virtio_config_interrupts(struct fake_virtio *driver);

/** Interrupt suppression by the driver: avail.flags, and used_event with the event index. */
void fake_virtio_set_avail_flags(struct fake_virtio *driver, uint32_t queue, uint16_t flags);
void fake_virtio_set_used_event(struct fake_virtio *driver, uint32_t queue, uint16_t event);

/*
 * ---- Raw access ----
 */

/** A register by its FAKE_VIRTIO_REG_...; width as the test likes, good drivers use the field's. */
uint64_t fake_virtio_reg_read(struct fake_virtio *driver, uint32_t reg, uint32_t width);
void fake_virtio_reg_write(
	struct fake_virtio *driver, uint32_t reg, uint32_t width, uint64_t value);

uint32_t fake_virtio_status(struct fake_virtio *driver);
void fake_virtio_set_status(struct fake_virtio *driver, uint32_t status);

/** Reads the ISR status (and, virtio-mmio, acknowledges it). */
uint32_t fake_virtio_isr(struct fake_virtio *driver);

/** Device configuration space. width 1, 2, 4 or 8. */
uint64_t fake_virtio_config_read(struct fake_virtio *driver, uint32_t offset, uint32_t width);
void fake_virtio_config_write(
	struct fake_virtio *driver, uint32_t offset, uint32_t width, uint64_t value);

/** Writes a descriptor of the queue's table. */
void fake_virtio_desc(struct fake_virtio *driver, uint32_t queue, uint32_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next);

/** Writes a descriptor of any table. */
void fake_virtio_desc_at(struct fake_virtio *driver, uint64_t table, uint32_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next);

/** Puts any number into the available ring as the next head. */
void fake_virtio_avail(struct fake_virtio *driver, uint32_t queue, uint16_t head);

/** Sets the index of the available ring as it is. */
void fake_virtio_avail_index(struct fake_virtio *driver, uint32_t queue, uint16_t index);

/** The index of the used ring as the device wrote it, and its entry behind the last reaped. */
uint16_t fake_virtio_used_index(struct fake_virtio *driver, uint32_t queue);

/** used.flags and avail_event as the device wrote them. */
uint16_t fake_virtio_used_flags(struct fake_virtio *driver, uint32_t queue);
uint16_t fake_virtio_avail_event(struct fake_virtio *driver, uint32_t queue);

#ifdef __cplusplus
}
#endif

#endif
