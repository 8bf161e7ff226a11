/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that starts again runs in a child process. */
#include "cli/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPWR};

#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static void run_child(int (*run)(void *ctx), void *ctx, pid_t parent, const sigset_t *mask)
{
	/* Killed, this process would leave a machine that nobody watches. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CLI_EXIT_HOST);
	sigprocmask(SIG_SETMASK, mask, NULL);
	exit(run(ctx));
}

/*
 * What the terminal sends, it sends to the child, too: only what comes from a process is passed on.
 * Ignored signals stay ignored, here as in the child.
 */
static void pass_on(pid_t child, const siginfo_t *info)
{
	if (info->si_code != SI_KERNEL)
		kill(child, info->si_signo);
}

static bool asks_for_the_end(int number)
{
	struct sigaction action;

	return (number == SIGTERM || number == SIGINT || number == SIGHUP) &&
	       sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

/* *stop: the first signal that asked for the end. */
static int wait_for(pid_t child, const sigset_t *wanted, int *stop)
{
	siginfo_t info;
	int status;

	for (;;) {
		int number = sigwaitinfo(wanted, &info);

		if (!*stop && asks_for_the_end(number))
			*stop = number;
		if (number > 0 && number != SIGCHLD)
			pass_on(child, &info);
		else if (waitpid(child, &status, WNOHANG) == child)
			return status;
	}
}

static int end_as(int status)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	int number = WTERMSIG(status);
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	sigaction(number, &action, NULL);
	raise(number);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + number;
}

int supervise(int (*run)(void *ctx), void *ctx, bool (*again)(int status))
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	pid_t self = getpid();
	sigset_t wanted, mask;
	int status, stop = 0;
	bool wants_again;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	for (size_t i = 0; i < PASSED_ON; i++)
		sigaddset(&wanted, passed_on[i]);
	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_BLOCK, &wanted, &mask);
	do {
		pid_t child;

		fflush(NULL);
		child = fork();
		if (child < 0) {
			fprintf(stderr, "vmm: no process can be made: %s\n", strerror(errno));
			return CLI_EXIT_HOST;
		}
		if (!child)
			run_child(run, ctx, self, &mask);
		status = wait_for(child, &wanted, &stop);
		wants_again = WIFEXITED(status) && again(WEXITSTATUS(status));
	} while (wants_again && !stop);
	if (wants_again)
		return stop == SIGINT ? CLI_EXIT_INTERRUPT : CLI_EXIT_OK;
	return end_as(status);
}
