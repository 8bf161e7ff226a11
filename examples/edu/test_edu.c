/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edu.so on the PCI bus that vmm was installed with, in a fake host. The test is the guest's
 * driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/pci_driver.h>

#include "edu.h"

#define GUEST_BUFFER 0x200000u
#define NOT_RAM      0x40000000u

struct machine {
	struct fake_host *host;
	struct fake_pci_device edu;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	m->host = fake_host_create(NULL);
	fake_plugin_load(m->host, FAKE_VMM_PLUGIN("pci"));
	fake_plugin_load(m->host, FAKE_PLUGIN("edu"));
	fake_device_add(m->host, "pci", "pci0", NULL, NULL);
	fake_device_add(m->host, "edu", "edu0", FAKE_OPTIONS("bus=pci0"), NULL);
	if (fake_host_start(m->host) < 0)
		fail_msg("%s", fake_error(m->host));
	assert_true(fake_pci_find(m->host, EDU_VENDOR_ID, EDU_DEVICE_ID, 0, &m->edu));
	fake_pci_enable(&m->edu);
	fake_msix_enable(&m->edu, 1);
	fake_msix_program(&m->edu, EDU_VECTOR_DMA, 0x41);
	fake_msix_program(&m->edu, EDU_VECTOR_RAISE, 0x42);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fake_host_destroy(m->host);
	free(m);
	return 0;
}

static uint32_t get(struct machine *m, uint32_t offset)
{
	return (uint32_t)fake_bar_read(&m->edu, EDU_BAR, offset, 4);
}

static void set(struct machine *m, uint32_t offset, uint32_t value)
{
	fake_bar_write(&m->edu, EDU_BAR, offset, 4, value);
}

/* Starts a DMA, waits for its end and returns STATUS. */
static uint32_t dma(struct machine *m, uint32_t command, uint64_t gpa, uint32_t bytes)
{
	set(m, EDU_ADDRESS, (uint32_t)gpa);
	set(m, EDU_ADDRESS + 4, (uint32_t)(gpa >> 32));
	set(m, EDU_BYTES, bytes);
	set(m, EDU_COMMAND, command);
	fake_settle(m->host);
	return get(m, EDU_STATUS);
}

static void registers_are_there(void **state)
{
	struct machine *m = *state;

	assert_int_equal(get(m, EDU_IDENT), EDU_IDENT_VALUE);
	set(m, EDU_CHECK, 0x12345678);
	assert_int_equal(get(m, EDU_CHECK), 0xedcba987);
	assert_int_equal(get(m, EDU_STATUS), EDU_IDLE);
}

static void buffer_takes_every_width(void **state)
{
	struct machine *m = *state;

	fake_bar_write(&m->edu, EDU_BAR, EDU_BUFFER + 0xff8, 8, 0x8877665544332211);
	assert_int_equal(fake_bar_read(&m->edu, EDU_BAR, EDU_BUFFER + 0xffc, 4), 0x88776655);
	assert_int_equal(fake_bar_read(&m->edu, EDU_BAR, EDU_BUFFER + 0xfff, 1), 0x88);
}

static void dma_goes_both_ways(void **state)
{
	struct machine *m = *state;
	char text[] = "guest says hi";
	char back[sizeof(text)];

	fake_ram_write(m->host, GUEST_BUFFER, text, sizeof(text));
	assert_int_equal(dma(m, EDU_FROM_GUEST, GUEST_BUFFER, sizeof(text)), EDU_DONE);
	assert_int_equal(fake_msi_count(m->host, 0x41), 1);
	assert_int_equal(fake_bar_read(&m->edu, EDU_BAR, EDU_BUFFER, 1), 'g');
	assert_int_equal(dma(m, EDU_TO_GUEST, GUEST_BUFFER + 256, sizeof(text)), EDU_DONE);
	fake_ram_read(m->host, GUEST_BUFFER + 256, back, sizeof(back));
	assert_string_equal(back, text);
	assert_int_equal(fake_msi_count(m->host, 0x41), 2);
}

static void dma_to_what_is_not_ram_fails(void **state)
{
	struct machine *m = *state;

	assert_int_equal(dma(m, EDU_TO_GUEST, NOT_RAM, 16), EDU_FAILED);
	assert_int_equal(fake_msi_count(m->host, 0x41), 1); /* the driver is told */
	assert_int_equal(dma(m, EDU_TO_GUEST, m->edu.bars[EDU_BAR].address, 16), EDU_FAILED);
	assert_int_equal(fake_msi_count(m->host, 0x41), 2);
}

static void dma_needs_bus_master(void **state)
{
	struct machine *m = *state;
	uint8_t byte = 7;

	fake_ram_write(m->host, GUEST_BUFFER, &byte, 1);
	fake_pci_command(&m->edu, FAKE_PCI_CMD_BUS_MASTER, 0);
	assert_int_equal(dma(m, EDU_TO_GUEST, GUEST_BUFFER, 1), EDU_FAILED);
	fake_ram_read(m->host, GUEST_BUFFER, &byte, 1);
	assert_int_equal(byte, 7);
	assert_int_equal(fake_guest_errors(m->host, "bus-master"), 1);
}

static void wrong_lengths_and_commands_fail_at_once(void **state)
{
	struct machine *m = *state;

	assert_int_equal(dma(m, EDU_TO_GUEST, GUEST_BUFFER, 0), EDU_FAILED);
	assert_int_equal(dma(m, EDU_TO_GUEST, GUEST_BUFFER, EDU_BUFFER_BYTES + 1), EDU_FAILED);
	assert_int_equal(dma(m, 3, GUEST_BUFFER, 16), EDU_FAILED);
	assert_int_equal(dma(m, EDU_TO_GUEST, GUEST_BUFFER, EDU_BUFFER_BYTES), EDU_DONE);
}

static void address_cannot_change_under_a_dma(void **state)
{
	struct machine *m = *state;
	uint8_t bytes[2] = {1, 1};

	fake_ram_write(m->host, GUEST_BUFFER, bytes, 2);
	set(m, EDU_ADDRESS, GUEST_BUFFER);
	set(m, EDU_BYTES, 1);
	set(m, EDU_COMMAND, EDU_TO_GUEST);
	set(m, EDU_ADDRESS, NOT_RAM);
	set(m, EDU_BYTES, EDU_BUFFER_BYTES + 1);
	fake_settle(m->host);
	fake_ram_read(m->host, GUEST_BUFFER, bytes, 2);
	assert_int_equal(get(m, EDU_STATUS), EDU_DONE);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1], 1);
}

static void masked_vector_is_pending(void **state)
{
	struct machine *m = *state;

	fake_msix_mask(&m->edu, EDU_VECTOR_RAISE, 1);
	set(m, EDU_RAISE, 1);
	fake_settle(m->host);
	assert_true(fake_msix_pending(&m->edu, EDU_VECTOR_RAISE));
	assert_int_equal(fake_msi_count(m->host, 0x42), 0);
	fake_msix_mask(&m->edu, EDU_VECTOR_RAISE, 0);
	fake_settle(m->host);
	assert_int_equal(fake_msi_count(m->host, 0x42), 1);
}

static void every_failing_service_is_survived(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		struct fake_host *host = fake_host_create(NULL);
		int failed;

		fake_plugin_load(host, FAKE_VMM_PLUGIN("pci"));
		fake_plugin_load(host, FAKE_PLUGIN("edu"));
		fake_device_add(host, "pci", "pci0", NULL, NULL);
		fake_host_fail_after(host, n);
		if (fake_device_add(host, "edu", "edu0", FAKE_OPTIONS("bus=pci0"), NULL) == 0)
			fake_host_start(host);
		failed = fake_host_fault_hit(host);
		fake_host_destroy(host);
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_are_there, setup, teardown),
		cmocka_unit_test_setup_teardown(buffer_takes_every_width, setup, teardown),
		cmocka_unit_test_setup_teardown(dma_goes_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(dma_to_what_is_not_ram_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(dma_needs_bus_master, setup, teardown),
		cmocka_unit_test_setup_teardown(
			wrong_lengths_and_commands_fail_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(address_cannot_change_under_a_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(masked_vector_is_pending, setup, teardown),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
