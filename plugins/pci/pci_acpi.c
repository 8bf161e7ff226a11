/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ACPI tells the guest of the bus: the SSDT of pci.asl with its numbers, and MCFG (PCI
 * Firmware Specification 3.2, 4.1.2), which says where the ECAM is.
 */
#include <string.h>

#include "pci.h"

#include "pci.aml.h"

struct mcfg {
	char signature[4];
	uint8_t length[4];
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint8_t oem_revision[4];
	char creator_id[4];
	uint8_t creator_revision[4];
	uint8_t reserved[8];
	struct {
		uint8_t base[8];
		uint8_t segment[2];
		uint8_t bus_first;
		uint8_t bus_last;
		uint8_t reserved[4];
	} range;
};
_Static_assert(sizeof(struct mcfg) == 60, "MCFG with one range");
_Static_assert(offsetof(struct mcfg, range) == 44, "first range of MCFG");

static int32_t mcfg_add(struct pci_bus *bus)
{
	struct mcfg mcfg = {
		.signature = {'M', 'C', 'F', 'G'},
		.revision = 1,
		.oem_id = {'V', 'M', 'M', ' ', ' ', ' '},
		.oem_table_id = {'P', 'C', 'I', ' ', ' ', ' ', ' ', ' '},
		.oem_revision = {1},
		.creator_id = {'V', 'M', 'M', ' '},
		.creator_revision = {1},
	};

	pci_put(mcfg.length, 4, sizeof(mcfg));
	pci_put(mcfg.range.base, 8, bus->layout.pci_ecam_base);
	return bus->acpi.add_table(bus->host, &mcfg, sizeof(mcfg), NULL, 0);
}

static int32_t ssdt_add(struct pci_bus *bus)
{
	const struct vmm_layout *layout = &bus->layout;
	const struct vmm_acpi_patch patches[] = {
		{{'I', 'O', 'B', 'A'}, VMM_ACPI_PATCH_VALUE, layout->pci_io_base},
		{{'I', 'O', 'L', 'E'}, VMM_ACPI_PATCH_VALUE, layout->pci_io_bytes},
		{{'M', '3', 'B', 'A'}, VMM_ACPI_PATCH_VALUE, layout->pci_mmio32_base},
		{{'M', '3', 'L', 'E'}, VMM_ACPI_PATCH_VALUE, layout->pci_mmio32_bytes},
		{{'M', '6', 'B', 'A'}, VMM_ACPI_PATCH_VALUE, layout->pci_mmio64_base},
		{{'M', '6', 'L', 'E'}, VMM_ACPI_PATCH_VALUE, layout->pci_mmio64_bytes},
		{{'G', 'S', 'I', 'B'}, VMM_ACPI_PATCH_VALUE, layout->pci_gsi_base},
		{{'G', 'S', 'I', 'C'}, VMM_ACPI_PATCH_VALUE, layout->pci_gsi_count},
		{{'E', 'C', 'B', 'A'}, VMM_ACPI_PATCH_VALUE, layout->pci_ecam_base},
		{{'E', 'C', 'L', 'E'}, VMM_ACPI_PATCH_VALUE, layout->pci_ecam_bytes},
	};

	return bus->acpi.add_table(
		bus->host, pci_aml, sizeof(pci_aml), patches, sizeof(patches) / sizeof(patches[0]));
}

int32_t pci_acpi_add(struct pci_bus *bus, struct vmm_error *error)
{
	int32_t ret = ssdt_add(bus);

	if (ret >= 0)
		ret = mcfg_add(bus);
	if (ret < 0)
		vmm_set_error(error, "the ACPI tables of the PCI bus cannot be added: %s",
			vmm_error_text(ret));
	return ret;
}
