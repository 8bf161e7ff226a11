/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that lack something: "on" does the rest and says in one line what is missing, "strict"
 * refuses and names it. And who starts vmm: containers, capabilities, programs of others.
 */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/calls.h"
#include "sandbox/private.h"

#define LINE    "not possible here: "
#define REFUSED 3

#define BIT(capability) (1u << (capability)) /* of the first 32 */

/* A step that fails because a system call does. */
static const struct host {
	const char *step;
	int call;
	uint64_t flags; /* in its first argument; 0: any */
	int error;
	bool ordinary; /* the user, if it can be root as well */
} hosts[] = {
	{"a user namespace", SYS_unshare, CLONE_NEWUSER, EPERM, true},
	{"a network of its own", SYS_unshare, CLONE_NEWNET, ENOSPC, true},
	{"a network of its own", SYS_unshare, CLONE_NEWNET, ENOSPC, false},
	{"IPC and a host name of its own", SYS_unshare, CLONE_NEWIPC, EINVAL, false},
	{"a file system of its own", SYS_unshare, CLONE_NEWNS, EPERM, false},
	{"a file system of its own", SYS_mount, 0, EACCES, true},
	{"Landlock", SYS_landlock_create_ruleset, 0, ENOSYS, true},
	{"Landlock", SYS_landlock_create_ruleset, 0, EOPNOTSUPP, false},
	{"system call filters", SYS_seccomp, 0, ENOSYS, true},
};

#define HOSTS (sizeof(hosts) / sizeof(hosts[0]))

static char text[512];
static struct vmm_error error = {sizeof(error), text, sizeof(text)};

static int enter(enum sandbox_mode mode, const char *user)
{
	struct sandbox_options options = {.mode = mode, .user = user};
	int ret = sandbox_prepare(&options, &error);

	return ret < 0 ? ret : sandbox_enter(0, &error);
}

static void be_on(const struct host *host)
{
	MUST(!host->ordinary || kit_has_user_namespaces());
	kit_refuse(host->call, host->flags, host->error);
	if (host->ordinary)
		kit_become_ordinary();
}

static unsigned lines_of(const char *log)
{
	unsigned count = 0;

	while ((log = strstr(log, LINE))) {
		log += strlen(LINE);
		count++;
	}
	return count;
}

/* What this machine really lacks, besides the step. */
static unsigned other_lines(const char *step)
{
	unsigned count = 0;

	if (strcmp(step, "Landlock") && landlock_version() < 0)
		count++;
	if (strcmp(step, "system call filters") && !FILTERS_WORK)
		count++;
	return count;
}

static void must_have_given_up_the_rest(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == 0);
	MUST(!syscall(SYS_capget, &header, data));
	for (int i = 0; i < 2; i++)
		MUST(!data[i].effective && !data[i].permitted && !data[i].inheritable);
}

static void check_on(uintptr_t arg)
{
	const struct host *host = (const struct host *)arg;
	unsigned others = other_lines(host->step);
	char line[128];

	be_on(host);
	kit_catch_log();
	MUST(enter(SANDBOX_ON, NULL) == 0);
	snprintf(line, sizeof(line), LINE "%s: %s\n", host->step, strerror(host->error));
	MUST(strstr(kit_log(), line));
	MUST(lines_of(kit_log()) == 1 + others);
	must_have_given_up_the_rest();
	/* One way or another; without both it is as it was. */
	if (strcmp(host->step, "Landlock") || host->call == SYS_seccomp)
		MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 || landlock_version() < 0);
	sandbox_thread(SANDBOX_MAIN);
	MUST(write(STDERR_FILENO, "", 0) == 0);
}

static void check_strict(uintptr_t arg)
{
	const struct host *host = (const struct host *)arg;
	char line[128];

	be_on(host);
	MUST(enter(SANDBOX_STRICT, geteuid() ? NULL : "nobody") == VMM_E_UNSUPPORTED);
	snprintf(line, sizeof(line), "machine.sandbox is \"strict\", but " LINE "%s: %s",
		host->step, strerror(host->error));
	MUST(!strcmp(text, line));
}

static bool can_be_tried(const struct host *host)
{
	if (host->call == SYS_seccomp && !FILTERS_WORK)
		return false;
	if (host->ordinary)
		return kit_has_user_namespaces();
	return geteuid() == 0;
}

static void test_x5_x6_x7_a_host_that_lacks_a_step_gets_the_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTS; i++)
		if (can_be_tried(&hosts[i]))
			kit_passes(check_on, (uintptr_t)&hosts[i]);
}

static void test_x5_x6_x7_strict_refuses_a_host_that_lacks_a_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTS; i++)
		if (can_be_tried(&hosts[i]) &&
			(strcmp(hosts[i].step, "system call filters") || landlock_version() > 0))
			kit_passes(check_strict, (uintptr_t)&hosts[i]);
}

/* --- Root of a container, or a service with a few capabilities --- */

static uint64_t capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	MUST(!syscall(SYS_capget, &header, data));
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

static void drop_capability(int capability)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	uint64_t left = capabilities() & ~(uint64_t)BIT(capability);
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)left, .permitted = (uint32_t)left},
		{.effective = (uint32_t)(left >> 32), .permitted = (uint32_t)(left >> 32)},
	};

	MUST(!syscall(SYS_capset, &header, data));
}

static void check_container(uintptr_t has_user_namespaces)
{
	struct sandbox_options options = {.mode = SANDBOX_ON, .user = "nobody"};

	if (!has_user_namespaces)
		kit_refuse(SYS_unshare, 0, EPERM);
	drop_capability(CAP_SYS_ADMIN);
	kit_catch_log();
	MUST(sandbox_prepare(&options, &error) == 0);
	/* A tap, for example, is made with it now. */
	MUST(capabilities() & BIT(CAP_NET_ADMIN) && geteuid() == 0);
	MUST(sandbox_enter(0, &error) == 0);
	MUST(geteuid() != 0 && getgid() != 0 && getgroups(0, NULL) == 0);
	must_have_given_up_the_rest();
	MUST(access("/etc", F_OK) == (has_user_namespaces ? -1 : 0));
	MUST(!!strstr(kit_log(), LINE "a user namespace") == !has_user_namespaces);
}

static void test_x4_x5_root_of_a_container_makes_devices_and_gives_up_the_rest(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	kit_passes(check_container, false);
	if (kit_has_user_namespaces())
		kit_passes(check_container, true);
}

static void check_strict_container(uintptr_t unused)
{
	(void)unused;
	kit_refuse(SYS_unshare, 0, EPERM);
	drop_capability(CAP_SYS_ADMIN);
	MUST(enter(SANDBOX_STRICT, "nobody") == VMM_E_UNSUPPORTED);
	MUST(strstr(text, LINE "a user namespace: Operation not permitted"));
}

static void test_x5_strict_refuses_a_container(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	kit_passes(check_strict_container, 0);
}

/* --- Privileges of the program's file --- */

struct start {
	mode_t mode;
	uint32_t file; /* capabilities of the file */
	uint32_t ambient;
	int status;
};

static char directory[PATH_MAX]; /* of this program */

static bool is_suid_allowed(void)
{
	ssize_t bytes = readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	struct statvfs mount;
	int fd;

	if (bytes <= 0)
		return false;
	directory[bytes] = '\0';
	*strrchr(directory, '/') = '\0';
	fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0700);
	if (fd >= 0)
		close(fd);
	return fd >= 0 && !statvfs(directory, &mount) && !(mount.f_flag & ST_NOSUID);
}

static void copy_program(int to)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char buffer[65536];
	ssize_t bytes;

	MUST(from >= 0);
	while ((bytes = read(from, buffer, sizeof(buffer))) > 0)
		MUST(write(to, buffer, (size_t)bytes) == bytes);
	MUST(bytes == 0);
}

/* A copy of this test beside it, without a name, that another user can start. */
static int make_program(const struct start *start)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = {{.permitted = start->file}},
	};
	int to = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0700);
	char name[64];
	int fd;

	MUST(to >= 0);
	copy_program(to);
	MUST(!fchmod(to, start->mode));
	MUST(!start->file || !fsetxattr(to, "security.capability", &data, XATTR_CAPS_SZ_2, 0));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
	fd = open(name, O_RDONLY);
	MUST(fd >= 0 && !close(to));
	return fd;
}

static void raise_ambient(uint32_t set)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {
		{.effective = set, .permitted = set, .inheritable = set},
	};

	MUST(!syscall(SYS_capset, &header, data));
	for (unsigned i = 0; i < 32; i++)
		MUST(!(set >> i & 1) || !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0));
}

static void check_start(uintptr_t arg)
{
	const struct start *start = (const struct start *)arg;
	char *const arguments[] = {(char[]){"hosts"}, (char[]){"begin"}, NULL};
	char *const environment[] = {NULL};
	int fd = make_program(start);

	MUST(!prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	kit_become_ordinary();
	raise_ambient(start->ambient);
	execveat(fd, "", arguments, environment, AT_EMPTY_PATH);
	MUST(0);
}

static void test_x4_privileges_of_the_program_s_file_are_refused(void **state)
{
	static const struct start starts[] = {
		{.mode = 0755, .status = 0},
		{.mode = 04755, .status = REFUSED},
		{.mode = 02755, .status = REFUSED},
		{.mode = 0755, .file = BIT(CAP_NET_ADMIN), .status = REFUSED},
		{.mode = 0755, .ambient = BIT(CAP_NET_ADMIN), .status = 0},
	};

	(void)state;
	if (geteuid() != 0 || !is_suid_allowed())
		skip();
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		int status = kit_status(check_start, (uintptr_t)&starts[i]);

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), starts[i].status);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x5_x6_x7_a_host_that_lacks_a_step_gets_the_rest),
		cmocka_unit_test(test_x5_x6_x7_strict_refuses_a_host_that_lacks_a_step),
		cmocka_unit_test(
			test_x4_x5_root_of_a_container_makes_devices_and_gives_up_the_rest),
		cmocka_unit_test(test_x5_strict_refuses_a_container),
		cmocka_unit_test(test_x4_privileges_of_the_program_s_file_are_refused),
	};

	if (argc == 2 && !strcmp(argv[1], "begin"))
		_exit(sandbox_begin(&error) < 0 ? REFUSED : 0);
	return cmocka_run_group_tests_name("sandbox-hosts", tests, NULL, NULL);
}
