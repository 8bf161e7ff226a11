/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map that a machine type fixes: where RAM, windows of buses and single devices are. A
 * guest sees these numbers; for a released machine type they do not change.
 */
#ifndef MACHINE_LAYOUT_H
#define MACHINE_LAYOUT_H

#include <stdint.h>

#include <vmm/machine.h>

/** Compat level of machine type pc-1.0. */
#define LAYOUT_COMPAT_PC_1_0 10u

/**
 * Fills *ret_layout for a machine of type pc-1.0.
 *
 * ram_end is the address behind the last byte of RAM, address_bits the width of a guest physical
 * address. Fails with VMM_E_RANGE if no 64-bit window of at least 1 GiB fits above RAM.
 */
int layout_init(struct vmm_layout *ret_layout, uint32_t vcpus, uint64_t ram_bytes, uint64_t ram_end,
	uint32_t address_bits, struct vmm_error *error);

#endif
