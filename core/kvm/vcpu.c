/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a vCPU and its thread. What it does when it leaves the guest is in exit.c.
 *
 * Asking a running vCPU for something: under the lock the request is written, then immediate_exit
 * in the page shared with the kernel, then a signal is sent. KVM_RUN then returns EINTR, whether
 * the guest was running, was about to, or waits for an interrupt; and it returns EINTR only after
 * an access that is under way was completed. So the thread looks for requests only on EINTR, and
 * the path of an exit has no check at all. The signal has a handler that does nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmm/support.h>

#include "kvm/vcpu_internal.h"
#include "thread/thread.h"

#define KICK_SIGNAL SIGRTMIN
#define TEXT_BYTES  512u

static void on_kick(int signal)
{
	(void)signal;
}

/* Caller holds vcpu->lock. */
static void kick_locked(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
	if (vcpu->started)
		pthread_kill(vcpu->thread, KICK_SIGNAL);
	pthread_cond_broadcast(&vcpu->changed);
}

/*
 * Does what was asked for: waits while paused (until_stop: as if paused for ever). Returns false to
 * end the thread.
 */
static bool attend(struct vcpu *vcpu, bool until_stop)
{
	bool waited = false;
	bool go_on;

	pthread_mutex_lock(&vcpu->lock);
	while ((vcpu->pause || until_stop) && !vcpu->stop) {
		vcpu->parked = true;
		waited = true;
		pthread_cond_broadcast(&vcpu->changed);
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	}
	go_on = !vcpu->stop;
	vcpu->parked = !go_on;
	/* Under the lock: a request from now on sets it again. */
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
	/* So that the guest does not take the pause for a lockup; EINVAL if it has no kvmclock. */
	if (waited && go_on && vcpu->vm->caps.kvmclock_ctrl)
		ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0ul);
	return go_on;
}

/* Runs the guest until the thread shall end; returns false if the vCPU came to an end by itself. */
static bool run_guest(struct vcpu *vcpu, enum vcpu_end *ret_end, char *text, size_t text_bytes)
{
	for (;;) {
		if (!ioctl(vcpu->fd, KVM_RUN, 0ul)) {
			if (!exit_handle(vcpu, ret_end, text, text_bytes))
				return false;
		} else if (errno == EINTR) {
			vcpu_count(vcpu, VCPU_COUNT_EINTR);
			if (!attend(vcpu, false))
				return true;
		} else if (errno == EAGAIN) {
			/* A vCPU that waits for its start-up IPI, and woke up. */
			vcpu_count(vcpu, VCPU_COUNT_EAGAIN);
		} else {
			snprintf(text, text_bytes, "KVM_RUN: %s", strerror(errno));
			*ret_end = VCPU_END_RUN_FAILED;
			return false;
		}
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	char text[TEXT_BYTES] = "";
	char name[16];
	enum vcpu_end end;
	sigset_t kick;

	if (vcpu->options.thread_started)
		vcpu->options.thread_started(vcpu->options.ctx, vcpu);
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	snprintf(name, sizeof(name), "vcpu%" PRIu32, vcpu->options.index);
	pthread_setname_np(pthread_self(), name);
	if (!run_guest(vcpu, &end, text, sizeof(text))) {
		if (vcpu->options.ended)
			vcpu->options.ended(vcpu->options.ctx, vcpu->options.index, end, text);
		attend(vcpu, true);
	}
	return NULL;
}

int vcpu_create(struct vm *vm, struct io_map *io, const struct vcpu_options *options,
	struct vmm_error *error, struct vcpu **ret_vcpu)
{
	struct vcpu *vcpu;
	void *run;
	int ret;

	if (options->index >= options->count || options->count > vm->vcpus) {
		vmm_set_error(error, "vCPU %" PRIu32 " of %" PRIu32 ": the machine has %" PRIu32,
			options->index, options->count, vm->vcpus);
		return VMM_E_INVAL;
	}
	vcpu = calloc(1, sizeof(*vcpu));
	if (!vcpu) {
		vmm_set_error(error, "out of memory");
		return VMM_E_NOMEM;
	}
	vcpu->vm = vm;
	vcpu->io = io;
	vcpu->options = *options;
	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_cond_init(&vcpu->changed, NULL);
	vcpu->parked = true;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)options->index);
	if (vcpu->fd < 0) {
		ret = vm_os_error(errno, "KVM_CREATE_VCPU", error);
		goto fail;
	}
	run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		ret = vm_os_error(errno, "mapping the vCPU", error);
		goto fail;
	}
	vcpu->run = run;
	ret = vcpu_init_registers(vcpu, error);
	if (ret)
		goto fail;
	*ret_vcpu = vcpu;
	return 0;
fail:
	vcpu_destroy(vcpu);
	return ret;
}

/* The thread unblocks the kick, thread_started() what it wants to. */
int vcpu_start(struct vcpu *vcpu, struct vmm_error *error)
{
	struct sigaction action = {.sa_handler = on_kick};
	int err;

	sigemptyset(&action.sa_mask);
	err = sigaction(KICK_SIGNAL, &action, NULL) ? errno : 0;
	pthread_mutex_lock(&vcpu->lock);
	vcpu->parked = false;
	if (!err)
		err = thread_start(&vcpu->thread, vcpu_main, vcpu);
	vcpu->started = !err;
	vcpu->parked = err != 0;
	pthread_mutex_unlock(&vcpu->lock);
	if (!err)
		return 0;
	vmm_set_error(error, "cannot start the thread of vCPU %" PRIu32 ": %s", vcpu->options.index,
		strerror(err));
	return VMM_E_LIMIT;
}

void vcpu_pause(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->pause = true;
	kick_locked(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_wait_paused(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	while (!vcpu->parked)
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_resume(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->pause = false;
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_stop(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->stop = true;
	kick_locked(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_join(struct vcpu *vcpu)
{
	bool started;

	pthread_mutex_lock(&vcpu->lock);
	started = vcpu->started;
	pthread_mutex_unlock(&vcpu->lock);
	if (!started)
		return;
	pthread_join(vcpu->thread, NULL);
	pthread_mutex_lock(&vcpu->lock);
	vcpu->started = false;
	vcpu->parked = true;
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (!vcpu)
		return;
	if (vcpu->run) {
		vcpu_stop(vcpu);
		vcpu_join(vcpu);
		munmap(vcpu->run, vcpu->vm->run_bytes);
	}
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	pthread_cond_destroy(&vcpu->changed);
	pthread_mutex_destroy(&vcpu->lock);
	free(vcpu);
}

void vcpu_print_exits(const struct vcpu *vcpu, FILE *file)
{
	fprintf(file, "vcpu%" PRIu32 " exits:", vcpu->options.index);
	for (uint32_t i = 0; i < VCPU_COUNTERS; i++) {
		uint64_t count = atomic_load_explicit(&vcpu->counters[i], memory_order_relaxed);

		if (!count)
			continue;
		if (i == VCPU_COUNT_EINTR)
			fprintf(file, " eintr %" PRIu64, count);
		else if (i == VCPU_COUNT_EAGAIN)
			fprintf(file, " eagain %" PRIu64, count);
		else if (exit_name(i))
			fprintf(file, " %s %" PRIu64, exit_name(i), count);
		else
			fprintf(file, " reason-%" PRIu32 " %" PRIu64, i, count);
	}
	fputc('\n', file);
}
