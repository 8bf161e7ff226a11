/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several vCPUs at once (rows R4, R5, P9, P14): meant for the tsan preset, where it shows races; in
 * the others it shows deadlocks and lost interrupts.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "pci_rig.h"

#define ROUNDS 2000u

static const struct vmm_pci_bar one_bar[] = {RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096)};

static struct rig rig;
static struct rig_function a, b;
static _Atomic int stop;

static int setup(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	a.bars = one_bar;
	a.bar_count = 1;
	a.vectors = 2;
	a.msix_bar = 1;
	a.intx = 1;
	b = a;
	stop = 0;
	rig_up(&rig, NULL);
	rig_add(&rig, &a);
	rig_add(&rig, &b);
	fake_pci_enable(&a.pci);
	fake_pci_enable(&b.pci);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_remove(&a);
	rig_remove(&b);
	rig_down(&rig);
	return 0;
}

static void run(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t threads[2];
	void *wrong[2];

	assert_int_equal(pthread_create(&threads[0], NULL, first, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, second, NULL), 0);
	pthread_join(threads[0], &wrong[0]);
	stop = 1;
	pthread_join(threads[1], &wrong[1]);
	assert_null(wrong[0]);
	assert_null(wrong[1]);
}

static void *mover(void *arg)
{
	struct fake_pci_device pci = a.pci;
	uint64_t home = pci.bars[0].address;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++)
		fake_pci_move_bar(&pci, 0, i & 1 ? home : home + 0x1000000);
	fake_pci_move_bar(&pci, 0, home);
	return arg;
}

static void *reader(void *arg)
{
	uint64_t value;

	while (!stop) {
		value = fake_mmio_read(rig.host, a.pci.bars[0].address + 4, 4);
		if (value != (RIG_READ | 4) && value != 0xffffffff)
			return &stop;
		fake_pci_read(&a.pci, FAKE_PCI_BAR0, 4);
		rig.bus->intx_set(rig.object, a.handle, value & 1);
	}
	return arg;
}

static void R4_a_bar_moves_while_another_vcpu_uses_it(void **state)
{
	(void)state;
	run(mover, reader);
	assert_int_equal(fake_bar_read(&a.pci, 0, 4, 4), RIG_READ | 4);
}

static void *masker(void *arg)
{
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		fake_msix_mask(&a.pci, 0, 1);
		fake_msix_function_mask(&a.pci, 1);
		fake_msix_mask(&a.pci, 0, 0);
		fake_msix_enable(&a.pci, 0);
		fake_msix_enable(&a.pci, 1);
		fake_msix_program(&a.pci, 1, 0x50 + (i & 1));
	}
	return arg;
}

static void *raiser(void *arg)
{
	int32_t fd;

	while (!stop) {
		rig.bus->msix_fd(rig.object, a.handle, 0, &fd);
		eventfd_write(fd, 1);
		rig.bus->msix_fd(rig.object, a.handle, 1, &fd);
		eventfd_write(fd, 1);
		fake_msix_pending(&a.pci, 0);
		rig.bus->msix_enabled(rig.object, a.handle);
	}
	return arg;
}

static void R5_masks_change_while_vectors_are_raised_and_the_last_one_comes(void **state)
{
	uint64_t before;
	int32_t fd;

	(void)state;
	fake_msix_enable(&a.pci, 1);
	fake_msix_program(&a.pci, 0, 0x40);
	run(masker, raiser);
	before = fake_msi_count(rig.host, 0x40);
	rig.bus->msix_fd(rig.object, a.handle, 0, &fd);
	eventfd_write(fd, 1);
	assert_int_equal(fake_msi_count(rig.host, 0x40), before + 1);
	assert_int_equal(a.msix_enabled, 1);
}

static void *toggler(void *arg)
{
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		fake_pci_command(&a.pci, FAKE_PCI_CMD_BUS_MASTER | FAKE_PCI_CMD_INTX_OFF, i & 1);
		fake_msix_enable(&a.pci, i & 1);
	}
	return arg;
}

static void *other_toggler(void *arg)
{
	uint32_t i = 0;

	while (!stop) {
		i++;
		fake_pci_command(&b.pci, FAKE_PCI_CMD_BUS_MASTER | FAKE_PCI_CMD_MEMORY, i & 1);
		fake_pci_command(&a.pci, FAKE_PCI_CMD_BUS_MASTER, i & 1);
		fake_msix_enable(&a.pci, i & 1);
	}
	return arg;
}

static void callbacks_come_in_the_order_of_the_changes(void **state)
{
	(void)state;
	run(toggler, other_toggler);
	assert_int_equal(a.master, rig.bus->bus_master(rig.object, a.handle));
	assert_int_equal(a.msix_enabled, rig.bus->msix_enabled(rig.object, a.handle));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(R4_a_bar_moves_while_another_vcpu_uses_it),
		TEST(R5_masks_change_while_vectors_are_raised_and_the_last_one_comes),
		TEST(callbacks_come_in_the_order_of_the_changes),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
