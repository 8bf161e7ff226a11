/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the PCI bus share: pci.so under a fake host, and functions of the test on it.
 */
#ifndef PCI_RIG_H
#define PCI_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/pci_driver.h>

#define RIG_VENDOR 0x1234u
#define RIG_DEVICE 0x5678u
#define RIG_CLASS  0xff0102u

struct rig {
	struct fake_host *host;
	vmm_host *owner;
	const struct vmm_pci_bus *bus;
	void *object;
	char error[256];
};

/* A function of the test. The members up to `ops` are what to make it of. */
struct rig_function {
	struct rig *rig;
	uint32_t slot; /* 0: auto */
	uint32_t vectors;
	uint32_t msix_bar;
	uint32_t intx;
	const struct vmm_pci_bar *bars; /* ops and ctx are filled in */
	uint32_t bar_count;
	const struct vmm_pci_cap *caps;
	uint32_t cap_count;
	const struct vmm_pci_function_ops *ops; /* NULL: those that fill in the second half */

	uint64_t handle;
	struct fake_pci_device pci;

	/* What its callbacks saw. */
	_Atomic uint32_t reads, writes;
	uint64_t offset, value;
	uint32_t width;
	_Atomic uint32_t msix_changes, master_changes;
	_Atomic uint32_t msix_enabled, master;
	uint32_t cap, cap_offset, cap_width, cap_value, cap_reads, cap_writes;
	int cap_fails;
	int cap_enters_bar; /* cap_write reads BAR 0 of the same function, as a window does */
};

/** What BAR reads of the functions give: the offset, with this on top. */
#define RIG_READ 0xab00u

void rig_up(struct rig *rig, const struct fake_config *config);
void rig_down(struct rig *rig);

/** Adds it; the error's text is in rig->error. */
int32_t rig_try_add(struct rig *rig, struct rig_function *function);

/** Adds and probes it; must work. */
void rig_add(struct rig *rig, struct rig_function *function);
void rig_remove(struct rig_function *function);

/** A BAR description. */
#define RIG_BAR(bar_index, bar_kind, bar_bytes)                                                    \
	{                                                                                          \
		.struct_size = sizeof(struct vmm_pci_bar), .index = (bar_index),                   \
		.kind = (bar_kind), .bytes = (bar_bytes), .width_max = 4                           \
	}

#endif
