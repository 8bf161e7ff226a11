/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a machine from a checked configuration, runs it, and takes it down.
 *
 * Order up: RAM, KVM, loops, devices (create, bind, realize), ACPI tables, kernel, vCPUs, start.
 * Order down: the reverse. Whatever was reached is what machine_destroy() undoes.
 */
#include "machine/machine.h"

#include <stdlib.h>
#include <time.h>

#include <vmm/support.h>

#include "acpi/acpi.h"
#include "boot/boot.h"
#include "config/config.h"
#include "io/io.h"
#include "kvm/vm.h"
#include "log/log.h"
#include "loop/signals.h"
#include "loop/watchdog.h"
#include "machine/device.h"
#include "machine/host.h"
#include "machine/layout.h"
#include "memory/memory.h"
#include "sandbox/sandbox.h"

/* Time for vCPUs to enter the guest. */
#define ENTRY_NS 3000000

bool machine_is_running(const struct machine *machine)
{
	return atomic_load_explicit(&machine->running, memory_order_acquire);
}

void machine_count_misuse(struct machine *machine)
{
	atomic_fetch_add_explicit(&machine->misuses, 1, memory_order_relaxed);
}

struct vmm_host *machine_host(struct machine *machine, uint64_t ref)
{
	for (uint32_t i = 0; i < machine->host_count; i++)
		if ((uint64_t)config_ref_number(i) == ref)
			return machine->hosts[i];
	return NULL;
}

bool machine_find_host(struct machine *machine,
	bool (*owns)(struct vmm_host *host, const struct host_object *object),
	const struct host_object *object)
{
	for (uint32_t i = 0; i < machine->host_count; i++)
		if (machine->hosts[i] && owns(machine->hosts[i], object))
			return true;
	return false;
}

struct loop *machine_find_loop(struct machine *machine, uint64_t handle)
{
	struct loop *loop = (struct loop *)(uintptr_t)handle;

	if (loop == machine->loop)
		return loop;
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		if (loop == machine->iothreads[i])
			return loop;
	return NULL;
}

#define PLACE_BYTES 512u

/* An error of what the setting at this place asks for. */
static int fail_at(struct config_place place, int code, const char *text, struct vmm_error *error)
{
	char where[PLACE_BYTES];

	vmm_set_error(error, "%s: %s", config_place_text(place, where, sizeof(where)), text);
	return code;
}

static int create_memory(struct machine *machine, struct vmm_error *error)
{
	const struct config_machine *config = &machine->config->machine;
	struct memory_extent extents[2];
	int count = memory_layout_pc(config->memory_bytes, extents);
	struct memory_options options = {
		.extents = extents,
		.extent_count = (uint32_t)count,
		.hugepage_bytes = config->hugepages ? MEMORY_PAGE_2M : 0,
		.shared = config->shared_memory,
		.prealloc = config->prealloc,
		.locked = config->lock_memory,
	};
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};
	int ret;

	if (count < 0)
		return fail_at(config->memory_place, count,
			"machine.memory must be a multiple of 4 KiB, and not 0", error);
	ret = memory_create(&options, &own, &machine->memory);
	return ret < 0 ? fail_at(config->memory_place, ret, text, error) : 0;
}

static int create_vm(struct machine *machine, struct vmm_error *error)
{
	struct vm_options options = {.vcpus = machine->config->machine.cpus};
	struct vmm_ram_range ranges[MEMORY_RANGES_MAX];
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error own = {sizeof(own), text, sizeof(text)};
	int count = memory_ranges(machine->memory, ranges, MEMORY_RANGES_MAX);
	int ret = vm_create(&options, machine->memory, error, &machine->vm);

	if (ret < 0)
		return ret;
	if (!vm_hardware())
		log_write(VMM_LOG_WARN, NULL,
			"KVM: the processor shows neither VT-x nor AMD-V, so /dev/kvm works "
			"without them (kvm_pvm?): a guest that stays silent may not be made for that");
	ret = layout_init(&machine->layout, options.vcpus, memory_bytes(machine->memory),
		ranges[count - 1].gpa.value + ranges[count - 1].bytes, vm_phys_bits(machine->vm),
		&own);
	if (ret < 0)
		return fail_at(machine->config->machine.memory_place, ret, text, error);
	ret = io_map_create(options.vcpus, &machine->io);
	if (ret < 0)
		return ret;
	io_set_backend(machine->io, vm_io_backend(), machine->vm);
	return vm_reserve(machine->vm, machine->io, error);
}

static int create_loops(struct machine *machine, struct vmm_error *error)
{
	const struct config *config = machine->config;
	const char *name = "main";
	int ret = vm_clock_create(&machine->clock);

	if (ret == 0)
		ret = loop_create(name, machine->clock, &machine->loop);
	if (ret == 0 && config->iothread_count > 0) {
		machine->iothreads = calloc(config->iothread_count, sizeof(*machine->iothreads));
		ret = machine->iothreads ? 0 : VMM_E_NOMEM;
	}
	for (size_t i = 0; ret == 0 && i < config->iothread_count; i++) {
		name = config->iothreads[i];
		ret = loop_create(name, machine->clock, &machine->iothreads[i]);
		if (ret == 0)
			machine->iothread_count++;
	}
	if (ret < 0) {
		vmm_set_error(
			error, "the loop \"%s\" cannot be made: %s", name, vmm_error_text(ret));
		return ret;
	}
	return machine_init_stop(machine, error);
}

static int create_devices(struct machine *machine, struct vmm_error *error)
{
	const struct config *config = machine->config;
	const uint32_t *order = config->create_order;
	int ret = acpi_create(&machine->acpi);

	if (ret < 0)
		return ret;
	machine->hosts = calloc(config->device_count + 1, sizeof(struct vmm_host *));
	if (!machine->hosts)
		return VMM_E_NOMEM;
	machine->host_count = (uint32_t)config->device_count;
	for (uint32_t i = 0; ret == 0 && i < machine->host_count; i++)
		ret = device_create(
			machine, &config->devices[order[i]], &machine->hosts[order[i]], error);
	for (uint32_t i = 0; ret == 0 && i < machine->host_count; i++)
		ret = device_bind(machine->hosts[order[i]], error);
	for (uint32_t i = 0; ret == 0 && i < machine->host_count; i++)
		ret = device_realize(machine->hosts[order[i]], error);
	return ret;
}

static int write_acpi(struct machine *machine, struct vmm_error *error)
{
	struct acpi_machine description = {
		.vcpus = machine->layout.vcpus,
		.lapic_base = (uint32_t)VM_LAPIC,
		.ioapic_base = (uint32_t)VM_IOAPIC,
		.ioapic_id = machine->layout.vcpus,
	};
	vmm_gpa base = {ACPI_AREA_BASE};
	struct vmm_iovec area;
	int ret = memory_map(machine->memory, base, ACPI_AREA_BYTES, &area, 1);

	if (ret < 0) {
		vmm_set_error(error, "machine.memory: less than 1 MiB");
		return ret;
	}
	return acpi_build(machine->acpi, &description, base, area.base, area.bytes, error);
}

static int load_kernel(
	struct machine *machine, struct vcpu_state *ret_state, struct vmm_error *error)
{
	const struct config_boot *boot = &machine->config->boot;
	const struct boot_range reserved[] = {
		{{ACPI_AREA_BASE}, ACPI_AREA_BYTES, BOOT_RANGE_ACPI},
		{{machine->layout.pci_ecam_base}, machine->layout.pci_ecam_bytes,
			BOOT_RANGE_RESERVED},
		{{VM_IDENTITY_MAP}, 4 * MEMORY_PAGE_4K, BOOT_RANGE_RESERVED},
	};
	struct boot_module *modules = calloc(boot->module_count + 1, sizeof(*modules));
	/* Of kernel, initrd and command line, and of each module. */
	char(*places)[PLACE_BYTES] = calloc(boot->module_count + 3, sizeof(*places));
	struct boot_config config = {
		.kernel_path = boot->kernel,
		.initrd_path = boot->initrd,
		.cmdline = boot->cmdline,
		.modules = modules,
		.module_count = boot->module_count,
		.rsdp = {ACPI_AREA_BASE},
		.reserved = reserved,
		.reserved_count = sizeof(reserved) / sizeof(reserved[0]),
	};
	struct boot_result result;
	int ret;

	if (!modules || !places) {
		free(modules);
		free(places);
		return VMM_E_NOMEM;
	}
	config.kernel_place = config_place_text(boot->kernel_place, places[0], PLACE_BYTES);
	config.initrd_place = config_place_text(boot->initrd_place, places[1], PLACE_BYTES);
	config.cmdline_place = config_place_text(boot->cmdline_place, places[2], PLACE_BYTES);
	for (size_t i = 0; i < boot->module_count; i++)
		modules[i] = (struct boot_module){boot->modules[i].path, boot->modules[i].cmdline,
			config_place_text(boot->modules[i].place, places[3 + i], PLACE_BYTES)};
	ret = boot_load(machine->memory, &config, ret_state, &result, error);
	if (ret == 0)
		log_write(VMM_LOG_DEBUG, "boot", "%s kernel, entry at %#llx", result.protocol,
			(unsigned long long)result.entry.value);
	free(modules);
	free(places);
	return ret;
}

static int create_vcpus(
	struct machine *machine, const struct vcpu_state *boot_state, struct vmm_error *error)
{
	uint32_t count = machine->layout.vcpus;

	machine->vcpus = calloc(count, sizeof(struct vcpu *));
	if (!machine->vcpus)
		return VMM_E_NOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct vcpu_options options = {
			.index = i,
			.count = count,
			.ended = machine_vcpu_ended,
			.thread_started = machine_vcpu_started,
			.ctx = machine,
		};
		int ret =
			vcpu_create(machine->vm, machine->io, &options, error, &machine->vcpus[i]);

		if (ret < 0)
			return ret;
		machine->vcpu_count = i + 1;
	}
	return vcpu_set_state(machine->vcpus[0], boot_state, error);
}

static int start_devices(struct machine *machine, struct vmm_error *error)
{
	const uint32_t *order = machine->config->create_order;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < machine->host_count; i++)
		ret = device_start(machine->hosts[order[i]], error);
	return ret;
}

/* Everything up to the first instruction of the guest. */
static enum machine_end build(struct machine *machine, struct vmm_error *error)
{
	struct vcpu_state boot_state;

	if (create_memory(machine, error) < 0 || create_vm(machine, error) < 0 ||
		create_loops(machine, error) < 0)
		return MACHINE_END_NO_HOST;
	if (create_devices(machine, error) < 0)
		return MACHINE_END_NO_DEVICE;
	if (write_acpi(machine, error) < 0)
		return MACHINE_END_NO_HOST;
	if (load_kernel(machine, &boot_state, error) < 0)
		return MACHINE_END_NO_KERNEL;
	if (create_vcpus(machine, &boot_state, error) < 0)
		return MACHINE_END_NO_HOST;
	if (start_devices(machine, error) < 0)
		return MACHINE_END_NO_DEVICE;
	if (machine_enter_sandbox(machine, error) < 0)
		return MACHINE_END_NO_HOST;
	return MACHINE_END_NONE;
}

/* A machine without a watchdog is better than none. */
static struct watchdog *start_watchdog(struct machine *machine)
{
	uint32_t count = machine->iothread_count + 1;
	struct loop **loops = calloc(count, sizeof(struct loop *));
	struct watchdog *watchdog = NULL;

	if (!loops)
		return NULL;
	loops[0] = machine->loop;
	for (uint32_t i = 1; i < count; i++)
		loops[i] = machine->iothreads[i - 1];
	watchdog_start(loops, count, WATCHDOG_LIMIT_NS, &watchdog);
	free(loops);
	return watchdog;
}

static int start_iothreads(struct machine *machine, struct vmm_error *error)
{
	for (uint32_t i = 0; i < machine->iothread_count; i++) {
		int ret = loop_thread_start(machine->iothreads[i]);

		if (ret < 0) {
			vmm_set_error(error, "the thread of the loop \"%s\" cannot be started: %s",
				loop_name(machine->iothreads[i]), vmm_error_text(ret));
			return ret;
		}
	}
	return 0;
}

static void join_iothreads(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		loop_thread_join(machine->iothreads[i]);
	atomic_store_explicit(&machine->running, false, memory_order_release);
}

/* A vCPU that enters the guest for the first time waits for this if it comes later. */
static void drop_missed_ticks(struct vm *vm)
{
	const struct timespec entry = {.tv_nsec = ENTRY_NS};
	char text[256];
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	nanosleep(&entry, NULL);
	if (vm_drop_missed_ticks(vm, &error) < 0)
		log_write(VMM_LOG_WARN, NULL,
			"%s; after a pause the guest gets all ticks of its PIT at once", text);
}

/* Threads start here and have ended when this returns. */
static enum machine_end run(struct machine *machine, struct vmm_error *error)
{
	struct watchdog *watchdog;
	int ret = 0;

	atomic_store_explicit(&machine->running, true, memory_order_release);
	/* Without all loops there is no stop in order; nothing is in flight that would need it. */
	if (start_iothreads(machine, error) < 0) {
		join_iothreads(machine);
		return MACHINE_END_NO_HOST;
	}
	for (uint32_t i = 0; ret == 0 && i < machine->vcpu_count; i++)
		ret = vcpu_start(machine->vcpus[i], error);
	if (ret < 0)
		machine_stop(machine, MACHINE_END_NO_HOST, 0);
	else
		drop_missed_ticks(machine->vm);
	watchdog = start_watchdog(machine);
	sandbox_thread(SANDBOX_MAIN);
	loop_run(machine->loop);
	watchdog_stop(watchdog);
	join_iothreads(machine);
	return (enum machine_end)atomic_load_explicit(&machine->end, memory_order_acquire);
}

static void destroy_devices(struct machine *machine)
{
	const uint32_t *order = machine->config->create_order;

	for (uint32_t i = machine->host_count; i-- > 0;)
		if (machine->hosts[order[i]])
			device_unrealize(machine->hosts[order[i]]);
	for (uint32_t i = machine->host_count; i-- > 0;) {
		device_destroy(machine->hosts[order[i]]);
		machine->hosts[order[i]] = NULL;
	}
	free(machine->hosts);
}

static void machine_destroy(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_destroy(machine->vcpus[i]);
	free(machine->vcpus);
	destroy_devices(machine);
	acpi_destroy(machine->acpi);
	signals_fini();
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		loop_destroy(machine->iothreads[i]);
	free(machine->iothreads);
	loop_destroy(machine->loop);
	vm_clock_destroy(machine->clock);
	io_map_destroy(machine->io);
	vm_destroy(machine->vm);
	memory_destroy(machine->memory);
}

enum machine_end machine_run(const struct config *config, int *ret_status, struct vmm_error *error)
{
	struct machine machine = {.config = config};
	enum machine_end end;

	vmm_set_error(error, "out of memory");
	end = build(&machine, error);
	if (end == MACHINE_END_NONE)
		end = run(&machine, error);
	*ret_status = atomic_load_explicit(&machine.end_status, memory_order_acquire);
	machine_destroy(&machine);
	return end;
}
