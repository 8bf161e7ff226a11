/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI bus as it is shipped, under a fake host, with functions whose BARs say by what they read as
 * who was asked.
 */
#ifndef TEST_FUZZ_BUS_H
#define TEST_FUZZ_BUS_H

#include <stdbool.h>

#include <vmm/testkit/pci_driver.h>

#include "fuzz.h"

#define BUS_FUNCTIONS   2u
#define BUS_BARS        6u
#define BUS_HOOKED_BODY 14u

/** A BAR of a function. kind 0: there is none, or it is the upper half of another. */
struct bus_bar {
	const struct bus_function *function;
	uint32_t index;
	uint32_t kind;
	uint64_t bytes;
};

struct bus_function {
	struct bus *bus;
	struct bus_bar bars[BUS_BARS];
	uint32_t vectors;  /* of MSI-X, in BAR msix_bar; 0: none */
	uint32_t msix_bar; /* answered by the bus itself */
	uint64_t handle;
	struct fake_pci_device pci;
	uint8_t hooked[BUS_HOOKED_BODY]; /* body of a capability that the function looks after */
};

struct bus {
	struct fake_host *host;
	vmm_host *owner;
	const struct vmm_pci_bus *table;
	void *object;
	struct bus_function functions[BUS_FUNCTIONS];
};

void bus_up(struct bus *bus);
void bus_down(struct bus *bus);

/** Adds functions[number], whose BARs and vectors are set, in that slot. */
void bus_add(struct bus *bus, uint32_t number, uint32_t slot);

/** The BAR that answers an access there, and at which of its offsets; NULL: none of them. */
const struct bus_bar *bus_who(
	struct bus *bus, uint32_t space, uint64_t address, uint64_t *ret_offset);

#endif
