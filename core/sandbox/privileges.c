/* SPDX-License-Identifier: Apache-2.0 */
/* User, groups and capabilities. */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include <vmm/support.h>

#include "sandbox/private.h"

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

bool privileges_has_admin(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_CHROOT);
}

static int become(const struct sandbox_user *user, struct vmm_error *error)
{
	if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
		setresuid(user->uid, user->uid, user->uid)) {
		vmm_set_error(error, "machine.user: cannot become user %u: %s", (unsigned)user->uid,
			strerror(errno));
		return VMM_E_PERM;
	}
	return 0;
}

void privileges_drop_bounds(void)
{
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return;
	capng_clear(CAPNG_SELECT_BOUNDS);
	capng_apply(CAPNG_SELECT_BOUNDS);
}

int privileges_drop(const struct sandbox_user *user, struct vmm_error *error)
{
	int ret = user->given ? become(user, error) : 0;

	if (ret < 0)
		return ret;
	/* Nothing here reads /proc: there may be none any more. */
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS)) {
		vmm_set_error(error, "sandbox: capabilities cannot be dropped");
		return VMM_E_PERM;
	}
	return 0;
}
