/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm.irq: lines whose level the test looks at, and message-signalled vectors whose messages it
 * takes off. Eventfds are looked at when the test looks, so no loop has to run for them.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_internal.h"

static int readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

static int drain(int fd)
{
	eventfd_t count;

	return fd >= 0 && eventfd_read(fd, &count) == 0;
}

/*
 * ---- Lines ----
 */

/* Finds out the level and counts a rise. Locked. */
void fake_line_update(struct fake_host *host, uint32_t gsi)
{
	struct fake_object *object;
	uint32_t level = 0;

	for (object = host->objects; object; object = object->next) {
		struct fake_line *line = (void *)object;

		if (object->kind != KIND_LINE || line->gsi != gsi)
			continue;
		if (drain(line->trigger_fd)) {
			if (line->trigger == VMM_IRQ_EDGE)
				host->line_rises[gsi]++;
			else
				line->fd_level = 1;
		}
		level |= line->level | line->fd_level;
	}
	if (level && !host->line_was[gsi])
		host->line_rises[gsi]++;
	host->line_was[gsi] = level;
}

static int32_t irq_line_open(vmm_host *device, uint32_t gsi, uint32_t trigger, uint64_t *ret_line)
{
	int32_t ret = fake_service(device, "vmm.irq line_open", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_object *object;
	struct fake_line *line;

	if (ret < 0)
		return ret;
	if (trigger != VMM_IRQ_EDGE && trigger != VMM_IRQ_LEVEL)
		return VMM_E_INVAL;
	if (gsi >= GSI_MAX)
		return VMM_E_RANGE;
	fake_lock(host);
	for (object = host->objects; object; object = object->next) {
		line = (void *)object;
		if (object->kind == KIND_LINE && line->gsi == gsi &&
			(trigger == VMM_IRQ_EDGE || line->trigger == VMM_IRQ_EDGE))
			ret = VMM_E_BUSY;
	}
	if (ret >= 0) {
		line = fake_object_add(device, KIND_LINE, sizeof(*line), "%u", gsi);
		line->gsi = gsi;
		line->trigger = trigger;
		line->trigger_fd = -1;
		line->resample_fd = -1;
		*ret_line = line->object.id;
	}
	fake_unlock(host);
	return ret;
}

static int32_t irq_line_set(vmm_host *device, uint64_t id, uint32_t level)
{
	struct fake_host *host = device->host;
	struct fake_line *line;

	if (level > 1) {
		fake_problem(host, "device \"%s\" sets a line to %u; a level is 0 or 1", device->id,
			level);
		return VMM_E_INVAL;
	}
	fake_lock(host);
	line = fake_object_get(device, KIND_LINE, id, "vmm.irq line_set");
	if (line) {
		line->level = level;
		fake_line_update(host, line->gsi);
	}
	fake_unlock(host);
	return line ? 0 : VMM_E_INVAL;
}

static int32_t irq_line_fds(
	vmm_host *device, uint64_t id, int32_t *ret_trigger_fd, int32_t *ret_resample_fd)
{
	int32_t ret = fake_service(device, "vmm.irq line_fds", CTX_CONFIG);
	struct fake_line *line;

	if (ret < 0)
		return ret;
	fake_lock(device->host);
	line = fake_object_get(device, KIND_LINE, id, "vmm.irq line_fds");
	if (line && line->trigger_fd < 0) {
		line->trigger_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (line->trigger == VMM_IRQ_LEVEL)
			line->resample_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	if (line) {
		*ret_trigger_fd = line->trigger_fd;
		*ret_resample_fd = line->resample_fd;
	}
	fake_unlock(device->host);
	return line ? 0 : VMM_E_INVAL;
}

static void irq_line_close(vmm_host *device, uint64_t id)
{
	struct fake_host *host = device->host;
	struct fake_line *line;
	uint32_t gsi;

	fake_service_void(device, "vmm.irq line_close", CTX_CONFIG);
	fake_lock(host);
	line = fake_object_get(device, KIND_LINE, id, "vmm.irq line_close");
	if (line) {
		gsi = line->gsi;
		if (line->trigger_fd >= 0)
			close(line->trigger_fd);
		if (line->resample_fd >= 0)
			close(line->resample_fd);
		fake_object_drop(host, line);
		fake_line_update(host, gsi);
	}
	fake_unlock(host);
}

uint32_t fake_line_level(struct fake_host *host, uint32_t gsi)
{
	uint32_t level;

	fake_lock(host);
	fake_line_update(host, gsi);
	level = host->line_was[gsi];
	fake_unlock(host);
	return level;
}

uint64_t fake_line_rises(struct fake_host *host, uint32_t gsi)
{
	uint64_t rises;

	fake_lock(host);
	fake_line_update(host, gsi);
	rises = host->line_rises[gsi];
	fake_unlock(host);
	return rises;
}

void fake_line_eoi(struct fake_host *host, uint32_t gsi)
{
	struct fake_object *object;

	fake_lock(host);
	fake_line_update(host, gsi);
	for (object = host->objects; object; object = object->next) {
		struct fake_line *line = (void *)object;

		if (object->kind != KIND_LINE || line->gsi != gsi)
			continue;
		line->fd_level = 0;
		if (line->resample_fd >= 0)
			(void)eventfd_write(line->resample_fd, 1);
	}
	fake_line_update(host, gsi);
	fake_unlock(host);
}

/*
 * ---- Messages ----
 */

/* A raised vector that is not masked sends its message. Locked. */
static void vector_update(struct fake_host *host, struct fake_msi_vector *vector)
{
	struct fake_msi *messages;

	if (vector->state.masked || !drain(vector->fd))
		return;
	messages = realloc(host->messages, (host->message_count + 1) * sizeof(*messages));
	if (!messages)
		abort();
	messages[host->message_count++] =
		(struct fake_msi){vector->state.address, vector->state.data, 0};
	host->messages = messages;
}

static struct fake_msi_vector *vector_next(struct fake_object *object)
{
	while (object && object->kind != KIND_VECTOR)
		object = object->next;
	return (void *)object;
}

static void vectors_update(struct fake_host *host)
{
	struct fake_msi_vector *vector;

	for (vector = vector_next(host->objects); vector; vector = vector_next(vector->object.next))
		vector_update(host, vector);
}

static int32_t irq_msi_open(vmm_host *device, uint64_t *ret_vector, int32_t *ret_fd)
{
	int32_t ret = fake_service(device, "vmm.irq msi_open", CTX_CONFIG);
	struct fake_host *host = device->host;
	struct fake_msi_vector *vector;

	if (ret < 0)
		return ret;
	if (fake_vector_count(host) >= host->msi_limit)
		return VMM_E_LIMIT;
	fake_lock(host);
	vector = fake_object_add(device, KIND_VECTOR, sizeof(*vector), "of \"%s\"", device->id);
	vector->state.masked = 1;
	vector->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*ret_vector = vector->object.id;
	*ret_fd = vector->fd;
	fake_unlock(host);
	return 0;
}

/* What KVM takes with x2APIC routes: the address of a local APIC. */
static int message_valid(uint64_t address)
{
	return (address & ~0xffffcull) == 0xfee00000;
}

static int32_t irq_msi_set(vmm_host *device, uint64_t id, uint64_t address, uint32_t data)
{
	int32_t ret = fake_service(device, "vmm.irq msi_set", CTX_CONFIG | CTX_LOOP | CTX_VCPU);
	struct fake_host *host = device->host;
	struct fake_msi_vector *vector;

	if (ret < 0)
		return ret;
	fake_lock(host);
	vector = fake_object_get(device, KIND_VECTOR, id, "vmm.irq msi_set");
	if (!vector) {
		ret = VMM_E_INVAL;
	} else {
		vector_update(host, vector);
		vector->state.masked = 1;
		vector->state.address = address;
		vector->state.data = data;
		vector->state.updates++;
		if (message_valid(address))
			vector->state.masked = 0;
		else
			ret = VMM_E_INVAL;
		vector_update(host, vector);
	}
	fake_unlock(host);
	return ret;
}

static int32_t irq_msi_mask(vmm_host *device, uint64_t id)
{
	int32_t ret = fake_service(device, "vmm.irq msi_mask", CTX_CONFIG | CTX_LOOP | CTX_VCPU);
	struct fake_msi_vector *vector;

	if (ret < 0)
		return ret;
	fake_lock(device->host);
	vector = fake_object_get(device, KIND_VECTOR, id, "vmm.irq msi_mask");
	if (vector) {
		vector_update(device->host, vector);
		vector->state.masked = 1;
	}
	fake_unlock(device->host);
	return vector ? 0 : VMM_E_INVAL;
}

static int32_t irq_msi_pending(vmm_host *device, uint64_t id)
{
	struct fake_msi_vector *vector;
	int32_t pending = 0;

	fake_lock(device->host);
	vector = fake_object_get(device, KIND_VECTOR, id, "vmm.irq msi_pending");
	if (vector) {
		vector_update(device->host, vector);
		pending = readable(vector->fd);
	}
	fake_unlock(device->host);
	return pending;
}

static void irq_msi_clear(vmm_host *device, uint64_t id)
{
	struct fake_msi_vector *vector;

	fake_lock(device->host);
	vector = fake_object_get(device, KIND_VECTOR, id, "vmm.irq msi_clear");
	if (vector) {
		vector_update(device->host, vector);
		drain(vector->fd);
	}
	fake_unlock(device->host);
}

static void irq_msi_close(vmm_host *device, uint64_t id)
{
	struct fake_msi_vector *vector;

	fake_service_void(device, "vmm.irq msi_close", CTX_CONFIG);
	fake_lock(device->host);
	vector = fake_object_get(device, KIND_VECTOR, id, "vmm.irq msi_close");
	if (vector) {
		vector_update(device->host, vector);
		close(vector->fd);
		fake_object_drop(device->host, vector);
	}
	fake_unlock(device->host);
}

const struct vmm_irq fake_irq_service = {
	.size = sizeof(fake_irq_service),
	.line_open = irq_line_open,
	.line_set = irq_line_set,
	.line_fds = irq_line_fds,
	.line_close = irq_line_close,
	.msi_open = irq_msi_open,
	.msi_set = irq_msi_set,
	.msi_mask = irq_msi_mask,
	.msi_pending = irq_msi_pending,
	.msi_clear = irq_msi_clear,
	.msi_close = irq_msi_close,
};

int fake_msi_take(struct fake_host *host, struct fake_msi *ret_msi)
{
	int found;

	fake_lock(host);
	vectors_update(host);
	found = host->message_next < host->message_count;
	if (found)
		*ret_msi = host->messages[host->message_next++];
	fake_unlock(host);
	return found;
}

uint64_t fake_msi_count(struct fake_host *host, uint32_t data)
{
	uint64_t i, count = 0;

	fake_lock(host);
	vectors_update(host);
	for (i = 0; i < host->message_count; i++)
		count += host->messages[i].data == data;
	fake_unlock(host);
	return count;
}

uint32_t fake_vector_count(struct fake_host *host)
{
	struct fake_msi_vector *vector;
	uint32_t count = 0;

	fake_lock(host);
	for (vector = vector_next(host->objects); vector; vector = vector_next(vector->object.next))
		count++;
	fake_unlock(host);
	return count;
}

int fake_vector(struct fake_host *host, uint32_t index, struct fake_vector *ret_vector)
{
	struct fake_msi_vector *vector;

	fake_lock(host);
	vectors_update(host);
	vector = vector_next(host->objects);
	while (vector && index--)
		vector = vector_next(vector->object.next);
	if (vector) {
		*ret_vector = vector->state;
		ret_vector->pending = readable(vector->fd) ? 1 : 0;
	}
	fake_unlock(host);
	return vector != NULL;
}
