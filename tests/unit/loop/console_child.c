/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vmm is to its terminal, without a guest: a main loop, a console on standard input and
 * output, the signals and the sandbox. The tests of the terminal start it, type and look at what
 * becomes of the terminal. Each byte that its guest gets is written back as "<hex>"; some make it
 * misbehave:
 *
 *   E  exit(3) from inside a callback    S  a crash           A  abort()
 *   Y  a crash by a forbidden system call, as the kernel reports it
 *   H  the loop hangs for ever           N  the guest reads nothing any more
 *   L  it hangs with the log locked
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "log/log.h"
#include "loop/crash_text.h"
#include "loop/loop.h"
#include "loop/signals.h"
#include "loop/stream.h"
#include "loop/terminal.h"
#include "sandbox/calls.h"
#include "sandbox/sandbox.h"

struct child {
	struct loop *loop;
	struct stream *stream;
	int status;
	bool deaf;
	int log;           /* the writing end of its pipe, non-blocking */
	uintptr_t nowhere; /* an address that nothing is at */
};

/* As a sandbox does it: the call is trapped. */
static void forbid_getppid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	/* Where the sandbox has no filter, this is one. */
	if (!FILTERS_WORK) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	}
	syscall(SYS_getppid, 1, 2, 3);
}

/* The log goes to a pipe that nobody reads; it is opened while that is allowed. */
static int open_log(struct child *child)
{
	char path[32];
	struct log_config config = {.path = path};
	int ends[2];

	if (pipe(ends) || fcntl(ends[1], F_SETFL, O_NONBLOCK))
		return -1;
	child->log = ends[1];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	return log_configure(&config, NULL);
}

/* Before log_start() a line is written under the lock: here, without an end. */
static void log_for_ever(const struct child *child)
{
	static const char zeros[4096];

	while (write(child->log, zeros, sizeof(zeros)) > 0)
		;
	log_write(VMM_LOG_ERROR, NULL, "nobody reads this");
}

static void describe(const void *ctx, struct crash_text *text)
{
	(void)ctx;
	crash_put(text, "write of ");
	crash_put_number(text, 4);
	crash_put(text, " bytes at ");
	crash_put_hex(text, 0xfee0);
}

static void print(struct child *child, const char *text)
{
	stream_write(child->stream, (const uint8_t *)text, strlen(text));
}

static void input_cb(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct child *child = ctx;
	char text[16];

	for (uint64_t i = 0; i < bytes; i++) {
		snprintf(text, sizeof(text), "<%02x>", data[i]);
		print(child, text);
		if (data[i] == 'E')
			exit(3);
		if (data[i] == 'S')
			*(volatile int *)child->nowhere = 1;
		if (data[i] == 'Y')
			forbid_getppid();
		if (data[i] == 'A')
			abort();
		while (data[i] == 'H')
			pause();
		if (data[i] == 'L')
			log_for_ever(child);
		if (data[i] == 'N')
			child->deaf = true;
	}
}

static uint64_t room_cb(void *ctx)
{
	return ((struct child *)ctx)->deaf ? 0 : 16;
}

static void event_cb(void *ctx, uint32_t events)
{
	if (events & VMM_STREAM_CLOSED)
		print(ctx, "[end of input]");
}

static void quit_cb(void *ctx)
{
	struct child *child = ctx;

	print(child, "[quit]");
	loop_stop(child->loop);
}

static void button_cb(void *ctx)
{
	print(ctx, "[button]");
}

static void stop_cb(void *ctx, int signal)
{
	struct child *child = ctx;

	print(child, "[stop]");
	child->status = signal == SIGINT ? 130 : 0;
	loop_stop(child->loop);
}

int main(void)
{
	static const struct vmm_stream_ops stream_ops = {
		.size = sizeof(stream_ops),
		.input = input_cb,
		.input_room = room_cb,
		.event = event_cb,
	};
	static const struct signals_ops signal_ops = {stop_cb, button_cb};
	struct child child = {.nowhere = 8};
	struct sandbox_options sandbox = {.mode = SANDBOX_ON};
	struct termios mode;
	struct stream_args args = {
		.kind = VMM_STREAM_STDIO,
		.name = "com1",
		.ops = &stream_ops,
		.ctx = &child,
		.console = {quit_cb, button_cb, &child},
	};

	terminal_fill_standard_fds();
	if (open_log(&child) < 0 || loop_create("main", NULL, &child.loop) < 0)
		return 99;
	args.loop = child.loop;
	if (signals_init(child.loop, &signal_ops, &child, NULL) < 0 ||
		stream_open(&args, &child.stream, NULL) < 0)
		return 98;
	signals_name_code("the test", (uintptr_t)0x1000, UINTPTR_MAX);
	signals_describe_thread(describe, NULL);
	/* Not with a sanitizer, whose search for leaks at exit is a debugger. */
	if (FILTERS_WORK && (sandbox_prepare(&sandbox, NULL) < 0 || sandbox_enter(0, NULL) < 0))
		return 97;
	sandbox_thread(SANDBOX_MAIN);
	print(&child, "[ready]");
	loop_run(child.loop);
	stream_close(child.stream);
	/* Not only at exit: a machine that is built again in the process closes its console. */
	if (!tcgetattr(STDIN_FILENO, &mode) && !(mode.c_lflag & ICANON))
		child.status = 96;
	signals_fini();
	loop_destroy(child.loop);
	return child.status;
}
