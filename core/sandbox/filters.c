/* SPDX-License-Identifier: Apache-2.0 */
/* System call filters: made while there is still one thread; a thread only loads that of its role.
 */
#include "sandbox/filters.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/calls.h"
#include "sandbox/private.h"

static struct sock_fprog programs[SANDBOX_ROLES];

static int fill_in(const struct filter *filter, struct sock_fprog *ret_program)
{
	struct sock_filter *code = malloc(filter->count * sizeof(*code));

	if (!code)
		return -ENOMEM;
	memcpy(code, filter->code, filter->count * sizeof(*code));
	for (size_t i = 0; i < filter->count; i++)
		if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == FILTER_OWN_PROCESS)
			code[i].k = (uint32_t)getpid();
	*ret_program = (struct sock_fprog){(unsigned short)filter->count, code};
	return 0;
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
		ret = fill_in(&filters[role][needs & FILTER_NEEDS], &programs[role]);
	if (ret == 0)
		return 0;
	vmm_set_error(error, "sandbox: there is no memory for system call filters");
	return VMM_E_NOMEM;
}

int filters_load(enum sandbox_role role)
{
	if (!FILTERS_WORK)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &programs[role]) ? -errno : 0;
}
