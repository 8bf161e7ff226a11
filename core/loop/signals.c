/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the process that ask for something: ending, the power button, job control. Those that
 * report a crash are in fatal.c. Not libuv's signals: a second SIGTERM must end a process whose
 * main loop hangs, so the handler itself has to do it.
 */
#include "loop/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <vmm/support.h>

#include "loop/fatal.h"
#include "loop/loop.h"
#include "loop/terminal.h"
#include "loop/watchdog.h"

/*
 * timeout(1) and others send a signal to the process and again to its group: what comes so soon
 * after the first is not a second wish.
 */
#define SECOND_AFTER_NS UINT64_C(200000000)

/* Written by handlers, so atomic; the rest is set before they are installed. */
static struct {
	int fd; /* eventfd: wakes the main loop */
	struct loop_watch *watch;
	const struct signals_ops *ops;
	void *ctx;
	_Atomic int stop_signal;  /* the first one; 0: none came */
	_Atomic uint64_t stop_ns; /* when it came */
	_Atomic bool stop_told;
	_Atomic bool power_button;
} signals = {.fd = -1};

struct action {
	int signal;
	void (*handler)(int signal);
	bool keep_ignored; /* if it was ignored at start: nohup, job control off */
	bool changed;
	struct sigaction old;
};

static void on_stop(int signal);
static void on_quit(int signal);
static void on_power(int signal);
static void on_suspend(int signal);
static void on_continue(int signal);

static struct action actions[] = {
	{.signal = SIGTERM, .handler = on_stop},
	{.signal = SIGINT, .handler = on_stop, .keep_ignored = true},
	{.signal = SIGHUP, .handler = on_stop, .keep_ignored = true},
	{.signal = SIGQUIT, .handler = on_quit, .keep_ignored = true},
	{.signal = SIGPWR, .handler = on_power},
	{.signal = SIGTSTP, .handler = on_suspend, .keep_ignored = true},
	{.signal = SIGCONT, .handler = on_continue},
	{.signal = SIGTTIN, .handler = SIG_IGN},
	{.signal = SIGTTOU, .handler = SIG_IGN},
	{.signal = SIGPIPE, .handler = SIG_IGN},
	{.signal = SIGXFSZ, .handler = SIG_IGN},
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static void wake(void)
{
	uint64_t one = 1;
	ssize_t done = write(signals.fd, &one, sizeof(one));

	/* It fails only when the counter is full, and then the loop is awake. */
	(void)done;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Blocked while its handler runs, so the default action comes when that returns. */
static void default_action(int number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(number, &action, NULL);
	raise(number);
}

static void end_by(int number)
{
	sigset_t self;

	default_action(number);
	sigemptyset(&self);
	sigaddset(&self, number);
	pthread_sigmask(SIG_UNBLOCK, &self, NULL);
	/* The first process of a PID namespace does not end by its own signal. */
	_exit(128 + number);
}

static void on_quit(int signal)
{
	terminal_restore();
	end_by(signal);
}

static void end_at_once(int signal)
{
	static const char text[] = "vmm: a second signal: ending at once\n";

	terminal_restore();
	ssize_t done = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)done;
	end_by(signal);
}

static void on_stop(int signal)
{
	int error = errno;
	int none = 0;
	uint64_t now = now_ns();

	if (atomic_compare_exchange_strong(&signals.stop_signal, &none, signal)) {
		atomic_store(&signals.stop_ns, now);
		wake();
	} else if (now - atomic_load(&signals.stop_ns) >= SECOND_AFTER_NS) {
		end_at_once(signal);
	}
	errno = error;
}

static void on_power(int signal)
{
	int error = errno;

	(void)signal;
	atomic_store(&signals.power_button, true);
	wake();
	errno = error;
}

static void install(int number, void (*handler)(int signal))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	/* One that comes while another is being noted is no second one. */
	for (size_t i = 0; handler == on_stop && i < ACTIONS; i++)
		if (actions[i].handler == on_stop)
			sigaddset(&action.sa_mask, actions[i].signal);
	sigaction(number, &action, NULL);
}

static void on_suspend(int signal)
{
	int error = errno;
	sigset_t self;

	terminal_suspend();
	default_action(signal);
	sigemptyset(&self);
	sigaddset(&self, signal);
	/* Here it stops, until SIGCONT. */
	pthread_sigmask(SIG_UNBLOCK, &self, NULL);
	install(signal, on_suspend);
	terminal_continue();
	errno = error;
}

static void on_continue(int signal)
{
	int error = errno;

	(void)signal;
	terminal_continue();
	errno = error;
}

static void wake_cb(void *ctx, int32_t fd, uint32_t events)
{
	uint64_t count;
	ssize_t done = read(fd, &count, sizeof(count));

	(void)ctx;
	(void)events;
	(void)done;
	int stop = atomic_load(&signals.stop_signal);

	if (stop && !atomic_exchange(&signals.stop_told, true))
		signals.ops->stop(signals.ctx, stop);
	if (atomic_exchange(&signals.power_button, false))
		signals.ops->power_button(signals.ctx);
}

static void install_all(void)
{
	for (size_t i = 0; i < ACTIONS; i++) {
		struct action *action = &actions[i];

		sigaction(action->signal, NULL, &action->old);
		action->changed = !(action->keep_ignored && action->old.sa_handler == SIG_IGN);
		if (action->changed)
			install(action->signal, action->handler);
	}
}

int signals_init(
	struct loop *main_loop, const struct signals_ops *ops, void *ctx, struct vmm_error *error)
{
	signals.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (signals.fd < 0) {
		vmm_set_error(error, "the eventfd for signals cannot be made: %s", strerror(errno));
		return VMM_E_LIMIT;
	}
	signals.ops = ops;
	signals.ctx = ctx;
	atomic_store(&signals.stop_signal, 0);
	atomic_store(&signals.stop_told, false);
	atomic_store(&signals.power_button, false);

	int ret = loop_watch_add(
		main_loop, &signals, signals.fd, VMM_WATCH_READ, wake_cb, NULL, &signals.watch);

	if (ret < 0) {
		vmm_set_error(error, "the loop cannot watch for signals: %s", vmm_error_text(ret));
		close(signals.fd);
		signals.fd = -1;
		return ret;
	}
	install_all();
	fatal_init();
	return 0;
}

void signals_fini(void)
{
	if (signals.fd < 0)
		return;
	for (size_t i = 0; i < ACTIONS; i++) {
		struct action *action = &actions[i];

		if (action->changed && action->handler != SIG_IGN)
			sigaction(action->signal, &action->old, NULL);
	}
	fatal_fini();
	loop_watch_remove(signals.watch);
	close(signals.fd);
	signals.fd = -1;
}

void signals_init_thread(void)
{
	sigset_t set;

	sigfillset(&set);
	fatal_remove_signals(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	fatal_init_thread();
	watchdog_init_thread();
}
