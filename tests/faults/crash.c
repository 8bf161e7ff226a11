/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that crashes: in create, on its loop, or in an access of the guest's, in code of its own
 * or of the C library.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/io.h>
#include <vmm/loop.h>
#include <vmm/plugin.h>
#include <vmm/support.h>

#include "crash.h"

enum where { IN_CREATE, IN_LOOP, IN_ACCESS, IN_LIBRARY };

static const char *const places[] = {"create", "loop", "access", "library"};

struct crash {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_loop loop;
	int64_t where;
	uint64_t region;
	int has_region;
};

static void crash_here(void)
{
	const volatile uintptr_t nowhere = CRASH_ADDRESS;

	*(volatile uint32_t *)nowhere = 1;
}

static void crash_cb(void *ctx)
{
	(void)ctx;
	crash_here();
}

static int32_t crash_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct crash *crash = ctx;
	const volatile uintptr_t nowhere = CRASH_ADDRESS;

	(void)offset;
	(void)width;
	*ret_value = 0;
	switch (crash->where) {
	case IN_LOOP:
		return crash->loop.post(crash->host, crash->loop.own(crash->host), crash_cb, crash);
	case IN_LIBRARY:
		memset((void *)nowhere, 0, (size_t)crash->region + 4096);
		return 0;
	default:
		crash_here();
		return 0;
	}
}

static int32_t crash_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	(void)ctx;
	(void)offset;
	(void)width;
	(void)value;
	return 0;
}

static const struct vmm_io_ops io_ops = {
	.size = sizeof(io_ops), .read = crash_read, .write = crash_write};

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct crash *crash = calloc(1, sizeof(*crash));
	int32_t ret;

	if (!crash)
		return VMM_E_NOMEM;
	crash->host = args->host;
	crash->where = args->values[0]->number;
	if (crash->where == IN_CREATE)
		crash_here();
	ret = vmm_query(args->hello, crash->host, VMM_IO_ID, sizeof(crash->io), &crash->io,
		sizeof(crash->io), args->error);
	if (ret >= 0)
		ret = vmm_query(args->hello, crash->host, VMM_LOOP_ID, sizeof(crash->loop),
			&crash->loop, sizeof(crash->loop), args->error);
	if (ret < 0) {
		free(crash);
		return ret;
	}
	*ret_ctx = crash;
	return 0;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct crash *crash = ctx;
	const struct vmm_io_region region = {.struct_size = sizeof(region),
		.name = "crash",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = CRASH_PORT,
		.bytes = 4,
		.width_max = 4,
		.ops = &io_ops,
		.ctx = crash};
	int32_t ret = crash->io.region_add(crash->host, &region, &crash->region);

	(void)error;
	crash->has_region = ret == 0;
	return ret;
}

static void unrealize(void *ctx)
{
	struct crash *crash = ctx;

	if (crash->has_region)
		crash->io.region_remove(crash->host, crash->region);
	crash->has_region = 0;
}

static const struct vmm_option where_option = {.struct_size = sizeof(where_option),
	.name = "where",
	.type = VMM_OPT_ENUM,
	.flags = VMM_OPT_REQUIRED,
	.enum_names = places,
	.enum_count = sizeof(places) / sizeof(places[0]),
	.doc = "where it crashes"};

static const struct vmm_option *const options[] = {&where_option};

static const struct vmm_device_ops ops = {.size = sizeof(ops),
	.create = create,
	.realize = realize,
	.unrealize = unrealize,
	.destroy = free};

static const struct vmm_device_type type = {.size = sizeof(type),
	.name = "crash",
	.summary = "crashes",
	.thread_model = VMM_THREADS_PARALLEL,
	.options = options,
	.option_count = 1,
	.ops = &ops};

static const struct vmm_device_type *const types[] = {&type};

static const struct vmm_plugin_desc desc = {.size = sizeof(desc),
	.id = "org.example.crash",
	.version = "1.0.0",
	.summary = "A device that crashes",
	.types = types,
	.type_count = 1};

VMM_PLUGIN_TYPES(desc, "org.example.crash", 0, "crash");
