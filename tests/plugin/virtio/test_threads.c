/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio.so with the device's loop on a thread and vCPUs on others; made for ThreadSanitizer.
 * Names begin with the row of the catalogue of hostile guests that they are for.
 */
#include <pthread.h>
#include <sched.h>

#include "probe.h"

#define REG(name) FAKE_VIRTIO_REG_##name

static const struct probe_machine_kind threads_on_pci = {
	.transport = "virtio-pci", .flags = FAKE_LOOP_THREADS};
static const struct probe_machine_kind threads_on_mmio = {
	.transport = "virtio-mmio", .flags = FAKE_LOOP_THREADS};

static const struct probe_machine_kind serving_on_pci = {
	.transport = "virtio-pci", .flags = FAKE_LOOP_THREADS, .serves = 1};
static const struct probe_machine_kind serving_on_mmio = {
	.transport = "virtio-mmio", .flags = FAKE_LOOP_THREADS, .serves = 1};

/* A second vCPU that does something until it is told to stop. */
struct vcpu {
	struct fake_virtio driver; /* a copy: a driver is used by one thread */
	void (*work)(struct fake_virtio *d, uint32_t round);
	_Atomic uint32_t stop;
	_Atomic uint32_t rounds;
	pthread_t thread;
};

static void *vcpu_main(void *ctx)
{
	struct vcpu *vcpu = ctx;

	while (!vcpu->stop)
		vcpu->work(&vcpu->driver, vcpu->rounds++);
	return NULL;
}

static void vcpu_start(
	struct vcpu *vcpu, struct probe_machine *m, void (*work)(struct fake_virtio *, uint32_t))
{
	vcpu->driver = m->driver;
	vcpu->work = work;
	vcpu->rounds = 0;
	vcpu->stop = 0;
	assert_int_equal(pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu), 0);
}

static void vcpu_stop(struct vcpu *vcpu)
{
	while (!vcpu->rounds) /* a busy machine may not have let it run yet */
		sched_yield();
	vcpu->stop = 1;
	pthread_join(vcpu->thread, NULL);
}

/* The driver's polling: no fake function that runs loops. */
static uint32_t wait_used(struct fake_virtio *d, uint32_t queue)
{
	uint32_t bytes = 0;

	while (!fake_virtio_reap(d, queue, NULL, &bytes))
		sched_yield();
	return bytes;
}

static void kick_queue_0(struct fake_virtio *d, uint32_t round)
{
	(void)round;
	fake_virtio_kick(d, 0);
	sched_yield();
}

static void r3_requests_while_another_vcpu_kicks(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 64, 1};
	struct vcpu other;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 64, 64);
	vcpu_start(&other, m, kick_queue_0);
	for (int i = 0; i < 2000; i++) {
		fake_virtio_add(d, 1, &in, 1, i % 2 ? FAKE_VIRTIO_ADD_INDIRECT : 0);
		fake_virtio_kick_if_wanted(d, 1);
		assert_int_equal(wait_used(d, 1), 64);
	}
	vcpu_stop(&other);
}

static void kick_all(struct fake_virtio *d, uint32_t round)
{
	for (uint32_t q = 0; q < PROBE_QUEUES; q++)
		fake_virtio_kick(d, q);
	if (round % 8 == 0)
		sched_yield();
}

static void r3_request(struct fake_virtio *d)
{
	const struct fake_virtio_buffer in = {fake_virtio_alloc(d, 64, 64), 64, 1};

	fake_virtio_add(d, 1, &in, 1, 0);
	fake_virtio_kick(d, 1);
	assert_int_equal(wait_used(d, 1), 64);
}

/* Requests are there, another vCPU kicks, and the loop gives them back when the reset comes; behind
 * it nothing is written and nothing interrupts. */
static void r3_resets_under_requests_while_another_vcpu_kicks(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	uint64_t ram = d->ram_next;
	struct vcpu other;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	vcpu_start(&other, m, kick_all);
	for (uint32_t round = 0; round < 200; round++) {
		struct fake_virtio_buffer in = {0, 64, 1};
		uint32_t used[PROBE_QUEUES];

		in.gpa = fake_virtio_alloc(d, 64, 64);
		for (uint32_t q = 0; q < PROBE_QUEUES; q++)
			for (uint32_t i = 0; i < 8; i++)
				fake_virtio_add(d, q, &in, 1, 0);
		for (uint32_t i = 0; i < round % 16; i++)
			sched_yield();
		fake_virtio_set_status(d, 0);
		while (fake_virtio_status(d))
			sched_yield();
		for (uint32_t q = 0; q < PROBE_QUEUES; q++)
			used[q] = fake_virtio_used_index(d, q);
		for (uint32_t i = 0; i < 4; i++)
			sched_yield();
		for (uint32_t q = 0; q < PROBE_QUEUES; q++)
			assert_int_equal(fake_virtio_used_index(d, q), used[q]);
		d->ram_next = ram;
		fake_virtio_init(d, FAKE_VIRTIO_ALL);
	}
	vcpu_stop(&other);
	assert_int_equal(m->probe->activations, m->probe->resets + 1);
	r3_request(d);
}

/* R2: descriptors of the heads 0 to 3, good and bad, at any time. In words, as a vCPU writes them:
 * an address in one, length, flags and next in the other. */
#define R2_HEADS 4u
#define R2_BYTES 64u

static void rewrite_descriptors(struct fake_virtio *d, uint32_t round)
{
	static const uint16_t flags[] = {FAKE_VIRTIO_WRITE, FAKE_VIRTIO_WRITE | FAKE_VIRTIO_NEXT, 0,
		FAKE_VIRTIO_INDIRECT, FAKE_VIRTIO_NEXT};
	static const uint16_t next[] = {1, 0, 3, 2, 0xffff};
	uint64_t *words =
		fake_ram(d->host, d->queues[1].desc + (uint64_t)(round % R2_HEADS) * 16, 16);
	uint64_t good = d->ram_end - R2_BYTES * (1 + round % R2_HEADS);
	uint32_t len = round % 11 ? R2_BYTES : UINT32_MAX;

	__atomic_store_n(&words[0], round % 7 ? good : UINT64_MAX - round, __ATOMIC_RELAXED);
	__atomic_store_n(&words[1],
		len | (uint64_t)flags[round % 5] << 32 | (uint64_t)next[round / 5 % 5] << 48,
		__ATOMIC_RELAXED);
}

static void r2_descriptors_that_change_are_looked_at_once(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct vcpu other;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	vcpu_start(&other, m, rewrite_descriptors);
	for (uint16_t i = 0; i < 3000; i++) {
		uint32_t bytes;

		fake_virtio_avail(d, 1, i % R2_HEADS);
		fake_virtio_kick(d, 1);
		bytes = wait_used(d, 1);
		/* A loop may have been walked round until it was none. */
		assert_true(bytes % R2_BYTES == 0 && bytes <= d->queues[1].size * R2_BYTES);
	}
	vcpu_stop(&other);
	assert_false(fake_virtio_status(d) & FAKE_VIRTIO_NEEDS_RESET);
}

/* T14: the device changes 8 bytes at once, the driver reads them in halves. */
static void update_config(void *ctx)
{
	struct probe *p = ctx;
	uint8_t data[8];

	memset(data, (int)p->updates++ & 0xff, sizeof(data));
	p->virtio.config_update(p->transport, p->device, 0, data, sizeof(data), 0);
}

static void t14_halves_of_different_values_have_different_generations(void **state)
{
	struct probe_machine *m = *state;
	struct probe *p = m->probe;
	struct fake_virtio *d = &m->driver;
	uint64_t loop = p->loop.own(p->host);
	uint32_t same = 0;

	update_config(p); /* what it begins with has different halves */
	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t before, low, high;

		if (i % 2)
			assert_int_equal(p->loop.post(p->host, loop, update_config, p), 0);
		before = fake_virtio_reg_read(d, REG(GENERATION), 1);
		low = fake_virtio_config_read(d, 0, 4);
		high = fake_virtio_config_read(d, 4, 4);
		if (fake_virtio_reg_read(d, REG(GENERATION), 1) != before)
			continue;
		same++;
		assert_int_equal(low, high);
	}
	assert_true(same > 0);
}

/* The handshake of notifications: a kick only when the device asks for it, and no wake-up lost. */
static void kicks_that_are_asked_for_are_enough(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 64, 1};
	uint64_t features[] = {FAKE_VIRTIO_ALL, 1ull << 32};

	for (int with = 0; with < 2; with++) {
		fake_virtio_init(d, features[with]);
		in.gpa = fake_virtio_alloc(d, 64, 64);
		for (int i = 0; i < 3000; i++) {
			int batch = i % 7 + 1;

			for (int j = 0; j < batch; j++) {
				fake_virtio_add(d, 0, &in, 1, 0);
				fake_virtio_kick_if_wanted(d, 0);
			}
			for (int j = 0; j < batch; j++)
				wait_used(d, 0);
		}
	}
}

static void read_and_write_registers(struct fake_virtio *d, uint32_t round)
{
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, round % 5);
	fake_virtio_reg_write(d, REG(QUEUE_SIZE), 2, round % 300);
	fake_virtio_reg_write(d, REG(QUEUE_VECTOR), 2, round % 7);
	fake_virtio_reg_write(d, REG(CONFIG_VECTOR), 2, round % 7);
	fake_virtio_reg_read(d, REG(GENERATION), 1);
	fake_virtio_config_write(d, PROBE_WRITABLE, 1, round);
	fake_virtio_config_read(d, 0, 4);
	fake_virtio_isr(d);
	fake_virtio_status(d);
}

static void t9_resets_while_another_vcpu_does_everything(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct vcpu other;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	vcpu_start(&other, m, read_and_write_registers);
	for (uint32_t i = 0; i < 300; i++) {
		fake_virtio_set_status(d, 0);
		while (fake_virtio_status(d))
			sched_yield();
		fake_virtio_set_status(d, 1);
		fake_virtio_set_status(d, 3);
		fake_virtio_reg_write(d, REG(DRIVER_FEATURE_SELECT), 4, 1);
		fake_virtio_reg_write(d, REG(DRIVER_FEATURE), 4, 1);
		fake_virtio_set_status(d, 0xb);
		for (uint32_t q = 0; q < PROBE_QUEUES; q++)
			fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 1);
		fake_virtio_set_status(d, 0xf);
		fake_virtio_kick(d, i % 4);
	}
	vcpu_stop(&other);
	fake_virtio_reset(d);
	assert_int_equal(m->probe->activations, m->probe->resets);
}

static void say_driver_ok(struct fake_virtio *d, uint32_t round)
{
	(void)round;
	fake_virtio_set_status(d, 0xf);
}

/* Whichever of the two writes comes first: no device is active that has no driver. */
static void t6_t9_driver_ok_of_another_vcpu_does_not_outlive_a_reset(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct vcpu other;

	fake_virtio_reset(d);
	vcpu_start(&other, m, say_driver_ok);
	for (uint32_t i = 0; i < 3000; i++) {
		fake_virtio_set_status(d, 3);
		fake_virtio_reg_write(d, REG(DRIVER_FEATURE_SELECT), 4, 1);
		fake_virtio_reg_write(d, REG(DRIVER_FEATURE), 4, 1);
		fake_virtio_set_status(d, 0xb);
		fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 1);
		if (i % 2)
			sched_yield();
		fake_virtio_set_status(d, 0);
		while (fake_virtio_status(d) & FAKE_VIRTIO_DRIVER_OK)
			sched_yield();
		assert_int_equal(m->probe->activations, m->probe->resets);
	}
	vcpu_stop(&other);
}

static void toggle_bus_master(struct fake_virtio *d, uint32_t round)
{
	fake_pci_command(&d->pci, FAKE_PCI_CMD_BUS_MASTER, round & 1);
	fake_msix_enable(&d->pci, (round >> 1) & 1);
}

static void p8_requests_while_bus_master_and_msix_change(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 64, 1};
	struct vcpu other;

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 64, 64);
	vcpu_start(&other, m, toggle_bus_master);
	for (int i = 0; i < 500; i++) {
		fake_virtio_add(d, 1, &in, 1, 0);
		fake_virtio_kick(d, 1);
		assert_int_equal(wait_used(d, 1), 64);
	}
	vcpu_stop(&other);
}

static void t19_isr_and_line_agree_under_races(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 64, 1};

	fake_virtio_init(d, 1ull << 32);
	fake_virtio_use_msix(d, 0);
	in.gpa = fake_virtio_alloc(d, 64, 64);
	for (int i = 0; i < 2000; i++) {
		fake_virtio_add(d, 0, &in, 1, 0);
		fake_virtio_kick(d, 0);
		/* The interrupt, not the ring, says that it is done: none may be lost. */
		while (!fake_virtio_isr(d))
			sched_yield();
		assert_int_equal(wait_used(d, 0), 64);
	}
}

static void stop_while_requests_are_in_flight(void **state)
{
	struct probe_machine *m = *state;
	struct fake_virtio *d = &m->driver;
	struct fake_virtio_buffer in = {0, 64, 1};

	fake_virtio_init(d, FAKE_VIRTIO_ALL);
	in.gpa = fake_virtio_alloc(d, 64, 64);
	for (int i = 0; i < 8; i++)
		fake_virtio_add(d, 0, &in, 1, 0);
	fake_virtio_kick(d, 0);
	fake_host_quiesce(m->host);
	assert_int_equal(m->probe->resets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TEST(r3_requests_while_another_vcpu_kicks, threads_on_pci),
		PROBE_TEST(r3_requests_while_another_vcpu_kicks, threads_on_mmio),
		PROBE_TEST(r3_requests_while_another_vcpu_kicks, serving_on_pci),
		PROBE_TEST(r3_requests_while_another_vcpu_kicks, serving_on_mmio),
		PROBE_TEST(r3_resets_under_requests_while_another_vcpu_kicks, threads_on_pci),
		PROBE_TEST(r3_resets_under_requests_while_another_vcpu_kicks, threads_on_mmio),
		PROBE_TEST(r3_resets_under_requests_while_another_vcpu_kicks, serving_on_pci),
		PROBE_TEST(r3_resets_under_requests_while_another_vcpu_kicks, serving_on_mmio),
		PROBE_TEST(r2_descriptors_that_change_are_looked_at_once, threads_on_pci),
		PROBE_TEST(r2_descriptors_that_change_are_looked_at_once, serving_on_pci),
		PROBE_TEST(
			t14_halves_of_different_values_have_different_generations, threads_on_pci),
		PROBE_TEST(
			t14_halves_of_different_values_have_different_generations, threads_on_mmio),
		PROBE_TEST(kicks_that_are_asked_for_are_enough, threads_on_pci),
		PROBE_TEST(kicks_that_are_asked_for_are_enough, threads_on_mmio),
		PROBE_TEST(kicks_that_are_asked_for_are_enough, serving_on_pci),
		PROBE_TEST(kicks_that_are_asked_for_are_enough, serving_on_mmio),
		PROBE_TEST(t9_resets_while_another_vcpu_does_everything, threads_on_pci),
		PROBE_TEST(t9_resets_while_another_vcpu_does_everything, threads_on_mmio),
		PROBE_TEST(t9_resets_while_another_vcpu_does_everything, serving_on_pci),
		PROBE_TEST(t9_resets_while_another_vcpu_does_everything, serving_on_mmio),
		PROBE_TEST(
			t6_t9_driver_ok_of_another_vcpu_does_not_outlive_a_reset, threads_on_pci),
		PROBE_TEST(p8_requests_while_bus_master_and_msix_change, threads_on_pci),
		PROBE_TEST(p8_requests_while_bus_master_and_msix_change, serving_on_pci),
		PROBE_TEST(t19_isr_and_line_agree_under_races, threads_on_pci),
		PROBE_TEST(t19_isr_and_line_agree_under_races, serving_on_pci),
		PROBE_TEST(stop_while_requests_are_in_flight, threads_on_pci),
		PROBE_TEST(stop_while_requests_are_in_flight, threads_on_mmio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
