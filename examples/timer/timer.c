/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer: a timer with an interrupt. Two registers at an I/O port, 32 bits each:
 *
 *   +0  DELAY  write: fire once after so many microseconds, 0: do not; read: what is left of that
 *   +4  COUNT  read: how often it has fired; write: 0 again
 *
 * Each time that it fires, an edge-triggered interrupt line is pulsed. The device type has the
 * thread model LOOP: accesses of the guest and the timer come on one thread, so nothing here needs
 * a lock.
 */
#include <stdlib.h>

#include <vmm/support.h>

#define REGISTER_DELAY 0u
#define REGISTER_COUNT 4u
#define REGISTER_BYTES 8u
#define US_NS          1000ull

enum {
	OPTION_PORT,
	OPTION_IRQ,
};

struct timer {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_loop loop;
	uint32_t port;
	uint32_t gsi;
	uint64_t deadline_ns; /* VMM_TIMER_OFF: not armed */
	uint32_t count;

	uint64_t region;
	uint64_t line;
	uint64_t alarm;
	int has_region;
	int has_line;
	int has_alarm;
};

static void alarm_cb(void *ctx)
{
	struct timer *timer = ctx;

	timer->deadline_ns = VMM_TIMER_OFF;
	timer->count++;
	timer->irq.line_set(timer->host, timer->line, 1);
	timer->irq.line_set(timer->host, timer->line, 0);
}

/* VMM_CLOCK_VM: a guest that is paused does not miss it. */
static uint64_t now(const struct timer *timer)
{
	return timer->loop.now(timer->host, VMM_CLOCK_VM);
}

static int32_t timer_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	const struct timer *timer = ctx;
	uint64_t at = now(timer);

	(void)width;
	if (offset == REGISTER_COUNT)
		*ret_value = timer->count;
	else if (offset == REGISTER_DELAY && timer->deadline_ns != VMM_TIMER_OFF)
		*ret_value = timer->deadline_ns > at ? (timer->deadline_ns - at) / US_NS : 0;
	else
		*ret_value = 0;
	return 0;
}

static int32_t timer_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct timer *timer = ctx;

	if (width != 4)
		return 0; /* a register is written as a whole or not at all */
	if (offset == REGISTER_COUNT)
		timer->count = 0;
	if (offset != REGISTER_DELAY)
		return 0;
	timer->deadline_ns = value ? now(timer) + value * US_NS : VMM_TIMER_OFF;
	return timer->loop.timer_arm(timer->host, timer->alarm, timer->deadline_ns);
}

static const struct vmm_io_ops io_ops = {
	.size = sizeof(io_ops),
	.read = timer_read,
	.write = timer_write,
};

static int32_t query_services(struct timer *timer, const struct vmm_create_args *args)
{
	int32_t ret = vmm_query(args->hello, args->host, VMM_IO_ID, sizeof(timer->io), &timer->io,
		sizeof(timer->io), args->error);

	if (ret >= 0)
		ret = vmm_query(args->hello, args->host, VMM_IRQ_ID, sizeof(timer->irq),
			&timer->irq, sizeof(timer->irq), args->error);
	if (ret >= 0)
		ret = vmm_query(args->hello, args->host, VMM_LOOP_ID, sizeof(timer->loop),
			&timer->loop, sizeof(timer->loop), args->error);
	return ret;
}

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct timer *timer = calloc(1, sizeof(*timer));
	int32_t ret;

	if (!timer) {
		vmm_set_error(args->error, "no memory");
		return VMM_E_NOMEM;
	}
	timer->host = args->host;
	timer->port = (uint32_t)args->values[OPTION_PORT]->number;
	timer->gsi = (uint32_t)args->values[OPTION_IRQ]->number;
	timer->deadline_ns = VMM_TIMER_OFF;
	ret = query_services(timer, args);
	if (ret < 0) {
		free(timer);
		return ret;
	}
	*ret_ctx = timer;
	return 0;
}

/* What is reached when a step fails is undone by unrealize, which comes in any case. */
static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct timer *timer = ctx;
	const struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = "timer",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = timer->port,
		.bytes = REGISTER_BYTES,
		.width_max = 4,
		.ops = &io_ops,
		.ctx = timer,
	};
	int32_t ret = timer->irq.line_open(timer->host, timer->gsi, VMM_IRQ_EDGE, &timer->line);

	if (ret < 0) {
		vmm_set_error(error, "interrupt line %u cannot be used", timer->gsi);
		return ret;
	}
	timer->has_line = 1;
	ret = timer->loop.timer_add(timer->host, timer->loop.own(timer->host), VMM_CLOCK_VM,
		alarm_cb, timer, &timer->alarm);
	if (ret < 0) {
		vmm_set_error(error, "no timer");
		return ret;
	}
	timer->has_alarm = 1;
	ret = timer->io.region_add(timer->host, &region, &timer->region);
	if (ret < 0) {
		vmm_set_error(error, "ports from 0x%x on are not free", timer->port);
		return ret;
	}
	timer->has_region = 1;
	return 0;
}

static void unrealize(void *ctx)
{
	struct timer *timer = ctx;

	if (timer->has_region)
		timer->io.region_remove(timer->host, timer->region);
	if (timer->has_alarm)
		timer->loop.timer_remove(timer->host, timer->alarm);
	if (timer->has_line)
		timer->irq.line_close(timer->host, timer->line);
	timer->has_region = timer->has_alarm = timer->has_line = 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free,
};

static const struct vmm_option option_port = {
	.struct_size = sizeof(option_port),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0x590",
	.min = 0x100,
	.max = 0x10000 - REGISTER_BYTES,
	.doc = "first of its 8 I/O ports",
};

static const struct vmm_option option_irq = {
	.struct_size = sizeof(option_irq),
	.name = "irq",
	.type = VMM_OPT_UINT,
	.default_text = "5",
	.min = 3,
	.max = 15,
	.doc = "its interrupt line",
};

static const struct vmm_option *const options[] = {
	[OPTION_PORT] = &option_port,
	[OPTION_IRQ] = &option_irq,
};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "timer",
	.summary = "a timer with an interrupt",
	.thread_model = VMM_THREADS_LOOP,
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "com.example.timer",
	.version = "0.1.0",
	.summary = "a timer with an interrupt",
	.types = types,
	.type_count = 1,
};

VMM_PLUGIN(desc, "com.example.timer", 1);
