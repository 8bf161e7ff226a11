/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether it pays to look at a ring for a moment before its driver is interrupted.
 *
 * A device that is faster than its driver empties the ring after each chain. Then each chain has a
 * doorbell, a wake-up and an interrupt, though the driver is busy adding the next one, and the
 * interrupt only keeps it from that. A moment's look finds that chain. But a driver that waits for
 * what it asked for adds nothing, and the look only makes it wait longer. Which of the two it is
 * shows by trying: whenever it notifies where that finds something, ever more seldom where it does
 * not. A look lasts four times as long as those that found something: at the end of each burst
 * there is one that does not.
 */
#ifndef VIRTIO_LOOK_H
#define VIRTIO_LOOK_H

#include <stdbool.h>
#include <stdint.h>

/** All 0 at the start. Of the loop. */
struct vio_look {
	uint32_t credit;    /* above 0: looks have found more than they missed */
	uint32_t skip;      /* notifications without a look that are still to come */
	uint32_t last_skip; /* what `skip` began with last */
	uint32_t readings;  /* that a look may take while there is credit */
};

/** A notification begins. True: it may look. */
bool vio_look_wanted(struct vio_look *look);

/** A doorbell could be served without the loop, which looks. True: that should look. */
bool vio_look_due(struct vio_look *look);

/** How often a look may read the driver's index, with a `pause` before each time. */
uint32_t vio_look_readings(const struct vio_look *look);

/** A look has ended after so many readings. */
void vio_look_ended(struct vio_look *look, bool found, uint32_t readings);

#endif
