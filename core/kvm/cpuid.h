/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID shows to the guest: the host's KVM's own answer, with the topology of this machine in
 * place of the host's. Pure: no ioctl is made here. Only for core/kvm.
 */
#ifndef KVM_CPUID_H
#define KVM_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

struct cpuid_policy {
	uint32_t index; /* of the vCPU: its APIC id */
	uint32_t count; /* vCPUs: cores of one socket, one thread each */
	bool tsc_deadline;
};

/** The answer to leaf and subleaf, or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t subleaf);

/** Bits of a guest physical address. */
uint32_t cpuid_phys_bits(struct kvm_cpuid2 *cpuid);

/** Makes KVM's answer that of one vCPU. capacity is the number of entries there is room for; two
 * entries may be added. Returns 0 or VMM_E_LIMIT. */
int cpuid_adjust(struct kvm_cpuid2 *cpuid, uint32_t capacity, const struct cpuid_policy *policy);

#endif
