/* SPDX-License-Identifier: Apache-2.0 */
/* Values, references and creation order of devices, with device types of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

#define OPTION(...)                                                                                \
	&(const struct vmm_option)                                                                 \
	{                                                                                          \
		.struct_size = sizeof(struct vmm_option), __VA_ARGS__                              \
	}

static const char *const modes[] = {"fast", "safe"};
static const struct vmm_option *const pair_members[] = {
	OPTION(.name = "a", .type = VMM_OPT_UINT, .default_text = "1", .doc = "d"),
	OPTION(.name = "bus", .type = VMM_OPT_REF, .interface_id = "bus/1", .doc = "d"),
};
static const struct vmm_option *const pair[] = {
	OPTION(.name = "pair", .type = VMM_OPT_GROUP, .members = pair_members, .member_count = 2,
		.doc = "d"),
};
static const struct vmm_option *const disk_options[] = {
	OPTION(.name = "path", .type = VMM_OPT_PATH, .doc = "d"),
	OPTION(.name = "mode", .type = VMM_OPT_ENUM, .enum_names = modes, .enum_count = 2,
		.default_text = "safe", .doc = "d"),
	OPTION(.name = "timeout", .type = VMM_OPT_DURATION, .doc = "d"),
	OPTION(.name = "pairs", .type = VMM_OPT_LIST, .members = pair, .member_count = 1,
		.default_text = "", .doc = "d"),
	OPTION(.name = "bus", .type = VMM_OPT_REF, .flags = VMM_OPT_REQUIRED,
		.interface_id = "bus/1", .doc = "d"),
};
static const struct vmm_option *const bus_options[] = {
	OPTION(.name = "parent", .type = VMM_OPT_REF, .interface_id = "root/1", .doc = "d"),
};
static const char *const bus_provides[] = {"bus/1"};
static const char *const root_provides[] = {"root/1"};
static const struct vmm_device_ops ops = {.size = sizeof(ops)};
static const struct vmm_device_type types[] = {
	{.name = "disk", .options = disk_options, .option_count = 5, .ops = &ops},
	{.name = "bus",
		.options = bus_options,
		.option_count = 1,
		.provides = bus_provides,
		.provides_count = 1,
		.ops = &ops},
	{.name = "root", .provides = root_provides, .provides_count = 1, .ops = &ops},
};

static int find(void *ctx, const char *type, const char *plugin,
	const struct vmm_device_type **ret_type, const char **ret_plugin_file,
	struct vmm_error *error)
{
	(void)ctx, (void)plugin, (void)error;
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(types[i].name, type) != 0)
			continue;
		*ret_type = &types[i];
		*ret_plugin_file = "/test.so";
		return 0;
	}
	return VMM_E_NOT_FOUND;
}

static char error_text[CONFIG_ERROR_BYTES];

/* Reads and checks a config of these devices; NULL: it was refused with error_text. */
static struct config *load(const char *devices)
{
	struct vmm_error error = {sizeof(error), error_text, sizeof(error_text)};
	const struct config_types finder = {NULL, find};
	char path[] = "/tmp/vmm-devices-XXXXXX";
	struct config *config = NULL;
	int fd = mkstemp(path);
	int ret;

	assert_true(fd >= 0);
	dprintf(fd, "boot = { kernel = \"k\"; }; iothreads = [\"io0\"];\ndevices = (\n%s\n);\n",
		devices);
	close(fd);
	ret = config_load(path, NULL, 0, 0, &config, &error);
	if (!ret)
		ret = config_check(config, &finder, &error);
	unlink(path);
	if (!ret)
		return config;
	config_free(config);
	return NULL;
}

static void values_come_in_the_order_of_the_options(void **state)
{
	struct config *config = load("{ type = \"bus\"; id = \"b\"; },\n"
				     "{ type = \"disk\"; timeout = \"2ms\"; path = \"d/x\"; "
				     "iothread = \"io0\"; }");
	const struct vmm_value *const *values;

	(void)state;
	assert_non_null(config);
	values = config->devices[1].values;
	assert_int_equal(config->devices[1].value_count, 5);
	assert_int_equal(config->devices[1].iothread_index, 0);
	assert_int_equal(config->devices[0].iothread_index, CONFIG_MAIN_LOOP);
	assert_string_equal(values[0]->text, "/tmp/d/x");
	assert_int_equal(values[0]->flags, VMM_VALUE_PRESENT | VMM_VALUE_GIVEN);
	assert_int_equal(values[0]->line, 4);
	assert_int_equal(values[1]->number, 1);
	assert_string_equal(values[1]->text, "safe");
	assert_int_equal(values[1]->flags, VMM_VALUE_PRESENT);
	assert_null(values[1]->file);
	assert_int_equal(values[2]->number, 2000000);
	assert_int_equal(values[3]->item_count, 0);
	assert_int_equal(values[3]->flags, VMM_VALUE_PRESENT);
	assert_ptr_equal(config_ref(config, values[4]), &config->devices[0]);
	assert_string_equal(values[4]->text, "b");
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(values[i]->struct_size, sizeof(struct vmm_value));
	config_free(config);
}

static void an_option_that_is_not_given_is_absent(void **state)
{
	struct config *config = load("{ type = \"bus\"; }, { type = \"disk\"; }");
	const struct vmm_value *value;

	(void)state;
	assert_non_null(config);
	value = config->devices[1].values[0];
	assert_int_equal(value->flags, 0);
	assert_int_equal(value->type, VMM_OPT_PATH);
	assert_null(value->text);
	value = config->devices[0].values[0];
	assert_int_equal(value->flags, 0);
	assert_null(config_ref(config, value));
	config_free(config);
}

static void references_within_lists_are_resolved(void **state)
{
	struct config *config =
		load("{ type = \"disk\"; bus = \"b1\"; pairs = ( { bus = \"b2\"; }, "
		     "{ a = 5; bus = \"b1\"; } ); },\n{ type = \"bus\"; id = \"b1\"; },"
		     "{ type = \"bus\"; id = \"b2\"; }");
	const struct vmm_value *pairs;

	(void)state;
	assert_non_null(config);
	pairs = config->devices[0].values[3];
	assert_int_equal(pairs->item_count, 2);
	assert_int_equal(pairs->items[0]->items[0]->number, 1);
	assert_int_equal(pairs->items[1]->items[0]->number, 5);
	assert_string_equal(config_ref(config, pairs->items[0]->items[1])->id, "b2");
	assert_string_equal(config_ref(config, pairs->items[1]->items[1])->id, "b1");
	config_free(config);
}

static void what_a_device_needs_is_created_before_it(void **state)
{
	struct config *config =
		load("{ type = \"disk\"; id = \"d0\"; }, { type = \"bus\"; id = \"b\"; },"
		     "{ type = \"root\"; id = \"r\"; },"
		     "{ type = \"disk\"; id = \"d1\"; }");
	char order[64] = "";

	(void)state;
	assert_non_null(config);
	for (size_t i = 0; i < config->device_count; i++) {
		strncat(order, config->devices[config->create_order[i]].id, 8);
		strncat(order, " ", 2);
	}
	assert_string_equal(order, "r b d0 d1 ");
	config_free(config);
}

static void a_required_reference_needs_a_provider(void **state)
{
	(void)state;
	assert_null(load("{ type = \"disk\"; id = \"d\"; }"));
	assert_non_null(
		strstr(error_text, ":3: devices.d.bus: there is no device that offers bus/1"));
}

static void ref_numbers_are_never_zero(void **state)
{
	(void)state;
	assert_int_equal(config_ref_number(0), 1);
	assert_int_equal(config_ref_number(41), 42);
}

static void a_null_config_can_be_freed(void **state)
{
	(void)state;
	config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_in_the_order_of_the_options),
		cmocka_unit_test(an_option_that_is_not_given_is_absent),
		cmocka_unit_test(references_within_lists_are_resolved),
		cmocka_unit_test(what_a_device_needs_is_created_before_it),
		cmocka_unit_test(a_required_reference_needs_a_provider),
		cmocka_unit_test(ref_numbers_are_never_zero),
		cmocka_unit_test(a_null_config_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
