/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controlling terminal's mode. See terminal.h. All state is in atomics and in memory that is
 * written before the state says so, because signal handlers on any thread come here.
 */
#include "loop/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <vmm/types.h>

#include "log/log.h"

enum state {
	SANE,      /* as we found it; saved is not valid */
	RAW,       /* ours */
	SUSPENDED, /* put back while we are stopped; raw again after it */
};

static struct {
	_Atomic int state;
	int fd;
	struct termios saved;
	struct termios raw;
} terminal;

static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

void terminal_fill_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is fd: all below it are open. */
		int null = open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);

		if (null >= 0 && null != fd)
			close(null);
	}
}

/* A terminal that is not our controlling one has no job control for us. */
bool terminal_in_background(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group >= 0 && group != getpgrp();
}

static void restore_at_exit(void)
{
	atexit(terminal_restore);
}

static void set_raw(void)
{
	tcsetattr(terminal.fd, TCSANOW, &terminal.raw);
	log_set_raw_terminal(isatty(STDERR_FILENO));
}

static void set_saved(void)
{
	tcsetattr(terminal.fd, TCSANOW, &terminal.saved);
	log_set_raw_terminal(false);
}

int terminal_raw(int fd)
{
	int state = atomic_load(&terminal.state);
	struct termios now;

	if (!isatty(fd))
		return VMM_E_UNSUPPORTED;
	if (terminal_in_background(fd))
		return VMM_E_AGAIN;
	/* SUSPENDED, too: nobody tells when we come to the foreground after we went on in the
	 * background. */
	if (state != RAW && tcgetattr(fd, &now) < 0)
		return VMM_E_IO;
	/* A SIGCONT in between has done it, and `now` may be our own mode. */
	if (state != RAW && atomic_load(&terminal.state) == state) {
		terminal.fd = fd;
		terminal.saved = now;
		terminal.raw = now;
		cfmakeraw(&terminal.raw);
		terminal.raw.c_cc[VMIN] = 1;
		terminal.raw.c_cc[VTIME] = 0;
		pthread_once(&exit_once, restore_at_exit);
		atomic_store(&terminal.state, RAW);
	}
	set_raw();
	return 0;
}

/*
 * In the background the terminal is the shell's, which has already put it into the mode that it
 * wants; changing it then would break the shell's line editing.
 */
void terminal_restore(void)
{
	int error = errno;

	if (atomic_exchange(&terminal.state, SANE) == RAW && !terminal_in_background(terminal.fd))
		set_saved();
	errno = error;
}

void terminal_suspend(void)
{
	int state = RAW;

	if (!atomic_compare_exchange_strong(&terminal.state, &state, SUSPENDED))
		return;
	if (!terminal_in_background(terminal.fd))
		set_saved();
}

void terminal_continue(void)
{
	int state = atomic_load(&terminal.state);

	if (state == SANE || terminal_in_background(terminal.fd))
		return;
	/* Back from a stop by SIGTSTP the mode is the shell's, which may have changed it. */
	if (state == SUSPENDED)
		tcgetattr(terminal.fd, &terminal.saved);
	atomic_store(&terminal.state, RAW);
	set_raw();
}
