/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device behind the transport, whatever the guest reaches it by: its register file, its queues
 * and its state machine. pci.c and mmio.c translate accesses of the guest to what is declared here.
 *
 * Who owns what. vCPU threads write the register file, under `lock`. Rings and everything that
 * calls the device plugin belong to the device's loop, or to a vCPU while it has borrowed that:
 * below, [loop] means either. The two meet in three places: `work`, bits under the lock that say
 * what the loop is to do, with an eventfd to wake it; `gate`, an atomic that stops ring work at
 * once; and the interrupt state, with a lock of its own.
 *
 * Order of locks: nothing that takes another lock is called under `lock`; under irq.lock only
 * the bus is called, for the level of the line.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <vmm/support.h>

#include "look.h"
#include "ring.h"
#include "wire.h"

#define TRANSPORT_FEATURES                                                                         \
	(VMM_VIRTIO_F_INDIRECT_DESC | VMM_VIRTIO_F_EVENT_IDX | VMM_VIRTIO_F_VERSION_1)
#define FEATURE_WORDS 4u /* of 32 bits that the driver may write; only the first two have any */

#define QUEUES_MAX       1024u /* doorbells in a page of the PCI BAR */
#define CONFIG_BYTES_MAX 2048u

struct vio_device;
struct vio_transport;

/** Registers that both transports have, by meaning. */
enum vio_register {
	REG_NONE = 0,
	REG_DEVICE_FEATURE_SELECT,
	REG_DEVICE_FEATURE,
	REG_DRIVER_FEATURE_SELECT,
	REG_DRIVER_FEATURE,
	REG_CONFIG_VECTOR,
	REG_NUM_QUEUES,
	REG_STATUS,
	REG_GENERATION,
	REG_QUEUE_SELECT,
	REG_QUEUE_SIZE,
	REG_QUEUE_SIZE_MAX,
	REG_QUEUE_VECTOR,
	REG_QUEUE_ENABLE,
	REG_QUEUE_NOTIFY_OFF,
	REG_QUEUE_DESC_LOW,
	REG_QUEUE_DESC_HIGH,
	REG_QUEUE_DRIVER_LOW,
	REG_QUEUE_DRIVER_HIGH,
	REG_QUEUE_DEVICE_LOW,
	REG_QUEUE_DEVICE_HIGH,
};

/** What the driver wrote about a queue. Under the device's lock. */
struct vio_queue_registers {
	uint32_t size;
	bool enabled;
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
};

struct vio_queue {
	struct vio_device *device;
	uint32_t index;
	uint32_t size_max;
	struct vio_queue_registers registers;
	_Atomic uint32_t vector; /* MSI-X vector or NO_VECTOR; relaxed, a value by itself */

	/* Set by attach. */
	int32_t doorbell_fd; /* the bus's, which KVM signals; ours if the device has serve() */
	uint64_t doorbell;
	uint64_t watch;
	bool watched;

	/* The loop's. */
	struct virtq ring;
	struct vio_look look;
	bool live;  /* activated with the queue enabled */
	bool given; /* a kernel back end has the ring and the doorbell */
	bool notifying;
	int32_t relay_fd; /* eventfd whose signals we turn into interrupts; -1: none */
	uint64_t relay_watch;
};

/* Bits of work for the loop. */
#define WORK_ACTIVATE 0x1u  /* DRIVER_OK was written */
#define WORK_RESET    0x2u  /* status 0 was written */
#define WORK_RESCAN   0x4u  /* DMA is allowed again: look at all queues */
#define WORK_CONFIG   0x8u  /* the driver wrote config space */
#define WORK_STOP     0x10u /* the machine stops */
#define WORK_TAKE     0x20u /* the gate was closed: kernel back ends have to stop, too */

/* Bits of the gate: rings are not touched while one is set. */
#define GATE_NO_DMA 0x1u /* the guest forbids it */
#define GATE_RESET  0x2u /* a reset was asked for and is not done */
#define GATE_BROKEN 0x4u /* DEVICE_NEEDS_RESET is set */
#define GATE_STOP   0x8u /* the machine stops */

/** The register file but for queues. Under the device's lock. */
struct vio_registers {
	uint32_t status;
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint32_t driver_features[FEATURE_WORDS];
	uint32_t queue_select;
	bool resetting; /* status 0 was written; reads as what it was until that is done */
};

/** Device configuration space. Under the device's lock but for `seen`. */
struct vio_config {
	uint32_t bytes;
	uint8_t *device;                   /* as the device plugin set it */
	uint8_t *shadow;                   /* as the guest sees it: what it wrote is in it */
	uint8_t *write_mask;               /* bits that the driver may write */
	uint8_t *seen;                     /* the loop's copy of the shadow, for config_written */
	uint32_t written_from, written_to; /* what the driver wrote; from == to: nothing */
	_Atomic bool written;              /* likewise: the loop looks without the lock */
	uint32_t generation;
	bool changed; /* since the generation was read */
};

/** Interrupts without MSI-X: causes, and the level of a line that follows from them. */
struct vio_irq {
	pthread_mutex_t lock; /* makes causes and line change as one; innermost but for the bus */
	uint32_t causes;      /* ISR_... */
	_Atomic uint32_t config_vector; /* MSI-X vector or NO_VECTOR; relaxed */
	_Atomic uint32_t msix;          /* 1: the guest enabled MSI-X; relaxed */
	uint32_t vector_count;
	int32_t *vector_fds;
};

/** What a bus adds: a table. */
struct vio_bus {
	/** Makes the device visible: registers, doorbells, vectors, the DMA space. */
	int32_t (*attach)(
		struct vio_device *d, const struct vmm_virtio_device *request, uint64_t *ret_space);
	/** Undoes attach, whole or half done. */
	void (*detach)(struct vio_device *d);
	/** Sets the level of the device's line. [any], under irq.lock */
	void (*set_line)(struct vio_device *d, uint32_t level);
};

struct vio_device {
	struct vio_transport *transport;
	struct vio_device *next; /* in the transport's list */
	char *name;

	/* From the request; constant. */
	vmm_host *owner; /* whose loop and log lines these are */
	uint64_t loop;
	const struct vmm_virtio_ops *ops;
	struct vmm_virtio_ops ops_copy;
	void *ctx;
	uint32_t device_id;
	uint64_t offered;

	struct ram_map ram; /* constant */
	uint32_t queue_count;
	struct vio_queue *queues;
	struct vio_irq irq;
	_Atomic uint32_t gate; /* GATE_...; a bit that vCPUs set, release, is seen by the loop */

	pthread_mutex_t lock;     /* guards registers, queue registers, config and work */
	pthread_cond_t reset_end; /* with lock: resetting became false */
	struct vio_registers registers;
	struct vio_config config;
	uint32_t work;

	int32_t work_fd; /* an eventfd: there is work; -1: not made yet */
	uint64_t work_watch;
	bool work_watched;

	/* The loop's. */
	bool active;       /* activate succeeded, reset is not done */
	bool reset_called; /* reset returned VMM_PENDING */
	bool stopping;
	bool attached; /* false: detached, kept until the transport goes */

	void *bus; /* of the bus's attach */
};

/*
 * ---- registers.c: the register file [vcpu] ----
 */
uint32_t vio_register_read(struct vio_device *d, enum vio_register reg);
void vio_register_write(struct vio_device *d, enum vio_register reg, uint32_t value);

/** The driver stops using a queue that it enabled by mistake; before DRIVER_OK only. */
void vio_queue_disable(struct vio_device *d);

/** Back to what the device was when it was attached. Under lock. [config] [loop] */
void vio_registers_reset_locked(struct vio_device *d);

/** Waits for a reset that was asked for to be done, within a limit. */
void vio_reset_wait(struct vio_device *d);

/** Adds bits of work and wakes the loop. It cannot fail: a reset must not need memory. [any] */
void vio_work_add(struct vio_device *d, uint32_t work);

/** The doorbell of a queue was written, and the kernel did not handle it. [vcpu] */
void vio_doorbell_ring(struct vio_device *d, uint64_t queue);

/*
 * ---- config.c: device configuration space ----
 */
int32_t vio_config_init(struct vio_config *config, const struct vmm_virtio_device *request);
void vio_config_fini(struct vio_config *config);
void vio_config_reset_locked(struct vio_config *config);

/** The generation that the driver is to see. Under lock. [vcpu] */
uint32_t vio_config_generation_locked(struct vio_config *config);

/** Accesses of the driver; width is 1, 2, 4 or 8. Outside: 0, ignored. [vcpu] */
uint64_t vio_config_read(struct vio_device *d, uint64_t offset, uint32_t width);
void vio_config_write(struct vio_device *d, uint64_t offset, uint32_t width, uint64_t value);

/** The device changes it. VMM_E_RANGE: outside. [config] [loop] */
int32_t vio_config_update(
	struct vio_device *d, uint32_t offset, const uint8_t *data, uint32_t bytes);

/** Tells the device what the driver wrote. [loop] */
void vio_config_deliver(struct vio_device *d);

/*
 * ---- interrupt.c ----
 */
int32_t vio_irq_init(struct vio_irq *irq);
void vio_irq_fini(struct vio_irq *irq);
void vio_irq_queue(struct vio_queue *queue);             /* [loop] */
void vio_irq_config(struct vio_device *d);               /* [loop] */
uint32_t vio_irq_causes(struct vio_device *d);           /* [vcpu] */
uint32_t vio_irq_take(struct vio_device *d);             /* reads and clears. [vcpu] */
void vio_irq_ack(struct vio_device *d, uint32_t causes); /* [vcpu] */

/** The vector that a register then shows: NO_VECTOR if there is no such one. [vcpu] */
uint32_t vio_irq_vector(const struct vio_device *d, uint32_t value);

/** The eventfd of the queue's vector while interrupts go by MSI-X, else -1. [loop] */
int32_t vio_irq_queue_fd(const struct vio_queue *queue);

/** Signals an eventfd. [any] */
void vio_signal(int32_t fd);

/*
 * ---- lifecycle.c: activation, reset, notifications [loop] ----
 */
void vio_work_cb(void *ctx, int32_t fd, uint32_t events);
void vio_doorbell_cb(void *ctx, int32_t fd, uint32_t events);
void vio_reset_done(struct vio_device *d);

/** Sets DEVICE_NEEDS_RESET; text says why. */
void vio_break(struct vio_device *d, const char *text);

/*
 * ---- queue.c: what devices do with rings [loop] ----
 */
int32_t vio_queue_pop(struct vio_queue *queue, struct vmm_virtio_chain *chain);
void vio_queue_flush(struct vio_queue *queue);
void vio_queue_notify(struct vio_queue *queue);

/** Has the device serve the queue on this vCPU, which has borrowed the loop. False: the loop is to
 * be woken for it. */
bool vio_queue_serve(struct vio_queue *queue);
int32_t vio_queue_give(struct vio_queue *queue, struct vmm_virtio_ring *ret_ring);
int32_t vio_queue_take(struct vio_queue *queue, uint32_t next_available);

/** Ends use of the ring by whoever has it. */
void vio_queue_stop(struct vio_queue *queue);

/** True while the ring may be touched. */
static inline bool vio_gate_open(const struct vio_device *d)
{
	return !atomic_load_explicit(&d->gate, memory_order_acquire);
}

#endif
