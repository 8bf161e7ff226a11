/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes system call filters of the list in calls.c, with libseccomp, while there is still one
 * thread; a thread only loads the program of its role.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/calls.h"
#include "sandbox/private.h"

static struct sock_fprog programs[SANDBOX_ROLES];

static int add_call(scmp_filter_ctx filter, const struct call *call)
{
	uint32_t action = call->error ? SCMP_ACT_ERRNO((uint16_t)call->error) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp test = {call->arg, SCMP_CMP_MASKED_EQ, call->mask, call->value};

	if (call->value == CALL_OWN_PROCESS)
		test.datum_b = (scmp_datum_t)getpid();
	return seccomp_rule_add_array(filter, action, call->number, call->mask ? 1 : 0, &test);
}

/* libseccomp writes programs only to files. */
static int read_program(int fd, struct sock_fprog *ret_program)
{
	struct stat info;
	void *code;

	if (fstat(fd, &info))
		return -errno;
	code = malloc((size_t)info.st_size);
	if (!code)
		return -ENOMEM;
	if (pread(fd, code, (size_t)info.st_size, 0) != (ssize_t)info.st_size) {
		free(code);
		return -EIO;
	}
	ret_program->filter = code;
	ret_program->len = (unsigned short)((size_t)info.st_size / sizeof(struct sock_filter));
	return 0;
}

static int export_program(scmp_filter_ctx filter, struct sock_fprog *ret_program)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(filter, fd);
	if (ret == 0)
		ret = read_program(fd, ret_program);
	close(fd);
	return ret;
}

static int make_program(enum sandbox_role role, uint64_t needs, struct sock_fprog *ret_program)
{
	/* A trap is reported like a crash, with the thread and the plugin; then the process ends.
	 */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int ret = filter ? 0 : -ENOMEM;

	for (const struct call *call = calls; ret == 0 && call->reason; call++) {
		if (!(call->roles & (1u << role)) || (call->need && !(call->need & needs)))
			continue;
		ret = add_call(filter, call);
	}
	/* KVM_RUN is in the path of every exit: it is looked for first. */
	if (ret == 0)
		ret = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
	if (ret == 0)
		ret = export_program(filter, ret_program);
	seccomp_release(filter);
	return ret;
}

int filters_are_there(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	if (!FILTERS_WORK)
		return -EOPNOTSUPP;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) ? -errno : 0;
}

int filters_prepare(uint64_t needs, struct vmm_error *error)
{
	int ret = 0;

	for (int role = 0; ret == 0 && role < SANDBOX_ROLES; role++)
		ret = make_program((enum sandbox_role)role, needs, &programs[role]);
	if (ret == 0)
		return 0;
	vmm_set_error(error, "sandbox: system call filters cannot be made: %s", strerror(-ret));
	return VMM_E_UNSUPPORTED;
}

int filters_load(enum sandbox_role role)
{
	if (!FILTERS_WORK)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &programs[role]) ? -errno : 0;
}
