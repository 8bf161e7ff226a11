/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map of machine type pc-1.0.
 */
#include "machine/layout.h"

#include <inttypes.h>

#include <vmm/support.h>

#define GIB (1ull << 30)

#define PCI_MMIO64_BYTES (32 * GIB)

int layout_init(struct vmm_layout *ret_layout, uint32_t vcpus, uint64_t ram_bytes, uint64_t ram_end,
	uint32_t address_bits, struct vmm_error *error)
{
	uint64_t limit = 1ull << address_bits;
	uint64_t base = ram_end < 4 * GIB ? 4 * GIB : (ram_end + GIB - 1) & ~(GIB - 1);

	if (base >= limit || limit - base < GIB) {
		vmm_set_error(error,
			"machine.memory: %" PRIu64 " MiB do not fit: this CPU addresses %u bits, "
			"and PCI needs 1 GiB above RAM",
			ram_bytes >> 20, address_bits);
		return VMM_E_RANGE;
	}
	*ret_layout = (struct vmm_layout){
		.struct_size = sizeof(*ret_layout),
		.vcpus = vcpus,
		.compat_level = LAYOUT_COMPAT_PC_1_0,
		.ram_bytes = ram_bytes,
		.pci_mmio32_base = 0xc0000000,
		.pci_mmio32_bytes = 0x20000000,
		.pci_mmio64_base = base,
		.pci_mmio64_bytes =
			limit - base < PCI_MMIO64_BYTES ? limit - base : PCI_MMIO64_BYTES,
		.pci_ecam_base = 0xe0000000,
		.pci_ecam_bytes = 0x100000,
		.device_mmio_base = 0xf0000000,
		.device_mmio_bytes = 0x1000000,
		.pci_io_base = 0xc000,
		.pci_io_bytes = 0x4000,
		.pci_gsi_base = 16,
		.pci_gsi_count = 4,
		.device_gsi_base = 20,
		.device_gsi_count = 4,
	};
	return 0;
}
