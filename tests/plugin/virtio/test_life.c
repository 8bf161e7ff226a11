/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins and hosts may do with the transport that is not seen every day: resets, failures
 * and stops that come together, devices with many queues, places that are taken, a kernel back end
 * for which there is no file descriptor. Names with a row of the catalogue of hostile guests in
 * front are for that row.
 */
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vmm/irq.h>
#include <vmm/support.h>

#include "probe.h"

#define MANY_QUEUES 65u /* more than a BAR of ports has room for */
#define SLOTS_MAX   0x1000u
#define TIMER_NS    20000000u

/*
 * ---- Reset, failure, stop ----
 */

static void a_reset_that_is_done_at_once_is_done_once(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	p->reset_at_once = 1;
	for (uint32_t i = 1; i < 4; i++) {
		fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
		probe_expect_alive(m, 0, 0);
		fake_virtio_reset(&m->driver);
		assert_int_equal(p->resets, i);
	}
	p->reset_at_once = 0;
	p->virtio.reset_done(p->transport, p->device); /* of which nobody asked */
	probe_expect_alive(m, 0, 1);
}

static void a_device_that_fails_twice_complains_once(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	(p->virtio.fail)(p->transport, p->device);
	(p->virtio.fail)(p->transport, p->device);
	assert_int_equal(fake_guest_errors(m->host, "needs-reset"), 1);
	probe_expect_needs_reset(m, 0);
}

static void a_device_that_fails_during_a_reset_is_reset(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->reset_pending = 1;
	fake_virtio_set_status(&m->driver, 0);
	fake_settle(m->host);
	(p->virtio.fail)(p->transport, p->device);
	assert_false(fake_virtio_status(&m->driver) & FAKE_VIRTIO_NEEDS_RESET);
	p->reset_pending = 0;
	p->virtio.reset_done(p->transport, p->device);
	assert_int_equal(fake_virtio_status(&m->driver), 0);
	probe_expect_alive(m, 0, 1);
}

static void a_device_that_failed_changes_its_config_silently(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	const uint8_t byte = 9;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(d, 0);
	(p->virtio.fail)(p->transport, p->device);
	assert_int_equal(fake_virtio_isr(d), 2);
	assert_int_equal(p->virtio.config_update(p->transport, p->device, 0, &byte, 1, 1), 0);
	assert_int_equal(fake_virtio_isr(d), 0);
	assert_int_equal(fake_virtio_config_read(d, 0, 1), 9);
}

static void end_reset(void *ctx)
{
	struct probe *p = ctx;

	p->virtio.reset_done(p->transport, p->device);
}

static void stop_of_the_machine_waits_for_a_reset_that_is_under_way(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	uint64_t timer;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->reset_pending = 1;
	fake_virtio_set_status(&m->driver, 0);
	fake_settle(m->host);
	assert_int_equal(p->loop.timer_add(p->host, p->loop.own(p->host), VMM_CLOCK_HOST, end_reset,
				 p, &timer),
		0);
	p->loop.timer_arm(p->host, timer, fake_clock(m->host, VMM_CLOCK_HOST) + TIMER_NS);
	assert_int_not_equal(fake_virtio_status(&m->driver), 0);
	fake_host_quiesce(m->host);
	assert_int_equal(p->resets, 1);
	assert_int_equal(fake_virtio_status(&m->driver), 0);
	p->loop.timer_remove(p->host, timer);
}

static void stop_of_the_machine_does_not_wait_for_a_device_that_left(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	p->virtio.detach(p->transport, p->device);
	p->attached = 0;
	fake_host_quiesce(m->host);
	assert_int_equal(p->resets, 0);
}

/*
 * ---- Queues ----
 */

static void t18_a_device_that_pops_for_ever_has_to_wait_for_its_turn(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio_buffer in = {0, 8, 1};
	struct vmm_iovec iov[4];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 4};
	uint32_t pops = 0;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_settle(m->host);
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	fake_virtio_add(&m->driver, 0, &in, 1, 0); /* and no kick */
	while (pops < 100 && p->virtio.pop(p->transport, p->device, 0, &chain) == 1) {
		assert_int_equal(p->virtio.unpop(p->transport, p->device, 0, chain.id), 0);
		pops++;
	}
	assert_int_equal(pops, m->driver.queues[0].size);
	assert_int_equal(fake_virtio_wait(&m->driver, 0, NULL), 8);
}

static void a_look_at_an_empty_queue_costs_no_notification(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_iovec iov[4];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 4};
	uint32_t before;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_settle(m->host);
	before = p->notifies[0];
	assert_int_equal(p->virtio.pop(p->transport, p->device, 0, &chain), 0);
	fake_settle(m->host);
	assert_int_equal(p->notifies[0], before);
	probe_expect_alive(m, 0, 0);
}

static void a_ring_that_was_given_away_is_not_kicked(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	eventfd_t kicks;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(eventfd_read(ring.kick_fd, &kicks), 0);
	p->virtio.kick(p->transport, p->device, 0);
	assert_int_equal(eventfd_read(ring.kick_fd, &kicks), -1);
	assert_int_equal(
		p->virtio.ring_take(p->transport, p->device, PROBE_QUEUES, 0), VMM_E_INVAL);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 0), 0);
	probe_expect_alive(m, 0, 0);
}

/* One queue without a vector, MSI-X on: what the back end signals goes nowhere. */
static void start_without_a_vector(struct probe_machine *m)
{
	fake_virtio_reset(&m->driver);
	fake_virtio_use_msix(&m->driver, 1);
	assert_true(fake_virtio_negotiate(&m->driver, 1ull << 32));
	fake_virtio_queue_setup(&m->driver, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_driver_ok(&m->driver);
}

static void a_given_ring_without_a_vector_interrupts_nobody(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	struct fake_msi msi;

	start_without_a_vector(m);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(eventfd_write(ring.call_fd, 1), 0);
	fake_settle(m->host);
	assert_int_equal(fake_msi_take(m->host, &msi), 0);
	assert_int_equal(fake_virtio_isr(&m->driver), 0);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 0), 0);
}

static void h19_a_ring_stays_when_there_is_no_fd_to_give_it_with(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	struct rlimit before, none;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(&m->driver, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_LIMIT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fake_host_fail_after(m->host, 1);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_NOMEM);
	assert_true(fake_host_fault_hit(m->host));
	fake_host_fail_after(m->host, 0);
	probe_expect_alive(m, 0, 0);
}

/*
 * ---- Devices of other kinds ----
 */

static void t15_config_is_written_to_a_device_that_does_not_listen(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_virtio_config_write(&m->driver, PROBE_WRITABLE, 1, 0xa5);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 0);
	assert_int_equal(fake_virtio_config_read(&m->driver, PROBE_WRITABLE, 1), 0xaf);
	probe_expect_alive(m, 0, 0);
}

static void a_device_of_many_queues_has_its_doorbells_in_memory(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint64_t last;

	assert_false(d->notify_more.cap);
	assert_int_equal(d->notify.bytes, MANY_QUEUES * 4);
	last = d->pci.bars[d->notify.bar].address + d->notify.offset + (MANY_QUEUES - 1) * 4;
	assert_true(fake_doorbell_at(m->host, VMM_IO_MMIO, last));
	assert_false(fake_doorbell_at(m->host, VMM_IO_MMIO, last + 4));
	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, 1ull << 32));
	fake_virtio_queue_setup(d, 1, 0, 0);
	fake_virtio_driver_ok(d);
	probe_expect_alive(m, 1, 0);
}

static int32_t realize_deaf(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;
	struct vmm_virtio_device device;
	struct vmm_virtio_ops ops;
	int32_t ret;

	probe_describe(p, error, &device);
	ops = *device.ops;
	ops.config_written = NULL;
	device.ops = &ops;
	ret = p->virtio.attach(p->transport, &device, &p->device);
	p->attached = ret >= 0;
	return ret;
}

static int32_t realize_wide(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;
	struct vmm_virtio_device device;
	uint16_t sizes[MANY_QUEUES];
	int32_t ret;

	for (uint32_t i = 0; i < MANY_QUEUES; i++)
		sizes[i] = 8;
	probe_describe(p, error, &device);
	device.queue_count = MANY_QUEUES;
	device.queue_sizes = sizes;
	ret = p->virtio.attach(p->transport, &device, &p->device);
	p->attached = ret >= 0;
	return ret;
}

/* Tries the slot of what was attached, the one behind the last and the last. */
static int32_t realize_in_slots(void *ctx, struct vmm_error *error)
{
	static const uint32_t slots[] = {3, SLOTS_MAX, SLOTS_MAX - 1};
	struct probe *p = ctx;
	struct vmm_virtio_device device;
	uint64_t last;

	probe_describe(p, error, &device);
	device.slot = 3;
	assert_int_equal(p->virtio.attach(p->transport, &device, &p->device), 0);
	p->attached = 1;
	for (size_t i = 0; i < 2; i++) {
		char text[80];

		device.slot = slots[i];
		assert_int_equal(p->virtio.attach(p->transport, &device, &last),
			i ? VMM_E_LIMIT : VMM_E_EXISTS);
		snprintf(text, sizeof(text), "slot %u is not free or does not exist", slots[i]);
		assert_non_null(strstr(error->text, text));
	}
	device.slot = slots[2];
	assert_int_equal(p->virtio.attach(p->transport, &device, &last), 0);
	p->virtio.detach(p->transport, last);
	return 0;
}

static const struct vmm_device_type *type_with(
	int32_t (*realize)(void *ctx, struct vmm_error *error), struct vmm_device_ops *ops,
	struct vmm_device_type *type)
{
	*ops = *probe_type.ops;
	ops->realize = realize;
	*type = probe_type;
	type->ops = ops;
	return type;
}

/* A machine with virtio-mmio and one device; what start gives. */
static int32_t start_on_mmio(
	struct fake_host *host, int32_t (*realize)(void *ctx, struct vmm_error *error))
{
	static struct vmm_device_ops ops;
	static struct vmm_device_type type;

	fake_plugin_load(host, FAKE_PLUGIN("virtio"));
	fake_type_add(host, type_with(realize, &ops, &type));
	assert_int_equal(fake_device_add(host, "virtio-mmio", "virtio0", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(host, "probe", "probe0", FAKE_OPTIONS("transport=virtio0"), NULL),
		0);
	return fake_host_start(host);
}

static void mmio_slots_that_are_taken_or_do_not_exist_are_errors(void **state)
{
	struct vmm_layout layout;
	const struct fake_config config = {.layout = &layout};
	struct fake_host *host;

	(void)state;
	fake_layout_default(&layout);
	layout.device_mmio_bytes = 2ull * SLOTS_MAX * 4096; /* more than ACPI names are for */
	host = fake_host_create(&config);
	assert_int_equal(start_on_mmio(host, realize_in_slots), 0);
	fake_host_destroy(host);
}

static void mmio_without_lines_is_an_error(void **state)
{
	struct vmm_layout layout;
	const struct fake_config config = {.layout = &layout};
	struct fake_host *host;

	(void)state;
	fake_layout_default(&layout);
	layout.device_gsi_count = 0;
	host = fake_host_create(&config);
	assert_int_equal(start_on_mmio(host, probe_type.ops->realize), VMM_E_UNSUPPORTED);
	assert_non_null(strstr(fake_error(host), "no lines for devices"));
	fake_host_destroy(host);
}

static void mmio_line_that_is_not_free_is_an_error(void **state)
{
	struct fake_host *host = fake_host_create(NULL);
	vmm_host *other = fake_device_bare(host, "other", VMM_THREADS_PARALLEL);
	struct vmm_irq irq;
	struct vmm_layout layout;
	uint64_t line;

	(void)state;
	fake_layout_default(&layout);
	assert_int_equal(vmm_query(fake_hello(host), other, VMM_IRQ_ID, sizeof(irq), &irq,
				 sizeof(irq), NULL),
		0);
	assert_int_equal(irq.line_open(other, layout.device_gsi_base, VMM_IRQ_EDGE, &line), 0);
	assert_int_equal(start_on_mmio(host, probe_type.ops->realize), VMM_E_BUSY);
	assert_non_null(strstr(fake_error(host), "it is not free"));
	irq.line_close(other, line);
	fake_host_destroy(host);
}

int main(void)
{
	static struct vmm_device_ops deaf_ops, wide_ops;
	static struct vmm_device_type deaf_type, wide_type;
	static struct probe_machine_kind deaf_on_pci = {.transport = "virtio-pci"};
	static struct probe_machine_kind wide_on_pci = {.transport = "virtio-pci"};
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(a_reset_that_is_done_at_once_is_done_once),
		PROBE_TESTS(a_device_that_fails_twice_complains_once),
		PROBE_TESTS(a_device_that_fails_during_a_reset_is_reset),
		PROBE_TESTS(a_device_that_failed_changes_its_config_silently),
		PROBE_TESTS(stop_of_the_machine_waits_for_a_reset_that_is_under_way),
		PROBE_TESTS(stop_of_the_machine_does_not_wait_for_a_device_that_left),
		PROBE_TESTS(t18_a_device_that_pops_for_ever_has_to_wait_for_its_turn),
		PROBE_TESTS(a_look_at_an_empty_queue_costs_no_notification),
		PROBE_TESTS(a_ring_that_was_given_away_is_not_kicked),
		PROBE_TEST(a_given_ring_without_a_vector_interrupts_nobody, probe_on_pci),
		PROBE_TESTS(h19_a_ring_stays_when_there_is_no_fd_to_give_it_with),
		PROBE_TEST(t15_config_is_written_to_a_device_that_does_not_listen, deaf_on_pci),
		PROBE_TEST(a_device_of_many_queues_has_its_doorbells_in_memory, wide_on_pci),
		cmocka_unit_test(mmio_slots_that_are_taken_or_do_not_exist_are_errors),
		cmocka_unit_test(mmio_without_lines_is_an_error),
		cmocka_unit_test(mmio_line_that_is_not_free_is_an_error),
	};

	deaf_on_pci.type = type_with(realize_deaf, &deaf_ops, &deaf_type);
	wide_on_pci.type = type_with(realize_wide, &wide_ops, &wide_type);
	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
