/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of the platform device: its regions, lines, timers and ACPI table, and the clock's way to
 * them.
 *
 * Threads: SERIAL. Accesses come on vCPU threads, timers and the power button on the loop, and all
 * change the same few bytes without ever waiting, so the core's lock around each is cheapest: with
 * LOOP each access of the clock would cost two thread switches, PARALLEL would need a lock here.
 */
#include "platform.h"

#include <stdlib.h>

#include "platform.aml.h"

static struct rtc_now now(struct platform *platform)
{
	return (struct rtc_now){.wall_ns = platform->loop.now(platform->host, VMM_CLOCK_REAL),
		.tick_ns = platform->loop.now(platform->host, VMM_CLOCK_VM)};
}

static void arm(struct platform *platform, uint64_t timer, uint64_t *deadline, uint64_t next_ns)
{
	if (next_ns == *deadline)
		return;
	*deadline = next_ns;
	platform->loop.timer_arm(
		platform->host, timer, next_ns == RTC_NEVER ? VMM_TIMER_OFF : next_ns);
}

/* The clock's state may have changed: passes it on to line and timers. */
static void rtc_changed(struct platform *platform, struct rtc_now at)
{
	const uint32_t level = rtc_level(&platform->rtc);

	if (level != platform->rtc_level) {
		platform->rtc_level = level;
		platform->irq.line_set(platform->host, platform->rtc_line, level);
	}
	arm(platform, platform->wall_timer, &platform->wall_deadline,
		rtc_next_wall(&platform->rtc));
	arm(platform, platform->tick_timer, &platform->tick_deadline,
		rtc_next_tick(&platform->rtc, at));
}

static void on_timer(struct platform *platform)
{
	const struct rtc_now at = now(platform);

	rtc_update(&platform->rtc, at);
	rtc_changed(platform, at);
}

static void on_wall_timer(void *ctx)
{
	struct platform *platform = ctx;

	platform->wall_deadline = RTC_NEVER;
	on_timer(platform);
}

static void on_tick_timer(void *ctx)
{
	struct platform *platform = ctx;

	platform->tick_deadline = RTC_NEVER;
	on_timer(platform);
}

static int32_t rtc_port_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct platform *platform = ctx;
	struct rtc_now at;

	(void)width;
	if (offset == 0) {
		*ret_value = 0xff; /* the index is write-only */
		return 0;
	}
	at = now(platform);
	*ret_value = rtc_read(&platform->rtc, at);
	rtc_changed(platform, at);
	return 0;
}

static int32_t rtc_port_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct platform *platform = ctx;
	struct rtc_now at;

	(void)width;
	if (offset == 0) {
		rtc_select(&platform->rtc, (uint8_t)value);
		return 0;
	}
	at = now(platform);
	rtc_write(&platform->rtc, at, (uint8_t)value);
	rtc_changed(platform, at);
	return 0;
}

static const struct vmm_io_ops rtc_ops = {
	.size = sizeof(rtc_ops), .read = rtc_port_read, .write = rtc_port_write};

static const struct {
	const char *name;
	uint32_t port, bytes;
	const struct vmm_io_ops *ops;
} regions[PLATFORM_REGIONS] = {
	{"i8042-data", PLATFORM_PORT_I8042_DATA, 1, &power_i8042_data_ops},
	{"i8042-command", PLATFORM_PORT_I8042_COMMAND, 1, &power_i8042_command_ops},
	{"rtc", PLATFORM_PORT_RTC, 2, &rtc_ops},
	{"port-a", PLATFORM_PORT_A, 1, &power_port_a_ops},
	{"acpi", PLATFORM_PORT_ACPI, PLATFORM_ACPI_BYTES, &power_acpi_ops},
};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct platform *p = calloc(1, sizeof(*p));
	int32_t ret;

	if (!p) {
		vmm_set_error(args->error, "out of memory");
		return VMM_E_NOMEM;
	}
	p->host = args->host;
#define GET_FROM(id, member, min)                                                                  \
	vmm_query(args->hello, p->host, id, min, &p->member, sizeof(p->member), args->error)
#define GET(id, member) GET_FROM(id, member, sizeof(p->member))
	if ((ret = GET(VMM_IO_ID, io)) < 0 || (ret = GET(VMM_IRQ_ID, irq)) < 0 ||
		(ret = GET(VMM_LOOP_ID, loop)) < 0 || (ret = GET(VMM_LOG_ID, log)) < 0 ||
		(ret = GET(VMM_ACPI_ID, acpi)) < 0 ||
		(ret = GET_FROM(VMM_MACHINE_ID, machine, offsetof(struct vmm_machine, needs))) <
			0) {
		free(p);
		return ret;
	}
#undef GET
	p->wall_deadline = RTC_NEVER;
	p->tick_deadline = RTC_NEVER;
	rtc_init(&p->rtc, now(p));
	*ret_ctx = p;
	return 0;
}

static int32_t add_regions(struct platform *p, struct vmm_error *error)
{
	while (p->region_count < PLATFORM_REGIONS) {
		const uint32_t i = p->region_count;
		const struct vmm_io_region region = {.struct_size = sizeof(region),
			.name = regions[i].name,
			.space = VMM_IO_PIO,
			.flags = VMM_IO_ENABLED,
			.base = regions[i].port,
			.bytes = regions[i].bytes,
			.width_max = 1,
			.ops = regions[i].ops,
			.ctx = p};
		int32_t ret = p->io.region_add(p->host, &region, &p->regions[i]);

		if (ret < 0) {
			vmm_set_error(error, "port %#x (%s) cannot be had: %s", regions[i].port,
				regions[i].name,
				ret == VMM_E_EXISTS ? "another device has it; a machine has one "
						      "platform device"
						    : vmm_error_text(ret));
			return ret;
		}
		p->region_count++;
	}
	return 0;
}

static int32_t open_lines(struct platform *p, struct vmm_error *error)
{
	int32_t ret = p->irq.line_open(p->host, PLATFORM_GSI_RTC, VMM_IRQ_EDGE, &p->rtc_line);

	p->has_rtc_line = ret == 0;
	if (ret == 0) {
		ret = p->irq.line_open(p->host, PLATFORM_GSI_EVENT, VMM_IRQ_EDGE, &p->event_line);
		p->has_event_line = ret == 0;
	}
	if (ret < 0)
		vmm_set_error(error, "interrupt line %u cannot be had: %s",
			p->has_rtc_line ? PLATFORM_GSI_EVENT : PLATFORM_GSI_RTC,
			ret == VMM_E_BUSY ? "another device has it" : vmm_error_text(ret));
	return ret;
}

static int32_t add_timers(struct platform *p, struct vmm_error *error)
{
	const uint64_t loop = p->loop.own(p->host);
	int32_t ret =
		p->loop.timer_add(p->host, loop, VMM_CLOCK_REAL, on_wall_timer, p, &p->wall_timer);

	p->has_wall_timer = ret == 0;
	if (ret == 0) {
		ret = p->loop.timer_add(
			p->host, loop, VMM_CLOCK_VM, on_tick_timer, p, &p->tick_timer);
		p->has_tick_timer = ret == 0;
	}
	if (ret < 0)
		vmm_set_error(error, "no timer can be had for the clock: %s", vmm_error_text(ret));
	return ret;
}

static int32_t add_acpi(struct platform *p, struct vmm_error *error)
{
	const struct vmm_acpi_fixed fixed = {.struct_size = sizeof(fixed),
		.sleep_control_port = PLATFORM_PORT_ACPI + PLATFORM_ACPI_SLEEP_CONTROL,
		.sleep_status_port = PLATFORM_PORT_ACPI + PLATFORM_ACPI_SLEEP_STATUS,
		.reset_port = PLATFORM_PORT_ACPI + PLATFORM_ACPI_RESET,
		.reset_value = PLATFORM_ACPI_RESET_VALUE,
		.boot_flags = VMM_ACPI_BOOT_RTC};
	int32_t ret = p->acpi.set_fixed(p->host, &fixed);

	if (ret < 0) {
		vmm_set_error(error, "the ACPI registers cannot be had: %s",
			ret == VMM_E_EXISTS ? "another device has them" : vmm_error_text(ret));
		return ret;
	}
	ret = p->acpi.add_table(p->host, platform_aml, sizeof(platform_aml), NULL, 0);
	if (ret < 0)
		vmm_set_error(error, "the ACPI table cannot be added: %s", vmm_error_text(ret));
	return ret;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct platform *p = ctx;
	int32_t ret;

	if ((ret = add_regions(p, error)) < 0 || (ret = open_lines(p, error)) < 0 ||
		(ret = add_timers(p, error)) < 0 || (ret = add_acpi(p, error)) < 0)
		return ret;
	ret = p->machine.subscribe(p->host, VMM_EVENT_POWER_BUTTON, power_event, p);
	if (ret < 0)
		vmm_set_error(error, "the core does not tell of the power button");
	return ret;
}

static void unrealize(void *ctx)
{
	struct platform *p = ctx;

	if (p->has_tick_timer)
		p->loop.timer_remove(p->host, p->tick_timer);
	if (p->has_wall_timer)
		p->loop.timer_remove(p->host, p->wall_timer);
	if (p->has_event_line)
		p->irq.line_close(p->host, p->event_line);
	if (p->has_rtc_line)
		p->irq.line_close(p->host, p->rtc_line);
	while (p->region_count > 0)
		p->io.region_remove(p->host, p->regions[--p->region_count]);
	p->has_tick_timer = p->has_wall_timer = p->has_event_line = p->has_rtc_line = false;
}

static void destroy(void *ctx)
{
	free(ctx);
}

static const struct vmm_device_ops ops = {.size = sizeof(ops),
	.create = create,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = destroy};

const struct vmm_device_type platform_type = {.size = sizeof(platform_type),
	.name = "platform",
	.summary = "CMOS clock, resets, ACPI power-off and power button of a PC",
	.thread_model = VMM_THREADS_SERIAL,
	.ops = &ops};
