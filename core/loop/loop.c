/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop itself: made, run, stopped, destroyed. What it waits for is in watch.c, timer.c, post.c
 * and work.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "log/log.h"
#include "loop/internal.h"
#include "loop/signals.h"
#include "sandbox/sandbox.h"
#include "thread/thread.h"

static _Thread_local struct loop *current;

int loop_error(int uv_error)
{
	switch (uv_error) {
	case 0:
		return 0;
	case UV_ENOMEM:
		return VMM_E_NOMEM;
	case UV_EMFILE:
	case UV_ENFILE:
		return VMM_E_LIMIT;
	case UV_EEXIST:
		return VMM_E_EXISTS;
	case UV_EPERM: /* epoll: the fd cannot be waited for */
		return VMM_E_UNSUPPORTED;
	case UV_EBADF:
	case UV_EINVAL:
		return VMM_E_INVAL;
	default:
		return VMM_E_IO;
	}
}

static void run_post(struct loop *loop, struct loop_post *post)
{
	struct loop_work *work;

	switch ((enum post_kind)post->kind) {
	case POST_EMBEDDED:
		post->cb(post->ctx);
		break;
	case POST_MALLOC:
		post->cb(post->ctx);
		free(post);
		break;
	case POST_SYNC:
		post->cb(post->ctx);
		pthread_mutex_lock(&loop->lock);
		post->loop = NULL; /* tells its caller, whose memory it is */
		pthread_cond_broadcast(&loop->changed);
		pthread_mutex_unlock(&loop->lock);
		break;
	case POST_WORK:
		work = loop_work_of(post);
		if (work->done)
			work->done(work->ctx);
		loop_work_finish(work);
		break;
	}
}

/*
 * Runs what was queued when it began, not what that adds: a callback that posts itself must not
 * keep file descriptors and timers waiting.
 */
static void wake_cb(uv_async_t *wake)
{
	struct loop *loop = wake->data;

	loop_turn_begin(loop);
	pthread_mutex_lock(&loop->lock);
	for (uint32_t left = loop->post_count; left && loop->post_count && !loop->stop; left--) {
		struct loop_post *post = loop->posts.next;

		post->prev->next = post->next;
		post->next->prev = post->prev;
		post->queued = false;
		loop->post_count--;
		pthread_mutex_unlock(&loop->lock);
		run_post(loop, post);
		pthread_mutex_lock(&loop->lock);
	}
	bool more = loop->post_count;
	bool stop = loop->stop;

	pthread_mutex_unlock(&loop->lock);
	if (stop)
		uv_stop(&loop->uv);
	else if (more)
		uv_async_send(wake);
	loop_turn_end(loop);
}

int loop_create(const char *name, struct vm_clock *clock, struct loop **ret_loop)
{
	size_t bytes = strlen(name) + 1;
	struct loop *loop = calloc(1, sizeof(*loop) + bytes);

	if (!loop)
		return VMM_E_NOMEM;
	memcpy(loop->name, name, bytes);
	loop->clock = clock;
	loop->posts.next = &loop->posts;
	loop->posts.prev = &loop->posts;

	int err = uv_loop_init(&loop->uv);

	if (err)
		goto free_loop;
	err = uv_async_init(&loop->uv, &loop->wake, wake_cb);
	if (err)
		goto close_uv;
	loop->wake.data = loop;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_mutex_init(&loop->turn_lock, NULL);
	pthread_cond_init(&loop->changed, NULL);
	pool_hold();
	*ret_loop = loop;
	return 0;

close_uv:
	uv_loop_close(&loop->uv);
free_loop:
	free(loop);
	return loop_error(err);
}

static void drop_posts(struct loop *loop, bool all, const void *owner)
{
	struct loop_post *next;

	pthread_mutex_lock(&loop->lock);
	for (struct loop_post *post = loop->posts.next; post != &loop->posts; post = next) {
		next = post->next;
		/* A sync call has a waiting caller, a work its own accounting. */
		if ((!all && post->owner != owner) || post->kind == POST_SYNC ||
			post->kind == POST_WORK)
			continue;
		post->prev->next = post->next;
		post->next->prev = post->prev;
		post->queued = false;
		loop->post_count--;
		if (post->kind == POST_MALLOC)
			free(post);
	}
	struct loop_work *work;

	LIST_FOREACH(work, &loop->works, link)
	{
		if (all || work->post.owner == owner)
			work->done = NULL;
	}
	pthread_mutex_unlock(&loop->lock);
}

static void drop_handles(struct loop *loop, bool all, const void *owner)
{
	struct loop_timer *timer, *next_timer;
	struct loop_watch *watch, *next_watch;

	/* Timers first: each has a watch. */
	for (timer = LIST_FIRST(&loop->timers); timer; timer = next_timer) {
		next_timer = LIST_NEXT(timer, link);
		if (all || timer->owner == owner)
			loop_timer_remove(timer);
	}
	for (watch = LIST_FIRST(&loop->watches); watch; watch = next_watch) {
		next_watch = LIST_NEXT(watch, link);
		if (all || watch->owner == owner)
			loop_watch_remove(watch);
	}
}

void loop_drop_owner(struct loop *loop, const void *owner)
{
	drop_handles(loop, false, owner);
	drop_posts(loop, false, owner);
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	loop_thread_join(loop);
	loop_sync_close(loop);
	drop_handles(loop, true, NULL);
	drop_posts(loop, true, NULL);
	loop_work_abandon(loop);
	pool_release();
	uv_close((uv_handle_t *)&loop->wake, NULL);
	/* Close callbacks; then nothing keeps it running. */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop->uv))
		log_write(VMM_LOG_ERROR, "loop", "loop \"%s\" still has handles", loop->name);
	pthread_cond_destroy(&loop->changed);
	pthread_mutex_destroy(&loop->turn_lock);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

const char *loop_name(const struct loop *loop)
{
	return loop->name;
}

static int run(struct loop *loop)
{
	struct loop *outer = current;

	if (atomic_exchange_explicit(&loop->running, true, memory_order_relaxed))
		return VMM_E_PHASE;
	current = loop;
	/* Posts from before are handled whether or not they woke it already. */
	uv_async_send(&loop->wake);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	current = outer;
	pthread_mutex_lock(&loop->lock);
	loop->stop = false;
	pthread_mutex_unlock(&loop->lock);
	atomic_store_explicit(&loop->running, false, memory_order_relaxed);
	return 0;
}

int loop_run(struct loop *loop)
{
	if (!loop->has_thread)
		loop->thread = pthread_self();
	return run(loop);
}

void loop_stop(struct loop *loop)
{
	loop_sync_close(loop);
	pthread_mutex_lock(&loop->lock);
	loop->stop = true;
	pthread_mutex_unlock(&loop->lock);
	uv_async_send(&loop->wake);
}

static void *thread_main(void *arg)
{
	struct loop *loop = arg;
	char name[16]; /* the limit of thread names */

	signals_init_thread();
	strncpy(name, loop->name, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	prctl(PR_SET_NAME, name);
	sandbox_thread(SANDBOX_LOOP);
	run(loop);
	return NULL;
}

int loop_thread_start(struct loop *loop)
{
	int err;

	if (loop->has_thread)
		return VMM_E_PHASE;
	err = thread_start(&loop->thread, thread_main, loop);
	if (err)
		return err == EAGAIN ? VMM_E_LIMIT : VMM_E_NOMEM;
	loop->has_thread = true;
	return 0;
}

void loop_thread_join(struct loop *loop)
{
	if (!loop->has_thread)
		return;
	loop_stop(loop);
	pthread_join(loop->thread, NULL);
	loop->has_thread = false;
}

bool loop_borrow(struct loop *loop)
{
	/* Those who borrow it again and again would leave it no turn: the lock is nobody's in
	 * particular. */
	if (atomic_load_explicit(&loop->turn_wanted, memory_order_relaxed))
		return false;
	return pthread_mutex_trylock(&loop->turn_lock) == 0;
}

void loop_give_back(struct loop *loop)
{
	pthread_mutex_unlock(&loop->turn_lock);
}

bool loop_is_current(const struct loop *loop)
{
	return current == loop;
}

struct loop *loop_current(void)
{
	return current;
}

bool loop_is_running(const struct loop *loop)
{
	return atomic_load_explicit(&loop->running, memory_order_relaxed);
}
