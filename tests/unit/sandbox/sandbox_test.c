/* SPDX-License-Identifier: Apache-2.0 */
/* What is gone after each step of the sandbox but system calls, and what still works. */
#include "kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmm/device.h>

#include "sandbox/private.h"

#define DROPPED 100
#define KEPT    101

static void check_fds(uintptr_t unused)
{
	int keep = KEPT;
	struct sandbox_options options = {.mode = SANDBOX_ON, .keep = &keep, .keep_count = 1};
	int own;

	(void)unused;
	MUST(dup2(STDERR_FILENO, DROPPED) == DROPPED && dup2(STDERR_FILENO, KEPT) == KEPT);
	MUST(sandbox_begin(NULL) == 0);
	own = open("/dev/null", O_RDONLY | O_CLOEXEC);
	MUST(own >= 0);
	MUST(sandbox_prepare(&options, NULL) == 0);
	MUST(fcntl(DROPPED, F_GETFD) < 0 && errno == EBADF);
	MUST(fcntl(KEPT, F_GETFD) >= 0);
	MUST(sandbox_enter(0, NULL) == 0);
	MUST(fcntl(KEPT, F_GETFD) < 0 && errno == EBADF);
	MUST(fcntl(own, F_GETFD) >= 0);
}

static void test_x1_inherited_fds_are_closed_but_for_named_ones(void **state)
{
	(void)state;
	kit_passes(check_fds, 0);
}

static void check_limits(uintptr_t needs)
{
	struct rlimit limit;

	kit_enter(needs);
	MUST(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == limit.rlim_max);
	MUST(limit.rlim_max < (needs ? 8448 : 512));
	limit.rlim_max++;
	MUST(setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM);
}

static void test_x2_fds_are_limited_for_good(void **state)
{
	(void)state;
	kit_passes(check_limits, 0);
	kit_passes(check_limits, VMM_NEED_NETWORK);
}

static void check_environment(uintptr_t unused)
{
	const char *secret, *copy = "PASSWORD=hunter2";

	(void)unused;
	MUST(!setenv("PASSWORD", "hunter2", 1) && !setenv("VMM_ABI_CHECK", "1", 1));
	secret = getenv("PASSWORD");
	MUST(secret && !strcmp(secret, strchr(copy, '=') + 1));
	kit_enter(0);
	MUST(!getenv("PASSWORD") && secret[0] == '\0' && secret[6] == '\0');
	MUST(getenv("VMM_ABI_CHECK"));
	for (char **variable = environ; *variable; variable++)
		MUST(**variable);
}

static void test_x2_the_environment_is_forgotten(void **state)
{
	(void)state;
	kit_passes(check_environment, 0);
}

static void check_dumps(uintptr_t unused)
{
	struct rlimit limit;

	(void)unused;
	kit_enter(0);
	MUST(!getrlimit(RLIMIT_CORE, &limit) && limit.rlim_max == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void test_x3_no_new_privileges_and_no_core_dumps(void **state)
{
	(void)state;
	kit_passes(check_dumps, 0);
}

static void must_have_no_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	MUST(!syscall(SYS_capget, &header, data));
	for (int i = 0; i < 2; i++)
		MUST(!data[i].effective && !data[i].permitted && !data[i].inheritable);
	data[0].effective = data[0].permitted = 1u << CAP_SYS_ADMIN;
	MUST(syscall(SYS_capset, &header, data) < 0 && errno == EPERM);
	MUST(mount("x", "/", "tmpfs", 0, NULL) < 0);
	MUST(sethostname("x", 1) < 0 && errno == EPERM);
}

static void check_capabilities(uintptr_t ordinary)
{
	if (ordinary)
		kit_become_ordinary();
	kit_enter(0);
	must_have_no_capabilities();
	for (int capability = 0; !ordinary && capability <= CAP_AUDIT_READ; capability++)
		MUST(prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 0);
}

static void test_x4_capabilities_are_gone_for_good(void **state)
{
	(void)state;
	kit_passes(check_capabilities, true);
	if (geteuid() == 0)
		kit_passes(check_capabilities, false);
}

static void check_user(uintptr_t unused)
{
	struct sandbox_options options = {.mode = SANDBOX_ON, .user = "nobody"};
	int signal = 0;

	(void)unused;
	MUST(!setgroups(1, &(gid_t){1}) && !prctl(PR_SET_PDEATHSIG, SIGKILL));
	MUST(sandbox_prepare(&options, NULL) == 0);
	MUST(geteuid() == 0);
	MUST(sandbox_enter(0, NULL) == 0);
	MUST(getuid() != 0 && geteuid() == getuid() && getgid() != 0);
	MUST(getgroups(0, NULL) == 0);
	MUST(setresuid(0, 0, 0) < 0 && errno == EPERM);
	MUST(setresgid(0, 0, 0) < 0 && errno == EPERM);
	MUST(!prctl(PR_GET_PDEATHSIG, &signal) && signal == SIGKILL);
	must_have_no_capabilities();
}

static void test_x4_the_user_is_another_one_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	kit_passes(check_user, 0);
}

static void check_unknown_user(uintptr_t unused)
{
	struct sandbox_options options = {.mode = SANDBOX_ON, .user = "no-such-user"};
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	(void)unused;
	MUST(sandbox_prepare(&options, &error) == VMM_E_INVAL);
	MUST(strstr(text, "machine.user: there is no user \"no-such-user\""));
}

static void check_user_without_sandbox(uintptr_t unused)
{
	struct sandbox_options options = {.mode = SANDBOX_OFF, .user = "nobody"};
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	(void)unused;
	MUST(sandbox_prepare(&options, &error) == VMM_E_INVAL);
	MUST(strstr(text, "machine.user needs machine.sandbox"));
}

static void check_strict_root(uintptr_t unused)
{
	struct sandbox_options options = {.mode = SANDBOX_STRICT};
	char text[256] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};

	(void)unused;
	MUST(sandbox_prepare(&options, &error) == VMM_E_INVAL);
	MUST(strstr(text, "machine.sandbox \"strict\" needs machine.user"));
}

static void test_x4_a_user_that_cannot_be_is_refused(void **state)
{
	(void)state;
	kit_passes(check_unknown_user, 0);
	kit_passes(check_user_without_sandbox, 0);
	if (geteuid() == 0)
		kit_passes(check_strict_root, 0);
}

static void check_files(uintptr_t ordinary)
{
	int open_before = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char byte;

	if (ordinary)
		kit_become_ordinary();
	kit_enter(0);
	MUST(read(open_before, &byte, 1) == 1);
	MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0);
	MUST(open("/proc/self/maps", O_RDONLY | O_CLOEXEC) < 0);
	MUST(open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
	MUST(access("/etc", F_OK) < 0);
}

static void test_x5_files_that_are_not_open_are_out_of_reach(void **state)
{
	(void)state;
	if (kit_has_user_namespaces())
		kit_passes(check_files, true);
	if (geteuid() == 0)
		kit_passes(check_files, false);
}

/* --- Network --- */

static void listen_on_loopback(struct sockaddr_in *ret_address)
{
	socklen_t bytes = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){.sin_family = AF_INET};
	ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(fd >= 0 && !bind(fd, (struct sockaddr *)ret_address, sizeof(*ret_address)));
	MUST(!listen(fd, 1) && !getsockname(fd, (struct sockaddr *)ret_address, &bytes));
}

static bool connects(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done = fd >= 0 && !connect(fd, (const struct sockaddr *)address, sizeof(*address));

	if (fd >= 0)
		close(fd);
	return done;
}

static void check_no_network(uintptr_t ordinary)
{
	struct sockaddr_in address;

	listen_on_loopback(&address);
	MUST(connects(&address));
	if (ordinary)
		kit_become_ordinary();
	kit_enter(VMM_NEED_TAP | VMM_NEED_DISK);
	MUST(!connects(&address));
}

static void check_network(uintptr_t ordinary)
{
	struct sockaddr_in address;

	listen_on_loopback(&address);
	if (ordinary)
		kit_become_ordinary();
	kit_enter(VMM_NEED_NETWORK);
	MUST(connects(&address));
	/* Name servers of the user network; nothing else of /etc. */
	MUST(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC) >= 0);
	MUST(open("/etc/resolv.conf", O_WRONLY | O_CLOEXEC) < 0);
	MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0);
}

static void test_x5_only_who_needs_the_network_has_it(void **state)
{
	(void)state;
	if (kit_has_user_namespaces())
		kit_passes(check_no_network, true);
	if (access("/etc/resolv.conf", R_OK) == 0)
		kit_passes(check_network, true);
	if (geteuid() == 0)
		kit_passes(check_no_network, false);
}

static void reach_for_queue(uintptr_t queue)
{
	struct msqid_ds info;

	MUST(!msgctl((int)queue, IPC_STAT, &info));
	kit_enter(0);
	MUST(msgctl((int)queue, IPC_STAT, &info) < 0 && errno == EINVAL);
}

static void reach_for_queue_as_ordinary(uintptr_t queue)
{
	kit_become_ordinary();
	reach_for_queue(queue);
}

static void test_x5_ipc_of_others_is_out_of_reach(void **state)
{
	int queue = msgget(IPC_PRIVATE, 0666);
	int status[2] = {0, 0};

	(void)state;
	assert_true(queue >= 0);
	if (kit_has_user_namespaces())
		status[0] = kit_status(reach_for_queue_as_ordinary, (uintptr_t)queue);
	if (geteuid() == 0)
		status[1] = kit_status(reach_for_queue, (uintptr_t)queue);
	msgctl(queue, IPC_RMID, NULL);
	assert_true(!status[0] && !status[1]);
}

static void check_off(uintptr_t unused)
{
	struct sandbox_options options = {.mode = SANDBOX_OFF};

	(void)unused;
	MUST(sandbox_begin(NULL) == 0);
	MUST(sandbox_prepare(&options, NULL) == 0 && sandbox_enter(0, NULL) == 0);
	sandbox_thread(SANDBOX_VCPU);
	MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static void test_off_changes_nothing(void **state)
{
	(void)state;
	kit_passes(check_off, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x1_inherited_fds_are_closed_but_for_named_ones),
		cmocka_unit_test(test_x2_fds_are_limited_for_good),
		cmocka_unit_test(test_x2_the_environment_is_forgotten),
		cmocka_unit_test(test_x3_no_new_privileges_and_no_core_dumps),
		cmocka_unit_test(test_x4_capabilities_are_gone_for_good),
		cmocka_unit_test(test_x4_the_user_is_another_one_for_good),
		cmocka_unit_test(test_x4_a_user_that_cannot_be_is_refused),
		cmocka_unit_test(test_x5_files_that_are_not_open_are_out_of_reach),
		cmocka_unit_test(test_x5_only_who_needs_the_network_has_it),
		cmocka_unit_test(test_x5_ipc_of_others_is_out_of_reach),
		cmocka_unit_test(test_off_changes_nothing),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
