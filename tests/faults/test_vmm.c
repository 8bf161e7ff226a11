/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of vmm, from main() on, with a KVM that is not there and a guest that uses every device,
 * while one call after the other fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "kvm.h"
#include "log/log.h"
#include "sweep.h"
#include "user.h"

int vmm_main(int argc, char **argv);

#define ARGUMENTS_MAX 16
#define PATIENCE_MS   100
#define IMAGE_BYTES   (1 << 20)
#define EXIT_BY_GUEST 1

/* What vmm may end with when it could not do what it was asked to: vmm(1). */
static const int refusals[] = {2, 4, 6, 8};

struct program {
	const char *arguments[ARGUMENTS_MAX];
	const char *config;            /* a file in the folder, given with -c; NULL: none */
	const struct user_plan *guest; /* NULL: there is none */
	bool has_terminal;             /* standard input is one */
};

static const char *const files[] = {
	"initrd", "disk0.img", "disk1.img", "more.cfg", "pci.cfg", "mmio.cfg", "com3", "log"};

static char folder[64];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void write_file(const char *name, const char *format, ...)
{
	FILE *file = fopen(path_of(name), "we");
	va_list args;

	assert_non_null(file);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	assert_int_equal(fclose(file), 0);
}

/* --- One run --- */

static bool is_refusal(int status)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (status == refusals[i])
			return true;
	return false;
}

/* Not the controlling terminal: there is nobody to type. */
static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char name[64];

	if (master < 0 || grantpt(master) || unlockpt(master) ||
		ptsname_r(master, name, sizeof(name)))
		abort();
	return open(name, O_RDWR | O_NOCTTY);
}

static void replace_input(void *ctx)
{
	const struct program *program = ctx;
	int fd = program->has_terminal ? open_terminal() : open("/dev/null", O_RDONLY);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		abort();
	close(fd);
	if (program->guest)
		user_plan = *program->guest;
}

static int run_program(const struct program *program)
{
	char *argv[ARGUMENTS_MAX + 4] = {(char *)(uintptr_t) "vmm"};
	const struct log_config standard_error = {0};
	int argc = 1;
	int status;

	for (int i = 0; i < ARGUMENTS_MAX && program->arguments[i]; i++)
		argv[argc++] = (char *)(uintptr_t)program->arguments[i];
	if (program->config) {
		argv[argc++] = (char *)(uintptr_t) "-c";
		argv[argc++] = (char *)(uintptr_t)path_of(program->config);
	}
	status = vmm_main(argc, argv);
	/* The log's file is open until the process ends, or the log gets another one. */
	log_configure(&standard_error, NULL);
	return status;
}

static void attempt(void *ctx, enum fault_mode mode, struct sweep_result *ret_result)
{
	const struct program *program = ctx;
	bool exits = program->guest && program->guest->has_exit;
	int status;

	kvm_set_patience(mode == FAULT_PERSISTENT ? PATIENCE_MS : 0);
	user_outcome.ended = false;
	status = run_program(program);
	ret_result->succeeded = status == (exits ? EXIT_BY_GUEST : 0);
	if (!ret_result->succeeded && !is_refusal(status))
		sweep_fail("exit status %d", status);
	if (!ret_result->succeeded || !program->guest)
		return;
	if (!user_outcome.ended)
		sweep_fail("the guest did not come to its end");
	/* What fails for good may stay unserved; the guest went on nevertheless. */
	if (!user_outcome.served && mode != FAULT_PERSISTENT)
		sweep_fail("%s", user_outcome.text);
}

static void sweep_program(const char *name, const struct program *program)
{
	struct program copy = *program;
	struct sweep sweep = {
		.name = name, .prepare = replace_input, .attempt = attempt, .ctx = &copy};

	assert_int_equal(sweep_run(&sweep), 0);
}

static void h21_h19_commands_that_print(void **state)
{
	static const struct program programs[] = {
		{.arguments = {"-s", "machine.memory=64M", "--check"}, .config = "pci.cfg"},
		{.arguments = {"--dump-config"}, .config = "mmio.cfg"},
		{.arguments = {"--describe", "virtio-blk", "--json"}, .config = "pci.cfg"},
		{.arguments = {"--list-plugins"}, .config = "pci.cfg"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		sweep_program(programs[i].arguments[0], &programs[i]);
}

static void h21_h19_a_guest_with_devices_on_pci(void **state)
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	static const struct program program = {.config = "pci.cfg", .guest = &plan};

	(void)state;
	sweep_program("guest with PCI", &program);
}

static void h21_h19_a_guest_with_devices_without_pci(void **state)
{
	static const struct user_plan plan = {
		.disks = 2, .cards = 1, .randoms = 1, .mmio = true, .has_exit = true};
	static const struct program program = {
		.config = "mmio.cfg", .guest = &plan, .has_terminal = true};

	(void)state;
	sweep_program("guest without PCI", &program);
}

/* So much more may be mapped than is by now. */
static void limit_address_space(uint64_t more_bytes)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	struct rlimit limit;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more_bytes;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Exit status of a machine with that memory in a process of its own, and whether KVM made it. */
static int run_with_memory(const char *memory, bool *ret_made_machine)
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	const struct program program = {
		.arguments = {"-s", memory}, .config = "pci.cfg", .guest = &plan};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		replace_input((void *)(uintptr_t)&program);
		limit_address_space(UINT64_C(1) << 30);
		status = run_program(&program);
		_exit(status | (kvm_made_machine() ? 128 : 0));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	*ret_made_machine = WEXITSTATUS(status) & 128;
	return WEXITSTATUS(status) & 127;
}

static void h20_no_memory_for_the_guest_is_an_error_before_kvm_makes_a_machine(void **state)
{
	bool made_machine;

	(void)state;
	assert_int_equal(run_with_memory("machine.memory=64M", &made_machine), 0);
	assert_true(made_machine);
	assert_int_equal(run_with_memory("machine.memory=8G", &made_machine), 4);
	assert_false(made_machine);
}

/* --- The files --- */

static void write_configs(void)
{
	write_file("more.cfg", "iothreads = (\"io0\");\n"
			       "plugins = { search = (\"" TEST_PLUGINS "\"); };\n");
	write_file("pci.cfg",
		"machine = { type = \"pc-1.0\"; cpus = 2; memory = \"64M\"; sandbox = \"off\"; };\n"
		"boot = { kernel = \"" TEST_KERNELS "/multiboot.elf\"; cmdline = \"test\";\n"
		"modules = ({ path = \"initrd\"; }); };\n"
		"@include \"more.cfg\"\n"
		"devices = (\n"
		"{ type = \"pci\"; id = \"pci0\"; },\n"
		"{ type = \"platform\"; id = \"platform0\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"stdio\"; },\n"
		"{ type = \"virtio-pci\"; id = \"virtio0\"; },\n"
		"{ type = \"virtio-blk\"; id = \"disk0\"; path = \"disk0.img\"; aio = \"worker\"; "
		"},\n"
		"{ type = \"virtio-blk\"; id = \"disk1\"; path = \"disk1.img\"; iothread = "
		"\"io0\"; },\n"
		"{ type = \"virtio-net\"; id = \"net0\"; backend = \"user\"; },\n"
		"{ type = \"virtio-rng\"; id = \"rng0\"; });\n");
	write_file("mmio.cfg",
		"machine = { memory = \"32M\"; sandbox = \"off\"; shared_memory = true; prealloc = "
		"true; };\n"
		"boot = { kernel = \"" TEST_KERNELS "/pvh.elf\"; initrd = \"initrd\"; };\n"
		"log = { file = \"log\"; };\n"
		"@include \"more.cfg\"\n"
		"devices = (\n"
		"{ type = \"platform\"; id = \"platform0\"; },\n"
		"{ type = \"debug-exit\"; id = \"exit0\"; },\n"
		"{ type = \"serial\"; id = \"com1\"; backend = \"stdio\"; },\n"
		"{ type = \"serial\"; id = \"com2\"; port = 0x2f8; irq = 3; backend = \"pty\"; "
		"path = \"com2\"; },\n"
		"{ type = \"serial\"; id = \"com3\"; port = 0x3e8; backend = \"file\"; path = "
		"\"com3\"; },\n"
		"{ type = \"serial\"; id = \"com4\"; port = 0x2e8; irq = 3; backend = \"unix\"; "
		"path = \"com4\"; },\n"
		"{ type = \"virtio-mmio\"; id = \"virtio0\"; },\n"
		"{ type = \"virtio-blk\"; id = \"disk0\"; path = \"disk0.img\"; direct = true;\n"
		"iops = 1000; },\n"
		"{ type = \"virtio-blk\"; id = \"disk1\"; path = \"disk1.img\"; aio = "
		"\"io_uring\";\n"
		"cache = \"writethrough\"; },\n"
		"{ type = \"virtio-net\"; id = \"net0\"; backend = \"user\";\n"
		"hostfwd = ({ host_port = %d; guest_port = 22; }); },\n"
		"{ type = \"virtio-rng\"; id = \"rng0\"; rate = \"1M\"; });\n",
		20000 + getpid() % 10000);
}

static int setup(void **state)
{
	uv_loop_t loop;

	(void)state;
	/* What libuv makes once and keeps is there before runs are asked what they left. */
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_loop_close(&loop);
	snprintf(folder, sizeof(folder), "/tmp/vmm-faults-XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_file("initrd", "not much of an initrd");
	write_file("disk0.img", "%s", "");
	assert_int_equal(truncate(path_of("disk0.img"), IMAGE_BYTES), 0);
	write_file("disk1.img", "%s", "");
	assert_int_equal(truncate(path_of("disk1.img"), IMAGE_BYTES), 0);
	write_configs();
	kvm_install(user_main);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(path_of(files[i]));
	if (rmdir(folder)) {
		print_error("%s is not empty: something was left behind\n", folder);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			h20_no_memory_for_the_guest_is_an_error_before_kvm_makes_a_machine),
		cmocka_unit_test(h21_h19_commands_that_print),
		cmocka_unit_test(h21_h19_a_guest_with_devices_on_pci),
		cmocka_unit_test(h21_h19_a_guest_with_devices_without_pci),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
