/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of guest.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

#define PATIENCE_S 60 /* the machine may be emulated, and busy */

static char error_text[512];
static struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};

static int32_t exit_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct guest *guest = ctx;

	(void)offset;
	(void)width;
	pthread_mutex_lock(&guest->lock);
	guest->exited = true;
	guest->exit_value = value;
	pthread_cond_broadcast(&guest->changed);
	pthread_mutex_unlock(&guest->lock);
	return 0;
}

static int32_t step_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct guest *guest = ctx;

	(void)offset;
	(void)width;
	pthread_mutex_lock(&guest->lock);
	guest->steps++;
	guest->step_value = value;
	pthread_cond_broadcast(&guest->changed);
	pthread_mutex_unlock(&guest->lock);
	return 0;
}

static void on_end(void *ctx, uint32_t index, enum vcpu_end end, const char *text)
{
	struct guest *guest = ctx;

	pthread_mutex_lock(&guest->lock);
	guest->ended = true;
	guest->end = end;
	guest->end_index = index;
	snprintf(guest->text, sizeof(guest->text), "%s", text);
	pthread_cond_broadcast(&guest->changed);
	pthread_mutex_unlock(&guest->lock);
}

static void must(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, error_text);
}

struct io_region *guest_region(struct guest *guest, const char *name, uint32_t space, uint64_t base,
	uint64_t bytes, uint32_t width_max, struct io_ops ops, void *ctx)
{
	const struct io_region_config config = {
		.name = name,
		.space = space,
		.base = base,
		.bytes = bytes,
		.width_max = width_max,
		.enabled = true,
		.ops = ops,
		.ctx = ctx,
	};
	struct io_region *region = NULL;

	must(io_region_add(guest->io, &config, &error, &region));
	return region;
}

void guest_init(struct guest *guest, uint32_t vcpus)
{
	const struct memory_extent extent = {0, GUEST_RAM};
	const struct memory_options ram = {.extents = &extent, .extent_count = 1};
	const struct vm_options options = {.vcpus = vcpus};

	memset(guest, 0, sizeof(*guest));
	pthread_mutex_init(&guest->lock, NULL);
	pthread_cond_init(&guest->changed, NULL);
	guest->count = vcpus;
	must(memory_create(&ram, &error, &guest->memory));
	must(vm_create(&options, guest->memory, &error, &guest->vm));
	must(io_map_create(vcpus, &guest->io));
	io_set_backend(guest->io, vm_io_backend(), guest->vm);
	must(vm_reserve(guest->vm, guest->io, &error));
	for (uint32_t i = 0; i < vcpus; i++) {
		const struct vcpu_options v = {
			.index = i, .count = vcpus, .ended = on_end, .ctx = guest};

		must(vcpu_create(guest->vm, guest->io, &v, &error, &guest->vcpus[i]));
	}
	guest_region(guest, "exit", VMM_IO_PIO, GUEST_PORT_EXIT, 4, 4,
		(struct io_ops){NULL, exit_write}, guest);
	guest_region(guest, "step", VMM_IO_PIO, GUEST_PORT_STEP, 4, 4,
		(struct io_ops){NULL, step_write}, guest);
}

void guest_fini(struct guest *guest)
{
	for (uint32_t i = 0; i < guest->count; i++) {
		if (guest->vcpus[i])
			vcpu_stop(guest->vcpus[i]);
	}
	for (uint32_t i = 0; i < guest->count; i++)
		vcpu_destroy(guest->vcpus[i]);
	io_map_destroy(guest->io);
	vm_destroy(guest->vm);
	memory_destroy(guest->memory);
	pthread_cond_destroy(&guest->changed);
	pthread_mutex_destroy(&guest->lock);
}

void guest_load(struct guest *guest, struct guest_program program)
{
	static const uint64_t gdt[] = {
		0, UINT64_C(0x00cf9b000000ffff), /* 0x08: code */
		UINT64_C(0x00cf93000000ffff),    /* 0x10: data */
	};
	struct vcpu_state state;

	vcpu_state_protected32(&state, 0x08, 0x10);
	state.gdt = (struct vcpu_table){GUEST_GDT, sizeof(gdt) - 1};
	state.idt = (struct vcpu_table){GUEST_IDT, 0x7ff};
	state.rip = GUEST_CODE;
	state.rsp = GUEST_STACK;
	must(memory_write(guest->memory, (vmm_gpa){GUEST_GDT}, gdt, sizeof(gdt)));
	must(memory_write(guest->memory, (vmm_gpa){GUEST_CODE}, program.start,
		(uint64_t)(program.end - program.start)));
	must(vcpu_set_state(guest->vcpus[0], &state, &error));
}

void guest_set_gate(struct guest *guest, uint32_t vector, uint64_t address)
{
	const uint32_t gate[2] = {
		(uint32_t)(address & 0xffff) | 0x08u << 16,
		(uint32_t)(address & 0xffff0000) | 0x8e00u,
	};

	must(memory_write(guest->memory, (vmm_gpa){GUEST_IDT + vector * 8}, gate, sizeof(gate)));
}

void guest_start(struct guest *guest)
{
	for (uint32_t i = 0; i < guest->count; i++)
		must(vcpu_start(guest->vcpus[i], &error));
}

static bool has_exited(const struct guest *guest, uint32_t steps)
{
	(void)steps;
	return guest->exited;
}

static bool has_stepped(const struct guest *guest, uint32_t steps)
{
	return guest->steps >= steps;
}

static bool has_ended(const struct guest *guest, uint32_t steps)
{
	(void)steps;
	return guest->ended;
}

static void wait_for(
	struct guest *guest, bool (*is_true)(const struct guest *, uint32_t), uint32_t steps)
{
	struct timespec until;
	bool done;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&guest->lock);
	while (!is_true(guest, steps) && !guest->ended && !err)
		err = pthread_cond_timedwait(&guest->changed, &guest->lock, &until);
	done = is_true(guest, steps);
	pthread_mutex_unlock(&guest->lock);
	if (!done) {
		for (uint32_t i = 0; i < guest->count; i++)
			vcpu_print_exits(guest->vcpus[i], stderr);
		fail_msg("the guest did not come there: %s",
			guest->ended ? guest->text : "time is up");
	}
}

uint64_t guest_wait_exit(struct guest *guest)
{
	wait_for(guest, has_exited, 0);
	return guest->exit_value;
}

bool guest_exited(struct guest *guest)
{
	bool exited;

	pthread_mutex_lock(&guest->lock);
	exited = guest->exited;
	pthread_mutex_unlock(&guest->lock);
	return exited;
}

void guest_wait_steps(struct guest *guest, uint32_t steps)
{
	wait_for(guest, has_stepped, steps);
}

void guest_wait_end(struct guest *guest)
{
	wait_for(guest, has_ended, 0);
}

uint32_t guest_read32(struct guest *guest, uint64_t address)
{
	uint32_t value = 0;

	must(memory_read(guest->memory, (vmm_gpa){address}, &value, sizeof(value)));
	return value;
}

void guest_write32(struct guest *guest, uint64_t address, uint32_t value)
{
	must(memory_write(guest->memory, (vmm_gpa){address}, &value, sizeof(value)));
}

bool guest_possible(void)
{
	if (system(HAVE_KVM) == 0)
		return true;
	fprintf(stderr, "skipped: no usable /dev/kvm; try tools/testbed -- ctest -L kvm\n");
	return false;
}
