/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this program needs from KVM, and what it uses if it is there. Only for core/kvm.
 */
#ifndef KVM_CAPS_H
#define KVM_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vmm/types.h>

/** What is there, after a check that found all that is required. */
struct kvm_caps {
	bool tsc_deadline;
	bool irqfd_resample;
	bool ioeventfd_any_length;
	bool kvmclock_ctrl;
	uint32_t vcpus_max;
	uint32_t memslots_max;
	uint32_t routes_max;
};

/** Opens the KVM device at path. The text of a failure says what to do about it. */
int caps_open(const char *path, struct vmm_error *error, int *ret_fd);

/** Checks the API version and every required capability. */
int caps_check(int kvm_fd, struct vmm_error *error, struct kvm_caps *ret_caps);

/** Writes the table, one capability a line. */
void caps_print(int kvm_fd, FILE *file);

#endif
