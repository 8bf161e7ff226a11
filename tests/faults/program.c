/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See program.h.
 */
#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "log/log.h"

#define IMAGE_BYTES   (1 << 20)
#define EXIT_BY_GUEST 1

int vmm_main(int argc, char **argv);

static const char *const files[] = {
	"initrd", "disk0.img", "disk1.img", "more.cfg", PROGRAM_PCI, PROGRAM_MMIO, "com3", "log"};

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

void program_prepare(const struct program *program)
{
	int fd = program->has_terminal ? open_terminal() : open("/dev/null", O_RDONLY);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		abort();
	close(fd);
	if (program->guest)
		user_plan = *program->guest;
}

int program_run(const struct program *program)
{
	char *argv[PROGRAM_ARGUMENTS_MAX + 4] = {(char *)(uintptr_t) "vmm"};
	const struct log_config standard_error = {0};
	int argc = 1;
	int status;

	for (int i = 0; i < PROGRAM_ARGUMENTS_MAX && program->arguments[i]; i++)
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

int program_success(const struct program *program)
{
	return program->guest && program->guest->has_exit ? EXIT_BY_GUEST : 0;
}

static void write_configs(void)
{
	write_file("more.cfg", "iothreads = (\"io0\");\n"
			       "plugins = { search = (\"" TEST_PLUGINS "\"); };\n");
	write_file(PROGRAM_PCI,
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
	write_file(PROGRAM_MMIO,
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

int program_setup(void **state)
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

int program_teardown(void **state)
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
