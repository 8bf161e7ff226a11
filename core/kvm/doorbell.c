/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells in the kernel: the I/O map's backend on KVM_IOEVENTFD. A refusal (no room, no support)
 * is not an error: the I/O map traps the write instead.
 */
#include <sys/ioctl.h>

#include "kvm/vm_internal.h"

static struct kvm_ioeventfd wire_to_kvm(const struct io_wire *wire)
{
	struct kvm_ioeventfd event = {
		.addr = wire->address,
		.len = wire->width,
		.fd = wire->fd,
		.datamatch = wire->value,
	};

	if (wire->match)
		event.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	if (wire->space == VMM_IO_PIO)
		event.flags |= KVM_IOEVENTFD_FLAG_PIO;
	return event;
}

static int doorbell_assign(void *ctx, const struct io_wire *wire)
{
	const struct vm *vm = ctx;
	struct kvm_ioeventfd event = wire_to_kvm(wire);

	if (wire->width == 0 && !vm->caps.ioeventfd_any_length)
		return VMM_E_UNSUPPORTED;
	return ioctl(vm->fd, KVM_IOEVENTFD, &event) ? VMM_E_LIMIT : 0;
}

static void doorbell_unassign(void *ctx, const struct io_wire *wire)
{
	const struct vm *vm = ctx;
	struct kvm_ioeventfd event = wire_to_kvm(wire);

	event.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	ioctl(vm->fd, KVM_IOEVENTFD, &event);
}

const struct io_backend *vm_io_backend(void)
{
	static const struct io_backend backend = {doorbell_assign, doorbell_unassign};

	return &backend;
}
