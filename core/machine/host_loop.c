/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host services vmm.loop/1, vmm.worker/1 and vmm.borrow/1: watches, timers, posts, blocking work
 * and loops that are borrowed, by core/loop. Each callback of a SERIAL device comes under its lock.
 */
#include <stdlib.h>

#include <vmm/loop.h>

#include "loop/loop.h"
#include "machine/host.h"
#include "machine/machine.h"

struct host_watch {
	struct host_object object;
	struct loop *loop;
	struct loop_watch *watch;
	vmm_watch_cb cb;
	void *ctx;
};

struct host_timer {
	struct host_object object;
	struct loop *loop;
	struct loop_timer *timer;
	vmm_call_cb cb;
	void *ctx;
};

struct host_call {
	struct host_object object;
	vmm_call_cb work;
	vmm_call_cb done;
	void *ctx;
};

static uint64_t host_loop_own(vmm_host *host)
{
	return (uintptr_t)host->loop;
}

static uint64_t host_loop_now(vmm_host *host, uint32_t clock)
{
	return loop_now(host->machine->clock, clock);
}

/* The loop must be one of this machine's, and the caller on it or in a [config] phase. */
static int32_t loop_check(
	struct vmm_host *host, uint64_t handle, const char *function, struct loop **ret_loop)
{
	struct loop *loop = machine_find_loop(host->machine, handle);

	if (!loop)
		return host_misuse(host, function, "got a handle that is not a loop");
	if (host_checks_on() && !host_on_loop(host, loop))
		return host_misuse(host, function, "may be called on that loop only");
	*ret_loop = loop;
	return 0;
}

static void watch_cb(void *ctx, int32_t fd, uint32_t events)
{
	struct host_watch *watch = ctx;
	struct vmm_host *host = watch->object.host;

	host_enter(host);
	watch->cb(watch->ctx, fd, events);
	host_leave(host);
}

static void watch_release(struct host_object *object)
{
	struct host_watch *watch = (struct host_watch *)object;

	host_object_remove(object);
	loop_watch_remove(watch->watch);
	free(watch);
}

static int32_t host_watch_add(vmm_host *host, uint64_t loop, int32_t fd, uint32_t events,
	vmm_watch_cb cb, void *ctx, uint64_t *ret_watch)
{
	struct host_watch *watch;
	struct loop *on = NULL;
	int32_t ret = loop_check(host, loop, "vmm.loop watch_add", &on);

	if (ret < 0)
		return ret;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return VMM_E_NOMEM;
	watch->loop = on;
	watch->cb = cb;
	watch->ctx = ctx;
	watch->object.host = host;
	ret = loop_watch_add(on, host, fd, events, watch_cb, watch, &watch->watch);
	if (ret < 0) {
		free(watch);
		return ret;
	}
	host_object_add(host, &watch->object, HOST_WATCH, watch_release);
	*ret_watch = (uintptr_t)watch;
	return 0;
}

static int32_t host_watch_set(vmm_host *host, uint64_t handle, uint32_t events)
{
	struct host_watch *watch = host_object_get(host, handle, HOST_WATCH, "vmm.loop watch_set");

	if (!watch)
		return VMM_E_INVAL;
	if (host_checks_on() && !host_on_loop(host, watch->loop))
		return host_misuse(
			host, "vmm.loop watch_set", "may be called on the watch's loop only");
	return loop_watch_set(watch->watch, events);
}

static void host_watch_remove(vmm_host *host, uint64_t handle)
{
	struct host_watch *watch =
		host_object_get(host, handle, HOST_WATCH, "vmm.loop watch_remove");

	if (!watch)
		return;
	if (host_checks_on() && !host_on_loop(host, watch->loop)) {
		host_misuse(host, "vmm.loop watch_remove", "may be called on its loop only");
		return;
	}
	watch_release(&watch->object);
}

static void timer_cb(void *ctx)
{
	struct host_timer *timer = ctx;
	struct vmm_host *host = timer->object.host;

	host_enter(host);
	timer->cb(timer->ctx);
	host_leave(host);
}

static void timer_release(struct host_object *object)
{
	struct host_timer *timer = (struct host_timer *)object;

	host_object_remove(object);
	loop_timer_remove(timer->timer);
	free(timer);
}

static int32_t host_timer_add(vmm_host *host, uint64_t loop, uint32_t clock, vmm_call_cb cb,
	void *ctx, uint64_t *ret_timer)
{
	struct host_timer *timer;
	struct loop *on = NULL;
	int32_t ret = loop_check(host, loop, "vmm.loop timer_add", &on);

	if (ret < 0)
		return ret;
	timer = calloc(1, sizeof(*timer));
	if (!timer)
		return VMM_E_NOMEM;
	timer->loop = on;
	timer->cb = cb;
	timer->ctx = ctx;
	timer->object.host = host;
	ret = loop_timer_add(on, host, clock, timer_cb, timer, &timer->timer);
	if (ret < 0) {
		free(timer);
		return ret;
	}
	host_object_add(host, &timer->object, HOST_TIMER, timer_release);
	*ret_timer = (uintptr_t)timer;
	return 0;
}

static int32_t host_timer_arm(vmm_host *host, uint64_t handle, uint64_t deadline_ns)
{
	struct host_timer *timer = host_object_get(host, handle, HOST_TIMER, "vmm.loop timer_arm");

	return timer ? loop_timer_arm(timer->timer, deadline_ns) : VMM_E_INVAL;
}

static void host_timer_remove(vmm_host *host, uint64_t handle)
{
	struct host_timer *timer =
		host_object_get(host, handle, HOST_TIMER, "vmm.loop timer_remove");

	if (!timer)
		return;
	if (host_checks_on() && !host_on_loop(host, timer->loop)) {
		host_misuse(host, "vmm.loop timer_remove", "may be called on its loop only");
		return;
	}
	timer_release(&timer->object);
}

static void call_release(struct host_object *object)
{
	host_object_remove(object);
	free(object);
}

/* A post or work, remembered until it comes or is dropped. */
static struct host_call *call_new(
	struct vmm_host *host, vmm_call_cb work, vmm_call_cb done, void *ctx)
{
	struct host_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->work = work;
	call->done = done;
	call->ctx = ctx;
	host_object_add(host, &call->object, HOST_CALL, call_release);
	return call;
}

static void done_cb(void *ctx)
{
	struct host_call *call = ctx;
	struct vmm_host *host = call->object.host;
	vmm_call_cb done = call->done;
	void *done_ctx = call->ctx;

	call_release(&call->object);
	host_enter(host);
	done(done_ctx);
	host_leave(host);
}

static int32_t host_post(vmm_host *host, uint64_t loop, vmm_call_cb cb, void *ctx)
{
	struct loop *on = machine_find_loop(host->machine, loop);
	struct host_call *call;
	int ret;

	if (!on)
		return host_misuse(host, "vmm.loop post", "got a handle that is not a loop");
	if (host->type->thread_model != VMM_THREADS_SERIAL)
		return loop_post(on, host, cb, ctx);
	call = call_new(host, NULL, cb, ctx);
	if (!call)
		return VMM_E_NOMEM;
	ret = loop_post(on, host, done_cb, call);
	if (ret < 0)
		call_release(&call->object);
	return ret;
}

const struct vmm_loop host_loop_table = {
	.size = sizeof(host_loop_table),
	.own = host_loop_own,
	.now = host_loop_now,
	.watch_add = host_watch_add,
	.watch_set = host_watch_set,
	.watch_remove = host_watch_remove,
	.timer_add = host_timer_add,
	.timer_arm = host_timer_arm,
	.timer_remove = host_timer_remove,
	.post = host_post,
};

static void work_cb(void *ctx)
{
	struct host_call *call = ctx;

	call->work(call->ctx);
}

static int32_t host_submit(
	vmm_host *host, uint64_t loop, vmm_call_cb work, vmm_call_cb done, void *ctx)
{
	struct host_call *call;
	struct loop *on = NULL;
	int32_t ret = loop_check(host, loop, "vmm.worker submit", &on);

	/* A thread that starts before the sandbox closes would stay outside of it. */
	if (ret == 0 && host_in_config(host))
		ret = host_misuse(host, "vmm.worker submit", "may be called on the loop only");
	if (ret < 0)
		return ret;
	call = call_new(host, work, done, ctx);
	if (!call)
		return VMM_E_NOMEM;
	ret = loop_work(on, host, work_cb, done_cb, call);
	if (ret < 0)
		call_release(&call->object);
	return ret;
}

const struct vmm_worker host_worker_table = {
	.size = sizeof(host_worker_table),
	.submit = host_submit,
};

static int32_t host_borrow(vmm_host *host, uint64_t loop)
{
	struct loop *on = machine_find_loop(host->machine, loop);

	if (!on)
		return host_misuse(host, "vmm.borrow borrow", "got a handle that is not a loop");
	/* Its callbacks come under a lock that this thread must not wait for. */
	if (host->type->thread_model == VMM_THREADS_SERIAL)
		return VMM_E_UNSUPPORTED;
	return loop_borrow(on) ? 0 : VMM_E_BUSY;
}

static void host_give_back(vmm_host *host, uint64_t loop)
{
	struct loop *on = machine_find_loop(host->machine, loop);

	if (on)
		loop_give_back(on);
	else
		host_misuse(host, "vmm.borrow give_back", "got a handle that is not a loop");
}

const struct vmm_borrow host_borrow_table = {
	.size = sizeof(host_borrow_table),
	.borrow = host_borrow,
	.give_back = host_give_back,
};
