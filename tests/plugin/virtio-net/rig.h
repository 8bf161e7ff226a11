/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card on the fake host, and its driver: buffers for frames, frames out, frames in.
 */
#ifndef TEST_VIRTIO_NET_RIG_H
#define TEST_VIRTIO_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#define RIG_NET_ID    1u
#define RIG_HDR_BYTES 12u
#define RIG_FRAME_MAX 70000u

#define RIG_F_CSUM       (1ull << 0)
#define RIG_F_GUEST_CSUM (1ull << 1)
#define RIG_F_MTU        (1ull << 3)
#define RIG_F_MAC        (1ull << 5)
#define RIG_F_GUEST_TSO4 (1ull << 7)
#define RIG_F_HOST_TSO4  (1ull << 11)
#define RIG_F_MRG_RXBUF  (1ull << 15)
#define RIG_F_STATUS     (1ull << 16)
#define RIG_F_CTRL_VQ    (1ull << 17)
#define RIG_F_MQ         (1ull << 22)
#define RIG_F_INDIRECT   (1ull << 28)
#define RIG_F_EVENT_IDX  (1ull << 29)
#define RIG_F_VERSION_1  (1ull << 32)

/* What is needed to send and receive, and no more. */
#define RIG_PLAIN (RIG_F_VERSION_1 | RIG_F_MAC | RIG_F_STATUS | RIG_F_INDIRECT)

/* Where the device keeps status in its configuration. */
#define RIG_CONFIG_STATUS 6u

struct rig {
	struct fake_host *host;
	struct fake_virtio driver;
	uint32_t buffer_bytes;      /* of the last rig_fill() */
	uint32_t data;              /* bytes received behind the header */
	uint32_t num_buffers;       /* of the last frame */
	uint8_t hdr[RIG_HDR_BYTES]; /* likewise */
	uint64_t gpas[16][256];     /* by queue and head: where its buffer is */
	uint8_t frame[RIG_FRAME_MAX];
};

/** A host with bus and transport; flags are FAKE_.... */
struct rig *rig_host(uint32_t flags);

/** Adds the card "net0", "transport=v0" and options (FAKE_OPTIONS); starts, finds the driver's
 * side. Fails the test on an error. */
void rig_start(struct rig *rig, const char *const *options);

/** Both, and brings the driver up with the features that are offered of these. */
struct rig *rig_open(const char *const *options, uint64_t features);

/** The same with flags of the host. */
struct rig *rig_open_on(const char *const *options, uint64_t features, uint32_t flags);

void rig_close(struct rig *rig);

/** Sends header and frame as one buffer and waits until it is used. */
void rig_send(struct rig *rig, const void *frame, uint32_t bytes);
void rig_send_on(
	struct rig *rig, uint32_t pair, const void *hdr, const void *frame, uint32_t bytes);

/** Adds a buffer for frames, without and with a kick. */
void rig_post(struct rig *rig, uint32_t pair, uint32_t bytes);
void rig_kick_rx(struct rig *rig, uint32_t pair);
void rig_fill(struct rig *rig, uint32_t pair, uint32_t count, uint32_t bytes);

/** Takes a frame from the used ring; 0: there is none. The length is in rig->data. */
int rig_take(struct rig *rig, uint32_t pair);

/** Waits for a frame; fails the test after 5 seconds. */
void rig_receive(struct rig *rig, uint32_t pair);

/** The card answers: an ARP request for the router of the back end "user" comes back. */
void rig_is_alive(struct rig *rig);

/** The line that the card logs when it is destroyed says this; closes the rig. */
void rig_close_counts(struct rig *rig, const char *counts);

#endif
