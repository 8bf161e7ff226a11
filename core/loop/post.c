/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to a loop from other threads: posts, which nobody waits for, and sync calls. All go through
 * one queue, so they run in the order in which they were made.
 */
#include <stdlib.h>
#include <string.h>

#include "loop/internal.h"

void loop_post_append_locked(struct loop_post *post)
{
	struct loop *loop = post->loop;

	post->next = &loop->posts;
	post->prev = loop->posts.prev;
	post->prev->next = post;
	loop->posts.prev = post;
	post->queued = true;
	loop->post_count++;
}

static void unlink_locked(struct loop_post *post)
{
	post->prev->next = post->next;
	post->next->prev = post->prev;
	post->queued = false;
	post->loop->post_count--;
}

int loop_post(struct loop *loop, const void *owner, vmm_call_cb cb, void *ctx)
{
	struct loop_post *post = calloc(1, sizeof(*post));

	if (!post)
		return VMM_E_NOMEM;
	loop_post_init(post, loop, owner, cb, ctx);
	post->kind = POST_MALLOC;
	loop_post_queue(post);
	return 0;
}

void loop_post_init(
	struct loop_post *post, struct loop *loop, const void *owner, vmm_call_cb cb, void *ctx)
{
	memset(post, 0, sizeof(*post));
	post->kind = POST_EMBEDDED;
	post->loop = loop;
	post->owner = owner;
	post->cb = cb;
	post->ctx = ctx;
}

void loop_post_queue(struct loop_post *post)
{
	struct loop *loop = post->loop;

	pthread_mutex_lock(&loop->lock);
	bool add = !post->queued;

	if (add)
		loop_post_append_locked(post);
	/* Under the lock: once unlocked the post may be gone, and the loop with it. */
	if (add)
		uv_async_send(&loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

void loop_post_cancel(struct loop_post *post)
{
	pthread_mutex_lock(&post->loop->lock);
	if (post->queued)
		unlink_locked(post);
	pthread_mutex_unlock(&post->loop->lock);
}

int loop_call_sync(struct loop *loop, vmm_call_cb cb, void *ctx)
{
	struct loop_post post;

	if (loop_is_current(loop)) {
		cb(ctx);
		return 0;
	}
	loop_post_init(&post, loop, NULL, cb, ctx);
	post.kind = POST_SYNC;

	pthread_mutex_lock(&loop->lock);
	if (loop->sync_closed) {
		pthread_mutex_unlock(&loop->lock);
		return VMM_E_GONE;
	}
	loop_post_append_locked(&post);
	uv_async_send(&loop->wake);
	/* run_post() clears post.loop; loop_sync_close() may come before it began. */
	while (post.loop && !(post.queued && loop->sync_closed))
		pthread_cond_wait(&loop->changed, &loop->lock);
	bool gone = post.loop != NULL;

	if (gone)
		unlink_locked(&post);
	pthread_mutex_unlock(&loop->lock);
	return gone ? VMM_E_GONE : 0;
}

void loop_sync_close(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->sync_closed = true;
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
}

void loop_sync_open(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->sync_closed = false;
	pthread_mutex_unlock(&loop->lock);
}
