/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the sandbox's steps. */
#include "sandbox/sandbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/device.h>
#include <vmm/support.h>

#include "log/log.h"
#include "sandbox/private.h"

#define TEXT_BYTES 256u

static struct {
	enum sandbox_mode mode;
	bool entered;
	struct sandbox_user user;
	int directories[SANDBOX_DIRECTORIES_MAX];
	uint32_t directory_count;
} sandbox;

int sandbox_cannot(bool strict, struct vmm_error *error, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strict) {
		vmm_set_error(
			error, "machine.sandbox is \"strict\", but this host cannot: %s", text);
		return VMM_E_UNSUPPORTED;
	}
	log_write(VMM_LOG_INFO, "sandbox", "without %s", text);
	return 0;
}

void sandbox_begin(void)
{
	fds_remember();
}

static bool is_strict(void)
{
	return sandbox.mode == SANDBOX_STRICT;
}

int sandbox_prepare(const struct sandbox_options *options, struct vmm_error *error)
{
	int ret;

	sandbox.mode = options->mode;
	if (options->mode == SANDBOX_OFF)
		return 0;
	ret = limits_prepare(error);
	if (ret == 0 && options->user)
		ret = user_find(options->user, &sandbox.user, error);
	else if (ret == 0 && is_strict() && privileges_has_admin())
		ret = sandbox_cannot(true, error, "run as root; machine.user says who to become");
	if (ret < 0)
		return ret;
	fds_close_inherited(options->keep, options->keep_count);
	if (privileges_has_admin())
		return 0;
	ret = namespaces_prepare();
	return ret < 0 ? sandbox_cannot(is_strict(), error, "a user namespace: %s", strerror(-ret))
		       : 0;
}

static int enter_namespaces(bool network, struct vmm_error *error)
{
	const char *what = "";
	int ret;

	/* Said already, if strict did not end it. */
	if (!privileges_has_admin())
		return 0;
	ret = namespaces_enter(network, &what);
	return ret < 0 ? sandbox_cannot(is_strict(), error, "namespaces of its own: %s: %s", what,
				 strerror(-ret))
		       : 0;
}

static int enter_landlock(bool network, struct vmm_error *error)
{
	int ret = landlock_enter(network, sandbox.directories, sandbox.directory_count);

	if (ret < 0)
		return sandbox_cannot(is_strict(), error, "Landlock: %s", strerror(-ret));
	log_write(VMM_LOG_DEBUG, "sandbox", "Landlock version %d", ret);
	return 0;
}

int sandbox_enter(uint64_t needs, struct vmm_error *error)
{
	bool network = needs & VMM_NEED_NETWORK;
	int ret;

	if (sandbox.mode == SANDBOX_OFF)
		return 0;
	fds_close_inherited(NULL, 0);
	privileges_drop_bounds();
	ret = enter_namespaces(network, error);
	if (ret == 0)
		ret = privileges_drop(&sandbox.user, error);
	if (ret == 0)
		ret = enter_landlock(network, error);
	if (ret == 0)
		ret = limits_enter(needs, error);
	if (ret == 0)
		ret = filters_prepare(needs, error);
	sandbox.entered = ret == 0;
	return ret;
}

void sandbox_thread(enum sandbox_role role)
{
	int ret;

	if (!sandbox.entered)
		return;
	ret = filters_load(role);
	if (ret == 0)
		return;
	/* Every kernel that has KVM's ioctls of today has this. To go on without would be a lie. */
	fprintf(stderr, "vmm: sandbox: the system call filter cannot be loaded: %s\n",
		strerror(-ret));
	abort();
}

void sandbox_allow_removal(int directory)
{
	if (sandbox.directory_count < SANDBOX_DIRECTORIES_MAX)
		sandbox.directories[sandbox.directory_count++] = directory;
}
