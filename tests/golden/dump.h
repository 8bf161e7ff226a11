/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest can see of its machine, as text: each function writes one part of it. They run in
 * a guest of tests/faults/kvm.h, so all of vmm and the plugins as they are shipped are below.
 * Nothing here judges: golden compares the text with what is kept.
 */
#ifndef TESTS_GOLDEN_DUMP_H
#define TESTS_GOLDEN_DUMP_H

#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/testkit/host.h>

/** Sixteen bytes a line: offset, hexadecimal, characters. Lines of zeros are left out. */
void dump_bytes(FILE *out, const uint8_t *bytes, uint64_t count);

/** Which ranges of addresses are what, as a kernel is told that is booted by PVH. */
void dump_memory_map(FILE *out, struct fake_host *host, uint64_t start_info);

/** ACPI tables, and what lies in the reset vector. */
void dump_acpi(FILE *out, struct fake_host *host);

/** Configuration space of every function, and its BARs. Asked for before any driver has run. */
void dump_pci(FILE *out, struct fake_host *host);

/** Features, queues and configuration of every virtio device, over PCI and over MMIO. */
void dump_virtio(FILE *out, struct fake_host *host);

/** Ports below 0x800 that answer. */
void dump_ports(FILE *out, struct fake_host *host);

/** What vmm made of the host's table for a vCPU: only what differs. */
void dump_cpuid(FILE *out, const struct kvm_cpuid2 *host, const struct kvm_cpuid2 *vcpu);

#endif
