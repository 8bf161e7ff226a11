/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rig on a host that is made of interposed calls (syscalls.h). Included behind cmocka.h.
 */
#ifndef TEST_HOST_H
#define TEST_HOST_H

#include "rig.h"
#include "syscalls.h"

/* An image of that many bytes; with a device, it is that block device. */
static inline void host_open(
	struct rig *rig, const char *backend, uint64_t bytes, const struct syscalls_device *device)
{
	rig_need(backend);
	syscalls_reset();
	rig_open(rig, NULL);
	assert_int_equal(ftruncate(rig->fd, (off_t)bytes), 0);
	syscalls_block_device(device);
}

static inline void host_run(struct rig *rig, const char *backend, const char *const *options)
{
	if (rig_add(rig, backend, options) < 0)
		fail_msg("%s", fake_error(rig->host));
	rig_run(rig, UINT64_MAX);
	syscalls_reset();
}

static inline void host_end(struct rig *rig)
{
	syscalls_reset();
	syscalls_block_device(NULL);
	rig_close(rig);
}

#endif
