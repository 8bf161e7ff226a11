/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fixture.h.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "machine/device.h"

static int32_t fixture_create(const struct vmm_create_args *args, void **ret_ctx)
{
	*ret_ctx = args->host;
	return 0;
}

static void fixture_destroy(void *ctx)
{
	(void)ctx;
}

void fixture_init(struct fixture *fixture, uint32_t thread_model)
{
	struct machine *machine = &fixture->machine;

	*fixture = (struct fixture){
		.ops = {.size = sizeof(fixture->ops),
			.create = fixture_create,
			.destroy = fixture_destroy},
		.type = {.size = sizeof(fixture->type),
			.name = "fake",
			.thread_model = thread_model,
			.ops = &fixture->ops},
		.config = {.id = "dev0",
			.type_name = "fake",
			.iothread_index = CONFIG_MAIN_LOOP,
			.type = &fixture->type},
	};
	assert_int_equal(vm_clock_create(&machine->clock), 0);
	assert_int_equal(loop_create("main", machine->clock, &machine->loop), 0);
	assert_int_equal(io_map_create(2, &machine->io), 0);
	machine->hosts = fixture->hosts;
	machine->host_count = 1;
	assert_int_equal(device_create(machine, &fixture->config, &fixture->host, NULL), 0);
	fixture->hosts[0] = fixture->host;
	fixture->host->phase = HOST_REALIZE;
}

void fixture_fini(struct fixture *fixture)
{
	device_destroy(fixture->host);
	io_map_destroy(fixture->machine.io);
	loop_destroy(fixture->machine.loop);
	vm_clock_destroy(fixture->machine.clock);
}

void fixture_run(struct fixture *fixture)
{
	atomic_store(&fixture->machine.running, true);
	assert_int_equal(loop_thread_start(fixture->machine.loop), 0);
}

void fixture_stop(struct fixture *fixture)
{
	loop_thread_join(fixture->machine.loop);
	atomic_store(&fixture->machine.running, false);
}
