/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device type "serial": a 16550A UART on I/O ports, an interrupt line and a stream. The
 * registers are uart.c; this is what connects them to the host.
 *
 * Thread model SERIAL: a guest's access runs on its vCPU, input on the loop, and the core lets in
 * one at a time. So a vCPU that writes a character never waits for the loop to wake up: it waits
 * at most for another access, or for 16 bytes of input to be copied. Nothing here blocks, and no
 * lock is needed here.
 *
 * The line is a level: Linux's handler gives up after 512 rounds, which fast input reaches, and an
 * edge that came before would then be the last one.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <vmm/plugin.h>
#include <vmm/support.h>

#include "serial.aml.h"
#include "uart.h"

enum {
	OPT_PORT,
	OPT_IRQ,
	OPT_BACKEND,
	OPT_PATH,
	OPT_COUNT,
};

enum {
	BACKEND_STDIO,
	BACKEND_PTY,
	BACKEND_FILE,
	BACKEND_UNIX,
	BACKEND_NULL,
	BACKEND_COUNT,
};

static const char *const backend_names[] = {"stdio", "pty", "file", "unix", "null"};

static const uint32_t backend_kinds[] = {
	VMM_STREAM_STDIO,
	VMM_STREAM_PTY,
	VMM_STREAM_FILE,
	VMM_STREAM_UNIX,
	VMM_STREAM_NULL,
};

struct serial {
	struct uart uart;
	vmm_host *host;
	const char *id;
	uint16_t port;
	uint32_t gsi;
	uint32_t irq_level; /* what the line was set to last */
	int input_waits;    /* the host was told that there is no room */
	int has_line;
	int has_region;
	uint64_t line; /* handles */
	uint64_t region;
	uint64_t stream;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_loop loop;
	struct vmm_stream streams;
	struct vmm_acpi acpi;
	struct vmm_log log;
};

/* --- The guest's side --- */

static void update_irq(struct serial *serial)
{
	uint32_t level = uart_irq(&serial->uart);

	if (level == serial->irq_level)
		return;
	serial->irq_level = level;
	serial->irq.line_set(serial->host, serial->line, level);
}

static void update(struct serial *serial)
{
	update_irq(serial);
	if (serial->input_waits && uart_wants_input(&serial->uart)) {
		serial->input_waits = 0;
		serial->streams.resume(serial->host, serial->stream);
	}
}

/* The region has width_max 1, so wider accesses come as bytes. */
static int32_t serial_io_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct serial *serial = ctx;

	(void)width;
	*ret_value = uart_read(&serial->uart, (uint32_t)offset);
	update(serial);
	return 0;
}

static int32_t serial_io_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct serial *serial = ctx;
	uint8_t byte;

	(void)width;
	/* What a slow reader does not take is dropped and counted by the host. */
	if (uart_write(&serial->uart, (uint32_t)offset, (uint8_t)value, &byte))
		serial->streams.write(serial->host, serial->stream, &byte, 1);
	update(serial);
	return 0;
}

static const struct vmm_io_ops serial_io_ops = {
	.size = sizeof(serial_io_ops),
	.read = serial_io_read,
	.write = serial_io_write,
};

/* --- The host's side --- */

static void serial_input(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct serial *serial = ctx;

	for (uint64_t i = 0; i < bytes; i++)
		uart_receive(&serial->uart, data[i]);
	update_irq(serial);
}

static uint64_t serial_input_room(void *ctx)
{
	struct serial *serial = ctx;
	uint32_t room = uart_room(&serial->uart);

	serial->input_waits = !room;
	return room;
}

static void serial_event(void *ctx, uint32_t events)
{
	struct serial *serial = ctx;

	if (events & VMM_STREAM_CONNECTED)
		vmm_logf(&serial->log, serial->host, VMM_LOG_DEBUG, "a client connected");
	if (events & VMM_STREAM_CLOSED)
		vmm_logf(&serial->log, serial->host, VMM_LOG_DEBUG, "end of input");
}

static const struct vmm_stream_ops serial_stream_ops = {
	.size = sizeof(serial_stream_ops),
	.input = serial_input,
	.input_room = serial_input_room,
	.event = serial_event,
};

/* --- Life --- */

static int32_t serial_validate(const struct vmm_validate_args *args)
{
	int64_t backend = args->values[OPT_BACKEND]->number;
	int has_path = (args->values[OPT_PATH]->flags & VMM_VALUE_PRESENT) != 0;
	int64_t port = args->values[OPT_PORT]->number;

	if (port % UART_PORTS) {
		vmm_set_error(
			args->error, "port 0x%" PRIx64 " is not a multiple of 8", (uint64_t)port);
		return VMM_E_INVAL;
	}
	if (!has_path && (backend == BACKEND_FILE || backend == BACKEND_UNIX)) {
		vmm_set_error(args->error, "backend \"%s\" needs a path", backend_names[backend]);
		return VMM_E_INVAL;
	}
	if (has_path && (backend == BACKEND_STDIO || backend == BACKEND_NULL)) {
		vmm_set_error(args->error,
			"backend \"%s\" takes no path; did you mean \"file\" or \"unix\"?",
			backend_names[backend]);
		return VMM_E_INVAL;
	}
	return 0;
}

static int32_t query_services(struct serial *serial, const struct vmm_create_args *args)
{
	const struct {
		const char *id;
		void *copy;
		uint64_t bytes;
	} services[] = {
		{VMM_IO_ID, &serial->io, sizeof(serial->io)},
		{VMM_IRQ_ID, &serial->irq, sizeof(serial->irq)},
		{VMM_LOOP_ID, &serial->loop, sizeof(serial->loop)},
		{VMM_STREAM_ID, &serial->streams, sizeof(serial->streams)},
		{VMM_ACPI_ID, &serial->acpi, sizeof(serial->acpi)},
		{VMM_LOG_ID, &serial->log, sizeof(serial->log)},
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		int32_t ret = vmm_query(args->hello, args->host, services[i].id, services[i].bytes,
			services[i].copy, services[i].bytes, args->error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int32_t open_stream(struct serial *serial, const struct vmm_create_args *args)
{
	const struct vmm_value *path = args->values[OPT_PATH];
	struct vmm_stream_open req = {
		.struct_size = sizeof(req),
		.kind = backend_kinds[args->values[OPT_BACKEND]->number],
		.path = path->flags & VMM_VALUE_PRESENT ? path->text : NULL,
		.loop = serial->loop.own(serial->host),
		.ops = &serial_stream_ops,
		.ctx = serial,
		.error = args->error,
	};

	return serial->streams.open(serial->host, &req, &serial->stream);
}

static int32_t serial_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct serial *serial = calloc(1, sizeof(*serial));
	int32_t ret;

	if (!serial) {
		vmm_set_error(args->error, "there is no memory for a serial port");
		return VMM_E_NOMEM;
	}
	serial->host = args->host;
	serial->id = args->device_id;
	serial->port = (uint16_t)args->values[OPT_PORT]->number;
	serial->gsi = (uint32_t)args->values[OPT_IRQ]->number;
	uart_reset(&serial->uart);
	ret = query_services(serial, args);
	if (!ret)
		ret = open_stream(serial, args);
	if (ret < 0) {
		free(serial);
		return ret;
	}
	*ret_ctx = serial;
	return 0;
}

/* "COM1" to "COM4" for the usual ports, "U" and the port in base 36 for others: 0x1000 is "U0E8".
 */
static uint64_t acpi_name(uint16_t port, uint32_t *ret_uid)
{
	static const uint16_t usual[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[4] = {'C', 'O', 'M', 0};
	uint64_t value = 0;

	for (uint32_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (usual[i] == port) {
			name[3] = digits[i + 1];
			*ret_uid = i + 1;
		}
	}
	if (!name[3]) {
		uint32_t slot = port / UART_PORTS;

		name[0] = 'U';
		name[1] = digits[slot / 36 / 36];
		name[2] = digits[slot / 36 % 36];
		name[3] = digits[slot % 36];
		*ret_uid = port;
	}
	for (uint32_t i = 0; i < sizeof(name); i++)
		value |= (uint64_t)(uint8_t)name[i] << (8 * i);
	return value;
}

static int32_t add_acpi(struct serial *serial)
{
	uint32_t uid;
	uint64_t name = acpi_name(serial->port, &uid);
	/* The values first: their search does not depend on the name. */
	const struct vmm_acpi_patch patches[] = {
		{{'_', 'U', 'I', 'D'}, VMM_ACPI_PATCH_VALUE, uid},
		{{'P', 'O', 'R', 'T'}, VMM_ACPI_PATCH_VALUE, serial->port},
		{{'G', 'S', 'I', 'N'}, VMM_ACPI_PATCH_VALUE, serial->gsi},
		{{'C', 'O', 'M', 'X'}, VMM_ACPI_PATCH_NAME, name},
	};

	return serial->acpi.add_table(serial->host, serial_aml, sizeof(serial_aml), patches,
		sizeof(patches) / sizeof(patches[0]));
}

static int32_t serial_realize(void *ctx, struct vmm_error *error)
{
	struct serial *serial = ctx;
	const struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = serial->id,
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = serial->port,
		.bytes = UART_PORTS,
		.width_max = 1,
		.ops = &serial_io_ops,
		.ctx = serial,
	};
	int32_t ret =
		serial->irq.line_open(serial->host, serial->gsi, VMM_IRQ_LEVEL, &serial->line);

	if (ret < 0) {
		vmm_set_error(error, "interrupt line %" PRIu32 " cannot be used: %s", serial->gsi,
			ret == VMM_E_BUSY ? "another device has it; set a different irq"
					  : vmm_error_text(ret));
		return ret;
	}
	serial->has_line = 1;
	ret = serial->io.region_add(serial->host, &region, &serial->region);
	if (ret < 0) {
		vmm_set_error(error, "ports 0x%x to 0x%x cannot be used: %s", serial->port,
			serial->port + UART_PORTS - 1,
			ret == VMM_E_EXISTS ? "another device has some" : vmm_error_text(ret));
		return ret;
	}
	serial->has_region = 1;
	ret = add_acpi(serial);
	if (ret < 0)
		vmm_set_error(error, "the ACPI description of the serial port cannot be added: %s",
			vmm_error_text(ret));
	return ret;
}

static void serial_unrealize(void *ctx)
{
	struct serial *serial = ctx;

	if (serial->has_region)
		serial->io.region_remove(serial->host, serial->region);
	if (serial->has_line)
		serial->irq.line_close(serial->host, serial->line);
	serial->has_region = 0;
	serial->has_line = 0;
}

static void serial_destroy(void *ctx)
{
	struct serial *serial = ctx;

	serial->streams.close(serial->host, serial->stream);
	free(serial);
}

/* --- What the plugin offers --- */

static const struct vmm_option opt_port = {
	.struct_size = sizeof(opt_port),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0x3f8",
	.min = 0x100,
	.max = 0xfff8,
	.doc = "first of its 8 I/O ports; COM1 to COM4 are 0x3f8, 0x2f8, 0x3e8, 0x2e8",
	.since_minor = 1,
};

static const struct vmm_option opt_irq = {
	.struct_size = sizeof(opt_irq),
	.name = "irq",
	.type = VMM_OPT_UINT,
	.default_text = "4",
	.min = 3,
	.max = 23,
	.doc = "interrupt line, which ports may share; COM1 has 4, COM2 has 3",
	.since_minor = 1,
};

static const struct vmm_option opt_backend = {
	.struct_size = sizeof(opt_backend),
	.name = "backend",
	.type = VMM_OPT_ENUM,
	.default_text = "stdio",
	.enum_names = backend_names,
	.enum_count = BACKEND_COUNT,
	.doc = "where the other end of the line is",
	.since_minor = 1,
};

static const struct vmm_option opt_path = {
	.struct_size = sizeof(opt_path),
	.name = "path",
	.type = VMM_OPT_PATH,
	.doc = "of the file or socket; with pty: of a symbolic link to make to the terminal",
	.since_minor = 1,
};

static const struct vmm_option *const serial_options[OPT_COUNT] = {
	[OPT_PORT] = &opt_port,
	[OPT_IRQ] = &opt_irq,
	[OPT_BACKEND] = &opt_backend,
	[OPT_PATH] = &opt_path,
};

static const struct vmm_device_ops serial_ops = {
	.size = sizeof(serial_ops),
	.validate = serial_validate,
	.create = serial_create,
	.realize = serial_realize,
	.unrealize = serial_unrealize,
	.destroy = serial_destroy,
};

static const struct vmm_device_type serial_type = {
	.size = sizeof(serial_type),
	.name = "serial",
	.summary = "16550A serial port, the guest's console",
	.thread_model = VMM_THREADS_SERIAL,
	.options = serial_options,
	.option_count = OPT_COUNT,
	.ops = &serial_ops,
};

static const struct vmm_device_type *const serial_types[] = {&serial_type};

static const struct vmm_plugin_desc serial_desc = {
	.size = sizeof(serial_desc),
	.id = "serial",
	.version = "0.1.1",
	.summary = "16550A serial port",
	.types = serial_types,
	.type_count = 1,
};

VMM_PLUGIN(serial_desc, "serial", 1);
