/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block-filter.so between the transport that vmm was installed with and a device of the test, which
 * answers each request at once; in a fake host, whose time moves only when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#define BLOCK_ID 2
#define MS_NS    1000000ull

struct machine {
	struct fake_host *host;
	struct fake_virtio driver;
	const struct vmm_virtio *filter;
	void *object;
	uint64_t device;
};

/*
 * ---- The device ----
 */

static int32_t disk_activate(void *ctx, uint64_t features)
{
	(void)ctx;
	(void)features;
	return 0;
}

static void disk_notify(void *ctx, uint32_t queue)
{
	struct machine *m = ctx;
	struct vmm_iovec iov[8];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 8};

	while (m->filter->pop(m->object, m->device, queue, &chain) > 0)
		m->filter->push(m->object, m->device, queue, chain.id, 1);
}

static int32_t disk_reset(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct vmm_virtio_ops disk_ops = {
	.size = sizeof(disk_ops),
	.activate = disk_activate,
	.notify = disk_notify,
	.reset = disk_reset,
};

static void attach_disk(struct machine *m)
{
	static const uint16_t queue_sizes[] = {8};
	vmm_host *owner = fake_device_bare(m->host, "disk0", VMM_THREADS_LOOP);
	const void *loop;
	const void *filter;

	assert_int_equal(
		fake_hello(m->host)->query(owner, VMM_LOOP_ID, sizeof(struct vmm_loop), &loop), 0);
	assert_int_equal(fake_interface(m->host, "slow0", VMM_VIRTIO_ID, &filter, &m->object), 0);
	m->filter = filter;
	const struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = owner,
		.name = "disk0",
		.loop = ((const struct vmm_loop *)loop)->own(owner),
		.device_id = BLOCK_ID,
		.queue_count = 1,
		.queue_sizes = queue_sizes,
		.slot = VMM_VIRTIO_SLOT_AUTO,
		.class_code = 0x018000,
		.ops = &disk_ops,
		.ctx = m,
	};

	assert_int_equal(m->filter->attach(m->object, &device, &m->device), 0);
}

/*
 * ---- The machine ----
 */

static void machine_start(void **state, const char *delay)
{
	const struct fake_config config = {.flags = FAKE_CLOCK};
	struct machine *m = calloc(1, sizeof(*m));

	m->host = fake_host_create(&config);
	fake_plugin_load(m->host, FAKE_VMM_PLUGIN("pci"));
	fake_plugin_load(m->host, FAKE_VMM_PLUGIN("virtio"));
	fake_plugin_load(m->host, FAKE_PLUGIN("block-filter"));
	fake_device_add(m->host, "pci", "pci0", NULL, NULL);
	fake_device_add(m->host, "virtio-pci", "virtio0", FAKE_OPTIONS("bus=pci0"), NULL);
	fake_device_add(
		m->host, "block-filter", "slow0", FAKE_OPTIONS("transport=virtio0", delay), NULL);
	if (fake_host_realize(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	attach_disk(m);
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	fake_virtio_find(m->host, BLOCK_ID, 0, 0x100000, 0x100000, &m->driver);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	*state = m;
}

static int setup(void **state)
{
	machine_start(state, "delay=0ms");
	return 0;
}

static int setup_slow(void **state)
{
	machine_start(state, "delay=20ms");
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fake_virtio_fini(&m->driver);
	if (m->filter)
		m->filter->detach(m->object, m->device);
	fake_host_destroy(m->host);
	free(m);
	return 0;
}

/* The guest asks for something; the answer has one byte. */
static void ask(struct machine *m, uint32_t type)
{
	const uint32_t header[4] = {type};
	const struct fake_virtio_buffer chain[] = {
		{fake_virtio_put(&m->driver, header, sizeof(header)), sizeof(header), 0},
		{fake_virtio_alloc(&m->driver, 1, 1), 1, 1},
	};

	fake_virtio_add(&m->driver, 0, chain, 2, 0);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
}

static int answered(struct machine *m)
{
	return fake_virtio_reap(&m->driver, 0, NULL, NULL);
}

static void requests_pass(void **state)
{
	struct machine *m = *state;

	ask(m, 0);
	assert_true(answered(m));
	assert_int_equal(fake_virtio_interrupts(&m->driver, 0), 1);
}

static void requests_are_counted_by_type(void **state)
{
	struct machine *m = *state;

	ask(m, 0);
	ask(m, 0);
	ask(m, 1);
	ask(m, 4);
	m->filter->detach(m->object, m->device);
	m->filter = NULL;
	assert_true(fake_log_has(m->host, NULL, "2 reads, 1 writes, 1 other requests"));
}

static void completion_is_delayed(void **state)
{
	struct machine *m = *state;

	ask(m, 0);
	fake_clock_advance(m->host, 10 * MS_NS);
	ask(m, 1);
	fake_clock_advance(m->host, 9 * MS_NS);
	fake_settle(m->host);
	assert_false(answered(m));
	fake_clock_advance(m->host, 1 * MS_NS);
	fake_settle(m->host);
	assert_true(answered(m));
	assert_int_equal(fake_virtio_interrupts(&m->driver, 0), 1);
	assert_false(answered(m)); /* the second was asked 10 ms later */
	fake_clock_advance(m->host, 10 * MS_NS);
	fake_settle(m->host);
	assert_true(answered(m));
	assert_int_equal(fake_virtio_interrupts(&m->driver, 0), 2);
}

static void reset_forgets_what_is_delayed(void **state)
{
	struct machine *m = *state;

	ask(m, 0);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_clock_advance(m->host, 100 * MS_NS);
	fake_settle(m->host);
	assert_false(answered(m));
	ask(m, 0);
	fake_clock_advance(m->host, 20 * MS_NS);
	fake_settle(m->host);
	assert_true(answered(m));
}

static void kernel_back_ends_are_refused(void **state)
{
	struct machine *m = *state;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	assert_int_equal(m->filter->ring_give(m->object, m->device, 0, &ring), VMM_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_are_counted_by_type, setup, teardown),
		cmocka_unit_test_setup_teardown(completion_is_delayed, setup_slow, teardown),
		cmocka_unit_test_setup_teardown(
			reset_forgets_what_is_delayed, setup_slow, teardown),
		cmocka_unit_test_setup_teardown(kernel_back_ends_are_refused, setup, teardown),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
