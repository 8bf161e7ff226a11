/* SPDX-License-Identifier: Apache-2.0 */
/* Checks in child processes. */
#include "kit.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/sandbox.h"

#define NOBODY 65534u

void kit_fail(const char *file, int line, const char *cond)
{
	dprintf(STDERR_FILENO, "%s:%d: %s (errno: %s)\n", file, line, cond, strerror(errno));
	_exit(1);
}

int kit_status(void (*check)(uintptr_t arg), uintptr_t arg)
{
	static const struct rlimit no_core = {0, 0};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		/* cmocka's handler would take it for a failure of the group. */
		signal(SIGSYS, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		check(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

void kit_passes(void (*check)(uintptr_t arg), uintptr_t arg)
{
	assert_int_equal(kit_status(check, arg), 0);
}

void kit_enter(uint64_t needs)
{
	struct sandbox_options options = {.mode = SANDBOX_ON};
	char text[512] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	if (sandbox_prepare(&options, &error) < 0 || sandbox_enter(needs, &error) < 0)
		kit_fail(text, 0, "the sandbox");
}

void kit_become_ordinary(void)
{
	if (geteuid() != 0)
		return;
	MUST(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY));
	MUST(!setresuid(NOBODY, NOBODY, NOBODY));
}
