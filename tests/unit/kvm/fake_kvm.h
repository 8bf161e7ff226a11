/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KVM that is not there: ioctl() of the program under test ends here, by --wrap=ioctl. It answers
 * what a test asks it to, and keeps what it was told. /dev/zero plays the KVM device.
 */
#ifndef FAKE_KVM_H
#define FAKE_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_KVM_PATH "/dev/zero"

#define FAKE_LOG_MAX    64u
#define FAKE_ROUTES_MAX 4096u

struct fake_kvm {
	int api_version;
	int missing_cap;     /* -1: none (0 is KVM_CAP_IRQCHIP) */
	unsigned long fails; /* request that fails, 0: none */
	int fail_errno;
	uint32_t fail_times; /* 0: always */
	uint32_t phys_bits;
	int max_vcpus;
	int routes_max;

	uint32_t slot_count;
	struct kvm_userspace_memory_region slots[8];
	uint32_t line_count;
	struct kvm_irq_level lines[FAKE_LOG_MAX];
	uint32_t irqfd_count;
	struct kvm_irqfd irqfds[FAKE_LOG_MAX];
	uint32_t routing_count; /* calls of KVM_SET_GSI_ROUTING */
	uint32_t route_count;
	struct kvm_irq_routing_entry routes[FAKE_ROUTES_MAX];
	uint32_t ioeventfd_count;
	struct kvm_ioeventfd ioeventfds[FAKE_LOG_MAX];
	uint64_t tss, identity_map;
	bool irqchip, pit, pit_catches_up;
	uint64_t rip; /* what KVM_GET_REGS tells */
};

extern struct fake_kvm fake_kvm;

/** A KVM that has everything. */
void fake_kvm_reset(void);

/** The route of a GSI to a message, or NULL. */
const struct kvm_irq_routing_entry *fake_kvm_route(uint32_t gsi);

#endif
