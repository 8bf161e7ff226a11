/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the sandbox's steps. */
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/device.h>
#include <vmm/support.h>

#include "log/log.h"
#include "sandbox/private.h"

static struct {
	enum sandbox_mode mode;
	bool is_late; /* there are privileges to make devices with, but none to make namespaces */
	bool has_filters;
	struct sandbox_user user;
	int directories[SANDBOX_DIRECTORIES_MAX];
	uint32_t directory_count;
} sandbox;

/* What this host does not have: an error if strict, else a line in the log and 0. */
static int cannot(const char *what, int number, struct vmm_error *error)
{
	if (sandbox.mode == SANDBOX_STRICT) {
		vmm_set_error(error, "machine.sandbox is \"strict\", but not possible here: %s: %s",
			what, strerror(number));
		return VMM_E_UNSUPPORTED;
	}
	log_write(VMM_LOG_INFO, "sandbox", "not possible here: %s: %s", what, strerror(number));
	return 0;
}

int sandbox_begin(struct vmm_error *error)
{
	fds_remember();
	return privileges_check_origin(error);
}

/* Whoever may not make namespaces may in a user namespace, and there has no other privileges. */
static int enter_user_namespace(struct vmm_error *error)
{
	int ret = namespaces_prepare();

	return ret < 0 ? cannot("a user namespace", -ret, error) : 0;
}

int sandbox_prepare(const struct sandbox_options *options, struct vmm_error *error)
{
	int ret;

	sandbox.mode = options->mode;
	if (options->mode == SANDBOX_OFF && !options->user)
		return 0;
	if (options->mode == SANDBOX_OFF) {
		vmm_set_error(error, "machine.user needs machine.sandbox \"on\" or \"strict\"");
		return VMM_E_INVAL;
	}
	if (options->mode == SANDBOX_STRICT && !options->user && geteuid() == 0) {
		vmm_set_error(
			error, "machine.sandbox \"strict\" needs machine.user if root starts vmm");
		return VMM_E_INVAL;
	}
	library_prepare();
	ret = limits_prepare(error);
	if (ret == 0 && options->user)
		ret = user_find(options->user, &sandbox.user, error);
	if (ret < 0)
		return ret;
	fds_close_inherited(options->keep, options->keep_count);
	if (privileges_have_admin())
		return 0;
	sandbox.is_late = privileges_have_any();
	/* A device may have the kernel make a thread, and then it is too late. */
	return sandbox.is_late ? 0 : enter_user_namespace(error);
}

static int enter_namespaces(bool network, struct vmm_error *error)
{
	int ret = 0;

	for (const struct sandbox_namespace *own = namespaces; ret == 0 && own->what; own++) {
		int done = own->enter(network);

		if (done < 0)
			ret = cannot(own->what, -done, error);
	}
	return ret;
}

static int drop_privileges(bool network, struct vmm_error *error)
{
	int ret = 0;

	privileges_drop_bounds();
	if (sandbox.is_late) {
		ret = privileges_become(&sandbox.user, error);
		if (ret == 0)
			ret = enter_user_namespace(error);
		privileges_drop_bounds();
	}
	if (ret == 0 && privileges_have_admin())
		ret = enter_namespaces(network, error);
	if (ret == 0 && !sandbox.is_late)
		ret = privileges_become(&sandbox.user, error);
	return ret == 0 ? privileges_drop(error) : ret;
}

static int enter_landlock(bool network, struct vmm_error *error)
{
	int version = landlock_version();
	int ret = version;

	if (version > 0)
		ret = landlock_enter(
			version, network, sandbox.directories, sandbox.directory_count);
	if (ret < 0)
		return cannot("Landlock", -ret, error);
	log_write(VMM_LOG_DEBUG, "sandbox", "Landlock version %d", version);
	return 0;
}

static int prepare_filters(uint64_t needs, struct vmm_error *error)
{
	int ret = filters_are_there();

	if (ret < 0)
		return cannot("system call filters", -ret, error);
	ret = filters_prepare(needs, error);
	sandbox.has_filters = ret == 0;
	return ret;
}

int sandbox_enter(uint64_t needs, struct vmm_error *error)
{
	bool network = needs & VMM_NEED_NETWORK;
	int highest_fd, ret;

	if (sandbox.mode == SANDBOX_OFF)
		return 0;
	fds_close_inherited(NULL, 0);
	highest_fd = fds_highest();
	environment_clean();
	ret = drop_privileges(network, error);
	if (ret == 0)
		ret = enter_landlock(network, error);
	if (ret == 0)
		ret = limits_enter(needs, highest_fd, error);
	if (ret == 0)
		ret = prepare_filters(needs, error);
	return ret;
}

void sandbox_thread(enum sandbox_role role)
{
	int ret;

	if (!sandbox.has_filters)
		return;
	ret = filters_load(role);
	if (ret == 0)
		return;
	/* It was there a moment ago. To go on without would be a lie. */
	fprintf(stderr, "vmm: sandbox: the system call filter cannot be loaded: %s\n",
		strerror(-ret));
	abort();
}

void sandbox_allow_removal(int directory)
{
	if (sandbox.directory_count < SANDBOX_DIRECTORIES_MAX)
		sandbox.directories[sandbox.directory_count++] = directory;
}
