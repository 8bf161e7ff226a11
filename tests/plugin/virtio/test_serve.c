/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that a device serves on the vCPU that rings their doorbell: when that is done, and what is
 * left to the loop. The loops run by hand, so what happens without a turn of theirs was the vCPU's.
 */
#include <sys/resource.h>
#include <unistd.h>

#include <vmm/loop.h>

#include "probe.h"

#define QUEUE 1u

#define PROBE_TESTS_SERVING(test)                                                                  \
	PROBE_TEST(test, serving_on_pci), PROBE_TEST(test, serving_on_mmio)

static const struct probe_machine_kind serving_on_pci = {.transport = "virtio-pci", .serves = 1};
static const struct probe_machine_kind serving_on_mmio = {.transport = "virtio-mmio", .serves = 1};
static const struct probe_machine_kind serving_on_an_old_host = {
	.transport = "virtio-pci", .serves = 1, .minor = 1};

static void add(struct probe_machine *m, uint32_t queue)
{
	struct fake_virtio_buffer in = {fake_virtio_alloc(&m->driver, 8, 8), 8, 1};

	fake_virtio_add(&m->driver, queue, &in, 1, 0);
}

/* One chain, and the doorbell. No loop has its turn. */
static void ring(struct probe_machine *m, uint32_t queue)
{
	add(m, queue);
	fake_virtio_kick(&m->driver, queue);
}

/* Brings the device to where doorbells are served: the loop has tried a look, in vain. */
static void start(struct probe_machine *m, uint64_t features)
{
	fake_virtio_init(&m->driver, features);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++) {
		ring(m, q);
		assert_int_equal(m->probe->serves[q], 0);
		fake_settle(m->host);
		assert_int_equal(fake_virtio_reap(&m->driver, q, NULL, NULL), 1);
		m->probe->notifies[q] = 0;
	}
	m->probe->chains = 0;
}

static void expect_loop_has_nothing_to_do(struct probe_machine *m)
{
	fake_settle(m->host);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		assert_int_equal(m->probe->notifies[q], 0);
}

static void doorbell_is_served_on_the_vcpu(void **state)
{
	const uint64_t features[] = {FAKE_VIRTIO_ALL, VMM_VIRTIO_F_VERSION_1};
	struct probe_machine *m = *state;

	for (uint32_t with = 0; with < 2; with++) {
		struct fake_virtio *d = &m->driver;
		uint64_t before;

		start(m, features[with]);
		before = fake_virtio_interrupts(d, QUEUE);
		m->probe->serves[QUEUE] = 0;
		for (uint16_t i = 1; i < 10; i++) {
			add(m, QUEUE);
			/* It asks for the next kick. */
			assert_int_equal(fake_virtio_kick_if_wanted(d, QUEUE), 1);
			assert_int_equal(fake_virtio_used_index(d, QUEUE), 1 + i);
			assert_int_equal(m->probe->serves[QUEUE], i);
			if (m->kind == &serving_on_pci)
				assert_int_equal(fake_virtio_interrupts(d, QUEUE), before + i);
			else
				assert_int_equal(fake_virtio_isr(d), 1);
			while (fake_virtio_reap(d, QUEUE, NULL, NULL))
				;
		}
		expect_loop_has_nothing_to_do(m);
		m->probe->serves[QUEUE] = 0;
	}
}

static void chain_that_it_leaves_is_the_loops(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	m->probe->mode = PROBE_HOLD;
	ring(m, QUEUE);
	assert_int_equal(m->probe->serves[QUEUE], 1);
	assert_int_equal(m->probe->held_count, 0);
	fake_settle(m->host);
	assert_int_equal(m->probe->notifies[QUEUE], 1);
	assert_int_equal(m->probe->held_count, 1);
	probe_release(m->probe, QUEUE);
	assert_int_equal(fake_virtio_used_index(&m->driver, QUEUE), 2);
}

static void doorbell_is_the_loops_while_that_is_busy(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	uint64_t loop = p->loop.own(p->host);
	const void *table;
	const struct vmm_borrow *borrow;

	start(m, FAKE_VIRTIO_ALL);
	assert_int_equal(
		fake_hello(m->host)->query(p->host, VMM_BORROW_ID, sizeof(*borrow), &table), 0);
	borrow = table;
	assert_int_equal(borrow->borrow(p->host, loop), 0);
	assert_int_equal(borrow->borrow(p->host, loop), VMM_E_BUSY);
	ring(m, QUEUE);
	borrow->give_back(p->host, loop);
	assert_int_equal(p->serves[QUEUE], 0);
	fake_settle(m->host);
	assert_int_equal(p->notifies[QUEUE], 1);
	assert_int_equal(fake_virtio_used_index(&m->driver, QUEUE), 2);
	ring(m, QUEUE);
	assert_int_equal(p->serves[QUEUE], 1);
}

/* It adds a chain for each that it gets back. */
static void add_one_more(void *ctx)
{
	struct probe_machine *m = ctx;

	while (fake_virtio_reap(&m->driver, 0, NULL, NULL))
		;
	add(m, 0);
}

/* The queue is 8 long: so many are the vCPU's share of one doorbell. */
static void guest_that_adds_without_end_holds_its_vcpu_for_one_share(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	m->probe->mode = PROBE_EACH;
	m->probe->after_each = add_one_more;
	m->probe->after_each_ctx = m;
	ring(m, 0);
	m->probe->after_each = NULL;
	assert_int_equal(m->probe->serves[0], 1);
	assert_int_equal(m->probe->chains, 8);
	fake_settle(m->host);
	assert_int_equal(m->probe->notifies[0], 1);
	assert_int_equal(m->probe->chains, 9);
}

static void p8_queue_is_not_served_while_dma_is_forbidden(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	fake_pci_command(&m->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	ring(m, QUEUE);
	fake_settle(m->host);
	assert_int_equal(m->probe->serves[QUEUE], 0);
	assert_int_equal(m->probe->chains, 0);
	fake_pci_command(&m->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	fake_settle(m->host);
	assert_int_equal(m->probe->chains, 1);
}

static void queue_is_not_served_before_driver_ok_or_after_a_reset(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	fake_virtio_set_status(&m->driver, 0);
	fake_virtio_kick(&m->driver, QUEUE);
	assert_int_equal(m->probe->serves[QUEUE], 0);
	fake_settle(m->host);
	fake_virtio_kick(&m->driver, QUEUE);
	assert_int_equal(m->probe->serves[QUEUE], 0);
	start(m, FAKE_VIRTIO_ALL);
}

static void d_bad_ring_that_is_served_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	fake_virtio_avail_index(&m->driver, QUEUE, 1000);
	fake_virtio_kick(&m->driver, QUEUE);
	assert_int_equal(m->probe->serves[QUEUE], 1);
	assert_int_equal(fake_guest_errors(m->host, "needs-reset"), 1);
	probe_expect_needs_reset(m, QUEUE);
}

static void device_hears_of_config_before_what_was_added_behind_it(void **state)
{
	struct probe_machine *m = *state;

	start(m, FAKE_VIRTIO_ALL);
	fake_virtio_config_write(&m->driver, PROBE_WRITABLE, 1, 0x70);
	ring(m, QUEUE);
	assert_int_equal(m->probe->chains, 0);
	fake_settle(m->host);
	assert_int_equal(m->probe->config_writes, 1);
	assert_int_equal(m->probe->config_chains, 0);
	assert_int_equal(m->probe->chains, 1);
}

/* A host without vmm.borrow: as if it had no serve(). */
static void host_of_abi_0_1_leaves_all_to_the_loop(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	for (uint32_t i = 1; i < 5; i++) {
		ring(m, QUEUE);
		fake_settle(m->host);
		assert_int_equal(m->probe->chains, i);
	}
	assert_int_equal(m->probe->serves[QUEUE], 0);
}

/* Attaches when the process may open only so many more fds. */
static uint32_t fds_left;

static int32_t realize_with_few_fds(void *ctx, struct vmm_error *error)
{
	struct probe *p = ctx;
	struct rlimit before, few;
	int next = dup(0);
	int32_t ret;

	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = (rlim_t)next + fds_left;
	setrlimit(RLIMIT_NOFILE, &few);
	p->can_serve = 1;
	ret = probe_type.ops->realize(ctx, error);
	setrlimit(RLIMIT_NOFILE, &before);
	return ret;
}

/* One for each queue, then one for the work of the loop. */
static void without_fds_for_doorbells_nothing_is_attached(void **state)
{
	struct vmm_device_ops ops = *probe_type.ops;
	struct vmm_device_type type = probe_type;

	(void)state;
	ops.realize = realize_with_few_fds;
	type.ops = &ops;
	for (fds_left = 0; fds_left <= PROBE_QUEUES + 1; fds_left++) {
		struct fake_host *host = fake_host_create(NULL);
		int32_t ret;

		fake_plugin_load(host, FAKE_PLUGIN("virtio"));
		fake_type_add(host, &type);
		assert_int_equal(fake_device_add(host, "virtio-mmio", "virtio0", NULL, NULL), 0);
		assert_int_equal(fake_device_add(host, "probe", "probe0",
					 FAKE_OPTIONS("transport=virtio0"), NULL),
			0);
		ret = fake_host_start(host);
		if (fds_left <= PROBE_QUEUES)
			assert_int_equal(ret, VMM_E_LIMIT);
		if (fds_left < PROBE_QUEUES)
			assert_non_null(strstr(fake_error(host), "no doorbells for 3 queues: Too"));
		fake_host_destroy(host);
	}
}

/* Behind the callbacks of an older plugin's table is whatever comes next in its file. */
static int32_t realize_with_a_table_of_abi_0_1(void *ctx, struct vmm_error *error)
{
	static struct vmm_virtio_ops ops;
	struct vmm_virtio_device device;
	struct probe *p = ctx;

	probe_describe(p, error, &device);
	ops = *device.ops;
	ops.size = offsetof(struct vmm_virtio_ops, serve);
	memset(&ops.serve, 0xff, sizeof(ops.serve));
	device.ops = &ops;
	p->attached = p->virtio.attach(p->transport, &device, &p->device) == 0;
	return p->attached ? 0 : VMM_E_INVAL;
}

static void table_of_abi_0_1_is_not_read_behind_its_end(void **state)
{
	struct probe_machine_kind kind = {.transport = "virtio-mmio"};
	struct vmm_device_ops ops = *probe_type.ops;
	struct vmm_device_type type = probe_type;
	struct probe_machine *m;
	void *fixture = &kind;

	(void)state;
	ops.realize = realize_with_a_table_of_abi_0_1;
	type.ops = &ops;
	kind.type = &type;
	assert_int_equal(probe_setup(&fixture), 0);
	m = fixture;
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	probe_expect_alive(m, QUEUE, 0);
	probe_expect_alive(m, QUEUE, 0);
	assert_int_equal(m->probe->chains, 2);
	probe_teardown(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS_SERVING(doorbell_is_served_on_the_vcpu),
		PROBE_TESTS_SERVING(chain_that_it_leaves_is_the_loops),
		PROBE_TESTS_SERVING(doorbell_is_the_loops_while_that_is_busy),
		PROBE_TEST(
			guest_that_adds_without_end_holds_its_vcpu_for_one_share, serving_on_pci),
		PROBE_TEST(p8_queue_is_not_served_while_dma_is_forbidden, serving_on_pci),
		PROBE_TESTS_SERVING(queue_is_not_served_before_driver_ok_or_after_a_reset),
		PROBE_TEST(d_bad_ring_that_is_served_needs_a_reset, serving_on_mmio),
		PROBE_TEST(device_hears_of_config_before_what_was_added_behind_it, serving_on_pci),
		PROBE_TEST(host_of_abi_0_1_leaves_all_to_the_loop, serving_on_an_old_host),
		cmocka_unit_test(without_fds_for_doorbells_nothing_is_attached),
		cmocka_unit_test(table_of_abi_0_1_is_not_read_behind_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
