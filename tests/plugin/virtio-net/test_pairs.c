/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several pairs of queues on a real tap device, and the control queue that chooses their number.
 */
#include "tap_rig.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool refuse_queues, refuse_taps;

/* What the plugin calls. */
__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if ((refuse_queues && request == TUNSETQUEUE) || (refuse_taps && request == TUNSETIFF)) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static const uint8_t ctrl_ok = 0, ctrl_err = 1;

/* Sends a control command; returns the answer, or -1 if there is none. */
static int command(struct rig *rig, uint32_t queue, const void *data, uint32_t bytes, uint32_t room)
{
	uint64_t before = rig->driver.ram_next;
	const struct fake_virtio_buffer buffers[] = {
		{fake_virtio_put(&rig->driver, data, bytes), bytes, 0},
		{fake_virtio_put(&rig->driver, "\xee", 1), room, 1}};
	uint32_t written = fake_virtio_request(&rig->driver, queue, buffers, room ? 2 : 1);
	uint8_t ack;

	fake_ram_read(rig->host, buffers[1].gpa, &ack, 1);
	rig->driver.ram_next = before;
	assert_int_equal(written, room ? 1 : 0);
	return room ? ack : -1;
}

static void n9_control_queue_answers_everything(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=4"), FAKE_VIRTIO_ALL);
	struct rig *rig = table.rig;
	const uint8_t mac_table[64] = {1, 0, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	assert_int_equal(rig->driver.queue_count, 9);
	assert_int_equal(fake_virtio_config_read(&rig->driver, 8, 2), 4);
	assert_int_equal(command(rig, 8, "\4\0\1\0", 4, 1), ctrl_ok);
	assert_int_equal(command(rig, 8, "\4\0\4\0", 4, 1), ctrl_ok);
	assert_int_equal(command(rig, 8, "\4\0\0\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\0\5\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\0\377\377", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\1\1\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\0\0\1\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\5\0\1\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\0\1", 3, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\0\1\0\0", 5, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4", 1, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\0\0\1", 3, 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\377\377\0\0", 4, 1), ctrl_err);
	assert_int_equal(command(rig, 8, mac_table, sizeof(mac_table), 1), ctrl_err);
	assert_int_equal(command(rig, 8, "\4\0\1\0", 4, 0), -1);
	assert_int_equal(fake_guest_errors(rig->host, "ctrl"), 1);
	assert_int_equal(command(rig, 8, "\4\0\1\0", 4, 1), ctrl_ok);
	tap_carries(&table, 60);
	tap_close(&table);
}

/* 5.1.2: then there is one pair, and the control queue comes right behind it. */
static void n9_control_queue_without_mq_is_the_third(void **state)
{
	struct table table = tap_open(
		FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=2"), TAP_MERGE | RIG_F_CTRL_VQ);

	(void)state;
	assert_int_equal(command(table.rig, 2, "\4\0\1\0", 4, 1), ctrl_err);
	tap_carries(&table, 60);
	tap_close(&table);
}

static void pairs_that_the_driver_uses_carry_frames(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=2"), FAKE_VIRTIO_ALL);
	struct rig *rig = table.rig;
	uint8_t frame[60], seen[2048];

	(void)state;
	tap_carries(&table, 60); /* one pair, the other is detached: that is no error */
	assert_int_equal(tap_link(rig), 1);
	assert_int_equal(command(rig, 4, "\4\0\2\0", 4, 1), ctrl_ok);
	rig_send_on(rig, 1, NULL, frame, tap_frame(frame, 60, 7));
	assert_int_equal(recv(table.end, seen, sizeof(seen), 0), 60);
	/* What went out by the second pair comes back by it. */
	rig_fill(rig, 1, 4, 2048);
	tap_host_send(table.end, 60, 9);
	for (int i = 0; i < 100 && !rig_take(rig, 1) && !rig_take(rig, 0); i++)
		fake_run_once(rig->host, 10);
	assert_true(tap_is_ours(rig));
	assert_int_equal(command(rig, 4, "\4\0\1\0", 4, 1), ctrl_ok);
	tap_carries(&table, 60);
	fake_virtio_init(&rig->driver, FAKE_VIRTIO_ALL);
	tap_carries(&table, 60);
	tap_close(&table);
}

static void deleted_device_with_pairs_lives_through_a_reset(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=2"), FAKE_VIRTIO_ALL);
	struct rig *rig = table.rig;

	(void)state;
	assert_int_equal(command(rig, 4, "\4\0\2\0", 4, 1), ctrl_ok);
	tap_delete();
	fake_settle(rig->host);
	fake_virtio_init(&rig->driver, FAKE_VIRTIO_ALL);
	assert_false(fake_virtio_status(&rig->driver) & FAKE_VIRTIO_NEEDS_RESET);
	assert_int_equal(tap_link(rig), 0);
	assert_int_equal(command(rig, 4, "\4\0\2\0", 4, 1), ctrl_ok);
	tap_close(&table);
}

static void n9_command_that_the_tap_refuses_is_an_error(void **state)
{
	struct table table =
		tap_open(FAKE_OPTIONS(TAP_OPTIONS, "ifname=tap7", "queues=2"), FAKE_VIRTIO_ALL);

	(void)state;
	refuse_queues = true;
	assert_int_equal(command(table.rig, 4, "\4\0\2\0", 4, 1), ctrl_err);
	refuse_queues = false;
	tap_carries(&table, 60);
	assert_int_equal(command(table.rig, 4, "\4\0\2\0", 4, 1), ctrl_ok);
	tap_close(&table);
}

static void h11_a_tap_without_permission_says_what_to_do(void **state)
{
	struct rig *rig = rig_host(0);

	(void)state;
	refuse_taps = true;
	assert_true(fake_device_add(rig->host, "virtio-net", "net0",
			    FAKE_OPTIONS("transport=v0", TAP_OPTIONS, "ifname=tap7"), NULL) < 0);
	refuse_taps = false;
	assert_non_null(strstr(fake_error(rig->host), "CAP_NET_ADMIN"));
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(n9_control_queue_answers_everything),
		cmocka_unit_test(n9_control_queue_without_mq_is_the_third),
		cmocka_unit_test(n9_command_that_the_tap_refuses_is_an_error),
		cmocka_unit_test(pairs_that_the_driver_uses_carry_frames),
		cmocka_unit_test(deleted_device_with_pairs_lives_through_a_reset),
		cmocka_unit_test(h11_a_tap_without_permission_says_what_to_do),
	};

	if (!tap_possible())
		return TAP_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
