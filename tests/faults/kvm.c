/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See kvm.h. The vCPU's thread and the guest's take turns: the guest asks for an access and waits,
 * KVM_RUN returns with it, and the next KVM_RUN hands the answer over.
 */
#include "kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "guest.h"

#define RUN_BYTES   (3u * 4096u)
#define VCPUS       8u
#define NS_PER_MS   1000000
#define LOOK_MS     2
#define DATA_OFFSET 4096u
#define GUEST_STACK ((size_t)1024 * 1024)

enum { KIND_NONE, KIND_KVM, KIND_VM, KIND_VCPU };

#define FDS_MAX     256
#define ENTRIES_MAX 256u

struct cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[ENTRIES_MAX];
};

static struct {
	kvm_guest guest;
	struct guest_machine *machine;
	struct kvm_run *runs[VCPUS];
	uint8_t kinds[FDS_MAX];
	uint8_t vcpus[FDS_MAX];
	const struct kvm_cpuid2 *host_cpuid;
	struct cpuid cpuids[VCPUS];
	struct kvm_regs registers[VCPUS];
	atomic_bool drops_missed_ticks;
} kvm;

static void copy_cpuid(struct kvm_cpuid2 *to, const struct kvm_cpuid2 *from)
{
	if (from->nent > ENTRIES_MAX)
		abort();
	memcpy(to, from, sizeof(*from) + from->nent * sizeof(from->entries[0]));
}

/* A descriptor that stands for something; of the kernel's without a counted call. */
static int new_fd(uint8_t kind)
{
	int fd = (int)syscall(SYS_memfd_create, "fake-kvm", 0);

	if (fd < 0 || fd >= FDS_MAX || syscall(SYS_ftruncate, fd, RUN_BYTES))
		abort();
	kvm.kinds[fd] = kind;
	return fd;
}

static int open_hook(const char *path, int *ret_fd)
{
	if (strcmp(path, "/dev/kvm") != 0)
		return 0;
	*ret_fd = new_fd(KIND_KVM);
	return 1;
}

static int check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_NR_MEMSLOTS:
		return 509;
	case KVM_CAP_MAX_VCPUS:
		return VCPUS;
	case KVM_CAP_IRQ_ROUTING:
		return 4096;
	default:
		return 1;
	}
}

static int kvm_request(unsigned long request, void *argument)
{
	struct kvm_cpuid2 *cpuid = argument;

	switch (request) {
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return check_extension((uintptr_t)argument);
	case KVM_GET_VCPU_MMAP_SIZE:
		return (int)RUN_BYTES;
	case KVM_GET_SUPPORTED_CPUID:
		if (kvm.host_cpuid) {
			copy_cpuid(cpuid, kvm.host_cpuid);
			return 0;
		}
		cpuid->nent = 2;
		cpuid->entries[0] = (struct kvm_cpuid_entry2){.function = 0, .eax = 0xd};
		cpuid->entries[1] = (struct kvm_cpuid_entry2){.function = 0x80000008, .eax = 40};
		return 0;
	case KVM_CREATE_VM:
		kvm.machine = guest_machine_create();
		return new_fd(KIND_VM);
	default:
		errno = ENOTTY;
		return -1;
	}
}

/* What KVM shares with vmm is a file here; both map it. */
static struct kvm_run *map_run(int fd)
{
	void *run = mmap(NULL, RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (run == MAP_FAILED)
		abort();
	return run;
}

static int create_vcpu(uintptr_t index)
{
	int fd = new_fd(KIND_VCPU);

	kvm.vcpus[fd] = (uint8_t)index;
	kvm.runs[index] = map_run(fd);
	return fd;
}

static int vm_request(unsigned long request, void *argument)
{
	const struct kvm_userspace_memory_region *slot = argument;
	const struct kvm_ioeventfd *doorbell = argument;

	switch (request) {
	case KVM_CREATE_VCPU:
		return create_vcpu((uintptr_t)argument);
	case KVM_SET_USER_MEMORY_REGION:
		guest_machine_add_ram(kvm.machine, slot->guest_phys_addr, slot->memory_size,
			(void *)(uintptr_t)slot->userspace_addr);
		return 0;
	case KVM_IOEVENTFD:
		guest_machine_set_doorbell(kvm.machine, doorbell);
		return 0;
	case KVM_REINJECT_CONTROL:
		kvm.drops_missed_ticks = !((struct kvm_reinject_control *)argument)->pit_reinject;
		return 0;
	case KVM_SET_TSS_ADDR:
	case KVM_SET_IDENTITY_MAP_ADDR:
	case KVM_CREATE_IRQCHIP:
	case KVM_CREATE_PIT2:
	case KVM_IRQ_LINE:
	case KVM_IRQFD:
	case KVM_SET_GSI_ROUTING:
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

/* --- Running --- */

static void *guest_main(void *arg)
{
	struct guest_machine *machine = arg;

	fault_exempt_enter();
	kvm.guest(guest_machine_host(machine));
	for (;;)
		pause();
	return NULL;
}

static void start_guest(struct guest_machine *machine)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, GUEST_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, guest_main, machine))
		abort();
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void put_access(struct kvm_run *run, const struct guest_access *access)
{
	if (access->space == VMM_IO_PIO) {
		run->exit_reason = KVM_EXIT_IO;
		run->io.direction = access->is_write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
		run->io.size = (uint8_t)access->width;
		run->io.port = (uint16_t)access->address;
		run->io.count = 1;
		run->io.data_offset = DATA_OFFSET;
		memcpy((uint8_t *)run + DATA_OFFSET, &access->value, sizeof(access->value));
	} else {
		run->exit_reason = KVM_EXIT_MMIO;
		run->mmio.phys_addr = access->address;
		run->mmio.len = access->width;
		run->mmio.is_write = access->is_write;
		memcpy(run->mmio.data, &access->value, sizeof(run->mmio.data));
	}
}

static void take_answer(const struct kvm_run *run, struct guest_access *access)
{
	const void *data =
		access->space == VMM_IO_PIO ? (const uint8_t *)run + DATA_OFFSET : run->mmio.data;

	access->value = 0;
	memcpy(&access->value, data, access->width);
}

static bool is_stopped(const struct kvm_run *run)
{
	return __atomic_load_n(&run->immediate_exit, __ATOMIC_ACQUIRE);
}

static int interrupted(void)
{
	errno = EINTR;
	return -1;
}

/* All processors but the first never start. */
static int run_halted(const struct kvm_run *run)
{
	const struct timespec look = {0, LOOK_MS * NS_PER_MS};

	while (!is_stopped(run))
		nanosleep(&look, NULL);
	return interrupted();
}

static int run_vcpu(int fd)
{
	struct guest_machine *machine = kvm.machine;
	struct kvm_run *run = kvm.runs[kvm.vcpus[fd]];
	struct guest_access *access;

	if (kvm.vcpus[fd])
		return run_halted(run);
	if (!machine->started) {
		machine->started = true;
		start_guest(machine);
	}
	access = guest_machine_current(machine);
	if (access) {
		take_answer(run, access);
		guest_machine_answer(machine);
	}
	while (!is_stopped(run)) {
		access = guest_machine_wait(machine, LOOK_MS);
		if (access) {
			put_access(run, access);
			return 0;
		}
	}
	return interrupted();
}

static int vcpu_request(int fd, unsigned long request, void *argument)
{
	const uint32_t vcpu = kvm.vcpus[fd];

	switch (request) {
	case KVM_SET_CPUID2:
		copy_cpuid(&kvm.cpuids[vcpu].head, argument);
		return 0;
	case KVM_SET_REGS:
		memcpy(&kvm.registers[vcpu], argument, sizeof(struct kvm_regs));
		return 0;
	case KVM_RUN:
		return run_vcpu(fd);
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return (int)((struct kvm_msrs *)argument)->nmsrs;
	case KVM_GET_LAPIC:
		memset(argument, 0, sizeof(struct kvm_lapic_state));
		return 0;
	case KVM_GET_SREGS:
		memset(argument, 0, sizeof(struct kvm_sregs));
		return 0;
	case KVM_GET_REGS:
		memset(argument, 0, sizeof(struct kvm_regs));
		return 0;
	default:
		return 0;
	}
}

static int ioctl_hook(int fd, unsigned long request, void *argument, int *ret_result)
{
	if (_IOC_TYPE(request) != KVMIO || fd < 0 || fd >= FDS_MAX || !kvm.kinds[fd])
		return 0;
	fault_exempt_enter();
	if (kvm.kinds[fd] == KIND_KVM)
		*ret_result = kvm_request(request, argument);
	else if (kvm.kinds[fd] == KIND_VM)
		*ret_result = vm_request(request, argument);
	else
		*ret_result = vcpu_request(fd, request, argument);
	fault_exempt_leave();
	return 1;
}

bool kvm_made_machine(void)
{
	return kvm.machine;
}

bool kvm_drops_missed_ticks(void)
{
	return kvm.drops_missed_ticks;
}

void kvm_set_host_cpuid(const struct kvm_cpuid2 *cpuid)
{
	kvm.host_cpuid = cpuid;
}

const struct kvm_cpuid2 *kvm_vcpu_cpuid(uint32_t vcpu)
{
	return &kvm.cpuids[vcpu].head;
}

const struct kvm_regs *kvm_vcpu_registers(uint32_t vcpu)
{
	return &kvm.registers[vcpu];
}

void kvm_install(kvm_guest guest)
{
	kvm.guest = guest;
	call_open_hook = open_hook;
	call_ioctl_hook = ioctl_hook;
}
