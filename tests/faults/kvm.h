/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KVM that is not there, for the whole of vmm: /dev/kvm opens, a machine is made, and its first
 * processor runs a guest that is a C function on a thread of its own. The guest gets at the machine
 * with the functions of the testkit (fake_pio_read() and so on), so that the testkit's drivers for
 * PCI and virtio work in it; `host` is the machine that it runs in.
 *
 * Doorbells ring as they would; interrupts go nowhere: the drivers look into their rings.
 */
#ifndef TESTS_FAULT_KVM_H
#define TESTS_FAULT_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>

#include <vmm/testkit/host.h>

/** What a guest is. It may return: its processor is halted for ever then. */
typedef void (*kvm_guest)(struct fake_host *host);

/** From here on there is a KVM, and each machine runs that guest. */
void kvm_install(kvm_guest guest);

/** Whether KVM was asked for a machine. */
bool kvm_made_machine(void);

/** Whether it was told that ticks of the PIT which a guest missed are not made up for. */
bool kvm_drops_missed_ticks(void);

/** What KVM says of the host's processor; the caller's, as long as machines are made. */
void kvm_set_host_cpuid(const struct kvm_cpuid2 *cpuid);

/** What vmm gave to a vCPU of the machine that was made last: its processor, and its registers. */
const struct kvm_cpuid2 *kvm_vcpu_cpuid(uint32_t vcpu);
const struct kvm_regs *kvm_vcpu_registers(uint32_t vcpu);

/** Limit of the waits of drivers, in place of their own if it is shorter; 0: none. */
void kvm_set_patience(uint32_t ms);

#endif
