/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt lines: pins of the IOAPIC and PIC that are in the kernel. A pin is up while one of its
 * lines is held up; the eventfds of a level line are a source of their own that KVM ORs in.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/vm_internal.h"

struct irq_line {
	struct vm *vm;
	struct irq_pin *pin;
	uint32_t gsi;
	uint32_t level; /* what this line holds; guarded by pin->lock */
	int trigger_fd; /* -1: not asked for */
	int resample_fd;
};

int irq_init(struct vm *vm)
{
	for (uint32_t i = 0; i < VM_IOAPIC_PINS; i++)
		pthread_mutex_init(&vm->pins[i].lock, NULL);
	return irq_msis_init(&vm->msis);
}

void irq_fini(struct vm *vm)
{
	irq_msis_fini(&vm->msis);
	for (uint32_t i = 0; i < VM_IOAPIC_PINS; i++)
		pthread_mutex_destroy(&vm->pins[i].lock);
}

int irq_line_open(struct vm *vm, uint32_t gsi, uint32_t trigger, struct irq_line **ret_line)
{
	struct irq_line *line;
	struct irq_pin *pin;
	bool busy;

	if (gsi >= VM_IOAPIC_PINS)
		return VMM_E_RANGE;
	if (trigger != VMM_IRQ_EDGE && trigger != VMM_IRQ_LEVEL)
		return VMM_E_INVAL;
	pin = &vm->pins[gsi];
	line = calloc(1, sizeof(*line));
	if (!line)
		return VMM_E_NOMEM;
	*line = (struct irq_line){
		.vm = vm, .pin = pin, .gsi = gsi, .trigger_fd = -1, .resample_fd = -1};
	pthread_mutex_lock(&pin->lock);
	busy = pin->opened && (trigger == VMM_IRQ_EDGE || pin->trigger == VMM_IRQ_EDGE);
	if (!busy) {
		pin->opened++;
		pin->trigger = trigger;
	}
	pthread_mutex_unlock(&pin->lock);
	if (busy) {
		free(line);
		return VMM_E_BUSY;
	}
	*ret_line = line;
	return 0;
}

/* Caller holds pin->lock. */
static int set_locked(struct irq_line *line, uint32_t level)
{
	struct irq_pin *pin = line->pin;
	struct kvm_irq_level change = {.irq = line->gsi, .level = level};

	if (line->level == level)
		return 0;
	line->level = level;
	pin->held += level ? 1u : -1u;
	/* The pin itself changes with the first line up and the last one down. */
	if (pin->held != level)
		return 0;
	return ioctl(line->vm->fd, KVM_IRQ_LINE, &change) ? VMM_E_IO : 0;
}

int irq_line_set(struct irq_line *line, uint32_t level)
{
	int ret;

	pthread_mutex_lock(&line->pin->lock);
	ret = set_locked(line, level ? 1 : 0);
	pthread_mutex_unlock(&line->pin->lock);
	return ret;
}

static int irqfd(const struct irq_line *line, uint32_t flags)
{
	struct kvm_irqfd event = {
		.fd = (uint32_t)line->trigger_fd, .gsi = line->gsi, .flags = flags};

	if (line->resample_fd >= 0) {
		event.flags |= KVM_IRQFD_FLAG_RESAMPLE;
		event.resamplefd = (uint32_t)line->resample_fd;
	}
	return ioctl(line->vm->fd, KVM_IRQFD, &event) ? VMM_E_IO : 0;
}

static void close_fds(struct irq_line *line)
{
	if (line->trigger_fd >= 0)
		close(line->trigger_fd);
	if (line->resample_fd >= 0)
		close(line->resample_fd);
	line->trigger_fd = -1;
	line->resample_fd = -1;
}

int irq_line_fds(struct irq_line *line, int *ret_trigger_fd, int *ret_resample_fd)
{
	bool is_level = line->pin->trigger == VMM_IRQ_LEVEL;

	if (is_level && !line->vm->caps.irqfd_resample)
		return VMM_E_UNSUPPORTED;
	if (line->trigger_fd < 0) {
		line->trigger_fd = vm_eventfd();
		if (is_level)
			line->resample_fd = vm_eventfd();
		if (line->trigger_fd < 0 || (is_level && line->resample_fd < 0) || irqfd(line, 0)) {
			close_fds(line);
			return VMM_E_IO;
		}
	}
	*ret_trigger_fd = line->trigger_fd;
	*ret_resample_fd = line->resample_fd;
	return 0;
}

void irq_line_close(struct irq_line *line)
{
	if (!line)
		return;
	if (line->trigger_fd >= 0)
		irqfd(line, KVM_IRQFD_FLAG_DEASSIGN);
	close_fds(line);
	pthread_mutex_lock(&line->pin->lock);
	set_locked(line, 0);
	line->pin->opened--;
	pthread_mutex_unlock(&line->pin->lock);
	free(line);
}
