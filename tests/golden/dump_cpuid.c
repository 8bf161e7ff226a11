/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID policy: what a vCPU's table has that the host's does not have so. What is the host's own is
 * left out: pc-1.0 shows the host's processor.
 */
#include <stdbool.h>
#include <string.h>

#include "dump.h"

static const struct kvm_cpuid_entry2 *find(
	const struct kvm_cpuid2 *table, const struct kvm_cpuid_entry2 *like)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == like->function &&
			table->entries[i].index == like->index)
			return &table->entries[i];
	return NULL;
}

static void show_change(
	FILE *out, const struct kvm_cpuid_entry2 *old, const struct kvm_cpuid_entry2 *new)
{
	const uint32_t before[] = {old->eax, old->ebx, old->ecx, old->edx};
	const uint32_t now[] = {new->eax, new->ebx, new->ecx, new->edx};
	static const char *const names[] = {"eax", "ebx", "ecx", "edx"};

	for (uint32_t i = 0; i < 4; i++)
		if (before[i] != now[i])
			fprintf(out, "  %08x.%x %s: %08x, host %08x\n", new->function, new->index,
				names[i], now[i], before[i]);
	if (old->flags != new->flags)
		fprintf(out, "  %08x.%x flags: %x, host %x\n", new->function, new->index,
			new->flags, old->flags);
}

void dump_cpuid(FILE *out, const struct kvm_cpuid2 *host, const struct kvm_cpuid2 *vcpu)
{
	for (uint32_t i = 0; i < vcpu->nent; i++) {
		const struct kvm_cpuid_entry2 *new = &vcpu->entries[i];
		const struct kvm_cpuid_entry2 *old = find(host, new);

		if (old)
			show_change(out, old, new);
		else
			fprintf(out, "  %08x.%x: %08x %08x %08x %08x, not the host's\n",
				new->function, new->index, new->eax, new->ebx, new->ecx, new->edx);
	}
	for (uint32_t i = 0; i < host->nent; i++)
		if (!find(vcpu, &host->entries[i]))
			fprintf(out, "  %08x.%x is not shown\n", host->entries[i].function,
				host->entries[i].index);
}
