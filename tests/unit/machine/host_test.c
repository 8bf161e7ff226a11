/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a plugin and the core: the rules of requests, phases, handles, and on which
 * thread a device's callbacks come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/io.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#include "fixture.h"
#include "loop/loop.h"

struct probe {
	struct fixture *fixture;
	atomic_int inside;
	atomic_int most_inside;
	atomic_bool on_loop;
};

static int32_t probe_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	struct probe *probe = ctx;
	int inside = atomic_fetch_add(&probe->inside, 1) + 1;

	(void)width;
	if (inside > atomic_load(&probe->most_inside))
		atomic_store(&probe->most_inside, inside);
	atomic_store(&probe->on_loop, loop_is_current(probe->fixture->machine.loop));
	usleep(1000);
	*ret_value = offset + 0x40;
	atomic_fetch_sub(&probe->inside, 1);
	return 0;
}

static const struct vmm_io_ops probe_ops = {.size = sizeof(probe_ops), .read = probe_read};

static uint64_t add_region(struct probe *probe)
{
	struct vmm_io_region req = {
		.struct_size = sizeof(req),
		.name = "probe",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = 0x100,
		.bytes = 16,
		.width_max = 1,
		.ops = &probe_ops,
		.ctx = probe,
	};
	uint64_t region = 0;

	assert_int_equal(host_io_table.region_add(probe->fixture->host, &req, &region), 0);
	return region;
}

static void *read_many(void *ctx)
{
	struct probe *probe = ctx;
	uint8_t value;

	for (int i = 0; i < 20; i++) {
		io_read(probe->fixture->machine.io, 1, VMM_IO_PIO, 0x102, &value, 1);
		if (value != 0x42)
			return ctx;
	}
	return NULL;
}

/* Two vCPUs read at once; returns how many were inside of the device at the same time. */
static int read_from_two_threads(struct probe *probe)
{
	pthread_t other;
	void *failed;
	uint8_t value;

	assert_int_equal(pthread_create(&other, NULL, read_many, probe), 0);
	for (int i = 0; i < 20; i++) {
		io_read(probe->fixture->machine.io, 0, VMM_IO_PIO, 0x102, &value, 1);
		assert_int_equal(value, 0x42);
	}
	pthread_join(other, &failed);
	assert_null(failed);
	return atomic_load(&probe->most_inside);
}

static void loop_device_is_read_on_its_loop_while_the_vcpu_waits(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};

	(void)state;
	fixture_init(&fixture, VMM_THREADS_LOOP);
	add_region(&probe);
	fixture_run(&fixture);
	assert_int_equal(read_from_two_threads(&probe), 1);
	assert_true(probe.on_loop);
	fixture_stop(&fixture);
	fixture_fini(&fixture);
}

static void serial_device_is_read_on_the_vcpu_one_at_a_time(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};

	(void)state;
	fixture_init(&fixture, VMM_THREADS_SERIAL);
	add_region(&probe);
	fixture_run(&fixture);
	assert_int_equal(read_from_two_threads(&probe), 1);
	assert_false(probe.on_loop);
	fixture_stop(&fixture);
	fixture_fini(&fixture);
}

static void parallel_device_is_read_on_both_vcpus_at_once(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};

	(void)state;
	fixture_init(&fixture, VMM_THREADS_PARALLEL);
	add_region(&probe);
	fixture_run(&fixture);
	assert_int_equal(read_from_two_threads(&probe), 2);
	assert_false(probe.on_loop);
	fixture_stop(&fixture);
	fixture_fini(&fixture);
}

static void access_to_a_loop_that_closed_reads_ones(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};
	uint8_t value = 0;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_LOOP);
	add_region(&probe);
	loop_sync_close(fixture.machine.loop);
	io_read(fixture.machine.io, 0, VMM_IO_PIO, 0x102, &value, 1);
	assert_int_equal(value, 0xff);
	fixture_fini(&fixture);
}

static void config_functions_are_refused_while_the_machine_runs(void **state)
{
	struct fixture fixture;
	struct vmm_io_region req = {.struct_size = sizeof(req)};
	uint64_t region;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_LOOP);
	fixture_run(&fixture);
	assert_int_equal(host_io_table.region_add(fixture.host, &req, &region), VMM_E_PHASE);
	assert_int_equal(fixture.machine.misuses, 1);
	fixture_stop(&fixture);
	fixture_fini(&fixture);
}

static void loop_functions_are_refused_on_another_thread(void **state)
{
	struct fixture fixture;
	uint64_t loop;
	uint64_t timer;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_LOOP);
	loop = host_loop_table.own(fixture.host);
	fixture_run(&fixture);
	assert_int_equal(
		host_loop_table.timer_add(fixture.host, loop, VMM_CLOCK_HOST, NULL, NULL, &timer),
		VMM_E_PHASE);
	fixture_stop(&fixture);
	fixture_fini(&fixture);
}

static void loop_is_lent_to_devices_whose_callbacks_need_no_lock(void **state)
{
	const uint32_t models[] = {VMM_THREADS_LOOP, VMM_THREADS_PARALLEL, VMM_THREADS_SERIAL};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct fixture fixture;
		uint64_t loop;

		fixture_init(&fixture, models[i]);
		loop = host_loop_table.own(fixture.host);
		if (models[i] == VMM_THREADS_SERIAL) {
			assert_int_equal(
				host_borrow_table.borrow(fixture.host, loop), VMM_E_UNSUPPORTED);
		} else {
			assert_int_equal(host_borrow_table.borrow(fixture.host, loop), 0);
			assert_int_equal(host_borrow_table.borrow(fixture.host, loop), VMM_E_BUSY);
			host_borrow_table.give_back(fixture.host, loop);
			assert_int_equal(host_borrow_table.borrow(fixture.host, loop), 0);
			host_borrow_table.give_back(fixture.host, loop);
		}
		fixture_fini(&fixture);
	}
}

static void foreign_handles_are_refused(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};
	uint64_t region;
	uint64_t nonsense[8] = {0};

	(void)state;
	fixture_init(&fixture, VMM_THREADS_PARALLEL);
	region = add_region(&probe);
	assert_int_equal(host_io_table.region_set(fixture.host, region, 0x200, 0), 0);
	assert_int_equal(
		host_io_table.region_set(fixture.host, (uintptr_t)nonsense, 0x200, 0), VMM_E_INVAL);
	assert_int_equal(host_io_table.region_set(fixture.host, 0, 0x200, 0), VMM_E_INVAL);
	assert_int_equal(host_loop_table.timer_arm(fixture.host, region, 0), VMM_E_INVAL);
	assert_true(host_borrow_table.borrow(fixture.host, (uintptr_t)nonsense) < 0);
	host_borrow_table.give_back(fixture.host, (uintptr_t)nonsense);
	fixture_fini(&fixture);
}

static void what_a_device_leaves_is_taken_back(void **state)
{
	struct fixture fixture;
	struct probe probe = {.fixture = &fixture};
	uint64_t timer;
	uint8_t value = 0;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_PARALLEL);
	add_region(&probe);
	assert_int_equal(host_loop_table.timer_add(fixture.host, host_loop_table.own(fixture.host),
				 VMM_CLOCK_HOST, NULL, NULL, &timer),
		0);
	host_objects_release(fixture.host);
	assert_null(fixture.host->objects);
	io_read(fixture.machine.io, 0, VMM_IO_PIO, 0x102, &value, 1);
	assert_int_equal(value, 0xff);
	fixture_fini(&fixture);
}

static void never(void *ctx)
{
	(void)ctx;
	fail();
}

/* Under the leak checker of the asan preset: nothing of them may be left. */
static void posts_of_a_device_that_goes_are_dropped(void **state)
{
	struct fixture fixture;
	uint64_t loop;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_SERIAL);
	loop = host_loop_table.own(fixture.host);
	assert_int_equal(host_loop_table.post(fixture.host, loop, never, NULL), 0);
	assert_int_equal(host_loop_table.post(fixture.host, loop, never, NULL), 0);
	fixture_fini(&fixture);
}

struct request {
	uint64_t struct_size;
	uint64_t first;
	uint64_t later;
};

static void request_rules_hold(void **state)
{
	struct {
		struct request request;
		uint64_t tail;
	} long_one = {.request = {.struct_size = sizeof(long_one), .first = 1, .later = 2}};
	struct request copy = {.later = 99};
	struct request short_one = {.struct_size = 16, .first = 5, .later = 77};

	(void)state;
	/* Shorter than known: the rest is zero. */
	assert_int_equal(host_copy_request(&short_one, 16, &copy, sizeof(copy)), 0);
	assert_int_equal(copy.first, 5);
	assert_int_equal(copy.later, 0);
	/* Shorter than the first release. */
	short_one.struct_size = 8;
	assert_int_equal(host_copy_request(&short_one, 16, &copy, sizeof(copy)), VMM_E_INVAL);
	/* Longer: the tail must be zero. */
	assert_int_equal(host_copy_request(&long_one, 16, &copy, sizeof(copy)), 0);
	assert_int_equal(copy.later, 2);
	long_one.tail = 1;
	assert_int_equal(host_copy_request(&long_one, 16, &copy, sizeof(copy)), VMM_E_TOO_NEW);
	/* A size that cannot be. */
	long_one.request.struct_size = UINT64_MAX;
	assert_int_equal(host_copy_request(&long_one, 16, &copy, sizeof(copy)), VMM_E_INVAL);
}

static void unknown_flags_are_refused(void **state)
{
	struct fixture fixture;
	struct vmm_io_region req = {
		.struct_size = sizeof(req),
		.name = "probe",
		.space = VMM_IO_PIO,
		.flags = 0x80,
		.base = 0x100,
		.bytes = 16,
		.width_max = 1,
		.ops = &probe_ops,
	};
	uint64_t region;

	(void)state;
	fixture_init(&fixture, VMM_THREADS_PARALLEL);
	assert_int_equal(host_io_table.region_add(fixture.host, &req, &region), VMM_E_INVAL);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_device_is_read_on_its_loop_while_the_vcpu_waits),
		cmocka_unit_test(serial_device_is_read_on_the_vcpu_one_at_a_time),
		cmocka_unit_test(parallel_device_is_read_on_both_vcpus_at_once),
		cmocka_unit_test(access_to_a_loop_that_closed_reads_ones),
		cmocka_unit_test(config_functions_are_refused_while_the_machine_runs),
		cmocka_unit_test(loop_functions_are_refused_on_another_thread),
		cmocka_unit_test(loop_is_lent_to_devices_whose_callbacks_need_no_lock),
		cmocka_unit_test(foreign_handles_are_refused),
		cmocka_unit_test(what_a_device_leaves_is_taken_back),
		cmocka_unit_test(posts_of_a_device_that_goes_are_dropped),
		cmocka_unit_test(request_rules_hold),
		cmocka_unit_test(unknown_flags_are_refused),
	};

	setenv("VMM_ABI_CHECK", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
