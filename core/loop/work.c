/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking work: libuv's thread pool does it, and its end comes back as a post of ours. libuv's own
 * completion callback only helps to free it: so the done() callbacks of one owner can be run while
 * the loop does not run (loop_work_drain), without running anything else.
 */
#include <stdlib.h>

#include "loop/internal.h"
#include "loop/signals.h"
#include "sandbox/sandbox.h"

struct loop_work *loop_work_of(struct loop_post *post)
{
	return post->ctx;
}

static void free_if_over_locked(struct loop_work *work)
{
	if (work->done_returned && work->uv_returned)
		free(work);
}

void loop_work_finish(struct loop_work *work)
{
	struct loop *loop = work->post.loop;

	pthread_mutex_lock(&loop->lock);
	LIST_REMOVE(work, link);
	work->done_returned = true;
	free_if_over_locked(work);
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
}

/* libuv starts its threads by itself. */
static void begin_thread(void)
{
	static _Thread_local bool begun;

	if (begun)
		return;
	begun = true;
	signals_init_thread();
	sandbox_thread(SANDBOX_WORKER);
}

/* A worker thread. */
static void work_cb(uv_work_t *req)
{
	struct loop_work *work = req->data;
	struct loop *loop = work->post.loop;

	begin_thread();
	work->work(work->ctx);
	pthread_mutex_lock(&loop->lock);
	work->worked = true;
	loop_post_append_locked(&work->post);
	/* Under the lock: loop_work_abandon() then closes the handle only afterwards. */
	uv_async_send(&loop->wake);
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
}

static void after_work_cb(uv_work_t *req, int status)
{
	struct loop_work *work = req->data;
	struct loop *loop = work->post.loop;

	(void)status;
	pthread_mutex_lock(&loop->lock);
	work->uv_returned = true;
	free_if_over_locked(work);
	pthread_mutex_unlock(&loop->lock);
}

int loop_work(
	struct loop *loop, const void *owner, vmm_call_cb work_fn, vmm_call_cb done, void *ctx)
{
	struct loop_work *work = calloc(1, sizeof(*work));

	if (!work)
		return VMM_E_NOMEM;
	loop_post_init(&work->post, loop, owner, NULL, work);
	work->post.kind = POST_WORK;
	work->req.data = work;
	work->work = work_fn;
	work->done = done;
	work->ctx = ctx;
	pthread_mutex_lock(&loop->lock);
	LIST_INSERT_HEAD(&loop->works, work, link);
	pthread_mutex_unlock(&loop->lock);
	/* Fails only without a callback. */
	uv_queue_work(&loop->uv, &work->req, work_cb, after_work_cb);
	return 0;
}

static uint32_t pending_locked(const struct loop *loop, const void *owner)
{
	const struct loop_work *work;
	uint32_t count = 0;

	LIST_FOREACH(work, &loop->works, link)
	{
		if (work->post.owner == owner)
			count++;
	}
	return count;
}

/* The oldest work of the owner whose done() is due, taken from the queue. */
static struct loop_work *take_done_locked(struct loop *loop, const void *owner)
{
	for (struct loop_post *post = loop->posts.next; post != &loop->posts; post = post->next) {
		if (post->kind != POST_WORK || post->owner != owner)
			continue;
		post->prev->next = post->next;
		post->next->prev = post->prev;
		post->queued = false;
		loop->post_count--;
		return loop_work_of(post);
	}
	return NULL;
}

void loop_work_drain(struct loop *loop, const void *owner)
{
	pthread_mutex_lock(&loop->lock);
	while (pending_locked(loop, owner)) {
		struct loop_work *work = take_done_locked(loop, owner);

		if (!work) {
			pthread_cond_wait(&loop->changed, &loop->lock);
			continue;
		}
		pthread_mutex_unlock(&loop->lock);
		if (work->done)
			work->done(work->ctx);
		loop_work_finish(work);
		pthread_mutex_lock(&loop->lock);
	}
	pthread_mutex_unlock(&loop->lock);
}

uint32_t loop_work_pending(struct loop *loop, const void *owner)
{
	pthread_mutex_lock(&loop->lock);
	uint32_t count = pending_locked(loop, owner);

	pthread_mutex_unlock(&loop->lock);
	return count;
}

static struct loop_work *unfinished_locked(struct loop *loop)
{
	struct loop_work *work;

	LIST_FOREACH(work, &loop->works, link)
	{
		if (!work->worked)
			return work;
	}
	return NULL;
}

void loop_work_abandon(struct loop *loop)
{
	struct loop_work *work, *next;

	pthread_mutex_lock(&loop->lock);
	while (unfinished_locked(loop))
		pthread_cond_wait(&loop->changed, &loop->lock);
	for (work = LIST_FIRST(&loop->works); work; work = next) {
		next = LIST_NEXT(work, link);
		LIST_REMOVE(work, link);
		work->done_returned = true;
		free_if_over_locked(work);
	}
	pthread_mutex_unlock(&loop->lock);
}
