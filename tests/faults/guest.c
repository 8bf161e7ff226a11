/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See guest.h; and the functions of the testkit's fake host that drivers of a guest need.
 */
#include "guest.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "fake_internal.h"
#include "kvm.h"
#include "machine/layout.h"

#define RANGES    4u
#define DOORBELLS 64u
#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

struct ram_range {
	uint64_t gpa, bytes;
	uint8_t *base;
};

struct host {
	struct guest_machine machine;
	struct vmm_layout layout;
	struct ram_range ranges[RANGES];
	uint32_t range_count;
	pthread_mutex_t lock; /* guards doorbells */
	struct kvm_ioeventfd doorbells[DOORBELLS];
	uint32_t doorbell_count;
	struct guest_access access;
	bool under_way;
	sem_t asked, answered;
	atomic_uint asks; /* what the thread sanitizer sees of `asked`: it does not know
			     sem_clockwait() */
};

static uint32_t patience_ms;

/* Of the guest's thread: what guest_try() comes back with. */
static _Thread_local jmp_buf give_up;
static _Thread_local char why[256];

static struct host *host_of(struct guest_machine *machine)
{
	return (struct host *)machine;
}

static struct host *of(struct fake_host *host)
{
	return (struct host *)(void *)host;
}

struct guest_machine *guest_machine_create(void)
{
	struct host *host = calloc(1, sizeof(*host));

	if (!host || layout_init(&host->layout, 1, 64u << 20, 64u << 20, 40, NULL))
		abort();
	pthread_mutex_init(&host->lock, NULL);
	sem_init(&host->asked, 0, 0);
	sem_init(&host->answered, 0, 0);
	return &host->machine;
}

struct fake_host *guest_machine_host(struct guest_machine *machine)
{
	return (struct fake_host *)(void *)machine;
}

void guest_machine_add_ram(struct guest_machine *machine, uint64_t gpa, uint64_t bytes, void *base)
{
	struct host *host = host_of(machine);

	if (host->range_count == RANGES)
		abort();
	host->ranges[host->range_count++] = (struct ram_range){gpa, bytes, base};
}

static bool same_doorbell(const struct kvm_ioeventfd *a, const struct kvm_ioeventfd *b)
{
	return a->addr == b->addr && a->len == b->len && a->fd == b->fd &&
	       a->datamatch == b->datamatch;
}

void guest_machine_set_doorbell(struct guest_machine *machine, const struct kvm_ioeventfd *doorbell)
{
	struct host *host = host_of(machine);
	uint32_t i = 0;

	pthread_mutex_lock(&host->lock);
	if (!(doorbell->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
		if (host->doorbell_count == DOORBELLS)
			abort();
		host->doorbells[host->doorbell_count++] = *doorbell;
	} else {
		while (i < host->doorbell_count && !same_doorbell(&host->doorbells[i], doorbell))
			i++;
		if (i < host->doorbell_count)
			host->doorbells[i] = host->doorbells[--host->doorbell_count];
	}
	pthread_mutex_unlock(&host->lock);
}

/* --- The processor's side --- */

struct guest_access *guest_machine_current(struct guest_machine *machine)
{
	struct host *host = host_of(machine);

	return host->under_way ? &host->access : NULL;
}

void guest_machine_answer(struct guest_machine *machine)
{
	struct host *host = host_of(machine);

	host->under_way = false;
	sem_post(&host->answered);
}

struct guest_access *guest_machine_wait(struct guest_machine *machine, uint32_t ms)
{
	struct host *host = host_of(machine);
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += (long)ms * (long)NS_PER_MS;
	if (limit.tv_nsec >= (long)NS_PER_S) {
		limit.tv_nsec -= (long)NS_PER_S;
		limit.tv_sec++;
	}
	if (sem_clockwait(&host->asked, CLOCK_MONOTONIC, &limit))
		return NULL;
	atomic_load_explicit(&host->asks, memory_order_acquire);
	host->under_way = true;
	return &host->access;
}

/* --- The guest's side --- */

/* 1 if a doorbell took the write. */
static int ring(struct host *host, uint32_t space, uint64_t address, uint32_t width, uint64_t value)
{
	const uint64_t one = 1;
	int rung = 0;

	pthread_mutex_lock(&host->lock);
	for (uint32_t i = 0; i < host->doorbell_count && !rung; i++) {
		const struct kvm_ioeventfd *d = &host->doorbells[i];
		uint32_t d_space = d->flags & KVM_IOEVENTFD_FLAG_PIO ? VMM_IO_PIO : VMM_IO_MMIO;

		if (d_space != space || d->addr != address || (d->len && d->len != width) ||
			((d->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) && d->datamatch != value))
			continue;
		rung = syscall(SYS_write, d->fd, &one, sizeof(one)) == (long)sizeof(one);
	}
	pthread_mutex_unlock(&host->lock);
	return rung;
}

static uint64_t access_machine(struct fake_host *fake, const struct guest_access *access)
{
	struct host *host = of(fake);

	host->access = *access;
	atomic_fetch_add_explicit(&host->asks, 1, memory_order_release);
	sem_post(&host->asked);
	while (sem_wait(&host->answered))
		continue;
	return host->access.value;
}

static uint64_t do_read(struct fake_host *host, uint32_t space, uint64_t address, uint32_t width)
{
	return access_machine(
		host, &(struct guest_access){.space = space, .width = width, .address = address});
}

static void do_write(
	struct fake_host *host, uint32_t space, uint64_t address, uint32_t width, uint64_t value)
{
	if (!ring(of(host), space, address, width, value))
		access_machine(host, &(struct guest_access){.space = space,
					     .width = width,
					     .address = address,
					     .value = value,
					     .is_write = true});
}

uint64_t fake_pio_read(struct fake_host *host, uint64_t port, uint32_t width)
{
	return do_read(host, VMM_IO_PIO, port, width);
}

void fake_pio_write(struct fake_host *host, uint64_t port, uint32_t width, uint64_t value)
{
	do_write(host, VMM_IO_PIO, port, width, value);
}

uint64_t fake_mmio_read(struct fake_host *host, uint64_t gpa, uint32_t width)
{
	return do_read(host, VMM_IO_MMIO, gpa, width);
}

void fake_mmio_write(struct fake_host *host, uint64_t gpa, uint32_t width, uint64_t value)
{
	do_write(host, VMM_IO_MMIO, gpa, width, value);
}

void *fake_ram(struct fake_host *host, uint64_t gpa, uint64_t bytes)
{
	for (uint32_t i = 0; i < of(host)->range_count; i++) {
		const struct ram_range *range = &of(host)->ranges[i];

		if (gpa >= range->gpa && bytes <= range->bytes &&
			gpa - range->gpa <= range->bytes - bytes)
			return range->base + (gpa - range->gpa);
	}
	return NULL;
}

const struct vmm_layout *fake_layout(struct fake_host *host)
{
	return &of(host)->layout;
}

uint64_t fake_msi_count(struct fake_host *host, uint32_t data)
{
	(void)host;
	(void)data;
	return 0;
}

static void rest(void)
{
	const struct timespec moment = {0, 50000};

	nanosleep(&moment, NULL);
}

void fake_settle(struct fake_host *host)
{
	(void)host;
	rest();
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

void kvm_set_patience(uint32_t ms)
{
	patience_ms = ms;
}

int fake_run_until(struct fake_host *host, int (*cond)(void *ctx), void *ctx, uint32_t timeout_ms)
{
	uint64_t limit = patience_ms && patience_ms < timeout_ms ? patience_ms : timeout_ms;
	uint64_t start = now_ms();
	int done = cond(ctx);

	(void)host;
	while (!done && now_ms() - start < limit) {
		rest();
		done = cond(ctx);
	}
	return done;
}

bool guest_try(void (*part)(void *ctx), void *ctx, char *ret_text, uint32_t bytes)
{
	if (setjmp(give_up)) {
		snprintf(ret_text, bytes, "%s", why);
		return false;
	}
	part(ctx);
	return true;
}

void fake_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	longjmp(give_up, 1);
}

void *fake_alloc(uint64_t bytes)
{
	void *memory = calloc(1, bytes ? bytes : 1);

	if (!memory)
		abort();
	return memory;
}
