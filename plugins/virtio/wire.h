/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What virtio 1.2 fixes about the layout of registers and rings that both transports share: names
 * and structs only. All numbers are little-endian, as is every host that this is built for.
 */
#ifndef VIRTIO_WIRE_H
#define VIRTIO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <vmm/types.h>

VMM_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, host_is_little_endian);

/* Device status (2.1). */
#define STATUS_ACKNOWLEDGE 0x01u
#define STATUS_DRIVER      0x02u
#define STATUS_DRIVER_OK   0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_FAILED      0x80u

/* Interrupt causes: ISR status (4.1.4.5) and InterruptStatus (4.2.2). */
#define ISR_QUEUE  0x1u
#define ISR_CONFIG 0x2u

/* MSI-X vector registers: none (4.1.5.1.2.1). */
#define NO_VECTOR 0xffffu

/* Split virtqueues (2.7). */
#define DESC_NEXT          0x1u
#define DESC_WRITE         0x2u
#define DESC_INDIRECT      0x4u
#define AVAIL_NO_INTERRUPT 0x1u
#define USED_NO_NOTIFY     0x1u

#define QUEUE_SIZE_MAX 32768u

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
VMM_ASSERT_SIZE(virtq_desc, 16);
VMM_ASSERT_OFFSET(virtq_desc, addr, 0);
VMM_ASSERT_OFFSET(virtq_desc, len, 8);
VMM_ASSERT_OFFSET(virtq_desc, flags, 12);
VMM_ASSERT_OFFSET(virtq_desc, next, 14);

/* Behind ring[size] is used_event. */
struct virtq_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};
VMM_ASSERT_SIZE(virtq_avail, 4);

struct virtq_used_elem {
	uint32_t id;
	uint32_t len;
};
VMM_ASSERT_SIZE(virtq_used_elem, 8);

/* Behind ring[size] is avail_event. */
struct virtq_used {
	uint16_t flags;
	uint16_t idx;
	struct virtq_used_elem ring[];
};
VMM_ASSERT_SIZE(virtq_used, 4);

#endif
