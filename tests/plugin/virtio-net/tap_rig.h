/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card on a real tap device, "tap7", in a network namespace of the test's own. What the
 * host sends and sees is a packet socket on the device.
 */
#ifndef TEST_VIRTIO_NET_TAP_RIG_H
#define TEST_VIRTIO_NET_TAP_RIG_H

#include "rig.h"

#define TAP_MERGE (RIG_PLAIN | RIG_F_MRG_RXBUF)

/* Exit status that ctest takes for "skipped". */
#define TAP_SKIPPED 77

/* Options of a card whose frames pass through the plugin. */
#define TAP_OPTIONS "backend=tap", "vhost=off"

struct table {
	struct rig *rig;
	int end; /* the host's */
};

/** To be called first: enters the namespace. 0: there are no taps here, the reason was printed. */
int tap_possible(void);

/** An fd of "tap7" with these flags of TUNSETIFF. */
int tap_fd(short flags);

void tap_set_up(bool up);
void tap_delete(void);

/** A card and its driver; the device is up. */
struct table tap_open(const char *const *options, uint64_t features);
void tap_close(struct table *table);

/** A frame for the guest. */
uint32_t tap_frame(uint8_t *frame, uint32_t bytes, uint8_t fill);
void tap_host_send(int end, uint32_t bytes, uint8_t fill);

/** The frame in the rig is one of these; the kernel sends some of its own. */
bool tap_is_ours(const struct rig *rig);

/** Next frame that tap_host_send() sent. */
void tap_receive(struct rig *rig, uint32_t pair);

/** What the guest sees of the link. */
uint64_t tap_link(struct rig *rig);

/** Frames pass both ways. */
void tap_carries(struct table *table, uint32_t bytes);

#endif
