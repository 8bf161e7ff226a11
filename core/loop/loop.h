/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loops: the main loop and the I/O threads. File descriptors, timers, posted calls, calls
 * that a vCPU waits for, and blocking work off the loop. The services vmm.loop and vmm.worker of
 * the plugin ABI are this, one to one, behind handles that core/machine makes.
 *
 * Rules of life:
 *   1. A loop is made and destroyed on the main thread. Between loop_run() and its return, or
 *      loop_thread_start() and loop_thread_join(), it runs and belongs to that thread: [loop].
 *      While it does not run it belongs to the main thread: [config].
 *   2. Whatever is added has an owner: any pointer, for a device its instance. loop_drop_owner()
 *      removes all that the owner still has; after that no callback of it comes any more.
 *   3. watch and timer pointers are dead once removed, whether by remove or by loop_drop_owner().
 *   4. Callbacks of one loop never run at the same time, and never from inside a function here.
 *      Who borrows the loop counts as one: none runs until he gives it back.
 *   5. An exception to 4: loop_call_sync() on the loop's own thread calls at once.
 *
 * Functions return 0 or VMM_E_....
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <vmm/loop.h>

struct loop;
struct loop_watch;
struct loop_timer;
struct vm_clock;

/* --- Clocks --- */

/** Makes the clock behind VMM_CLOCK_VM: as VMM_CLOCK_HOST until it is paused. [config] */
int vm_clock_create(struct vm_clock **ret_clock);

/** Frees it, after every loop that uses it; NULL is fine. [config] */
void vm_clock_destroy(struct vm_clock *clock);

/** Stops the clock, and with it its timers. Pausing twice is the same as once. [any] */
void vm_clock_pause(struct vm_clock *clock);

/** Lets it go on from where it stood. [any] */
void vm_clock_resume(struct vm_clock *clock);

/** Nanoseconds on a VMM_CLOCK_...; 0 for an unknown one. clock is for VMM_CLOCK_VM. [any] */
uint64_t loop_now(struct vm_clock *clock, uint32_t which);

/* --- The loop --- */

/** Makes a loop. name ("main", an I/O thread's) is copied; clock stays the caller's. [config] */
int loop_create(const char *name, struct vm_clock *clock, struct loop **ret_loop);

/** Waits for work under way, drops everything and frees the loop; NULL is fine. [config] */
void loop_destroy(struct loop *loop);

/** Name given at create. [any] */
const char *loop_name(const struct loop *loop);

/** Runs on the calling thread until loop_stop(). May be called again. [config] */
int loop_run(struct loop *loop);

/** Makes loop_run() return soon, also one that has not begun yet. Lasts until it did. [any] */
void loop_stop(struct loop *loop);

/** Runs the loop on a new thread, named after it, with all signals blocked. [config] */
int loop_thread_start(struct loop *loop);

/** loop_stop(), then waits for that thread. Nothing if there is none. [config] */
void loop_thread_join(struct loop *loop);

/** True on the thread that runs the loop now. [any] */
bool loop_is_current(const struct loop *loop);

/** The loop that runs on this thread, or NULL. [any] */
struct loop *loop_current(void);

/** True while the loop runs, on whatever thread. [any] */
bool loop_is_running(const struct loop *loop);

/**
 * Keeps the loop's callbacks from running, if none runs or waits for its turn; never waits itself.
 * For a thread that does a moment's work of the loop without waking it. It is not on the loop:
 * watches and timers stay as they are. [any], while the loop is not being destroyed
 */
bool loop_borrow(struct loop *loop);

/** The end of what loop_borrow() began, on the same thread. */
void loop_give_back(struct loop *loop);

/**
 * Removes all watches, timers and queued posts of the owner. Work under way is not waited for, only
 * its done() dropped: loop_work_drain() comes first. [config] [loop]
 */
void loop_drop_owner(struct loop *loop, const void *owner);

/* --- File descriptors --- */

/**
 * Watches fd, level-triggered, for VMM_WATCH_READ and _WRITE (0: only errors). The fd stays the
 * caller's and outlives the watch; it is made non-blocking. VMM_E_UNSUPPORTED: it cannot be waited
 * for (a regular file). VMM_E_EXISTS: the loop watches it already. [config] [loop]
 *
 * An fd whose error is reported 64 times in a row without anything else is not watched any more
 * until loop_watch_set(), and a line says so.
 */
int loop_watch_add(struct loop *loop, const void *owner, int fd, uint32_t events, vmm_watch_cb cb,
	void *ctx, struct loop_watch **ret_watch);

/** Changes what is watched for. [config] [loop] */
int loop_watch_set(struct loop_watch *watch, uint32_t events);

/** Ends a watch; NULL is fine. The fd may be closed at once. [config] [loop] */
void loop_watch_remove(struct loop_watch *watch);

/* --- Timers --- */

/** Makes a timer on VMM_CLOCK_HOST, _VM or _REAL; not armed. [config] [loop] */
int loop_timer_add(struct loop *loop, const void *owner, uint32_t which, vmm_call_cb cb, void *ctx,
	struct loop_timer **ret_timer);

/**
 * Fires once at deadline_ns, at once if that is past; replaces an earlier deadline. VMM_TIMER_OFF
 * disarms: a callback that has not begun does not come. [any], not while it is being removed.
 */
int loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns);

/** Removes a timer; NULL is fine. [config] [loop] */
void loop_timer_remove(struct loop_timer *timer);

/* --- Calls from other threads --- */

/** Calls cb on the loop, once, later. All posts to a loop are in one order. [any] */
int loop_post(struct loop *loop, const void *owner, vmm_call_cb cb, void *ctx);

/**
 * A post whose memory is the caller's: cannot fail, and several before it runs are one. Zeroed,
 * then loop_post_init(); owner as above. It may be freed after loop_post_cancel().
 */
struct loop_post {
	struct loop_post *next;
	struct loop_post *prev;
	struct loop *loop;
	const void *owner;
	vmm_call_cb cb;
	void *ctx;
	uint32_t kind;
	bool queued; /* under the loop's lock */
};

void loop_post_init(
	struct loop_post *post, struct loop *loop, const void *owner, vmm_call_cb cb, void *ctx);

/** Queues it unless it is queued. [any] */
void loop_post_queue(struct loop_post *post);

/** Takes it back if it is queued. [config] [loop] */
void loop_post_cancel(struct loop_post *post);

/**
 * Runs cb on the loop, in the order of posts, and waits for its return; at once if this is the
 * loop's thread. For accesses of a guest to a device that lives on a loop. VMM_E_GONE: sync calls
 * are closed, and cb is not called. Waits while the loop does not run yet. [any]
 */
int loop_call_sync(struct loop *loop, vmm_call_cb cb, void *ctx);

/**
 * Ends sync calls: those that wait and have not begun return VMM_E_GONE now, later ones at once;
 * one that has begun is finished. For the way down: call it for every loop before joining vCPU
 * threads, on whatever thread. loop_stop() and loop_destroy() do it too. [any]
 */
void loop_sync_close(struct loop *loop);

/** Allows sync calls again, once the vCPU threads are joined. A new loop allows them. [any] */
void loop_sync_open(struct loop *loop);

/* --- Blocking work --- */

/**
 * Runs work on a worker thread of the process's pool, then done on the loop. VMM_E_NOMEM,
 * VMM_E_LIMIT: no thread can be started. [config] [loop]
 */
int loop_work(struct loop *loop, const void *owner, vmm_call_cb work, vmm_call_cb done, void *ctx);

/**
 * Waits until no work of the owner is under way on this loop, and runs its done() callbacks on the
 * calling thread, for it: before unrealize, when the loop does not run any more. [config]
 */
void loop_work_drain(struct loop *loop, const void *owner);

/** Number of submitted works of the owner whose done() has not returned. [any] */
uint32_t loop_work_pending(struct loop *loop, const void *owner);

#endif
