/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues behind virtio.so: the data path, notifications and interrupts, the responses to bad chains
 * and rings. Names begin with the row of the catalogue of hostile guests that they are for.
 */
#include "probe.h"

#define INDIRECT_DESC (1ull << 28)
#define EVENT_IDX     (1ull << 29)
#define VERSION_1     (1ull << 32)
#define NEEDS_RESET   FAKE_VIRTIO_NEEDS_RESET

static void good_requests_are_served(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(m->probe->activations, 1);
	assert_int_equal(
		m->probe->features, PROBE_FEATURES | INDIRECT_DESC | EVENT_IDX | VERSION_1);
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		for (int i = 0; i < 100; i++)
			probe_expect_alive(m, q, 0);
}

static void indirect_chains_are_served(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer buffers[6];

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	for (uint32_t i = 0; i < 6; i++)
		buffers[i] = (struct fake_virtio_buffer){
			fake_virtio_alloc(&m->driver, 16, 64), 16, i >= 2};
	fake_virtio_add(&m->driver, 1, buffers, 6, FAKE_VIRTIO_ADD_INDIRECT);
	fake_virtio_kick(&m->driver, 1);
	assert_int_equal(fake_virtio_wait(&m->driver, 1, NULL), 64);
}

static void kick_that_comes_before_activation_is_not_lost(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer in = {0, 32, 1};
	struct fake_virtio *d = &m->driver;

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, fake_virtio_offered(d));
	fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
	in.gpa = fake_virtio_alloc(d, 32, 16);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_set_status(d, 0xf); /* the loop has not run yet */
	fake_virtio_kick(d, 0);
	assert_int_equal(m->probe->activations, 0);
	assert_int_equal(fake_virtio_wait(d, 0, NULL), 32);
}

static void one_interrupt_for_a_batch(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	for (int i = 0; i < 20; i++)
		fake_virtio_add(d, 1, &in, 1, 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_used_index(d, 1), 20);
	assert_int_equal(fake_virtio_interrupts(d, 1), 1);
	assert_int_equal(fake_virtio_interrupts(d, 0), 0);
	assert_int_equal(fake_virtio_config_interrupts(d), 0);
}

static void driver_that_wants_no_interrupt_gets_none(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;

	fake_virtio_init(d, VERSION_1);
	fake_virtio_set_avail_flags(d, 0, 1);
	probe_expect_alive(m, 0, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_interrupts(d, 0), 0);
	fake_virtio_set_avail_flags(d, 0, 0);
	probe_expect_alive(m, 0, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_interrupts(d, 0), 1);
}

static void driver_is_asked_for_kicks_when_the_queue_is_empty_only(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(d, VERSION_1);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	assert_int_equal(fake_virtio_used_flags(d, 0), 0);
	m->probe->mode = PROBE_DEAF;
	fake_virtio_add(d, 0, &in, 1, 0);
	assert_int_equal(fake_virtio_kick_if_wanted(d, 0), 1);
	fake_settle(m->host);
	m->probe->mode = PROBE_ECHO;
	m->probe->virtio.kick(m->probe->transport, m->probe->device, 0);
	assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
}

static void q2_bad_head_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_virtio_avail(&m->driver, 0, 8);
	fake_virtio_kick(&m->driver, 0);
	probe_expect_needs_reset(m, 0);
	assert_int_equal(fake_guest_errors(m->host, "needs-reset"), 1);
}

static void q17_index_that_jumps_needs_a_reset_and_tells_the_driver(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	fake_virtio_avail_index(&m->driver, 0, 100);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
	if (m->driver.mmio)
		assert_int_equal(fake_virtio_isr(&m->driver) & 2, 2);
	else
		assert_int_equal(fake_virtio_config_interrupts(&m->driver), 1);
	probe_expect_needs_reset(m, 0);
}

static void q7_bad_buffer_comes_back_unused_and_the_device_goes_on(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer bad = {0xd0000000u, 64, 1};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(fake_virtio_request(&m->driver, 0, &bad, 1), 0);
	assert_int_equal(m->probe->chains, 0);
	assert_int_equal(fake_guest_errors(m->host, "chain"), 1);
	probe_expect_alive(m, 0, 0);
	assert_int_equal(fake_guest_errors(m->host, "chain"), 1); /* it is told once */
}

static int32_t trap_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)offset;
	(void)width;
	(*(int *)ctx)++;
	*ret_value = 0;
	return 0;
}

static int32_t trap_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	(void)offset;
	(void)width;
	(void)value;
	(*(int *)ctx)++;
	return 0;
}

static void q10_r6_buffers_in_devices_come_back_unused_without_an_access(void **state)
{
	static const struct vmm_io_ops trap = {sizeof(trap), trap_read, trap_write};
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	int touched = 0;
	const struct vmm_io_region region = {.struct_size = sizeof(region),
		.name = "trap",
		.space = VMM_IO_MMIO,
		.flags = VMM_IO_ENABLED,
		.base = 0xdeadb000u,
		.bytes = 0x1000,
		.width_max = 8,
		.ops = &trap,
		.ctx = &touched};
	uint64_t own = d->mmio ? d->mmio : d->pci.bars[d->common.bar].address;
	const uint64_t places[] = {0xdeadb000u, 0xfee00000u, 0xfec00000u, own, own + 0x14};
	vmm_host *bare = fake_device_bare(m->host, "trap", VMM_THREADS_PARALLEL);
	const void *io;
	uint64_t handle;

	assert_int_equal(fake_hello(m->host)->query(bare, VMM_IO_ID, 8, &io), 0);
	assert_int_equal(((const struct vmm_io *)io)->region_add(bare, &region, &handle), 0);
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct fake_virtio_buffer bad = {places[i], 16, 1};

		assert_int_equal(fake_virtio_request(d, 0, &bad, 1), 0);
	}
	assert_int_equal(touched, 0);
	assert_int_equal(fake_virtio_status(d), 0xf);
	probe_expect_alive(m, 0, 0);
	((const struct vmm_io *)io)->region_remove(bare, handle);
}

static void q18_same_head_twice_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};
	uint32_t head;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	m->probe->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	head = fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_avail(d, 0, (uint16_t)head);
	fake_virtio_kick(d, 0);
	fake_settle(m->host);
	assert_int_equal(m->probe->held_count, 1);
	probe_release(m->probe, 0); /* a device that does not know yet does no harm */
	probe_expect_needs_reset(m, 0);
}

static void q21_queue_outside_of_ram_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	const uint64_t bad[] = {0xd0000000u, 0x100008, UINT64_MAX - 15, 0xfffff8};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_virtio_reset(d);
		assert_true(fake_virtio_negotiate(d, fake_virtio_offered(d)));
		fake_virtio_queue_setup(d, 0, 0, FAKE_VIRTIO_NO_VECTOR);
		fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, 1);
		fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_DESC, 4, bad[i] & UINT32_MAX);
		fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_DESC + 4, 4, bad[i] >> 32);
		fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_ENABLE, 2, 1);
		fake_virtio_driver_ok(d);
		assert_int_equal(fake_virtio_status(d), 0xf | NEEDS_RESET);
		assert_int_equal(m->probe->activations, 0);
	}
	assert_int_equal(m->probe->resets, 0);
	probe_expect_alive(m, 0, 1);
}

static void q22_queues_that_share_their_areas_do_no_harm(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_reset(d);
	fake_virtio_negotiate(d, fake_virtio_offered(d));
	fake_virtio_queue_setup(d, 0, 8, FAKE_VIRTIO_NO_VECTOR);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_SELECT, 2, 2);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_SIZE, 2, 8);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_DESC, 4, d->queues[0].desc);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_DRIVER, 4, d->queues[0].avail);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_DEVICE, 4, d->queues[0].used);
	fake_virtio_reg_write(d, FAKE_VIRTIO_REG_QUEUE_ENABLE, 2, 1);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_driver_ok(d);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	fake_virtio_kick(d, 2);
	fake_settle(m->host);
	probe_expect_alive(m, 0, 1);
}

static void t18_every_queue_gets_its_turn(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	/* Queue 1 is refilled by a guest that never stops: each wake-up is bounded by its size. */
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 8, 8);
	for (int round = 0; round < 10; round++) {
		uint32_t before = m->probe->chains;

		while (d->queues[1].free_count)
			fake_virtio_add(d, 1, &in, 1, 0);
		fake_virtio_kick(d, 1);
		fake_run_once(m->host, 100);
		assert_true(m->probe->chains - before <= 256);
		while (fake_virtio_reap(d, 1, NULL, NULL))
			;
	}
	probe_expect_alive(m, 0, 0);
}

/* A guest whose next request is there before the device asks for it. */
struct refill {
	struct fake_virtio *driver;
	struct fake_virtio_buffer in;
	uint32_t left;
};

static void refill_cb(void *ctx)
{
	struct refill *refill = ctx;

	fake_virtio_reap(refill->driver, 0, NULL, NULL);
	if (!refill->left)
		return;
	refill->left--;
	fake_virtio_add(refill->driver, 0, &refill->in, 1, 0);
	fake_virtio_kick_if_wanted(refill->driver, 0);
}

static void t18_what_is_beyond_the_share_of_a_wake_up_needs_no_kick(void **state)
{
	const uint64_t features[] = {FAKE_VIRTIO_ALL, VERSION_1};
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct refill refill = {.driver = d, .in = {0, 8, 1}};

	m->probe->mode = PROBE_EACH;
	m->probe->after_each = refill_cb;
	m->probe->after_each_ctx = &refill;
	for (uint32_t with = 0; with < 2; with++) {
		fake_virtio_init(d, features[with]);
		refill.in.gpa = fake_virtio_alloc(d, 8, 8);
		refill.left = 49;
		m->probe->chains = 0;
		m->probe->notifies[0] = 0;
		fake_virtio_add(d, 0, &refill.in, 1, 0);
		fake_virtio_kick(d, 0);
		fake_settle(m->host);
		assert_int_equal(m->probe->chains, 50);
		/* The queue has 8 descriptors, and so many are a wake-up's share. */
		assert_true(m->probe->notifies[0] >= 50 / 8);
	}
}

static void chains_put_back_are_popped_again_after_a_kick(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	p->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	fake_settle(m->host);
	assert_int_equal(p->held_count, 2);
	assert_int_equal(p->virtio.unpop(p->transport, p->device, 0, p->held[1].id), 0);
	assert_int_equal(p->virtio.unpop(p->transport, p->device, 0, p->held[0].id), 0);
	p->held_count = 0;
	p->mode = PROBE_ECHO;
	fake_settle(m->host);
	assert_int_equal(fake_virtio_used_index(d, 0), 0); /* no spin: nobody kicked */
	p->virtio.kick(p->transport, p->device, 0);
	assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
	assert_int_equal(fake_virtio_wait(d, 0, NULL), 8);
}

static void wrong_calls_of_a_device_are_refused(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_iovec iov[4];
	struct vmm_virtio_chain chain = {.struct_size = 8, .iov = iov, .iov_max = 4};
	struct vmm_virtio_ring ring = {.struct_size = 8};

	assert_int_equal(p->virtio.pop(p->transport, p->device, 0, &chain), VMM_E_INVAL);
	chain.struct_size = sizeof(chain);
	assert_int_equal(p->virtio.pop(p->transport, p->device, 0, &chain), 0); /* not active */
	assert_int_equal(p->virtio.pop(p->transport, p->device, PROBE_QUEUES, &chain), 0);
	assert_int_equal(p->virtio.push(p->transport, p->device, 0, 0, 0), VMM_E_INVAL);
	assert_int_equal(p->virtio.unpop(p->transport, p->device, 99, 0), VMM_E_INVAL);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_PHASE);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_INVAL);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 0), VMM_E_INVAL);
	assert_int_equal(p->virtio.push(p->transport, p->device, 0, 3, 0), VMM_E_INVAL);
	p->virtio.flush(p->transport, p->device, 99);
	p->virtio.kick(p->transport, p->device, 99);
}

static void device_that_fails_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	(m->probe->virtio.fail)(m->probe->transport, m->probe->device);
	probe_expect_needs_reset(m, 0);
}

/* What the device had in flight it pushes late: while the reset waits for it, behind the reset, and
 * when the next driver is there already. */
static void r7_completions_behind_a_reset_go_nowhere(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};
	uint64_t raised;
	const uint16_t *used;

	for (uint32_t when = 0; when < 3; when++) {
		fake_virtio_init(d, FAKE_VIRTIO_ALL);
		p->mode = PROBE_HOLD;
		p->held_count = 0;
		in.gpa = fake_virtio_alloc(d, 8, 8);
		for (int i = 0; i < 8; i++)
			fake_virtio_add(d, 1, &in, 1, 0);
		fake_virtio_kick(d, 1);
		fake_settle(m->host);
		assert_int_equal(p->held_count, 8);
		used = fake_ram(m->host, d->queues[1].used + 2, 2);
		raised = fake_virtio_interrupts(d, 1);
		p->reset_pending = when == 0;
		fake_virtio_set_status(d, 0);
		fake_settle(m->host);
		if (when == 2)
			fake_virtio_init(d, FAKE_VIRTIO_ALL);
		p->held_count = 8;
		probe_release(p, 1);
		fake_settle(m->host);
		assert_int_equal(*used, 0);
		assert_true(fake_msi_count(m->host, d->msi_base + 2) == raised);
		if (p->reset_pending)
			p->virtio.reset_done(p->transport, p->device);
		p->reset_pending = 0;
		probe_expect_alive(m, 1, 1);
	}
}

static void r7_completions_behind_the_stop_of_the_machine_go_nowhere(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	p->mode = PROBE_HOLD;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_add(d, 1, &in, 1, 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	fake_host_quiesce(m->host);
	p->held_count = 1;
	probe_release(p, 1);
	assert_int_equal(fake_virtio_used_index(d, 1), 0);
	assert_int_equal(fake_virtio_interrupts(d, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(good_requests_are_served),
		PROBE_TESTS(indirect_chains_are_served),
		PROBE_TESTS(kick_that_comes_before_activation_is_not_lost),
		PROBE_TEST(one_interrupt_for_a_batch, probe_on_pci),
		PROBE_TEST(driver_that_wants_no_interrupt_gets_none, probe_on_pci),
		PROBE_TESTS(driver_is_asked_for_kicks_when_the_queue_is_empty_only),
		PROBE_TESTS(q2_bad_head_needs_a_reset),
		PROBE_TESTS(q17_index_that_jumps_needs_a_reset_and_tells_the_driver),
		PROBE_TESTS(q7_bad_buffer_comes_back_unused_and_the_device_goes_on),
		PROBE_TESTS(q10_r6_buffers_in_devices_come_back_unused_without_an_access),
		PROBE_TESTS(q18_same_head_twice_needs_a_reset),
		PROBE_TESTS(q21_queue_outside_of_ram_needs_a_reset),
		PROBE_TESTS(q22_queues_that_share_their_areas_do_no_harm),
		PROBE_TESTS(t18_every_queue_gets_its_turn),
		PROBE_TESTS(t18_what_is_beyond_the_share_of_a_wake_up_needs_no_kick),
		PROBE_TESTS(chains_put_back_are_popped_again_after_a_kick),
		PROBE_TESTS(wrong_calls_of_a_device_are_refused),
		PROBE_TESTS(device_that_fails_needs_a_reset),
		PROBE_TESTS(r7_completions_behind_a_reset_go_nowhere),
		PROBE_TESTS(r7_completions_behind_the_stop_of_the_machine_go_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
