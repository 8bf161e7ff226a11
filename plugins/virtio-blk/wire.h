/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a block device and its driver say to each other (virtio 1.2, 5.2), as bytes: request header,
 * segments of discard and write zeroes, config space. No behaviour.
 */
#ifndef VIRTIO_BLK_WIRE_H
#define VIRTIO_BLK_WIRE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#define BLK_SECTOR_BYTES 512u

#define BLK_DEVICE_ID 2u

/* Feature bits (5.2.3). */
#define BLK_F_SIZE_MAX     (1ull << 1)
#define BLK_F_SEG_MAX      (1ull << 2)
#define BLK_F_RO           (1ull << 5)
#define BLK_F_BLK_SIZE     (1ull << 6)
#define BLK_F_FLUSH        (1ull << 9)
#define BLK_F_TOPOLOGY     (1ull << 10)
#define BLK_F_CONFIG_WCE   (1ull << 11)
#define BLK_F_MQ           (1ull << 12)
#define BLK_F_DISCARD      (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

/* Types of requests (5.2.6). */
#define BLK_T_IN           0u
#define BLK_T_OUT          1u
#define BLK_T_FLUSH        4u
#define BLK_T_GET_ID       8u
#define BLK_T_DISCARD      11u
#define BLK_T_WRITE_ZEROES 13u

/* The status byte. */
#define BLK_S_OK     0u
#define BLK_S_IOERR  1u
#define BLK_S_UNSUPP 2u

#define BLK_ID_BYTES 20u

/* Little-endian integers; le32toh() and friends read them. */
typedef uint16_t blk_le16;
typedef uint32_t blk_le32;
typedef uint64_t blk_le64;

struct blk_wire_header {
	blk_le32 type;
	blk_le32 reserved; /* was ioprio */
	blk_le64 sector;
} __attribute__((packed));
_Static_assert(sizeof(struct blk_wire_header) == 16, "request header");

#define BLK_SEGMENT_UNMAP 0x1u

/** A range of discard and write zeroes. */
struct blk_wire_segment {
	blk_le64 sector;
	blk_le32 num_sectors;
	blk_le32 flags;
} __attribute__((packed));
_Static_assert(sizeof(struct blk_wire_segment) == 16, "segment");

/** Config space (5.2.4). */
struct blk_wire_config {
	blk_le64 capacity; /* sectors */
	blk_le32 size_max;
	blk_le32 seg_max;
	blk_le16 cylinders;
	uint8_t heads;
	uint8_t sectors;
	blk_le32 blk_size;
	uint8_t physical_block_exp;
	uint8_t alignment_offset;
	blk_le16 min_io_size;
	blk_le32 opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	blk_le16 num_queues;
	blk_le32 max_discard_sectors;
	blk_le32 max_discard_seg;
	blk_le32 discard_sector_alignment;
	blk_le32 max_write_zeroes_sectors;
	blk_le32 max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
} __attribute__((packed));
_Static_assert(sizeof(struct blk_wire_config) == 60, "config space");
_Static_assert(offsetof(struct blk_wire_config, blk_size) == 20, "blk_size");
_Static_assert(offsetof(struct blk_wire_config, writeback) == 32, "writeback");
_Static_assert(offsetof(struct blk_wire_config, max_discard_sectors) == 36, "discard");
_Static_assert(offsetof(struct blk_wire_config, write_zeroes_may_unmap) == 56, "unmap");

#endif
