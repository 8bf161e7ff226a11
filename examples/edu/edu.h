/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver needs to know of the edu device: ids, registers and vectors. The device, its tests
 * and the guest's driver share it.
 */
#ifndef EDU_H
#define EDU_H

#define EDU_VENDOR_ID 0x1234u /* nobody's */
#define EDU_DEVICE_ID 0xed00u

#define EDU_BAR          0u
#define EDU_MSIX_BAR     2u
#define EDU_BAR_BYTES    0x2000u
#define EDU_BUFFER       0x1000u /* from here on: the buffer, accessed in any width */
#define EDU_BUFFER_BYTES 0x1000u

/* Registers, 32 bits each; other widths are ignored. */
#define EDU_IDENT   0x00u /* EDU_IDENT_VALUE */
#define EDU_CHECK   0x04u /* reads as the inverse of what was written */
#define EDU_STATUS  0x08u
#define EDU_COMMAND 0x0cu /* starts a DMA of the buffer's first BYTES bytes */
#define EDU_ADDRESS 0x10u /* of the guest's memory, 64 bits: low half, high half */
#define EDU_BYTES   0x18u
#define EDU_RAISE   0x1cu /* a write raises vector 1 */

#define EDU_IDENT_VALUE 0x00ed0100u

/* STATUS. */
#define EDU_IDLE   0u
#define EDU_BUSY   1u
#define EDU_DONE   2u
#define EDU_FAILED 3u

/* COMMAND. */
#define EDU_TO_GUEST   1u
#define EDU_FROM_GUEST 2u

#define EDU_VECTORS      2u
#define EDU_VECTOR_DMA   0u /* a DMA is done or has failed */
#define EDU_VECTOR_RAISE 1u

#endif
