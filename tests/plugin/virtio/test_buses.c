/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is special about virtio over PCI: identity and capabilities, the PCI_CFG window, doorbells,
 * MSI-X vectors and the bus master bit; and about virtio over MMIO: its registers and its ACPI
 * device. Names begin with the row of the catalogue of hostile guests that they are for.
 */
#include <stdio.h>

#include "probe.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define CAP_BAR    4u
#define CAP_OFFSET 8u
#define CAP_LENGTH 12u
#define CAP_DATA   16u

static void identity_is_that_of_a_modern_device(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	assert_int_equal(d->pci.vendor_id, 0x1af4);
	assert_int_equal(d->pci.device_id, 0x1040 + PROBE_ID);
	assert_int_equal(fake_pci_read(&d->pci, 0x08, 1), 1); /* revision */
	assert_int_equal(fake_pci_read(&d->pci, 0x2c, 2), 0x1af4);
	assert_true(fake_pci_read(&d->pci, 0x2e, 2) >= 0x40);
	assert_int_equal(d->pci.msix_vectors, PROBE_QUEUES + 1);
	assert_int_equal(d->queue_count, PROBE_QUEUES);
	assert_int_equal(fake_pci_read(&d->pci, 0x3d, 1) != 0, 1); /* interrupt pin */
}

static void capabilities_lie_in_their_bar(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	const struct fake_virtio_window *windows[] = {&d->common, &d->notify, &d->isr, &d->config};

	for (size_t i = 0; i < 4; i++) {
		assert_true(windows[i]->cap);
		assert_true(windows[i]->bytes);
		assert_true(windows[i]->offset + windows[i]->bytes <=
			    d->pci.bars[windows[i]->bar].bytes);
	}
	assert_true(d->common.bytes >= 56); /* what Linux asks for */
	assert_int_equal(d->config.bytes, PROBE_CONFIG_BYTES);
	assert_int_equal(d->notify_multiplier, 4);
	assert_true(d->notify.bytes >= 4 * PROBE_QUEUES);
	assert_true(d->pci_cfg.cap);
	assert_int_not_equal(d->common.bar, d->pci.msix_bar);
}

static void window(struct probe_machine *m, uint32_t bar, uint32_t offset, uint32_t length)
{
	uint32_t cap = m->driver.pci_cfg.cap;

	fake_pci_write(&m->driver.pci, cap + CAP_BAR, 1, bar);
	fake_pci_write(&m->driver.pci, cap + CAP_OFFSET, 4, offset);
	fake_pci_write(&m->driver.pci, cap + CAP_LENGTH, 4, length);
}

static uint32_t window_read(struct probe_machine *m, uint32_t width)
{
	return fake_pci_read(&m->driver.pci, m->driver.pci_cfg.cap + CAP_DATA, width);
}

static void window_write(struct probe_machine *m, uint32_t width, uint32_t value)
{
	fake_pci_write(&m->driver.pci, m->driver.pci_cfg.cap + CAP_DATA, width, value);
}

static void t16_window_reaches_the_registers(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	const struct fake_virtio_window *doorbells[] = {&d->notify, &d->notify_more};
	uint32_t common = (uint32_t)d->common.offset;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_reset(d);
	window(m, d->common.bar, common + REG(STATUS), 1);
	window_write(m, 1, 1);
	assert_int_equal(fake_virtio_status(d), 1);
	assert_int_equal(window_read(m, 1), 1);
	window(m, d->common.bar, common + REG(NUM_QUEUES), 2);
	assert_int_equal(window_read(m, 2), PROBE_QUEUES);
	window(m, d->common.bar, (uint32_t)d->config.offset, 4);
	assert_int_equal(window_read(m, 4), 0x04030201);
	assert_int_equal(fake_pci_read(&d->pci, d->pci_cfg.cap + CAP_LENGTH, 4), 4);
	/* A doorbell rings, too. */
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_add(d, 0, &in, 1, 0);
		window(m, doorbells[i]->bar, (uint32_t)doorbells[i]->offset, 2);
		window_write(m, 2, 0);
		assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
	}
}

static void t16_window_onto_anything_else_reads_ones(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint32_t bar = d->common.bar;
	uint32_t end = (uint32_t)d->pci.bars[bar].bytes;
	const struct {
		uint32_t bar, offset, length;
	} bad[] = {
		{d->pci.msix_bar, 0, 4}, {5, 0, 4}, {6, 0, 4}, {255, 0, 4}, {bar, REG(STATUS), 0},
		{bar, REG(STATUS), 3}, {bar, REG(STATUS), 5}, {bar, REG(STATUS), 8},
		{bar, REG(STATUS), 0x80000000u}, {bar, REG(STATUS), UINT32_MAX}, {bar, end, 1},
		{bar, end - 1, 2}, {bar, end - 2, 4}, {bar, UINT32_MAX, 1},
		{bar, UINT32_MAX - 3, 4}, {bar, 1, 2}, /* not aligned */
	};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		window(m, bad[i].bar, bad[i].offset, bad[i].length);
		assert_int_equal(window_read(m, 4), UINT32_MAX);
		window_write(m, 4, 0);
		window_write(m, 1, 0);
	}
	assert_int_equal(fake_virtio_status(d), 0xf);
	probe_expect_alive(m, 0, 0);
}

static void t16_window_is_used_by_its_data_only(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint32_t cap = d->pci_cfg.cap;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(d, 0);
	probe_expect_alive(m, 0, 0);
	fake_settle(m->host);
	window(m, d->isr.bar, (uint32_t)d->isr.offset, 1);
	assert_int_equal(fake_pci_read(&d->pci, cap + CAP_LENGTH, 4), 1);
	assert_int_equal(fake_virtio_isr(d), 1); /* nobody has taken it */
	fake_virtio_reset(d);
	window(m, d->common.bar, (uint32_t)d->common.offset + REG(STATUS), 1);
	window_write(m, 1, 1);
	fake_virtio_reset(d);
	fake_pci_write(&d->pci, cap + CAP_LENGTH, 4, 1);
	assert_int_equal(fake_virtio_status(d), 0);
}

static void t16_other_bytes_of_the_capability_are_fixed(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint32_t first = fake_pci_read(&d->pci, d->pci_cfg.cap, 4);

	fake_pci_write(&d->pci, d->pci_cfg.cap, 4, UINT32_MAX);
	assert_int_equal(fake_pci_read(&d->pci, d->pci_cfg.cap, 4), first);
	fake_pci_write(&d->pci, d->pci_cfg.cap + 4, 4, UINT32_MAX);
	assert_int_equal(fake_pci_read(&d->pci, d->pci_cfg.cap + 4, 4), 0xff);
	fake_pci_write(&d->pci, d->common.cap, 4, UINT32_MAX);
	fake_pci_write(&d->pci, d->common.cap + CAP_OFFSET, 4, UINT32_MAX);
	assert_int_equal(fake_pci_read(&d->pci, d->common.cap + CAP_OFFSET, 4), d->common.offset);
}

static void write_wrongly(const struct fake_virtio *d, const struct fake_virtio_window *n)
{
	uint64_t end = d->pci.bars[n->bar].bytes - n->offset;

	for (uint64_t offset = 1; offset < end; offset += 2) /* odd addresses */
		fake_bar_write(&d->pci, n->bar, n->offset + offset, 1, 0);
	for (uint32_t i = 0; i < PROBE_QUEUES; i++) /* between the queues */
		fake_bar_write(&d->pci, n->bar, n->offset + 4 * i + 2, 2, 0);
	if (end > 4 * PROBE_QUEUES)
		fake_bar_write(&d->pci, n->bar, n->offset + 4 * PROBE_QUEUES, 2, 0);
	fake_bar_write(&d->pci, n->bar, n->offset + end - 1, 1, 0);
	if (end > 4 * PROBE_QUEUES)
		fake_bar_write(&d->pci, n->bar, n->offset + end - 4, 4, 0);
}

static void t17_wrong_notifications_kick_nobody_else(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	const struct fake_virtio_window *n = &d->notify;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		m->probe->notifies[q] = 0;
	write_wrongly(d, n);
	write_wrongly(d, &d->notify_more);
	/* A byte is no notification; where the kernel does not catch it, we see it. */
	fake_bar_write(&d->pci, d->notify_more.bar, d->notify_more.offset, 1, 0);
	window(m, n->bar, (uint32_t)n->offset, 1);
	window_write(m, 1, 0);
	fake_settle(m->host);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		assert_int_equal(m->probe->notifies[q], 0);
	fake_bar_write(&d->pci, n->bar, n->offset, 2, 1); /* the value of another queue */
	fake_settle(m->host);
	assert_int_equal(m->probe->notifies[1], 0);
	assert_int_equal(fake_bar_read(&d->pci, n->bar, n->offset, 4), 0);
	assert_int_equal(fake_bar_read(&d->pci, d->notify_more.bar, d->notify_more.offset, 4), 0);
}

static void t19_isr_is_taken_by_a_read_of_one_byte_only(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(d, 0);
	probe_expect_alive(m, 0, 0);
	fake_settle(m->host);
	assert_int_equal(fake_bar_read(&d->pci, d->isr.bar, d->isr.offset, 4), 0);
	assert_int_equal(fake_virtio_isr(d), 1);
	assert_int_equal(fake_virtio_isr(d), 0);
}

static void doorbells_are_ports_and_never_reach_the_plugin(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint64_t base = d->pci.bars[d->notify.bar].address + d->notify.offset;

	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		assert_true(fake_doorbell_at(m->host, VMM_IO_PIO, base + 4 * q));
	assert_int_equal(fake_doorbell_count(m->host), PROBE_QUEUES);
}

static void a_driver_without_ports_has_doorbells_in_memory(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	assert_int_equal(d->notify_more.bar, d->common.bar);
	assert_true(d->notify_more.bytes >= 4 * PROBE_QUEUES);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_pci_command(&d->pci, FAKE_PCI_CMD_IO, 0);
	d->notify = d->notify_more;
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		probe_expect_alive(m, q, 0);
}

static void p12_vector_that_does_not_exist_reads_no_vector(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_reg_write(d, REG(CONFIG_VECTOR), 2, PROBE_QUEUES + 1);
	assert_int_equal(fake_virtio_reg_read(d, REG(CONFIG_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, 0);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, PROBE_QUEUES);
	assert_int_equal(fake_virtio_reg_read(d, REG(QUEUE_VECTOR), 2), PROBE_QUEUES);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, 0xfffe);
	assert_int_equal(fake_virtio_reg_read(d, REG(QUEUE_VECTOR), 2), FAKE_VIRTIO_NO_VECTOR);
	/* P15: with MSI-X on and no vector there is no interrupt at all. */
	fake_virtio_avail_index(d, 1, 9999);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_isr(d), 0);
	for (uint32_t gsi = 16; gsi < 24; gsi++)
		assert_int_equal(fake_line_level(m->host, gsi), 0);
}

static void p8_without_bus_master_memory_is_not_touched(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};
	struct vmm_iovec iov[4];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 4};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	p->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	fake_settle(m->host);
	assert_int_equal(p->held_count, 1);
	fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	probe_release(p, 0);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	fake_settle(m->host);
	assert_int_equal(p->virtio.pop(p->transport, p->device, 0, &chain), 0);
	assert_int_equal(fake_virtio_used_index(d, 0), 0);
	assert_int_equal(p->chains, 1);
	assert_int_equal(fake_virtio_interrupts(d, 0), 0);
	p->mode = PROBE_ECHO;
	fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	fake_settle(m->host); /* no kick: what was missed is made up for */
	assert_int_equal(fake_virtio_used_index(d, 0), 2);
	assert_true(fake_virtio_interrupts(d, 0) > 0);
}

static void p9_doorbells_move_with_the_bar(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint64_t old = d->pci.bars[d->notify.bar].address;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	probe_expect_alive(m, 0, 0);
	fake_pci_move_bar(&d->pci, d->notify.bar, old + 0x400);
	assert_false(fake_doorbell_at(m->host, VMM_IO_PIO, old + d->notify.offset));
	probe_expect_alive(m, 0, 0);
}

static void many_devices_share_one_instance(void **state)
{
	struct fake_host *host = fake_host_create(NULL);
	struct fake_virtio drivers[8];
	char id[32];

	(void)state;
	fake_use_cmocka();
	fake_plugin_load(host, FAKE_PLUGIN("pci"));
	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, &probe_type);
	assert_int_equal(fake_device_add(host, "pci", "pci0", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(host, "virtio-pci", "v0", FAKE_OPTIONS("bus=pci0"), NULL), 0);
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "probe%d", i);
		assert_int_equal(
			fake_device_add(host, "probe", id, FAKE_OPTIONS("transport=v0"), NULL), 0);
	}
	assert_int_equal(fake_host_start(host), 0);
	for (uint32_t i = 0; i < 8; i++) {
		struct fake_virtio_buffer in = {0, 8, 1};

		fake_virtio_find(host, PROBE_ID, i, 0x100000 * (i + 1), 0x100000, &drivers[i]);
		fake_virtio_init(&drivers[i], FAKE_VIRTIO_ALL);
		in.gpa = fake_virtio_alloc(&drivers[i], 8, 8);
		assert_int_equal(fake_virtio_request(&drivers[i], 0, &in, 1), 8);
	}
	for (uint32_t i = 0; i < 8; i++)
		fake_virtio_fini(&drivers[i]);
	fake_host_destroy(host);
}

static void mmio_registers_have_their_values(void **state)
{
	struct probe_machine *m = *state;
	uint64_t base = m->driver.mmio;

	assert_int_equal(fake_mmio_read(m->host, base, 4), 0x74726976);
	assert_int_equal(fake_mmio_read(m->host, base + 4, 4), 2);
	assert_int_equal(fake_mmio_read(m->host, base + 8, 4), PROBE_ID);
	assert_int_equal(fake_mmio_read(m->host, base + 0xb0, 4), UINT32_MAX); /* no SHM */
	assert_int_equal(fake_mmio_read(m->host, base + 0xb4, 4), UINT32_MAX);
	assert_int_equal(fake_mmio_read(m->host, base, 1), 0); /* registers have 4 bytes */
	assert_int_equal(fake_mmio_read(m->host, base + 2, 2), 0);
	for (uint32_t offset = 0xc0; offset < 0xfc; offset += 4)
		assert_int_equal(fake_mmio_read(m->host, base + offset, 4), 0);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	for (uint64_t status = base + 0x71; status < base + 0x74; status++) {
		assert_int_equal(fake_mmio_read(m->host, status, 4), 0);
		fake_mmio_write(m->host, status, 4, 0);
		fake_settle(m->host);
		assert_int_equal(fake_virtio_status(&m->driver), 0xf);
	}
	/* What is for writing only reads as 0: queue select, size, addresses of the queue. */
	fake_mmio_write(m->host, base + 0x30, 4, 1);
	for (uint32_t offset = 0x30; offset < 0xb0; offset += 4)
		if (offset == 0x30 || offset == 0x38 || offset >= 0x80)
			assert_int_equal(fake_mmio_read(m->host, base + offset, 4), 0);
	fake_virtio_reset(&m->driver);
	fake_mmio_write(m->host, base + 0x70, 1, 1);
	assert_int_equal(fake_virtio_status(&m->driver), 0);
	for (uint32_t offset = 0; offset < 0x100; offset += 4) {
		if (offset != 0x70)
			fake_mmio_write(m->host, base + offset, 4, 0x5a5a5a5a);
		fake_mmio_read(m->host, base + offset, 4);
	}
	probe_expect_alive(m, 0, 1);
}

static void mmio_queue_can_be_given_up_before_driver_ok(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, 1ull << 32);
	fake_virtio_queue_setup(d, 0, 0, 0);
	assert_int_equal(fake_virtio_reg_read(d, REG(QUEUE_ENABLE), 2), 1);
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, PROBE_QUEUES);
	fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 0); /* there is none */
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, 0);
	assert_int_equal(fake_virtio_reg_read(d, REG(QUEUE_ENABLE), 2), 1);
	fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 0); /* Linux warns if it stays 1 */
	assert_int_equal(fake_virtio_reg_read(d, REG(QUEUE_ENABLE), 2), 0);
	probe_expect_alive(m, 0, 1);
}

static void t19_mmio_line_stays_up_until_all_causes_are_acknowledged(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	const uint8_t byte = 9;
	struct vmm_layout layout;

	fake_layout_default(&layout);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	probe_expect_alive(m, 0, 0);
	m->probe->virtio.config_update(m->probe->transport, m->probe->device, 0, &byte, 1, 1);
	fake_settle(m->host);
	assert_int_equal(fake_mmio_read(m->host, d->mmio + 0x60, 4), 3);
	fake_mmio_write(m->host, d->mmio + 0x64, 4, 1);
	assert_int_equal(fake_mmio_read(m->host, d->mmio + 0x60, 4), 2);
	assert_int_equal(fake_line_level(m->host, layout.device_gsi_base), 1);
	fake_mmio_write(m->host, d->mmio + 0x64, 4, 2);
	assert_int_equal(fake_line_level(m->host, layout.device_gsi_base), 0);
}

static int contains(const uint8_t *table, uint64_t bytes, const void *part, size_t part_bytes)
{
	return memmem(table, bytes, part, part_bytes) != NULL;
}

static void mmio_device_is_described_by_acpi(void **state)
{
	struct probe_machine *m = *state;
	uint32_t base = (uint32_t)m->driver.mmio;
	struct vmm_layout layout;
	uint64_t bytes;
	const uint8_t *table = fake_acpi_table(m->host, "SSDT", 0, &bytes);

	fake_layout_default(&layout);
	assert_non_null(table);
	assert_true(contains(table, bytes, "LNRO0005", 8));
	assert_true(contains(table, bytes, "V000", 4));
	assert_false(contains(table, bytes, "VXXX", 4));
	assert_true(contains(table, bytes, &base, 4));
	assert_true(contains(table, bytes, &layout.device_gsi_base, 4));
}

static void two_mmio_instances_have_pages_of_their_own(void **state)
{
	struct fake_host *host = fake_host_create(NULL);
	struct fake_virtio drivers[2];

	(void)state;
	fake_use_cmocka();
	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, &probe_type);
	assert_int_equal(fake_device_add(host, "virtio-mmio", "v0", NULL, NULL), 0);
	assert_int_equal(fake_device_add(host, "virtio-mmio", "v1", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(host, "probe", "p0", FAKE_OPTIONS("transport=v0"), NULL), 0);
	assert_int_equal(
		fake_device_add(host, "probe", "p1", FAKE_OPTIONS("transport=v1"), NULL), 0);
	assert_int_equal(fake_host_start(host), 0);
	for (uint32_t i = 0; i < 2; i++) {
		fake_virtio_find_mmio(host, PROBE_ID, i, 0x100000 * (i + 1), 0x100000, &drivers[i]);
		fake_virtio_init(&drivers[i], FAKE_VIRTIO_ALL);
	}
	assert_int_not_equal(drivers[0].mmio, drivers[1].mmio);
	for (uint32_t i = 0; i < 2; i++)
		fake_virtio_fini(&drivers[i]);
	fake_host_destroy(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TEST(identity_is_that_of_a_modern_device, probe_on_pci),
		PROBE_TEST(capabilities_lie_in_their_bar, probe_on_pci),
		PROBE_TEST(t16_window_reaches_the_registers, probe_on_pci),
		PROBE_TEST(t16_window_onto_anything_else_reads_ones, probe_on_pci),
		PROBE_TEST(t16_window_is_used_by_its_data_only, probe_on_pci),
		PROBE_TEST(t16_other_bytes_of_the_capability_are_fixed, probe_on_pci),
		PROBE_TEST(t17_wrong_notifications_kick_nobody_else, probe_on_pci),
		PROBE_TEST(t19_isr_is_taken_by_a_read_of_one_byte_only, probe_on_pci),
		PROBE_TEST(t19_mmio_line_stays_up_until_all_causes_are_acknowledged, probe_on_mmio),
		PROBE_TEST(doorbells_are_ports_and_never_reach_the_plugin, probe_on_pci),
		PROBE_TEST(a_driver_without_ports_has_doorbells_in_memory, probe_on_pci),
		PROBE_TEST(p12_vector_that_does_not_exist_reads_no_vector, probe_on_pci),
		PROBE_TEST(p8_without_bus_master_memory_is_not_touched, probe_on_pci),
		PROBE_TEST(p9_doorbells_move_with_the_bar, probe_on_pci),
		cmocka_unit_test(many_devices_share_one_instance),
		PROBE_TEST(mmio_registers_have_their_values, probe_on_mmio),
		PROBE_TEST(mmio_queue_can_be_given_up_before_driver_ok, probe_on_mmio),
		PROBE_TEST(mmio_device_is_described_by_acpi, probe_on_mmio),
		cmocka_unit_test(two_mmio_instances_have_pages_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
