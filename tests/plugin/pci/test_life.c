/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and unmaking: wrong descriptions, limits, and every service call failing once.
 */
#include "pci_rig.h"

static const uint8_t body[64];
static const struct vmm_pci_bar two_bars[] = {
	RIG_BAR(0, VMM_PCI_BAR_MEM64, 4096), RIG_BAR(2, VMM_PCI_BAR_IO, 32)};
static const struct vmm_pci_cap one_cap[] = {
	{.struct_size = sizeof(struct vmm_pci_cap), .id = 9, .body = body, .body_bytes = 14}};

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static void slots_are_given_in_order_and_run_out(void **state)
{
	struct rig_function functions[31], extra = {0};
	uint32_t i;

	(void)state;
	memset(functions, 0, sizeof(functions));
	for (i = 0; i < 31; i++) {
		rig_add(&rig, &functions[i]);
		assert_int_equal(functions[i].pci.slot, i + 1);
	}
	assert_int_equal(rig_try_add(&rig, &extra), VMM_E_LIMIT);
	assert_non_null(strstr(rig.error, "slots"));
	rig_remove(&functions[11]);
	rig_add(&rig, &extra);
	assert_int_equal(extra.pci.slot, 12);
	rig_remove(&extra);
	for (i = 0; i < 31; i++)
		if (i != 11)
			rig_remove(&functions[i]);
}

static void a_slot_that_is_taken_or_does_not_exist_is_an_error(void **state)
{
	struct rig_function first = {.slot = 5}, second = {.slot = 5};
	struct vmm_pci_function host_bridge = {
		.struct_size = sizeof(host_bridge), .owner = rig.owner, .name = "slot 0"};
	uint64_t handle;

	(void)state;
	assert_int_equal(rig.bus->add(rig.object, &host_bridge, &handle), VMM_E_INVAL);
	rig_add(&rig, &first);
	assert_int_equal(rig_try_add(&rig, &second), VMM_E_BUSY);
	assert_non_null(strstr(rig.error, "slot 5 is taken by \"rig\""));
	second.slot = 32;
	assert_int_equal(rig_try_add(&rig, &second), VMM_E_INVAL);
	rig_remove(&first);
}

static void wrong_bars_are_refused(void **state)
{
	static const struct vmm_pci_bar wrong[][2] = {
		{RIG_BAR(6, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096)},
		{RIG_BAR(5, VMM_PCI_BAR_MEM64, 4096), RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM64, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 4096)},
		{RIG_BAR(1, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(0, VMM_PCI_BAR_MEM64, 4096)},
		{RIG_BAR(1, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 4096)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 4097)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 8)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 0)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_IO, 2)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, VMM_PCI_BAR_MEM32, 1ull << 32)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(1, 150, 16)},
		{RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096), RIG_BAR(0xffffffff, VMM_PCI_BAR_MEM64, 4096)},
	};
	uint32_t i, regions = fake_region_count(rig.host);

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rig_function function = {.bars = wrong[i], .bar_count = 2};

		assert_int_equal(rig_try_add(&rig, &function), VMM_E_INVAL);
		assert_non_null(strstr(rig.error, "BAR"));
		assert_int_equal(fake_region_count(rig.host), regions);
	}
}

/* Adds what differs from a right description of a function by what the caller has changed. */
static int32_t add_changed(struct vmm_pci_function *what)
{
	struct vmm_error error = {sizeof(error), rig.error, sizeof(rig.error)};
	uint64_t handle;

	what->struct_size = sizeof(*what);
	what->slot = VMM_PCI_SLOT_AUTO;
	what->error = &error;
	rig.error[0] = '\0';
	return rig.bus->add(rig.object, what, &handle);
}

static void wrong_descriptions_of_functions_are_refused(void **state)
{
	static const char name[] = "wrong";
	struct vmm_pci_function wrong[] = {
		{.name = name},
		{.owner = rig.owner},
		{.owner = rig.owner, .name = name, .class_code = 0x1000000},
		{.owner = rig.owner, .name = name, .revision = 0x100},
		{.owner = rig.owner, .name = name, .intx = 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(add_changed(&wrong[i]), VMM_E_INVAL);
		assert_non_null(strstr(rig.error, "description of the PCI function"));
	}
}

static void wrong_lists_of_bars_are_refused(void **state)
{
	static const struct vmm_io_ops ops = {.size = sizeof(ops)};
	struct vmm_pci_bar bar = RIG_BAR(0, VMM_PCI_BAR_MEM32, 4096);
	const struct vmm_pci_bar *bars[7] = {&bar, &bar, &bar, &bar, &bar, &bar, &bar};
	struct vmm_pci_function what = {
		.owner = rig.owner, .name = "wrong", .bars = bars, .bar_count = 1};
	uint32_t regions = fake_region_count(rig.host);

	(void)state;
	assert_int_equal(add_changed(&what), VMM_E_INVAL);
	assert_non_null(strstr(rig.error, "no callbacks"));
	bar.ops = &ops;
	bar.reserved = 1;
	assert_int_equal(add_changed(&what), VMM_E_INVAL);
	bar.reserved = 0;
	bar.struct_size = 8;
	assert_int_equal(add_changed(&what), VMM_E_INVAL);
	what.bar_count = 7;
	assert_int_equal(add_changed(&what), VMM_E_INVAL);
	assert_non_null(strstr(rig.error, "more than 6"));
	assert_int_equal(fake_region_count(rig.host), regions);
}

static void wrong_capabilities_are_refused(void **state)
{
	struct vmm_pci_cap wrong[] = {
		{.id = 0x100, .body = body, .body_bytes = 4},
		{.id = 9, .reserved = 1, .body = body, .body_bytes = 4},
		{.id = 9, .flags = VMM_PCI_CAP_HOOKED << 1, .body = body, .body_bytes = 4},
		{.id = 9, .body_bytes = 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct rig_function function = {.caps = &wrong[i], .cap_count = 1};

		assert_int_equal(rig_try_add(&rig, &function), VMM_E_INVAL);
		assert_string_equal(rig.error, "");
		wrong[i].struct_size = sizeof(wrong[i]);
		assert_int_equal(rig_try_add(&rig, &function), VMM_E_INVAL);
		assert_non_null(strstr(rig.error, "a capability's description"));
	}
}

static void a_capability_longer_than_all_of_the_space_is_refused(void **state)
{
	struct vmm_pci_cap cap = one_cap[0];
	struct rig_function function = {.caps = &cap, .cap_count = 1};

	(void)state;
	cap.body_bytes = UINT32_MAX;
	assert_int_equal(rig_try_add(&rig, &function), VMM_E_LIMIT);
	assert_non_null(strstr(rig.error, "no room for all capabilities"));
}

static void a_machine_without_lines_has_no_pins(void **state)
{
	struct rig_function function = {.intx = 1};
	struct vmm_layout layout;
	struct fake_config config = {.layout = &layout};

	(void)state;
	rig_down(&rig);
	fake_layout_default(&layout);
	layout.pci_gsi_count = 0;
	rig_up(&rig, &config);
	assert_int_equal(rig_try_add(&rig, &function), VMM_E_LIMIT);
	assert_non_null(strstr(rig.error, "no interrupt lines"));
	function.intx = 0;
	rig_add(&rig, &function);
	rig_remove(&function);
}

static void a_bar_of_msix_must_be_free(void **state)
{
	struct rig_function function = {
		.bars = two_bars, .bar_count = 2, .vectors = 2, .msix_bar = 1};

	(void)state;
	assert_int_equal(rig_try_add(&rig, &function), VMM_E_INVAL);
	assert_non_null(strstr(rig.error, "taken"));
	function.msix_bar = 3;
	rig_add(&rig, &function);
	rig_remove(&function);
}

static void windows_and_capability_space_run_out_with_an_error(void **state)
{
	static const struct vmm_pci_bar large[] = {RIG_BAR(0, VMM_PCI_BAR_MEM32, 0x10000000)};
	static const struct vmm_pci_bar ports[] = {RIG_BAR(0, VMM_PCI_BAR_IO, 0x8000)};
	struct rig_function functions[3] = {{0}};
	struct vmm_pci_cap caps[4];
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		functions[i].bars = large;
		functions[i].bar_count = 1;
	}
	rig_add(&rig, &functions[0]);
	rig_add(&rig, &functions[1]);
	assert_int_equal(rig_try_add(&rig, &functions[2]), VMM_E_LIMIT);
	assert_non_null(strstr(rig.error, "no room is left in the PCI window"));
	rig_remove(&functions[0]);
	rig_add(&rig, &functions[2]);
	rig_remove(&functions[1]);
	rig_remove(&functions[2]);

	functions[0].bars = ports;
	assert_int_equal(rig_try_add(&rig, &functions[0]), VMM_E_LIMIT);

	for (i = 0; i < 4; i++) {
		caps[i] = one_cap[0];
		caps[i].body_bytes = 62;
	}
	functions[1] = (struct rig_function){.caps = caps, .cap_count = 3};
	rig_add(&rig, &functions[1]);
	rig_remove(&functions[1]);
	functions[1].cap_count = 4;
	assert_int_equal(rig_try_add(&rig, &functions[1]), VMM_E_LIMIT);
	functions[1].cap_count = 3;
	functions[1].vectors = 1;
	assert_int_equal(rig_try_add(&rig, &functions[1]), VMM_E_LIMIT);
	functions[1].cap_count = 17;
	assert_int_equal(rig_try_add(&rig, &functions[1]), VMM_E_INVAL);
}

static void requests_follow_the_rule_of_sizes(void **state)
{
	struct {
		struct vmm_pci_function function;
		uint64_t tail;
	} request = {
		.function = {.struct_size = sizeof(request),
			.owner = rig.owner,
			.name = "sizes",
			.slot = VMM_PCI_SLOT_AUTO},
	};
	uint64_t handle;

	(void)state;
	assert_int_equal(rig.bus->add(rig.object, &request.function, &handle), 0);
	rig.bus->remove(rig.object, handle);
	request.tail = 1;
	assert_int_equal(rig.bus->add(rig.object, &request.function, &handle), VMM_E_TOO_NEW);
	request.function.struct_size = sizeof(request.function) - 8;
	assert_int_equal(rig.bus->add(rig.object, &request.function, &handle), VMM_E_INVAL);
}

static void unknown_handles_do_no_harm(void **state)
{
	int32_t fd;

	(void)state;
	rig.bus->remove(rig.object, 0);
	rig.bus->remove(rig.object, 7);
	rig.bus->remove(rig.object, UINT64_MAX);
	assert_int_equal(rig.bus->msix_fd(rig.object, 7, 0, &fd), VMM_E_INVAL);
	assert_int_equal(rig.bus->msix_enabled(rig.object, 7), 0);
	assert_int_equal(rig.bus->bus_master(rig.object, UINT64_MAX), 0);
	assert_int_equal(rig.bus->intx_set(rig.object, 0, 1), VMM_E_INVAL);
	assert_int_equal(rig.bus->dma_space(rig.object, 7), VMM_SPACE_SYSTEM);
}

static void two_buses_do_not_share_state(void **state)
{
	const void *table;
	void *object;
	struct fake_host *second = fake_host_create(NULL);

	(void)state;
	fake_plugin_load(second, FAKE_PLUGIN("pci"));
	assert_int_equal(fake_device_add(second, "pci", "other", NULL, NULL), 0);
	assert_int_equal(fake_host_start(second), 0);
	assert_int_equal(fake_interface(second, "other", VMM_PCI_BUS_ID, &table, &object), 0);
	assert_ptr_not_equal(object, rig.object);
	fake_pio_write(rig.host, 0xcf8, 4, 0x80000000);
	assert_int_equal(fake_pio_read(second, 0xcf8, 4), 0);
	fake_host_destroy(second);
}

static void a_second_bus_in_a_machine_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(fake_device_add(rig.host, "pci", "pci1", NULL, NULL), 0);
	assert_int_equal(fake_host_start(rig.host), VMM_E_EXISTS);
	assert_non_null(strstr(fake_error(rig.host), "pci-config-address"));
}

static void every_failing_service_makes_start_fail_and_leaves_nothing(void **state)
{
	uint32_t n, failed = 0;
	int hit;

	(void)state;
	for (n = 1;; n++) {
		struct fake_host *host = fake_host_create(NULL);

		fake_plugin_load(host, FAKE_PLUGIN("pci"));
		fake_host_fail_after(host, n);
		if (fake_device_add(host, "pci", "pci0", NULL, NULL) < 0 ||
			fake_host_start(host) < 0) {
			assert_string_not_equal(fake_error(host), "");
			failed++;
		}
		hit = fake_host_fault_hit(host);
		fake_host_destroy(host);
		if (!hit)
			break;
	}
	assert_int_equal(failed, n - 1);
	assert_int_equal(n - 1, 11);
}

static void every_failing_service_makes_add_fail_and_leaves_nothing(void **state)
{
	uint32_t n, regions = fake_region_count(rig.host);

	(void)state;
	for (n = 1;; n++) {
		struct rig_function function = {.bars = two_bars,
			.bar_count = 2,
			.caps = one_cap,
			.cap_count = 1,
			.vectors = 3,
			.msix_bar = 3,
			.intx = 1};

		fake_host_fail_after(rig.host, n);
		if (rig_try_add(&rig, &function) == 0) {
			rig_remove(&function);
			break;
		}
		assert_true(fake_host_fault_hit(rig.host));
		assert_string_not_equal(rig.error, "");
		assert_int_equal(fake_region_count(rig.host), regions);
		assert_int_equal(fake_vector_count(rig.host), 0);
	}
	fake_host_fail_after(rig.host, 0);
	assert_int_equal(n - 1, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(slots_are_given_in_order_and_run_out),
		TEST(a_slot_that_is_taken_or_does_not_exist_is_an_error),
		TEST(wrong_bars_are_refused),
		TEST(wrong_descriptions_of_functions_are_refused),
		TEST(wrong_lists_of_bars_are_refused),
		TEST(wrong_capabilities_are_refused),
		TEST(a_capability_longer_than_all_of_the_space_is_refused),
		TEST(a_machine_without_lines_has_no_pins),
		TEST(a_bar_of_msix_must_be_free),
		TEST(windows_and_capability_space_run_out_with_an_error),
		TEST(requests_follow_the_rule_of_sizes),
		TEST(unknown_handles_do_no_harm),
		TEST(two_buses_do_not_share_state),
		TEST(a_second_bus_in_a_machine_is_an_error),
		cmocka_unit_test(every_failing_service_makes_start_fail_and_leaves_nothing),
		TEST(every_failing_service_makes_add_fail_and_leaves_nothing),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
