/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host service "vmm.loop/1": file descriptors, timers and posted calls on a loop thread, and
 * "vmm.worker/1": blocking work off it, and "vmm.borrow/1": its work on another thread. A device
 * has one loop, the main one or the I/O thread that its `iothread` names; a transport that serves
 * other devices may use theirs.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <vmm/types.h>

#define VMM_LOOP_ID   "vmm.loop/1"
#define VMM_WORKER_ID "vmm.worker/1"
#define VMM_BORROW_ID "vmm.borrow/1"

#define VMM_CLOCK_HOST 100u /* host monotonic time */
#define VMM_CLOCK_VM   200u /* the same, but stands still while the guest is paused */
#define VMM_CLOCK_REAL 300u /* host wall-clock time since 1970 */

#define VMM_WATCH_READ  0x1u
#define VMM_WATCH_WRITE 0x2u
#define VMM_WATCH_ERROR 0x4u /* always reported, never asked for */

/** An fd is ready (level-triggered); events are VMM_WATCH_.... [loop] */
typedef void (*vmm_watch_cb)(void *ctx, int32_t fd, uint32_t events);

/** A timer, a post or finished work. [loop], for work() of vmm.worker: a worker thread. */
typedef void (*vmm_call_cb)(void *ctx);

/** Table of functions. `loop` is a handle from own(), or of another device that was given one. */
struct vmm_loop {
	uint64_t size;

	/** The handle of the device's own loop. [any] */
	uint64_t (*own)(vmm_host *host);

	/** Nanoseconds on a VMM_CLOCK_.... [any] */
	uint64_t (*now)(vmm_host *host, uint32_t clock);

	/** Watches fd for events (VMM_WATCH_...; 0: only errors). The fd stays the caller's and
	 * must outlive the watch; one watch for an fd. It is made non-blocking. An fd that reports
	 * nothing but errors is not watched any more until watch_set(). VMM_E_UNSUPPORTED: it
	 * cannot be waited for: a regular file. [config] [loop] */
	int32_t (*watch_add)(vmm_host *host, uint64_t loop, int32_t fd, uint32_t events,
		vmm_watch_cb cb, void *ctx, uint64_t *ret_watch);

	/** Changes what is watched for. [config] [loop] */
	int32_t (*watch_set)(vmm_host *host, uint64_t watch, uint32_t events);

	/** Ends a watch; its callback does not come any more. [config] [loop] */
	void (*watch_remove)(vmm_host *host, uint64_t watch);

	/** Makes a timer on a VMM_CLOCK_HOST, _VM or _REAL; not armed. [config] [loop] */
	int32_t (*timer_add)(vmm_host *host, uint64_t loop, uint32_t clock, vmm_call_cb cb,
		void *ctx, uint64_t *ret_timer);

	/** Fires once at deadline_ns, at once if that is past; replaces an earlier deadline.
	 * VMM_TIMER_OFF disarms. [any] */
	int32_t (*timer_arm)(vmm_host *host, uint64_t timer, uint64_t deadline_ns);

	/** Removes a timer; its callback does not come any more. [config] [loop] */
	void (*timer_remove)(vmm_host *host, uint64_t timer);

	/**
	 * Calls cb on the loop, once, later. Posts of one thread keep their order. A post that is
	 * under way when the device is destroyed is dropped. [any]
	 */
	int32_t (*post)(vmm_host *host, uint64_t loop, vmm_call_cb cb, void *ctx);
};
VMM_ASSERT_SIZE(vmm_loop, 80);
VMM_ASSERT_OFFSET(vmm_loop, size, 0);
VMM_ASSERT_OFFSET(vmm_loop, own, 8);
VMM_ASSERT_OFFSET(vmm_loop, now, 16);
VMM_ASSERT_OFFSET(vmm_loop, watch_add, 24);
VMM_ASSERT_OFFSET(vmm_loop, watch_set, 32);
VMM_ASSERT_OFFSET(vmm_loop, watch_remove, 40);
VMM_ASSERT_OFFSET(vmm_loop, timer_add, 48);
VMM_ASSERT_OFFSET(vmm_loop, timer_arm, 56);
VMM_ASSERT_OFFSET(vmm_loop, timer_remove, 64);
VMM_ASSERT_OFFSET(vmm_loop, post, 72);

#define VMM_TIMER_OFF UINT64_MAX

/** Table of functions. */
struct vmm_worker {
	uint64_t size;

	/**
	 * Runs work on a worker thread, where it may block, then done on the loop. The core waits
	 * for it before it calls unrealize. [loop]
	 */
	int32_t (*submit)(
		vmm_host *host, uint64_t loop, vmm_call_cb work, vmm_call_cb done, void *ctx);
};
VMM_ASSERT_SIZE(vmm_worker, 16);
VMM_ASSERT_OFFSET(vmm_worker, size, 0);
VMM_ASSERT_OFFSET(vmm_worker, submit, 8);

/** Table of functions. Since ABI 0.2. */
struct vmm_borrow {
	uint64_t size;

	/**
	 * Keeps the loop's callbacks from running until give_back, so that a thread that has a
	 * moment's work for the loop does it at once instead of waking it. Never waits: VMM_E_BUSY,
	 * one runs, or waits for its turn. VMM_E_UNSUPPORTED: the caller is a SERIAL device. The
	 * thread does not become the loop's: it calls only what may be called on [any], and nothing
	 * that waits. [any]
	 */
	int32_t (*borrow)(vmm_host *host, uint64_t loop);

	/** The end of a borrow that returned 0, on the same thread. [any] */
	void (*give_back)(vmm_host *host, uint64_t loop);
};
VMM_ASSERT_SIZE(vmm_borrow, 24);
VMM_ASSERT_OFFSET(vmm_borrow, size, 0);
VMM_ASSERT_OFFSET(vmm_borrow, borrow, 8);
VMM_ASSERT_OFFSET(vmm_borrow, give_back, 16);

#endif
