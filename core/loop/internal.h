/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a loop, shared by the files of core/loop that make it up. Nobody else includes it:
 * <uv.h> stays here.
 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <uv.h>

#include "loop/loop.h"
#include "loop/pool.h"

/** What becomes of a post once it has run: loop_post.kind. */
enum post_kind {
	POST_EMBEDDED, /* nothing: its memory is the caller's */
	POST_MALLOC,   /* freed */
	POST_SYNC,     /* its caller waits */
	POST_WORK,     /* it is in a struct loop_work */
};

struct loop_watch {
	uv_poll_t poll;
	LIST_ENTRY(loop_watch) link;
	struct loop *loop;
	const void *owner;
	vmm_watch_cb cb;
	void *ctx;
	int fd;
	uint32_t events;
	uint32_t errors; /* in a row */
	bool removed;    /* only the close callback still comes */
};

struct loop_timer {
	LIST_ENTRY(loop_timer) link;       /* of the loop */
	LIST_ENTRY(loop_timer) clock_link; /* of the VM clock; only for its timers */
	struct loop *loop;
	const void *owner;
	struct loop_watch *watch;
	struct vm_clock *clock; /* NULL: a clock of the host */
	vmm_call_cb cb;
	void *ctx;
	uint64_t deadline_ns; /* of timers of the VM clock, under its lock */
	int fd;
};

struct loop_work {
	struct pool_job job;
	LIST_ENTRY(loop_work) link;
	struct loop_post post; /* of done; gives the loop and the owner */
	vmm_call_cb work;
	vmm_call_cb done; /* NULL: its owner was dropped */
	void *ctx;
	bool worked; /* under the loop's lock */
};

LIST_HEAD(watch_list, loop_watch);
LIST_HEAD(timer_list, loop_timer);
LIST_HEAD(work_list, loop_work);

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	struct vm_clock *clock;
	struct watch_list watches; /* [config] [loop], as the next */
	struct timer_list timers;
	pthread_t thread; /* the one that runs it */
	bool has_thread;
	_Atomic bool running;
	_Atomic uint32_t turn; /* odd in a callback, or before one while somebody has borrowed the
				  loop; written by its thread, read by the watchdog */

	/* Held by whoever runs the loop's callbacks: its thread in each turn, or who borrowed it.
	 * The outermost; others only try. */
	pthread_mutex_t turn_lock;
	_Atomic bool turn_wanted; /* its thread waits for that, and is the next; relaxed */

	/* Guards what follows; a leaf: no other lock is taken and nothing is called under it. */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a sync call or a work went on */
	struct loop_post posts; /* head of a ring */
	uint32_t post_count;
	struct work_list works;
	bool stop;
	bool sync_closed;
	char name[];
};

static inline void loop_turn_count(struct loop *loop)
{
	uint32_t turn = atomic_load_explicit(&loop->turn, memory_order_relaxed);

	atomic_store_explicit(&loop->turn, turn + 1, memory_order_release);
}

/** Around each callback of libuv that calls somebody else. */
static inline void loop_turn_begin(struct loop *loop)
{
	/* First: who borrowed the loop and does not come back is a stalled loop, too. */
	loop_turn_count(loop);
	atomic_store_explicit(&loop->turn_wanted, true, memory_order_relaxed);
	pthread_mutex_lock(&loop->turn_lock);
	atomic_store_explicit(&loop->turn_wanted, false, memory_order_relaxed);
}

static inline void loop_turn_end(struct loop *loop)
{
	pthread_mutex_unlock(&loop->turn_lock);
	loop_turn_count(loop);
}

/** A VMM_E_... for a negative error of libuv, which is an errno. */
int loop_error(int uv_error);

/** Puts a post at the end of the queue; the lock is held. Wake the loop after unlocking. */
void loop_post_append_locked(struct loop_post *post);

/** Behind done(): forgets a work. */
void loop_work_finish(struct loop_work *work);

/** The work that a POST_WORK is in. */
struct loop_work *loop_work_of(struct loop_post *post);

/** Waits until no worker thread is in a work of this loop; drops done callbacks. [config] */
void loop_work_abandon(struct loop *loop);

#endif
