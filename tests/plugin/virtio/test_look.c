/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look at a ring before its driver is interrupted: when it is taken, and what happens in it. A
 * page of the ring that may not be touched tells when the device looks, or asks for a kick: the
 * handler of the signal is the driver, which does something right then.
 */
#include <signal.h>
#include <sys/mman.h>

#include <vmm/virtio.h>

#include "look.h"
#include "probe.h"

#define PAGE_BYTES 4096u

/* Looks of a driver that adds `adds` chains after a notification and then waits. */
static uint32_t looks_of(struct vio_look *look, uint32_t notifications, uint32_t adds)
{
	uint32_t looks = 0;

	for (uint32_t i = 0; i < notifications; i++) {
		if (!vio_look_wanted(look))
			continue;
		for (uint32_t left = adds; left; left--)
			vio_look_ended(look, true, 10);
		vio_look_ended(look, false, 1000);
		looks += adds + 1;
	}
	return looks;
}

static void driver_that_waits_is_looked_at_ever_more_seldom(void **state)
{
	struct vio_look look = {0};

	(void)state;
	assert_in_range(looks_of(&look, 1000, 0), 4, 8);
	assert_in_range(looks_of(&look, 100000, 0), 90, 110);
}

static void driver_that_adds_is_looked_at_whenever_it_notifies(void **state)
{
	struct vio_look look = {0};

	(void)state;
	assert_int_equal(looks_of(&look, 1000, 3), 4000);
}

/* Then each look costs as much as it gains. */
static void driver_that_adds_one_chain_is_looked_at_seldom(void **state)
{
	struct vio_look look = {0};

	(void)state;
	assert_in_range(looks_of(&look, 100000, 1), 500, 700);
}

static void driver_that_begins_to_add_is_found_out(void **state)
{
	struct vio_look look = {0};

	(void)state;
	looks_of(&look, 100000, 0);
	assert_true(looks_of(&look, 1025, 5) >= 6);
	assert_int_equal(looks_of(&look, 100, 5), 600);
}

static void driver_that_begins_to_wait_is_found_out_and_tried_soon(void **state)
{
	struct vio_look look = {0};

	(void)state;
	looks_of(&look, 100000, 0);
	looks_of(&look, 2000, 5);
	assert_in_range(looks_of(&look, 100, 0), 5, 8);
}

/* A doorbell that could be served without the loop goes there where looks pay, and for a try. */
static void loop_looks_where_that_has_paid_and_once_in_a_while(void **state)
{
	struct vio_look look = {0};
	uint32_t due = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		if (!vio_look_due(&look))
			continue;
		assert_true(vio_look_wanted(&look)); /* of the notification that follows */
		vio_look_ended(&look, false, 1000);
		due++;
	}
	assert_in_range(due, 4, 8);
	vio_look_ended(&look, true, 10);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(vio_look_due(&look));
}

static void looks_last_four_times_as_long_as_those_that_found_a_chain(void **state)
{
	struct vio_look look = {0};

	(void)state;
	assert_int_equal(vio_look_readings(&look), 1000); /* a try */
	vio_look_ended(&look, true, 100);
	assert_int_equal(vio_look_readings(&look), 416);
	vio_look_ended(&look, true, 150); /* longer at once */
	assert_int_equal(vio_look_readings(&look), 616);
	vio_look_ended(&look, true, 1); /* shorter by and by */
	assert_in_range(vio_look_readings(&look), 600, 615);
	for (uint32_t i = 0; i < 1000; i++)
		vio_look_ended(&look, true, 1);
	assert_in_range(vio_look_readings(&look), 20, 100);
	vio_look_ended(&look, true, 999);
	assert_int_equal(vio_look_readings(&look), 1000);
}

/* What the driver does when the device touches a page of the ring. */
static struct {
	struct probe_machine *m;
	uint64_t page_gpa;
	int protection; /* while the page is a trap */
	uint32_t queue;
	uint32_t left; /* times that the trap is still to be set */
	uint32_t hits;
	uint32_t kicks;  /* that the device had asked for */
	uint32_t causes; /* of interrupts, of a device without MSI-X */
	void (*act)(struct probe_machine *m);
} trap;

static void *trap_page(void)
{
	return fake_ram(trap.m->host, trap.page_gpa / PAGE_BYTES * PAGE_BYTES, PAGE_BYTES);
}

static void trapped(int number)
{
	(void)number;
	mprotect(trap_page(), PAGE_BYTES, PROT_READ | PROT_WRITE);
	trap.hits++;
	trap.causes |= fake_virtio_isr(&trap.m->driver);
	trap.act(trap.m);
}

/* The device has popped all there is. */
static void set_trap(void *ctx)
{
	(void)ctx;
	if (!trap.left)
		return;
	trap.left--;
	mprotect(trap_page(), PAGE_BYTES, trap.protection);
}

/* Adds a chain, and kicks if the device asked for it. */
static void add(struct probe_machine *m)
{
	struct fake_virtio_buffer in = {0, 8, 1};

	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	fake_virtio_add(&m->driver, trap.queue, &in, 1, 0);
	trap.kicks += (uint32_t)fake_virtio_kick_if_wanted(&m->driver, trap.queue);
}

/* Adds one if the device has not asked for kicks yet; without the event index. */
static void add_if_silent(struct probe_machine *m)
{
	if (fake_virtio_used_flags(&m->driver, trap.queue) & 1)
		add(m);
}

static void reap(struct probe_machine *m)
{
	while (fake_virtio_reap(&m->driver, trap.queue, NULL, NULL))
		;
}

/* Starts the device with a queue whose available ring begins at the end of a page, so that its
 * index is not in one page with the used ring, nor with the event index. */
static void start(struct probe_machine *m, uint32_t queue, uint64_t features)
{
	static const uint32_t sizes[PROBE_QUEUES] = PROBE_SIZES;
	struct fake_virtio *d = &m->driver;
	uint32_t desc_bytes = sizes[queue] * 16;

	trap.m = m;
	trap.queue = queue;
	fake_virtio_reset(d);
	assert_true(fake_virtio_negotiate(d, features & fake_virtio_offered(d)));
	fake_virtio_use_msix(d, 1);
	fake_virtio_alloc(d, PAGE_BYTES, PAGE_BYTES);
	fake_virtio_alloc(d, 2 * PAGE_BYTES - 16 - desc_bytes, 1);
	fake_virtio_queue_setup(d, queue, 0, 1);
	assert_int_equal(d->queues[queue].avail % PAGE_BYTES, PAGE_BYTES - 16);
	fake_virtio_driver_ok(d);
	m->probe->mode = PROBE_ECHO;
	m->probe->held_count = 0;
}

/* A look reads the driver's index in the available ring. So does who asks for kicks, but then it is
 * behind that, and so does who decides on an interrupt, but for flags and event index. */
static void trap_looks(void)
{
	trap.page_gpa = trap.m->driver.queues[trap.queue].avail;
	trap.protection = PROT_NONE;
}

/* The wish to be kicked is in the used ring. */
static void trap_wishes(void)
{
	trap.page_gpa = trap.m->driver.queues[trap.queue].used;
	trap.protection = PROT_READ;
}

/* The driver kicks with one chain. From then on it does what the traps make it do. */
static void run(struct probe_machine *m, uint32_t traps, void (*act)(struct probe_machine *m))
{
	struct sigaction before, catch = {.sa_handler = trapped};

	m->probe->after_all = set_trap;
	m->probe->chains = 0;
	m->probe->notifies[trap.queue] = 0;
	trap.left = traps;
	trap.act = act;
	trap.hits = 0;
	trap.causes = 0;
	assert_int_equal(sigaction(SIGSEGV, &catch, &before), 0);
	add(m);
	trap.kicks = 0;
	fake_settle(m->host);
	mprotect(trap_page(), PAGE_BYTES, PROT_READ | PROT_WRITE);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	m->probe->after_all = NULL;
}

static void expect_used_and_alive(struct probe_machine *m, uint16_t used)
{
	assert_int_equal(fake_virtio_used_index(&m->driver, trap.queue), used);
	reap(m);
	probe_expect_alive(m, trap.queue, 0);
}

static uint64_t interrupts(struct probe_machine *m)
{
	return fake_virtio_interrupts(&m->driver, trap.queue);
}

static void chain_that_is_added_during_a_look_needs_no_kick_and_no_interrupt(void **state)
{
	const uint64_t features[] = {FAKE_VIRTIO_ALL, VMM_VIRTIO_F_VERSION_1};
	struct probe_machine *m = *state;

	for (uint32_t with = 0; with < 2; with++) {
		start(m, 1, features[with]);
		trap_looks();
		run(m, 10, add);
		assert_int_equal(trap.hits, 10);
		assert_int_equal(trap.kicks, 0);
		assert_int_equal(trap.causes, 0);
		assert_int_equal(fake_virtio_isr(&m->driver), 1);
		assert_int_equal(m->probe->notifies[1], 11);
		expect_used_and_alive(m, 11);
	}
}

/* Sixteen are found by looks, and one that is there when the interrupt is decided on. */
static void t18_driver_is_interrupted_after_sixteen_looks(void **state)
{
	struct probe_machine *m = *state;

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	trap_looks();
	run(m, 40, add_if_silent);
	expect_used_and_alive(m, 18);
}

static void reap_and_add(struct probe_machine *m)
{
	reap(m);
	add(m);
}

/* The queue is 8 long. */
static void chains_of_all_looks_are_more_than_one_share(void **state)
{
	struct probe_machine *m = *state;

	start(m, 0, VMM_VIRTIO_F_VERSION_1);
	trap_looks();
	run(m, 12, reap_and_add);
	assert_int_equal(trap.kicks, 0);
	assert_int_equal(trap.causes, 0);
	expect_used_and_alive(m, 13);
}

static void driver_that_waited_is_not_looked_at_the_next_time(void **state)
{
	struct probe_machine *m = *state;

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	trap_looks();
	run(m, 0, add);
	run(m, 1, add_if_silent);
	expect_used_and_alive(m, 2);
}

static void device_that_keeps_chains_is_no_reason_to_look(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	start(m, 1, FAKE_VIRTIO_ALL);
	trap_looks();
	p->mode = PROBE_HOLD;
	run(m, 1, add);
	assert_int_equal(trap.kicks, 1); /* it was asked for one before its index was read */
	assert_int_equal(p->held_count, 2);
	/* One that ends at once beside them does not wait, either. */
	p->mode = PROBE_ECHO;
	run(m, 1, add);
	assert_int_equal(trap.kicks, 1);
	probe_release(p, 1);
	expect_used_and_alive(m, 4);
}

static void put_back(void *ctx)
{
	struct probe *p = ctx;

	if (p->held_count != 2)
		return;
	p->virtio.push(p->transport, p->device, 1, p->held[0].id, 0);
	p->virtio.unpop(p->transport, p->device, 1, p->held[1].id);
	p->held_count = 1;
}

/* A device that waits for more chains than there are. */
static void driver_is_asked_for_kicks_though_a_chain_was_put_back(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer in = {0, 8, 1};
	struct probe *p = m->probe;

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	p->notifies[1] = 0;
	p->mode = PROBE_HOLD;
	p->after_all = put_back;
	p->after_all_ctx = p;
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	fake_virtio_kick(&m->driver, 1);
	fake_settle(m->host);
	p->after_all = NULL;
	assert_int_equal(p->notifies[1], 1);
	assert_int_equal(fake_virtio_interrupts(&m->driver, 1), 1);
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	assert_int_equal(fake_virtio_kick_if_wanted(&m->driver, 1), 1);
}

static void add_for_the_deaf(struct probe_machine *m)
{
	m->probe->mode = PROBE_DEAF;
	add(m);
}

static void device_that_takes_no_chain_after_a_look_is_not_asked_for_ever(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	trap_looks();
	run(m, 1, add_for_the_deaf);
	assert_int_equal(p->notifies[1], 2);
	assert_int_equal(interrupts(m), 1);
	p->mode = PROBE_ECHO;
	p->virtio.kick(p->transport, p->device, 1);
	fake_settle(m->host);
	expect_used_and_alive(m, 2);
}

/* Between a look in vain and the interrupt. */
static void chain_that_is_added_when_the_look_is_over_is_not_missed(void **state)
{
	const uint64_t features[] = {FAKE_VIRTIO_ALL, VMM_VIRTIO_F_VERSION_1};
	struct probe_machine *m = *state;

	for (uint32_t with = 0; with < 2; with++) {
		start(m, 1, features[with]);
		trap_wishes();
		/* What it had is in the used ring before the trap is set. */
		m->probe->mode = PROBE_EACH;
		run(m, 1, add);
		assert_int_equal(trap.hits, 1);
		expect_used_and_alive(m, 2);
	}
}

static void device_that_pops_by_itself_asks_for_kicks(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_iovec iov[4];
	struct vmm_virtio_chain chain = {.struct_size = sizeof(chain), .iov = iov, .iov_max = 4};
	struct fake_virtio_buffer in = {0, 8, 1};

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	p->mode = PROBE_DEAF; /* in notify */
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	fake_virtio_kick(&m->driver, 1);
	fake_settle(m->host);
	assert_int_equal(p->virtio.pop(p->transport, p->device, 1, &chain), 1);
	assert_int_equal(p->virtio.pop(p->transport, p->device, 1, &chain), 0);
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	assert_int_equal(fake_virtio_kick_if_wanted(&m->driver, 1), 1);
}

static void give(void *ctx)
{
	struct probe *p = ctx;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	int32_t ret = p->virtio.ring_give(p->transport, p->device, 1, &ring);

	p->updates = (uint32_t)-ret;
}

static void queue_that_is_given_away_in_notify_has_told_all(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio_buffer in = {0, 8, 1};
	struct probe *p = m->probe;

	start(m, 1, VMM_VIRTIO_F_VERSION_1);
	p->after_all = give;
	p->after_all_ctx = p;
	in.gpa = fake_virtio_alloc(&m->driver, 8, 8);
	/* Not while the device has a chain; and then it has to be told of the next one. */
	p->mode = PROBE_HOLD;
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	fake_virtio_kick(&m->driver, 1);
	fake_settle(m->host);
	assert_int_equal(p->updates, -VMM_E_BUSY);
	probe_release(p, 1);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_interrupts(&m->driver, 1), 1);
	p->mode = PROBE_ECHO;
	fake_virtio_add(&m->driver, 1, &in, 1, 0);
	assert_int_equal(fake_virtio_kick_if_wanted(&m->driver, 1), 1);
	fake_settle(m->host);
	assert_int_equal(p->updates, 0);
	assert_int_equal(fake_virtio_used_index(&m->driver, 1), 2);
	assert_int_equal(fake_virtio_interrupts(&m->driver, 1), 2);
	p->after_all = NULL;
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 1, 2), 0);
	fake_settle(m->host);
}

static void jump(struct probe_machine *m)
{
	fake_virtio_avail_index(&m->driver, 1, 1000);
}

static void q17_index_that_jumps_during_a_look_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;

	start(m, 1, FAKE_VIRTIO_ALL);
	trap_looks();
	run(m, 1, jump);
	assert_int_equal(fake_guest_errors(m->host, "needs-reset"), 1);
	probe_expect_needs_reset(m, 1);
}

static void forbid_dma(struct probe_machine *m)
{
	fake_pci_command(&m->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 0);
}

static void add_and_forbid_dma(struct probe_machine *m)
{
	add(m);
	forbid_dma(m);
}

static void p8_ring_is_not_touched_when_dma_is_forbidden_during_a_look(void **state)
{
	void (*const acts[])(struct probe_machine *) = {forbid_dma, add_and_forbid_dma};
	struct probe_machine *m = *state;

	for (uint32_t i = 0; i < 2; i++) {
		uint64_t before;
		uint16_t wish;

		start(m, 1, FAKE_VIRTIO_ALL);
		trap_looks();
		before = interrupts(m);
		wish = fake_virtio_avail_event(&m->driver, 1);
		run(m, 1, acts[i]);
		assert_int_equal(m->probe->chains, 1);
		assert_int_equal(fake_virtio_avail_event(&m->driver, 1), wish);
		assert_int_equal(interrupts(m), before);
		fake_pci_command(&m->driver.pci, FAKE_PCI_CMD_BUS_MASTER, 1);
		fake_settle(m->host);
		assert_int_equal(m->probe->chains, 1 + i);
		assert_int_equal(interrupts(m) - before, 1);
		expect_used_and_alive(m, (uint16_t)(1 + i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_that_waits_is_looked_at_ever_more_seldom),
		cmocka_unit_test(driver_that_adds_is_looked_at_whenever_it_notifies),
		cmocka_unit_test(driver_that_adds_one_chain_is_looked_at_seldom),
		cmocka_unit_test(driver_that_begins_to_add_is_found_out),
		cmocka_unit_test(driver_that_begins_to_wait_is_found_out_and_tried_soon),
		cmocka_unit_test(loop_looks_where_that_has_paid_and_once_in_a_while),
		cmocka_unit_test(looks_last_four_times_as_long_as_those_that_found_a_chain),
		PROBE_TEST(chain_that_is_added_during_a_look_needs_no_kick_and_no_interrupt,
			probe_on_mmio),
		PROBE_TEST(t18_driver_is_interrupted_after_sixteen_looks, probe_on_pci),
		PROBE_TEST(chains_of_all_looks_are_more_than_one_share, probe_on_mmio),
		PROBE_TESTS(driver_that_waited_is_not_looked_at_the_next_time),
		PROBE_TEST(device_that_keeps_chains_is_no_reason_to_look, probe_on_pci),
		PROBE_TEST(driver_is_asked_for_kicks_though_a_chain_was_put_back, probe_on_pci),
		PROBE_TEST(device_that_takes_no_chain_after_a_look_is_not_asked_for_ever,
			probe_on_pci),
		PROBE_TESTS(chain_that_is_added_when_the_look_is_over_is_not_missed),
		PROBE_TESTS(device_that_pops_by_itself_asks_for_kicks),
		PROBE_TEST(queue_that_is_given_away_in_notify_has_told_all, probe_on_pci),
		PROBE_TESTS(q17_index_that_jumps_during_a_look_needs_a_reset),
		PROBE_TEST(
			p8_ring_is_not_touched_when_dma_is_forbidden_during_a_look, probe_on_pci),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
