/* SPDX-License-Identifier: Apache-2.0 */
/* User, groups and capabilities. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/private.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* Not by a library: those of capabilities read files of /proc, which costs more than all of this.
 */
static uint64_t permitted(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	syscall(SYS_capget, &header, data);
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* To an ordinary user, execve(2) gives capabilities of the file, or passes ambient ones on. */
static bool has_file_capabilities(void)
{
	uint64_t set = geteuid() == 0 ? 0 : permitted();

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (set & BIT(i) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			return false;
	return set != 0;
}

int privileges_check_origin(struct vmm_error *error)
{
	if (getuid() == geteuid() && getgid() == getegid() && !has_file_capabilities())
		return 0;
	vmm_set_error(error,
		"vmm does not run set-user-id, set-group-id or with capabilities of its "
		"file");
	return VMM_E_INVAL;
}

int user_find(const char *name, struct sandbox_user *ret_user, struct vmm_error *error)
{
	const struct passwd *found;

	errno = 0;
	found = getpwnam(name);
	if (!found) {
		vmm_set_error(error, "machine.user: there is no user \"%s\"%s%s", name,
			errno ? ": " : "", errno ? strerror(errno) : "");
		return VMM_E_INVAL;
	}
	if (found->pw_uid != geteuid() && geteuid() != 0) {
		vmm_set_error(error, "machine.user: only root can become user \"%s\"", name);
		return VMM_E_INVAL;
	}
	*ret_user = (struct sandbox_user){
		.given = found->pw_uid != geteuid(),
		.uid = found->pw_uid,
		.gid = found->pw_gid,
	};
	return 0;
}

bool privileges_have_admin(void)
{
	const uint64_t admin = BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_CHROOT);

	return (permitted() & admin) == admin;
}

bool privileges_have_any(void)
{
	return permitted() != 0;
}

void privileges_drop_bounds(void)
{
	if (!(permitted() & BIT(CAP_SETPCAP)))
		return;
	/* Up to the last one of the running kernel, which may know more than we do. */
	for (int i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
		;
}

/* The signal at the end of who started this is forgotten with the user. */
static int keep_death_signal(int signal, pid_t parent)
{
	if (!signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, signal))
		return -1;
	errno = ESRCH;
	return getppid() == parent ? 0 : -1;
}

int privileges_become(const struct sandbox_user *user, struct vmm_error *error)
{
	pid_t parent = getppid();
	int signal = 0;

	if (!user->given)
		return 0;
	prctl(PR_GET_PDEATHSIG, &signal);
	if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
		setresuid(user->uid, user->uid, user->uid) || keep_death_signal(signal, parent)) {
		vmm_set_error(error, "machine.user: cannot become user %u: %s", (unsigned)user->uid,
			strerror(errno));
		return VMM_E_PERM;
	}
	return 0;
}

int privileges_drop(struct vmm_error *error)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capset, &header, none)) {
		vmm_set_error(
			error, "sandbox: capabilities cannot be dropped: %s", strerror(errno));
		return VMM_E_PERM;
	}
	return 0;
}
