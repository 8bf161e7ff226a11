/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.worker: blocking work, on a thread for each piece of it, or on the loop in a later turn.
 */
#include <stdlib.h>

#include "fake_internal.h"

struct job {
	vmm_host *device;
	struct fake_loop *loop;
	vmm_call_cb work;
	vmm_call_cb done;
	void *ctx;
};

static void job_done(void *ctx)
{
	struct job *job = ctx;
	struct fake_host *host = job->device->host;

	fake_device_guard(job->device, 1);
	job->done(job->ctx);
	fake_device_guard(job->device, 0);
	fake_lock(host);
	host->jobs--;
	fake_unlock(host);
	free(job);
}

static void *job_run(void *ctx)
{
	struct job *job = ctx;
	uint32_t before = fake_ctx_enter(CTX_WORKER, 0);

	job->work(job->ctx);
	fake_ctx_leave(before);
	fake_post(job->device->host, job->loop, NULL, job_done, job);
	return NULL;
}

static void job_run_on_loop(void *ctx)
{
	(void)job_run(ctx);
}

static int32_t worker_submit(
	vmm_host *device, uint64_t loop, vmm_call_cb work, vmm_call_cb done, void *ctx)
{
	int32_t ret = fake_service(device, "vmm.worker submit", CTX_LOOP);
	struct fake_host *host = device->host;
	struct job *job;
	pthread_t thread;

	if (ret < 0)
		return ret;
	if (!fake_loop_by_id(host, loop) || !work || !done)
		return VMM_E_INVAL;
	job = fake_alloc(sizeof(*job));
	*job = (struct job){device, fake_loop_by_id(host, loop), work, done, ctx};
	fake_lock(host);
	host->jobs++;
	fake_unlock(host);
	if (!(host->flags & FAKE_WORKER_THREADS)) {
		fake_post(host, job->loop, NULL, job_run_on_loop, job);
		return 0;
	}
	if (pthread_create(&thread, NULL, job_run, job))
		fake_fail("cannot make a thread");
	pthread_detach(thread);
	return 0;
}

const struct vmm_worker fake_worker_service = {
	.size = sizeof(fake_worker_service),
	.submit = worker_submit,
};
