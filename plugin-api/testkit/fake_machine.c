/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.machine and vmm.file: the layout, the end of the machine, events; files are really opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_internal.h"

/*
 * ---- vmm.machine ----
 */

static int32_t machine_layout(vmm_host *device, struct vmm_layout *ret_layout)
{
	int32_t ret = fake_service(device, "vmm.machine layout", CTX_ANY);
	uint64_t bytes = ret_layout->struct_size;

	if (ret < 0)
		return ret;
	if (bytes > sizeof(*ret_layout))
		bytes = sizeof(*ret_layout);
	memcpy(ret_layout, &device->host->layout, bytes);
	ret_layout->struct_size = bytes;
	return 0;
}

static void machine_stop(vmm_host *device, uint32_t reason, uint32_t status)
{
	struct fake_host *host = device->host;

	fake_lock(host);
	if (!host->stop_reason) {
		host->stop_reason = reason;
		host->stop_status = status;
	}
	fake_unlock(host);
}

static int32_t machine_subscribe(vmm_host *device, uint32_t events, vmm_event_cb cb, void *ctx)
{
	int32_t ret = fake_service(device, "vmm.machine subscribe", CTX_CONFIG);
	struct fake_event_sub *sub;

	if (ret < 0)
		return ret;
	if (!cb || (events & ~VMM_EVENT_POWER_BUTTON))
		return VMM_E_INVAL;
	fake_lock(device->host);
	sub = fake_object_add(device, KIND_EVENT, sizeof(*sub), "%u", events);
	sub->events = events;
	sub->cb = cb;
	sub->ctx = ctx;
	fake_unlock(device->host);
	return 0;
}

static int32_t machine_needs(vmm_host *device, uint64_t needs)
{
	const struct vmm_device_type *type = device->type;
	int32_t ret = fake_service(device, "vmm.machine needs", CTX_CONFIG);

	if (ret == 0 && device->phase != PHASE_CREATE && device->phase != PHASE_BARE)
		ret = VMM_E_PHASE;
	if (ret < 0 || !type || type->size <= offsetof(struct vmm_device_type, needs))
		return ret;
	return needs & ~type->needs ? VMM_E_INVAL : 0;
}

static void machine_quiesced(vmm_host *device)
{
	fake_lock(device->host);
	device->quiesced = 1;
	fake_unlock(device->host);
}

const struct vmm_machine fake_machine_service = {
	.size = sizeof(fake_machine_service),
	.layout = machine_layout,
	.stop = machine_stop,
	.subscribe = machine_subscribe,
	.quiesced = machine_quiesced,
	.needs = machine_needs,
};

const struct vmm_layout *fake_layout(struct fake_host *host)
{
	return &host->layout;
}

uint32_t fake_stop_reason(struct fake_host *host, uint32_t *ret_status)
{
	uint32_t reason;

	fake_lock(host);
	reason = host->stop_reason;
	if (ret_status)
		*ret_status = host->stop_status;
	fake_unlock(host);
	return reason;
}

void fake_stop_clear(struct fake_host *host)
{
	fake_lock(host);
	host->stop_reason = 0;
	host->stop_status = 0;
	fake_unlock(host);
}

struct event_call {
	struct fake_event_sub sub;
	uint32_t events;
};

static void event_run(void *ctx)
{
	const struct event_call *call = ctx;

	fake_device_guard(call->sub.object.owner, 1);
	call->sub.cb(call->sub.ctx, call->events);
	fake_device_guard(call->sub.object.owner, 0);
}

void fake_event(struct fake_host *host, uint32_t events)
{
	struct fake_object *object;

	for (object = host->objects; object; object = object->next) {
		struct event_call call;

		if (object->kind != KIND_EVENT || !object->owner->alive)
			continue;
		memcpy(&call.sub, object, sizeof(call.sub));
		call.events = call.sub.events & events;
		if (call.events)
			fake_call_on(host, object->owner->loop, event_run, &call);
	}
}

/*
 * ---- vmm.file ----
 */

static uint32_t file_kind(mode_t mode)
{
	return S_ISREG(mode)   ? VMM_FILE_REGULAR
	       : S_ISBLK(mode) ? VMM_FILE_BLOCK
	       : S_ISCHR(mode) ? VMM_FILE_CHAR
			       : 0;
}

static int32_t from_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return VMM_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return VMM_E_PERM;
	case EISDIR:
		return VMM_E_INVAL;
	default:
		return VMM_E_IO;
	}
}

static int32_t file_lock(int fd, uint32_t flags)
{
	struct flock lock = {
		.l_type = flags & VMM_FILE_READ_ONLY ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (!(flags & VMM_FILE_LOCK) || fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? VMM_E_BUSY : VMM_E_IO;
}

static int32_t file_open(vmm_host *device, const struct vmm_file_open *request, int32_t *ret_fd)
{
	int32_t ret = fake_service(device, "vmm.file open", CTX_CONFIG);
	int flags = O_CLOEXEC | O_NONBLOCK;
	struct stat st;
	int fd;

	if (ret < 0) {
		vmm_set_error(request->error, "%s: injected fault", request->path);
		return ret;
	}
	if (device->phase != PHASE_CREATE && device->phase != PHASE_BARE) {
		fake_problem(device->host, "device \"%s\" opens a file after create", device->id);
		return VMM_E_PHASE;
	}
	flags |= request->flags & VMM_FILE_READ_ONLY ? O_RDONLY : O_RDWR;
	flags |= request->flags & VMM_FILE_DIRECT ? O_DIRECT : 0;
	fd = open(request->path, flags);
	if (fd < 0) {
		ret = from_errno();
		vmm_set_error(request->error, "%s: %s", request->path, strerror(errno));
		return ret;
	}
	if (fstat(fd, &st) || !(file_kind(st.st_mode) & request->kinds)) {
		vmm_set_error(request->error, "%s: wrong kind of file", request->path);
		close(fd);
		return VMM_E_INVAL;
	}
	ret = file_lock(fd, request->flags);
	if (ret < 0) {
		vmm_set_error(request->error, "%s: in use by another process", request->path);
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

const struct vmm_file fake_file_service = {
	.size = sizeof(fake_file_service),
	.open = file_open,
};
