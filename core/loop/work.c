/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking work: the pool does it, and its end comes back as a post. So the done() callbacks of one
 * owner can be run while the loop does not run (loop_work_drain), without running anything else.
 */
#include <stddef.h>
#include <stdlib.h>

#include "loop/internal.h"

struct loop_work *loop_work_of(struct loop_post *post)
{
	return post->ctx;
}

void loop_work_finish(struct loop_work *work)
{
	struct loop *loop = work->post.loop;

	pthread_mutex_lock(&loop->lock);
	LIST_REMOVE(work, link);
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
	free(work);
}

/* A worker thread. */
static void run(struct pool_job *job)
{
	void *start = (char *)job - offsetof(struct loop_work, job);
	struct loop_work *work = start;
	struct loop *loop = work->post.loop;

	work->work(work->ctx);
	pthread_mutex_lock(&loop->lock);
	work->worked = true;
	loop_post_append_locked(&work->post);
	/* Under the lock: loop_work_abandon() then closes the handle only afterwards. */
	uv_async_send(&loop->wake);
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
}

int loop_work(
	struct loop *loop, const void *owner, vmm_call_cb work_fn, vmm_call_cb done, void *ctx)
{
	struct loop_work *work = calloc(1, sizeof(*work));
	int ret;

	if (!work)
		return VMM_E_NOMEM;
	loop_post_init(&work->post, loop, owner, NULL, work);
	work->post.kind = POST_WORK;
	work->job.run = run;
	work->work = work_fn;
	work->done = done;
	work->ctx = ctx;
	pthread_mutex_lock(&loop->lock);
	LIST_INSERT_HEAD(&loop->works, work, link);
	pthread_mutex_unlock(&loop->lock);
	ret = pool_submit(&work->job);
	if (ret == 0)
		return 0;
	loop_work_finish(work);
	return ret;
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
		free(work);
	}
	pthread_mutex_unlock(&loop->lock);
}
