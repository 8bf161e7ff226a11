/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way in which a machine ends, whoever asks: note the first reason; stop and join the
 * vCPUs; let every device finish and flush on its own loop; stop the main loop. All on the main
 * loop, which goes on serving its devices meanwhile: a block device needs it to drain.
 */
#include <inttypes.h>
#include <signal.h>

#include <vmm/support.h>

#include "config/config.h"
#include "kvm/vcpu.h"
#include "log/log.h"
#include "loop/loop.h"
#include "loop/signals.h"
#include "machine/device.h"
#include "machine/host.h"
#include "machine/machine.h"

/* How long devices may take to finish what is in flight before the operator is told. */
#define QUIESCE_SLOW_NS UINT64_C(10000000000)

static void quiesce_done_one(struct machine *machine)
{
	if (atomic_fetch_sub_explicit(&machine->quiesce_left, 1, memory_order_acq_rel) == 1)
		loop_stop(machine->loop);
}

void machine_quiesced(struct vmm_host *host)
{
	if (!atomic_exchange_explicit(&host->quiesce_pending, false, memory_order_acq_rel)) {
		host_misuse(host, "vmm.machine quiesced", "no quiesce is pending");
		return;
	}
	quiesce_done_one(host->machine);
}

/* [loop] of the device. Pending is set before the call: quiesced() may come from within it. */
static void quiesce_cb(void *ctx)
{
	struct vmm_host *host = ctx;

	atomic_store_explicit(&host->quiesce_pending, true, memory_order_release);
	if (device_quiesce(host) == VMM_PENDING)
		return;
	if (atomic_exchange_explicit(&host->quiesce_pending, false, memory_order_acq_rel))
		quiesce_done_one(host->machine);
}

static void quiesce_slow_cb(void *ctx)
{
	struct machine *machine = ctx;

	for (uint32_t i = 0; i < machine->host_count; i++)
		if (atomic_load_explicit(&machine->hosts[i]->quiesce_pending, memory_order_acquire))
			log_write(VMM_LOG_WARN, machine->hosts[i]->id,
				"still finishing what is in flight; a second signal ends at once");
	loop_timer_arm(
		machine->slow_timer, loop_now(machine->clock, VMM_CLOCK_HOST) + QUIESCE_SLOW_NS);
}

static void quiesce_all(struct machine *machine)
{
	/* One more than there are devices, so that it does not reach 0 in the loop below. */
	atomic_store_explicit(
		&machine->quiesce_left, machine->host_count + 1, memory_order_release);
	for (uint32_t i = 0; i < machine->host_count; i++) {
		struct vmm_host *host = machine->hosts[i];

		loop_post_init(&host->quiesce_post, host->loop, host, quiesce_cb, host);
		loop_post_queue(&host->quiesce_post);
	}
	quiesce_done_one(machine);
}

/*
 * On the main loop. vCPUs that wait for a device's loop are let go first, so the joins are short:
 * nothing else blocks a vCPU, but for what the host has swapped out.
 */
static void stop_cb(void *ctx)
{
	struct machine *machine = ctx;

	loop_sync_close(machine->loop);
	for (uint32_t i = 0; i < machine->iothread_count; i++)
		loop_sync_close(machine->iothreads[i]);
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_stop(machine->vcpus[i]);
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_join(machine->vcpus[i]);
	loop_timer_arm(
		machine->slow_timer, loop_now(machine->clock, VMM_CLOCK_HOST) + QUIESCE_SLOW_NS);
	quiesce_all(machine);
}

/* Somebody outside of the guest asks for the end. */
static bool is_wish(enum machine_end end)
{
	return end == MACHINE_END_SIGTERM || end == MACHINE_END_SIGINT || end == MACHINE_END_ESCAPE;
}

void machine_stop(struct machine *machine, enum machine_end end, int status)
{
	int before = MACHINE_END_NONE;

	if (!atomic_compare_exchange_strong_explicit(
		    &machine->end, &before, (int)end, memory_order_acq_rel, memory_order_acquire)) {
		/* Who wants the end does not want that a guest's reset begins again. */
		if (before == MACHINE_END_RESET && is_wish(end))
			atomic_compare_exchange_strong_explicit(&machine->end, &before, (int)end,
				memory_order_acq_rel, memory_order_acquire);
		return;
	}
	atomic_store_explicit(&machine->end_status, status, memory_order_release);
	loop_post_queue(&machine->stop_post);
}

void machine_vcpu_ended(void *ctx, uint32_t index, enum vcpu_end end, const char *text)
{
	struct machine *machine = ctx;

	switch (end) {
	case VCPU_END_POWER_OFF:
		machine_stop(machine, MACHINE_END_POWER_OFF, 0);
		return;
	case VCPU_END_RESET:
		machine_stop(machine, MACHINE_END_RESET, 0);
		return;
	case VCPU_END_TRIPLE_FAULT:
	case VCPU_END_CRASH:
		log_write(VMM_LOG_ERROR, "kvm", "vCPU %" PRIu32 ": %s", index, text);
		machine_stop(machine, MACHINE_END_CRASH, 0);
		return;
	default:
		log_write(VMM_LOG_ERROR, "kvm", "vCPU %" PRIu32 ": %s", index, text);
		machine_stop(machine, MACHINE_END_INTERNAL, 0);
		return;
	}
}

static void signal_stop(void *ctx, int signal)
{
	machine_stop(ctx, signal == SIGINT ? MACHINE_END_SIGINT : MACHINE_END_SIGTERM, 0);
}

static void signal_power_button(void *ctx)
{
	machine_power_button(ctx);
}

static const struct signals_ops signal_ops = {
	.stop = signal_stop,
	.power_button = signal_power_button,
};

int machine_init_stop(struct machine *machine, struct vmm_error *error)
{
	int ret = loop_timer_add(machine->loop, machine, VMM_CLOCK_HOST, quiesce_slow_cb, machine,
		&machine->slow_timer);

	loop_post_init(&machine->stop_post, machine->loop, machine, stop_cb, machine);
	if (ret < 0) {
		vmm_set_error(
			error, "the timer of the stop cannot be made: %s", vmm_error_text(ret));
		return ret;
	}
	return signals_init(machine->loop, &signal_ops, machine, error);
}
