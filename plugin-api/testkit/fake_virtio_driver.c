/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of virtio: finding a device, its registers over PCI and MMIO, negotiation and
 * set-up (virtio 1.2, 3.1, 4.1, 4.2). Rings are in fake_virtio_ring.c.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/testkit/virtio_driver.h>

#include "fake_internal.h"

#define PCI_VENDOR  0x1af4u
#define PCI_DEVICE  0x1040u
#define CAP_COMMON  1u
#define CAP_NOTIFY  2u
#define CAP_ISR     3u
#define CAP_DEVICE  4u
#define CAP_PCI_CFG 5u

#define MMIO_MAGIC      0x74726976u
#define MMIO_PAGE       0x1000u
#define MMIO_SLOTS      64u /* looked at; a machine has more */
#define MMIO_DEVICE_ID  0x008u
#define MMIO_SIZE_MAX   0x034u
#define MMIO_NOTIFY     0x050u
#define MMIO_IRQ_STATUS 0x060u
#define MMIO_IRQ_ACK    0x064u
#define MMIO_CONFIG     0x100u
#define MMIO_NONE       0xffffu

#define WAIT_MS 5000u

/*
 * ---- Registers ----
 */

static uint32_t mmio_register(uint32_t reg)
{
	switch (reg) {
	case FAKE_VIRTIO_REG_DEVICE_FEATURE_SELECT:
		return 0x014;
	case FAKE_VIRTIO_REG_DEVICE_FEATURE:
		return 0x010;
	case FAKE_VIRTIO_REG_DRIVER_FEATURE_SELECT:
		return 0x024;
	case FAKE_VIRTIO_REG_DRIVER_FEATURE:
		return 0x020;
	case FAKE_VIRTIO_REG_STATUS:
		return 0x070;
	case FAKE_VIRTIO_REG_GENERATION:
		return 0x0fc;
	case FAKE_VIRTIO_REG_QUEUE_SELECT:
		return 0x030;
	case FAKE_VIRTIO_REG_QUEUE_SIZE:
		return 0x038;
	case FAKE_VIRTIO_REG_QUEUE_ENABLE:
		return 0x044;
	case FAKE_VIRTIO_REG_QUEUE_DESC:
	case FAKE_VIRTIO_REG_QUEUE_DESC + 4:
		return 0x080 + reg - FAKE_VIRTIO_REG_QUEUE_DESC;
	case FAKE_VIRTIO_REG_QUEUE_DRIVER:
	case FAKE_VIRTIO_REG_QUEUE_DRIVER + 4:
		return 0x090 + reg - FAKE_VIRTIO_REG_QUEUE_DRIVER;
	case FAKE_VIRTIO_REG_QUEUE_DEVICE:
	case FAKE_VIRTIO_REG_QUEUE_DEVICE + 4:
		return 0x0a0 + reg - FAKE_VIRTIO_REG_QUEUE_DEVICE;
	default:
		return MMIO_NONE;
	}
}

uint64_t fake_virtio_reg_read(struct fake_virtio *driver, uint32_t reg, uint32_t width)
{
	uint32_t offset = mmio_register(reg);

	if (!driver->mmio)
		return fake_bar_read(
			&driver->pci, driver->common.bar, driver->common.offset + reg, width);
	if (reg == FAKE_VIRTIO_REG_QUEUE_SIZE)
		offset = MMIO_SIZE_MAX;
	if (offset == MMIO_NONE)
		return FAKE_VIRTIO_NO_VECTOR;
	return fake_mmio_read(driver->host, driver->mmio + offset, 4);
}

void fake_virtio_reg_write(struct fake_virtio *driver, uint32_t reg, uint32_t width, uint64_t value)
{
	uint32_t offset = mmio_register(reg);

	if (!driver->mmio)
		fake_bar_write(&driver->pci, driver->common.bar, driver->common.offset + reg, width,
			value);
	else if (offset != MMIO_NONE)
		fake_mmio_write(driver->host, driver->mmio + offset, 4, value);
}

/* A 64-bit field as two halves, as the specification has it. */
static void write_address(struct fake_virtio *driver, uint32_t reg, uint64_t value)
{
	fake_virtio_reg_write(driver, reg, 4, value & UINT32_MAX);
	fake_virtio_reg_write(driver, reg + 4, 4, value >> 32);
}

uint32_t fake_virtio_status(struct fake_virtio *driver)
{
	return (uint32_t)fake_virtio_reg_read(driver, FAKE_VIRTIO_REG_STATUS, 1);
}

void fake_virtio_set_status(struct fake_virtio *driver, uint32_t status)
{
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_STATUS, 1, status);
}

uint32_t fake_virtio_isr(struct fake_virtio *driver)
{
	uint32_t causes;

	if (!driver->mmio)
		return (uint32_t)fake_bar_read(
			&driver->pci, driver->isr.bar, driver->isr.offset, 1);
	causes = (uint32_t)fake_mmio_read(driver->host, driver->mmio + MMIO_IRQ_STATUS, 4);
	fake_mmio_write(driver->host, driver->mmio + MMIO_IRQ_ACK, 4, causes);
	return causes;
}

uint64_t fake_virtio_config_read(struct fake_virtio *driver, uint32_t offset, uint32_t width)
{
	if (driver->mmio)
		return fake_mmio_read(driver->host, driver->mmio + MMIO_CONFIG + offset, width);
	return fake_bar_read(
		&driver->pci, driver->config.bar, driver->config.offset + offset, width);
}

void fake_virtio_config_write(
	struct fake_virtio *driver, uint32_t offset, uint32_t width, uint64_t value)
{
	if (driver->mmio)
		fake_mmio_write(driver->host, driver->mmio + MMIO_CONFIG + offset, width, value);
	else
		fake_bar_write(&driver->pci, driver->config.bar, driver->config.offset + offset,
			width, value);
}

void fake_virtio_kick(struct fake_virtio *driver, uint32_t queue)
{
	driver->queues[queue % FAKE_VIRTIO_QUEUES].kicked =
		driver->queues[queue % FAKE_VIRTIO_QUEUES].avail_index;
	if (driver->mmio)
		fake_mmio_write(driver->host, driver->mmio + MMIO_NOTIFY, 4, queue);
	else
		fake_bar_write(&driver->pci, driver->notify.bar,
			driver->notify.offset + (uint64_t)queue * driver->notify_multiplier, 2,
			queue);
}

/*
 * ---- Finding ----
 */

static void driver_init(
	struct fake_virtio *driver, struct fake_host *host, uint64_t ram, uint64_t ram_bytes)
{
	memset(driver, 0, sizeof(*driver));
	driver->host = host;
	driver->ram_start = ram;
	driver->ram_next = ram;
	driver->ram_end = ram + ram_bytes;
}

static void count_queues(struct fake_virtio *driver)
{
	while (driver->queue_count < FAKE_VIRTIO_QUEUES) {
		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, driver->queue_count);
		if (!fake_virtio_reg_read(driver, FAKE_VIRTIO_REG_QUEUE_SIZE, 2))
			break;
		driver->queue_count++;
	}
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, 0);
}

static struct fake_virtio_window *window_of(struct fake_virtio *driver, uint32_t type)
{
	switch (type) {
	case CAP_COMMON:
		return &driver->common;
	case CAP_NOTIFY:
		return &driver->notify;
	case CAP_ISR:
		return &driver->isr;
	case CAP_DEVICE:
		return &driver->config;
	case CAP_PCI_CFG:
		return &driver->pci_cfg;
	default:
		return NULL;
	}
}

static void read_window(
	const struct fake_pci_device *pci, uint32_t cap, struct fake_virtio_window *ret_window)
{
	ret_window->cap = cap;
	ret_window->bar = fake_pci_read(pci, cap + 4, 1);
	ret_window->offset = fake_pci_read(pci, cap + 8, 4);
	ret_window->bytes = fake_pci_read(pci, cap + 12, 4);
}

/* The first capability of each type counts (4.1.4.1). */
static void read_caps(struct fake_virtio *driver)
{
	const struct fake_pci_device *pci = &driver->pci;
	uint32_t cap = 0;

	while ((cap = fake_pci_cap(pci, FAKE_PCI_CAP_ID_VENDOR, cap)) != 0) {
		uint32_t type = fake_pci_read(pci, cap + 3, 1);
		struct fake_virtio_window *window = window_of(driver, type);

		if (window == &driver->notify && window->cap)
			window = &driver->notify_more;
		if (!window || window->cap)
			continue;
		read_window(pci, cap, window);
		if (type == CAP_NOTIFY)
			driver->notify_multiplier = fake_pci_read(pci, cap + 16, 4);
	}
}

void fake_virtio_find(struct fake_host *host, uint32_t device_id, uint32_t nth, uint64_t ram,
	uint64_t ram_bytes, struct fake_virtio *ret_driver)
{
	driver_init(ret_driver, host, ram, ram_bytes);
	if (!fake_pci_find(
		    host, PCI_VENDOR, (uint16_t)(PCI_DEVICE + device_id), nth, &ret_driver->pci))
		fake_fail("no virtio-pci device number %u with id %u", nth, device_id);
	fake_pci_enable(&ret_driver->pci);
	read_caps(ret_driver);
	if (!ret_driver->common.cap || !ret_driver->notify.cap || !ret_driver->isr.cap)
		fake_fail("virtio-pci device with id %u lacks a capability", device_id);
	ret_driver->msi_base = 0x1000 + (ret_driver->pci.slot << 7);
	count_queues(ret_driver);
}

void fake_virtio_find_mmio(struct fake_host *host, uint32_t device_id, uint32_t nth, uint64_t ram,
	uint64_t ram_bytes, struct fake_virtio *ret_driver)
{
	uint64_t base = fake_layout(host)->device_mmio_base;

	driver_init(ret_driver, host, ram, ram_bytes);
	for (uint32_t i = 0; i < MMIO_SLOTS; i++, base += MMIO_PAGE) {
		if (fake_mmio_read(host, base, 4) != MMIO_MAGIC ||
			fake_mmio_read(host, base + MMIO_DEVICE_ID, 4) != device_id)
			continue;
		if (nth--)
			continue;
		ret_driver->mmio = base;
		count_queues(ret_driver);
		return;
	}
	fake_fail("no virtio-mmio device with id %u", device_id);
}

/*
 * ---- Initialising ----
 */

static void forget_queues(struct fake_virtio *driver)
{
	for (uint32_t i = 0; i < FAKE_VIRTIO_QUEUES; i++) {
		free(driver->queues[i].next);
		free(driver->queues[i].length);
	}
	memset(driver->queues, 0, sizeof(driver->queues));
}

void fake_virtio_fini(struct fake_virtio *driver)
{
	forget_queues(driver);
}

static int reset_is_done(void *ctx)
{
	return fake_virtio_status(ctx) == 0;
}

void fake_virtio_reset(struct fake_virtio *driver)
{
	fake_virtio_set_status(driver, 0);
	if (!reset_is_done(driver) && !fake_run_until(driver->host, reset_is_done, driver, WAIT_MS))
		fake_fail("the device did not end its reset in %u ms", WAIT_MS);
	forget_queues(driver);
	driver->features = 0;
	driver->ram_next = driver->ram_start;
}

uint64_t fake_virtio_offered(struct fake_virtio *driver)
{
	uint64_t features = 0;

	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_DEVICE_FEATURE_SELECT, 4, i);
		features |= fake_virtio_reg_read(driver, FAKE_VIRTIO_REG_DEVICE_FEATURE, 4)
			    << (32 * i);
	}
	return features;
}

int fake_virtio_negotiate(struct fake_virtio *driver, uint64_t features)
{
	uint32_t status = FAKE_VIRTIO_ACKNOWLEDGE;

	fake_virtio_set_status(driver, status);
	status |= FAKE_VIRTIO_DRIVER;
	fake_virtio_set_status(driver, status);
	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_DRIVER_FEATURE_SELECT, 4, i);
		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_DRIVER_FEATURE, 4,
			features >> (32 * i) & UINT32_MAX);
	}
	fake_virtio_set_status(driver, status | FAKE_VIRTIO_FEATURES_OK);
	driver->features = features;
	return (fake_virtio_status(driver) & FAKE_VIRTIO_FEATURES_OK) != 0;
}

void fake_virtio_use_msix(struct fake_virtio *driver, int enable)
{
	if (driver->mmio || !driver->pci.msix_cap)
		return;
	fake_msix_enable(&driver->pci, enable);
	for (uint32_t i = 0; enable && i < driver->pci.msix_vectors; i++)
		fake_msix_program(&driver->pci, i, driver->msi_base + i);
	driver->msix = enable != 0;
}

static void make_free_list(struct fake_virtio_queue *q)
{
	q->next = fake_alloc(q->size * sizeof(*q->next));
	q->length = fake_alloc(q->size * sizeof(*q->length));
	for (uint32_t i = 0; i < q->size; i++)
		q->next[i] = (uint16_t)(i + 1);
	q->free_count = (uint16_t)q->size;
}

void fake_virtio_queue_setup(
	struct fake_virtio *driver, uint32_t queue, uint32_t size, uint32_t vector)
{
	struct fake_virtio_queue *q = &driver->queues[queue];

	free(q->next);
	free(q->length);
	memset(q, 0, sizeof(*q));
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, queue);
	q->size =
		size ? size : (uint32_t)fake_virtio_reg_read(driver, FAKE_VIRTIO_REG_QUEUE_SIZE, 2);
	q->vector = vector;
	q->desc = fake_virtio_alloc(driver, (uint64_t)q->size * 16, 16);
	q->avail = fake_virtio_alloc(driver, 6 + (uint64_t)q->size * 2, 2);
	q->used = fake_virtio_alloc(driver, 6 + (uint64_t)q->size * 8, 4);
	make_free_list(q);
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SIZE, 2, q->size);
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_VECTOR, 2, vector);
	write_address(driver, FAKE_VIRTIO_REG_QUEUE_DESC, q->desc);
	write_address(driver, FAKE_VIRTIO_REG_QUEUE_DRIVER, q->avail);
	write_address(driver, FAKE_VIRTIO_REG_QUEUE_DEVICE, q->used);
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_ENABLE, 2, 1);
}

void fake_virtio_driver_ok(struct fake_virtio *driver)
{
	fake_virtio_set_status(driver, FAKE_VIRTIO_ACKNOWLEDGE | FAKE_VIRTIO_DRIVER |
					       FAKE_VIRTIO_FEATURES_OK | FAKE_VIRTIO_DRIVER_OK);
	fake_settle(driver->host);
}

void fake_virtio_init(struct fake_virtio *driver, uint64_t features)
{
	fake_virtio_reset(driver);
	if (!fake_virtio_negotiate(driver, features & fake_virtio_offered(driver)))
		fake_fail("the device refused the features 0x%llx",
			(unsigned long long)driver->features);
	fake_virtio_use_msix(driver, 1);
	fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_CONFIG_VECTOR, 2, 0);
	for (uint32_t i = 0; i < driver->queue_count; i++) {
		uint32_t size;

		fake_virtio_reg_write(driver, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, i);
		size = (uint32_t)fake_virtio_reg_read(driver, FAKE_VIRTIO_REG_QUEUE_SIZE, 2);
		fake_virtio_queue_setup(driver, i,
			size < FAKE_VIRTIO_SIZE_MAX ? size : FAKE_VIRTIO_SIZE_MAX, i + 1);
	}
	fake_virtio_driver_ok(driver);
	if (!(fake_virtio_status(driver) & FAKE_VIRTIO_DRIVER_OK))
		fake_fail("the device did not take DRIVER_OK");
}

/*
 * ---- Interrupts ----
 */

uint64_t fake_virtio_interrupts(struct fake_virtio *driver, uint32_t queue)
{
	return fake_msi_count(driver->host, driver->msi_base + driver->queues[queue].vector);
}

uint64_t fake_virtio_config_interrupts(struct fake_virtio *driver)
{
	return fake_msi_count(driver->host, driver->msi_base);
}
