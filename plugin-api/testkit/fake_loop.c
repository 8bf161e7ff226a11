/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.loop and vmm.borrow: the services themselves, and the clocks. What turns a loop is in
 * fake_turn.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "fake_internal.h"

#define NS_PER_S 1000000000ull

static void make_turn_lock(struct fake_loop *loop)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&loop->turn_lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

void fake_loop_hold(struct fake_loop *loop)
{
	if (pthread_mutex_lock(&loop->turn_lock))
		fake_fail("a callback of loop \"%s\" runs that loop", loop->name);
}

void fake_loop_release(struct fake_loop *loop)
{
	pthread_mutex_unlock(&loop->turn_lock);
}

struct fake_loop *fake_loop_get(struct fake_host *host, const char *name)
{
	struct fake_loop *loop;
	uint32_t i;

	for (i = 0; i < host->loop_count; i++)
		if (strcmp(host->loops[i].name, name) == 0)
			return &host->loops[i];
	if (host->loop_count == LOOPS_MAX)
		fake_fail("more than %u loops", LOOPS_MAX);
	loop = &host->loops[host->loop_count++];
	snprintf(loop->name, sizeof(loop->name), "%s", name);
	loop->id = host->loop_count;
	loop->host = host;
	loop->posts_tail = &loop->posts;
	make_turn_lock(loop);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return loop;
}

struct fake_loop *fake_loop_by_id(struct fake_host *host, uint64_t id)
{
	return id && id <= host->loop_count ? &host->loops[id - 1] : NULL;
}

void fake_loop_wake(struct fake_host *host, uint64_t id)
{
	struct fake_loop *loop = fake_loop_by_id(host, id);

	if (loop)
		(void)eventfd_write(loop->wake_fd, 1);
}

void fake_loop_init(struct fake_host *host)
{
	fake_loop_get(host, "main");
	host->real_ns = 1700000000ull * NS_PER_S;
	host->clock_ns = NS_PER_S;
}

void fake_loop_fini(struct fake_host *host)
{
	uint32_t i;

	for (i = 0; i < host->loop_count; i++) {
		struct fake_post *post;

		while ((post = host->loops[i].posts)) {
			host->loops[i].posts = post->next;
			free(post);
		}
		pthread_mutex_destroy(&host->loops[i].turn_lock);
		close(host->loops[i].wake_fd);
	}
}

/*
 * ---- Clocks ----
 */

uint64_t fake_host_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t fake_clock(struct fake_host *host, uint32_t clock)
{
	uint64_t now;

	if (!(host->flags & FAKE_CLOCK))
		return fake_host_clock(clock == VMM_CLOCK_REAL ? CLOCK_REALTIME : CLOCK_MONOTONIC);
	fake_lock(host);
	now = clock == VMM_CLOCK_REAL ? host->real_ns : host->clock_ns;
	fake_unlock(host);
	return now;
}

void fake_clock_advance(struct fake_host *host, uint64_t ns)
{
	fake_lock(host);
	host->clock_ns += ns;
	host->real_ns += ns;
	fake_unlock(host);
}

void fake_clock_set_real(struct fake_host *host, uint64_t ns)
{
	fake_lock(host);
	host->real_ns = ns;
	fake_unlock(host);
}

uint32_t fake_timers_armed(vmm_host *device)
{
	const struct fake_object *object;
	uint32_t count = 0;

	fake_lock(device->host);
	for (object = device->host->objects; object; object = object->next) {
		const struct fake_timer *timer = (const void *)object;

		if (object->kind == KIND_TIMER && object->owner == device)
			count += timer->deadline_ns != VMM_TIMER_OFF;
	}
	fake_unlock(device->host);
	return count;
}

/*
 * ---- Posts ----
 */

void fake_post(
	struct fake_host *host, struct fake_loop *loop, vmm_host *owner, vmm_call_cb cb, void *ctx)
{
	struct fake_post *post = fake_alloc(sizeof(*post));

	*post = (struct fake_post){NULL, owner, cb, ctx};
	fake_lock(host);
	*loop->posts_tail = post;
	loop->posts_tail = &post->next;
	/* Under the lock: behind it the post may run, and the host may end. */
	(void)eventfd_write(loop->wake_fd, 1);
	fake_unlock(host);
}

void fake_posts_drop(struct fake_host *host, vmm_host *owner)
{
	uint32_t i;

	fake_lock(host);
	for (i = 0; i < host->loop_count; i++) {
		struct fake_loop *loop = &host->loops[i];
		struct fake_post **link = &loop->posts, *post;

		while ((post = *link)) {
			if (post->owner != owner) {
				link = &post->next;
				continue;
			}
			*link = post->next;
			free(post);
		}
		loop->posts_tail = link;
	}
	fake_unlock(host);
}

/* Something that runs on a loop while the caller waits. */
struct remote_call {
	vmm_call_cb cb;
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int done;
};

static void remote_run(void *ctx)
{
	struct remote_call *call = ctx;

	call->cb(call->ctx);
	pthread_mutex_lock(&call->lock);
	call->done = 1;
	pthread_cond_signal(&call->cond);
	pthread_mutex_unlock(&call->lock);
}

void fake_call_on(struct fake_host *host, struct fake_loop *loop, vmm_call_cb cb, void *ctx)
{
	struct remote_call call = {cb, ctx, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	uint32_t before;

	if (!loop->running || pthread_equal(loop->thread, pthread_self())) {
		before = fake_ctx_enter(CTX_LOOP, loop->id);
		cb(ctx);
		fake_ctx_leave(before);
		return;
	}
	fake_post(host, loop, NULL, remote_run, &call);
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.cond, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_mutex_destroy(&call.lock);
	pthread_cond_destroy(&call.cond);
}

/*
 * ---- The service ----
 */

static uint64_t loop_own(vmm_host *device)
{
	return device->loop->id;
}

static uint64_t loop_now(vmm_host *device, uint32_t clock)
{
	return fake_clock(device->host, clock);
}

/* Watches and timers belong to one loop and are changed on it. */
static void on_loop_check(vmm_host *device, uint64_t loop, const char *what)
{
	if (fake_ctx_loop() && fake_ctx_loop() != loop)
		fake_problem(device->host, "device \"%s\" calls %s on another loop than its own",
			device->id, what);
}

static int32_t loop_watch_add(vmm_host *device, uint64_t loop, int32_t fd, uint32_t events,
	vmm_watch_cb cb, void *ctx, uint64_t *ret_watch)
{
	int32_t ret = fake_service(device, "vmm.loop watch_add", CTX_CONFIG | CTX_LOOP);
	struct fake_host *host = device->host;
	struct fake_object *object;
	struct fake_watch *watch;

	if (ret < 0)
		return ret;
	if (fd < 0 || !cb || (events & ~(VMM_WATCH_READ | VMM_WATCH_WRITE)) ||
		!fake_loop_by_id(host, loop))
		return VMM_E_INVAL;
	on_loop_check(device, loop, "vmm.loop watch_add");
	fake_lock(host);
	for (object = host->objects; object; object = object->next)
		if (object->kind == KIND_WATCH && ((struct fake_watch *)(void *)object)->fd == fd)
			ret = VMM_E_EXISTS;
	if (ret >= 0) {
		watch = fake_object_add(device, KIND_WATCH, sizeof(*watch), "of fd %d", fd);
		watch->loop = loop;
		watch->fd = fd;
		watch->events = events;
		watch->cb = cb;
		watch->ctx = ctx;
		*ret_watch = watch->object.id;
	}
	fake_unlock(host);
	fake_loop_wake(host, loop);
	return ret;
}

static int32_t loop_watch_set(vmm_host *device, uint64_t id, uint32_t events)
{
	int32_t ret = fake_service(device, "vmm.loop watch_set", CTX_CONFIG | CTX_LOOP);
	struct fake_watch *watch;
	uint64_t loop = 0;

	if (ret < 0)
		return ret;
	fake_lock(device->host);
	watch = fake_object_get(device, KIND_WATCH, id, "vmm.loop watch_set");
	if (watch) {
		watch->events = events;
		loop = watch->loop;
	}
	fake_unlock(device->host);
	if (loop)
		on_loop_check(device, loop, "vmm.loop watch_set");
	return watch ? 0 : VMM_E_INVAL;
}

static void remove_object(vmm_host *device, enum fake_kind kind, uint64_t id, const char *what)
{
	void *object;
	uint64_t loop = 0;

	fake_service_void(device, what, CTX_CONFIG | CTX_LOOP);
	fake_lock(device->host);
	object = fake_object_get(device, kind, id, what);
	if (object) {
		loop = kind == KIND_WATCH ? ((struct fake_watch *)object)->loop
					  : ((struct fake_timer *)object)->loop;
		fake_object_drop(device->host, object);
	}
	fake_unlock(device->host);
	if (loop)
		on_loop_check(device, loop, what);
}

static void loop_watch_remove(vmm_host *device, uint64_t id)
{
	remove_object(device, KIND_WATCH, id, "vmm.loop watch_remove");
}

static int32_t loop_timer_add(vmm_host *device, uint64_t loop, uint32_t clock, vmm_call_cb cb,
	void *ctx, uint64_t *ret_timer)
{
	int32_t ret = fake_service(device, "vmm.loop timer_add", CTX_CONFIG | CTX_LOOP);
	struct fake_timer *timer;

	if (ret < 0)
		return ret;
	if (!cb || !fake_loop_by_id(device->host, loop) ||
		(clock != VMM_CLOCK_HOST && clock != VMM_CLOCK_VM && clock != VMM_CLOCK_REAL))
		return VMM_E_INVAL;
	on_loop_check(device, loop, "vmm.loop timer_add");
	fake_lock(device->host);
	timer = fake_object_add(device, KIND_TIMER, sizeof(*timer), "on clock %u", clock);
	timer->loop = loop;
	timer->clock = clock;
	timer->deadline_ns = VMM_TIMER_OFF;
	timer->cb = cb;
	timer->ctx = ctx;
	*ret_timer = timer->object.id;
	fake_unlock(device->host);
	return 0;
}

static int32_t loop_timer_arm(vmm_host *device, uint64_t id, uint64_t deadline_ns)
{
	int32_t ret = fake_service(device, "vmm.loop timer_arm", CTX_ANY);
	struct fake_timer *timer;
	uint64_t loop = 0;

	if (ret < 0)
		return ret;
	fake_lock(device->host);
	timer = fake_object_get(device, KIND_TIMER, id, "vmm.loop timer_arm");
	if (timer) {
		timer->deadline_ns = deadline_ns;
		loop = timer->loop;
	}
	fake_unlock(device->host);
	fake_loop_wake(device->host, loop);
	return timer ? 0 : VMM_E_INVAL;
}

static void loop_timer_remove(vmm_host *device, uint64_t id)
{
	remove_object(device, KIND_TIMER, id, "vmm.loop timer_remove");
}

static int32_t loop_post(vmm_host *device, uint64_t loop, vmm_call_cb cb, void *ctx)
{
	int32_t ret = fake_service(device, "vmm.loop post", CTX_ANY);
	struct fake_loop *target = fake_loop_by_id(device->host, loop);

	if (ret < 0)
		return ret;
	if (!target || !cb)
		return VMM_E_INVAL;
	fake_post(device->host, target, device, cb, ctx);
	return 0;
}

const struct vmm_loop fake_loop_service = {
	.size = sizeof(fake_loop_service),
	.own = loop_own,
	.now = loop_now,
	.watch_add = loop_watch_add,
	.watch_set = loop_watch_set,
	.watch_remove = loop_watch_remove,
	.timer_add = loop_timer_add,
	.timer_arm = loop_timer_arm,
	.timer_remove = loop_timer_remove,
	.post = loop_post,
};

static int32_t borrow(vmm_host *device, uint64_t id)
{
	struct fake_loop *loop = fake_loop_by_id(device->host, id);

	fake_service_void(device, "vmm.borrow borrow", CTX_ANY);
	if (!loop)
		return VMM_E_INVAL;
	if (device->thread_model == VMM_THREADS_SERIAL)
		return VMM_E_UNSUPPORTED;
	return pthread_mutex_trylock(&loop->turn_lock) ? VMM_E_BUSY : 0;
}

static void give_back(vmm_host *device, uint64_t id)
{
	struct fake_loop *loop = fake_loop_by_id(device->host, id);

	fake_service_void(device, "vmm.borrow give_back", CTX_ANY);
	if (loop)
		fake_loop_release(loop);
}

const struct vmm_borrow fake_borrow_service = {
	.size = sizeof(fake_borrow_service),
	.borrow = borrow,
	.give_back = give_back,
};
