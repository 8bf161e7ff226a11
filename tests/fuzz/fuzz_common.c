/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the registers of a virtio device, over PCI and over MMIO, transport as it is
 * shipped: common configuration, notifications, device configuration, the window in PCI
 * configuration space. The device behind it holds chains, is slow to reset or cannot start.
 * Whatever happened, a driver that resets it and starts over is served.
 */
#include "fuzz.h"
#include "probe.h"

#define RAM_BYTES    0x10000u
#define REG_END      0x40u
#define PLACES       9u    /* registers before those of the selected queue */
#define QUEUE_FIELDS 0x18u /* registers of the selected queue begin */

struct machine {
	struct fake_host *host;
	struct probe *probe;
	struct fake_virtio driver;
	int pci;
};

static void up(struct machine *m, int pci)
{
	static const struct fake_ram ram = {0, RAM_BYTES};
	const struct fake_config config = {.ram = &ram, .ram_count = 1, .flags = FAKE_CLOCK};
	const char *transport = pci ? "virtio-pci" : "virtio-mmio";
	vmm_host *device;

	*m = (struct machine){.host = fake_host_create(&config), .pci = pci};
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio"));
	fake_type_add(m->host, &probe_type);
	if (pci) {
		fake_plugin_load(m->host, FAKE_PLUGIN("pci"));
		FUZZ_CHECK(fake_device_add(m->host, "pci", "pci0", NULL, NULL) == 0);
	}
	FUZZ_CHECK(fake_device_add(m->host, transport, "virtio0",
			   pci ? FAKE_OPTIONS("bus=pci0") : NULL, NULL) == 0);
	FUZZ_CHECK(fake_device_add(m->host, "probe", "probe0", FAKE_OPTIONS("transport=virtio0"),
			   &device) == 0);
	FUZZ_CHECK(fake_host_start(m->host) == 0);
	m->probe = fake_device_ctx(device);
	if (pci)
		fake_virtio_find(m->host, PROBE_ID, 0, 0, RAM_BYTES, &m->driver);
	else
		fake_virtio_find_mmio(m->host, PROBE_ID, 0, 0, RAM_BYTES, &m->driver);
}

static void finish_reset(struct machine *m)
{
	m->probe->reset_pending = 0;
	m->probe->virtio.reset_done(m->probe->transport, m->probe->device);
}

/* A good driver is served again. */
static void check_alive(struct machine *m)
{
	struct fake_virtio_buffer in = {0, 32, 1};

	m->probe->mode = PROBE_ECHO;
	m->probe->activate_fails = 0;
	if (m->pci)
		fake_pci_enable(&m->driver.pci);
	fake_settle(m->host);
	finish_reset(m);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	FUZZ_CHECK(m->probe->features & VMM_VIRTIO_F_VERSION_1);
	in.gpa = fake_virtio_alloc(&m->driver, 32, 16);
	FUZZ_CHECK(fake_virtio_request(&m->driver, 1, &in, 1) == 32);
	FUZZ_CHECK(((uint8_t *)fake_ram(m->host, in.gpa, 32))[31] == PROBE_FILL);
}

/* What must hold at any time. */
static void check_state(struct machine *m)
{
	const uint64_t offered = PROBE_FEATURES | VMM_VIRTIO_F_VERSION_1 | VMM_VIRTIO_F_EVENT_IDX |
				 VMM_VIRTIO_F_INDIRECT_DESC;
	uint32_t status;

	if (m->pci)
		fake_pci_command(&m->driver.pci, FAKE_PCI_CMD_MEMORY, 1);
	status = fake_virtio_status(&m->driver);
	FUZZ_CHECK(!(status & 0x30));
	FUZZ_CHECK(!(status & FAKE_VIRTIO_NEEDS_RESET) || status & FAKE_VIRTIO_DRIVER_OK);
	FUZZ_CHECK(!(status & FAKE_VIRTIO_DRIVER_OK) || status & FAKE_VIRTIO_FEATURES_OK);
	FUZZ_CHECK(!(m->probe->features & ~offered));
	FUZZ_CHECK(!m->probe->activations || m->probe->features & VMM_VIRTIO_F_VERSION_1);
	FUZZ_CHECK(m->probe->resets <= m->probe->activations);
	FUZZ_CHECK(!m->probe->chains || m->probe->activations);
}

/* A register by its place in the common structure, of either transport, in any width. */
static uint64_t access_common(struct machine *m, struct fuzz_input *in, int write)
{
	uint32_t how = fuzz_u8(in);
	uint32_t offset = how % REG_END;
	uint32_t width = 1u << (how >> 6);
	uint64_t place = m->driver.common.offset + offset;

	if (!m->pci) { /* its registers are elsewhere: take offsets as they come */
		place = fuzz_u16(in) % 0x140;
		width = how & 0x80 ? width : 4;
		if (write)
			fake_mmio_write(m->host, m->driver.mmio + place, width, fuzz_number(in));
		return write ? 0 : fake_mmio_read(m->host, m->driver.mmio + place, width);
	}
	if (write)
		fake_bar_write(&m->driver.pci, m->driver.common.bar, place, width, fuzz_number(in));
	return write ? 0 : fake_bar_read(&m->driver.pci, m->driver.common.bar, place, width);
}

static uint64_t queue_fields(struct machine *m)
{
	uint64_t sum = 0;

	for (uint32_t at = QUEUE_FIELDS; at < 0x38; at += 2)
		if (at != FAKE_VIRTIO_REG_QUEUE_VECTOR)
			sum = sum * 31 + fake_virtio_reg_read(&m->driver, at & ~3u, 4) +
			      fake_virtio_reg_read(&m->driver, at, 2);
	return sum;
}

/* A register as a driver names it. What is in use does not change. */
static void write_register(struct machine *m, struct fuzz_input *in)
{
	static const uint8_t widths[PLACES] = {4, 4, 4, 4, 2, 2, 1, 1, 2};
	static const uint8_t places[PLACES] = {
		0x00, 0x04, 0x08, 0x0c, 0x10, 0x12, 0x14, 0x15, 0x16};
	uint32_t how = fuzz_u8(in);
	uint32_t which = how % (PLACES + 10);
	uint32_t reg = which < PLACES ? places[which] : QUEUE_FIELDS + (which - PLACES) * 4;
	uint32_t width = which < PLACES ? widths[which] : 4;
	int fixed = m->pci && reg >= QUEUE_FIELDS && reg != QUEUE_FIELDS &&
		    fake_virtio_status(&m->driver) & FAKE_VIRTIO_DRIVER_OK;
	uint64_t before = fixed ? queue_fields(m) : 0;

	fake_virtio_reg_write(&m->driver, reg, how & 0x80 ? 2 : width, fuzz_number(in));
	if (fixed)
		FUZZ_CHECK(queue_fields(m) == before);
}

static void notify(struct machine *m, struct fuzz_input *in)
{
	uint32_t how = fuzz_u8(in);
	uint32_t offset = fuzz_u8(in) % 32;
	const struct fake_virtio_window *window =
		how & 4 ? &m->driver.notify_more : &m->driver.notify;
	uint32_t width = 1u << (how & 3);

	if (!m->pci)
		fake_mmio_write(m->host, m->driver.mmio + 0x50, width, how >> 4);
	else if (how & 8)
		fake_virtio_kick(&m->driver, offset % PROBE_QUEUES);
	else if (window->cap)
		fake_bar_write(
			&m->driver.pci, window->bar, window->offset + offset, width, how >> 4);
}

static void access_config(struct machine *m, struct fuzz_input *in)
{
	uint32_t how = fuzz_u8(in);
	uint32_t width = 1u << (how & 3);
	uint32_t offset = fuzz_u8(in);

	if (how & 4)
		fake_virtio_config_read(&m->driver, offset, width);
	else
		fake_virtio_config_write(&m->driver, offset, width, fuzz_u32(in));
}

/* The capability through which firmware reaches the BARs (4.1.4.9). */
static void access_window(struct machine *m, struct fuzz_input *in)
{
	uint32_t how = fuzz_u8(in);
	uint32_t cap = m->driver.pci_cfg.cap;

	if (!m->pci || !cap)
		return;
	if (how & 1)
		fake_pci_write(&m->driver.pci, cap + 4, 1, how & 2 ? fuzz_u8(in) : 0);
	if (how & 4)
		fake_pci_write(&m->driver.pci, cap + 8, 4, (uint32_t)fuzz_number(in));
	if (how & 8)
		fake_pci_write(&m->driver.pci, cap + 12, 4,
			how & 16 ? (uint32_t)fuzz_number(in) : 1u << (how >> 6));
	if (how & 32)
		fake_pci_write(&m->driver.pci, cap + 16, 4, fuzz_u32(in));
	else
		fake_pci_read(&m->driver.pci, cap + 16, 4);
}

static void device_does(struct machine *m, struct fuzz_input *in)
{
	static const uint32_t modes[] = {PROBE_ECHO, PROBE_HOLD, PROBE_DEAF};
	uint32_t how = fuzz_u8(in);
	uint8_t byte = (uint8_t)how;

	switch (how >> 5) {
	case 0:
		m->probe->mode = modes[how % 3];
		break;
	case 1:
		m->probe->reset_pending = how & 1;
		break;
	case 2:
		m->probe->activate_fails = how & 1;
		break;
	case 3:
		probe_release(m->probe, how % PROBE_QUEUES);
		break;
	case 4:
		finish_reset(m);
		break;
	case 5:
		m->probe->virtio.config_update(m->probe->transport, m->probe->device,
			how % (PROBE_CONFIG_BYTES + 2), &byte, 1, how & 1);
		break;
	case 6:
		m->probe->virtio.kick(m->probe->transport, m->probe->device, how % PROBE_QUEUES);
		break;
	default:
		(m->probe->virtio.fail)(
			m->probe->transport, m->probe->device); /* a macro of cmocka, too */
		break;
	}
}

/* As an operating system does it, so that there is something to break. */
static void driver_does(struct machine *m, struct fuzz_input *in)
{
	struct fake_virtio_buffer buffer = {0x8000, 64, 1};
	uint32_t how = fuzz_u8(in);
	uint32_t queue = how >> 2 & 1;

	switch (how & 3) {
	case 0:
		if (m->pci)
			fake_pci_enable(&m->driver.pci);
		fake_settle(m->host);
		finish_reset(m);
		m->probe->activate_fails = 0;
		fake_virtio_init(&m->driver, how & 8 ? FAKE_VIRTIO_ALL : VMM_VIRTIO_F_VERSION_1);
		break;
	case 1:
		if (m->driver.queues[queue].free_count)
			fake_virtio_add(&m->driver, queue, &buffer, 1, 0);
		fake_virtio_kick(&m->driver, queue);
		break;
	case 2:
		fake_virtio_negotiate(&m->driver, fuzz_number(in) | VMM_VIRTIO_F_VERSION_1);
		break;
	default:
		if (m->driver.queues[queue].size)
			fake_virtio_avail_index(&m->driver, queue, fuzz_u16(in));
		break;
	}
}

static void step(struct machine *m, struct fuzz_input *in)
{
	uint32_t how;

	switch (fuzz_below(in, 12)) {
	case 0:
		access_common(m, in, 1);
		break;
	case 1:
		access_common(m, in, 0);
		break;
	case 2:
	case 3:
		write_register(m, in);
		break;
	case 4:
		notify(m, in);
		break;
	case 5:
		access_config(m, in);
		break;
	case 6:
		access_window(m, in);
		break;
	case 7:
		device_does(m, in);
		break;
	case 8:
		driver_does(m, in);
		break;
	case 9:
		how = fuzz_u8(in);
		if (m->pci)
			fake_pci_command(&m->driver.pci, how & 7, how >> 3 & 1);
		break;
	case 10:
		fake_virtio_isr(&m->driver);
		break;
	default:
		fake_run_once(m->host, 0);
		check_state(m);
		break;
	}
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	struct machine m;

	up(&m, fuzz_u8(&in) & 1);
	while (in.left)
		step(&m, &in);
	check_alive(&m);
	fake_virtio_fini(&m.driver);
	fake_host_destroy(m.host);
	return 0;
}
