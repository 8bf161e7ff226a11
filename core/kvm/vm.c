/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the VM: from /dev/kvm to a machine with RAM, interrupt controllers and a timer, but
 * without vCPUs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vmm/support.h>

#include "kvm/cpuid.h"
#include "kvm/vm_internal.h"

#define DEFAULT_PATH "/dev/kvm"

int vm_os_error(int err, const char *what, struct vmm_error *error)
{
	vmm_set_error(error, "%s: %s", what, strerror(err));
	switch (err) {
	case ENOMEM:
		return VMM_E_NOMEM;
	case EBUSY:
		return VMM_E_BUSY;
	case EPERM:
	case EACCES:
		return VMM_E_PERM;
	default:
		return VMM_E_IO;
	}
}

int vm_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int create_vm_fd(struct vm *vm, struct vmm_error *error)
{
	/* A signal on its way makes KVM_CREATE_VM fail, before 6.x even without a handler. */
	do
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0ul);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd >= 0)
		return 0;
	if (errno == EBUSY) {
		vmm_set_error(error,
			"KVM_CREATE_VM: the processor's virtualization is in use by another "
			"hypervisor (VirtualBox, VMware); stop its guests");
		return VMM_E_BUSY;
	}
	return vm_os_error(errno, "KVM_CREATE_VM", error);
}

static int create_chips(struct vm *vm, struct vmm_error *error)
{
	uint64_t identity = VM_IDENTITY_MAP;
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	/* Before the first vCPU, and both before the irqchip's first use; AMD ignores them. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity))
		return vm_os_error(errno, "KVM_SET_IDENTITY_MAP_ADDR", error);
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)VM_TSS))
		return vm_os_error(errno, "KVM_SET_TSS_ADDR", error);
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0ul))
		return vm_os_error(errno, "KVM_CREATE_IRQCHIP", error);
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit))
		return vm_os_error(errno, "KVM_CREATE_PIT2", error);
	return 0;
}

int vm_drop_missed_ticks(struct vm *vm, struct vmm_error *error)
{
	struct kvm_reinject_control reinject = {.pit_reinject = 0};

	if (ioctl(vm->fd, KVM_REINJECT_CONTROL, &reinject))
		return vm_os_error(errno, "KVM_REINJECT_CONTROL", error);
	return 0;
}

static int add_memory(struct vm *vm, struct vmm_error *error)
{
	struct vmm_ram_range ranges[MEMORY_RANGES_MAX];
	int count = memory_ranges(vm->memory, ranges, MEMORY_RANGES_MAX);

	if ((uint32_t)count > vm->caps.memslots_max) {
		vmm_set_error(error, "guest RAM needs %d memory slots, KVM has %" PRIu32, count,
			vm->caps.memslots_max);
		return VMM_E_LIMIT;
	}
	for (int i = 0; i < count; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = (uint32_t)i,
			.guest_phys_addr = ranges[i].gpa.value,
			.memory_size = ranges[i].bytes,
			.userspace_addr = (uint64_t)(uintptr_t)ranges[i].base,
		};
		uint64_t last = slot.guest_phys_addr + (slot.memory_size - 1);

		if (vm->phys_bits < 64 && last >> vm->phys_bits) {
			vmm_set_error(error,
				"guest RAM up to 0x%" PRIx64 " does not fit in the %" PRIu32
				" address bits of this processor",
				last, vm->phys_bits);
			return VMM_E_LIMIT;
		}
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot))
			return vm_os_error(errno, "KVM_SET_USER_MEMORY_REGION", error);
	}
	return 0;
}

static int get_cpuid(struct vm *vm, struct vmm_error *error)
{
	int run_bytes;

	vm->cpuid = calloc(
		1, sizeof(*vm->cpuid) + VM_CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
	if (!vm->cpuid) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	vm->cpuid->nent = VM_CPUID_ENTRIES_MAX;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, vm->cpuid))
		return vm_os_error(errno, "KVM_GET_SUPPORTED_CPUID", error);
	vm->phys_bits = cpuid_phys_bits(vm->cpuid);
	run_bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0ul);
	if (run_bytes < (int)sizeof(struct kvm_run))
		return vm_os_error(run_bytes < 0 ? errno : EPROTO, "KVM_GET_VCPU_MMAP_SIZE", error);
	vm->run_bytes = (size_t)run_bytes;
	return 0;
}

static int check_vcpus(const struct vm *vm, struct vmm_error *error)
{
	uint32_t max = vm->caps.vcpus_max < VM_VCPUS_MAX ? vm->caps.vcpus_max : VM_VCPUS_MAX;

	if (vm->vcpus >= 1 && vm->vcpus <= max)
		return 0;
	vmm_set_error(
		error, "%" PRIu32 " vCPUs: 1 to %" PRIu32 " are possible here", vm->vcpus, max);
	return VMM_E_LIMIT;
}

int vm_create(const struct vm_options *options, const struct memory *memory,
	struct vmm_error *error, struct vm **ret_vm)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	vm->kvm_fd = -1;
	vm->fd = -1;
	vm->memory = memory;
	vm->vcpus = options->vcpus;
	ret = irq_init(vm);
	if (ret)
		vmm_set_error(error, "out of memory");
	if (!ret)
		ret = caps_open(options->path ? options->path : DEFAULT_PATH, error, &vm->kvm_fd);
	if (!ret)
		ret = caps_check(vm->kvm_fd, error, &vm->caps);
	if (!ret)
		ret = check_vcpus(vm, error);
	if (!ret)
		ret = get_cpuid(vm, error);
	if (!ret)
		ret = create_vm_fd(vm, error);
	if (!ret)
		ret = create_chips(vm, error);
	if (!ret)
		ret = add_memory(vm, error);
	if (ret) {
		vm_destroy(vm);
		return ret;
	}
	*ret_vm = vm;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	irq_fini(vm);
	free(vm->cpuid);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	free(vm);
}

uint32_t vm_phys_bits(const struct vm *vm)
{
	return vm->phys_bits;
}

int vm_reserve(const struct vm *vm, struct io_map *map, struct vmm_error *error)
{
	static const struct {
		const char *name;
		uint32_t space;
		uint64_t base, bytes;
	} fixed[] = {
		{"pic", VMM_IO_PIO, 0x20, 2},
		{"pic", VMM_IO_PIO, 0xa0, 2},
		{"pic trigger modes", VMM_IO_PIO, 0x4d0, 2},
		{"pit", VMM_IO_PIO, 0x40, 4},
		{"pit speaker", VMM_IO_PIO, 0x61, 1},
		{"ioapic", VMM_IO_MMIO, VM_IOAPIC, 0x1000},
		/* Messages of MSI go to this whole MiB. */
		{"local apic", VMM_IO_MMIO, VM_LAPIC, 0x100000},
		{"kvm identity map and tss", VMM_IO_MMIO, VM_IDENTITY_MAP, 0x4000},
	};
	struct vmm_ram_range ranges[MEMORY_RANGES_MAX];
	int count = memory_ranges(vm->memory, ranges, MEMORY_RANGES_MAX);
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(fixed) / sizeof(fixed[0]); i++)
		ret = io_reserve(
			map, fixed[i].name, fixed[i].space, fixed[i].base, fixed[i].bytes, error);
	for (int i = 0; !ret && i < count; i++)
		ret = io_reserve(
			map, "ram", VMM_IO_MMIO, ranges[i].gpa.value, ranges[i].bytes, error);
	return ret;
}

int vm_print_capabilities(const char *path, FILE *file, struct vmm_error *error)
{
	struct kvm_caps caps;
	int kvm_fd;
	int ret = caps_open(path ? path : DEFAULT_PATH, error, &kvm_fd);

	if (ret)
		return ret;
	caps_print(kvm_fd, file);
	ret = caps_check(kvm_fd, error, &caps);
	close(kvm_fd);
	return ret;
}
