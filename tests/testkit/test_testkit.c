/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The testkit tests itself: a device type of the test goes through its life and does each thing
 * wrong once, and the fake host has to notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include <vmm/support.h>
#include <vmm/testkit/cmocka.h>

#define PORT 0x100u

/* A device with one of everything. */
struct toy {
	vmm_host *host;
	struct vmm_io io;
	struct vmm_irq irq;
	struct vmm_loop loop;
	struct vmm_worker worker;
	struct vmm_memory memory;
	struct vmm_stream stream;
	int64_t number;
	uint64_t region, bell, line, vector, watch, timer, pipe;
	int bell_fd, vector_fd, trigger_fd, resample_fd;
	uint32_t rings, drained, works_in_submit;
	_Atomic uint32_t ticks, posts, works, dones; /* also from other threads */
	uint64_t last_offset, last_value, last_width, room;
	int leak;
	char input[32];
	uint64_t input_bytes;
};

static int32_t toy_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *ret_value)
{
	(void)ctx;
	(void)width;
	*ret_value = 0xa0 + offset;
	return 0;
}

static int32_t toy_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	struct toy *toy = ctx;

	toy->last_offset = offset;
	toy->last_width = width;
	toy->last_value = value;
	return 0;
}

static const struct vmm_io_ops toy_io = {sizeof(toy_io), toy_read, toy_write};

static void toy_input(void *ctx, const uint8_t *data, uint64_t bytes)
{
	struct toy *toy = ctx;

	memcpy(toy->input + toy->input_bytes, data, bytes);
	toy->input_bytes += bytes;
	toy->room -= bytes;
}

static uint64_t toy_room(void *ctx)
{
	return ((struct toy *)ctx)->room;
}

static void toy_event(void *ctx, uint32_t events)
{
	((struct toy *)ctx)->drained += (events & VMM_STREAM_DRAINED) != 0;
}

static const struct vmm_stream_ops toy_stream = {
	sizeof(toy_stream), toy_input, toy_room, toy_event};

static void toy_ring(void *ctx, int32_t fd, uint32_t events)
{
	struct toy *toy = ctx;
	eventfd_t count;

	assert_int_equal(events, VMM_WATCH_READ);
	assert_int_equal(eventfd_read(fd, &count), 0);
	toy->rings += (uint32_t)count;
}

static void toy_tick(void *ctx)
{
	((struct toy *)ctx)->ticks++;
}

static void toy_posted(void *ctx)
{
	((struct toy *)ctx)->posts++;
}

static void toy_work(void *ctx)
{
	((struct toy *)ctx)->works++;
}

static void toy_done(void *ctx)
{
	struct toy *toy = ctx;

	assert_int_equal(toy->works, toy->dones + 1);
	toy->dones++;
}

static void toy_submit(void *ctx)
{
	struct toy *toy = ctx;

	assert_int_equal(
		toy->worker.submit(toy->host, toy->loop.own(toy->host), toy_work, toy_done, toy),
		0);
	toy->works_in_submit = toy->works;
}

static int32_t toy_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct toy *toy = calloc(1, sizeof(*toy));

	toy->host = args->host;
	toy->number = args->values[0]->number;
	if (vmm_query(args->hello, toy->host, VMM_IO_ID, 48, &toy->io, sizeof(toy->io),
		    args->error) < 0 ||
		vmm_query(args->hello, toy->host, VMM_IRQ_ID, 88, &toy->irq, sizeof(toy->irq),
			args->error) < 0 ||
		vmm_query(args->hello, toy->host, VMM_LOOP_ID, 80, &toy->loop, sizeof(toy->loop),
			args->error) < 0 ||
		vmm_query(args->hello, toy->host, VMM_WORKER_ID, 16, &toy->worker,
			sizeof(toy->worker), args->error) < 0 ||
		vmm_query(args->hello, toy->host, VMM_STREAM_ID, 40, &toy->stream,
			sizeof(toy->stream), args->error) < 0 ||
		vmm_query(args->hello, toy->host, VMM_MEMORY_ID, 56, &toy->memory,
			sizeof(toy->memory), args->error) < 0) {
		free(toy);
		return VMM_E_NOMEM;
	}
	toy->room = 4;
	*ret_ctx = toy;
	return 0;
}

static int32_t toy_realize(void *ctx, struct vmm_error *error)
{
	struct toy *toy = ctx;
	uint64_t loop = toy->loop.own(toy->host);
	struct vmm_io_region region = {.struct_size = sizeof(region),
		.name = "toy",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = PORT,
		.bytes = 8,
		.width_max = 4,
		.ops = &toy_io,
		.ctx = toy};
	struct vmm_doorbell bell = {.struct_size = sizeof(bell), .offset = 4, .width = 2};
	struct vmm_stream_open open = {.struct_size = sizeof(open),
		.kind = VMM_STREAM_STDIO,
		.loop = loop,
		.ops = &toy_stream,
		.ctx = toy};
	int32_t ret = toy->io.region_add(toy->host, &region, &toy->region);

	(void)error;
	bell.region = toy->region;
	if (ret >= 0)
		ret = toy->io.doorbell_add(toy->host, &bell, &toy->bell, &toy->bell_fd);
	if (ret >= 0)
		ret = toy->irq.line_open(toy->host, 20, VMM_IRQ_LEVEL, &toy->line);
	if (ret >= 0)
		ret = toy->irq.line_fds(toy->host, toy->line, &toy->trigger_fd, &toy->resample_fd);
	if (ret >= 0)
		ret = toy->irq.msi_open(toy->host, &toy->vector, &toy->vector_fd);
	if (ret >= 0)
		ret = toy->loop.watch_add(
			toy->host, loop, toy->bell_fd, VMM_WATCH_READ, toy_ring, toy, &toy->watch);
	if (ret >= 0)
		ret = toy->loop.timer_add(
			toy->host, loop, VMM_CLOCK_VM, toy_tick, toy, &toy->timer);
	if (ret >= 0)
		ret = toy->stream.open(toy->host, &open, &toy->pipe);
	return ret;
}

static void toy_unrealize(void *ctx)
{
	struct toy *toy = ctx;

	if (toy->leak)
		return;
	if (toy->watch)
		toy->loop.watch_remove(toy->host, toy->watch);
	if (toy->timer)
		toy->loop.timer_remove(toy->host, toy->timer);
	if (toy->line)
		toy->irq.line_close(toy->host, toy->line);
	if (toy->vector)
		toy->irq.msi_close(toy->host, toy->vector);
	if (toy->pipe)
		toy->stream.close(toy->host, toy->pipe);
	if (toy->region)
		toy->io.region_remove(toy->host, toy->region);
}

static const struct vmm_device_ops toy_ops = {
	.size = sizeof(toy_ops),
	.create = toy_create,
	.realize = toy_realize,
	.unrealize = toy_unrealize,
	.destroy = free,
};

static const struct vmm_option pair_a = {.struct_size = sizeof(struct vmm_option),
	.name = "a",
	.type = VMM_OPT_UINT,
	.flags = VMM_OPT_REQUIRED,
	.doc = "a"};
static const struct vmm_option pair_b = {.struct_size = sizeof(struct vmm_option),
	.name = "b",
	.type = VMM_OPT_SIZE,
	.default_text = "2K",
	.doc = "b"};
static const struct vmm_option *const pair_members[] = {&pair_a, &pair_b};
static const struct vmm_option pair = {.struct_size = sizeof(struct vmm_option),
	.name = "pair",
	.type = VMM_OPT_GROUP,
	.members = pair_members,
	.member_count = 2,
	.doc = "pair"};
static const struct vmm_option *const list_members[] = {&pair};
static const struct vmm_option options[] = {
	{.struct_size = sizeof(struct vmm_option),
		.name = "number",
		.type = VMM_OPT_INT,
		.default_text = "5",
		.min = -5,
		.max = 9,
		.doc = "number"},
	{.struct_size = sizeof(struct vmm_option),
		.name = "list",
		.type = VMM_OPT_LIST,
		.members = list_members,
		.member_count = 1,
		.doc = "list"},
	{.struct_size = sizeof(struct vmm_option),
		.name = "mac",
		.type = VMM_OPT_MAC,
		.doc = "mac"},
};
static const struct vmm_option *const toy_options[] = {&options[0], &options[1], &options[2]};

static const struct vmm_device_type toy_type = {
	.size = sizeof(toy_type),
	.name = "toy",
	.summary = "A toy",
	.thread_model = VMM_THREADS_SERIAL,
	.options = toy_options,
	.option_count = 3,
	.ops = &toy_ops,
};

static struct fake_host *host_new(uint32_t flags)
{
	struct fake_config config = {.flags = flags};
	struct fake_host *host = fake_host_create(&config);

	fake_type_add(host, &toy_type);
	return host;
}

static struct toy *toy_start(struct fake_host *host)
{
	vmm_host *device;

	assert_int_equal(fake_device_add(host, "toy", "toy0", NULL, &device), 0);
	assert_int_equal(fake_host_start(host), 0);
	return fake_device_ctx(device);
}

static void options_have_types_ranges_defaults_and_nesting(void **state)
{
	struct fake_host *host = host_new(0);
	const struct vmm_value *const *values;
	vmm_host *device;
	struct toy *toy;

	(void)state;
	assert_int_equal(
		fake_device_add(host, "toy", "t", FAKE_OPTIONS("number=10"), NULL), VMM_E_INVAL);
	assert_non_null(strstr(fake_error(host), "number"));
	assert_int_equal(
		fake_device_add(host, "toy", "t", FAKE_OPTIONS("nmber=1"), NULL), VMM_E_INVAL);
	assert_int_equal(
		fake_device_add(host, "toy", "t", FAKE_OPTIONS("list=({b=1})"), NULL), VMM_E_INVAL);
	assert_int_equal(fake_device_add(host, "toy", "t",
				 FAKE_OPTIONS("number=-3", "list=({a = 1, b=1M}, {a=\"2\"})",
					 "mac=52:54:00:12:34:56"),
				 &device),
		0);
	toy = fake_device_ctx(device);
	assert_int_equal(toy->number, -3);
	values = fake_device_values(device);
	assert_int_equal(values[1]->item_count, 2);
	assert_int_equal(values[1]->items[0]->items[1]->number, 1 << 20);
	assert_int_equal(values[1]->items[1]->items[0]->number, 2);
	assert_int_equal(values[1]->items[1]->items[1]->number, 2048);
	assert_int_equal(values[2]->number, 0x525400123456);
	fake_host_destroy(host);
}

static void accesses_are_split_and_nobodys_bytes_are_ones(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);

	(void)state;
	assert_int_equal(fake_pio_read(host, PORT + 7, 1), 0xa7);
	assert_int_equal(fake_pio_read(host, PORT + 6, 4), 0xffff00a6);
	assert_int_equal(fake_pio_read(host, PORT - 2, 4), 0x00a0ffff);
	assert_int_equal(fake_pio_read(host, PORT, 8), 0x000000a4000000a0);
	assert_int_equal(fake_pio_read(host, 0xffff, 4), 0xffffffff);
	assert_int_equal(fake_mmio_read(host, UINT64_MAX, 8), UINT64_MAX);
	fake_pio_write(host, PORT, 8, 0x1122334455667788);
	assert_int_equal(toy->last_offset, 4);
	assert_int_equal(toy->last_value, 0x11223344);
	fake_host_destroy(host);
}

static void doorbells_ring_on_their_width_only(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);

	(void)state;
	fake_pio_write(host, PORT + 4, 2, 1);
	fake_pio_write(host, PORT + 4, 2, 2);
	assert_int_equal(toy->last_width, 0);
	fake_pio_write(host, PORT + 4, 1, 3);
	assert_int_equal(toy->last_width, 1);
	assert_int_equal(toy->rings, 0);
	fake_settle(host);
	assert_int_equal(toy->rings, 2);
	fake_host_destroy(host);
}

static void lines_and_messages_are_seen(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);
	struct fake_msi msi;
	eventfd_t count;

	(void)state;
	toy->irq.line_set(toy->host, toy->line, 1);
	assert_int_equal(fake_line_level(host, 20), 1);
	toy->irq.line_set(toy->host, toy->line, 0);
	assert_int_equal(fake_line_level(host, 20), 0);
	eventfd_write(toy->trigger_fd, 1);
	assert_int_equal(fake_line_level(host, 20), 1);
	fake_line_eoi(host, 20);
	assert_int_equal(fake_line_level(host, 20), 0);
	assert_int_equal(eventfd_read(toy->resample_fd, &count), 0);
	assert_int_equal(fake_line_rises(host, 20), 2);

	eventfd_write(toy->vector_fd, 1);
	assert_int_equal(toy->irq.msi_pending(toy->host, toy->vector), 1);
	assert_false(fake_msi_take(host, &msi));
	assert_int_equal(toy->irq.msi_set(toy->host, toy->vector, 0, 7), VMM_E_INVAL);
	assert_int_equal(toy->irq.msi_set(toy->host, toy->vector, 0xfee00000, 7), 0);
	assert_true(fake_msi_take(host, &msi));
	assert_int_equal(msi.data, 7);
	assert_int_equal(toy->irq.msi_pending(toy->host, toy->vector), 0);
	fake_host_destroy(host);
}

static int toy_ticked(void *ctx)
{
	return ((struct toy *)ctx)->ticks != 0;
}

static void posts_timers_and_work_run(void **state)
{
	struct fake_host *host = host_new(FAKE_CLOCK);
	struct toy *toy = toy_start(host);
	uint64_t loop = toy->loop.own(toy->host);

	(void)state;
	toy->loop.timer_arm(toy->host, toy->timer, toy->loop.now(toy->host, VMM_CLOCK_VM) + 100);
	toy->loop.post(toy->host, loop, toy_posted, toy);
	toy->loop.post(toy->host, loop, toy_submit, toy);
	assert_int_equal(toy->posts, 0);
	fake_settle(host);
	assert_int_equal(toy->posts, 1);
	assert_int_equal(toy->dones, 1);
	assert_int_equal(toy->works_in_submit, 0);
	assert_int_equal(toy->ticks, 0);
	assert_int_equal(fake_timers_armed(toy->host), 1);
	fake_clock_advance(host, 100);
	fake_settle(host);
	assert_int_equal(toy->ticks, 1);
	assert_int_equal(fake_timers_armed(toy->host), 0);
	fake_host_destroy(host);
}

static void loops_and_work_run_on_threads(void **state)
{
	struct fake_host *host = host_new(FAKE_LOOP_THREADS | FAKE_WORKER_THREADS);
	struct toy *toy = toy_start(host);
	uint64_t loop = toy->loop.own(toy->host);

	(void)state;
	toy->loop.timer_arm(
		toy->host, toy->timer, toy->loop.now(toy->host, VMM_CLOCK_VM) + 2000000);
	toy->loop.post(toy->host, loop, toy_posted, toy);
	toy->loop.post(toy->host, loop, toy_submit, toy);
	fake_settle(host);
	assert_int_equal(toy->posts, 1);
	assert_int_equal(toy->dones, 1);
	assert_true(fake_run_until(host, toy_ticked, toy, 5000));
	fake_host_destroy(host);
}

static void streams_respect_room_both_ways(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);
	const uint8_t text[] = "output";

	(void)state;
	fake_stream_feed(toy->host, "abcdef", 6);
	fake_settle(host);
	assert_int_equal(toy->input_bytes, 4);
	toy->room = 10;
	fake_settle(host);
	assert_int_equal(fake_stream_unread(toy->host), 2);
	toy->stream.resume(toy->host, toy->pipe);
	fake_settle(host);
	assert_memory_equal(toy->input, "abcdef", 6);

	fake_stream_room(toy->host, 3);
	assert_int_equal(toy->stream.write(toy->host, toy->pipe, text, 6), 3);
	fake_settle(host);
	assert_int_equal(toy->drained, 0);
	assert_true(fake_stream_output_is(toy->host, "out"));
	fake_stream_room(toy->host, 100);
	fake_settle(host);
	assert_int_equal(toy->drained, 1);
	fake_host_destroy(host);
}

static void memory_is_split_by_ranges_and_ends_at_holes(void **state)
{
	static const struct fake_ram ram[] = {{0, 8192}, {8192, 4096}, {0x100000, 4096}};
	struct fake_config config = {.ram = ram, .ram_count = 3};
	struct fake_host *host = fake_host_create(&config);
	struct vmm_iovec iov[2];
	struct toy *toy;

	(void)state;
	fake_type_add(host, &toy_type);
	toy = toy_start(host);
	assert_int_equal(
		toy->memory.map(toy->host, 0, (vmm_gpa){8190}, 4, VMM_PROT_READ, iov, 2), 2);
	toy->memory.unmap(toy->host, 0, (vmm_gpa){8190}, 0);
	assert_int_equal(toy->memory.map(toy->host, 0, (vmm_gpa){8190}, 4, VMM_PROT_READ, iov, 1),
		VMM_E_LIMIT);
	assert_int_equal(toy->memory.map(toy->host, 0, (vmm_gpa){12286}, 4, VMM_PROT_READ, iov, 2),
		VMM_E_RANGE);
	assert_int_equal(toy->memory.write(toy->host, 0, (vmm_gpa){8190}, "wxyz", 4), 0);
	assert_memory_equal(fake_ram(host, 8192, 2), "yz", 2);
	assert_null(fake_ram(host, 8190, 4));
	fake_host_destroy(host);
}

static void every_fault_makes_start_fail_and_leaves_nothing(void **state)
{
	uint32_t n, failed = 0;

	(void)state;
	for (n = 1;; n++) {
		struct fake_host *host = host_new(0);
		int hit;

		fake_host_fail_after(host, n);
		if (fake_device_add(host, "toy", "toy0", NULL, NULL) < 0 ||
			fake_host_start(host) < 0)
			failed++;
		hit = fake_host_fault_hit(host);
		fake_host_destroy(host);
		if (!hit)
			break;
	}
	assert_int_equal(failed, n - 1);
	assert_true(n > 12);
}

static char last_failure[1024];
static jmp_buf failure_jump;

static void catch_failure(const char *text)
{
	snprintf(last_failure, sizeof(last_failure), "%s", text);
	longjmp(failure_jump, 1);
}

static void what_a_device_leaves_behind_fails_the_test_by_name(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);

	(void)state;
	toy->leak = 1;
	fake_set_fail_handler(catch_failure);
	if (!setjmp(failure_jump))
		fake_host_destroy(host);
	fake_use_cmocka();
	assert_non_null(strstr(last_failure, "\"toy0\" left region \"toy\" behind"));
	assert_non_null(strstr(last_failure, "doorbell at 0x4 in \"toy\""));
	assert_non_null(strstr(last_failure, "interrupt line 20"));
	assert_non_null(strstr(last_failure, "MSI vector"));
	assert_non_null(strstr(last_failure, "watch of fd"));
	assert_non_null(strstr(last_failure, "timer"));
	assert_non_null(strstr(last_failure, "stream"));
}

static void post_bad_add(void *ctx)
{
	struct toy *toy = ctx;
	struct vmm_io_region region = {.struct_size = sizeof(region)};

	assert_int_equal(toy->io.region_add(toy->host, &region, &toy->last_value), VMM_E_PHASE);
}

static void calls_in_the_wrong_context_are_problems(void **state)
{
	struct fake_host *host = host_new(0);
	struct toy *toy = toy_start(host);

	(void)state;
	toy->loop.post(toy->host, toy->loop.own(toy->host), post_bad_add, toy);
	fake_settle(host);
	assert_true(fake_problem_taken(host, "\"toy0\" calls vmm.io region_add in [loop]"));
	toy->irq.line_set(toy->host, 99, 1);
	assert_true(fake_problem_taken(host, "line_set with handle 0x63"));
	fake_host_destroy(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_have_types_ranges_defaults_and_nesting),
		cmocka_unit_test(accesses_are_split_and_nobodys_bytes_are_ones),
		cmocka_unit_test(doorbells_ring_on_their_width_only),
		cmocka_unit_test(lines_and_messages_are_seen),
		cmocka_unit_test(posts_timers_and_work_run),
		cmocka_unit_test(loops_and_work_run_on_threads),
		cmocka_unit_test(streams_respect_room_both_ways),
		cmocka_unit_test(memory_is_split_by_ranges_and_ends_at_holes),
		cmocka_unit_test(every_fault_makes_start_fail_and_leaves_nothing),
		cmocka_unit_test(what_a_device_leaves_behind_fails_the_test_by_name),
		cmocka_unit_test(calls_in_the_wrong_context_are_problems),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
