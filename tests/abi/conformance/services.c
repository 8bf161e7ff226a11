/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every slot of the host services but those that belong to one phase, which are in plugin.c.
 */
#include <string.h>
#include <unistd.h>

#include "conformance.h"

#define PIECE 64u

static void nothing(void *ctx)
{
	(void)ctx;
}

static void on_event(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;
}

static int32_t try_machine_and_log(struct conformance *c, struct vmm_error *error)
{
	struct vmm_layout shorter;

	c->layout.struct_size = sizeof(c->layout);
	MUST(c->machine.layout(c->host, &c->layout));
	EXPECT(c->layout.vcpus && c->layout.ram_bytes && c->layout.device_gsi_count);

	/* As somebody who was built before the last member would ask. */
	memset(&shorter, 0x5a, sizeof(shorter));
	shorter.struct_size = offsetof(struct vmm_layout, device_gsi_base);
	MUST(c->machine.layout(c->host, &shorter));
	EXPECT(shorter.vcpus == c->layout.vcpus && shorter.device_gsi_base == 0x5a5a5a5a);

	MUST(c->machine.subscribe(c->host, VMM_EVENT_POWER_BUTTON, on_event, c));
	EXPECT(c->log.enabled(c->host, VMM_LOG_ERROR) == 1);
	c->log.line(c->host, VMM_LOG_DEBUG, "a line");
	return 0;
}

static int32_t try_memory(struct conformance *c, struct vmm_error *error)
{
	const struct vmm_memory *memory = &c->memory;
	struct vmm_ram_range range;
	struct vmm_iovec iov[2];
	uint8_t kept[PIECE], piece[PIECE];
	uint64_t offset;
	int32_t fd, ret;

	EXPECT(memory->ranges(c->host, VMM_SPACE_SYSTEM, &range, 1) >= 1);
	EXPECT(range.bytes >= PIECE && range.base);
	MUST(memory->read(c->host, VMM_SPACE_SYSTEM, range.gpa, kept, PIECE));
	memset(piece, 0xc5, PIECE);
	MUST(memory->write(c->host, VMM_SPACE_SYSTEM, range.gpa, piece, PIECE));
	EXPECT(memory->map(c->host, VMM_SPACE_SYSTEM, range.gpa, PIECE,
		       VMM_PROT_READ | VMM_PROT_WRITE, iov, COUNT(iov)) == 1);
	ret = memcmp(iov[0].base, piece, PIECE);
	memcpy(iov[0].base, kept, PIECE);
	memory->unmap(c->host, VMM_SPACE_SYSTEM, range.gpa, PIECE);
	EXPECT(ret == 0 && iov[0].base == range.base && iov[0].bytes == PIECE);

	ret = memory->range_fd(c->host, VMM_SPACE_SYSTEM, 0, &fd, &offset);
	if (ret != VMM_E_UNSUPPORTED)
		MUST(ret);
	return 0;
}

static int32_t register_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	const struct conformance *c = ctx;

	(void)width;
	*ret_value = offset ? c->works : c->byte;
	return 0;
}

/* Two writes that a guest would not make by chance end the machine or are its mistake. */
static int32_t register_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct conformance *c = ctx;

	(void)width;
	if (offset == 4 && value == 0xdeadbeef)
		c->machine.stop(c->host, VMM_STOP_EXIT, 42);
	else if (offset == 4)
		c->log.guest_error(c->host, "conformance", "the guest wrote to what is read only");
	else
		c->byte = value & 0xff;
	return 0;
}

const struct vmm_io_ops conformance_registers = {
	.size = sizeof(conformance_registers),
	.read = register_read,
	.write = register_write,
};

static int32_t try_io(struct conformance *c, struct vmm_error *error)
{
	struct vmm_io_region region = {0};
	struct vmm_doorbell doorbell = {0};
	uint64_t bell;
	int32_t fd = -1;

	region.struct_size = sizeof(region);
	region.name = "conformance";
	region.space = VMM_IO_PIO;
	region.base = (uint64_t)c->values[OPTION_PORT]->number;
	region.bytes = 8;
	region.width_max = 4;
	region.ops = &conformance_registers;
	region.ctx = c;
	MUST(c->io.region_add(c->host, &region, &c->region));
	c->has_region = 1;
	MUST(c->io.region_set(c->host, c->region, region.base, VMM_IO_ENABLED));

	doorbell.struct_size = sizeof(doorbell);
	doorbell.region = c->region;
	doorbell.width = 1;
	doorbell.flags = VMM_DOORBELL_MATCH;
	doorbell.value = 7;
	MUST(c->io.doorbell_add(c->host, &doorbell, &bell, &fd));
	MUST(c->io.doorbell_remove(c->host, bell));
	return 0;
}

static int32_t try_irq(struct conformance *c, struct vmm_error *error)
{
	uint32_t gsi = c->layout.device_gsi_base + c->layout.device_gsi_count - 1;
	int32_t trigger_fd = -1, resample_fd = -1, fd = -1;

	MUST(c->irq.line_open(c->host, gsi, VMM_IRQ_LEVEL, &c->line));
	c->has_line = 1;
	MUST(c->irq.line_set(c->host, c->line, 1));
	MUST(c->irq.line_set(c->host, c->line, 0));
	MUST(c->irq.line_fds(c->host, c->line, &trigger_fd, &resample_fd));
	EXPECT(trigger_fd >= 0 && resample_fd >= 0);

	MUST(c->irq.msi_open(c->host, &c->vector, &fd));
	c->has_vector = 1;
	EXPECT(fd >= 0 && c->irq.msi_pending(c->host, c->vector) == 0);
	MUST(c->irq.msi_set(c->host, c->vector, 0xfee00000u, 0x40));
	MUST(c->irq.msi_mask(c->host, c->vector));
	c->irq.msi_clear(c->host, c->vector);
	return 0;
}

static void on_watch(void *ctx, int32_t fd, uint32_t events)
{
	(void)ctx;
	(void)fd;
	(void)events;
}

static int32_t try_loop(struct conformance *c, struct vmm_error *error)
{
	uint64_t loop = c->loop.own(c->host);
	uint64_t second = 1000000000u;

	EXPECT(c->loop.now(c->host, VMM_CLOCK_HOST) && c->loop.now(c->host, VMM_CLOCK_REAL));
	MUST(c->loop.watch_add(c->host, loop, c->event_fd, 0, on_watch, c, &c->watch));
	c->has_watch = 1;
	MUST(c->loop.watch_set(c->host, c->watch, VMM_WATCH_READ));
	MUST(c->loop.timer_add(c->host, loop, VMM_CLOCK_VM, nothing, c, &c->timer));
	c->has_timer = 1;
	MUST(c->loop.timer_arm(
		c->host, c->timer, c->loop.now(c->host, VMM_CLOCK_VM) + 3600 * second));
	MUST(c->loop.timer_arm(c->host, c->timer, VMM_TIMER_OFF));
#if VMM_ABI_MINOR >= 2
	MUST(c->borrow.borrow(c->host, loop));
	EXPECT(c->borrow.borrow(c->host, loop) == VMM_E_BUSY);
	c->borrow.give_back(c->host, loop);
#endif
	return 0;
}

static void on_input(void *ctx, const uint8_t *data, uint64_t bytes)
{
	(void)ctx;
	(void)data;
	(void)bytes;
}

static uint64_t input_room(void *ctx)
{
	(void)ctx;
	return 1;
}

static int32_t try_stream(struct conformance *c, struct vmm_error *error)
{
	static const struct vmm_stream_ops ops = {
		.size = sizeof(ops),
		.input = on_input,
		.input_room = input_room,
		.event = on_event,
	};
	static const uint8_t text[] = "hello";
	struct vmm_stream_open request = {0};

	request.struct_size = sizeof(request);
	request.kind = VMM_STREAM_NULL;
	request.loop = c->loop.own(c->host);
	request.ops = &ops;
	request.ctx = c;
	request.error = error;
	MUST(c->stream.open(c->host, &request, &c->console));
	c->has_console = 1;
	EXPECT(c->stream.write(c->host, c->console, text, sizeof(text)) == (int64_t)sizeof(text));
	c->stream.resume(c->host, c->console);
	return 0;
}

/* An SSDT with Name (CNF0, 0x1122): another name and number for each port. */
static int32_t try_acpi(struct conformance *c, struct vmm_error *error)
{
	static const uint8_t body[] = {0x08, 'C', 'N', 'F', '0', 0x0b, 0x22, 0x11};
	uint8_t table[36 + sizeof(body)] = "SSDT";
	struct vmm_acpi_patch patches[2] = {
		{"CNF0", VMM_ACPI_PATCH_VALUE, 0}, {"CNF0", VMM_ACPI_PATCH_NAME, 0}};
	struct vmm_acpi_fixed fixed = {0};
	uint64_t port = (uint64_t)c->values[OPTION_PORT]->number;

	table[4] = sizeof(table);
	table[8] = 2; /* revision */
	memcpy(table + 10, "VMM   CONFORM ", 14);
	memcpy(table + 36, body, sizeof(body));
	patches[0].value = port;
	patches[1].value = 'C' | 'N' << 8 | 'F' << 16 | ('A' + port / 8 % 26) << 24;
	MUST(c->acpi.add_table(c->host, table, sizeof(table), patches, COUNT(patches)));
	fixed.struct_size = sizeof(fixed);
	MUST(c->acpi.set_fixed(c->host, &fixed));
	return 0;
}

int32_t services_try(struct conformance *c, struct vmm_error *error)
{
	static int32_t (*const tries[])(struct conformance *, struct vmm_error *) = {
		try_machine_and_log, try_memory, try_io, try_irq, try_loop, try_stream, try_acpi};
	size_t i;

	for (i = 0; i < COUNT(tries); i++) {
		int32_t ret = tries[i](c, error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void done_cb(void *ctx)
{
	struct conformance *c = ctx;

	c->works++;
}

static void submit_cb(void *ctx)
{
	struct conformance *c = ctx;

	c->worker.submit(c->host, c->loop.own(c->host), nothing, done_cb, c);
}

int32_t services_start(struct conformance *c, struct vmm_error *error)
{
	MUST(c->loop.post(c->host, c->loop.own(c->host), submit_cb, c));
	return 0;
}

void services_drop(struct conformance *c)
{
	if (c->has_console)
		c->stream.close(c->host, c->console);
	if (c->has_timer)
		c->loop.timer_remove(c->host, c->timer);
	if (c->has_watch)
		c->loop.watch_remove(c->host, c->watch);
	if (c->has_vector)
		c->irq.msi_close(c->host, c->vector);
	if (c->has_line)
		c->irq.line_close(c->host, c->line);
	if (c->has_region)
		c->io.region_remove(c->host, c->region);
	c->has_console = c->has_timer = c->has_watch = c->has_vector = c->has_line = c->has_region =
		0;
}
