/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake host with a device of the plugin in it, and the devices that it refers to: for the checks
 * of a type. What the fake host has to complain of are findings.
 */
#ifndef PLUGIN_CHECK_RIG_H
#define PLUGIN_CHECK_RIG_H

#include "check.h"
#include <vmm/testkit/host.h>

#define RIG_OTHERS_MAX 16u

struct rig {
	const struct subject *subject;
	const char *type_name;
	const struct vmm_device_type *type;
	struct fake_host *host;
	const struct vmm_device_type *others[RIG_OTHERS_MAX]; /* devices "other0", "other1"... */
	unsigned other_count;
	bool has_others;
};

#define RIG_DEVICE "check1" /* id of the first instance */
#define RIG_SECOND "check2"

/** A fake host with the plugins. flags: FAKE_.... Skips the check if the type cannot be made. */
void rig_open(struct rig *rig, const struct subject *subject, const char *type, uint32_t flags);

/** Adds the devices that the type refers to; what fails is a finding and ends the check. */
void rig_add_others(struct rig *rig);

/**
 * Adds a device of the type, and what it refers to if that was not done. instance is 1 or 2; more
 * is an option "name=value" that goes before all others, or NULL. As fake_device_add().
 */
int32_t rig_add(struct rig *rig, unsigned instance, const char *more);

/** rig_add() and start; what fails is a finding and ends the check. */
void rig_start(struct rig *rig);

/** Takes everything down; leftovers are findings and end the check. */
void rig_close(struct rig *rig);

/** 1 if an option of the type refers to that interface. */
int rig_refers_to(const struct rig *rig, const char *interface);

/** Says that `what` failed without a text, if there is none. */
void rig_check_text(const struct rig *rig, const char *what, int32_t code);

#endif
