/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits, and what execve(2) and debuggers could give back. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <vmm/device.h>
#include <vmm/support.h>

#include "sandbox/private.h"

/* Clients of consoles, timers and queues that come later; with a user network, its connections. */
#define FDS_MORE         256u
#define FDS_MORE_NETWORK 8192u

int limits_prepare(struct vmm_error *error)
{
	static const struct rlimit none = {0, 0};

	/* A core dump would have the guest's memory in it. */
	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		vmm_set_error(error, "sandbox: limits cannot be set: %s", strerror(errno));
		return VMM_E_UNSUPPORTED;
	}
	return 0;
}

int limits_enter(uint64_t needs, int highest_fd, struct vmm_error *error)
{
	struct rlimit fds;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
		most = (rlim_t)highest_fd + 1 +
		       (needs & VMM_NEED_NETWORK ? FDS_MORE_NETWORK : FDS_MORE);
		if (most < fds.rlim_cur)
			fds.rlim_cur = most;
		fds.rlim_max = fds.rlim_cur;
		if (setrlimit(RLIMIT_NOFILE, &fds) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
			return 0;
	}
	vmm_set_error(error, "sandbox: limits cannot be set: %s", strerror(errno));
	return VMM_E_UNSUPPORTED;
}
