/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues behind virtio.so whose ring is given to a back end in the kernel, and taken back.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe.h"

/* What vhost does with one chain: takes the entry, writes the used ring, signals. */
static void back_end_serves_one(const struct vmm_virtio_ring *ring, uint16_t index)
{
	uint16_t *used = ring->used;
	const uint16_t *avail = ring->avail;
	uint32_t elem[2] = {avail[2 + (index & (ring->queue_size - 1))], 0};

	memcpy((char *)ring->used + 4 + 8 * (index & (ring->queue_size - 1)), elem, 8);
	used[1] = (uint16_t)(index + 1);
	assert_int_equal(eventfd_write(ring->call_fd, 1), 0);
}

static void ring_is_given_to_a_back_end_and_taken_back(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 8, 1};
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	uint32_t chains;
	eventfd_t kicks;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	probe_expect_alive(m, 1, 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_interrupts(d, 1), d->mmio ? 0 : 1);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), 0);
	assert_int_equal(ring.queue_size, 256);
	assert_int_equal(ring.next_available, 1);
	assert_int_equal(ring.desc_gpa.value, d->queues[1].desc);
	assert_ptr_equal(ring.used, fake_ram(m->host, d->queues[1].used, 4));
	/* The kick of before is repeated for the back end. */
	assert_int_equal(eventfd_read(ring.kick_fd, &kicks), 0);
	chains = p->chains;
	in.gpa = fake_virtio_alloc(d, 8, 8);
	fake_virtio_add(d, 1, &in, 1, 0);
	fake_virtio_kick(d, 1);
	fake_settle(m->host);
	assert_int_equal(p->chains, chains); /* neither ring nor kick fd is touched */
	assert_int_equal(eventfd_read(ring.kick_fd, &kicks), 0);
	back_end_serves_one(&ring, 1);
	assert_int_equal(fake_virtio_wait(d, 1, NULL), 0);
	fake_settle(m->host);
	if (d->mmio)
		assert_int_equal(fake_virtio_isr(d) & 1, 1);
	else
		assert_int_equal(fake_virtio_interrupts(d, 1), 2);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), VMM_E_PHASE);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 1, 2), 0);
	probe_expect_alive(m, 1, 0);
}

/* The device has a chain of queue 0 and keeps it. */
static void hold_one_chain(struct probe_machine *m)
{
	struct fake_virtio_buffer in = {fake_virtio_alloc(&m->driver, 8, 8), 8, 1};

	m->probe->mode = PROBE_HOLD;
	fake_virtio_add(&m->driver, 0, &in, 1, 0);
	fake_virtio_kick(&m->driver, 0);
	fake_settle(m->host);
}

static void ring_with_chains_in_flight_is_not_given(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	hold_one_chain(m);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_BUSY);
	/* What the last driver had in flight does not count. */
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(
		p->virtio.ring_take(p->transport, p->device, 0, UINT16_MAX + 1), VMM_E_INVAL);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 0), 0);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	hold_one_chain(m);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), VMM_E_BUSY);
	probe_release(p, 0);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 1), 0);
}

static void reset_takes_a_given_ring_back(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	probe_expect_alive(m, 0, 1);
}

static void ring_without_a_vector_is_relayed(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	fake_virtio_use_msix(d, 0);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(eventfd_write(ring.call_fd, 1), 0);
	fake_settle(m->host);
	assert_int_equal(fake_virtio_isr(d), 1);
	assert_int_equal(fake_virtio_isr(d), 0);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 0), 0);
	probe_expect_alive(m, 0, 0);
}

static void ring_with_chains_that_were_not_shown_is_given_when_they_are(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL);
	hold_one_chain(m);
	assert_int_equal(p->held_count, 1);
	assert_int_equal(p->virtio.push(p->transport, p->device, 0, p->held[0].id, 8), 0);
	p->held_count = 0;
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
	assert_int_equal(fake_virtio_used_index(&m->driver, 0), 1);
	assert_int_equal(p->virtio.ring_take(p->transport, p->device, 0, 1), 0);
}

/* What the kernel has is taken back, and is not given again before there may be DMA. */
static void p8_without_bus_master_a_back_end_stops(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};
	uint32_t resets, activations;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	probe_expect_alive(m, 1, 0);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), 0);
	p->given = 2;
	p->given_next = ring.next_available;
	resets = p->resets;
	activations = p->activations;
	fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 0);
	fake_settle(m->host);
	assert_int_equal(p->resets, resets + 1);
	assert_int_equal(p->activations, activations + 1);
	assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), VMM_E_PHASE);
	fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 1);
	fake_settle(m->host);
	probe_expect_alive(m, 1, 0);
	assert_int_equal(p->resets, resets + 1);
}

static void a_device_that_keeps_given_rings_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	for (uint32_t pending = 0; pending < 2; pending++) {
		uint32_t resets;

		fake_virtio_init(d, FAKE_VIRTIO_ALL);
		resets = p->resets;
		assert_int_equal(p->virtio.ring_give(p->transport, p->device, 0, &ring), 0);
		p->reset_pending = pending;
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 0);
		fake_settle(m->host);
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 1);
		assert_true(fake_virtio_status(d) & FAKE_VIRTIO_NEEDS_RESET);
		assert_int_equal(p->resets, resets + 1);
		p->reset_pending = 0;
		if (pending)
			p->virtio.reset_done(p->transport, p->device);
		probe_expect_alive(m, 0, 1);
	}
}

/* It gave them back, but ended the reset by itself, or is not activated again. */
static void a_device_that_does_not_go_on_without_its_back_end_needs_a_reset(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	struct vmm_virtio_ring ring = {.struct_size = sizeof(ring)};

	for (uint32_t fails = 0; fails < 2; fails++) {
		fake_virtio_init(d, FAKE_VIRTIO_ALL);
		probe_expect_alive(m, 1, 0);
		assert_int_equal(p->virtio.ring_give(p->transport, p->device, 1, &ring), 0);
		p->given = 2;
		p->given_next = ring.next_available;
		p->reset_at_once = !fails;
		p->activate_fails = fails;
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 0);
		fake_settle(m->host);
		fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, 1);
		assert_true(fake_virtio_status(d) & FAKE_VIRTIO_NEEDS_RESET);
		p->reset_at_once = 0;
		p->activate_fails = 0;
		probe_expect_alive(m, 1, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TESTS(ring_is_given_to_a_back_end_and_taken_back),
		PROBE_TESTS(ring_with_chains_in_flight_is_not_given),
		PROBE_TESTS(reset_takes_a_given_ring_back),
		PROBE_TESTS(ring_without_a_vector_is_relayed),
		PROBE_TESTS(ring_with_chains_that_were_not_shown_is_given_when_they_are),
		PROBE_TEST(p8_without_bus_master_a_back_end_stops, probe_on_pci),
		PROBE_TEST(a_device_that_keeps_given_rings_needs_a_reset, probe_on_pci),
		PROBE_TEST(a_device_that_does_not_go_on_without_its_back_end_needs_a_reset,
			probe_on_pci),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
