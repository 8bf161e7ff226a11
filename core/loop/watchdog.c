/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog. A loop counts when it goes into a callback and when it comes out; the watchdog
 * looks at the counts now and then, so that it costs a loop two stores and never wakes one. Where
 * a stalled thread is, its own signal handler finds out.
 */
#include "loop/watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "log/log.h"
#include "loop/fatal.h"
#include "loop/internal.h"
#include "sandbox/sandbox.h"
#include "thread/thread.h"

#define WHERE_SIGNAL   (SIGRTMIN + 1)
#define WHERE_SECONDS  1
#define NS_IN_A_SECOND UINT64_C(1000000000)

struct watched {
	struct loop *loop;
	uint32_t turn;     /* seen at the last look */
	uint32_t told;     /* the turn that was called stalled; 0: none */
	uint64_t since_ns; /* when the turn was first seen */
};

struct watchdog {
	pthread_t thread;
	pthread_mutex_t lock; /* guards stopping; a leaf */
	pthread_cond_t wake;
	bool stopping;
	uint64_t limit_ns;
	uint32_t count;
	struct watched watched[];
};

/* The answer of a thread that was asked where it is. */
static struct {
	sem_t given;
	const char *_Atomic name;
} where;

static void on_where(int signal, siginfo_t *info, void *context)
{
	int error = errno;

	(void)signal;
	(void)info;
	atomic_store(&where.name, fatal_code_near(context));
	sem_post(&where.given);
	errno = error;
}

static const char *ask_where(pthread_t thread)
{
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += WHERE_SECONDS;
	while (!sem_trywait(&where.given))
		;
	if (pthread_kill(thread, WHERE_SIGNAL))
		return NULL;
	while (sem_clockwait(&where.given, CLOCK_MONOTONIC, &limit))
		if (errno != EINTR)
			return NULL;
	return atomic_load(&where.name);
}

static void tell_stalled(const struct watched *watched, uint64_t now)
{
	struct loop *loop = watched->loop;
	const char *name = ask_where(loop->thread);

	log_write(VMM_LOG_WARN, "watchdog",
		"loop \"%s\" has been in one callback for %" PRIu64 " s, %s%s", loop_name(loop),
		(now - watched->since_ns) / NS_IN_A_SECOND,
		name ? "in or below the code of " : "not in a plugin", name ? name : "");
}

/* After a pause the turns that were under way then have just begun. */
static void look(struct watched *watched, uint64_t now, uint64_t limit_ns, bool after_pause)
{
	uint32_t turn = atomic_load_explicit(&watched->loop->turn, memory_order_acquire);

	if (turn != watched->turn) {
		if (watched->told)
			log_write(VMM_LOG_WARN, "watchdog", "loop \"%s\" goes on",
				loop_name(watched->loop));
		watched->told = 0;
		watched->turn = turn;
		watched->since_ns = now;
	} else if (after_pause) {
		watched->since_ns = now;
	} else if (turn % 2 && !watched->told && now - watched->since_ns >= limit_ns) {
		watched->told = turn;
		tell_stalled(watched, now);
	}
}

static void wait_until_locked(struct watchdog *watchdog, uint64_t ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(ns / NS_IN_A_SECOND), .tv_nsec = (long)(ns % NS_IN_A_SECOND)};
	int err = 0;

	while (!watchdog->stopping && !err)
		err = pthread_cond_clockwait(
			&watchdog->wake, &watchdog->lock, CLOCK_MONOTONIC, &until);
}

static void *watchdog_main(void *arg)
{
	struct watchdog *watchdog = arg;
	uint64_t limit_ns = watchdog->limit_ns;
	uint64_t next_ns = loop_now(NULL, VMM_CLOCK_HOST) + limit_ns;
	sigset_t all;

	sigfillset(&all);
	fatal_remove_signals(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	fatal_init_thread();
	prctl(PR_SET_NAME, "watchdog");
	sandbox_thread(SANDBOX_HELPER);
	pthread_mutex_lock(&watchdog->lock);
	wait_until_locked(watchdog, next_ns);
	while (!watchdog->stopping) {
		uint64_t now = loop_now(NULL, VMM_CLOCK_HOST);
		/* SIGSTOP, or a host that was stopped: nobody ran while this did not. */
		bool after_pause = now - next_ns >= limit_ns / 2;

		pthread_mutex_unlock(&watchdog->lock);
		for (uint32_t i = 0; i < watchdog->count; i++)
			look(&watchdog->watched[i], now, limit_ns, after_pause);
		pthread_mutex_lock(&watchdog->lock);
		next_ns = now + limit_ns;
		wait_until_locked(watchdog, next_ns);
	}
	pthread_mutex_unlock(&watchdog->lock);
	return NULL;
}

static int start_thread(struct watchdog *watchdog)
{
	struct sigaction action = {.sa_sigaction = on_where, .sa_flags = SA_SIGINFO | SA_RESTART};
	int err;

	sem_init(&where.given, 0, 0);
	sigemptyset(&action.sa_mask);
	sigaction(WHERE_SIGNAL, &action, NULL);
	pthread_cond_init(&watchdog->wake, NULL);
	pthread_mutex_init(&watchdog->lock, NULL);
	err = thread_start(&watchdog->thread, watchdog_main, watchdog);
	return err ? VMM_E_LIMIT : 0;
}

int watchdog_start(struct loop *const *loops, uint32_t count, uint64_t limit_ns,
	struct watchdog **ret_watchdog)
{
	struct watchdog *watchdog = calloc(1, sizeof(*watchdog) + count * sizeof(struct watched));
	int ret;

	if (!watchdog)
		return VMM_E_NOMEM;
	watchdog->limit_ns = limit_ns;
	watchdog->count = count;
	for (uint32_t i = 0; i < count; i++)
		watchdog->watched[i].loop = loops[i];
	ret = start_thread(watchdog);
	if (ret < 0)
		free(watchdog);
	else
		*ret_watchdog = watchdog;
	return ret;
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->stopping = true;
	pthread_cond_signal(&watchdog->wake);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	pthread_cond_destroy(&watchdog->wake);
	pthread_mutex_destroy(&watchdog->lock);
	free(watchdog);
}

void watchdog_init_thread(void)
{
	sigset_t self;

	sigemptyset(&self);
	sigaddset(&self, WHERE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &self, NULL);
}
