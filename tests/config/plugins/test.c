/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device types that do nothing, for tests of configurations: options of every kind, references, and
 * a type that looks at its values. create() and destroy() say so on standard error: a check must
 * not call them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/plugin.h>
#include <vmm/support.h>

#define OPTION(...)                                                                                \
	&(const struct vmm_option)                                                                 \
	{                                                                                          \
		.struct_size = sizeof(struct vmm_option), __VA_ARGS__                              \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	fprintf(stderr, "%s was created\n", args->device_id);
	*ret_ctx = strdup(args->device_id);
	return *ret_ctx ? 0 : VMM_E_NOMEM;
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	(void)ctx, (void)id, (void)ret_table, (void)ret_object;
	return VMM_E_UNSUPPORTED;
}

static void destroy(void *ctx)
{
	fprintf(stderr, "%s was destroyed\n", (const char *)ctx);
	free(ctx);
}

static int32_t validate(const struct vmm_validate_args *args)
{
	if (args->values[0]->number <= args->values[1]->number)
		return 0;
	vmm_set_error(args->error, "low (%lld) is over high (%lld)",
		(long long)args->values[0]->number, (long long)args->values[1]->number);
	return VMM_E_INVAL;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.get_interface = get_interface,
	.destroy = destroy,
};

static const struct vmm_device_ops picky_ops = {
	.size = sizeof(picky_ops),
	.validate = validate,
	.create = create,
	.destroy = destroy,
};

static const char *const modes[] = {"fast", "safe", "unsafe"};

static const struct vmm_option *const rate_members[] = {
	OPTION(.name = "bytes", .type = VMM_OPT_SIZE, .default_text = "1M", .doc = "bytes"),
	OPTION(.name = "every", .type = VMM_OPT_DURATION, .flags = VMM_OPT_REQUIRED, .min = 1000000,
		.max = 10000000000, .doc = "time"),
};

static const struct vmm_option *const port_member[] = {
	OPTION(.name = "port", .type = VMM_OPT_UINT, .min = 1, .max = 65535, .doc = "port"),
};

static const struct vmm_option *const all_options[] = {
	OPTION(.name = "path", .type = VMM_OPT_PATH, .flags = VMM_OPT_REQUIRED, .doc = "a file"),
	OPTION(.name = "readonly", .type = VMM_OPT_BOOL, .default_text = "false", .doc = "bool"),
	OPTION(.name = "offset", .type = VMM_OPT_INT, .default_text = "-1", .min = -10, .max = 10,
		.doc = "int"),
	OPTION(.name = "queues", .type = VMM_OPT_UINT, .default_text = "1", .min = 1, .max = 8,
		.unit = "queues", .doc = "uint"),
	OPTION(.name = "size", .type = VMM_OPT_SIZE, .default_text = "64K", .min = 4096,
		.max = INT64_MAX, .doc = "size"),
	OPTION(.name = "timeout", .type = VMM_OPT_DURATION, .default_text = "10ms",
		.doc = "duration"),
	OPTION(.name = "label", .type = VMM_OPT_STRING, .max = 20, .doc = "string"),
	OPTION(.name = "mode", .type = VMM_OPT_ENUM, .enum_names = modes,
		.enum_count = COUNT(modes), .default_text = "safe", .doc = "enum"),
	OPTION(.name = "fd", .type = VMM_OPT_FD, .doc = "fd"),
	OPTION(.name = "mac", .type = VMM_OPT_MAC, .default_text = "52:54:00:12:34:56",
		.doc = "mac"),
	OPTION(.name = "ports", .type = VMM_OPT_LIST, .members = port_member, .member_count = 1,
		.max = 4, .default_text = "80,443", .doc = "list"),
	OPTION(.name = "rate", .type = VMM_OPT_GROUP, .members = rate_members,
		.member_count = COUNT(rate_members), .doc = "group"),
	OPTION(.name = "old", .type = VMM_OPT_BOOL, .flags = VMM_OPT_DEPRECATED, .doc = "use mode"),
	OPTION(.name = "password", .type = VMM_OPT_STRING, .flags = VMM_OPT_SECRET, .min = 4,
		.max = 8, .doc = "secret"),
};

static const struct vmm_option *const node_options[] = {
	OPTION(.name = "bus", .type = VMM_OPT_REF, .flags = VMM_OPT_REQUIRED,
		.interface_id = "test.bus/1", .doc = "the bus it sits on"),
};

static const struct vmm_option *const link_options[] = {
	OPTION(.name = "next", .type = VMM_OPT_REF, .interface_id = "test.link/1",
		.doc = "the next one"),
};

static const struct vmm_option *const picky_options[] = {
	OPTION(.name = "low", .type = VMM_OPT_INT, .default_text = "0", .doc = "low"),
	OPTION(.name = "high", .type = VMM_OPT_INT, .default_text = "9", .doc = "high"),
};

static const char *const bus_provides[] = {"test.bus/1"};
static const char *const bus2_provides[] = {"test.bus/2"};
static const char *const link_provides[] = {"test.link/1"};

#define TYPE(type_name, option_table, ops_table)                                                   \
	.size = sizeof(struct vmm_device_type), .name = (type_name), .summary = "for tests",       \
	.thread_model = VMM_THREADS_LOOP, .options = (option_table),                               \
	.option_count = COUNT(option_table), .ops = &(ops_table)
#define PROVIDES(array) .provides = (array), .provides_count = COUNT(array)

static const struct vmm_device_type bus_type = {
	.size = sizeof(bus_type),
	.name = "test-bus",
	.summary = "a bus for tests",
	.thread_model = VMM_THREADS_LOOP,
	.ops = &ops,
	PROVIDES(bus_provides),
};
static const struct vmm_device_type bus2_type = {
	.size = sizeof(bus2_type),
	.name = "test-bus2",
	.summary = "a newer bus for tests",
	.thread_model = VMM_THREADS_SERIAL,
	.ops = &ops,
	PROVIDES(bus2_provides),
};
static const struct vmm_device_type all_type = {TYPE("test-all", all_options, ops)};
static const struct vmm_device_type node_type = {TYPE("test-node", node_options, ops)};
static const struct vmm_device_type link_type = {
	TYPE("test-link", link_options, ops), PROVIDES(link_provides)};
static const struct vmm_device_type picky_type = {TYPE("test-picky", picky_options, picky_ops)};

static const struct vmm_device_type *const types[] = {
	&bus_type, &bus2_type, &all_type, &node_type, &link_type, &picky_type};

static const struct vmm_plugin_desc desc = {
	.size = sizeof(desc),
	.id = "org.example.test",
	.version = "1.2.3",
	.summary = "Device types for tests",
	.types = types,
	.type_count = COUNT(types),
};

VMM_PLUGIN_TYPES(
	desc, "org.example.test", 0, "test-bus,test-bus2,test-all,test-node,test-link,test-picky");
