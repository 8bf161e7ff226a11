/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest does to the state machines of a whole machine's devices: registers, resets,
 * notifications, from one vCPU and from several. Names begin with the row of the catalogue.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "machine.h"

#define REG(name) FAKE_VIRTIO_REG_##name

#define INITIALISATIONS MACHINE_ROUNDS(2000u)
#define GROWTH_BYTES    (256u << 10)

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static uint64_t checksum(struct machine *m, uint32_t device)
{
	struct fake_virtio *d = &m->drivers[device];
	uint64_t half = MACHINE_RAM_BYTES / 2, at = d->ram_start, sum = 0;

	while (at < d->ram_end) {
		uint64_t end = at < half && d->ram_end > half ? half : d->ram_end;
		const uint64_t *words = fake_ram(m->host, at, end - at);

		for (uint64_t i = 0; i < (end - at) / sizeof(*words); i++)
			sum = sum * 31 + words[i];
		at = end;
	}
	return sum;
}

static uint64_t interrupts(struct machine *m, uint32_t device)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < m->drivers[device].pci.msix_vectors; i++)
		sum += fake_msi_count(m->host, m->drivers[device].msi_base + i);
	return sum;
}

static void kick_queues(struct fake_virtio *d)
{
	for (uint32_t q = 0; q < d->queue_count; q++)
		fake_virtio_kick(d, q);
}

/* As many requests as the queues hold. */
static void fill(struct machine *m, uint32_t device)
{
	static const uint8_t header[16]; /* type 0, sector 0: a read */
	struct fake_virtio *d = &m->drivers[device];
	struct fake_virtio_buffer buffers[] = {{fake_virtio_put(d, header, 16), 16, 0},
		{fake_virtio_alloc(d, 4096, 4096), 4096, 1}, {fake_virtio_alloc(d, 1, 1), 1, 1}};
	const struct fake_virtio_buffer frame = {fake_virtio_alloc(d, 128, 1), 128, 0};

	for (uint32_t i = 0; i < d->queues[0].size; i++)
		if (device == MACHINE_DISK)
			fake_virtio_add(d, 0, buffers, 3, FAKE_VIRTIO_ADD_INDIRECT);
		else
			fake_virtio_add(d, 0, &buffers[1], 1, 0);
	for (uint32_t i = 0; device == MACHINE_CARD && i < d->queues[1].size; i++)
		fake_virtio_add(d, 1, &frame, 1, 0);
	kick_queues(d);
}

/*
 * ---- One vCPU ----
 */

/* One write that a driver would not do. Rings stay in the driver's own memory: what a device does
 * to the rest of the guest's memory is the guest's affair. */
static void storm_write(struct fake_virtio *d, uint32_t *seed)
{
	static const uint32_t widths[] = {1, 2, 4, 8};
	uint32_t width = widths[random_next(seed) % 4];
	uint64_t value = (uint64_t)random_next(seed) << 24 ^ random_next(seed);
	uint32_t reg = random_next(seed) % 0x40;

	switch (random_next(seed) % 8) {
	case 0:
		fake_bar_write(&d->pci, d->notify.bar, d->notify.offset + value % d->notify.bytes,
			width, value >> 8);
		break;
	case 1:
		fake_virtio_config_write(d, reg, width, value);
		break;
	case 2:
		fake_virtio_isr(d);
		break;
	case 3:
		fake_virtio_set_status(d, value & 0xff);
		break;
	default:
		if (reg < REG(QUEUE_DESC)) {
			fake_virtio_reg_write(d, reg, width, value);
			break;
		}
		value = d->ram_start + value % (d->ram_end - d->ram_start);
		fake_virtio_reg_write(d, reg & ~3u, 4, reg & 4 ? 0 : value & ~15ull);
		break;
	}
}

static void t1_t2_t3_t4_t6_t8_t15_a_storm_of_register_writes_stops_no_other_device(void **state)
{
	struct machine *m = *state;
	uint32_t seed = 20;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(60u); round++) {
		uint32_t device = round % MACHINE_VIRTIO;

		for (uint32_t i = 0; i < 500; i++)
			storm_write(&m->drivers[device], &seed);
		machine_others_good(m, device);
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

static void t5_kicks_without_driver_ok_do_nothing(void **state)
{
	struct machine *m = *state;

	for (uint32_t device = 0; device < MACHINE_VIRTIO; device++) {
		struct fake_virtio *d = &m->drivers[device];
		uint64_t before, raised = interrupts(m, device);

		fake_virtio_reset(d);
		assert_true(fake_virtio_negotiate(d, 1ull << 32 | 1ull << 28));
		for (uint32_t q = 0; q < d->queue_count; q++)
			fake_virtio_queue_setup(d, q, 0, q + 1);
		fill(m, device);
		before = checksum(m, device);
		kick_queues(d);
		fake_settle(m->host);
		assert_true(checksum(m, device) == before);
		/* And behind a reset. */
		fake_virtio_set_status(d, 0);
		kick_queues(d);
		fake_settle(m->host);
		assert_int_equal(fake_virtio_status(d), 0);
		assert_true(checksum(m, device) == before);
		assert_true(interrupts(m, device) == raised);
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

static void t11_initialising_real_devices_leaks_nothing(void **state)
{
	struct machine *m = *state;
	uint32_t fds = machine_fd_count(), vectors = fake_vector_count(m->host);
	uint64_t heap = 0;

	for (uint32_t i = 0; i < INITIALISATIONS; i++) {
		uint32_t device = i % MACHINE_VIRTIO;
		struct fake_virtio *d = &m->drivers[device];

		fake_virtio_reset(d);
		assert_true(fake_virtio_negotiate(d, 1ull << 32 | (i & 1 ? 1ull << 28 : 0)));
		for (uint32_t q = 0; q < d->queue_count; q++)
			fake_virtio_queue_setup(d, q, 1u << i % 8, i % 3);
		fake_virtio_driver_ok(d);
		fake_virtio_kick(d, 0);
		if (i == INITIALISATIONS / 4)
			heap = machine_heap_bytes();
	}
	assert_int_equal(machine_fd_count(), fds);
	assert_int_equal(fake_vector_count(m->host), vectors);
	assert_true(machine_heap_bytes() <= heap + GROWTH_BYTES);
	for (uint32_t device = 0; device < MACHINE_VIRTIO; device++) {
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

/*
 * ---- Devices on their own threads, several vCPUs ----
 */

static int threads_setup(void **state)
{
	*state = machine_open(FAKE_LOOP_THREADS | FAKE_WORKER_THREADS);
	return 0;
}

struct vcpu {
	struct fake_virtio driver; /* a copy: a driver is used by one thread */
	void (*work)(struct vcpu *vcpu);
	_Atomic uint32_t stop;
	_Atomic uint32_t rounds;
	pthread_t thread;
};

static void *vcpu_main(void *ctx)
{
	struct vcpu *vcpu = ctx;

	while (!vcpu->stop) {
		vcpu->work(vcpu);
		vcpu->rounds++;
	}
	return NULL;
}

static void vcpu_start(
	struct vcpu *vcpu, const struct fake_virtio *driver, void (*work)(struct vcpu *))
{
	vcpu->driver = *driver;
	vcpu->work = work;
	vcpu->stop = 0;
	vcpu->rounds = 0;
	assert_int_equal(pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu), 0);
}

static void vcpu_stop(struct vcpu *vcpu)
{
	while (!vcpu->rounds) /* a busy machine may not have let it run yet */
		sched_yield();
	vcpu->stop = 1;
	pthread_join(vcpu->thread, NULL);
}

static void t9_nothing_comes_when_the_reset_of_full_queues_is_done(void **state)
{
	struct machine *m = *state;

	for (uint32_t round = 0; round < MACHINE_ROUNDS(60u); round++) {
		uint32_t device = round % MACHINE_VIRTIO;
		struct fake_virtio *d = &m->drivers[device];
		uint64_t before, raised;

		machine_init(m, device, FAKE_VIRTIO_ALL);
		fill(m, device);
		fake_virtio_set_status(d, 0);
		while (fake_virtio_status(d))
			sched_yield();
		raised = interrupts(m, device);
		before = checksum(m, device);
		machine_others_good(m, device);
		fake_settle(m->host);
		assert_true(checksum(m, device) == before);
		assert_true(interrupts(m, device) == raised);
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

static void kick_all(struct vcpu *vcpu)
{
	kick_queues(&vcpu->driver);
}

static void t18_a_storm_of_kicks_starves_no_other_device(void **state)
{
	struct machine *m = *state;
	struct vcpu storm;

	vcpu_start(&storm, &m->drivers[MACHINE_CARD], kick_all);
	for (uint32_t i = 0; i < MACHINE_ROUNDS(100u); i++)
		machine_others_good(m, MACHINE_CARD);
	vcpu_stop(&storm);
	machine_good(m, MACHINE_CARD);
}

/* All that takes the locks of the bus. */
static void shake_bus(struct vcpu *vcpu)
{
	struct fake_pci_device *pci = &vcpu->driver.pci;
	uint32_t round = vcpu->rounds;
	uint64_t home = pci->bars[vcpu->driver.common.bar].address;
	uint64_t ports = pci->bars[vcpu->driver.notify.bar].address;

	fake_pci_command(pci, FAKE_PCI_CMD_BUS_MASTER, round & 1);
	fake_msix_mask(pci, round % pci->msix_vectors, round >> 1 & 1);
	fake_msix_function_mask(pci, round >> 2 & 1);
	fake_msix_program(pci, round % pci->msix_vectors, 0x4000 + (round & 3));
	fake_msix_enable(pci, round >> 3 & 1);
	fake_pci_move_bar(pci, vcpu->driver.common.bar, home + 0x1000000);
	fake_pci_move_bar(pci, vcpu->driver.notify.bar, ports + 0x400);
	fake_virtio_kick(&vcpu->driver, 0);
	fake_pci_move_bar(pci, vcpu->driver.common.bar, home);
	fake_pci_move_bar(pci, vcpu->driver.notify.bar, ports);
}

static void start_and_reset(struct vcpu *vcpu)
{
	struct fake_virtio *d = &vcpu->driver;

	fake_virtio_set_status(d, 0);
	while (fake_virtio_status(d))
		sched_yield();
	fake_virtio_negotiate(d, 1ull << 32);
	fake_virtio_reg_write(d, REG(QUEUE_SELECT), 2, 0);
	fake_virtio_reg_write(d, REG(QUEUE_DESC), 4, d->queues[0].desc);
	fake_virtio_reg_write(d, REG(QUEUE_DRIVER), 4, d->queues[0].avail);
	fake_virtio_reg_write(d, REG(QUEUE_DEVICE), 4, d->queues[0].used);
	fake_virtio_reg_write(d, REG(QUEUE_ENABLE), 2, 1);
	fake_virtio_set_status(d, 0xf);
	fake_virtio_kick(d, 0);
}

static void r3_r4_r5_r8_resets_moves_and_masks_of_two_vcpus_stop_no_other_device(void **state)
{
	struct machine *m = *state;
	struct vcpu bus, resets;

	vcpu_start(&bus, &m->drivers[MACHINE_CARD], shake_bus);
	vcpu_start(&resets, &m->drivers[MACHINE_RANDOM], start_and_reset);
	for (uint32_t i = 0; i < MACHINE_ROUNDS(100u); i++)
		machine_good(m, MACHINE_DISK);
	vcpu_stop(&bus);
	vcpu_stop(&resets);
	fake_pci_enable(&m->drivers[MACHINE_CARD].pci);
	for (uint32_t device = 0; device < MACHINE_VIRTIO; device++) {
		machine_init(m, device, FAKE_VIRTIO_ALL);
		machine_good(m, device);
	}
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)
#define TEST_THREADS(name) cmocka_unit_test_setup_teardown(name, threads_setup, machine_teardown)

MACHINE_TESTS(states)
{
	const struct CMUnitTest tests[] = {
		TEST(t1_t2_t3_t4_t6_t8_t15_a_storm_of_register_writes_stops_no_other_device),
		TEST(t5_kicks_without_driver_ok_do_nothing),
		TEST(t11_initialising_real_devices_leaks_nothing),
		TEST_THREADS(t9_nothing_comes_when_the_reset_of_full_queues_is_done),
		TEST_THREADS(t18_a_storm_of_kicks_starves_no_other_device),
		TEST_THREADS(r3_r4_r5_r8_resets_moves_and_masks_of_two_vcpus_stop_no_other_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
