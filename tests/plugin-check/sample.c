/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin for the tests of vmm-plugin-check: a device with an I/O port, a timer, a file, memory
 * and an interface, which keeps all rules. The build makes one .so for each mistake by defining
 * MISTAKE.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vmm/plugin.h>
#include <vmm/support.h>

#ifndef MISTAKE
#define MISTAKE NONE
#endif

enum mistake {
	NONE,
	EXPORTS,
	WANTS_VMM,
	RPATH,
	EXECSTACK,
	CALLS_EXIT,
	ENTRY_CHANGES,
	ENTRY_OPENS,
	ENTRY_STARTS_THREAD,
	CREATE_CRASHES,
	CREATE_HANGS,
	CREATE_EXITS,
	DESTROY_FREES_TWICE,
	SHARES_STATE,
	KNOWS_EVERY_INTERFACE,
	KNOWS_NO_INTERFACE,
	NO_TABLE_SIZE,
	FAILS_SILENTLY,
	LEAKS_FILE,
	LEAKS_THREAD,
	LEAKS_MEMORY,
	LEAKS_TIMER,
	LEAKS_REGION_ON_FAILURE,
	LEAKS_MEMORY_ON_FAILURE,
	TRUSTS_SERVICES,
	TRUSTS_MEMORY,
	TRUSTS_GUEST,
	TIMER_ON_VCPU,
	QUIESCE_NEVER_ENDS,
	EXPECTS_IDLE,
	WANTS_NEWEST,
};

static const enum mistake mistake = MISTAKE;

struct sample {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_loop loop;
	uint32_t port;
	int fd;
	uint64_t region;
	uint64_t timer;
	int has_region;
	int has_timer;
	uint64_t posts; /* of EXPECTS_IDLE, under way */
	uint8_t *data;
};

static int shared_count; /* of SHARES_STATE */

static void *sleep_for_ever(void *ctx)
{
	(void)ctx;
	for (;;)
		pause();
	return NULL;
}

static void start_thread(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, sleep_for_ever, NULL))
		pthread_detach(thread);
}

static void on_timer(void *ctx)
{
	(void)ctx;
}

static void on_post(void *ctx)
{
	struct sample *sample = ctx;

	sample->posts--;
}

static int32_t sample_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	const struct sample *sample = ctx;

	(void)width;
	*ret_value = sample->data[offset];
	return 0;
}

static int32_t sample_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct sample *sample = ctx;
	uint64_t timer;

	(void)width;
	if (mistake == TRUSTS_GUEST && value > 0xf0)
		sample->data[value << 24] = 1;
	if (mistake == TIMER_ON_VCPU)
		sample->loop.timer_add(sample->host, sample->loop.own(sample->host), VMM_CLOCK_HOST,
			on_timer, sample, &timer);
	if (mistake == EXPECTS_IDLE &&
		sample->loop.post(sample->host, sample->loop.own(sample->host), on_post, sample) >=
			0)
		sample->posts++;
	sample->data[offset] = (uint8_t)value;
	return 0;
}

static const struct vmm_io_ops io_ops = {
	.size = sizeof(io_ops),
	.read = sample_read,
	.write = sample_write,
};

__attribute__((visibility("default"))) void *sample_helper(void);
void *sample_helper(void)
{
	return NULL;
}

static void destroy(void *ctx)
{
	struct sample *sample = ctx;

	if (sample->posts)
		raise(SIGABRT);
	if (mistake != LEAKS_FILE)
		close(sample->fd);
	if (mistake != LEAKS_MEMORY)
		free(sample->data);
	if (mistake == DESTROY_FREES_TWICE && shared_count++)
		raise(SIGABRT);
	free(sample);
}

#ifdef WITH_VMM
void vmm_machine_stop(void);
#define STOP_MACHINE vmm_machine_stop()
#else
#define STOP_MACHINE (void)0
#endif

static int32_t misbehave(void)
{
	switch (mistake) {
	case CREATE_CRASHES:
		raise(SIGSEGV);
		return 0;
	case CREATE_HANGS:
		for (;;)
			pause();
	case CREATE_EXITS:
		_exit(3);
	case LEAKS_THREAD:
		start_thread();
		return 0;
	case WANTS_VMM:
		STOP_MACHINE;
		return 0;
	case SHARES_STATE:
		return shared_count++ ? VMM_E_EXISTS : 0;
	default:
		return 0;
	}
}

static int32_t create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct sample *sample = calloc(1, sizeof(*sample));
	int32_t ret = misbehave();

	if (ret < 0) {
		free(sample);
		return ret;
	}
	if (!sample && mistake != TRUSTS_MEMORY)
		return VMM_E_NOMEM;
	sample->host = args->host;
	sample->port = (uint32_t)args->values[0]->number;
	if (mistake == FAILS_SILENTLY && args->values[1]->number) {
		free(sample);
		return VMM_E_IO;
	}
	ret = vmm_query(args->hello, args->host, VMM_IO_ID, sizeof(sample->io), &sample->io,
		sizeof(sample->io), args->error);
	if (ret >= 0)
		ret = vmm_query(args->hello, args->host, VMM_LOOP_ID, sizeof(sample->loop),
			&sample->loop, sizeof(sample->loop), args->error);
	if (ret < 0 && mistake != TRUSTS_SERVICES) {
		if (mistake != LEAKS_MEMORY_ON_FAILURE)
			free(sample);
		return ret;
	}
	if (mistake == WANTS_NEWEST && ret >= 0) {
		struct vmm_machine machine;

		ret = vmm_query(args->hello, args->host, VMM_MACHINE_ID, sizeof(machine), &machine,
			sizeof(machine), args->error);
		if (ret < 0) {
			free(sample);
			return ret;
		}
	}
	sample->data = calloc(1, 16);
	sample->fd = eventfd(0, EFD_CLOEXEC);
	if (!sample->data || sample->fd < 0) {
		destroy(sample);
		return VMM_E_NOMEM;
	}
	*ret_ctx = sample;
	return 0;
}

static int32_t realize(void *ctx, struct vmm_error *error)
{
	struct sample *sample = ctx;
	const struct vmm_io_region region = {
		.struct_size = sizeof(region),
		.name = "sample",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = sample->port,
		.bytes = 16,
		.width_max = 1,
		.ops = &io_ops,
		.ctx = sample,
	};
	int32_t ret = sample->io.region_add(sample->host, &region, &sample->region);

	sample->has_region = ret >= 0;
	if (ret >= 0)
		ret = sample->loop.timer_add(sample->host, sample->loop.own(sample->host),
			VMM_CLOCK_HOST, on_timer, sample, &sample->timer);
	sample->has_timer = ret >= 0;
	if (ret < 0) {
		sample->has_region = sample->has_region && mistake != LEAKS_REGION_ON_FAILURE;
		vmm_set_error(error, "port 0x%x or a timer cannot be had", sample->port);
	}
	return ret;
}

static int32_t quiesce(void *ctx)
{
	(void)ctx;
	return mistake == QUIESCE_NEVER_ENDS ? VMM_PENDING : 0;
}

static void unrealize(void *ctx)
{
	struct sample *sample = ctx;

	if (sample->has_timer && mistake != LEAKS_TIMER)
		sample->loop.timer_remove(sample->host, sample->timer);
	if (sample->has_region)
		sample->io.region_remove(sample->host, sample->region);
}

static int32_t get_interface(void *ctx, const char *id, const void **ret_table, void **ret_object)
{
	static const struct {
		uint64_t size;
		void (*nothing)(void *ctx);
	} table = {mistake == NO_TABLE_SIZE ? 0 : sizeof(table), on_timer};

	if (mistake == KNOWS_NO_INTERFACE ||
		(mistake != KNOWS_EVERY_INTERFACE && strcmp(id, "org.example.sample/1") != 0))
		return VMM_E_UNSUPPORTED;
	*ret_table = &table;
	*ret_object = ctx;
	return 0;
}

static const struct vmm_device_ops ops = {
	.size = sizeof(ops),
	.create = create,
	.get_interface = get_interface,
	.realize = realize,
	.quiesce = quiesce,
	.unrealize = unrealize,
	.destroy = destroy,
};

static const struct vmm_option option_port = {
	.struct_size = sizeof(option_port),
	.name = "port",
	.type = VMM_OPT_UINT,
	.default_text = "0x580",
	.min = 0x100,
	.max = 0xfff0,
	.doc = "first of its 16 I/O ports",
};

static const struct vmm_option option_fast = {
	.struct_size = sizeof(option_fast),
	.name = "fast",
	.type = VMM_OPT_BOOL,
	.default_text = "false",
	.doc = "does nothing",
};

static const struct vmm_option *const options[] = {&option_port, &option_fast};
static const char *const provides[] = {"org.example.sample/1"};

static const struct vmm_device_type type = {
	.size = sizeof(type),
	.name = "sample",
	.summary = "for tests",
	.thread_model = VMM_THREADS_SERIAL,
	.options = options,
	.option_count = 2,
	.provides = provides,
	.provides_count = 1,
	.ops = &ops,
};

static const struct vmm_device_type *const types[] = {&type};

#define DESC                                                                                       \
	{                                                                                          \
		.size = sizeof(struct vmm_plugin_desc), .id = "org.example.sample",                \
		.version = "1.0", .summary = "for tests", .types = types, .type_count = 1,         \
	}

static const struct vmm_plugin_desc desc = DESC;
static const struct vmm_plugin_desc other_desc = DESC;

int32_t registered_entry(const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc);

#define vmm_plugin_entry_v1 registered_entry
VMM_PLUGIN_TYPES(desc, "org.example.sample", 0, "sample");
#undef vmm_plugin_entry_v1

int32_t vmm_plugin_entry_v1(const struct vmm_hello *hello, const struct vmm_plugin_desc **ret_desc)
{
	static int calls;
	int32_t ret = registered_entry(hello, ret_desc);

	if (mistake == ENTRY_CHANGES && calls++)
		*ret_desc = &other_desc;
	if (mistake == ENTRY_OPENS)
		ret = eventfd(0, EFD_CLOEXEC) < 0 ? VMM_E_IO : ret;
	if (mistake == ENTRY_STARTS_THREAD)
		start_thread();
	if (mistake == CALLS_EXIT && !hello)
		exit(1);
	return ret;
}
