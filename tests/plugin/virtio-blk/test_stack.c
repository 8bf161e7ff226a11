/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-blk plugin behind the real virtio transport, driven as a guest's driver does it: rings
 * and buffers in guest memory, doorbells, used rings. Loops and workers run on threads, so this is
 * also what the thread sanitizer looks at.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmm/testkit/cmocka.h>
#include <vmm/testkit/virtio_driver.h>

#include "rig.h"

#define RAM_BASE  0x100000u
#define RAM_BYTES 0x800000u

struct stack {
	struct rig rig;
	struct fake_virtio driver;
};

static const struct fake_ram ram[] = {{0, 16u << 20}};

static void stack_open(struct stack *stack, const char *backend, uint32_t flags)
{
	const struct fake_config config = {.ram = ram, .ram_count = 1, .flags = flags};
	char path[160], aio[32];

	rig_need(backend);
	rig_open(&stack->rig, &config);
	snprintf(path, sizeof(path), "path=%s", stack->rig.path);
	snprintf(aio, sizeof(aio), "aio=%s", backend);
	fake_plugin_load(stack->rig.host, FAKE_PLUGIN("virtio"));
	assert_int_equal(fake_device_add(stack->rig.host, "virtio-mmio", "bus", NULL, NULL), 0);
	assert_int_equal(
		fake_device_add(stack->rig.host, "virtio-blk", "disk0",
			FAKE_OPTIONS(path, aio, "transport=bus", "queues=2", "iothread=io"),
			&stack->rig.blk),
		0);
	assert_int_equal(fake_host_start(stack->rig.host), 0);
	fake_virtio_find_mmio(
		stack->rig.host, BLK_DEVICE_ID, 0, RAM_BASE, RAM_BYTES, &stack->driver);
}

static void stack_close(struct stack *stack)
{
	fake_virtio_fini(&stack->driver);
	rig_close(&stack->rig);
}

/* A request in guest memory. */
struct request {
	uint64_t header, data, status;
};

static struct request request_make(struct stack *stack, uint32_t bytes)
{
	struct request request;

	request.header = fake_virtio_alloc(&stack->driver, 16, 16);
	request.data = fake_virtio_alloc(&stack->driver, bytes ? bytes : 1, 512);
	request.status = fake_virtio_alloc(&stack->driver, 1, 1);
	return request;
}

static void request_add(struct stack *stack, uint32_t queue, const struct request *request,
	uint32_t type, uint64_t sector, uint32_t bytes)
{
	struct blk_wire_header header = {.type = htole32(type), .sector = htole64(sector)};
	uint8_t status = RIG_UNTOUCHED;
	struct fake_virtio_buffer buffers[] = {{request->header, 16, 0},
		{request->data, bytes, type == BLK_T_IN}, {request->status, 1, 1}};

	fake_ram_write(stack->rig.host, request->header, &header, sizeof(header));
	fake_ram_write(stack->rig.host, request->status, &status, 1);
	if (!bytes)
		buffers[1] = buffers[2];
	fake_virtio_add(&stack->driver, queue, buffers, bytes ? 3 : 2, 0);
}

static uint8_t request_status(struct stack *stack, const struct request *request)
{
	uint8_t status;

	fake_ram_read(stack->rig.host, request->status, &status, 1);
	return status;
}

static void driver_reads_writes_and_flushes(void **state)
{
	struct stack stack;
	struct request request;
	uint8_t data[4096];

	stack_open(&stack, *state, 0);
	fake_virtio_init(&stack.driver, FAKE_VIRTIO_ALL);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 0, 4), RIG_SECTORS);
	request = request_make(&stack, sizeof(data));
	request_add(&stack, 0, &request, BLK_T_IN, 33, sizeof(data));
	fake_virtio_kick(&stack.driver, 0);
	assert_int_equal(fake_virtio_wait(&stack.driver, 0, NULL), sizeof(data) + 1);
	assert_int_equal(request_status(&stack, &request), BLK_S_OK);
	fake_ram_read(stack.rig.host, request.data, data, sizeof(data));
	assert_int_equal(data[0], 33);
	assert_int_equal(data[4095], 40);
	memset(data, 0xd7, sizeof(data));
	fake_ram_write(stack.rig.host, request.data, data, sizeof(data));
	request_add(&stack, 1, &request, BLK_T_OUT, 64, sizeof(data));
	fake_virtio_kick(&stack.driver, 1);
	assert_int_equal(fake_virtio_wait(&stack.driver, 1, NULL), 1);
	assert_int_equal(request_status(&stack, &request), BLK_S_OK);
	request_add(&stack, 0, &request, BLK_T_FLUSH, 0, 0);
	fake_virtio_kick(&stack.driver, 0);
	assert_int_equal(fake_virtio_wait(&stack.driver, 0, NULL), 1);
	assert_int_equal(request_status(&stack, &request), BLK_S_OK);
	assert_true(rig_sector_is(&stack.rig, 64, 0xd7));
	assert_true(rig_sector_is(&stack.rig, 71, 0xd7));
	stack_close(&stack);
}

static void driver_toggles_the_cache_mode(void **state)
{
	struct stack stack;

	stack_open(&stack, *state, 0);
	fake_virtio_init(&stack.driver, FAKE_VIRTIO_ALL);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 32, 1), 1);
	fake_virtio_config_write(&stack.driver, 32, 1, 0);
	fake_settle(stack.rig.host);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 32, 1), 0);
	fake_virtio_config_write(&stack.driver, 0, 4, 7); /* the capacity is not its to change */
	fake_virtio_reset(&stack.driver);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 32, 1), 1);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 0, 4), RIG_SECTORS);
	fake_virtio_init(&stack.driver, 1ull << 32 | BLK_F_CONFIG_WCE);
	assert_int_equal(fake_virtio_config_read(&stack.driver, 32, 1), 0);
	stack_close(&stack);
}

/* B10, R1: the guest changes header and data while the device works on them. */
struct scribbler {
	uint8_t *header;
	uint8_t *data;
	atomic_int stop;
};

static void *scribble(void *ctx)
{
	struct scribbler *scribbler = ctx;
	uint32_t n = 0;

	/* Of the header the sector, below the end of the disk: a type would rarely be one. */
	while (!atomic_load_explicit(&scribbler->stop, memory_order_relaxed)) {
		__atomic_store_n(&scribbler->header[8 + n % 2],
			(uint8_t)(n % 2 ? n % (RIG_SECTORS >> 9) : n * 37), __ATOMIC_RELAXED);
		__atomic_store_n(&scribbler->data[n % 4096], (uint8_t)n, __ATOMIC_RELAXED);
		n++;
	}
	return NULL;
}

static void b10_r1_buffers_that_change_do_no_harm(void **state)
{
	struct stack stack;
	struct request request;
	struct scribbler scribbler = {0};
	struct stat before, after;
	pthread_t thread;

#ifdef __SANITIZE_THREAD__
	print_message("skipped: the races of this test are meant to be there\n");
	skip();
#endif
	stack_open(&stack, *state, 0);
	fake_virtio_init(&stack.driver, FAKE_VIRTIO_ALL);
	request = request_make(&stack, 4096);
	assert_int_equal(fstat(stack.rig.fd, &before), 0);
	scribbler.header = fake_ram(stack.rig.host, request.header, 16);
	scribbler.data = fake_ram(stack.rig.host, request.data, 4096);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &scribbler), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		request_add(
			&stack, 0, &request, i & 1 ? BLK_T_OUT : BLK_T_FLUSH, i, i & 1 ? 4096 : 0);
		fake_virtio_kick(&stack.driver, 0);
		fake_virtio_wait(&stack.driver, 0, NULL);
		assert_int_equal(request_status(&stack, &request), BLK_S_OK);
	}
	atomic_store(&scribbler.stop, 1);
	pthread_join(thread, NULL);
	assert_int_equal(fstat(stack.rig.fd, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	stack_close(&stack);
}

/* Queues on a loop thread, workers on theirs, resets in between. */
static void resets_under_load_on_threads(void **state)
{
	enum { ROUNDS = 30, COUNT = 60 };
	struct stack stack;

	stack_open(&stack, *state, FAKE_LOOP_THREADS | FAKE_WORKER_THREADS);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct request requests[COUNT];

		fake_virtio_init(&stack.driver, FAKE_VIRTIO_ALL);
		for (uint32_t i = 0; i < COUNT; i++) {
			requests[i] = request_make(&stack, 4096);
			request_add(&stack, i & 1, &requests[i],
				i % 9 == 8 ? BLK_T_FLUSH
				: i % 3    ? BLK_T_OUT
					   : BLK_T_IN,
				i * 8, i % 9 == 8 ? 0 : 4096);
			if (i % 8 == 0)
				fake_virtio_kick(&stack.driver, i & 1);
		}
		fake_virtio_kick(&stack.driver, 0);
		fake_virtio_kick(&stack.driver, 1);
		if (round & 1) {
			for (uint32_t i = 0; i < COUNT; i++)
				fake_virtio_wait(&stack.driver, i & 1, NULL);
			for (uint32_t i = 0; i < COUNT; i++)
				assert_int_equal(request_status(&stack, &requests[i]), BLK_S_OK);
		}
		fake_virtio_reset(&stack.driver);
	}
	stack_close(&stack);
}

#define WITH(name, backend)                                                                        \
	{                                                                                          \
#name " [" backend "]", name, NULL, NULL, (void *)(uintptr_t)backend               \
	}
#define BOTH(name) WITH(name, "io_uring"), WITH(name, "worker")

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(driver_reads_writes_and_flushes),
		BOTH(driver_toggles_the_cache_mode),
		BOTH(b10_r1_buffers_that_change_do_no_harm),
		BOTH(resets_under_load_on_threads),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
