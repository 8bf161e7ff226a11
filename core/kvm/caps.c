/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of KVM capabilities: contract K with the kernel. A required one that is missing ends
 * the start with its name; an optional one has a fallback, which its line tells. All required ones
 * are in every kernel from 5.10 on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vmm/support.h>

#include "kvm/caps.h"

struct cap {
	const char *name;
	int number;
	bool required;
	const char *doc; /* required: what for; optional: what happens without it */
};

#define CAP(name, required, doc)                                                                   \
	{                                                                                          \
#name, name, required, doc                                                         \
	}

static const struct cap table[] = {
	CAP(KVM_CAP_USER_MEMORY, true, "guest RAM"),
	CAP(KVM_CAP_NR_MEMSLOTS, true, "a slot for each range of guest RAM"),
	CAP(KVM_CAP_SET_TSS_ADDR, true, "real mode on Intel processors"),
	CAP(KVM_CAP_SET_IDENTITY_MAP_ADDR, true, "real mode on Intel processors"),
	CAP(KVM_CAP_EXT_CPUID, true, "what the guest's processor can do"),
	CAP(KVM_CAP_NR_VCPUS, true, "virtual processors"),
	CAP(KVM_CAP_MP_STATE, true, "starting processors other than the first"),
	CAP(KVM_CAP_IMMEDIATE_EXIT, true, "stopping a vCPU without a race"),
	CAP(KVM_CAP_IRQCHIP, true, "interrupt controllers in the kernel"),
	CAP(KVM_CAP_PIT2, true, "the timer in the kernel"),
	CAP(KVM_CAP_IRQ_ROUTING, true, "message-signalled interrupts"),
	CAP(KVM_CAP_IRQFD, true, "interrupts from eventfds"),
	CAP(KVM_CAP_IOEVENTFD, true, "doorbells"),
	CAP(KVM_CAP_TSC_DEADLINE_TIMER, false,
		"without it the guest uses the slower modes of the local APIC timer"),
	CAP(KVM_CAP_IRQFD_RESAMPLE, false,
		"without it level-triggered lines cannot be driven by eventfds"),
	CAP(KVM_CAP_IOEVENTFD_ANY_LENGTH, false, "without it doorbells of any width are trapped"),
	CAP(KVM_CAP_KVMCLOCK_CTRL, false,
		"without it a guest may report a soft lockup after a pause"),
};

static const size_t cap_count = sizeof(table) / sizeof(table[0]);

/* The first question that fails stays in *error. */
static int ask(int kvm_fd, int number, int *error)
{
	int value = ioctl(kvm_fd, KVM_CHECK_EXTENSION, (unsigned long)number);

	if (value >= 0)
		return value;
	if (!*error)
		*error = errno;
	return 0;
}

int caps_open(const char *path, struct vmm_error *error, int *ret_fd)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		vmm_set_error(error,
			"%s: %s; load the module with: modprobe kvm_intel (or kvm_amd), and check "
			"that virtualization is switched on in the firmware",
			path, strerror(errno));
		return VMM_E_NOT_FOUND;
	case EACCES:
	case EPERM:
		vmm_set_error(error,
			"%s: %s; become a member of the group that owns it: usermod -aG kvm USER, "
			"then log in again",
			path, strerror(errno));
		return VMM_E_PERM;
	default:
		vmm_set_error(error, "%s: %s", path, strerror(errno));
		return VMM_E_IO;
	}
}

static int check_version(int kvm_fd, struct vmm_error *error)
{
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0ul);

	if (version == KVM_API_VERSION)
		return 0;
	if (version < 0)
		vmm_set_error(error, "this is not a KVM device: KVM_GET_API_VERSION: %s",
			strerror(errno));
	else
		vmm_set_error(
			error, "KVM speaks API version %d, expected %d", version, KVM_API_VERSION);
	return VMM_E_UNSUPPORTED;
}

/* A maximum, with the value that api.rst says to assume if the kernel does not tell. */
static uint32_t maximum(int kvm_fd, int number, uint32_t assumed, int *error)
{
	int value = ask(kvm_fd, number, error);

	return value > 0 ? (uint32_t)value : assumed;
}

static struct kvm_caps ask_all(int kvm_fd, int *error)
{
	uint32_t vcpus = maximum(kvm_fd, KVM_CAP_NR_VCPUS, 4, error);

	return (struct kvm_caps){
		.tsc_deadline = ask(kvm_fd, KVM_CAP_TSC_DEADLINE_TIMER, error),
		.irqfd_resample = ask(kvm_fd, KVM_CAP_IRQFD_RESAMPLE, error),
		.ioeventfd_any_length = ask(kvm_fd, KVM_CAP_IOEVENTFD_ANY_LENGTH, error),
		.kvmclock_ctrl = ask(kvm_fd, KVM_CAP_KVMCLOCK_CTRL, error),
		.vcpus_max = maximum(kvm_fd, KVM_CAP_MAX_VCPUS, vcpus, error),
		.memslots_max = maximum(kvm_fd, KVM_CAP_NR_MEMSLOTS, 32, error),
		.routes_max = maximum(kvm_fd, KVM_CAP_IRQ_ROUTING, 64, error),
	};
}

int caps_check(int kvm_fd, struct vmm_error *error, struct kvm_caps *ret_caps)
{
	int ret = check_version(kvm_fd, error);
	struct kvm_caps caps;
	int err = 0;

	if (ret)
		return ret;
	caps = ask_all(kvm_fd, &err);
	for (size_t i = 0; !err && i < cap_count; i++) {
		if (!table[i].required || ask(kvm_fd, table[i].number, &err) || err)
			continue;
		vmm_set_error(error,
			"this kernel's KVM lacks %s (%s); Linux 5.10 or newer is needed",
			table[i].name, table[i].doc);
		return VMM_E_UNSUPPORTED;
	}
	if (err) {
		vmm_set_error(error, "KVM_CHECK_EXTENSION: %s", strerror(err));
		return VMM_E_IO;
	}
	*ret_caps = caps;
	return 0;
}

void caps_print(int kvm_fd, FILE *file)
{
	int error = 0;

	for (size_t i = 0; i < cap_count; i++)
		fprintf(file, "%-32s %-8s %-6d %s\n", table[i].name,
			table[i].required ? "required" : "optional",
			ask(kvm_fd, table[i].number, &error), table[i].doc);
}
