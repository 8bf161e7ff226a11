/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio transport of the test's own: chains are handed to the device just as the test makes
 * them, and what it gives back is written down in its order. There are no rings and no registers in
 * it; the real transport is tested elsewhere. One device, on the main loop.
 */
#ifndef TEST_FAKE_TRANSPORT_H
#define TEST_FAKE_TRANSPORT_H

#include <vmm/testkit/host.h>

#define TRANSPORT_TYPE "test-transport"

#define TRANSPORT_QUEUES  16u
#define TRANSPORT_CHAINS  2048u /* that can be there at a time, used or not */
#define TRANSPORT_BUFFERS 64u   /* in a chain, unless `many` is set */

struct transport_chain {
	uint32_t readable;
	uint32_t writable;
	struct vmm_iovec iov[TRANSPORT_BUFFERS];
	const struct vmm_iovec *many; /* used instead of iov */
};

struct transport_used {
	uint32_t queue;
	uint32_t id;
	uint64_t written;
};

struct transport {
	vmm_host *host;
	struct vmm_loop loop;
	struct vmm_virtio_device device;
	uint8_t config[256], mask[256];
	uint16_t sizes[TRANSPORT_QUEUES];
	int is_attached;

	struct transport_chain chains[TRANSPORT_CHAINS]; /* by id */
	uint32_t chain_count;
	uint32_t pending[TRANSPORT_QUEUES][TRANSPORT_CHAINS];
	uint32_t head[TRANSPORT_QUEUES], tail[TRANSPORT_QUEUES];
	uint8_t in_flight[TRANSPORT_CHAINS];

	struct transport_used used[TRANSPORT_CHAINS]; /* pushed, in their order */
	uint32_t pushed, shown;
	uint32_t flushes, pops, unpops, kicks, config_updates, notified_updates, resets_done;
	uint32_t mistakes; /* of the device: what the real transport would refuse */
	int reset_result;
	void (*on_push)(void *ctx, uint32_t id);
	void *on_push_ctx;
};

extern const struct vmm_device_type transport_type;

/** Puts a chain into a queue; the number of it. No doorbell. Buffers of 0 bytes are left out. */
uint32_t transport_add(struct transport *transport, uint32_t queue, const struct vmm_iovec *iov,
	uint32_t readable, uint32_t writable);

/** Forgets all chains, as a driver does that has reset the device. */
void transport_forget(struct transport *transport);

/** Has the device serve a queue, as the vCPU that rang its doorbell; what serve() returned. */
uint32_t transport_serve(struct transport *transport, uint32_t queue);

/* The following have the device called on the loop, at its next turn. */
void transport_notify(struct transport *transport, uint32_t queue);
void transport_activate(struct transport *transport, uint64_t features);
void transport_reset(struct transport *transport);
void transport_write_config(struct transport *transport, uint32_t offset, uint8_t value);

#endif
