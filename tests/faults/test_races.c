/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of vmm, from main() on, under the thread sanitizer: what that reports, a race or locks that
 * are taken in two orders, makes the program fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/testkit/pci_driver.h>
#include <vmm/testkit/virtio_driver.h>

#include "guest.h"
#include "kvm.h"
#include "program.h"

#define ROUNDS  32u
#define BUFFERS 8u
#define QUEUE   0u

static char shaking_failed[256]; /* why it did, if so */

struct shaken {
	struct fake_host *host;
	uint32_t id; /* of the virtio device */
};

static void make_busy(struct fake_virtio *driver)
{
	struct fake_virtio_buffer in;

	fake_virtio_init(driver, FAKE_VIRTIO_ALL);
	in = (struct fake_virtio_buffer){fake_virtio_alloc(driver, 64, 16), 64, 1};
	for (uint32_t i = 0; i < BUFFERS; i++)
		fake_virtio_add(driver, QUEUE, &in, 1, 0);
	fake_virtio_kick(driver, QUEUE);
}

/* All that takes locks of the bus, of a device and of KVM's interrupts, while it works. */
static void shake(void *ctx)
{
	const struct shaken *shaken = ctx;
	struct fake_virtio driver;
	struct fake_pci_device *pci = &driver.pci;
	uint64_t home;

	fake_virtio_find(shaken->host, shaken->id, 0, 0x100000, 0x300000, &driver);
	home = pci->bars[driver.common.bar].address;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		make_busy(&driver);
		fake_msix_mask(pci, QUEUE, round & 1);
		fake_msix_function_mask(pci, round >> 1 & 1);
		fake_msix_program(pci, QUEUE, 0x4000 + (round & 3));
		fake_pci_move_bar(pci, driver.common.bar, home + 0x1000000);
		fake_virtio_isr(&driver);
		fake_msix_enable(pci, round >> 2 & 1);
		fake_pci_command(pci, FAKE_PCI_CMD_BUS_MASTER, round >> 3 & 1);
		fake_virtio_kick(&driver, QUEUE);
		fake_pci_move_bar(pci, driver.common.bar, home);
		fake_pci_enable(pci);
		fake_virtio_reset(&driver);
	}
	fake_virtio_fini(&driver);
}

static void shake_then_use(struct fake_host *host)
{
	static const uint32_t ids[] = {1, 2, 4}; /* virtio 1.2, 5: card, disk, entropy source */

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct shaken shaken = {host, ids[i]};

		guest_try(shake, &shaken, shaking_failed, sizeof(shaking_failed));
	}
	user_main(host);
}

static void run(const struct program *program)
{
	program_prepare(program);
	user_outcome.ended = false;
	assert_int_equal(program_run(program), program_success(program));
	assert_true(user_outcome.ended);
	assert_string_equal(shaking_failed, "");
	if (!user_outcome.served)
		fail_msg("%s", user_outcome.text);
}

static void r8_locks_of_a_whole_machine_have_one_order_with_pci(void **state)
{
	static const struct user_plan plan = {.disks = 2, .cards = 1, .randoms = 1};
	static const struct program program = {.config = PROGRAM_PCI, .guest = &plan};

	(void)state;
	kvm_install(shake_then_use);
	run(&program);
}

static void r8_locks_of_a_whole_machine_have_one_order_without_pci(void **state)
{
	static const struct user_plan plan = {
		.disks = 2, .cards = 1, .randoms = 1, .mmio = true, .has_exit = true};
	static const struct program program = {
		.config = PROGRAM_MMIO, .guest = &plan, .has_terminal = true};

	(void)state;
	kvm_install(user_main);
	run(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r8_locks_of_a_whole_machine_have_one_order_with_pci),
		cmocka_unit_test(r8_locks_of_a_whole_machine_have_one_order_without_pci),
	};

	return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
