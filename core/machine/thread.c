/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of the machine's threads, and what each is doing when it crashes.
 */
#include "kvm/vcpu.h"
#include "log/log.h"
#include "loop/crash_text.h"
#include "loop/signals.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "sandbox/sandbox.h"

static void describe_exit(const void *ctx, struct crash_text *text)
{
	const struct vcpu_exit last = vcpu_last_exit(ctx);

	if (!last.is_access) {
		crash_put(text, last.name ? last.name : "unknown");
		crash_put(text, " (KVM exit ");
		crash_put_number(text, last.reason);
		crash_put(text, ")");
		return;
	}
	crash_put(text, last.name);
	crash_put(text, last.is_write ? " write of " : " read of ");
	crash_put_number(text, last.bytes);
	crash_put(text, last.bytes == 1 ? " byte at " : " bytes at ");
	crash_put_hex(text, last.address);
}

void machine_vcpu_started(void *ctx, const struct vcpu *vcpu)
{
	(void)ctx;
	signals_init_thread();
	signals_describe_thread(describe_exit, vcpu);
	sandbox_thread(SANDBOX_VCPU);
}

static void log_thread_started(void)
{
	signals_init_thread();
	sandbox_thread(SANDBOX_HELPER);
}

int machine_enter_sandbox(struct machine *machine, struct vmm_error *error)
{
	uint64_t needs = 0;
	int ret;

	for (uint32_t i = 0; i < machine->host_count; i++)
		needs |= machine->hosts[i]->needs;
	ret = sandbox_enter(needs, error);
	/* Not earlier: a thread keeps what its process gives up later. */
	return ret < 0 ? ret : log_start(log_thread_started, error);
}
