/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of vmm with a plugin that crashes: the report names it, the terminal is restored, and the
 * process ends by the signal. See fault-layer's kvm.h for the KVM that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "crash.h"
#include "kvm.h"

#define HANG_SECONDS 60
#define STATUS_TAME  50 /* the terminal did not become raw */

int vmm_main(int argc, char **argv);

static char report[16384];

static bool is_raw(void)
{
	struct termios mode;

	return !tcgetattr(STDIN_FILENO, &mode) && !(mode.c_lflag & ICANON);
}

/* The console opens while the guest runs. */
static void guest_main(struct fake_host *host)
{
	for (uint32_t i = 0; i < 1000 && !is_raw(); i++)
		usleep(10000);
	if (!is_raw())
		_exit(STATUS_TAME);
	fake_pio_read(host, CRASH_PORT, 4);
}

static void write_config(char *path, const char *where)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	dprintf(fd,
		"machine = { memory = \"32M\"; sandbox = \"off\"; };\n"
		"boot = { kernel = \"" TEST_KERNELS "/multiboot.elf\"; };\n"
		"plugins = { search = (\"" TEST_PLUGINS "\", \"" TEST_FIXTURES "\"); };\n"
		"devices = ({ type = \"serial\"; id = \"com1\"; backend = \"stdio\"; },\n"
		"{ type = \"crash\"; id = \"crash0\"; where = \"%s\"; });\n",
		where);
	close(fd);
}

/* Signals as they are for a program, not for cmocka. */
static _Noreturn void run_vmm(char *config, int terminal, int output)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	static const struct rlimit no_core = {0, 0};
	char name[] = "vmm", option[] = "-c";
	char *argv[] = {name, option, config, NULL};

	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_NAME, "vmm");
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
	if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0)
		abort();
	dup2(terminal, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	alarm(HANG_SECONDS);
	_exit(vmm_main(3, argv));
}

static void expect(const char *text)
{
	if (!strstr(report, text))
		fail_msg("\"%s\" is not in the report:\n%s", text, report);
}

/* Ends by SIGSEGV; `report` is what was printed, and the terminal is as it was. */
static void crash(const char *where)
{
	char config[] = "/tmp/vmm-crash-XXXXXX";
	int output = memfd_create("output", MFD_CLOEXEC);
	struct termios before, after;
	int master, slave;
	int status;
	pid_t child;

	write_config(config, where);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_vmm(config, slave, output);
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(config);
	report[pread(output, report, sizeof(report) - 1, 0)] = '\0';
	close(output);
	assert_int_equal(tcgetattr(slave, &after), 0);
	close(slave);
	close(master);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
		fail_msg("status %#x: %s", (unsigned int)status, report);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	expect("vmm: crash: SIGSEGV (fatal signal 11), access to address 0x");
}

static void h26_a_plugin_that_crashes_in_create_is_named(void **state)
{
	(void)state;
	crash("create");
	expect("\n  thread: vmm");
	expect("/crash.so+0x");
}

static void h26_a_plugin_that_crashes_on_its_loop_is_named(void **state)
{
	(void)state;
	crash("loop");
	expect("\n  thread: vmm");
	expect("\n  code: ");
	expect("/crash.so+0x");
}

static void h26_a_plugin_that_crashes_in_an_access_is_named_with_the_access(void **state)
{
	(void)state;
	crash("access");
	expect("access to address 0x18\n");
	expect("\n  thread: vcpu0\n");
	expect("/crash.so+0x");
	expect("\n  exit: io read of 4 bytes at 0x5000");
}

static void h26_a_plugin_whose_library_crashes_is_named(void **state)
{
	(void)state;
	crash("library");
	expect("\n  thread: vcpu0\n");
	expect("\n  called from: ");
	expect("/crash.so+0x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h26_a_plugin_that_crashes_in_create_is_named),
		cmocka_unit_test(h26_a_plugin_that_crashes_on_its_loop_is_named),
		cmocka_unit_test(h26_a_plugin_that_crashes_in_an_access_is_named_with_the_access),
		cmocka_unit_test(h26_a_plugin_whose_library_crashes_is_named),
	};

	kvm_install(guest_main);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
