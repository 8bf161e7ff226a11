/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendor capabilities of a virtio-pci function (virtio 1.2, 4.1.4): where its structures are,
 * and PCI_CFG, a window onto the BARs for firmware that can reach configuration space only.
 */
#include <string.h>

#include "pci.h"

/* cfg_type (4.1.4). */
#define CAP_COMMON  1u
#define CAP_NOTIFY  2u
#define CAP_ISR     3u
#define CAP_DEVICE  4u
#define CAP_PCI_CFG 5u

#define CAP_PLAIN_BYTES 14u /* of the body; notify and PCI_CFG have four more */

#define WINDOW_DATA offsetof(struct vio_cap, extra)

static uint32_t get_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void add_cap(struct vio_function *f, struct vmm_pci_cap *cap, uint8_t type, uint8_t bar,
	uint32_t offset, uint32_t length)
{
	struct vio_cap *body = &f->caps[f->cap_count];
	const uint32_t step = PCI_NOTIFY_STEP;
	bool longer = type == CAP_NOTIFY || type == CAP_PCI_CFG;
	uint32_t bytes = longer ? (uint32_t)sizeof(*body) : CAP_PLAIN_BYTES;

	body->cap_len = (uint8_t)(bytes + 2);
	body->cfg_type = type;
	body->bar = bar;
	memcpy(body->offset, &offset, sizeof(offset));
	memcpy(body->length, &length, sizeof(length));
	if (type == CAP_NOTIFY)
		memcpy(body->extra, &step, sizeof(step));
	cap[f->cap_count] = (struct vmm_pci_cap){
		.struct_size = sizeof(*cap),
		.id = 9,
		.body = (const uint8_t *)body,
		.body_bytes = bytes,
	};
	f->cap_count++;
}

void vio_caps_make(
	struct vio_device *d, struct vmm_pci_cap *cap, const struct vmm_pci_cap **descriptions)
{
	/* What the driver may write of PCI_CFG: bar, offset, length and the data. */
	static const struct vio_cap window_mask = {
		.bar = 0xff,
		.offset = {0xff, 0xff, 0xff, 0xff},
		.length = {0xff, 0xff, 0xff, 0xff},
		.extra = {0xff, 0xff, 0xff, 0xff},
	};
	const uint32_t doorbells_bytes = d->queue_count * PCI_NOTIFY_STEP;
	struct vio_function *f = d->bus;

	add_cap(f, cap, CAP_COMMON, PCI_BAR, PCI_COMMON, PCI_COMMON_END - PCI_COMMON);
	/* A driver takes the first of a type that it can use (4.1.4.1). */
	if (f->ports_bytes)
		add_cap(f, cap, CAP_NOTIFY, PCI_PORTS_BAR, 0, doorbells_bytes);
	add_cap(f, cap, CAP_NOTIFY, PCI_BAR, PCI_NOTIFY, doorbells_bytes);
	add_cap(f, cap, CAP_ISR, PCI_BAR, PCI_ISR, PCI_ISR_END - PCI_ISR);
	if (d->config.bytes)
		add_cap(f, cap, CAP_DEVICE, PCI_BAR, PCI_CONFIG, d->config.bytes);
	f->window_cap = f->cap_count;
	add_cap(f, cap, CAP_PCI_CFG, PCI_BAR, 0, 0);
	cap[f->window_cap].flags = VMM_PCI_CAP_HOOKED;
	cap[f->window_cap].write_mask = (const uint8_t *)&window_mask;
	f->window = f->caps[f->window_cap];
	for (uint32_t i = 0; i < f->cap_count; i++)
		descriptions[i] = &cap[i];
}

/* What a window shows. */
struct target {
	int32_t (*read)(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value);
	int32_t (*write)(void *ctx, uint64_t offset, uint32_t width, uint64_t value);
	uint32_t offset;
	uint32_t width;
};

/* Where the window points; false: nowhere that may be accessed. Only our own BARs are, so a window
 * onto the MSI-X table or onto configuration space, this capability included, does not exist. */
static bool window_target(
	const struct vio_function *f, const struct vio_cap *window, struct target *ret_target)
{
	bool ports = window->bar == PCI_PORTS_BAR;
	uint32_t bytes = ports ? f->ports_bytes : PCI_BAR_BYTES;
	uint32_t offset = get_u32(window->offset);
	uint32_t width = get_u32(window->length);

	if ((window->bar != PCI_BAR && !ports) || (width != 1 && width != 2 && width != 4) ||
		offset % width || offset >= bytes)
		return false;
	*ret_target = (struct target){
		.read = ports ? vio_ports_read : vio_bar_read,
		.write = ports ? vio_ports_write : vio_bar_write,
		.offset = offset,
		.width = width,
	};
	return true;
}

int32_t vio_cap_read(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t *ret_value)
{
	struct vio_device *d = ctx;
	struct vio_function *f = d->bus;
	struct vio_cap window;
	struct target target;

	if (cap != f->window_cap || offset >= sizeof(window) || width > sizeof(window) - offset)
		return VMM_E_RANGE;
	pthread_mutex_lock(&d->lock);
	window = f->window;
	pthread_mutex_unlock(&d->lock);
	if (offset == WINDOW_DATA) {
		uint64_t value = UINT32_MAX;

		if (window_target(f, &window, &target))
			target.read(d, target.offset, target.width, &value);
		memcpy(window.extra, &value, sizeof(window.extra));
	}
	*ret_value = 0;
	memcpy(ret_value, (const uint8_t *)&window + offset, width);
	return 0;
}

/* Takes the bytes that may be written. */
static void window_write(struct vio_cap *window, uint32_t offset, uint32_t width, uint32_t value)
{
	for (uint32_t i = offset; i < offset + width; i++, value >>= 8)
		if (i == offsetof(struct vio_cap, bar) || i >= offsetof(struct vio_cap, offset))
			((uint8_t *)window)[i] = (uint8_t)value;
}

int32_t vio_cap_write(void *ctx, uint32_t cap, uint32_t offset, uint32_t width, uint32_t value)
{
	struct vio_device *d = ctx;
	struct vio_function *f = d->bus;
	struct vio_cap window;
	struct target target;

	if (cap != f->window_cap || offset >= sizeof(window) || width > sizeof(window) - offset)
		return VMM_E_RANGE;
	pthread_mutex_lock(&d->lock);
	window_write(&f->window, offset, width, value);
	window = f->window;
	pthread_mutex_unlock(&d->lock);
	if (offset == WINDOW_DATA && window_target(f, &window, &target))
		target.write(d, target.offset, target.width, get_u32(window.extra));
	return 0;
}
