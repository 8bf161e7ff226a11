/* SPDX-License-Identifier: Apache-2.0 */
/* Checks in child processes. */
#include "kit.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/sandbox.h"

#define NOBODY 65534u

static int log_fd = -1;

void kit_fail(const char *file, int line, const char *cond)
{
	dprintf(STDERR_FILENO, "%s:%d: %s (errno: %s)\n", file, line, cond, strerror(errno));
	/* The log is not where somebody looks. */
	if (log_fd >= 0)
		dprintf(STDOUT_FILENO, "%s:%d: %s (errno: %s)\n%s", file, line, cond,
			strerror(errno), kit_log());
	_exit(1);
}

int kit_status(void (*check)(uintptr_t arg), uintptr_t arg)
{
	struct rlimit core;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		/* cmocka's handler would take it for a failure of the group. */
		signal(SIGSYS, SIG_DFL);
		MUST(!getrlimit(RLIMIT_CORE, &core));
		core.rlim_cur = 0;
		MUST(!setrlimit(RLIMIT_CORE, &core));
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

static void check_user_namespace(uintptr_t unused)
{
	(void)unused;
	kit_become_ordinary();
	MUST(!unshare(CLONE_NEWUSER | CLONE_NEWNS));
}

bool kit_has_user_namespaces(void)
{
	return kit_status(check_user_namespace, 0) == 0;
}

void kit_refuse(int call, uint64_t flags, int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct scmp_arg_cmp test = SCMP_A0_64(SCMP_CMP_MASKED_EQ, flags, flags);

	MUST(filter);
	/* Root can do without, and then the sandbox has something to give up. */
	MUST(!seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, geteuid() != 0));
	MUST(!seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 1, &test));
	MUST(!seccomp_load(filter));
	seccomp_release(filter);
}

void kit_catch_log(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	MUST(log_fd >= 0 && dup2(log_fd, STDERR_FILENO) == STDERR_FILENO);
}

const char *kit_log(void)
{
	static char text[4096];
	ssize_t bytes = pread(log_fd, text, sizeof(text) - 1, 0);

	text[bytes < 0 ? 0 : bytes] = '\0';
	return text;
}
