/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that are made of KVM while a guest runs, each with the reason for it: the sandbox lets
 * no others through. Who makes another one adds it here.
 */
#ifndef KVM_REQUESTS_H
#define KVM_REQUESTS_H

#include <linux/kvm.h>

/** X(request, reason) of what vCPU threads do in the path of every exit. */
#define KVM_REQUESTS_OF_EXITS(X) X(KVM_RUN, "runs the guest")

/** Of what only vCPU threads do, seldom. */
#define KVM_REQUESTS_OF_VCPUS(X)                                                                   \
	X(KVM_KVMCLOCK_CTRL, "a pause is no lockup")                                               \
	X(KVM_GET_REGS, "where the guest was, for the log")

/** Of what devices do on vCPU threads and loops: they switch interrupts and doorbells on and off as
 * the guest asks. */
#define KVM_REQUESTS_OF_DEVICES(X)                                                                 \
	X(KVM_IRQ_LINE, "interrupt lines")                                                         \
	X(KVM_IRQFD, "interrupts by eventfd")                                                      \
	X(KVM_SIGNAL_MSI, "message-signalled interrupts")                                          \
	X(KVM_SET_GSI_ROUTING, "routes of message-signalled interrupts")                           \
	X(KVM_IOEVENTFD, "doorbells of queues; they follow their BAR")

#endif
