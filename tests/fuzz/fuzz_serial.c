/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the serial port as it is shipped, with a guest that accesses its ports in any width
 * and order, a host that types, and a reader that is slow.
 */
#include <vmm/testkit/host.h>

#include "fuzz.h"

#define PORT 0x3f8u
#define IRQ  4u

#define REG_IIR  2u
#define REG_LCR  3u
#define REG_MCR  4u
#define LCR_DLAB 0x80u
#define MCR_LOOP 0x10u
#define IIR_NONE 0x01u

struct port {
	struct fake_host *host;
	vmm_host *device;
	uint8_t lcr, mcr; /* as the guest wrote them */
	uint64_t sent;    /* bytes that went into the line, */
	uint64_t came;    /* and that came out of it */
	uint64_t room;
};

/* One byte of a write, as far as this target follows what the port does. */
static void wrote(struct port *port, uint64_t address, uint8_t value)
{
	switch (address - PORT) {
	case 0:
		if (!(port->lcr & LCR_DLAB) && !(port->mcr & MCR_LOOP) && port->room) {
			port->sent++;
			port->room--;
		}
		break;
	case REG_LCR:
		port->lcr = value;
		break;
	case REG_MCR:
		port->mcr = value;
		break;
	default:
		break;
	}
}

static void guest_write(struct port *port, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t width = 1u << (how >> 4 & 3);
	uint64_t address = PORT - 2 + how % 12;
	uint64_t value;

	fuzz_bytes(in, memset(&value, 0, sizeof(value)), width);
	fake_pio_write(port->host, address, width, value);
	for (uint32_t i = 0; i < width; i++)
		wrote(port, address + i, (uint8_t)(value >> (8 * i)));
}

static void guest_read(struct port *port, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t width = 1u << (how >> 4 & 3);
	uint64_t address = PORT - 2 + how % 12;
	uint32_t level = fake_line_level(port->host, IRQ);
	uint64_t value = fake_pio_read(port->host, address, width);

	if (width == 1 && address == PORT + REG_IIR)
		FUZZ_CHECK(level == !(value & IIR_NONE));
	FUZZ_CHECK(width == 8 || !(value >> (8 * width)));
	if (address + width <= PORT || address >= PORT + 8)
		FUZZ_CHECK(value == UINT64_MAX >> (64 - 8 * width));
}

static void host_reads(struct port *port)
{
	uint8_t data[64];

	port->came += fake_stream_output(port->device, data, sizeof(data));
	FUZZ_CHECK(port->came <= port->sent);
}

static void host_types(struct port *port, struct fuzz_input *in)
{
	size_t bytes;
	const uint8_t *data = fuzz_some(in, &bytes);

	if (bytes)
		fake_stream_feed(port->device, data, bytes);
}

static void step(struct port *port, struct fuzz_input *in)
{
	switch (fuzz_below(in, 10)) {
	case 0:
		host_types(port, in);
		break;
	case 1:
		fake_run_once(port->host, 0);
		break;
	case 2:
		host_reads(port);
		break;
	case 3:
		port->room = fuzz_u8(in);
		fake_stream_room(port->device, port->room);
		break;
	case 4:
		fake_stream_event(port->device, fuzz_u8(in) & 7);
		break;
	case 5:
	case 6:
		guest_read(port, in);
		break;
	default:
		guest_write(port, in);
		break;
	}
}

FUZZ_TARGET(data, bytes)
{
	static const struct fake_ram ram = {0, 4096};
	const struct fake_config config = {.ram = &ram, .ram_count = 1, .flags = FAKE_CLOCK};
	struct fuzz_input in = {data, bytes};
	struct port port = {.host = fake_host_create(&config), .room = 1000};

	fake_plugin_load(port.host, FAKE_PLUGIN("serial"));
	FUZZ_CHECK(fake_device_add(port.host, "serial", "com1", NULL, &port.device) == 0);
	FUZZ_CHECK(fake_host_start(port.host) == 0);
	fake_stream_room(port.device, port.room);
	while (in.left)
		step(&port, &in);
	fake_settle(port.host);
	do
		host_reads(&port);
	while (port.came < port.sent);
	fake_host_destroy(port.host);
	return 0;
}
