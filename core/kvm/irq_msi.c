/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message-signalled vectors: each is a GSI of its own with a route to the message, and an eventfd
 * that KVM listens to (irqfd) while the vector is not masked.
 *
 * Masking takes the irqfd away, so that what is raised stays in the eventfd; unmasking gives it
 * back, and KVM delivers what it finds there. When KVM lets go of an eventfd it takes out what it
 * has delivered, on every kernel, so a count that is there while masked is always undelivered.
 *
 * KVM_SET_GSI_ROUTING replaces the whole table, so a table is kept that always equals the kernel's:
 * a message that the kernel refuses is taken out again and hurts no other vector.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/vm_internal.h"

/* Pins 0 to 15 go to PIC and IOAPIC, the others to the IOAPIC. */
#define PIC_PINS   16u
#define PIN_ROUTES (PIC_PINS + VM_IOAPIC_PINS)
#define GROW_BY    64u

/* Upper 12 bits of 32: the only address that the interrupt controller listens to. */
#define MSI_ADDRESS_PREFIX UINT64_C(0xfee)

/* All but vm, index and fd are guarded by vm->msis.lock. */
struct irq_msi {
	struct vm *vm;
	uint32_t index;
	int fd;
	uint64_t address;
	uint32_t data;
	bool routed; /* address and data are in the kernel's table */
	bool masked;
};

int irq_msis_init(struct irq_msis *msis)
{
	pthread_mutex_init(&msis->lock, NULL);
	return 0;
}

void irq_msis_fini(struct irq_msis *msis)
{
	free(msis->vectors);
	free(msis->table);
	pthread_mutex_destroy(&msis->lock);
}

static uint32_t gsi_of(const struct irq_msi *msi)
{
	return VM_IOAPIC_PINS + msi->index;
}

static struct kvm_irq_routing_entry pin_route(uint32_t gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

static uint32_t fill_pins(struct kvm_irq_routing_entry *entries)
{
	uint32_t count = 0;

	for (uint32_t gsi = 0; gsi < VM_IOAPIC_PINS; gsi++) {
		if (gsi < PIC_PINS)
			entries[count++] = pin_route(gsi,
				gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
		entries[count++] = pin_route(gsi, KVM_IRQCHIP_IOAPIC, gsi);
	}
	return count;
}

/* Gives the kernel the routes of all pins and routed vectors. Caller holds the lock. */
static int commit_locked(struct vm *vm)
{
	struct irq_msis *msis = &vm->msis;
	struct kvm_irq_routing *table = msis->table;

	table->nr = fill_pins(table->entries);
	table->flags = 0;
	for (uint32_t i = 0; i < msis->capacity; i++) {
		const struct irq_msi *msi = msis->vectors[i];

		if (!msi || !msi->routed)
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = gsi_of(msi),
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)msi->address,
				.address_hi = (uint32_t)(msi->address >> 32),
				.data = msi->data},
		};
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, table) ? VMM_E_INVAL : 0;
}

static int irqfd(const struct irq_msi *msi, uint32_t flags)
{
	struct kvm_irqfd event = {.fd = (uint32_t)msi->fd, .gsi = gsi_of(msi), .flags = flags};

	return ioctl(msi->vm->fd, KVM_IRQFD, &event) ? VMM_E_IO : 0;
}

static void mask_locked(struct irq_msi *msi)
{
	if (msi->masked)
		return;
	irqfd(msi, KVM_IRQFD_FLAG_DEASSIGN);
	msi->masked = true;
}

static int route_locked(struct irq_msi *msi, uint64_t address, uint32_t data)
{
	const struct irq_msi old = *msi;
	int ret;

	if (msi->routed && msi->address == address && msi->data == data)
		return 0;
	msi->address = address;
	msi->data = data;
	msi->routed = true;
	ret = commit_locked(msi->vm);
	if (ret)
		*msi = old;
	return ret;
}

int irq_msi_set(struct irq_msi *msi, uint64_t address, uint32_t data)
{
	pthread_mutex_t *lock = &msi->vm->msis.lock;
	int ret = VMM_E_INVAL;

	pthread_mutex_lock(lock);
	/* KVM would take any address; a real one elsewhere would be a write to memory. */
	if (address >> 20 == MSI_ADDRESS_PREFIX)
		ret = route_locked(msi, address, data);
	if (ret)
		mask_locked(msi);
	else if (msi->masked) {
		ret = irqfd(msi, 0);
		msi->masked = ret != 0;
	}
	pthread_mutex_unlock(lock);
	return ret;
}

int irq_msi_mask(struct irq_msi *msi)
{
	pthread_mutex_lock(&msi->vm->msis.lock);
	mask_locked(msi);
	pthread_mutex_unlock(&msi->vm->msis.lock);
	return 0;
}

int irq_msi_pending(struct irq_msi *msi)
{
	struct pollfd pfd = {.fd = msi->fd, .events = POLLIN};
	int pending;

	pthread_mutex_lock(&msi->vm->msis.lock);
	pending = msi->masked && poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN);
	pthread_mutex_unlock(&msi->vm->msis.lock);
	return pending;
}

void irq_msi_clear(struct irq_msi *msi)
{
	uint64_t count;

	pthread_mutex_lock(&msi->vm->msis.lock);
	/* EAGAIN: nothing was pending. Not masked: what is there is KVM's to deliver. */
	if (msi->masked && read(msi->fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_unlock(&msi->vm->msis.lock);
}

/* Room for more vectors; caller holds the lock. */
static int grow_locked(struct vm *vm)
{
	struct irq_msis *msis = &vm->msis;
	uint32_t limit = vm->caps.routes_max > PIN_ROUTES ? vm->caps.routes_max - PIN_ROUTES : 0;
	uint32_t capacity = msis->capacity + GROW_BY < limit ? msis->capacity + GROW_BY : limit;
	struct kvm_irq_routing *table;
	struct irq_msi **vectors;

	if (capacity == msis->capacity)
		return VMM_E_LIMIT;
	table = realloc(
		msis->table, sizeof(*table) + (PIN_ROUTES + capacity) * sizeof(table->entries[0]));
	if (!table)
		return VMM_E_NOMEM;
	msis->table = table;
	vectors = reallocarray(msis->vectors, capacity, sizeof(struct irq_msi *));
	if (!vectors)
		return VMM_E_NOMEM;
	for (uint32_t i = msis->capacity; i < capacity; i++)
		vectors[i] = NULL;
	msis->vectors = vectors;
	msis->capacity = capacity;
	return 0;
}

static int place_locked(struct vm *vm, struct irq_msi *msi)
{
	struct irq_msis *msis = &vm->msis;
	uint32_t i = 0;

	while (i < msis->capacity && msis->vectors[i])
		i++;
	if (i == msis->capacity) {
		int ret = grow_locked(vm);

		if (ret)
			return ret;
	}
	msis->vectors[i] = msi;
	msi->index = i;
	return 0;
}

int irq_msi_open(struct vm *vm, struct irq_msi **ret_msi, int *ret_fd)
{
	struct irq_msi *msi = calloc(1, sizeof(*msi));
	int ret;

	if (!msi)
		return VMM_E_NOMEM;
	msi->vm = vm;
	msi->masked = true;
	msi->fd = vm_eventfd();
	if (msi->fd < 0) {
		free(msi);
		return VMM_E_LIMIT;
	}
	pthread_mutex_lock(&vm->msis.lock);
	ret = place_locked(vm, msi);
	pthread_mutex_unlock(&vm->msis.lock);
	if (ret) {
		close(msi->fd);
		free(msi);
		return ret;
	}
	*ret_msi = msi;
	*ret_fd = msi->fd;
	return 0;
}

void irq_msi_close(struct irq_msi *msi)
{
	if (!msi)
		return;
	pthread_mutex_lock(&msi->vm->msis.lock);
	mask_locked(msi);
	/* Its route leaves the kernel's table with the next change; nothing uses it until then. */
	msi->vm->msis.vectors[msi->index] = NULL;
	pthread_mutex_unlock(&msi->vm->msis.lock);
	close(msi->fd);
	free(msi);
}
