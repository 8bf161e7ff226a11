/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID policy of pc-1.0. From what KVM supports on this host:
 *   - topology is one socket with a core for each vCPU, APIC id = vCPU number, on Intel (leaves 1,
 * 4, 0xb) and AMD (0x80000008, 0x8000001d, 0x8000001e);
 *   - the hypervisor bit is set and the KVM leaves at 0x40000000 stay;
 *   - the TSC deadline timer is shown if KVM has it (KVM does not list it by itself);
 *   - nested virtualization and SGX are hidden: nothing else in this machine goes with them.
 * Sources: Intel SDM 2A, CPUID; AMD APM 3, appendix E; KVM api.rst, 4.46 and 4.90.
 */
#include <cpuid.h>
#include <string.h>

#include <vmm/types.h>

#include "kvm/cpuid.h"
#include "kvm/vm.h"

/* Leaf 1 */
#define ECX_VMX          (1u << 5)
#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR   (1u << 31)
#define EDX_HTT          (1u << 28)
/* Leaf 7 */
#define EBX_SGX    (1u << 2)
#define ECX_SGX_LC (1u << 30)
/* Leaf 0x80000001 */
#define ECX_CMP_LEGACY (1u << 1)
#define ECX_SVM        (1u << 2)

#define TOPOLOGY_THREADS (1u << 8)
#define TOPOLOGY_CORES   (2u << 8)

#define PHYS_BITS_ASSUMED 36u

struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == leaf &&
			(!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf))
			return e;
	}
	return NULL;
}

bool vm_hardware(void)
{
	uint32_t eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & ECX_VMX)
		return true;
	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & ECX_SVM;
}

uint32_t cpuid_phys_bits(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0x80000008, 0);
	uint32_t bits = e ? e->eax & 0xff : PHYS_BITS_ASSUMED;
	/* What nested paging can reach may be less than what the processor says (APM 3, E.4.7). */
	uint32_t guest_bits = e ? e->eax >> 16 & 0xff : 0;

	if (guest_bits && guest_bits < bits)
		bits = guest_bits;
	return bits;
}

/* How many bits number `count` things. */
static uint32_t width_of(uint32_t count)
{
	uint32_t bits = 0;

	while (UINT32_C(1) << bits < count)
		bits++;
	return bits;
}

static void remove_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function != leaf)
			cpuid->entries[kept++] = cpuid->entries[i];
	}
	cpuid->nent = kept;
}

static void adjust_features(struct kvm_cpuid2 *cpuid, const struct cpuid_policy *policy)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 1, 0);

	if (e) {
		uint32_t ids = UINT32_C(1) << width_of(policy->count);

		e->ebx = (e->ebx & 0xffff) | (ids & 0xff) << 16 | policy->index << 24;
		e->ecx = (e->ecx & ~(ECX_VMX | ECX_TSC_DEADLINE)) | ECX_HYPERVISOR;
		if (policy->tsc_deadline)
			e->ecx |= ECX_TSC_DEADLINE;
		e->edx &= ~EDX_HTT;
		if (policy->count > 1)
			e->edx |= EDX_HTT;
	}
	e = cpuid_find(cpuid, 7, 0);
	if (e) {
		e->ebx &= ~EBX_SGX;
		e->ecx &= ~ECX_SGX_LC;
	}
	remove_leaf(cpuid, 0x12);
	e = cpuid_find(cpuid, 0x80000001, 0);
	if (e)
		e->ecx &= ~ECX_SVM;
	remove_leaf(cpuid, 0x8000000a);
}

/*
 * Caches: leaf 4 of Intel and 0x8000001d of AMD have the same layout. Levels 1 and 2 belong to one
 * core, the others to all.
 */
static void adjust_caches(struct kvm_cpuid2 *cpuid, const struct cpuid_policy *policy)
{
	uint32_t all = (UINT32_C(1) << width_of(policy->count)) - 1;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
		uint32_t level = e->eax >> 5 & 7;
		uint32_t sharing = level >= 3 ? all : 0;

		if ((e->eax & 0x1f) == 0)
			continue;
		if (e->function == 4)
			e->eax = (e->eax & 0x3fff) | (sharing & 0xfff) << 14 | (all & 0x3f) << 26;
		else if (e->function == 0x8000001d)
			e->eax = (e->eax & 0x3fff) | (sharing & 0xfff) << 14;
	}
}

/* Extended topology, if the processor has it at all: threads (1 of them) and cores. */
static int add_topology(
	struct kvm_cpuid2 *cpuid, uint32_t capacity, const struct cpuid_policy *policy)
{
	const struct kvm_cpuid_entry2 *first = cpuid_find(cpuid, 0, 0);

	remove_leaf(cpuid, 0xb);
	remove_leaf(cpuid, 0x1f);
	if (!first || first->eax < 0xb)
		return 0;
	if (capacity < cpuid->nent || capacity - cpuid->nent < 2)
		return VMM_E_LIMIT;
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = 0xb,
		.index = 0,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = 0,
		.ebx = 1,
		.ecx = TOPOLOGY_THREADS | 0,
		.edx = policy->index,
	};
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = 0xb,
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = width_of(policy->count),
		.ebx = policy->count,
		.ecx = TOPOLOGY_CORES | 1,
		.edx = policy->index,
	};
	return 0;
}

static bool is_amd(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0, 0);
	char vendor[12];

	if (!e)
		return false;
	memcpy(vendor, &e->ebx, 4);
	memcpy(vendor + 4, &e->edx, 4);
	memcpy(vendor + 8, &e->ecx, 4);
	return !memcmp(vendor, "AuthenticAMD", 12) || !memcmp(vendor, "HygonGenuine", 12);
}

static void adjust_amd(struct kvm_cpuid2 *cpuid, const struct cpuid_policy *policy)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0x80000008, 0);

	if (e)
		e->ecx = width_of(policy->count) << 12 | ((policy->count - 1) & 0xff);
	e = cpuid_find(cpuid, 0x80000001, 0);
	if (e) {
		e->ecx &= ~ECX_CMP_LEGACY;
		if (policy->count > 1)
			e->ecx |= ECX_CMP_LEGACY;
	}
	e = cpuid_find(cpuid, 0x8000001e, 0);
	if (e) {
		e->eax = policy->index;
		e->ebx = policy->index & 0xff; /* core; one thread */
		e->ecx = 0;                    /* one node */
		e->edx = 0;
	}
}

int cpuid_adjust(struct kvm_cpuid2 *cpuid, uint32_t capacity, const struct cpuid_policy *policy)
{
	adjust_features(cpuid, policy);
	adjust_caches(cpuid, policy);
	if (is_amd(cpuid))
		adjust_amd(cpuid, policy);
	return add_topology(cpuid, capacity, policy);
}
