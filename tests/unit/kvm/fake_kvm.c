/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM of fake_kvm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "fake_kvm.h"

int __wrap_ioctl(int fd, unsigned long request, ...);

struct fake_kvm fake_kvm;

void fake_kvm_reset(void)
{
	memset(&fake_kvm, 0, sizeof(fake_kvm));
	fake_kvm.api_version = KVM_API_VERSION;
	fake_kvm.missing_cap = -1;
	fake_kvm.phys_bits = 40;
	fake_kvm.max_vcpus = 1024;
	fake_kvm.routes_max = 4096;
}

const struct kvm_irq_routing_entry *fake_kvm_route(uint32_t gsi)
{
	for (uint32_t i = 0; i < fake_kvm.route_count; i++) {
		if (fake_kvm.routes[i].gsi == gsi && fake_kvm.routes[i].type == KVM_IRQ_ROUTING_MSI)
			return &fake_kvm.routes[i];
	}
	return NULL;
}

static int check_extension(unsigned long cap)
{
	if ((int)cap == fake_kvm.missing_cap)
		return 0;
	switch (cap) {
	case KVM_CAP_NR_MEMSLOTS:
		return 509;
	case KVM_CAP_MAX_VCPUS:
		return fake_kvm.max_vcpus;
	case KVM_CAP_IRQ_ROUTING:
		return fake_kvm.routes_max;
	default:
		return 1;
	}
}

static int supported_cpuid(struct kvm_cpuid2 *cpuid)
{
	cpuid->nent = 2;
	cpuid->entries[0] = (struct kvm_cpuid_entry2){.function = 0, .eax = 0xd};
	cpuid->entries[1] =
		(struct kvm_cpuid_entry2){.function = 0x80000008, .eax = fake_kvm.phys_bits};
	return 0;
}

static int set_routing(const struct kvm_irq_routing *table)
{
	fake_kvm.routing_count++;
	fake_kvm.route_count = table->nr;
	memcpy(fake_kvm.routes, table->entries, table->nr * sizeof(table->entries[0]));
	return 0;
}

/* The file stands for the VM. */
static int create_vm(void)
{
	return open(FAKE_KVM_PATH, O_RDWR | O_CLOEXEC);
}

static int vm_request(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_USER_MEMORY_REGION:
		fake_kvm.slots[fake_kvm.slot_count++ % 8] =
			*(struct kvm_userspace_memory_region *)arg;
		return 0;
	case KVM_SET_TSS_ADDR:
		fake_kvm.tss = (uintptr_t)arg;
		return 0;
	case KVM_SET_IDENTITY_MAP_ADDR:
		fake_kvm.identity_map = *(uint64_t *)arg;
		return 0;
	case KVM_CREATE_IRQCHIP:
		fake_kvm.irqchip = true;
		return 0;
	case KVM_CREATE_PIT2:
		fake_kvm.pit = fake_kvm.pit_catches_up = true;
		return 0;
	case KVM_REINJECT_CONTROL:
		fake_kvm.pit_catches_up = ((struct kvm_reinject_control *)arg)->pit_reinject;
		return 0;
	case KVM_IRQ_LINE:
		fake_kvm.lines[fake_kvm.line_count++ % FAKE_LOG_MAX] = *(struct kvm_irq_level *)arg;
		return 0;
	case KVM_IRQFD:
		fake_kvm.irqfds[fake_kvm.irqfd_count++ % FAKE_LOG_MAX] = *(struct kvm_irqfd *)arg;
		return 0;
	case KVM_IOEVENTFD:
		fake_kvm.ioeventfds[fake_kvm.ioeventfd_count++ % FAKE_LOG_MAX] =
			*(struct kvm_ioeventfd *)arg;
		return 0;
	case KVM_SET_GSI_ROUTING:
		return set_routing(arg);
	case KVM_GET_REGS:
		*(struct kvm_regs *)arg = (struct kvm_regs){.rip = fake_kvm.rip};
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == fake_kvm.fails) {
		if (fake_kvm.fail_times && --fake_kvm.fail_times == 0)
			fake_kvm.fails = 0;
		errno = fake_kvm.fail_errno;
		return -1;
	}
	switch (request) {
	case KVM_GET_API_VERSION:
		return fake_kvm.api_version;
	case KVM_CHECK_EXTENSION:
		return check_extension((uintptr_t)arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return 3 * 4096;
	case KVM_GET_SUPPORTED_CPUID:
		return supported_cpuid(arg);
	case KVM_CREATE_VM:
		return create_vm();
	default:
		return vm_request(request, arg);
	}
}
