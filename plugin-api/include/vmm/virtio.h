/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface "vmm.virtio/1": what a virtio transport plugin gives to virtio devices. The transport
 * parses all that the guest writes (rings, registers, capabilities); a device names its features
 * and its config space, pops checked chains of buffers, and pushes them back.
 *
 * A virtqueue in one paragraph (virtio 1.2, 2.7): the driver writes buffers as chains of
 * descriptors, puts the head of a chain into the available ring and rings a doorbell; the device
 * takes the head (pop), uses first the buffers it may read, then those it may write, puts the head
 * with the number of bytes written into the used ring (push), and interrupts (flush).
 *
 * What the transport does with a guest that breaks the rules: bad register accesses are ignored; a
 * chain that cannot be used is pushed back with length 0 and never reaches the device; a ring that
 * cannot be trusted sets DEVICE_NEEDS_RESET and stops the device until the driver resets it.
 *
 * All callbacks of a device, and all functions but attach and detach, are called on one thread:
 * the loop that attach was given. The exception is `serve`, which a device need not have.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <vmm/types.h>

#define VMM_VIRTIO_ID "vmm.virtio/1"

/* Feature bits that the transport offers by itself; a device leaves them out. */
#define VMM_VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VMM_VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VMM_VIRTIO_F_VERSION_1     (1ull << 32)

/** Callbacks of a device: a table. */
struct vmm_virtio_ops {
	uint64_t size;

	/** The driver is ready (DRIVER_OK) and accepted `features`; queues may be used. An error
	 * makes the device need a reset; `reset` is then not called for it. [loop] */
	int32_t (*activate)(void *ctx, uint64_t features);

	/** There may be chains in queue number `queue`: pop until it returns 0. Where the driver
	 * adds more meanwhile, it comes again at once. [loop] */
	void (*notify)(void *ctx, uint32_t queue);

	/**
	 * The driver resets the device, or the machine stops. Finish or cancel what is in flight;
	 * chains that are not pushed yet need not be. Returns 0 when done, or VMM_PENDING and calls
	 * reset_done later: until then the guest sees the reset as not finished. What the driver
	 * wrote to config space is taken back when it is. [loop]
	 */
	int32_t (*reset)(void *ctx);

	/** The driver wrote to config space; the bytes are in place. Optional. [loop] */
	void (*config_written)(void *ctx, uint32_t offset, uint32_t bytes, const uint8_t *config);

	/**
	 * As notify, but on the vCPU that rang the doorbell, while the loop does nothing: for a
	 * device that takes less time than waking its loop does. It may pop, unpop, push and flush,
	 * this queue only, and call what may be called on [any]. It takes what it can end at once,
	 * without waiting, and unpops what it cannot. Returns 0, or 1: there may be more, notify is
	 * to come. A device that has it is called so or by notify, as it happens. Where it is there
	 * each doorbell leaves the kernel; so a SERIAL device, whose loop is never borrowed, does
	 * without. Optional; since ABI 0.2. [vcpu]
	 */
	uint32_t (*serve)(void *ctx, uint32_t queue);
};
VMM_ASSERT_SIZE(vmm_virtio_ops, 48);
VMM_ASSERT_OFFSET(vmm_virtio_ops, size, 0);
VMM_ASSERT_OFFSET(vmm_virtio_ops, activate, 8);
VMM_ASSERT_OFFSET(vmm_virtio_ops, notify, 16);
VMM_ASSERT_OFFSET(vmm_virtio_ops, reset, 24);
VMM_ASSERT_OFFSET(vmm_virtio_ops, config_written, 32);
VMM_ASSERT_OFFSET(vmm_virtio_ops, serve, 40);

/** A device to attach: a request. */
struct vmm_virtio_device {
	uint64_t struct_size;
	vmm_host *owner;    /* the caller's host handle */
	const char *name;   /* for people: the device id; copied */
	uint64_t loop;      /* of vmm.loop own(): where all callbacks come */
	uint32_t device_id; /* virtio 1.2, 5: 1 net, 2 block, 4 entropy ... */
	uint32_t queue_count;
	const uint16_t *queue_sizes;      /* largest size of each queue, powers of 2; copied */
	uint64_t features;                /* device feature bits offered */
	const uint8_t *config;            /* config space; copied */
	const uint8_t *config_write_mask; /* bits that the driver may write; NULL: none; copied */
	uint32_t config_bytes;
	uint32_t slot;       /* place on the bus behind the transport, or VMM_VIRTIO_SLOT_AUTO */
	uint32_t class_code; /* PCI class code for transports that need one; 24 bits */
	uint32_t reserved;   /* 0 */
	const struct vmm_virtio_ops *ops; /* until detach */
	void *ctx;                        /* first argument of ops */
	struct vmm_error *error;
};
VMM_ASSERT_SIZE(vmm_virtio_device, 112);
VMM_ASSERT_OFFSET(vmm_virtio_device, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_virtio_device, owner, 8);
VMM_ASSERT_OFFSET(vmm_virtio_device, name, 16);
VMM_ASSERT_OFFSET(vmm_virtio_device, loop, 24);
VMM_ASSERT_OFFSET(vmm_virtio_device, device_id, 32);
VMM_ASSERT_OFFSET(vmm_virtio_device, queue_count, 36);
VMM_ASSERT_OFFSET(vmm_virtio_device, queue_sizes, 40);
VMM_ASSERT_OFFSET(vmm_virtio_device, features, 48);
VMM_ASSERT_OFFSET(vmm_virtio_device, config, 56);
VMM_ASSERT_OFFSET(vmm_virtio_device, config_write_mask, 64);
VMM_ASSERT_OFFSET(vmm_virtio_device, config_bytes, 72);
VMM_ASSERT_OFFSET(vmm_virtio_device, slot, 76);
VMM_ASSERT_OFFSET(vmm_virtio_device, class_code, 80);
VMM_ASSERT_OFFSET(vmm_virtio_device, reserved, 84);
VMM_ASSERT_OFFSET(vmm_virtio_device, ops, 88);
VMM_ASSERT_OFFSET(vmm_virtio_device, ctx, 96);
VMM_ASSERT_OFFSET(vmm_virtio_device, error, 104);

#define VMM_VIRTIO_SLOT_AUTO 0xffffffffu

/**
 * A chain of buffers: a result. iov is the caller's array; the first `readable` entries may be read
 * by the device, the next `writable` ones written. Entries of length 0 are left out and neighbours
 * may be joined. Buffers stay valid until push, unpop or the end of reset.
 */
struct vmm_virtio_chain {
	uint64_t struct_size;
	struct vmm_iovec *iov; /* set by the caller */
	uint32_t iov_max;      /* set by the caller */
	uint32_t readable;
	uint32_t writable;
	uint32_t id; /* for push and unpop */
	uint64_t readable_bytes;
	uint64_t writable_bytes;
};
VMM_ASSERT_SIZE(vmm_virtio_chain, 48);
VMM_ASSERT_OFFSET(vmm_virtio_chain, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_virtio_chain, iov, 8);
VMM_ASSERT_OFFSET(vmm_virtio_chain, iov_max, 16);
VMM_ASSERT_OFFSET(vmm_virtio_chain, readable, 20);
VMM_ASSERT_OFFSET(vmm_virtio_chain, writable, 24);
VMM_ASSERT_OFFSET(vmm_virtio_chain, id, 28);
VMM_ASSERT_OFFSET(vmm_virtio_chain, readable_bytes, 32);
VMM_ASSERT_OFFSET(vmm_virtio_chain, writable_bytes, 40);

/** One queue as a kernel back end (vhost) needs it: a result. */
struct vmm_virtio_ring {
	uint64_t struct_size;
	uint32_t queue_size;
	int32_t kick_fd;         /* eventfd that the driver's doorbell signals; the transport's */
	int32_t call_fd;         /* eventfd that interrupts the driver; the transport's */
	uint32_t next_available; /* index to start from */
	vmm_gpa desc_gpa;
	vmm_gpa avail_gpa;
	vmm_gpa used_gpa;
	void *desc; /* the same in this process, checked to be RAM as a whole */
	void *avail;
	void *used;
};
VMM_ASSERT_SIZE(vmm_virtio_ring, 72);
VMM_ASSERT_OFFSET(vmm_virtio_ring, struct_size, 0);
VMM_ASSERT_OFFSET(vmm_virtio_ring, queue_size, 8);
VMM_ASSERT_OFFSET(vmm_virtio_ring, kick_fd, 12);
VMM_ASSERT_OFFSET(vmm_virtio_ring, call_fd, 16);
VMM_ASSERT_OFFSET(vmm_virtio_ring, next_available, 20);
VMM_ASSERT_OFFSET(vmm_virtio_ring, desc_gpa, 24);
VMM_ASSERT_OFFSET(vmm_virtio_ring, avail_gpa, 32);
VMM_ASSERT_OFFSET(vmm_virtio_ring, used_gpa, 40);
VMM_ASSERT_OFFSET(vmm_virtio_ring, desc, 48);
VMM_ASSERT_OFFSET(vmm_virtio_ring, avail, 56);
VMM_ASSERT_OFFSET(vmm_virtio_ring, used, 64);

/** Table of functions. The first argument is the object of query_ref. */
struct vmm_virtio {
	uint64_t size;

	/** Puts a device behind the transport. [config], realize. */
	int32_t (*attach)(
		void *transport, const struct vmm_virtio_device *device, uint64_t *ret_device);

	/** Takes it away. reset has been called and is done. [config], unrealize. */
	void (*detach)(void *transport, uint64_t device);

	/**
	 * Takes the next chain. Returns 1 with *chain filled, or 0: none now, notify comes when
	 * there is one. One notify is given as many chains as the queue is long at most; for the
	 * rest it is called again, after other devices had their turn. Chains with more entries
	 * than iov_max are pushed back with length 0. [loop]
	 */
	int32_t (*pop)(
		void *transport, uint64_t device, uint32_t queue, struct vmm_virtio_chain *chain);

	/** Puts the last popped chain back unused; several in reverse order of pop. [loop] */
	int32_t (*unpop)(void *transport, uint64_t device, uint32_t queue, uint32_t id);

	/**
	 * Gives a chain back; written is the number of bytes really written from the start of its
	 * writable part. The driver sees it at the next flush. Any order. VMM_E_INVAL: not in
	 * flight, or more than the chain has. [loop]
	 */
	int32_t (*push)(
		void *transport, uint64_t device, uint32_t queue, uint32_t id, uint64_t written);

	/** Shows all pushed chains to the driver and interrupts it if it wants that; once pop has
	 * returned 0 in notify, the interrupt may wait until notify returns. The transport does
	 * both by itself after notify. [loop] */
	void (*flush)(void *transport, uint64_t device, uint32_t queue);

	/** Has notify called for the queue, soon: a back end has room again. [loop] */
	void (*kick)(void *transport, uint64_t device, uint32_t queue);

	/** Changes config space; notify_driver 1: with an interrupt. [config] [loop] */
	int32_t (*config_update)(void *transport, uint64_t device, uint32_t offset,
		const uint8_t *data, uint32_t bytes, uint32_t notify_driver);

	/** The reset that returned VMM_PENDING is done. [loop] */
	void (*reset_done)(void *transport, uint64_t device);

	/** Sets DEVICE_NEEDS_RESET: the device cannot go on. [loop] */
	void (*fail)(void *transport, uint64_t device);

	/**
	 * Hands a queue to a kernel back end: the transport does not touch ring or kick fd until
	 * ring_take. Where the driver forbids DMA, or the device has to be reset, the transport
	 * has queues taken back by reset, and activate at once. VMM_E_PHASE: that is so now.
	 * [loop], between activate and reset.
	 */
	int32_t (*ring_give)(
		void *transport, uint64_t device, uint32_t queue, struct vmm_virtio_ring *ret_ring);

	/** Takes a queue back; the back end stopped before entry next_available. [loop] */
	int32_t (*ring_take)(
		void *transport, uint64_t device, uint32_t queue, uint32_t next_available);
};
VMM_ASSERT_SIZE(vmm_virtio, 104);
VMM_ASSERT_OFFSET(vmm_virtio, size, 0);
VMM_ASSERT_OFFSET(vmm_virtio, attach, 8);
VMM_ASSERT_OFFSET(vmm_virtio, detach, 16);
VMM_ASSERT_OFFSET(vmm_virtio, pop, 24);
VMM_ASSERT_OFFSET(vmm_virtio, unpop, 32);
VMM_ASSERT_OFFSET(vmm_virtio, push, 40);
VMM_ASSERT_OFFSET(vmm_virtio, flush, 48);
VMM_ASSERT_OFFSET(vmm_virtio, kick, 56);
VMM_ASSERT_OFFSET(vmm_virtio, config_update, 64);
VMM_ASSERT_OFFSET(vmm_virtio, reset_done, 72);
VMM_ASSERT_OFFSET(vmm_virtio, fail, 80);
VMM_ASSERT_OFFSET(vmm_virtio, ring_give, 88);
VMM_ASSERT_OFFSET(vmm_virtio, ring_take, 96);

#endif
